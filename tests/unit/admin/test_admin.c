/*
 * The operations over a store in memory, and arguments and rows as bytes.
 */
#include "admin/admin.h"
#include "base/error.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "store/message.h"
#include "tests/unit/check.h"

struct fixture {
    struct admin_call call; /* first */
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct buffer rows; /* "name=value name=value\n" */
    unsigned progressed, limit;
    bool gone;
};

static int take_row(struct admin_call *call, const struct admin_field *fields, size_t count)
{
    struct fixture *f = (struct fixture *)call;
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(&f->rows, "%s%.*s=", i ? " " : "", SLICE_FORMAT(fields[i].name));
        if (fields[i].kind == ADMIN_TEXT)
            buffer_append(&f->rows, fields[i].text);
        else
            buffer_append_format(&f->rows, "%lld", (long long)fields[i].number);
    }
    buffer_append_byte(&f->rows, '\n');
    return f->limit && --f->limit == 0;
}

static int take_progress(struct admin_call *call, uint64_t done, uint64_t total)
{
    struct fixture *f = (struct fixture *)call;
    assert_true(done <= total);
    f->progressed++;
    return 0;
}

static void take_gone(struct admin_call *call, struct account_id account)
{
    (void)account;
    ((struct fixture *)call)->gone = true;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct store_options options = {.open_accounts = 4, .default_domain = "example.test"};
    assert_int_equal(kv_memory_create(&f->kv), 0);
    assert_int_equal(blob_memory_create(&f->blob), 0);
    options.kv = f->kv;
    options.blob = f->blob;
    assert_int_equal(store_open(&options, &f->call.store), 0);
    f->call.row = take_row;
    f->call.progress = take_progress;
    f->call.account_gone = take_gone;
    buffer_init(&f->rows, 1024 * 1024);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(&f->call.store);
    kv_engine_free(&f->kv);
    blob_engine_free(&f->blob);
    buffer_release(&f->rows);
    free(f);
    return 0;
}

/* name, value: one argument; NULL: none. */
static int run(struct fixture *f, const char *operation, const char *name, const char *value)
{
    struct admin_argument argument = {slice_from_string(name ? name : ""),
                                      slice_from_string(value ? value : "")};
    f->call.arguments = &argument;
    f->call.argument_count = name ? 1 : 0;
    buffer_clear(&f->rows);
    return admin_run(slice_from_string(operation), &f->call);
}

static void test_accounts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", "address", "Alice"), 0);
    assert_non_null(strstr(f->rows.data, "address=alice@example.test id="));
    assert_int_equal(run(f, "account.add", "address", "bob"), 0);
    assert_int_equal(run(f, "account.find", "address", "alice+x@example.test"), 0);
    assert_int_equal(run(f, "account.list", NULL, NULL), 0);
    assert_non_null(strstr(f->rows.data, "address=bob@example.test"));
    /* Only by its own name may an account be removed, or shown whole. */
    assert_int_equal(run(f, "account.delete", "address", "alice+x@example.test"), ERROR_NOT_FOUND);
    assert_string_equal(f->call.detail, "account alice+x@example.test");
    assert_int_equal(run(f, "account.dump", "address", "alice"), 0);
    assert_non_null(strstr(f->rows.data, "line=account: modseq="));
    assert_false(f->gone);
    assert_int_equal(run(f, "account.delete", "address", "alice"), 0);
    assert_true(f->gone);
    assert_int_equal(run(f, "account.find", "address", "alice"), ERROR_NOT_FOUND);
}

static void test_arguments(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", NULL, NULL), ERROR_INVALID);
    assert_string_equal(f->call.detail, "address is missing");
    assert_int_equal(run(f, "account.add", "address", ""), ERROR_SYNTAX);
    assert_int_equal(run(f, "account.fly", NULL, NULL), ERROR_UNSUPPORTED);
    assert_non_null(strstr(f->call.detail, "no operation account.fly"));
}

/* The first value is "address"; the others have the second name. NULL ends them. */
static int run_list(struct fixture *f, const char *operation, const char *name,
                    const char *const *values)
{
    struct admin_argument arguments[8];
    size_t count = 0;
    for (; values[count]; count++)
        arguments[count] = (struct admin_argument){slice_from_string(count ? name : "address"),
                                                   slice_from_string(values[count])};
    f->call.arguments = arguments;
    f->call.argument_count = count;
    buffer_clear(&f->rows);
    return admin_run(slice_from_string(operation), &f->call);
}
#define RUN_LIST(f, operation, name, ...)                                                          \
    run_list(f, operation, name, (const char *const[]){__VA_ARGS__, NULL})

static void test_domains(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", "address", "a@other.example"), ERROR_NOT_FOUND);
    assert_string_equal(f->call.detail, "there is no domain other.example here: chapar domain add "
                                        "other.example");
    assert_int_equal(run(f, "domain.add", "domain", "Other.Example"), 0);
    assert_non_null(strstr(f->rows.data, "domain=other.example created="));
    assert_int_equal(run(f, "group.add", "address", "a@other.example"), 0);
    assert_int_equal(run(f, "domain.delete", "domain", "other.example"), ERROR_INVALID);
    assert_string_equal(f->call.detail, "there are addresses in it");
    assert_int_equal(run(f, "domain.delete", "domain", "example.test"), ERROR_INVALID);
    assert_non_null(strstr(f->call.detail, "default_domain"));
    assert_int_equal(run(f, "group.delete", "address", "a@other.example"), 0);
    assert_int_equal(run(f, "domain.delete", "domain", "other.example"), 0);
    assert_int_equal(run(f, "domain.list", NULL, NULL), 0);
    assert_string_equal(f->rows.data, "domain=example.test created=0 default=1\n");
}

static void test_aliases_and_groups(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", "address", "alice"), 0);
    assert_int_equal(run(f, "account.add", "address", "bob"), 0);
    assert_int_equal(run(f, "group.add", "address", "staff"), 0);
    assert_int_equal(RUN_LIST(f, "group.add-member", "member", "staff"), ERROR_INVALID);
    assert_int_equal(RUN_LIST(f, "group.add-member", "member", "staff", "alice", "carol"),
                     ERROR_NOT_FOUND);
    assert_string_equal(f->call.detail, "carol");
    assert_int_equal(RUN_LIST(f, "group.add-member", "member", "staff", "bob", "alice"), 0);
    assert_non_null(strstr(f->rows.data, "address=staff@example.test kind=group id="));
    assert_non_null(strstr(f->rows.data, "members=2"));
    assert_int_equal(RUN_LIST(f, "group.add-member", "member", "staff", "staff"), ERROR_INVALID);
    assert_string_equal(f->call.detail, "the group would be in itself");
    assert_int_equal(run(f, "group.members", "address", "staff"), 0);
    assert_true(slice_starts_with(buffer_slice(&f->rows), SLICE("address=alice@example.test")));
    assert_int_equal(run(f, "group.members", "address", "alice"), ERROR_NOT_FOUND);

    assert_int_equal(RUN_LIST(f, "alias.add", "target", "info"), ERROR_INVALID);
    assert_int_equal(RUN_LIST(f, "alias.add", "target", "info", "x@far.example"), ERROR_NOT_FOUND);
    assert_string_equal(f->call.detail, "x@far.example");
    assert_int_equal(RUN_LIST(f, "alias.add", "target", "info", "alice", "staff"), 0);
    assert_int_equal(RUN_LIST(f, "alias.add", "target", "info", "info"), ERROR_INVALID);
    assert_string_equal(f->call.detail, "it would lead back to itself");
    assert_int_equal(run(f, "alias.list", NULL, NULL), 0);
    assert_non_null(strstr(f->rows.data, "target=alice@example.test kind=account"));
    assert_non_null(strstr(f->rows.data, "target=staff@example.test kind=group"));

    assert_int_equal(run(f, "account.show", "address", "alice"), 0);
    assert_true(slice_starts_with(buffer_slice(&f->rows), SLICE("address=alice@example.test")));
    assert_non_null(strstr(f->rows.data, "\naddress=staff@example.test kind=group"));
    assert_non_null(strstr(f->rows.data, "\naddress=info@example.test kind=alias"));
    assert_int_equal(RUN_LIST(f, "account.rename", "to", "alice", "bob"), ERROR_EXISTS);
    assert_string_equal(f->call.detail, "bob");
    assert_int_equal(RUN_LIST(f, "account.rename", "to", "info", "x"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_LIST(f, "account.rename", "to", "alice", "x@far.example"),
                     ERROR_NOT_FOUND);
    assert_non_null(strstr(f->call.detail, "chapar domain add far.example"));
    assert_int_equal(RUN_LIST(f, "account.rename", "to", "alice", "Alicia"), 0);
    assert_non_null(strstr(f->rows.data, "address=alicia@example.test id="));

    assert_int_equal(RUN_LIST(f, "group.remove-member", "member", "staff", "bob"), 0);
    assert_int_equal(RUN_LIST(f, "group.remove-member", "member", "staff", "bob"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_LIST(f, "alias.delete", "target", "info", "bob"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_LIST(f, "alias.delete", "target", "info"), 0);
    assert_int_equal(run(f, "group.list", NULL, NULL), 0);
    assert_non_null(strstr(f->rows.data, "members=1"));
    assert_int_equal(run(f, "check", NULL, NULL), 0);
    assert_int_equal(f->rows.size, 0);
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(run(f, "account.add", "address", name), 0);
    }
    assert_int_equal(run(f, "check", NULL, NULL), 0);
    assert_int_equal(f->rows.size, 0);
    assert_int_equal(f->progressed, 3);
    assert_int_equal(run(f, "check", "account", "user1"), 0);
    assert_int_equal(run(f, "check", "account", "user9"), ERROR_NOT_FOUND);
    assert_int_equal(run(f, "check", "deep", ""), 0);
}

/* --- what was deleted, and quota --- */

static int call_with(struct fixture *f, const char *operation,
                     const struct admin_argument *arguments, size_t count)
{
    f->call.arguments = arguments;
    f->call.argument_count = count;
    buffer_clear(&f->rows);
    return admin_run(slice_from_string(operation), &f->call);
}
#define CALL(f, operation, ...)                                                                    \
    call_with(f, operation, (const struct admin_argument[]){__VA_ARGS__},                          \
              sizeof((const struct admin_argument[]){__VA_ARGS__}) /                               \
                  sizeof(struct admin_argument))
#define ALICE                                                                                      \
    {                                                                                              \
        SLICE("address"), SLICE("alice")                                                           \
    }
#define INBOX                                                                                      \
    {                                                                                              \
        SLICE("mailbox"), SLICE("INBOX")                                                           \
    }

/* Two messages in INBOX, expunged; a mailbox Box, deleted. */
static void delete_some(struct fixture *f)
{
    struct account_id id;
    struct store_view *view;
    struct arena arena;
    struct collection inbox;
    collection_id box;
    struct range_set expunged;
    uint64_t modseq;
    struct append append = {.flags = ENTRY_DELETED};
    struct append_result result;
    arena_init(&arena, 64 * 1024);
    range_set_init(&expunged, 10);
    assert_int_equal(run(f, "account.add", "address", "alice"), 0);
    assert_int_equal(store_account_find(f->call.store, WHO_SYSTEM, SLICE("alice"), &id), 0);
    assert_int_equal(store_view_open(f->call.store, WHO_SYSTEM, id, &view), 0);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(prepared_message_create(i ? SLICE("Subject: two\r\n\r\n")
                                                   : SLICE("Subject: one\r\n\r\n"),
                                                 &append.message),
                         0);
        assert_int_equal(mailbox_append(view, inbox.id, &append, &result), 0);
        prepared_message_free(&append.message);
    }
    assert_int_equal(mailbox_expunge(view, inbox.id, NULL, &expunged, &modseq), 0);
    assert_int_equal(collection_create(view, COLLECTION_MAILBOX, SLICE("Box"), ROLE_NONE, &box), 0);
    assert_int_equal(collection_delete(view, box), 0);
    range_set_release(&expunged);
    arena_release(&arena);
    store_view_close(&view);
}

static void test_undelete(void **state)
{
    struct fixture *f = *state;
    delete_some(f);
    assert_int_equal(CALL(f, "undelete.list", ALICE), 0);
    assert_non_null(strstr(f->rows.data, "id=7 path=Box deleted="));
    assert_int_equal(CALL(f, "undelete.list", ALICE, INBOX), 0);
    assert_non_null(strstr(f->rows.data, "uid=1 expunged="));
    assert_non_null(strstr(f->rows.data, "subject=two"));
    assert_int_equal(CALL(f, "undelete.list", ALICE, INBOX, {SLICE("uids"), SLICE("2:9")}), 0);
    assert_null(strstr(f->rows.data, "subject=one"));
    assert_int_equal(CALL(f, "undelete.list", ALICE, INBOX, {SLICE("days"), SLICE("1")}), 0);
    assert_non_null(strstr(f->rows.data, "subject=one"));
    assert_int_equal(CALL(f, "undelete.messages", ALICE, INBOX, {SLICE("uids"), SLICE("5")}),
                     ERROR_NOT_FOUND);
    assert_int_equal(CALL(f, "undelete.messages", ALICE, INBOX, {SLICE("uids"), SLICE("2")}), 0);
    assert_string_equal(f->rows.data, "mailbox=INBOX messages=1\n");
    assert_int_equal(CALL(f, "undelete.messages", ALICE, INBOX, {SLICE("to"), SLICE("Trash")}), 0);
    assert_string_equal(f->rows.data, "mailbox=Trash messages=1\n");
    assert_int_equal(CALL(f, "undelete.mailbox", ALICE, {SLICE("id"), SLICE("7")}), 0);
    assert_string_equal(f->rows.data, "mailbox=Box id=7\n");
    assert_int_equal(CALL(f, "undelete.mailbox", ALICE, {SLICE("id"), SLICE("7")}),
                     ERROR_NOT_FOUND);
}

static void test_undelete_refuses(void **state)
{
    static const char *const uids[] = {"", "0", "1:", ":1", "2:1", "1,,2", "x", "4294967295", "1K"};
    struct fixture *f = *state;
    delete_some(f);
    for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
        struct admin_argument argument = {SLICE("uids"), slice_from_string(uids[i])};
        assert_int_equal(CALL(f, "undelete.messages", ALICE, INBOX, argument), ERROR_INVALID);
    }
    assert_int_equal(CALL(f, "undelete.list", ALICE, INBOX, {SLICE("days"), SLICE("-1")}),
                     ERROR_INVALID);
    assert_int_equal(CALL(f, "undelete.list", ALICE, {SLICE("mailbox"), SLICE("No")}),
                     ERROR_NOT_FOUND);
    assert_int_equal(CALL(f, "undelete.mailbox", ALICE, {SLICE("id"), SLICE("Box")}),
                     ERROR_INVALID);
    assert_int_equal(run(f, "undelete.list", "address", "bob"), ERROR_NOT_FOUND);
    assert_int_equal(run(f, "undelete.list", NULL, NULL), ERROR_INVALID);
}

/* The store of this test keeps nothing beyond the next purge. */
static void test_purge(void **state)
{
    struct fixture *f = *state;
    delete_some(f);
    assert_int_equal(run(f, "account.add", "address", "bob"), 0);
    assert_int_equal(run(f, "purge", "account", "alice"), 0);
    assert_non_null(strstr(f->rows.data, "account=alice messages=2 bytes="));
    assert_non_null(strstr(f->rows.data, "mailboxes=1"));
    assert_int_equal(run(f, "purge", NULL, NULL), 0);
    assert_non_null(strstr(f->rows.data, "account=alice@example.test messages=0"));
    assert_non_null(strstr(f->rows.data, "account=bob@example.test"));
    assert_int_equal(run(f, "purge", "account", "carol"), ERROR_NOT_FOUND);
}

static void test_quota(void **state)
{
    static const char *const limits[] = {"",        "x", "-1", "K", "1KK", "9999999999999999999",
                                         "9999999T"};
    struct fixture *f = *state;
    delete_some(f);
    assert_int_equal(CALL(f, "quota.get", ALICE), 0);
    assert_non_null(strstr(f->rows.data, "resource=MAILBOX usage=6 limit=0\n"));
    assert_int_equal(CALL(f, "quota.set", ALICE, {SLICE("resource"), SLICE("storage")},
                          {SLICE("limit"), SLICE("5K")}),
                     0);
    assert_string_equal(f->rows.data, "resource=STORAGE usage=0 limit=5120\n");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct admin_argument argument = {SLICE("limit"), slice_from_string(limits[i])};
        assert_int_equal(
            CALL(f, "quota.set", ALICE, {SLICE("resource"), SLICE("STORAGE")}, argument),
            ERROR_INVALID);
    }
    assert_int_equal(CALL(f, "quota.set", ALICE, {SLICE("resource"), SLICE("BEER")},
                          {SLICE("limit"), SLICE("5")}),
                     ERROR_INVALID);
}

static void test_nobody_wants_more(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", "address", "alice"), 0);
    f->limit = 2;
    assert_int_equal(run(f, "account.dump", "address", "alice"), ERROR_CLOSED);
    assert_int_equal(f->limit, 0);
}

static void test_wire(void **unused)
{
    (void)unused;
    struct buffer bytes;
    struct admin_field read[ADMIN_FIELDS_MAXIMUM];
    static struct admin_argument arguments[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count = 7;
    const struct admin_field fields[] = {admin_text("a", SLICE("text")), admin_number("b", -5),
                                         admin_bool("c", true), admin_time("d", 1700000000)};
    buffer_init(&bytes, 64 * 1024);
    admin_put_fields(&bytes, fields, 4);
    assert_int_equal(admin_get_fields(buffer_slice(&bytes), read, &count), 0);
    assert_int_equal(count, 4);
    assert_slice_equal(read[0].text, "text");
    assert_true(read[1].number == -5 && read[2].number == 1 && read[3].kind == ADMIN_TIME);
    for (size_t size = 1; size < bytes.size; size++) {
        int error = admin_get_fields(slice_make(bytes.data, size), read, &count);
        assert_true(error == ERROR_PROTOCOL || (!error && count < 4));
    }
    buffer_clear(&bytes);
    const struct admin_argument given[] = {{SLICE("address"), SLICE("x")},
                                           {SLICE("deep"), SLICE("")}};
    admin_put_arguments(&bytes, given, 2);
    assert_int_equal(admin_get_arguments(buffer_slice(&bytes), arguments, &count), 0);
    assert_int_equal(count, 2);
    assert_slice_equal(arguments[1].name, "deep");
    buffer_release(&bytes);
}

static void test_wire_limits(void **unused)
{
    (void)unused;
    struct buffer bytes;
    struct admin_field fields[ADMIN_FIELDS_MAXIMUM + 1] = {{{0}}};
    static struct admin_argument arguments[ADMIN_ARGUMENTS_MAXIMUM + 1];
    static char large[ADMIN_VALUE_MAXIMUM + 1];
    size_t count;
    buffer_init(&bytes, 64 * 1024);
    admin_put_fields(&bytes, fields, ADMIN_FIELDS_MAXIMUM + 1);
    assert_int_equal(admin_get_fields(buffer_slice(&bytes), fields, &count), ERROR_PROTOCOL);
    buffer_clear(&bytes);
    admin_put_arguments(&bytes, arguments, ADMIN_ARGUMENTS_MAXIMUM + 1);
    assert_int_equal(admin_get_arguments(buffer_slice(&bytes), arguments, &count), ERROR_PROTOCOL);
    buffer_clear(&bytes);
    arguments[0] = (struct admin_argument){SLICE("a"), slice_make(large, sizeof(large))};
    admin_put_arguments(&bytes, arguments, 1);
    assert_int_equal(admin_get_arguments(buffer_slice(&bytes), arguments, &count), ERROR_PROTOCOL);
    buffer_clear(&bytes);
    buffer_append(&bytes, SLICE("\1\0\0\0a\x09"));
    assert_int_equal(admin_get_fields(buffer_slice(&bytes), fields, &count), ERROR_PROTOCOL);
    buffer_release(&bytes);
}

/* Any arguments: "name=value", or "name" alone. */
static int run_any(struct fixture *f, const char *operation, const char *const *pairs)
{
    struct admin_argument arguments[64];
    size_t count = 0;
    for (; pairs[count]; count++) {
        struct slice pair = slice_from_string(pairs[count]);
        size_t end = slice_find(pair, '=');
        arguments[count] =
            (struct admin_argument){slice_sub(pair, 0, end), slice_sub(pair, end + 1, SIZE_MAX)};
    }
    f->call.arguments = arguments;
    f->call.argument_count = count;
    buffer_clear(&f->rows);
    buffer_append_byte(&f->rows, '\n');
    return admin_run(slice_from_string(operation), &f->call);
}
#define RUN_ANY(f, operation, ...) run_any(f, operation, (const char *const[]){__VA_ARGS__, NULL})
#define OF_ALICE                   "address=alice"

static void test_sieve_of_an_account(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "account.add", "address", "alice"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.put", OF_ALICE, "name=a", "text=keep", "text=;"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.put", OF_ALICE, "name=b", "text=stop;", "activate"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.list", OF_ALICE), 0);
    assert_string_equal(f->rows.data, "\nname=a active=0 bytes=5\nname=b active=1 bytes=5\n");
    assert_int_equal(RUN_ANY(f, "sieve.get", OF_ALICE, "name=a"), 0);
    assert_string_equal(f->rows.data, "\ntext=keep;\n");
    assert_int_equal(RUN_ANY(f, "sieve.delete", OF_ALICE, "name=b"), ERROR_INVALID);
    assert_non_null(strstr(f->call.detail, "deactivate"));
    assert_int_equal(RUN_ANY(f, "sieve.activate", OF_ALICE, "name=c"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_ANY(f, "sieve.activate", OF_ALICE, "name="), ERROR_NOT_FOUND);
    assert_int_equal(RUN_ANY(f, "sieve.activate", OF_ALICE, "name=a"), 0);
    assert_string_equal(f->rows.data, "\nof=alice name=a\n");
    assert_int_equal(RUN_ANY(f, "sieve.deactivate", OF_ALICE), 0);
    assert_int_equal(RUN_ANY(f, "sieve.delete", OF_ALICE, "name=a"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.get", OF_ALICE, "name=a"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_ANY(f, "sieve.put", OF_ALICE, "name=a\t", "text=keep;"), ERROR_SYNTAX);
    assert_int_equal(RUN_ANY(f, "sieve.put", OF_ALICE, "text=keep;"), ERROR_INVALID);
    assert_int_equal(RUN_ANY(f, "sieve.put", "address=bob", "name=a", "text=keep;"),
                     ERROR_NOT_FOUND);
}

static void test_sieve_problems(void **state)
{
    struct fixture *f = *state;
    static char large[5 + ADMIN_VALUE_MAXIMUM + 1] = "text=";
    const char *pieces[40] = {OF_ALICE, "name=a"};
    assert_int_equal(run(f, "account.add", "address", "alice"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.put", OF_ALICE, "name=a", "text=keep;\n explode;"),
                     ERROR_SYNTAX);
    assert_string_equal(f->rows.data,
                        "\nline=2 column=2 warning=0 text=there is no command \"explode\"\n");
    assert_int_equal(RUN_ANY(f, "sieve.list", OF_ALICE), 0);
    assert_string_equal(f->rows.data, "\n");
    memset(large + 5, ' ', ADMIN_VALUE_MAXIMUM);
    for (size_t i = 2; i < 39; i++)
        pieces[i] = large;
    assert_int_equal(run_any(f, "sieve.put", pieces), ERROR_QUOTA);
    assert_non_null(strstr(f->call.detail, "262144"));
    pieces[34] = NULL;
    assert_int_equal(run_any(f, "sieve.put", pieces), 0);
    assert_int_equal(RUN_ANY(f, "sieve.list", OF_ALICE), 0);
    assert_string_equal(f->rows.data, "\nname=a active=0 bytes=262144\n");
}

static void test_sieve_of_the_administrator(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(RUN_ANY(f, "sieve.list", "global"), 0);
    assert_true(slice_starts_with(buffer_slice(&f->rows),
                                  SLICE("\ndomain=(all) place=before name= active=1 bytes=")));
    assert_int_equal(RUN_ANY(f, "sieve.get", "global", "before"), 0);
    assert_non_null(strstr(f->rows.data, "X-Spam-Flag"));
    assert_int_equal(RUN_ANY(f, "sieve.put", "domain=example.test", "after", "text=keep;"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.put", "domain=example.test", "name=x", "text=stop;"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.put", "domain=other.test", "after", "text=keep;"),
                     ERROR_NOT_FOUND);
    assert_non_null(strstr(f->call.detail, "other.test"));
    assert_int_equal(RUN_ANY(f, "sieve.list", "domain=Example.test"), 0);
    assert_non_null(strstr(f->rows.data, "\ndomain=example.test place=after name= active=1"));
    assert_non_null(strstr(f->rows.data, "\ndomain=example.test place=included name=x active=1"));
    assert_null(strstr(f->rows.data, "(all)"));
    assert_int_equal(RUN_ANY(f, "sieve.deactivate", "domain=example.test", "after"), 0);
    assert_string_equal(f->rows.data, "\nof=example.test\n");
    assert_int_equal(RUN_ANY(f, "sieve.deactivate", "domain=example.test", "name=x"),
                     ERROR_INVALID);
    assert_int_equal(RUN_ANY(f, "sieve.delete", "global", "before"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.delete", "global", "before"), ERROR_NOT_FOUND);
    assert_int_equal(RUN_ANY(f, "sieve.activate", "global", "before"), 0);
    assert_int_equal(RUN_ANY(f, "sieve.get", "global"), ERROR_INVALID);
    assert_int_equal(RUN_ANY(f, "sieve.get", "before"), ERROR_INVALID);
    assert_int_equal(RUN_ANY(f, "sieve.get", "global", "domain=x", "before"), ERROR_INVALID);
    assert_int_equal(RUN_ANY(f, "sieve.get", "global", "before", "after"), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aliases_and_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undelete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undelete_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_purge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sieve_of_an_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sieve_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sieve_of_the_administrator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_wants_more, set_up, tear_down),
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_wire_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
