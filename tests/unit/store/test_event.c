/*
 * Scripts for IMAP events: which is named, what tells without a read that there is one, and what a
 * change of flags says.
 */
#include "store/annotation.h"
#include "store/check.h"
#include "store/event.h"
#include "store/key_priv.h"
#include "store/site_script.h"
#include "store_test.h"

static int set(struct fixture *f, collection_id collection, const char *value)
{
    const struct annotation annotation = {.scope = ANNOTATION_SHARED,
                                          .name = SLICE("/ImapSieve/Script"),
                                          .value = slice_from_string(value)};
    return annotations_set(f->view, collection, &annotation, 1);
}

static const char *name_of(struct fixture *f, collection_id mailbox)
{
    struct slice name;
    int error = event_script_name(f->view, mailbox, &f->arena, &name);
    return error ? error_name(error) : arena_string(&f->arena, name);
}

/* Whether an append says that there is a script. */
static bool is_watched(struct fixture *f, collection_id mailbox)
{
    append_text(f, mailbox, "x", 0);
    bool watched = store_view_take_events(f->view);
    assert_false(store_view_take_events(f->view));
    return watched;
}

/* RFC 6785 section 2.3.1. */
static void test_names(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    assert_string_equal(name_of(f, inbox), error_name(ERROR_NOT_FOUND));
    assert_int_equal(set(f, 0, "all"), 0);
    assert_int_equal(set(f, box, "own"), 0);
    assert_string_equal(name_of(f, inbox), "all");
    assert_string_equal(name_of(f, box), "own");
    assert_int_equal(set(f, box, ""), 0);
    assert_string_equal(name_of(f, box), "");
    assert_int_equal(set(f, box, NULL), 0);
    assert_string_equal(name_of(f, box), "all");
    assert_int_equal(set(f, 0, NULL), 0);
    assert_string_equal(name_of(f, box), error_name(ERROR_NOT_FOUND));
    check_account(f);
}

static void test_told_by_changes(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    assert_false(is_watched(f, inbox));
    assert_int_equal(set(f, box, "own"), 0);
    assert_false(is_watched(f, inbox));
    assert_true(is_watched(f, box));
    reopen(f);
    assert_true(is_watched(f, box));
    /* Empty: there is an annotation, which says that none is to be run. */
    assert_int_equal(set(f, box, ""), 0);
    assert_true(is_watched(f, box));
    assert_int_equal(set(f, box, NULL), 0);
    assert_false(is_watched(f, box));
    assert_int_equal(set(f, 0, "all"), 0);
    assert_true(is_watched(f, inbox) && is_watched(f, box));
    assert_int_equal(set(f, 0, NULL), 0);
    assert_false(is_watched(f, inbox));
    /* Another annotation is none. */
    const struct annotation other = {ANNOTATION_SHARED, SLICE("/comment"), SLICE("x")};
    const struct annotation private = {ANNOTATION_PRIVATE, SLICE(EVENT_ANNOTATION), SLICE("x")};
    assert_int_equal(annotations_set(f->view, inbox, &other, 1), 0);
    assert_int_equal(annotations_set(f->view, inbox, &private, 1), 0);
    assert_false(is_watched(f, inbox));
    check_account(f);
}

static void test_copies(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct copy_result result;
    struct range_set uids = set_of(1, 2);
    append_many(f, inbox, 2);
    range_set_init(&result.from, 10);
    range_set_init(&result.to, 10);
    assert_int_equal(set(f, box, "own"), 0);
    store_view_take_events(f->view);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, inbox, false, &result), 0);
    assert_false(store_view_take_events(f->view));
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, true, &result), 0);
    assert_true(store_view_take_events(f->view));
    range_set_release(&result.from);
    range_set_release(&result.to);
    range_set_release(&uids);
}

/* "1:\4 2:..." of what a change says: UID, flags, keywords. */
static const char *change(struct fixture *f, collection_id mailbox, struct flag_change change,
                          bool always)
{
    struct buffer differences, text;
    struct range_set uids = set_of(1, 10);
    uint64_t modseq;
    buffer_init(&differences, 1 << 20);
    buffer_init(&text, 1 << 20);
    buffer_append_string(&text, "");
    change.differences = &differences;
    change.differences_always = always;
    change.unchanged_since = UINT64_MAX;
    assert_int_equal(mailbox_change_flags(f->view, mailbox, &uids, &change, &modseq, NULL), 0);
    for (size_t at = 0; at < differences.size; at += sizeof(struct flag_difference)) {
        struct flag_difference difference;
        memcpy(&difference, differences.data + at, sizeof(difference));
        buffer_append_format(&text, "%s%u:%u/%llu", at ? " " : "", difference.uid, difference.flags,
                             (unsigned long long)difference.keywords.bits[0]);
    }
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    buffer_release(&differences);
    range_set_release(&uids);
    return copy;
}

static void test_differences(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    const struct slice keywords[] = {SLICE("a"), SLICE("b")};
    append_text(f, inbox, "x", ENTRY_SEEN);
    append_text(f, inbox, "y", 0);
    const struct flag_change seen = {FLAGS_ADD, ENTRY_SEEN}, none = {FLAGS_REMOVE, ENTRY_SEEN};
    const struct flag_change both = {FLAGS_REPLACE, ENTRY_FLAGGED, keywords, 2};
    const struct flag_change one = {FLAGS_REPLACE, ENTRY_FLAGGED | ENTRY_SEEN, keywords + 1, 1};
    assert_string_equal(change(f, inbox, seen, false), "");
    assert_string_equal(change(f, inbox, none, true), "1:1/0 2:1/0");
    assert_int_equal(set(f, inbox, "own"), 0);
    assert_string_equal(change(f, inbox, seen, false), "1:1/0 2:1/0");
    assert_string_equal(change(f, inbox, seen, false), "");
    assert_string_equal(change(f, inbox, both, false), "1:5/3 2:5/3");
    assert_string_equal(change(f, inbox, one, false), "1:1/1 2:1/1");
    assert_string_equal(change(f, inbox, one, true), "");
    check_account(f);
}

/* --- damage --- */

struct plant {
    struct slice key, value;
};

static int plant_in(struct kv_transaction *transaction, void *arg)
{
    const struct plant *plant = arg;
    return plant->value.data ? kv_put(transaction, plant->key, plant->value)
                             : kv_delete(transaction, plant->key);
}

static void plant(struct fixture *f, collection_id collection, const char *value)
{
    struct key key;
    struct kv *kv = NULL;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    struct plant plant = {key_annotation(&key, collection, 0, NULL, SLICE(EVENT_ANNOTATION)),
                          slice_from_string(value)};
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_RELAXED, plant_in, &plant), 0);
    kv_close(&kv);
}

static void say(enum check_finding finding, const char *text, void *arg)
{
    (void)finding;
    buffer_append_string(arg, text);
    buffer_append_byte(arg, '\n');
}

static void mend(struct fixture *f)
{
    struct buffer said;
    struct check_result result;
    buffer_init(&said, 1 << 20);
    const struct check_options options = {.report = say, .arg = &said, .repair = true};
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    assert_non_null(strstr(said.data, "its annotations"));
    buffer_release(&said);
    check_account(f);
}

/* What the records say is made what the annotations say. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    plant(f, box, "\1own");
    mend(f);
    assert_true(is_watched(f, box));
    assert_false(is_watched(f, inbox));
    plant(f, 0, "\1all");
    mend(f);
    assert_true(is_watched(f, inbox));
    plant(f, 0, NULL);
    mend(f);
    assert_false(is_watched(f, inbox));
    plant(f, box, NULL);
    mend(f);
    assert_false(is_watched(f, box));
}

/* --- the administrator's --- */

static int put(struct fixture *f, const char *domain)
{
    const struct site_script script = {.place = SITE_EVENT, .domain = slice_from_string(domain)};
    return site_script_put(f->store, WHO_SYSTEM, &script, SLICE("keep;"));
}

/* The domains of those that run for it: "/" for all. */
static const char *of_events(struct fixture *f, const char *domain)
{
    struct site_script list[SITE_SCRIPTS_OF_EVENTS];
    size_t count = 9;
    static char text[200];
    assert_int_equal(
        site_scripts_of_events(f->store, WHO_SYSTEM, slice_from_string(domain), list, &count), 0);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "/%.*s ",
                 SLICE_FORMAT(list[i].domain));
    return text;
}

static bool has_events(struct fixture *f)
{
    bool has = true;
    assert_int_equal(site_has_events(f->store, WHO_SYSTEM, &has), 0);
    return has;
}

static void test_site(void **state)
{
    struct fixture *f = *state;
    const struct site_script around = {.place = SITE_AFTER};
    assert_false(has_events(f));
    assert_int_equal(site_script_put(f->store, WHO_SYSTEM, &around, SLICE("keep;")), 0);
    assert_false(has_events(f));
    assert_int_equal(put(f, "nobody.example"), ERROR_NOT_FOUND);
    assert_int_equal(put(f, "example.test"), 0);
    assert_true(has_events(f));
    assert_string_equal(of_events(f, "example.test"), "/example.test ");
    assert_string_equal(of_events(f, "other.example"), "");
    assert_int_equal(put(f, ""), 0);
    assert_string_equal(of_events(f, "example.test"), "/ /example.test ");
    assert_string_equal(of_events(f, "other.example"), "/ ");
    reopen(f);
    assert_true(has_events(f));
    const struct site_script all = {.place = SITE_EVENT};
    assert_int_equal(site_script_activate(f->store, WHO_SYSTEM, &all, false), 0);
    assert_string_equal(of_events(f, "example.test"), "/example.test ");
    assert_int_equal(site_script_delete(f->store, WHO_SYSTEM, &all), 0);
    check_account(f);
    const struct site_script domain = {.place = SITE_EVENT, .domain = SLICE("example.test")};
    assert_int_equal(site_script_delete(f->store, WHO_SYSTEM, &domain), 0);
    assert_false(has_events(f));
    check_account(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_names),       ON_BOTH(test_told_by_changes), ON_BOTH(test_copies),
        ON_BOTH(test_differences), ON_BOTH(test_check),           ON_BOTH(test_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
