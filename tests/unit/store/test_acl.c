/*
 * Access control lists: what they give and take away, whom they name, and who finds what is shared.
 */
#include "directory_test.h"
#include "store/acl.h"
#include "store/changes.h"
#include "store/check.h"
#include "store/retained.h"

/* --- shorthands --- */

static void make_group(struct fixture *f, const char *name, const char *member)
{
    struct account_id id;
    struct slice members[] = {slice_from_string(member)};
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, slice_from_string(name), &id), 0);
    assert_int_equal(store_group_add(f->store, WHO_SYSTEM, slice_from_string(name), members, 1), 0);
}

static int set(struct fixture *f, const char *mailbox, const char *identifier, const char *rights)
{
    uint32_t bits;
    assert_int_equal(rights_parse(slice_from_string(rights), &bits), 0);
    return acl_set(f->view, find_mailbox(f, mailbox), slice_from_string(identifier), ACL_REPLACE,
                   bits);
}

/* What who may do with a mailbox of alice's. */
static const char *rights_of_who(struct fixture *f, struct who who, const char *mailbox)
{
    static char text[RIGHTS_TEXT + 1];
    struct store_view *view;
    struct collection found = {0};
    assert_int_equal(store_view_open(f->store, who, f->alice, &view), 0);
    int error = collection_get(view, find_mailbox(f, mailbox), &f->arena, &found);
    assert_true(error == 0 || error == ERROR_NOT_FOUND);
    store_view_close(&view);
    rights_format(error ? 0 : found.rights, text);
    return text;
}

static const char *rights_of(struct fixture *f, struct account_id account, const char *mailbox)
{
    return rights_of_who(f, who_account(account), mailbox);
}

/* The list as "alice@example.test lr..., bob@... lr". */
static const char *list_text(struct fixture *f, const char *mailbox)
{
    static char text[1024];
    struct acl_entry *list;
    size_t count, size = 0;
    assert_int_equal(acl_get(f->view, find_mailbox(f, mailbox), &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        char rights[RIGHTS_TEXT + 1];
        rights_format(list[i].rights, rights);
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s %s", i ? ", " : "",
                                 SLICE_FORMAT(list[i].identifier), rights);
    }
    return text;
}

/* Who shares something with the account, as "alice@example.test carol@...". */
static const char *sharers(struct fixture *f, struct account_id account)
{
    static char text[1024];
    struct account_info *list;
    size_t count, size = 0;
    text[0] = '\0';
    assert_int_equal(
        store_shared_with(f->store, who_account(account), account, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s", i ? " " : "",
                                 SLICE_FORMAT(list[i].address));
    return text;
}

/* --- text --- */

static void test_letters(void **state)
{
    static const struct {
        const char *text;
        uint32_t rights;
        const char *formatted;
    } cases[] = {
        {"", 0, ""},
        {"lrs", RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN, "lrs"},
        {"naetxkpiwsrl", RIGHT_ALL, "lrswipkxteancd"},
        {"c", RIGHT_CREATE | RIGHT_DELETE_MAILBOX, "kxc"},
        {"d", RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE, "ted"},
        {"k", RIGHT_CREATE, "kc"},
        {"x", RIGHT_DELETE_MAILBOX, "xc"},
        {"e", RIGHT_EXPUNGE, "ed"},
        {"ll", RIGHT_LOOKUP, "l"},
    };
    (void)state;
    char text[RIGHTS_TEXT + 1];
    uint32_t rights;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rights_parse(slice_from_string(cases[i].text), &rights), 0);
        assert_int_equal(rights, cases[i].rights);
        rights_format(rights, text);
        assert_string_equal(text, cases[i].formatted);
    }
    rights = 77;
    assert_int_equal(rights_parse(SLICE("lrq"), &rights), ERROR_SYNTAX);
    assert_int_equal(rights_parse(SLICE("L"), &rights), ERROR_SYNTAX);
    assert_int_equal(rights, 77);
}

/* --- what lists give --- */

static void test_an_account(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), carol = make_account(f, "carol");
    make_mailbox(f, "Work");
    assert_string_equal(list_text(f, "Work"), "alice@example.test lrswipkxteancd");
    assert_int_equal(set(f, "Work", "Bob@Example.TEST", "lrs"), 0);
    assert_string_equal(list_text(f, "Work"),
                        "alice@example.test lrswipkxteancd, bob@example.test lrs");
    assert_string_equal(rights_of(f, bob, "Work"), "lrs");
    assert_string_equal(rights_of(f, carol, "Work"), "");
    assert_string_equal(rights_of(f, bob, "INBOX"), "");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    assert_string_equal(sharers(f, carol), "");
    assert_int_equal(
        acl_set(f->view, find_mailbox(f, "Work"), SLICE("bob"), ACL_ADD, RIGHT_WRITE | RIGHT_READ),
        0);
    assert_string_equal(rights_of(f, bob, "Work"), "lrsw");
    assert_int_equal(
        acl_set(f->view, find_mailbox(f, "Work"), SLICE("bob"), ACL_REMOVE, RIGHT_LOOKUP), 0);
    assert_string_equal(rights_of(f, bob, "Work"), "");
    assert_string_equal(list_text(f, "Work"),
                        "alice@example.test lrswipkxteancd, bob@example.test rsw");
    assert_int_equal(set(f, "Work", "bob", ""), 0);
    assert_string_equal(list_text(f, "Work"), "alice@example.test lrswipkxteancd");
    assert_string_equal(sharers(f, bob), "");
    check_account(f);
}

/* RFC 4314 section 2: all that apply are united, and what is taken away is taken from the whole. */
static void test_negative_rights(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), carol = make_account(f, "carol");
    make_group(f, "staff", "bob");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "anyone", "lr"), 0);
    assert_int_equal(set(f, "Work", "staff", "wi"), 0);
    assert_int_equal(set(f, "Work", "bob", "te"), 0);
    assert_string_equal(rights_of(f, bob, "Work"), "lrwited");
    assert_int_equal(set(f, "Work", "-staff", "it"), 0);
    assert_string_equal(rights_of(f, bob, "Work"), "lrwed");
    assert_int_equal(set(f, "Work", "-anyone", "w"), 0);
    assert_string_equal(rights_of(f, bob, "Work"), "lred");
    assert_string_equal(rights_of(f, carol, "Work"), "lr");
    assert_int_equal(set(f, "Work", "-carol", "l"), 0);
    assert_string_equal(rights_of(f, carol, "Work"), "");
    assert_string_equal(list_text(f, "Work"),
                        "alice@example.test lrswipkxteancd, anyone lr, staff@example.test wi, "
                        "bob@example.test ted, -staff@example.test itd, -anyone w, "
                        "-carol@example.test l");
    check_account(f);
}

/* Without a right given, and while p is not taken away from who may have sent it. */
static void test_takes_post(void **state)
{
    static const struct {
        const char *identifier, *rights;
        bool takes;
    } rows[] = {
        {"anyone", "", true},       {"anyone", "lrp", true}, {"-bob", "p", true},
        {"-anyone", "lr", true},    {"-anyone", "p", false}, {"-anyone", "", true},
        {"-anonymous", "p", false},
    };
    struct fixture *f = *state;
    bool takes;
    struct store_view *system;
    make_account(f, "bob");
    collection_id work = make_mailbox(f, "Work");
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(set(f, "Work", rows[i].identifier, rows[i].rights), 0);
        assert_int_equal(acl_takes_post(system, work, &takes), 0);
        assert_int_equal(takes, rows[i].takes);
    }
    assert_int_equal(acl_takes_post(system, work + 100, &takes), ERROR_NOT_FOUND);
    assert_int_equal(acl_takes_post(f->view, work, &takes), ERROR_DENIED);
    store_view_close(&system);
}

/* "anyone" is who has logged in and who has not; "anonymous" only the latter. */
static void test_anyone_and_anonymous(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    const struct who anonymous = {.kind = WHO_KIND_ANONYMOUS}, nobody = {0};
    make_mailbox(f, "Public");
    assert_int_equal(set(f, "Public", "Anyone", "lr"), 0);
    assert_int_equal(set(f, "Public", "anonymous", "p"), 0);
    assert_string_equal(rights_of_who(f, anonymous, "Public"), "lrp");
    assert_string_equal(rights_of_who(f, nobody, "Public"), "");
    assert_string_equal(rights_of(f, bob, "Public"), "lr");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    assert_string_equal(sharers(f, f->alice), "");
    assert_int_equal(set(f, "Public", "-anonymous", "r"), 0);
    assert_string_equal(rights_of_who(f, anonymous, "Public"), "lp");
    assert_string_equal(rights_of(f, bob, "Public"), "lr");
    check_account(f);
}

/* A list of nested groups is seen at once, and lost at once; so is what is below. */
static void test_nested_groups(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    struct slice member = SLICE("bob");
    make_group(f, "team", "bob");
    make_group(f, "department", "team");
    make_group(f, "company", "department");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "company", "lrk"), 0);
    make_mailbox(f, "Work/Plans");
    struct store_view *view;
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    struct collection *list;
    size_t count;
    for (int in_group = 1; in_group >= 0; in_group--) {
        assert_int_equal(collection_list(view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
        assert_int_equal(count, in_group ? 2 : 0);
        assert_string_equal(sharers(f, bob), in_group ? "alice@example.test" : "");
        if (in_group) {
            assert_slice_equal(list[1].path, "Work/Plans");
            assert_int_equal(store_group_remove(f->store, WHO_SYSTEM, SLICE("team"), &member, 1),
                             0);
        }
    }
    store_view_close(&view);
    check_account(f);
}

static void test_errors(void **state)
{
    struct fixture *f = *state;
    struct slice target = SLICE("alice");
    uint32_t rights;
    make_account(f, "bob");
    collection_id work = make_mailbox(f, "Work");
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("boss"), &target, 1), 0);
    static const char *const invalid[] = {
        "missing",   "",      "-",    "boss",  "alice", "-alice", "bob@elsewhere.test",
        "two words", "--bob", "@x.y", "bob@@", "b\x01b"};
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(set(f, "Work", invalid[i], "l"), ERROR_INVALID);
    assert_int_equal(acl_set(f->view, 9999, SLICE("bob"), ACL_ADD, RIGHT_READ), ERROR_NOT_FOUND);
    assert_int_equal(acl_set(f->view, 0, SLICE("bob"), ACL_ADD, RIGHT_READ), ERROR_NOT_FOUND);
    assert_int_equal(acl_granted_always(f->view, work, SLICE("alice"), &rights), 0);
    assert_int_equal(rights, RIGHT_ALL);
    assert_int_equal(acl_granted_always(f->view, work, SLICE("-bob"), &rights), 0);
    assert_int_equal(rights, 0);
    assert_int_equal(acl_granted_always(f->view, work, SLICE("-alice"), &rights), ERROR_INVALID);
    assert_int_equal(acl_granted_always(f->view, work, SLICE("missing"), &rights), ERROR_INVALID);
    assert_string_equal(list_text(f, "Work"), "alice@example.test lrswipkxteancd");
    check_account(f);
}

static void test_too_many_entries(void **state)
{
    struct fixture *f = *state;
    char name[32];
    make_mailbox(f, "Work");
    for (unsigned i = 0; i <= ACL_ENTRIES_MAXIMUM; i++) {
        struct account_id id;
        snprintf(name, sizeof(name), "group%u", i);
        assert_int_equal(store_group_create(f->store, WHO_SYSTEM, slice_from_string(name), &id), 0);
        assert_int_equal(set(f, "Work", name, "lr"), i == ACL_ENTRIES_MAXIMUM ? ERROR_LIMIT : 0);
    }
    assert_int_equal(set(f, "Work", "group1", ""), 0);
    assert_int_equal(set(f, "Work", name, "lr"), 0);
    check_account(f);
}

static void test_too_many_groups(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    struct account_info *list;
    struct store_view *view;
    struct collection found;
    char name[32];
    size_t count;
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    for (unsigned i = 0; i < GROUPS_OF_ACCOUNT_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "group%u", i);
        make_group(f, name, "bob");
    }
    assert_string_equal(rights_of(f, bob, "Work"), "lr");
    /* One more, by way of another: an account itself cannot be in more. */
    make_group(f, "outer", "group0");
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    assert_int_equal(collection_get(view, find_mailbox(f, "Work"), &f->arena, &found), ERROR_LIMIT);
    store_view_close(&view);
    assert_int_equal(store_shared_with(f->store, WHO_SYSTEM, bob, &f->arena, &list, &count),
                     ERROR_LIMIT);
}

/* --- what becomes of lists --- */

static void test_inheritance(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lrk"), 0);
    make_mailbox(f, "Work/A/B");
    assert_string_equal(rights_of(f, bob, "Work/A/B"), "lrkc");
    assert_int_equal(set(f, "Work", "bob", ""), 0);
    assert_string_equal(rights_of(f, bob, "Work/A"), "lrkc");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    assert_int_equal(set(f, "Work/A", "bob", ""), 0);
    assert_string_equal(sharers(f, bob), "alice@example.test");
    assert_int_equal(set(f, "Work/A/B", "bob", ""), 0);
    assert_string_equal(sharers(f, bob), "");
    check_account(f);
}

/* Who makes a mailbox in another's account gets what the parent gives. */
static void test_made_by_another(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    struct store_view *view;
    collection_id id;
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lk"), 0);
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    assert_int_equal(collection_create(view, COLLECTION_MAILBOX, SLICE("Work/New"), ROLE_NONE, &id),
                     0);
    assert_int_equal(
        collection_create(view, COLLECTION_MAILBOX, SLICE("INBOX/New"), ROLE_NONE, &id),
        ERROR_DENIED);
    /* What is there is not told. */
    assert_int_equal(collection_create(view, COLLECTION_MAILBOX, SLICE("Sent"), ROLE_NONE, &id),
                     ERROR_DENIED);
    store_view_close(&view);
    assert_string_equal(rights_of(f, bob, "Work/New"), "lkc");
    /* A child that he may not look up is none to him. */
    struct collection found, *list;
    size_t count;
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    for (int shown = 1; shown >= 0; shown--) {
        assert_int_equal(
            collection_find(view, COLLECTION_MAILBOX, SLICE("Work"), &f->arena, &found), 0);
        assert_int_equal(found.has_children, shown);
        assert_int_equal(collection_list(view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
        assert_int_equal(list[0].has_children, shown);
        assert_int_equal(set(f, "Work/New", "bob", ""), 0);
    }
    store_view_close(&view);
    check_account(f);
}

static void test_renaming(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    make_group(f, "staff", "bob");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    assert_int_equal(collection_rename(f->view, find_mailbox(f, "Work"), SLICE("Job")), 0);
    assert_int_equal(store_account_rename(f->store, WHO_SYSTEM, bob, SLICE("robert"), false), 0);
    assert_string_equal(rights_of(f, bob, "Job"), "lr");
    assert_string_equal(list_text(f, "Job"),
                        "alice@example.test lrswipkxteancd, robert@example.test lr");
    check_account(f);
}

static void test_deleting_collections(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    collection_id work = make_mailbox(f, "Work");
    struct purge_result result;
    struct slice restored;
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    assert_int_equal(collection_delete(f->view, work), 0);
    check_account(f);
    make_mailbox(f, "Work");
    assert_string_equal(rights_of(f, bob, "Work"), "");
    /* It comes back with its list, and does not once it is purged. */
    assert_int_equal(
        retained_restore_collection(f->view, work, SLICE("Back"), &f->arena, &restored), 0);
    assert_string_equal(rights_of(f, bob, "Back"), "lr");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    check_account(f);
    assert_int_equal(collection_delete(f->view, work), 0);
    assert_int_equal(
        store_purge(f->store, WHO_SYSTEM, f->alice, f->now + 100 * 24 * 60 * 60, &result), 0);
    assert_int_equal(result.collections, 1);
    check_account(f);
}

/* --- what a check finds --- */

static struct kv *open_space(struct fixture *f, const char *name)
{
    struct kv *kv = NULL;
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    return kv;
}

struct rewrite {
    const char *prefix;
    const char *added; /* a key, or the value of the first one there */
    bool value;
};

/* Deletes the keys of the prefix, or gives the first another value; adds one. */
static int rewrite(struct kv_transaction *transaction, void *arg)
{
    const struct rewrite *rewrite = arg;
    struct slice key, value, added = slice_from_string(rewrite->added);
    char first[KV_KEY_MAXIMUM];
    for (;;) {
        struct kv_cursor *cursor;
        assert_int_equal(
            kv_cursor_open(transaction, slice_from_string(rewrite->prefix), SLICE(""), &cursor), 0);
        int error = kv_cursor_next(cursor, &key, &value);
        if (!error)
            memcpy(first, key.data, key.size);
        key = slice_make(first, error ? 0 : key.size);
        kv_cursor_close(&cursor);
        if (error)
            break;
        if (rewrite->value)
            return kv_put(transaction, key, added);
        assert_int_equal(kv_delete(transaction, key), 0);
    }
    return added.size ? kv_put(transaction, added, SLICE("\x01")) : 0;
}

static void damage(struct fixture *f, const char *space, struct rewrite call)
{
    struct kv *kv = open_space(f, space);
    assert_int_equal(kv_update(kv, KV_DURABLE, rewrite, &call), 0);
    kv_close(&kv);
}

static void print_finding(enum check_finding finding, const char *text, void *arg)
{
    (void)finding;
    snprintf(arg, 256, "%s", text);
}

static void check_repairs(struct fixture *f, bool directory, const char *expected)
{
    char text[256] = "";
    for (int repair = 0; repair < 2; repair++) {
        struct check_options options = {.repair = repair, .report = print_finding, .arg = text};
        struct check_result result;
        assert_int_equal(
            directory ? store_check_directory(f->store, WHO_SYSTEM, &options, &result)
                      : store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result),
            0);
        assert_int_equal(result.wrong, !repair);
        assert_int_equal(result.repaired, repair);
        assert_string_equal(text, expected);
    }
    check_account(f);
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    char space[64], id[ACCOUNT_ID_TEXT + 1];
    account_id_format(f->alice, id);
    snprintf(space, sizeof(space), "accounts/%.2s/%s", id, id);
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    damage(f, "directory", (struct rewrite){"s", "", false});
    assert_string_equal(sharers(f, bob), "");
    check_repairs(f, false, "the directory does not say that something is shared");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    damage(f, "directory",
           (struct rewrite){"sg",
                            "sg0123456789abcdef0123456789abcdef"
                            "0123456789abcdef0123456789abcdef",
                            false});
    check_repairs(f, true, "something is shared with nobody, or by nobody");
    damage(f, "directory", (struct rewrite){"sg", "sgx", false});
    check_repairs(f, true, "something is shared with nobody, or by nobody");
    assert_string_equal(sharers(f, bob), "alice@example.test");
    damage(f, space, (struct rewrite){"l", "\x01rubbish", true});
    struct store_view *view;
    struct collection found;
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    assert_int_equal(collection_get(view, find_mailbox(f, "Work"), &f->arena, &found),
                     ERROR_CORRUPT);
    store_view_close(&view);
    check_repairs(f, false, "an access control list belongs to nothing, or cannot be read");
    assert_string_equal(rights_of(f, bob, "Work"), "");
}

static void test_whoever_is_gone(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), carol = make_account(f, "carol");
    struct store_view *view;
    make_group(f, "staff", "carol");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    assert_int_equal(set(f, "Work", "staff", "l"), 0);
    /* bob shares with carol */
    assert_int_equal(store_view_open(f->store, who_account(bob), bob, &view), 0);
    struct collection inbox;
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &f->arena, &inbox),
                     0);
    assert_int_equal(acl_set(view, inbox.id, SLICE("carol"), ACL_ADD, RIGHT_LOOKUP), 0);
    store_view_close(&view);
    assert_string_equal(sharers(f, carol), "alice@example.test bob@example.test");
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, bob), 0);
    assert_string_equal(sharers(f, carol), "alice@example.test");
    assert_int_equal(store_group_delete(f->store, WHO_SYSTEM, SLICE("staff")), 0);
    assert_string_equal(sharers(f, carol), "");
    assert_string_equal(list_text(f, "Work"), "alice@example.test lrswipkxteancd");
    /* Another of the same name is another. */
    bob = make_account(f, "bob");
    assert_string_equal(rights_of(f, bob, "Work"), "");
    assert_string_equal(sharers(f, bob), "");
    check_account(f);
}

/* --- the change log of who is not the owner --- */

static int follow(struct fixture *f, struct store_view *view, struct changes_cursor *cursor,
                  char *text, size_t size)
{
    static const char *const actions[] = {"created", "updated", "destroyed"};
    struct changed *list;
    size_t count, used = 0;
    bool more;
    text[0] = '\0';
    int error =
        store_changes(view, cursor, CHANGES_COLLECTIONS(COLLECTION_MAILBOX) | CHANGES_EMAILS, 1000,
                      &f->arena, &list, &count, &more);
    for (size_t i = 0; !error && i < count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", used ? ", " : "",
                                 list[i].kind == CHANGE_EMAIL ? "email" : "mailbox",
                                 actions[list[i].action]);
    return error;
}

static void move_all(struct fixture *f, const char *from, const char *to)
{
    struct range_set all = set_of(1, UINT32_MAX - 1);
    struct copy_result result;
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    assert_int_equal(
        mailbox_copy(f->view, find_mailbox(f, from), &all, find_mailbox(f, to), true, &result), 0);
    range_set_release(&result.from);
    range_set_release(&result.to);
    range_set_release(&all);
}

static void test_changes_of_others(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    struct store_view *view;
    struct changes_cursor cursor;
    char text[512];
    collection_id work = make_mailbox(f, "Work");
    append_text(f, find_mailbox(f, "INBOX"), "secret", 0);
    assert_int_equal(store_view_open(f->store, who_account(bob), f->alice, &view), 0);
    assert_int_equal(store_changes_now(view, &cursor), ERROR_DENIED);
    assert_int_equal(set(f, "Work", "bob", "lr"), 0);
    assert_int_equal(store_changes_now(view, &cursor), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "");

    /* What he cannot see is not told; what comes into what he sees is new to him. */
    append_text(f, find_mailbox(f, "INBOX"), "another secret", 0);
    assert_int_equal(collection_delete(f->view, make_mailbox(f, "Private")), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    move_all(f, "INBOX", "Work");
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "mailbox updated, email created, email created");
    move_all(f, "Work", "INBOX");
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "mailbox updated");

    /* Making and deleting below is told; another list makes the reader begin anew. */
    make_mailbox(f, "Work/New");
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "mailbox created");
    assert_int_equal(collection_delete(f->view, find_mailbox(f, "Work/New")), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);
    assert_string_equal(text, "mailbox destroyed");
    assert_int_equal(acl_set(f->view, work, SLICE("bob"), ACL_ADD, RIGHT_SEEN), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), ERROR_CANNOT_CALCULATE);
    assert_int_equal(store_changes_now(view, &cursor), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), 0);

    /* So does a group. */
    make_group(f, "staff", "bob");
    assert_int_equal(set(f, "INBOX", "staff", "lr"), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), ERROR_CANNOT_CALCULATE);
    assert_int_equal(store_changes_now(view, &cursor), 0);
    struct slice member = SLICE("bob");
    assert_int_equal(store_group_remove(f->store, WHO_SYSTEM, SLICE("staff"), &member, 1), 0);
    assert_int_equal(follow(f, view, &cursor, text, sizeof(text)), ERROR_CANNOT_CALCULATE);
    store_view_close(&view);
}

/* Nobody's own: it is found by what its lists say, at once, behind those that are somebody's. */
static void test_shared_accounts(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), zoe = make_account(f, "zoe");
    struct slice team = SLICE("team");
    struct account_info *list;
    struct store_view *view;
    struct collection inbox;
    size_t count;
    make_group(f, "team", "bob");
    make_group(f, "company", "team");
    assert_int_equal(set(f, "INBOX", "company", "lrs"), 0);
    assert_int_equal(store_view_open(f->store, who_account(zoe), zoe, &view), 0);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &f->arena, &inbox),
                     0);
    assert_int_equal(acl_set(view, inbox.id, SLICE("bob"), ACL_ADD, RIGHT_LOOKUP), 0);
    store_view_close(&view);
    assert_string_equal(sharers(f, bob), "alice@example.test zoe@example.test");
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, true), 0);
    assert_string_equal(sharers(f, bob), "zoe@example.test alice@example.test");
    assert_int_equal(store_shared_with(f->store, WHO_SYSTEM, bob, &f->arena, &list, &count), 0);
    assert_false(list[0].shared);
    assert_true(list[1].shared);
    assert_string_equal(rights_of(f, bob, "INBOX"), "lrs");
    assert_int_equal(store_group_remove(f->store, WHO_SYSTEM, SLICE("company"), &team, 1), 0);
    assert_string_equal(sharers(f, bob), "zoe@example.test");
    assert_string_equal(rights_of(f, bob, "INBOX"), "");
    check_account(f);
}

/* --- what a list costs --- */

/* However many accounts there are, are shared, and share with others. */
static void test_reads_what_concerns_the_user(void **state)
{
    enum { ACCOUNTS = 10000 };
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    size_t first = 0;
    make_group(f, "staff", "bob");
    make_mailbox(f, "Work");
    assert_int_equal(set(f, "Work", "staff", "lr"), 0);
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, true), 0);
    for (unsigned i = 0; i <= ACCOUNTS; i++) {
        char name[32], identifier[32];
        struct store_view *view;
        struct collection inbox;
        if (i == 1 || i == ACCOUNTS) {
            keys_read = 0;
            assert_string_equal(sharers(f, bob), "alice@example.test");
            first = first ? first : keys_read;
            assert_int_equal(keys_read, first);
        }
        snprintf(name, sizeof(name), "other%u", i);
        snprintf(identifier, sizeof(identifier), "other%u", i ? i - 1 : 0);
        struct account_id other = make_account(f, name);
        assert_int_equal(store_view_open(f->store, who_account(other), other, &view), 0);
        assert_int_equal(
            collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &f->arena, &inbox), 0);
        if (i)
            assert_int_equal(
                acl_set(view, inbox.id, slice_from_string(identifier), ACL_ADD, RIGHT_LOOKUP), 0);
        if (i % 2)
            assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, other, true), 0);
        store_view_close(&view);
        arena_clear(&f->arena);
    }
    print_message("[          ] %zu keys read for what is shared, with %d accounts\n", first,
                  ACCOUNTS);
    assert_true(first < 16);
}

/* --- administrators --- */

static int found(struct fixture *f, struct who who, const char *address, struct account_id expected)
{
    struct account_id id = {{0}};
    bool shared = true;
    int error = store_shared_find(f->store, who, slice_from_string(address), &id, &shared);
    if (!error)
        assert_true(account_id_equal(id, expected) && !shared);
    return error;
}

/* Of one address: as of all that share something, without a look at the others. */
static void test_finding_an_owner(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), carol = make_account(f, "carol");
    make_mailbox(f, "Work");
    make_group(f, "staff", "bob");
    const struct who anonymous = {.kind = WHO_KIND_ANONYMOUS, .account = bob};
    static const char *const identifiers[] = {"bob", "staff", "anyone"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(found(f, who_account(bob), "alice", f->alice), ERROR_NOT_FOUND);
        assert_int_equal(set(f, "Work", identifiers[i], "l"), 0);
        assert_int_equal(found(f, who_account(bob), "Alice@Example.TEST", f->alice), 0);
        assert_int_equal(found(f, who_account(carol), "alice", f->alice),
                         i == 2 ? 0 : ERROR_NOT_FOUND);
        assert_int_equal(found(f, anonymous, "alice", f->alice), ERROR_NOT_FOUND);
        assert_int_equal(found(f, (struct who){0}, "alice", f->alice), ERROR_NOT_FOUND);
        assert_int_equal(set(f, "Work", identifiers[i], ""), 0);
    }
    const struct who all[] = {who_administrator(bob), WHO_SYSTEM};
    static const char *const nobody[] = {"", "@", "dave", "staff", "alice+x", "alice@", "a b"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(found(f, all[i], "ALICE", f->alice), 0);
        assert_int_equal(found(f, all[i], "carol@example.test", carol), 0);
        for (size_t j = 0; j < sizeof(nobody) / sizeof(nobody[0]); j++)
            assert_int_equal(found(f, all[i], nobody[j], bob), ERROR_NOT_FOUND);
    }
    struct account_id id;
    bool shared = false;
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, carol, true), 0);
    assert_int_equal(store_shared_find(f->store, WHO_SYSTEM, SLICE("carol"), &id, &shared), 0);
    assert_true(shared && account_id_equal(id, carol));
}

static void test_pages_of_accounts(void **state)
{
    struct fixture *f = *state;
    struct account_info *page;
    size_t count;
    char text[256] = "", last[ADDRESS_MAXIMUM];
    struct slice after = SLICE("");
    const struct who administrator = who_administrator(f->alice);
    make_account(f, "dave");
    make_account(f, "bob");
    make_group(f, "chess", "bob");
    make_account(f, "carol");
    do {
        assert_int_equal(
            store_account_page(f->store, administrator, after, 2, &f->arena, &page, &count), 0);
        for (size_t i = 0; i < count; i++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s ",
                     SLICE_FORMAT(page[i].address));
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "| ");
        if (count) {
            after = slice_make(last, page[count - 1].address.size);
            memcpy(last, page[count - 1].address.data, after.size);
        }
    } while (count);
    assert_string_equal(text, "alice@example.test bob@example.test | carol@example.test "
                              "dave@example.test | | ");
    assert_int_equal(
        store_account_page(f->store, administrator, SLICE("zoe"), 2, &f->arena, &page, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(
        store_account_page(f->store, who_account(f->alice), SLICE(""), 2, &f->arena, &page, &count),
        ERROR_DENIED);
}

/* What is taken away from anyone is not taken away from an administrator, and what the list gives
 * comes besides. */
static void test_an_administrator(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    const struct who administrator = who_administrator(bob);
    make_mailbox(f, "Work");
    assert_string_equal(rights_of_who(f, administrator, "Work"), "lkxac");
    assert_string_equal(rights_of(f, bob, "Work"), "");
    assert_int_equal(set(f, "Work", "bob", "lrs"), 0);
    assert_string_equal(rights_of_who(f, administrator, "Work"), "lrskxac");
    assert_int_equal(set(f, "Work", "-anyone", "lrswipkxtea"), 0);
    assert_string_equal(rights_of_who(f, administrator, "Work"), "lkxac");
    assert_string_equal(rights_of(f, bob, "Work"), "");
}

/* A store that keeps mailboxes from anyone: accounts take away what others have given, and give
 * nothing. */
static void test_kept_from_anyone(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    collection_id work = make_mailbox(f, "Work");
    const struct store_options options = {.kv = f->kv,
                                          .blob = f->blob,
                                          .open_accounts = 4,
                                          .default_domain = "example.test",
                                          .keep_from_anyone = true};
    const struct who givers[] = {who_administrator(bob), WHO_SYSTEM};
    static const char *const all[] = {"anyone", "Anonymous"};
    struct store *closed;
    struct store_view *owner, *giver;
    assert_int_equal(store_open(&options, &closed), 0);
    assert_int_equal(store_view_open(closed, who_account(f->alice), f->alice, &owner), 0);
    for (size_t i = 0; i < 2; i++) {
        struct slice name = slice_from_string(all[i]);
        assert_int_equal(acl_set(owner, work, name, ACL_REPLACE, RIGHT_LOOKUP), ERROR_UNSUPPORTED);
        assert_int_equal(acl_set(owner, work, name, ACL_ADD, RIGHT_LOOKUP), ERROR_UNSUPPORTED);
        assert_string_equal(sharers(f, bob), i ? "alice@example.test" : "");
        assert_int_equal(store_view_open(closed, givers[i], f->alice, &giver), 0);
        assert_int_equal(acl_set(giver, work, name, ACL_ADD, RIGHT_LOOKUP | RIGHT_READ), 0);
        store_view_close(&giver);
        assert_int_equal(acl_set(owner, work, name, ACL_REMOVE, RIGHT_READ), 0);
    }
    assert_string_equal(list_text(f, "Work"),
                        "alice@example.test lrswipkxteancd, anyone l, anonymous l");
    assert_string_equal(rights_of(f, bob, "Work"), "l");
    assert_int_equal(acl_set(owner, work, SLICE("-anyone"), ACL_REPLACE, RIGHT_READ), 0);
    assert_int_equal(acl_set(owner, work, SLICE("bob"), ACL_REPLACE, RIGHT_READ), 0);
    assert_int_equal(acl_set(owner, work, SLICE("anyone"), ACL_REPLACE, 0), 0);
    assert_int_equal(acl_set(owner, work, SLICE("anonymous"), ACL_REMOVE, RIGHT_ALL), 0);
    assert_string_equal(list_text(f, "Work"),
                        "alice@example.test lrswipkxteancd, -anyone r, bob@example.test r");
    /* Who may not change the list is told that alone. */
    assert_int_equal(store_view_open(closed, who_account(bob), f->alice, &giver), 0);
    assert_int_equal(acl_set(giver, work, SLICE("anyone"), ACL_ADD, RIGHT_LOOKUP), ERROR_NOT_FOUND);
    store_view_close(&giver);
    store_view_close(&owner);
    store_close(&closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        ON_BOTH(test_an_account),
        ON_BOTH(test_negative_rights),
        ON_BOTH(test_takes_post),
        ON_BOTH(test_anyone_and_anonymous),
        ON_BOTH(test_nested_groups),
        ON_BOTH(test_errors),
        cmocka_unit_test_setup_teardown(test_too_many_entries, set_up_memory, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_groups, set_up_memory, tear_down),
        ON_BOTH(test_inheritance),
        ON_BOTH(test_made_by_another),
        ON_BOTH(test_renaming),
        ON_BOTH(test_deleting_collections),
        ON_BOTH(test_whoever_is_gone),
        ON_BOTH(test_check),
        ON_BOTH(test_changes_of_others),
        ON_BOTH(test_shared_accounts),
        ON_BOTH(test_finding_an_owner),
        ON_BOTH(test_pages_of_accounts),
        ON_BOTH(test_an_administrator),
        ON_BOTH(test_kept_from_anyone),
        cmocka_unit_test_setup_teardown(test_reads_what_concerns_the_user, set_up_memory,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
