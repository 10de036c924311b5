/*
 * Domains, aliases, groups, renaming, and what an address stands for.
 */
#include "directory_test.h"
#include "format/login_name.h"

/* --- shorthands --- */

static struct account_id make_group(struct fixture *f, const char *name)
{
    struct account_id id = {{0}};
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, slice_from_string(name), &id), 0);
    return id;
}

static int group_add(struct fixture *f, const char *group, const char *member)
{
    struct slice name = slice_from_string(member);
    return store_group_add(f->store, WHO_SYSTEM, slice_from_string(group), &name, 1);
}

static int group_remove(struct fixture *f, const char *group, const char *member)
{
    struct slice name = slice_from_string(member);
    return store_group_remove(f->store, WHO_SYSTEM, slice_from_string(group), &name, 1);
}

static int alias_add(struct fixture *f, const char *alias, const char *target)
{
    struct slice name = slice_from_string(target);
    return store_alias_add(f->store, WHO_SYSTEM, slice_from_string(alias), &name, 1);
}

static int alias_delete(struct fixture *f, const char *alias, const char *target)
{
    struct slice name = slice_from_string(target);
    return store_alias_delete(f->store, WHO_SYSTEM, slice_from_string(alias), &name,
                              target ? 1 : 0);
}

static int by_text(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* "alice bob": the local parts of the accounts that mail to the address goes to, in their order; or
 * the error's name. */
static const char *resolve(struct fixture *f, const char *address)
{
    struct resolution resolution;
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    int error =
        store_resolve(f->store, WHO_SYSTEM, slice_from_string(address), &f->arena, &resolution);
    if (error)
        return error_name(error);
    struct slice *names = arena_alloc_array(&f->arena, resolution.count, sizeof(*names));
    for (size_t i = 0; i < resolution.count; i++) {
        struct account_info info;
        assert_int_equal(
            store_account_get(f->store, WHO_SYSTEM, resolution.accounts[i], &f->arena, &info), 0);
        names[i] = slice_sub(info.address, 0, slice_find(info.address, '@'));
    }
    qsort(names, resolution.count, sizeof(*names), by_text);
    for (size_t i = 0; i < resolution.count; i++)
        buffer_append_format(&text, "%s%.*s", i ? " " : "", SLICE_FORMAT(names[i]));
    if (resolution.detail.size)
        buffer_append_format(&text, " detail=%.*s", SLICE_FORMAT(resolution.detail));
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

/* "bob staff": the members' local parts. */
static const char *members(struct fixture *f, const char *address)
{
    struct directory_entry *list;
    struct buffer text;
    size_t count;
    buffer_init(&text, 1024 * 1024);
    int error = store_directory_members(f->store, WHO_SYSTEM, slice_from_string(address), &f->arena,
                                        &list, &count);
    if (error)
        return error_name(error);
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&text, "%s%.*s", i ? " " : "", (int)slice_find(list[i].address, '@'),
                             list[i].address.data);
    const char *copy = count ? arena_string(&f->arena, buffer_slice(&text)) : "";
    buffer_release(&text);
    return copy;
}

static size_t groups_of(struct fixture *f, struct account_id account, struct account_id groups[16])
{
    size_t count = 99;
    assert_int_equal(directory_groups_of(f->store, account, groups, 16, &count), 0);
    return count;
}

static bool in_group(struct fixture *f, struct account_id account, struct account_id group)
{
    struct account_id groups[16];
    size_t count = groups_of(f, account, groups);
    for (size_t i = 0; i < count; i++)
        if (account_id_equal(groups[i], group))
            return true;
    return false;
}

/* --- domains --- */

static void test_domains(void **state)
{
    struct fixture *f = *state;
    struct domain_info *list;
    size_t count;
    struct account_id id;
    assert_int_equal(store_domain_list(f->store, WHO_SYSTEM, &f->arena, &list, &count), 0);
    assert_int_equal(count, 1);
    assert_slice_equal(list[0].name, "example.test");
    assert_true(list[0].default_here && list[0].created == 0);

    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("Other.Example")), 0);
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("other.example")), ERROR_EXISTS);
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("example.test")), 0);
    static const char *const wrong[] = {"", "a@b", "-a.test", "a..test", "a b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, slice_from_string(wrong[i])),
                         ERROR_SYNTAX);
    char longest[ADDRESS_DOMAIN_MAXIMUM + 1];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, slice_make(longest, sizeof(longest))),
                     ERROR_LIMIT);
    assert_int_equal(
        store_domain_add(f->store, WHO_SYSTEM, slice_make(longest, ADDRESS_DOMAIN_MAXIMUM)), 0);
    assert_int_equal(
        store_domain_delete(f->store, WHO_SYSTEM, slice_make(longest, ADDRESS_DOMAIN_MAXIMUM)), 0);

    assert_int_equal(store_domain_list(f->store, WHO_SYSTEM, &f->arena, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_slice_equal(list[1].name, "other.example");
    assert_true(list[0].created > 1600000000 && !list[1].default_here);

    assert_int_equal(store_domain_check(f->store, WHO_SYSTEM, SLICE("x@nowhere.example")),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_domain_check(f->store, WHO_SYSTEM, SLICE("x@other.example")), 0);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("x@nowhere.example"), &id),
                     ERROR_NOT_FOUND);
    assert_int_equal(alias_add(f, "x@nowhere.example", "alice"), ERROR_NOT_FOUND);

    make_group(f, "all@other.example");
    assert_int_equal(store_domain_delete(f->store, WHO_SYSTEM, SLICE("other.example")),
                     ERROR_CONFLICT);
    assert_int_equal(store_group_delete(f->store, WHO_SYSTEM, SLICE("all@other.example")), 0);
    assert_int_equal(store_domain_delete(f->store, WHO_SYSTEM, SLICE("OTHER.example")), 0);
    assert_int_equal(store_domain_delete(f->store, WHO_SYSTEM, SLICE("other.example")),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_domain_delete(f->store, WHO_SYSTEM, SLICE("example.test")),
                     ERROR_INVALID);
}

/* --- accounts --- */

static void test_rename(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), found;
    struct account_id staff = make_group(f, "staff");
    assert_int_equal(group_add(f, "staff", "bob"), 0);
    assert_int_equal(alias_add(f, "info", "bob"), 0);
    assert_int_equal(store_account_rename(f->store, WHO_SYSTEM, bob, SLICE("alice"), false),
                     ERROR_EXISTS);
    assert_int_equal(
        store_account_rename(f->store, WHO_SYSTEM, bob, SLICE("x@nowhere.example"), false),
        ERROR_NOT_FOUND);
    assert_int_equal(store_account_rename(f->store, WHO_SYSTEM, staff, SLICE("x"), false),
                     ERROR_NOT_FOUND);
    assert_string_equal(resolve(f, "bob"), "bob");

    assert_int_equal(store_account_rename(f->store, WHO_SYSTEM, bob, SLICE("Robert"), false), 0);
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("robert"), &found), 0);
    assert_true(account_id_equal(found, bob));
    assert_string_equal(resolve(f, "bob"), "not-found");
    assert_string_equal(resolve(f, "info"), "robert");
    assert_true(in_group(f, bob, staff));
    assert_string_equal(members(f, "staff"), "robert");

    assert_int_equal(store_account_rename(f->store, WHO_SYSTEM, bob, SLICE("rob"), true), 0);
    assert_string_equal(resolve(f, "robert"), "rob");
    assert_string_equal(members(f, "robert"), "rob");
    /* The alias is no login name, and is in the way of another account. */
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("robert"), &found),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("robert"), &found),
                     ERROR_EXISTS);
    reopen(f);
    assert_string_equal(resolve(f, "robert"), "rob");
}

/* With an account go its memberships, and the aliases that led to it alone. */
static void test_delete_account(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob");
    make_group(f, "staff");
    assert_int_equal(group_add(f, "staff", "bob"), 0);
    assert_int_equal(group_add(f, "staff", "alice"), 0);
    assert_int_equal(alias_add(f, "one", "bob"), 0);
    assert_int_equal(alias_add(f, "both", "bob"), 0);
    assert_int_equal(alias_add(f, "both", "alice"), 0);
    assert_int_equal(alias_add(f, "way", "one"), 0);
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, bob), 0);
    assert_string_equal(members(f, "staff"), "alice");
    assert_string_equal(members(f, "one"), "not-found");
    assert_string_equal(members(f, "way"), "not-found");
    assert_string_equal(members(f, "both"), "alice");
    make_account(f, "way");
    assert_string_equal(resolve(f, "way"), "way");
}

/* --- aliases --- */

static void test_aliases(void **state)
{
    struct fixture *f = *state;
    make_account(f, "bob");
    make_group(f, "staff");
    const struct slice several[] = {SLICE("bob"), SLICE("Alice"), SLICE("staff")};
    const struct slice unknown[] = {SLICE("bob"), SLICE("x@elsewhere.example")};
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("info"), several, 3), 0);
    assert_string_equal(members(f, "info"), "alice bob staff");
    assert_string_equal(resolve(f, "Info@Example.TEST"), "alice bob");
    /* All or none; an alias is not made for nothing. */
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("none"), unknown, 2),
                     ERROR_NOT_FOUND);
    assert_string_equal(resolve(f, "none"), "not-found");
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("none"), NULL, 0), ERROR_INVALID);
    assert_int_equal(alias_add(f, "info", "bob"), ERROR_EXISTS);
    assert_int_equal(alias_add(f, "alice", "bob"), ERROR_EXISTS);
    assert_int_equal(alias_add(f, "staff", "bob"), ERROR_EXISTS);

    assert_int_equal(alias_delete(f, "info", "nobody"), ERROR_NOT_FOUND);
    assert_int_equal(alias_delete(f, "info", "bob"), 0);
    assert_int_equal(alias_delete(f, "info", "bob"), ERROR_NOT_FOUND);
    assert_string_equal(members(f, "info"), "alice staff");
    assert_int_equal(alias_delete(f, "info", "staff"), 0);
    assert_int_equal(alias_delete(f, "info", "alice"), 0); /* the last one */
    assert_string_equal(members(f, "info"), "not-found");
    assert_int_equal(alias_delete(f, "staff", NULL), ERROR_NOT_FOUND);
    assert_int_equal(alias_add(f, "info", "bob"), 0);
    assert_int_equal(alias_delete(f, "info", NULL), 0);
    assert_string_equal(resolve(f, "info"), "not-found");
}

/* DIRECTORY_DEPTH_MAXIMUM, from either end; and nothing leads back to itself. */
static void check_chain(struct fixture *f, int (*add)(struct fixture *, const char *, const char *))
{
    char from[16], to[16];
    /* The middle is joined last: what is above and what is below count together. */
    for (unsigned i = 0; i < DIRECTORY_DEPTH_MAXIMUM; i++) {
        if (i == DIRECTORY_DEPTH_MAXIMUM / 2)
            continue;
        snprintf(from, sizeof(from), "c%u", i);
        snprintf(to, sizeof(to), "c%u", i + 1);
        assert_int_equal(add(f, from, to), 0);
    }
    snprintf(from, sizeof(from), "c%u", DIRECTORY_DEPTH_MAXIMUM / 2);
    snprintf(to, sizeof(to), "c%u", DIRECTORY_DEPTH_MAXIMUM / 2 + 1);
    assert_int_equal(add(f, from, to), 0);
    snprintf(to, sizeof(to), "c%u", DIRECTORY_DEPTH_MAXIMUM);
    assert_int_equal(add(f, to, "more"), ERROR_LIMIT);
    assert_int_equal(add(f, "more", "c0"), ERROR_LIMIT);
    assert_int_equal(add(f, "more", "c1"), 0);
    assert_int_equal(add(f, to, "c0"), ERROR_INVALID);
    assert_int_equal(add(f, "c3", "c1"), ERROR_INVALID);
    assert_int_equal(add(f, "c3", "c3"), ERROR_INVALID);
    assert_string_equal(resolve(f, "c0"), "alice");
    assert_string_equal(resolve(f, "more"), "alice");
}

static void test_alias_chain(void **state)
{
    struct fixture *f = *state;
    char name[16];
    for (unsigned i = 0; i <= DIRECTORY_DEPTH_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        assert_int_equal(alias_add(f, name, "alice"), 0);
    }
    assert_int_equal(alias_add(f, "more", "alice"), 0);
    check_chain(f, alias_add);
}

static void test_group_chain(void **state)
{
    struct fixture *f = *state;
    char name[16];
    for (unsigned i = 0; i <= DIRECTORY_DEPTH_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        make_group(f, name);
    }
    make_group(f, "more");
    snprintf(name, sizeof(name), "c%u", DIRECTORY_DEPTH_MAXIMUM);
    assert_int_equal(group_add(f, name, "alice"), 0);
    check_chain(f, group_add);
    struct account_id groups[16];
    assert_int_equal(groups_of(f, f->alice, groups), DIRECTORY_DEPTH_MAXIMUM + 2);
    size_t count = 7;
    assert_int_equal(
        directory_groups_of(f->store, f->alice, groups, DIRECTORY_DEPTH_MAXIMUM + 1, &count),
        ERROR_LIMIT);
    assert_int_equal(count, 7);
}

/* --- groups --- */

static void test_groups(void **state)
{
    struct fixture *f = *state;
    struct account_id bob = make_account(f, "bob"), id;
    struct account_id staff = make_group(f, "staff"), all = make_group(f, "all");
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("staff"), &id), ERROR_EXISTS);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("bob"), &id), ERROR_EXISTS);
    assert_string_equal(resolve(f, "staff"), "not-found"); /* nobody is in it */
    assert_string_equal(members(f, "staff"), "");
    assert_int_equal(group_add(f, "staff", "bob"), 0);
    assert_int_equal(group_add(f, "staff", "bob"), ERROR_EXISTS);
    assert_int_equal(group_add(f, "staff", "nobody"), ERROR_NOT_FOUND);
    assert_int_equal(group_add(f, "nothing", "bob"), ERROR_NOT_FOUND);
    assert_int_equal(group_add(f, "bob", "alice"), ERROR_NOT_FOUND);
    assert_int_equal(alias_add(f, "info", "bob"), 0);
    assert_int_equal(group_add(f, "staff", "info"), ERROR_NOT_FOUND);
    assert_int_equal(group_add(f, "all", "staff"), 0);
    assert_int_equal(group_add(f, "all", "alice"), 0);
    assert_int_equal(group_add(f, "all", "bob"), 0);
    assert_string_equal(members(f, "all"), "alice bob staff");
    assert_string_equal(resolve(f, "all"), "alice bob");
    assert_true(in_group(f, bob, staff) && in_group(f, bob, all));
    assert_true(in_group(f, f->alice, all) && !in_group(f, f->alice, staff));

    /* Seen at once, and by what another process reads. */
    assert_int_equal(group_remove(f, "all", "bob"), 0);
    assert_int_equal(group_remove(f, "all", "bob"), ERROR_NOT_FOUND);
    assert_true(in_group(f, bob, all));
    assert_int_equal(group_remove(f, "staff", "bob"), 0);
    assert_false(in_group(f, bob, all));
    assert_int_equal(group_add(f, "staff", "bob"), 0);
    reopen(f);
    assert_true(in_group(f, bob, all));

    struct directory_entry *list;
    size_t count;
    assert_int_equal(
        store_directory_list(f->store, WHO_SYSTEM, DIRECTORY_GROUP, &f->arena, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_slice_equal(list[0].address, "all@example.test");
    assert_int_equal(list[0].members, 2);
    assert_int_equal(list[1].members, 1);
    assert_true(account_id_equal(list[1].id, staff));

    assert_int_equal(store_group_delete(f->store, WHO_SYSTEM, SLICE("bob")), ERROR_NOT_FOUND);
    assert_int_equal(store_group_delete(f->store, WHO_SYSTEM, SLICE("staff")), 0);
    assert_false(in_group(f, bob, all));
    assert_string_equal(members(f, "all"), "alice");
    /* The name may be used again, by something else. */
    assert_int_equal(alias_add(f, "staff", "bob"), 0);
    assert_string_equal(resolve(f, "staff"), "bob");
}

/* --- delivery --- */

static void test_resolve(void **state)
{
    struct fixture *f = *state;
    make_account(f, "bob");
    make_group(f, "staff");
    make_group(f, "inner");
    assert_int_equal(group_add(f, "staff", "bob"), 0);
    assert_int_equal(group_add(f, "staff", "inner"), 0);
    assert_int_equal(group_add(f, "inner", "alice"), 0);
    assert_int_equal(group_add(f, "inner", "bob"), 0);
    assert_int_equal(alias_add(f, "office", "staff"), 0);
    assert_int_equal(alias_add(f, "office", "alice"), 0);
    assert_int_equal(alias_add(f, "info", "office"), 0);
    assert_string_equal(resolve(f, "alice"), "alice");
    assert_string_equal(resolve(f, "ALICE+Lists.X@example.test"), "alice detail=Lists.X");
    assert_string_equal(resolve(f, "alice+a+b"), "alice detail=a+b");
    assert_string_equal(resolve(f, "alice+"), "alice");
    assert_string_equal(resolve(f, "+x"), "not-found");
    assert_string_equal(resolve(f, "staff"), "alice bob");
    assert_string_equal(resolve(f, "info"), "alice bob");
    assert_string_equal(resolve(f, "info+Work"), "alice bob detail=Work");
    assert_string_equal(resolve(f, "nobody"), "not-found");
    assert_string_equal(resolve(f, "alice@elsewhere.example"), "not-found");
    assert_string_equal(resolve(f, "a b"), "syntax");
    /* A whole name before its part. */
    assert_int_equal(alias_add(f, "alice+bob", "bob"), 0);
    assert_string_equal(resolve(f, "alice+bob"), "bob");
}

/* --- limits --- */

static void test_limits(void **state)
{
    struct fixture *f = *state;
    char name[32];
    /* Holders of alice: groups, and an alias. */
    assert_int_equal(alias_add(f, "wide", "alice"), 0);
    for (unsigned i = 1; i < DIRECTORY_HOLDERS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        make_group(f, name);
        assert_int_equal(group_add(f, name, "alice"), 0);
    }
    make_group(f, "last");
    assert_int_equal(group_add(f, "last", "alice"), ERROR_LIMIT);
    assert_int_equal(group_remove(f, "g7", "alice"), 0);
    assert_int_equal(group_add(f, "last", "alice"), 0);
    /* Targets of an alias; one of "wide" is alice. */
    for (unsigned i = 1; i < ALIAS_TARGETS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        assert_int_equal(alias_add(f, "wide", name), 0);
    }
    assert_int_equal(alias_add(f, "wide", "last"), ERROR_LIMIT);
    assert_string_equal(resolve(f, "wide"), "alice");
    /* Lists on the way: the group itself is one. */
    make_group(f, "lists");
    for (unsigned i = 1; i < RESOLVED_LISTS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        assert_int_equal(group_add(f, "lists", name), 0);
    }
    assert_string_equal(resolve(f, "lists"), "alice");
    assert_int_equal(group_add(f, "lists", "last"), 0);
    assert_string_equal(resolve(f, "lists"), "limit");
}

enum { MANY = GROUP_MEMBERS_MAXIMUM, READ_FOR_ONE = 12 };

/* Among 10,000 accounts of one group, one account's groups are found by its own keys. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    struct account_id all = make_group(f, "all"), top = make_group(f, "top"), one = {{0}};
    char name[32];
    assert_int_equal(group_add(f, "top", "all"), 0);
    make_group(f, "few");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user%u", i);
        struct account_id id = make_account(f, name);
        assert_int_equal(group_add(f, "all", name), 0);
        if (i < RESOLVED_ACCOUNTS_MAXIMUM)
            assert_int_equal(group_add(f, "few", name), 0);
        one = i == MANY / 2 ? id : one;
    }
    assert_int_equal(group_add(f, "all", "alice"), ERROR_LIMIT);

    struct account_id groups[16];
    keys_read = 0;
    assert_int_equal(groups_of(f, one, groups), 2);
    assert_true(keys_read > 0);
    assert_in_range(keys_read, 1, READ_FOR_ONE);
    assert_true(account_id_equal(groups[0], all) && account_id_equal(groups[1], top));
    /* A change costs the same, however many members there are. */
    keys_read = 0;
    assert_int_equal(group_add(f, "top", "alice"), 0);
    assert_in_range(keys_read, 1, 2 * READ_FOR_ONE);

    struct resolution resolution;
    assert_int_equal(store_resolve(f->store, WHO_SYSTEM, SLICE("few"), &f->arena, &resolution), 0);
    assert_int_equal(resolution.count, RESOLVED_ACCOUNTS_MAXIMUM);
    assert_string_equal(resolve(f, "all"), "limit");
    assert_int_equal(group_add(f, "few", "alice"), 0);
    assert_string_equal(resolve(f, "few"), "limit");
}

/* --- rights --- */

static void test_who(void **state)
{
    struct fixture *f = *state;
    const struct who whos[] = {{0}, {.kind = WHO_KIND_ANONYMOUS}, who_account(f->alice)};
    const struct slice name = SLICE("alice");
    struct directory_entry entry, *entries;
    struct domain_info *domains;
    struct resolution resolution;
    struct account_id id;
    size_t count;
    for (size_t i = 0; i < sizeof(whos) / sizeof(whos[0]); i++) {
        struct who who = whos[i];
        struct store *store = f->store;
        const int errors[] = {
            store_domain_add(store, who, SLICE("x.example")),
            store_domain_delete(store, who, SLICE("x.example")),
            store_domain_list(store, who, &f->arena, &domains, &count),
            store_domain_check(store, who, name),
            store_account_rename(store, who, f->alice, SLICE("x"), true),
            store_alias_add(store, who, SLICE("x"), &name, 1),
            store_alias_delete(store, who, SLICE("x"), &name, 1),
            store_group_create(store, who, SLICE("x"), &id),
            store_group_delete(store, who, SLICE("x")),
            store_group_add(store, who, SLICE("x"), &name, 1),
            store_group_remove(store, who, SLICE("x"), &name, 1),
            store_directory_find(store, who, name, &f->arena, &entry),
            store_directory_list(store, who, DIRECTORY_GROUP, &f->arena, &entries, &count),
            store_directory_members(store, who, name, &f->arena, &entries, &count),
            store_resolve(store, who, name, &f->arena, &resolution),
        };
        for (size_t j = 0; j < sizeof(errors) / sizeof(errors[0]); j++)
            assert_int_equal(errors[j], ERROR_DENIED);
    }
    assert_string_equal(resolve(f, "alice"), "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_domains),
        ON_BOTH(test_rename),
        ON_BOTH(test_delete_account),
        ON_BOTH(test_aliases),
        ON_BOTH(test_alias_chain),
        ON_BOTH(test_group_chain),
        ON_BOTH(test_groups),
        ON_BOTH(test_resolve),
        ON_BOTH(test_who),
        cmocka_unit_test_setup_teardown(test_limits, set_up_memory, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up_memory, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
