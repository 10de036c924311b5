/*
 * A fixed sequence of commands on the store, with a fault at one call that changes a file: the
 * process killed there, half a write, EIO, a failed flush, a full disk, a power cut that loses any
 * part of what was not flushed. Afterwards the store is what it was after the last command that
 * was acknowledged, or after the one that was under way; never anything else; and every invariant
 * holds.
 *
 * CHAPAR_FAULT_POINTS: how many points in the sequence are tried with each fault (few by default;
 * 0: every one). CHAPAR_FAULT_SEED repeats a run.
 */
#include "digest.h"
#include "store/acl.h"
#include "store/annotation.h"
#include "store/deliver.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/transfer.h"
#include "tests/unit/faults.h"

#include <ftw.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POINTS = 6, LARGE = 300 * 1024, DIGESTS = 64 };

/* --- the commands --- */

static int append(struct fixture *f, const char *path, const char *text, size_t size)
{
    collection_id mailbox = find_mailbox(f, path);
    char *bytes = malloc(size + 256);
    int head =
        snprintf(bytes, 256, "Subject: %s\r\nMessage-ID: <%s@example.org>\r\n\r\n", text, text);
    memset(bytes + head, text[0], size);
    struct append append = {.internal_date = 1000000000};
    struct append_result result;
    int error = prepared_message_create(slice_make(bytes, (size_t)head + size), &append.message);
    if (!error)
        error = mailbox_append(f->view, mailbox, &append, &result);
    prepared_message_free(&append.message);
    free(bytes);
    return error;
}

static int annotate(struct fixture *f)
{
    struct annotation annotation = {ANNOTATION_SHARED, SLICE("/comment"), SLICE("Text")};
    return annotations_set(f->view, find_mailbox(f, "INBOX"), &annotation, 1);
}

static int annotate_messages(struct fixture *f)
{
    struct annotation annotation = {ANNOTATION_PRIVATE, SLICE("/comment"), SLICE("Text")};
    struct range_set uids = set_of(1, 3);
    uint64_t modseq;
    int error = message_annotations_set(f->view, find_mailbox(f, "INBOX"), &uids, &annotation, 1,
                                        UINT64_MAX, &modseq, NULL);
    range_set_release(&uids);
    return error;
}

/* Its time has come. */
static int put_to_sleep(struct fixture *f)
{
    const struct snooze snooze = {.until = 1, .mailbox = SLICE("Woken"), .create = true};
    struct filing filing = {.mailbox = find_mailbox(f, "INBOX"), .snooze = &snooze};
    const struct delivery_plan plan = {.filings = &filing, .filing_count = 1};
    struct store_view *system;
    int error = store_view_open(f->store, WHO_SYSTEM, f->alice, &system);
    if (error)
        return error;
    error = prepared_message_create(SLICE("Subject: asleep\r\n\r\n"), &filing.append.message);
    if (!error)
        error = store_deliver(system, &plan);
    prepared_message_free(&filing.append.message);
    store_view_close(&system);
    return error;
}

static int wake(struct fixture *f)
{
    struct store_view *system;
    size_t woken;
    int64_t next;
    int error = store_view_open(f->store, WHO_SYSTEM, f->alice, &system);
    if (error)
        return error;
    error = snooze_wake(system, &woken, &next);
    store_view_close(&system);
    return error;
}

/* Messages of two threads, and one that makes one of them. */
static int append_reply(struct fixture *f, const char *path, const char *id, const char *references)
{
    char text[256];
    struct append append = {.internal_date = 1000000000};
    struct append_result result;
    snprintf(text, sizeof(text), "Message-ID: <%s>\r\nReferences: %s\r\nSubject: Lunch\r\n\r\n", id,
             references);
    int error = prepared_message_create(slice_from_string(text), &append.message);
    if (!error)
        error = mailbox_append(f->view, find_mailbox(f, path), &append, &result);
    prepared_message_free(&append.message);
    return error;
}
static int append_parent(struct fixture *f)
{
    return append_reply(f, "INBOX", "a@x", "");
}
static int append_brother(struct fixture *f)
{
    return append_reply(f, "INBOX", "b@x", "<a@x>");
}
static int append_orphan(struct fixture *f)
{
    return append_reply(f, "Sent", "d@x", "<c@x>");
}
static int append_link(struct fixture *f)
{
    return append_reply(f, "INBOX", "c@x", "<a@x>");
}

static int append_first(struct fixture *f)
{
    return append(f, "INBOX", "first", 100);
}
static int append_second(struct fixture *f)
{
    return append(f, "INBOX", "second", 20000);
}
static int append_again(struct fixture *f)
{
    return append(f, "Box", "first", 100);
}
static int append_large(struct fixture *f)
{
    return append(f, "INBOX", "large", LARGE);
}
static int append_large_too(struct fixture *f)
{
    return append(f, "Box", "huge", 2 * LARGE);
}

static int append_several(struct fixture *f)
{
    struct append appends[3] = {0};
    struct append_result result;
    char text[LARGE] = "A: several\r\n\r\n";
    int error = 0;
    memset(text + 14, 'x', sizeof(text) - 14);
    for (size_t i = 0; i < 3 && !error; i++)
        error = prepared_message_create(slice_make(text, i == 1 ? LARGE : 100 + i),
                                        &appends[i].message);
    if (!error)
        error = mailbox_append_all(f->view, find_mailbox(f, "INBOX"), appends, 3, &result);
    for (size_t i = 0; i < 3; i++)
        prepared_message_free(&appends[i].message);
    return error;
}
/* It has the UID that it got when it came into another thread. */
static int replace_orphan(struct fixture *f)
{
    struct append append = {0};
    struct append_result result;
    int error = prepared_message_create(SLICE("A: replaced\r\n\r\n"), &append.message);
    if (!error)
        error = mailbox_replace(f->view, find_mailbox(f, "Sent"), 2, find_mailbox(f, "INBOX"),
                                &append, &result);
    prepared_message_free(&append.message);
    return error;
}

static int make_box(struct fixture *f)
{
    collection_id id;
    return collection_create(f->view, COLLECTION_MAILBOX, SLICE("Box"), ROLE_NONE, &id);
}
static int rename_box(struct fixture *f)
{
    return collection_rename(f->view, find_mailbox(f, "Box"), SLICE("Deep/Box"));
}
static int rename_back(struct fixture *f)
{
    return collection_rename(f->view, find_mailbox(f, "Deep/Box"), SLICE("Box"));
}
static int delete_deep(struct fixture *f)
{
    return collection_delete(f->view, find_mailbox(f, "Deep"));
}
static int delete_box(struct fixture *f)
{
    return collection_delete(f->view, find_mailbox(f, "Box"));
}

static int set_flags(struct fixture *f, uint32_t first, uint32_t last, uint32_t flags)
{
    struct slice keyword = SLICE("$Word");
    struct flag_change change = {.operation = FLAGS_ADD,
                                 .flags = flags,
                                 .keywords = &keyword,
                                 .keyword_count = 1,
                                 .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(first, last);
    uint64_t modseq;
    int error =
        mailbox_change_flags(f->view, find_mailbox(f, "INBOX"), &uids, &change, &modseq, NULL);
    range_set_release(&uids);
    return error;
}
static int see_first(struct fixture *f)
{
    return set_flags(f, 1, 1, ENTRY_SEEN);
}
static int flag_all(struct fixture *f)
{
    return set_flags(f, 1, UINT32_MAX - 1, ENTRY_FLAGGED);
}
static int mark_deleted(struct fixture *f)
{
    return set_flags(f, 1, 2, ENTRY_DELETED);
}

static int mark_last(struct fixture *f)
{
    return set_flags(f, 4, UINT32_MAX - 1, ENTRY_DELETED);
}

static int copy(struct fixture *f, bool move)
{
    struct range_set uids = set_of(1, 3);
    struct copy_result result;
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    int error = mailbox_copy(f->view, find_mailbox(f, "INBOX"), &uids, find_mailbox(f, "Box"), move,
                             &result);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}
static int copy_to_box(struct fixture *f)
{
    return copy(f, false);
}
static int move_to_box(struct fixture *f)
{
    return copy(f, true);
}

static int expunge(struct fixture *f)
{
    struct range_set expunged;
    uint64_t modseq;
    range_set_init(&expunged, 1000);
    int error = mailbox_expunge(f->view, find_mailbox(f, "INBOX"), NULL, &expunged, &modseq);
    range_set_release(&expunged);
    return error;
}

static int restore_expunged(struct fixture *f)
{
    struct copy_result result;
    struct retained_filter filter = {0};
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    int error = retained_restore(f->view, find_mailbox(f, "INBOX"), &filter, 0, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}
static int restore_box(struct fixture *f)
{
    struct retained_collection *list;
    struct slice path;
    size_t count;
    int error = retained_collections(f->view, &f->arena, &list, &count);
    return error ? error
                 : retained_restore_collection(f->view, list[0].id, SLICE(""), &f->arena, &path);
}
static int purge(struct fixture *f)
{
    return store_purge(f->store, WHO_SYSTEM, f->alice, INT64_MAX / 2, NULL);
}

static int maintain(struct fixture *f)
{
    int error = store_maintain(f->store);
    return error ? error : store_maintain(f->store); /* nobody has used it meanwhile: it rests */
}

static int settle(struct fixture *f)
{
    struct settle_result result;
    return store_settle(f->store, WHO_SYSTEM, f->alice, NULL, &result);
}

static int make_account(struct fixture *f)
{
    struct account_id id;
    return store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &id);
}
static int make_group(struct fixture *f)
{
    struct account_id id;
    return store_group_create(f->store, WHO_SYSTEM, SLICE("staff"), &id);
}

static int join_group(struct fixture *f)
{
    const struct slice members[] = {SLICE("alice"), SLICE("bob")};
    return store_group_add(f->store, WHO_SYSTEM, SLICE("staff"), members, 2);
}

static int rename_account(struct fixture *f)
{
    struct account_id id;
    int error = store_account_find(f->store, WHO_SYSTEM, SLICE("bob"), &id);
    return error ? error : store_account_rename(f->store, WHO_SYSTEM, id, SLICE("robert"), true);
}

static int delete_account(struct fixture *f)
{
    struct account_id id;
    int error = store_account_find(f->store, WHO_SYSTEM, SLICE("robert"), &id);
    return error ? error : store_account_delete(f->store, WHO_SYSTEM, id);
}

/* --- with others --- */

static int share_inbox(struct fixture *f)
{
    return acl_set(f->view, find_mailbox(f, "INBOX"), SLICE("anyone"), ACL_REPLACE,
                   RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN);
}
static int share_no_more(struct fixture *f)
{
    return acl_set(f->view, find_mailbox(f, "INBOX"), SLICE("anyone"), ACL_REPLACE, 0);
}

/* What somebody sees who is not the owner. */
static int open_stranger(struct fixture *f, struct store_view **view)
{
    const struct account_id stranger = {{1, 2, 3}};
    return store_view_open(f->store, who_account(stranger), f->alice, view);
}

static int stranger_sees(struct fixture *f)
{
    struct store_view *view;
    struct flag_change change = {FLAGS_ADD, ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(1, 2);
    uint64_t modseq;
    int error = open_stranger(f, &view);
    if (!error) {
        error = mailbox_change_flags(view, find_mailbox(f, "INBOX"), &uids, &change, &modseq, NULL);
        store_view_close(&view);
    }
    range_set_release(&uids);
    return error;
}

static int open_bob(struct fixture *f, struct store_view **view, collection_id *inbox)
{
    struct account_id bob = {{0}};
    struct collection found = {0};
    int error = store_account_find(f->store, WHO_SYSTEM, SLICE("bob"), &bob);
    if (!error)
        error = store_view_open(f->store, WHO_SYSTEM, bob, view);
    if (error)
        return error;
    error = collection_find(*view, COLLECTION_MAILBOX, SLICE("INBOX"), &f->arena, &found);
    *inbox = found.id;
    if (error)
        store_view_close(view);
    return error;
}

static int transfer(struct fixture *f, bool move)
{
    struct store_view *view, *to;
    collection_id inbox = 0;
    struct range_set uids = set_of(1, 2);
    struct copy_result result;
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    int error = store_view_open(f->store, WHO_SYSTEM, f->alice, &view);
    if (!error) {
        error = open_bob(f, &to, &inbox);
        if (!error) {
            error =
                mailbox_transfer(view, find_mailbox(f, "INBOX"), &uids, to, inbox, move, &result);
            store_view_close(&to);
        }
        store_view_close(&view);
    }
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}
static int copy_to_bob(struct fixture *f)
{
    return transfer(f, false);
}
static int move_to_bob(struct fixture *f)
{
    return transfer(f, true);
}

/* Relaxed ones may be lost by a power cut. What goes over several spaces may come about though it
 * failed, once what was interrupted is finished. */
static const struct command {
    const char *name;
    int (*run)(struct fixture *f);
    bool relaxed;
    bool several;
} commands[] = {
    {"append first", append_first, false},
    {"append second", append_second, false},
    {"make Box", make_box, false},
    {"append again", append_again, false},
    {"see first", see_first, true},
    {"append large", append_large, false},
    {"flag all", flag_all, true},
    {"annotate", annotate, false},
    {"annotate messages", annotate_messages, false},
    {"copy", copy_to_box, false},
    {"settle", settle, false},
    {"maintain", maintain, false},
    {"append huge", append_large_too, false},
    {"rename Box", rename_box, false},
    {"flag all again", flag_all, true},
    {"rename back", rename_back, false},
    {"delete Deep", delete_deep, false},
    {"mark deleted", mark_deleted, true},
    {"expunge", expunge, false},
    {"make account", make_account, false},
    {"append for bob", append_first, false},
    {"append more for bob", append_second, false},
    {"copy to bob", copy_to_bob, false, true},
    {"move to bob", move_to_bob, false, true},
    {"make group", make_group, false},
    {"join group", join_group, false},
    {"rename account", rename_account, false},
    {"append second again", append_second, false},
    {"share", share_inbox, false, true},
    {"a stranger sees", stranger_sees, true},
    {"maintain again", maintain, false},
    {"move", move_to_box, false},
    {"delete account", delete_account, false},
    {"share no more", share_no_more, false, true},
    {"delete Box", delete_box, false},
    {"restore Box", restore_box, false},
    {"delete Box again", delete_box, false},
    {"restore expunged", restore_expunged, false},
    {"mark deleted again", mark_last, true},
    {"expunge again", expunge, false},
    {"purge", purge, false},
    {"settle again", settle, false},
    {"purge", purge, false},
    {"append last", append_first, false},
    {"append parent", append_parent, false},
    {"append orphan", append_orphan, false},
    {"append brother", append_brother, false},
    {"append link", append_link, false},
    {"put to sleep", put_to_sleep, false},
    {"wake", wake, false},
    {"append several", append_several, false},
    {"replace orphan", replace_orphan, false},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* --- what the store holds, as a number --- */

static uint64_t digest_bob(struct fixture *f)
{
    struct store_view *own = f->view;
    collection_id inbox;
    uint64_t digest;
    if (open_bob(f, &f->view, &inbox)) {
        f->view = own;
        return 0;
    }
    digest = digest_account(f, DIGEST_VALUES);
    store_view_close(&f->view);
    f->view = own;
    return digest;
}

static uint64_t digest_stranger(struct fixture *f)
{
    struct store_view *view;
    struct collection found = {0};
    assert_int_equal(open_stranger(f, &view), 0);
    if (collection_get(view, find_mailbox(f, "INBOX"), &f->arena, &found))
        found.rights = 0;
    store_view_close(&view);
    return found.rights * 1000 + (found.rights ? found.unseen : 0);
}

static uint64_t digest_store(struct fixture *f)
{
    return ((digest_account(f, DIGEST_VALUES) * 3 + digest_directory(f)) * 3 + digest_bob(f)) * 3 +
           digest_stranger(f);
}

/* After each command; [0]: before the first. */
static uint64_t digests[DIGESTS];

/* --- one run --- */

struct plan {
    enum fault fault;
    unsigned call, seed;
};

static void close_all(struct fixture *f)
{
    if (f->view)
        store_view_close(&f->view);
    if (f->store)
        store_close(&f->store);
    if (f->kv)
        kv_engine_free(&f->kv);
    if (f->blob)
        blob_engine_free(&f->blob);
}

static int open_all(struct fixture *f)
{
    struct store_options options = {.open_accounts = 4, .default_domain = "example.test"};
    int error = kv_sqlite_create(f->directory, &f->kv);
    if (!error)
        error = blob_pack_create(f->directory, &f->blob);
    options.kv = f->kv;
    options.blob = f->blob;
    if (!error)
        error = store_open(&options, &f->store);
    return error ? error : store_view_open(f->store, who_account(f->alice), f->alice, &f->view);
}

static void complain(const struct plan *plan, const char *what, unsigned command)
{
    print_error("%s at call %u (seed %u): %s, command %u (%s)\n", fault_name(plan->fault),
                plan->call, plan->seed, what, command,
                command < COMMANDS ? commands[command].name : "the end");
}

/* The command fails once at the most, clearly and without effect, and works when the disk does. */
static void run_command(struct fixture *f, const struct plan *plan, unsigned number)
{
    int error = commands[number].run(f);
    if (error && faults_met() && commands[number].several) {
        faults_clear();
        size_t finished;
        assert_int_equal(store_recover(f->store, &finished), 0);
        uint64_t digest = digest_store(f);
        if (digest == digests[number + 1])
            return;
        if (digest != digests[number]) {
            complain(plan, "neither done nor undone", number);
            _exit(1);
        }
        error = commands[number].run(f);
    }
    if (error && faults_met() && (error == ERROR_SPACE) == (plan->fault == FAULT_FULL)) {
        if (digest_store(f) != digests[number]) {
            complain(plan, "it failed, and changed something", number);
            _exit(1);
        }
        faults_clear();
        error = commands[number].run(f);
    }
    if (error) {
        complain(plan, error_name(error), number);
        _exit(1);
    }
}

static void run_child(struct fixture *f, const struct plan *plan, int acknowledged)
{
    faults_watch(f->directory);
    faults_plan(plan->fault, plan->call, plan->seed);
    if (open_all(f)) {
        faults_clear();
        close_all(f);
        assert_int_equal(open_all(f), 0);
    }
    for (unsigned i = 0; i < COMMANDS; i++) {
        run_command(f, plan, i);
        if (write(acknowledged, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
    unsigned calls = faults_calls();
    close_all(f);
    if (write(acknowledged, &calls, sizeof(calls)) != sizeof(calls))
        _exit(1);
}

/* How many commands were acknowledged; *calls is set when it came to its end. */
static unsigned run_with_fault(struct fixture *f, const struct plan *plan, unsigned *calls)
{
    int ends[2], status = 0;
    unsigned done = 0, number;
    close_all(f);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        run_child(f, plan, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (done < COMMANDS && read(ends[0], &number, sizeof(number)) == sizeof(number))
        done = number + 1;
    if (done == COMMANDS && read(ends[0], &number, sizeof(number)) == sizeof(number))
        *calls = number;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) &&
                (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULTS_EXIT));
    return done;
}

/* The first state that the store may be in after `done` acknowledged commands. */
static unsigned earliest(const struct plan *plan, unsigned done)
{
    if (plan->fault == FAULT_POWER)
        while (done > 0 && commands[done - 1].relaxed)
            done--;
    return done;
}

static void verify(struct fixture *f, const struct plan *plan, unsigned done)
{
    size_t finished;
    assert_int_equal(open_all(f), 0);
    assert_int_equal(store_recover(f->store, &finished), 0);
    uint64_t digest = digest_store(f);
    unsigned state = earliest(plan, done);
    unsigned last = done < COMMANDS ? done + 1 : done;
    while (state < last && digests[state] != digest)
        state++;
    if (digests[state] != digest) {
        complain(plan, "neither before nor after", done);
        fail();
    }
    check_account(f);
    for (; state < COMMANDS; state++)
        assert_int_equal(commands[state].run(f), 0);
    assert_true(digest_store(f) == digests[COMMANDS]);
    check_account(f);
}

/* --- the test --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void tear_down_with_removed(void **state)
{
    char removed[sizeof(((struct fixture *)0)->directory) + 16];
    snprintf(removed, sizeof(removed), "%s.removed", ((struct fixture *)*state)->directory);
    tear_down(state);
    nftw(removed, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void one_fault(const struct plan *plan, unsigned *calls)
{
    void *state = NULL;
    set_up_sqlite(&state);
    unsigned done = run_with_fault(state, plan, calls);
    if (getenv("CHAPAR_FAULT_VERBOSE"))
        print_message("# %s at %u: %u commands, %u calls\n", fault_name(plan->fault), plan->call,
                      done, *calls);
    verify(state, plan, done);
    tear_down_with_removed(&state);
}

static void take_digests(void)
{
    void *state = NULL;
    set_up_sqlite(&state);
    digests[0] = digest_store(state);
    for (unsigned i = 0; i < COMMANDS; i++) {
        assert_int_equal(commands[i].run(state), 0);
        digests[i + 1] = digest_store(state);
    }
    tear_down(&state);
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void test_every_fault(void **unused)
{
    (void)unused;
    unsigned seed = number_of("CHAPAR_FAULT_SEED", (unsigned)time(NULL));
    unsigned points = number_of("CHAPAR_FAULT_POINTS", POINTS), calls = 0;
    print_message("# CHAPAR_FAULT_SEED=%u CHAPAR_FAULT_POINTS=%u\n", seed, points);
    take_digests();
    one_fault(&(struct plan){.fault = FAULT_NONE}, &calls);
    assert_true(calls > COMMANDS);
    for (enum fault fault = FAULT_KILL; fault < FAULTS; fault++) {
        unsigned step = points ? (calls + points - 1) / points : 1, ignored;
        for (unsigned call = 1 + seed % step; call <= calls; call += step) {
            struct plan plan = {.fault = fault, .call = call, .seed = seed + call};
            one_fault(&plan, &ignored);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_fault)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
