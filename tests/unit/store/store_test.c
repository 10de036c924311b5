#include "store_test.h"
#include "kv/notice_ring.h"
#include "store/check.h"

#include <ftw.h>

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void open_engines(struct fixture *f)
{
    if (f->directory[0]) {
        assert_int_equal(kv_sqlite_create(f->directory, &f->kv), 0);
        assert_int_equal(blob_pack_create(f->directory, &f->blob), 0);
    } else if (!f->kv) {
        assert_int_equal(kv_memory_create(&f->kv), 0);
        assert_int_equal(blob_memory_create(&f->blob), 0);
    }
}

static void open_notices(struct fixture *f)
{
    int wake[NOTICE_SLOTS];
    memset(wake, 0xff, sizeof(wake));
    f->memory = notice_ring_create();
    assert_int_equal(notice_ring_attach(f->memory, wake, -1, &f->notices), 0);
}

/* Tests run one after the other. */
static const struct fixture *current;

static int64_t read_clock(void)
{
    return current->now;
}

static void open_store(struct fixture *f)
{
    open_engines(f);
    kv_engine_set_notices(f->kv, f->notices);
    current = f;
    f->now = f->now ? f->now : CLOCK_START;
    struct store_options options = {.kv = f->kv,
                                    .blob = f->blob,
                                    .open_accounts = 4,
                                    .default_domain = "example.test",
                                    .keep_expunged = 30 * 24 * 60 * 60,
                                    .keep_changes = 90 * 24 * 60 * 60,
                                    .keep_delivered = 7 * 24 * 60 * 60,
                                    .outgoing_rate = 60,
                                    .clock = read_clock};
    assert_int_equal(store_open(&options, &f->store), 0);
}

static int set_up(struct fixture *f)
{
    arena_init(&f->arena, 64 * 1024 * 1024);
    open_notices(f);
    open_store(f);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("alice"), &f->alice), 0);
    return store_view_open(f->store, who_account(f->alice), f->alice, &f->view);
}

int set_up_memory(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    return set_up(f);
}

int set_up_sqlite(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    const char *folder = getenv("TMPDIR");
    snprintf(f->directory, sizeof(f->directory), "%s/chapar-store-XXXXXX",
             folder ? folder : "/tmp");
    assert_non_null(mkdtemp(f->directory));
    return set_up(f);
}

static void close_store(struct fixture *f, bool engines)
{
    store_view_close(&f->view);
    store_close(&f->store);
    if (engines) {
        kv_engine_free(&f->kv);
        blob_engine_free(&f->blob);
    }
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    close_store(f, true);
    notice_ring_detach(&f->notices);
    close(f->memory);
    arena_release(&f->arena);
    if (f->directory[0])
        nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

void reopen(struct fixture *f)
{
    close_store(f, f->directory[0]);
    open_store(f);
    assert_int_equal(store_view_open(f->store, who_account(f->alice), f->alice, &f->view), 0);
}

collection_id find_mailbox(struct fixture *f, const char *path)
{
    struct collection found;
    int error =
        collection_find(f->view, COLLECTION_MAILBOX, slice_from_string(path), &f->arena, &found);
    return error ? 0 : found.id;
}

collection_id make_mailbox(struct fixture *f, const char *path)
{
    collection_id id = 0;
    assert_int_equal(
        collection_create(f->view, COLLECTION_MAILBOX, slice_from_string(path), ROLE_NONE, &id), 0);
    return id;
}

uint32_t append_text(struct fixture *f, collection_id mailbox, const char *text, uint32_t flags)
{
    struct append append = {.flags = flags, .internal_date = 1000000000};
    struct append_result result = {0};
    assert_int_equal(prepared_message_create(slice_from_string(text), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, mailbox, &append, &result), 0);
    prepared_message_free(&append.message);
    assert_int_not_equal(result.uid, 0);
    return result.uid;
}

void append_many(struct fixture *f, collection_id mailbox, unsigned count)
{
    char text[64];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "Subject: %u\r\n\r\nText %u\r\n", i, i);
        append_text(f, mailbox, text, 0);
    }
}

struct collection read_mailbox(struct fixture *f, collection_id mailbox)
{
    struct collection found = {0};
    assert_int_equal(collection_get(f->view, mailbox, &f->arena, &found), 0);
    return found;
}

const char *set_text(struct fixture *f, const struct range_set *set)
{
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    for (size_t i = 0; i < set->count; i++) {
        const struct range *range = &set->ranges[i];
        buffer_append_format(&text, i ? ",%u" : "%u", range->first);
        if (range->last > range->first)
            buffer_append_format(&text, ":%u", range->last);
    }
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

const char *uids_text(struct fixture *f, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct range_set uids;
    range_set_init(&uids, 1000000);
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    assert_int_equal(mailbox_uids(snapshot, &uids), 0);
    mailbox_snapshot_close(&snapshot);
    const char *text = set_text(f, &uids);
    range_set_release(&uids);
    return text;
}

struct range_set set_of(uint32_t first, uint32_t last)
{
    struct range_set set;
    range_set_init(&set, 100000);
    assert_int_equal(range_set_add(&set, first, last), 0);
    return set;
}

static void report(enum check_finding finding, const char *text, void *arg)
{
    (void)finding, (void)arg;
    print_error("%s\n", text);
}

void check_account(struct fixture *f)
{
    struct check_options options = {.deep = true, .report = report};
    struct check_result result = {0};
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    assert_int_equal(result.wrong + result.lost, 0);
    assert_int_equal(store_check_directory(f->store, WHO_SYSTEM, &options, &result), 0);
    assert_int_equal(result.wrong + result.lost, 0);
}
