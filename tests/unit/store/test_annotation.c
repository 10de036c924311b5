/*
 * Annotations: who sees and sets them, what they count, and where they go with their messages.
 */
#include "kv/kv.h"
#include "store/acl.h"
#include "store/annotation.h"
#include "store/changes.h"
#include "store/check.h"
#include "store/dump.h"
#include "store/key_priv.h"
#include "store/quota.h"
#include "store/record_priv.h"
#include "store/retained.h"
#include "store_test.h"

enum { DAY = 24 * 60 * 60 };

/* "s/comment" or "p/comment", and a value (NULL: none). */
static struct annotation make(const char *name, const char *value)
{
    return (struct annotation){
        .scope = name[0] == 's' ? ANNOTATION_SHARED : ANNOTATION_PRIVATE,
        .name = slice_from_string(name + 1),
        .value = value ? slice_from_string(value) : (struct slice){NULL, 0},
    };
}

static int set(struct store_view *view, collection_id collection, const char *name,
               const char *value)
{
    struct annotation annotation = make(name, value);
    return annotations_set(view, collection, &annotation, 1);
}

/* "p/a=1 s/b=2", or the error. */
static const char *text_of(struct fixture *f, int error, const struct annotation *list,
                           size_t count)
{
    struct buffer text;
    if (error)
        return error_name(error);
    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(list[i].value.data);
        buffer_append_format(&text, "%s%c%.*s=%.*s", i ? " " : "", "ps"[list[i].scope],
                             SLICE_FORMAT(list[i].name), SLICE_FORMAT(list[i].value));
    }
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

static const char *list(struct fixture *f, struct store_view *view, collection_id collection)
{
    struct annotation *found = NULL;
    size_t count = 0;
    int error = annotations_list(view, collection, &f->arena, &found, &count);
    return text_of(f, error, found, count);
}

static int set_message(struct store_view *view, collection_id mailbox, uint32_t uid,
                       const char *name, const char *value)
{
    struct annotation annotation = make(name, value);
    struct range_set uids = set_of(uid, uid);
    uint64_t modseq;
    int error =
        message_annotations_set(view, mailbox, &uids, &annotation, 1, UINT64_MAX, &modseq, NULL);
    range_set_release(&uids);
    return error;
}

static const char *list_message(struct fixture *f, collection_id mailbox, uint32_t uid)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct annotation *found = NULL;
    size_t count = 0;
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    int error = message_annotations_list(snapshot, uid, &f->arena, &found, &count);
    const char *text = text_of(f, error, found, count);
    mailbox_snapshot_close(&snapshot);
    return text;
}

static uint64_t usage(struct fixture *f)
{
    struct quota quota;
    assert_int_equal(quota_get(f->view, 0, &quota), 0);
    return quota.usage[QUOTA_ANNOTATION_STORAGE];
}

static void limit(struct fixture *f, uint64_t bytes)
{
    struct store_view *system = NULL;
    uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_ANNOTATION_STORAGE] = bytes};
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(quota_set(system, 1U << QUOTA_ANNOTATION_STORAGE, limits), 0);
    store_view_close(&system);
}

/* --- names --- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *name;
        enum annotation_scope scope;
    } right[] = {
        {"/shared/comment", "/comment", ANNOTATION_SHARED},
        {"/PRIVATE/Comment", "/Comment", ANNOTATION_PRIVATE},
        {"/shared/vendor/cmu/x", "/vendor/cmu/x", ANNOTATION_SHARED},
        {"/shared/vendor", "/vendor", ANNOTATION_SHARED},
        {"/private/a/b/c d", "/a/b/c d", ANNOTATION_PRIVATE},
    };
    /* RFC 5464 section 3.2. */
    static const char *const wrong[] = {
        "",           "/",          "/shared",          "/shared/",           "/shared//a",
        "/shared/a/", "/other/a",   "shared/a",         "/sharedx/a",         "/shared/a*",
        "/shared/%",  "/shared/\t", "/shared/\xc3\xa9", "/shared/vendor/cmu", "/shared/a//b"};
    enum annotation_scope scope;
    struct slice name;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(annotation_name_parse(slice_from_string(right[i].entry), &scope, &name),
                         0);
        assert_int_equal(scope, right[i].scope);
        assert_true(slice_equal(name, slice_from_string(right[i].name)));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(annotation_name_parse(slice_from_string(wrong[i]), &scope, &name),
                         ERROR_SYNTAX);
    assert_int_equal(annotation_name_parse(slice_make("/shared/a\0", 10), &scope, &name),
                     ERROR_SYNTAX);
}

/* --- of collections and of the account --- */

static void test_collection(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    assert_string_equal(list(f, f->view, box), "");
    assert_int_equal(set(f->view, box, "s/Comment", "For all"), 0);
    assert_int_equal(set(f->view, box, "p/comment", "Mine"), 0);
    assert_int_equal(set(f->view, box, "p/a", ""), 0);
    assert_string_equal(list(f, f->view, box), "p/a= p/comment=Mine s/comment=For all");
    assert_string_equal(list(f, f->view, find_mailbox(f, "INBOX")), "");
    assert_int_equal(usage(f), 2 + 12 + 15);
    assert_int_equal(set(f->view, box, "s/COMMENT", "Other"), 0);
    assert_int_equal(set(f->view, box, "p/a", NULL), 0);
    assert_int_equal(set(f->view, box, "p/never", NULL), 0);
    assert_string_equal(list(f, f->view, box), "p/comment=Mine s/comment=Other");
    assert_int_equal(usage(f), 12 + 13);
    check_account(f);
    reopen(f);
    assert_string_equal(list(f, f->view, box), "p/comment=Mine s/comment=Other");
    /* All or nothing. */
    struct annotation both[] = {make("p/x", "1"), make("p/y/", "2")};
    assert_int_equal(annotations_set(f->view, box, both, 2), ERROR_SYNTAX);
    both[1] = make("p/y", "2");
    assert_int_equal(annotations_set(f->view, 99, both, 2), ERROR_NOT_FOUND);
    assert_int_equal(annotations_set(f->view, box, both, 2), 0);
    assert_string_equal(list(f, f->view, box), "p/comment=Mine p/x=1 p/y=2 s/comment=Other");
    assert_string_equal(list(f, f->view, 99), "not-found");
}

static void test_account(void **state)
{
    struct fixture *f = *state;
    struct store_view *system = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(set(f->view, 0, "p/vendor/x/y", "1"), 0);
    assert_int_equal(set(f->view, 0, "s/comment", "1"), ERROR_DENIED);
    assert_int_equal(set(system, 0, "s/comment", "Hello"), 0);
    assert_string_equal(list(f, f->view, 0), "p/vendor/x/y=1 s/comment=Hello");
    assert_string_equal(list(f, system, 0), "p/vendor/x/y=1 s/comment=Hello");
    assert_int_equal(usage(f), 12 + 13);
    store_view_close(&system);
    check_account(f);
}

/* The change log tells it of the collection. */
static void test_changes(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    uint64_t since, after;
    bool more;
    struct changed *changed;
    size_t count;
    assert_int_equal(store_modseq(f->view, &since), 0);
    assert_int_equal(set(f->view, box, "s/comment", "1"), 0);
    struct changes_cursor cursor = changes_since(since);
    assert_int_equal(store_changes(f->view, &cursor, CHANGES_COLLECTIONS(COLLECTION_MAILBOX), 10,
                                   &f->arena, &changed, &count, &more),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(changed[0].number, box);
    assert_int_equal(changed[0].action, CHANGE_UPDATED);
    assert_false(changed[0].counts_only);
    /* The same value again is no change. */
    assert_int_equal(store_modseq(f->view, &since), 0);
    assert_int_equal(set(f->view, box, "s/comment", "1"), 0);
    assert_int_equal(store_modseq(f->view, &after), 0);
    assert_true(after == since);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    char name[ANNOTATION_NAME_MAXIMUM + 8] = "p/", *value = malloc(ANNOTATION_VALUE_MAXIMUM + 2);
    memset(name + 2, 'x', ANNOTATION_NAME_MAXIMUM);
    name[2 + ANNOTATION_NAME_MAXIMUM] = '\0';
    assert_int_equal(set(f->view, box, name, "1"), ERROR_LIMIT);
    name[1 + ANNOTATION_NAME_MAXIMUM] = '\0';
    assert_int_equal(set(f->view, box, name, "1"), 0);
    memset(value, 'v', ANNOTATION_VALUE_MAXIMUM + 1);
    value[ANNOTATION_VALUE_MAXIMUM + 1] = '\0';
    assert_int_equal(set(f->view, box, "p/a", value), ERROR_LIMIT);
    value[ANNOTATION_VALUE_MAXIMUM] = '\0';
    assert_int_equal(set(f->view, box, "p/a", value), 0);
    free(value);
    for (unsigned i = 2; i < ANNOTATIONS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "p/%u", i);
        assert_int_equal(set(f->view, box, name, "1"), 0);
    }
    assert_int_equal(set(f->view, box, "p/more", "1"), ERROR_LIMIT);
    assert_int_equal(set(f->view, box, "p/2", "other"), 0);
    assert_int_equal(set(f->view, box, "s/more", "1"), 0);
    assert_int_equal(set(f->view, box, "p/3", NULL), 0);
    assert_int_equal(set(f->view, box, "p/more", "1"), 0);
    check_account(f);
}

static void test_message_limits(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    char name[32];
    append_many(f, inbox, 1);
    for (unsigned i = 0; i < MESSAGE_ANNOTATIONS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "s/%u", i);
        assert_int_equal(set_message(f->view, inbox, 1, name, "1"), 0);
    }
    assert_int_equal(set_message(f->view, inbox, 1, "s/more", "1"), ERROR_LIMIT);
    assert_int_equal(set_message(f->view, inbox, 1, "p/more", "1"), 0);
    assert_int_equal(set_message(f->view, inbox, 1, "p/a*", "1"), ERROR_SYNTAX);
    assert_int_equal(set_message(f->view, inbox, 1, "p/a\t", "1"), 0);
    check_account(f);
}

static void test_quota(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct range_set uids = set_of(1, 1);
    struct copy_result copied;
    range_set_init(&copied.from, 10);
    range_set_init(&copied.to, 10);
    append_many(f, inbox, 1);
    limit(f, 20);
    assert_int_equal(set(f->view, box, "p/abc", "1234567"), 0); /* 11 */
    assert_int_equal(set(f->view, box, "p/d", "12345678"), ERROR_QUOTA);
    assert_int_equal(set_message(f->view, inbox, 1, "p/d", "1234567"), 0); /* 9 */
    assert_int_equal(usage(f), 20);
    assert_int_equal(set(f->view, box, "p/abc", "12345678"), ERROR_QUOTA);
    assert_int_equal(set(f->view, box, "p/abc", "7654321"), 0);
    /* A copy counts, a move does not. */
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, false, &copied), ERROR_QUOTA);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, true, &copied), 0);
    assert_string_equal(list_message(f, box, 1), "p/d=1234567");
    assert_int_equal(usage(f), 20);
    assert_int_equal(set(f->view, box, "p/abc", NULL), 0);
    assert_int_equal(mailbox_copy(f->view, box, &uids, inbox, false, &copied), 0);
    assert_int_equal(usage(f), 18);
    /* What is deleted does not count, until it comes back. */
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_int_equal(usage(f), 9);
    assert_int_equal(set(f->view, inbox, "p/e", "123456789"), 0);
    struct slice restored;
    assert_int_equal(retained_restore_collection(f->view, box, SLICE(""), &f->arena, &restored),
                     ERROR_QUOTA);
    assert_int_equal(set(f->view, inbox, "p/e", NULL), 0);
    assert_int_equal(retained_restore_collection(f->view, box, SLICE(""), &f->arena, &restored), 0);
    assert_int_equal(usage(f), 18);
    assert_string_equal(list_message(f, box, 1), "p/d=1234567");
    range_set_release(&uids);
    range_set_release(&copied.from);
    range_set_release(&copied.to);
    check_account(f);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct account_id bob;
    struct store_view *view = NULL;
    append_many(f, inbox, 1);
    assert_int_equal(set(f->view, inbox, "s/comment", "1"), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    struct who whos[] = {who_account(bob), {.kind = WHO_KIND_ANONYMOUS}, {0}};
    for (size_t i = 0; i < sizeof(whos) / sizeof(whos[0]); i++) {
        assert_int_equal(store_view_open(f->store, whos[i], f->alice, &view), 0);
        assert_string_equal(list(f, view, inbox), "not-found");
        assert_string_equal(list(f, view, 0), "denied");
        assert_int_equal(set(view, inbox, "s/comment", "2"), ERROR_NOT_FOUND);
        assert_int_equal(set(view, inbox, "p/comment", "2"), ERROR_NOT_FOUND);
        assert_int_equal(set(view, 0, "p/comment", "2"), ERROR_DENIED);
        assert_int_equal(set_message(view, inbox, 1, "p/comment", "2"), ERROR_NOT_FOUND);
        assert_int_equal(set_message(view, inbox, 1, "s/comment", "2"), ERROR_NOT_FOUND);
        store_view_close(&view);
    }
    assert_string_equal(list(f, f->view, inbox), "s/comment=1");
    assert_string_equal(list_message(f, inbox, 1), "");
}

/* --- of messages --- */

static void test_message(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 200);
    uint64_t before = read_mailbox(f, inbox).highest_modseq, modseq;
    struct annotation both[] = {make("s/comment", "All"), make("p/comment", "Own")};
    struct range_set uids = set_of(100, 150), failed;
    range_set_init(&failed, 1000);
    assert_int_equal(
        message_annotations_set(f->view, inbox, &uids, both, 2, UINT64_MAX, &modseq, &failed), 0);
    assert_true(modseq == before + 1);
    assert_int_equal(failed.count, 0);
    assert_string_equal(list_message(f, inbox, 100), "p/comment=Own s/comment=All");
    assert_string_equal(list_message(f, inbox, 150), "p/comment=Own s/comment=All");
    assert_string_equal(list_message(f, inbox, 151), "");
    assert_string_equal(list_message(f, inbox, 999), "");
    assert_int_equal(usage(f), 51 * 2 * 11);
    check_account(f);
    /* Case matters (RFC 5257 section 3.2). */
    assert_int_equal(set_message(f->view, inbox, 100, "p/Comment", "x"), 0);
    assert_string_equal(list_message(f, inbox, 100), "p/Comment=x p/comment=Own s/comment=All");
    /* Those that changed since are told (RFC 7162). */
    both[0].value = SLICE("New");
    assert_int_equal(
        message_annotations_set(f->view, inbox, &uids, both, 1, modseq, &modseq, &failed), 0);
    assert_string_equal(set_text(f, &failed), "100");
    assert_string_equal(list_message(f, inbox, 101), "p/comment=Own s/comment=New");
    /* Nothing changes, nothing is raised. */
    before = read_mailbox(f, inbox).highest_modseq;
    assert_int_equal(set_message(f->view, inbox, 101, "s/comment", "New"), 0);
    assert_int_equal(set_message(f->view, inbox, 1000, "s/comment", "New"), 0);
    assert_true(read_mailbox(f, inbox).highest_modseq == before);
    range_set_release(&uids);
    range_set_release(&failed);
    check_account(f);
}

/* RFC 5257 section 4.7. */
static void test_append(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct annotation both[] = {make("s/comment", "All"), make("p/comment", "Own")};
    struct append append = {.annotations = both, .annotation_count = 2};
    struct append_result result;
    assert_int_equal(prepared_message_create(SLICE("Subject: x\r\n\r\n"), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), 0);
    assert_string_equal(list_message(f, inbox, result.uid), "p/comment=Own s/comment=All");
    assert_int_equal(usage(f), 22);
    both[0].name = SLICE("/%");
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), ERROR_SYNTAX);
    both[0].name = SLICE("/a");
    limit(f, 30);
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), ERROR_QUOTA);
    assert_string_equal(uids_text(f, inbox), "1");
    prepared_message_free(&append.message);
    check_account(f);
}

/* Bob's private annotation of a message, as if he had the rights to set it. */
struct plant {
    struct slice key, value;
};

static int plant_in(struct kv_transaction *transaction, void *arg)
{
    const struct plant *plant = arg;
    return plant->value.data ? kv_put(transaction, plant->key, plant->value)
                             : kv_delete(transaction, plant->key);
}

static void put(struct fixture *f, struct slice key, struct slice value)
{
    struct kv *kv = NULL;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    struct plant plant = {key, value};
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_RELAXED, plant_in, &plant), 0);
    kv_close(&kv);
}

static void say(enum check_finding finding, const char *text, void *arg)
{
    (void)finding;
    struct buffer *said = arg;
    buffer_append_string(said, text);
    buffer_append_byte(said, '\n');
}

/* What a check says, and a repair mends. */
static const char *mend(struct fixture *f)
{
    struct buffer said;
    struct check_result result;
    buffer_init(&said, 1 << 20);
    struct check_options options = {.report = say, .arg = &said};
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    const char *text = arena_string(&f->arena, buffer_slice(&said));
    options.repair = true;
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    buffer_release(&said);
    check_account(f);
    return text;
}

static void plant_bobs(struct fixture *f, collection_id mailbox, uint32_t uid)
{
    struct key key;
    struct account_id bob = {{7}};
    put(f, key_annotation(&key, mailbox, uid, &bob, SLICE("/bob")), SLICE("\1value"));
    mend(f);
}

static uint64_t count_bobs(struct fixture *f, collection_id mailbox, uint32_t uid)
{
    struct account_id bob = {{7}};
    struct store_view *view = NULL;
    struct kv *kv = NULL;
    struct kv_transaction *transaction;
    struct buffer value;
    struct key key;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    (void)view;
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    buffer_init(&value, 1000);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    int error =
        kv_get(transaction, key_annotation(&key, mailbox, uid, &bob, SLICE("/bob")), &value);
    kv_read_end(&transaction);
    kv_close(&kv);
    buffer_release(&value);
    return !error;
}

static void copy(struct fixture *f, collection_id from, uint32_t uid, collection_id to, bool move)
{
    struct range_set uids = set_of(uid, uid);
    struct copy_result copied;
    range_set_init(&copied.from, 10);
    range_set_init(&copied.to, 10);
    assert_int_equal(mailbox_copy(f->view, from, &uids, to, move, &copied), 0);
    range_set_release(&uids);
    range_set_release(&copied.from);
    range_set_release(&copied.to);
}

/* RFC 5257 section 4.6. */
static void test_copy_and_move(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    append_many(f, inbox, 3);
    assert_int_equal(set_message(f->view, inbox, 1, "s/a", "1"), 0);
    assert_int_equal(set_message(f->view, inbox, 1, "p/a", "2"), 0);
    plant_bobs(f, inbox, 1);
    assert_int_equal(usage(f), 3 + 3 + 9);
    copy(f, inbox, 1, box, false);
    assert_string_equal(list_message(f, box, 1), "p/a=2 s/a=1");
    assert_int_equal(count_bobs(f, box, 1), 0);
    assert_int_equal(count_bobs(f, inbox, 1), 1);
    assert_int_equal(usage(f), 15 + 6);
    copy(f, inbox, 1, inbox, false); /* within the mailbox */
    assert_string_equal(list_message(f, inbox, 4), "p/a=2 s/a=1");
    copy(f, inbox, 1, box, true);
    assert_string_equal(list_message(f, box, 2), "p/a=2 s/a=1");
    assert_int_equal(count_bobs(f, inbox, 1) + count_bobs(f, box, 2), 0);
    assert_int_equal(usage(f), 6 + 6 + 6);
    check_account(f);
    /* Renaming INBOX is no copying: everything is where its messages are. */
    plant_bobs(f, inbox, 4);
    assert_int_equal(collection_rename(f->view, inbox, SLICE("Old")), 0);
    assert_string_equal(list_message(f, find_mailbox(f, "Old"), 3), "p/a=2 s/a=1");
    assert_int_equal(count_bobs(f, find_mailbox(f, "Old"), 3), 1);
    assert_int_equal(usage(f), 6 + 6 + 15);
    check_account(f);
}

static void expunge(struct fixture *f, collection_id mailbox, uint32_t uid)
{
    struct range_set uids = set_of(uid, uid), expunged;
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    range_set_init(&expunged, 1000);
    assert_int_equal(mailbox_change_flags(f->view, mailbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, mailbox, &uids, &expunged, &modseq), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

static int restore(struct fixture *f, collection_id mailbox, collection_id target)
{
    struct copy_result restored;
    struct retained_filter filter = {0};
    range_set_init(&restored.from, 1000);
    range_set_init(&restored.to, 1000);
    int error = retained_restore(f->view, mailbox, &filter, target, &restored);
    range_set_release(&restored.from);
    range_set_release(&restored.to);
    return error;
}

static void purge(struct fixture *f)
{
    struct purge_result result;
    f->now += 31 * DAY;
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, f->now, &result), 0);
}

static int count_line(const char *text, void *arg)
{
    *(unsigned *)arg += strstr(text, "annotation ") && !strstr(text, "annotation_bytes");
    return 0;
}

static unsigned count_records(struct fixture *f)
{
    unsigned count = 0;
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, count_line, &count), 0);
    return count;
}

static void test_retained(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    append_many(f, inbox, 3);
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_int_equal(set_message(f->view, inbox, uid, "s/a", "1"), 0);
    plant_bobs(f, inbox, 1);
    expunge(f, inbox, 1);
    assert_int_equal(usage(f), 6);
    assert_int_equal(count_records(f), 4);
    check_account(f);
    assert_int_equal(restore(f, inbox, 0), 0);
    assert_string_equal(list_message(f, inbox, 4), "s/a=1");
    assert_int_equal(count_bobs(f, inbox, 4), 1);
    assert_int_equal(usage(f), 6 + 3 + 9);
    check_account(f);
    /* Elsewhere only what may be copied goes. */
    expunge(f, inbox, 4);
    limit(f, 8);
    assert_int_equal(restore(f, inbox, box), ERROR_QUOTA);
    limit(f, 9);
    assert_int_equal(restore(f, inbox, box), 0);
    assert_string_equal(list_message(f, box, 1), "s/a=1");
    assert_int_equal(count_bobs(f, box, 1) + count_bobs(f, inbox, 4), 0);
    check_account(f);
    /* For good. */
    expunge(f, inbox, 2);
    assert_int_equal(set(f->view, box, "s/comment", ""), ERROR_QUOTA);
    limit(f, 0);
    assert_int_equal(set(f->view, box, "s/comment", "x"), 0);
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_int_equal(usage(f), 3);
    assert_int_equal(count_records(f), 4);
    check_account(f);
    purge(f);
    assert_int_equal(count_records(f), 1);
    assert_int_equal(usage(f), 3);
    check_account(f);
}

/* --- what has changed --- */

/* "/a /b": what has changed after the modseq, as who sees it. */
static const char *changed(struct fixture *f, struct store_view *view, collection_id mailbox,
                           uint32_t uid, uint64_t since)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct slice *names = NULL;
    size_t count = 0;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    assert_int_equal(message_annotations_changed(snapshot, uid, since, &f->arena, &names, &count),
                     0);
    mailbox_snapshot_close(&snapshot);
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&text, "%s%.*s", i ? " " : "", SLICE_FORMAT(names[i]));
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

/* RFC 5257 section 4.4: the names of what has changed, what was taken away among them. */
static void test_changed(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 3);
    assert_string_equal(changed(f, f->view, inbox, 1, 0), "");
    assert_int_equal(set_message(f->view, inbox, 1, "s/a", "1"), 0);
    uint64_t first = read_mailbox(f, inbox).highest_modseq;
    assert_int_equal(set_message(f->view, inbox, 1, "p/b", "1"), 0);
    assert_int_equal(set_message(f->view, inbox, 1, "s/b", "1"), 0);
    assert_int_equal(set_message(f->view, inbox, 2, "s/c", "1"), 0);
    uint64_t second = read_mailbox(f, inbox).highest_modseq;
    assert_string_equal(changed(f, f->view, inbox, 1, 0), "/b /a");
    assert_string_equal(changed(f, f->view, inbox, 1, first), "/b");
    assert_string_equal(changed(f, f->view, inbox, 2, first), "/c");
    assert_string_equal(changed(f, f->view, inbox, 1, second), "");
    assert_string_equal(changed(f, f->view, inbox, 99, 0), "");
    /* Taken away; set to what it was. */
    assert_int_equal(set_message(f->view, inbox, 1, "s/a", NULL), 0);
    assert_int_equal(set_message(f->view, inbox, 1, "s/b", "1"), 0);
    assert_string_equal(changed(f, f->view, inbox, 1, second), "/a");
    check_account(f);
    /* Not of a copy, nor of what has moved or was brought back: they are new. */
    copy(f, inbox, 1, inbox, false);
    assert_string_equal(changed(f, f->view, inbox, 4, 0), "");
    copy(f, inbox, 1, inbox, true);
    assert_string_equal(changed(f, f->view, inbox, 1, 0), "");
    assert_string_equal(changed(f, f->view, inbox, 5, 0), "");
    expunge(f, inbox, 2);
    assert_string_equal(changed(f, f->view, inbox, 2, 0), "");
    check_account(f);
}

/* What another has set for himself alone is not told. */
static void test_changed_of_others(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct store_view *view = NULL;
    append_many(f, inbox, 1);
    struct account_id bob;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    assert_int_equal(acl_set(f->view, inbox, SLICE("bob"), ACL_REPLACE, RIGHT_LOOKUP | RIGHT_READ),
                     0);
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    assert_int_equal(set_message(view, inbox, 1, "p/bobs", "1"), 0);
    assert_int_equal(set_message(view, inbox, 1, "s/all", "1"), ERROR_DENIED);
    assert_int_equal(set_message(f->view, inbox, 1, "s/all", "1"), 0);
    assert_string_equal(changed(f, view, inbox, 1, 0), "/bobs /all");
    assert_string_equal(changed(f, f->view, inbox, 1, 0), "/all");
    store_view_close(&view);
    check_account(f);
}

/* Many names are not all kept: the oldest go. */
static void test_changed_many(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    char name[ANNOTATION_NAME_MAXIMUM + 2];
    append_many(f, inbox, 1);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "s/%02d/%0*d", i, ANNOTATION_NAME_MAXIMUM - 4, 0);
        assert_int_equal(set_message(f->view, inbox, 1, name, "1"), 0);
    }
    const char *text = changed(f, f->view, inbox, 1, 0);
    assert_null(strstr(text, "/10/"));
    assert_non_null(strstr(text, "/11/"));
    assert_non_null(strstr(text, "/19/"));
    check_account(f);
}

/* --- damage --- */

static void assert_said(const char *said, const char *text)
{
    if (!strstr(said, text))
        print_error("\"%s\" is not in:\n%s", text, said);
    assert_non_null(strstr(said, text));
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct key key;
    append_many(f, inbox, 3);
    assert_int_equal(set(f->view, inbox, "s/a", "1"), 0);
    assert_int_equal(set_message(f->view, inbox, 2, "p/b", "2"), 0);
    expunge(f, inbox, 3);
    /* Of nothing, unreadable, misnamed. */
    put(f, key_annotation(&key, 55, 0, NULL, SLICE("/a")), SLICE("\1x"));
    assert_said(mend(f), "an annotation belongs to nothing");
    put(f, key_annotation(&key, inbox, 77, NULL, SLICE("/a")), SLICE("\1x"));
    assert_said(mend(f), "an annotation of a message belongs to nothing");
    put(f, key_annotation(&key, inbox, 0, NULL, SLICE("/c")), SLICE("?"));
    assert_said(mend(f), "an annotation belongs to nothing, or cannot be read");
    put(f, key_annotation_tail(&key, inbox, 2, SLICE("x/c")), SLICE("\1x"));
    assert_said(mend(f), "an annotation of a message belongs to nothing, or cannot be read");
    assert_int_equal(usage(f), 3 + 3);
    /* Lost, or there without being counted; of what is retained, neither. */
    put(f, key_annotation(&key, inbox, 0, NULL, SLICE("/a")), (struct slice){NULL, 0});
    const char *said = mend(f);
    assert_said(said, "INBOX: its annotations are counted wrongly");
    assert_said(said, "the account counts its annotations wrongly");
    assert_int_equal(usage(f), 3);
    put(f, key_annotation(&key, inbox, 1, NULL, SLICE("/d")), SLICE("\1longer"));
    assert_said(mend(f), "INBOX: its annotations are counted wrongly");
    assert_int_equal(usage(f), 3 + 8);
    put(f, key_annotation(&key, inbox, 3, NULL, SLICE("/d")), SLICE("\1retained"));
    assert_string_equal(mend(f), "");
    /* What was changed last: of nothing, of what is retained, unreadable. */
    const struct slice changes = SLICE("\1\1\0\0\0\0\0\0\0\2/b");
    put(f, key_annotation_changes(&key, inbox, 1, NULL), changes);
    assert_string_equal(mend(f), "");
    put(f, key_annotation_changes(&key, 55, 1, NULL), changes);
    assert_said(mend(f), "what annotations were changed last belongs to nothing");
    put(f, key_annotation_changes(&key, inbox, 3, NULL), changes);
    assert_said(mend(f), "what annotations were changed last belongs to nothing");
    put(f, key_annotation_changes(&key, inbox, 1, NULL), slice_sub(changes, 0, changes.size - 1));
    assert_said(mend(f), "what annotations were changed last belongs to nothing");
    assert_string_equal(list_message(f, inbox, 2), "p/b=2");
}

static int note_line(const char *text, void *arg)
{
    buffer_append_string(arg, text);
    return buffer_append_byte(arg, '\n');
}

static void test_dump(void **state)
{
    struct fixture *f = *state;
    struct buffer text;
    char expected[256], id[ACCOUNT_ID_TEXT + 1];
    account_id_format(f->alice, id);
    append_many(f, 1, 1);
    assert_int_equal(set(f->view, 1, "s/a", "one"), 0);
    assert_int_equal(set_message(f->view, 1, 1, "p/b", "two"), 0);
    buffer_init(&text, 1 << 20);
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, note_line, &text), 0);
    buffer_append_byte(&text, '\0');
    assert_non_null(strstr(text.data, "\nannotation 1 \"s/a\": bytes=3 value=\"one\"\n"));
    snprintf(expected, sizeof(expected),
             "\nmessage-annotation 1 1 \"p%s/b\": bytes=3 value=\"two\"\n", id);
    assert_non_null(strstr(text.data, expected));
    snprintf(expected, sizeof(expected),
             "annotation-changes 1 1 \"p%s\": modseq=%llu name=\"/b\"\n", id,
             (unsigned long long)read_mailbox(f, 1).highest_modseq);
    assert_non_null(strstr(text.data, expected));
    buffer_release(&text);
}

/* A message that goes into another thread takes what it has along. */
static void test_merged_threads(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    append_text(f, inbox, "Message-ID: <a@x>\r\nSubject: L\r\n\r\n", 0);
    append_text(f, inbox, "Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: L\r\n\r\n", 0);
    append_text(f, box, "Message-ID: <d@x>\r\nReferences: <c@x>\r\nSubject: L\r\n\r\n", 0);
    assert_int_equal(set_message(f->view, box, 1, "p/a", "1"), 0);
    plant_bobs(f, box, 1);
    append_text(f, inbox, "Message-ID: <c@x>\r\nReferences: <a@x>\r\nSubject: L\r\n\r\n", 0);
    assert_string_equal(uids_text(f, box), "2");
    assert_string_equal(list_message(f, box, 2), "p/a=1");
    assert_int_equal(count_bobs(f, box, 2), 1);
    check_account(f);
}

/* --- at random --- */

static uint32_t random_below(uint32_t *random, uint32_t end)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % end;
}

static void annotate(struct fixture *f, collection_id mailbox, uint32_t uid, uint32_t *random)
{
    static const char *const names[] = {"s/a", "p/a", "s/b/c", "p/longer/name"};
    const char *name = names[random_below(random, 4)];
    const char *value = (const char *[]){"1", "a longer value", NULL}[random_below(random, 3)];
    if (random_below(random, 5))
        assert_int_equal(set_message(f->view, mailbox, uid, name, value), 0);
    else
        assert_int_equal(set(f->view, mailbox, name, value), 0);
}

static void random_step(struct fixture *f, const char *const *paths, uint32_t *random)
{
    struct slice restored;
    struct retained_collection *deleted;
    size_t count;
    collection_id from = find_mailbox(f, paths[random_below(random, 3)]);
    collection_id to = find_mailbox(f, paths[random_below(random, 3)]);
    uint32_t uid = random_below(random, read_mailbox(f, from).uid_next) + 1;
    uint32_t what = random_below(random, 30);
    if (what < 8)
        append_many(f, to, random_below(random, 4) + 1);
    else if (what < 18)
        annotate(f, from, uid, random);
    else if (what < 23)
        copy(f, from, uid, to, what < 21);
    else if (what < 26)
        expunge(f, from, uid);
    else if (what < 28)
        assert_true(restore(f, from, random_below(random, 2) ? to : 0) <= 0);
    else if (what == 28)
        purge(f);
    else if (from != 1 && collection_delete(f->view, from) == 0) {
        check_account(f);
        assert_int_equal(retained_collections(f->view, &f->arena, &deleted, &count), 0);
        assert_int_equal(retained_restore_collection(f->view, deleted[count - 1].id, SLICE(""),
                                                     &f->arena, &restored),
                         0);
    }
}

static void test_random(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"INBOX", "Box", "Other"};
    uint32_t random = 11;
    make_mailbox(f, "Box");
    make_mailbox(f, "Other");
    for (unsigned step = 0; step < 600; step++) {
        random_step(f, paths, &random);
        if (step % 20 == 0)
            check_account(f);
    }
    check_account(f);
    assert_true(usage(f) > 0);
}

static int set_server(struct fixture *f, struct who who, const char *name, const char *value)
{
    struct annotation annotation = make(name, value);
    return server_annotations_set(f->store, who, &annotation, 1);
}

/* What an administrator says of the server is seen by all, until the account says it itself. */
static void test_of_the_server(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct store_view *view, *other;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    assert_int_equal(store_view_open(f->store, who_account(bob), bob, &view), 0);
    assert_int_equal(store_view_open(f->store, who_administrator(bob), f->alice, &other), 0);
    const struct who administrator = who_administrator(bob);
    assert_int_equal(set_server(f, administrator, "s/Motd", "hello"), 0);
    assert_int_equal(set_server(f, WHO_SYSTEM, "s/admin", ""), 0);
    assert_int_equal(set(f->view, 0, "p/comment", "mine"), 0);
    assert_string_equal(list(f, f->view, 0), "p/comment=mine s/admin= s/motd=hello");
    assert_string_equal(list(f, view, 0), "s/admin= s/motd=hello");
    assert_string_equal(list(f, other, 0), "denied");
    assert_string_equal(list(f, f->view, find_mailbox(f, "INBOX")), "");
    assert_int_equal(set_server(f, administrator, "s/imapsieve/script", "all"), 0);
    assert_int_equal(set(f->view, 0, "s/imapsieve/script", "own"), 0);
    assert_string_equal(list(f, f->view, 0),
                        "p/comment=mine s/imapsieve/script=own s/admin= s/motd=hello");
    store_view_close(&view);
    store_view_close(&other);
    reopen(f);
    assert_int_equal(set_server(f, administrator, "s/MOTD", NULL), 0);
    assert_int_equal(set_server(f, administrator, "s/imapsieve/script", NULL), 0);
    assert_int_equal(set_server(f, administrator, "s/none", NULL), 0);
    assert_string_equal(list(f, f->view, 0), "p/comment=mine s/imapsieve/script=own s/admin=");
    check_account(f);
}

static void test_what_is_not_the_servers(void **state)
{
    struct fixture *f = *state;
    const struct who administrator = who_administrator(f->alice);
    struct annotation many[] = {make("s/a", "1"), make("p/b", "2")};
    char name[32];
    assert_int_equal(set_server(f, who_account(f->alice), "s/a", "1"), ERROR_DENIED);
    assert_int_equal(set_server(f, (struct who){.administrator = true}, "s/a", "1"), ERROR_DENIED);
    assert_int_equal(set_server(f, administrator, "p/a", "1"), ERROR_INVALID);
    assert_int_equal(set_server(f, administrator, "s/a*", "1"), ERROR_SYNTAX);
    assert_int_equal(server_annotations_set(f->store, administrator, many, 2), ERROR_INVALID);
    assert_string_equal(list(f, f->view, 0), "");
    for (unsigned i = 0; i < ANNOTATIONS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "s/n%u", i);
        assert_int_equal(set_server(f, administrator, name, "x"), 0);
    }
    assert_int_equal(set_server(f, administrator, "s/more", "x"), ERROR_LIMIT);
    assert_int_equal(set_server(f, administrator, "s/n7", "y"), 0);
    struct annotation swap[] = {make("s/more", "x"), make("s/n7", NULL)};
    assert_int_equal(server_annotations_set(f->store, administrator, swap, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        ON_BOTH(test_changed),
        ON_BOTH(test_changed_of_others),
        ON_BOTH(test_changed_many),
        ON_BOTH(test_collection),
        ON_BOTH(test_account),
        ON_BOTH(test_changes),
        ON_BOTH(test_limits),
        ON_BOTH(test_message_limits),
        ON_BOTH(test_quota),
        ON_BOTH(test_rights),
        ON_BOTH(test_message),
        ON_BOTH(test_append),
        ON_BOTH(test_copy_and_move),
        ON_BOTH(test_retained),
        ON_BOTH(test_check),
        ON_BOTH(test_dump),
        ON_BOTH(test_merged_threads),
        ON_BOTH(test_random),
        ON_BOTH(test_of_the_server),
        ON_BOTH(test_what_is_not_the_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
