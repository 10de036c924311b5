/*
 * The check of the directory, after each kind of damage.
 */
#include "kv/kv.h"
#include "store/check.h"
#include "store/directory_priv.h"
#include "store_test.h"

struct told {
    struct buffer text; /* "wrong: ...\n" */
    size_t wrong, repaired, lost;
};

static void report(enum check_finding finding, const char *text, void *arg)
{
    static const char *const names[] = {"wrong", "repaired", "lost"};
    struct told *told = arg;
    buffer_append_format(&told->text, "%s: %s\n", names[finding], text);
    told->wrong += finding == CHECK_WRONG;
    told->repaired += finding == CHECK_REPAIRED;
    told->lost += finding == CHECK_LOST;
}

/* Its text, in the fixture's arena. */
static const char *check(struct fixture *f, bool repair)
{
    struct told told = {.wrong = 0};
    struct check_options options = {.repair = repair, .report = report, .arg = &told};
    struct check_result result = {99, 99, 99};
    buffer_init(&told.text, 1024 * 1024);
    assert_int_equal(store_check_directory(f->store, WHO_SYSTEM, &options, &result), 0);
    assert_int_equal(result.wrong, told.wrong);
    assert_int_equal(result.repaired, told.repaired);
    assert_int_equal(result.lost, told.lost);
    const char *text = told.text.size ? arena_string(&f->arena, buffer_slice(&told.text)) : "";
    buffer_release(&told.text);
    return text;
}

/* --- damage --- */

struct damage {
    struct slice key, value;
    bool deletes;
};

static int apply(struct kv_transaction *transaction, void *arg)
{
    const struct damage *damage = arg;
    return damage->deletes ? kv_delete(transaction, damage->key)
                           : kv_put(transaction, damage->key, damage->value);
}

static void put(struct fixture *f, struct slice key, struct slice value)
{
    struct damage damage = {key, value, false};
    assert_int_equal(directory_update(f->store, WHO_SYSTEM, apply, &damage), 0);
}

static void drop(struct fixture *f, struct slice key)
{
    struct damage damage = {key, {NULL, 0}, true};
    assert_int_equal(directory_update(f->store, WHO_SYSTEM, apply, &damage), 0);
}

/* Staff has alice and the group inner, which has bob; info leads to staff; way to info. */
struct ids {
    struct account_id bob, staff, inner;
    struct directory_entry info;
};

static void fill(struct fixture *f, struct ids *ids)
{
    const struct slice staff[] = {SLICE("alice"), SLICE("inner")}, bob = SLICE("bob");
    const struct slice to_staff = SLICE("staff"), to_info = SLICE("info");
    struct store *store = f->store;
    assert_int_equal(store_account_create(store, WHO_SYSTEM, SLICE("bob"), &ids->bob), 0);
    assert_int_equal(store_group_create(store, WHO_SYSTEM, SLICE("staff"), &ids->staff), 0);
    assert_int_equal(store_group_create(store, WHO_SYSTEM, SLICE("inner"), &ids->inner), 0);
    assert_int_equal(store_group_add(store, WHO_SYSTEM, SLICE("staff"), staff, 2), 0);
    assert_int_equal(store_group_add(store, WHO_SYSTEM, SLICE("inner"), &bob, 1), 0);
    assert_int_equal(store_alias_add(store, WHO_SYSTEM, SLICE("info"), &to_staff, 1), 0);
    assert_int_equal(store_alias_add(store, WHO_SYSTEM, SLICE("way"), &to_info, 1), 0);
    assert_int_equal(store_directory_find(store, WHO_SYSTEM, SLICE("info"), &f->arena, &ids->info),
                     0);
    assert_string_equal(check(f, false), "");
}

/* Everything is as `fill` made it. */
static void assert_whole(struct fixture *f, const struct ids *ids)
{
    struct resolution resolution;
    struct account_id groups[4];
    struct directory_entry staff;
    size_t count;
    assert_string_equal(check(f, false), "");
    assert_int_equal(store_resolve(f->store, WHO_SYSTEM, SLICE("way"), &f->arena, &resolution), 0);
    assert_int_equal(resolution.count, 2);
    assert_int_equal(directory_groups_of(f->store, ids->bob, groups, 4, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(store_directory_find(f->store, WHO_SYSTEM, SLICE("staff"), &f->arena, &staff),
                     0);
    assert_int_equal(staff.members, 2);
    assert_true(account_id_equal(staff.id, ids->staff));
}

/* Found (with what follows from it), mended, and whole again. */
static void expect(struct fixture *f, const struct ids *ids, const char *text)
{
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "wrong: %s\n", text);
    assert_true(slice_starts_with(slice_from_string(check(f, false)), slice_from_string(wanted)));
    snprintf(wanted, sizeof(wanted), "repaired: %s\n", text);
    assert_string_equal(check(f, true), wanted);
    assert_whole(f, ids);
}

/* --- tests --- */

static void test_names_and_records(void **state)
{
    struct fixture *f = *state;
    struct ids ids;
    struct directory_key key;
    struct buffer value;
    fill(f, &ids);
    const struct directory_name staff = {DIRECTORY_GROUP, ids.staff},
                                bob = {DIRECTORY_ACCOUNT, ids.bob};
    drop(f, SLICE("nstaff@example.test"));
    expect(f, &ids, "staff@example.test: its name");
    put(f, SLICE("nbob@example.test"), SLICE("\1"));
    expect(f, &ids, "bob@example.test: its name");
    drop(f, directory_key_entry(&key, bob));
    expect(f, &ids, "bob@example.test: its record; if it was shared, it is no more");
    /* A flag that nobody knows, from a version that is to come. */
    put(f, directory_key_entry(&key, bob),
        slice_make("\2\5\0\0\0\0\0\0\0\2\20\0bob@example.test", 28));
    expect(f, &ids, "bob@example.test: its record; if it was shared, it is no more");
    put(f, directory_key_entry(&key, staff), SLICE("\7rest"));
    expect(f, &ids, "staff@example.test: its record");
    /* A second name, and an entry that another's name leads to. */
    buffer_init(&value, 4096);
    directory_name_write(bob, &value);
    put(f, SLICE("nrobert@example.test"), buffer_slice(&value));
    expect(f, &ids, "robert@example.test: a name of what has another");
    directory_entry_write(
        &(struct directory_entry){.kind = DIRECTORY_GROUP, .address = SLICE("bob@example.test")},
        &value);
    put(f, SLICE("g00000000000000000000000000000000"), buffer_slice(&value));
    expect(f, &ids,
           "bob@example.test: there are two of it; one is "
           "00000000000000000000000000000000@example.test");
    buffer_release(&value);
}

static void test_members(void **state)
{
    struct fixture *f = *state;
    struct ids ids;
    struct directory_key key;
    struct buffer value;
    fill(f, &ids);
    const struct directory_name staff = {DIRECTORY_GROUP, ids.staff},
                                inner = {DIRECTORY_GROUP, ids.inner},
                                alice = {DIRECTORY_ACCOUNT, f->alice},
                                nobody = {DIRECTORY_ACCOUNT, {{1}}};
    drop(f, directory_key_edge(&key, DIRECTORY_MEMBERS, ids.staff, alice));
    expect(f, &ids, "the other side of a membership");
    drop(f, directory_key_edge(&key, DIRECTORY_HOLDERS, ids.inner, staff));
    expect(f, &ids, "the other side of a membership");
    put(f, directory_key_edge(&key, DIRECTORY_HOLDERS, ids.bob, inner), SLICE("\2"));
    expect(f, &ids, "the record of a membership");
    put(f, directory_key_edge(&key, DIRECTORY_MEMBERS, ids.staff, nobody), SLICE("\1"));
    expect(f, &ids, "a membership of what is not there");
    put(f, directory_key_edge(&key, DIRECTORY_HOLDERS, nobody.id, staff), SLICE("\1"));
    expect(f, &ids, "a membership of what is not there");
    put(f, SLICE("mnonsense"), SLICE("\1"));
    expect(f, &ids, "a membership of what is not there");
    /* An account has no members, a group no alias. */
    put(f, directory_key_edge(&key, DIRECTORY_MEMBERS, ids.bob, staff), SLICE("\1"));
    expect(f, &ids, "a membership of what is not there");
    put(f,
        directory_key_edge(&key, DIRECTORY_MEMBERS, ids.staff,
                           (struct directory_name){DIRECTORY_ALIAS, ids.info.id}),
        SLICE("\1"));
    expect(f, &ids, "a membership of what is not there");
    buffer_init(&value, 4096);
    directory_entry_write(&(struct directory_entry){.kind = DIRECTORY_GROUP,
                                                    .members = 9,
                                                    .address = SLICE("staff@example.test")},
                          &value);
    put(f, directory_key_entry(&key, staff), buffer_slice(&value));
    expect(f, &ids, "staff@example.test: the number of its members");
    buffer_release(&value);
}

static void test_nowhere(void **state)
{
    struct fixture *f = *state;
    struct ids ids;
    struct directory_key key;
    struct resolution resolution;
    fill(f, &ids);
    const struct directory_name info = {DIRECTORY_ALIAS, ids.info.id},
                                staff = {DIRECTORY_GROUP, ids.staff};
    drop(f, directory_key_edge(&key, DIRECTORY_MEMBERS, info.id, staff));
    drop(f, directory_key_edge(&key, DIRECTORY_HOLDERS, staff.id, info));
    assert_string_equal(check(f, true),
                        "repaired: info@example.test: an alias that leads nowhere\n");
    assert_string_equal(check(f, false), "");
    assert_int_equal(store_resolve(f->store, WHO_SYSTEM, SLICE("way"), &f->arena, &resolution),
                     ERROR_NOT_FOUND);
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    struct ids ids;
    fill(f, &ids);
    put(f, SLICE("nwho@example.test"), SLICE("\1"));
    put(f, SLICE("g00000000000000000000000000000000"), SLICE("\1"));
    put(f, SLICE("vs/kept"), SLICE("\1x"));
    put(f, SLICE("vs/motd"), SLICE(""));
    put(f, SLICE("vs//"), SLICE("\1x"));
    put(f, SLICE("vp/motd"), SLICE("\1x"));
    put(f, SLICE("vp00000000000000000000000000000000/motd"), SLICE("\1x"));
    const char *text = "lost: a record that no name leads to\n"
                       "lost: who@example.test: what it stands for\n"
                       "lost: an annotation of the server\n"
                       "lost: an annotation of the server\n"
                       "lost: an annotation of the server\n"
                       "lost: an annotation of the server\n";
    assert_string_equal(check(f, false), text);
    assert_string_equal(check(f, true), text);
    assert_whole(f, &ids);
}

static void test_domains(void **state)
{
    struct fixture *f = *state;
    struct ids ids;
    struct account_id id;
    fill(f, &ids);
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("other.example")), 0);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("g@other.example"), &id), 0);
    put(f, SLICE("dother.example"), SLICE("\1"));
    expect(f, &ids, "domain other.example: its record");
    drop(f, SLICE("dother.example"));
    expect(f, &ids, "domain other.example: not added, and there are addresses in it");
}

static void test_denied(void **state)
{
    struct fixture *f = *state;
    struct check_options options = {.report = report};
    struct check_result result;
    for (int repair = 0; repair < 2; repair++) {
        options.repair = repair;
        assert_int_equal(store_check_directory(f->store, who_account(f->alice), &options, &result),
                         ERROR_DENIED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_names_and_records), ON_BOTH(test_members),
        ON_BOTH(test_nowhere),           ON_BOTH(test_lost),
        ON_BOTH(test_domains),           ON_BOTH(test_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
