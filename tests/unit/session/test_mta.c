/*
 * The MTA's questions over a store in memory.
 */
#include "blob/blob.h"
#include "kv/kv.h"
#include "session/stream.h"
#include "store/directory.h"
#include "store/message.h"
#include "store/quota.h"

#include "../check.h"

#include <stdlib.h>

struct fixture {
    struct config config;
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct account_id alice, bob;
    struct stream stream;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->config = (struct config){.message_size = 100000, .lmtp_timeout = 300};
    assert_int_equal(kv_memory_create(&f->kv), 0);
    assert_int_equal(blob_memory_create(&f->blob), 0);
    const struct store_options options = {
        .kv = f->kv, .blob = f->blob, .open_accounts = 10, .default_domain = "example.test"};
    assert_int_equal(store_open(&options, &f->store), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("alice"), &f->alice), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &f->bob), 0);
    f->stream = (struct stream){.protocol = &mta_protocol, .config = &f->config, .store = f->store};
    buffer_init(&f->stream.output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    assert_int_equal(mta_protocol.open(&f->stream), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mta_protocol.close(&f->stream, "closed");
    buffer_release(&f->stream.output);
    store_close(&f->store);
    blob_engine_free(&f->blob);
    kv_engine_free(&f->kv);
    free(f);
    return 0;
}

static enum stream_need say(struct fixture *f, const char *text)
{
    f->stream.input = slice_from_string(text);
    buffer_clear(&f->stream.output);
    return mta_protocol.run(&f->stream);
}

static void look_up(struct fixture *f, const char *request, const char *expected)
{
    char text[512];
    snprintf(text, sizeof(text), "%zu:%s,", strlen(request), request);
    assert_int_equal(say(f, text), STREAM_NEED_INPUT);
    assert_slice_equal(buffer_slice(&f->stream.output), expected);
}

static void ask_room(struct fixture *f, const char *address, unsigned long size,
                     const char *expected)
{
    char text[512], action[512];
    snprintf(text, sizeof(text),
             "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=%s\nsize=%lu\n\n",
             address, size);
    snprintf(action, sizeof(action), "action=%s\n\n", expected);
    assert_int_equal(say(f, text), STREAM_NEED_INPUT);
    assert_slice_equal(buffer_slice(&f->stream.output), action);
}

static void set_limit(struct fixture *f, struct account_id account, enum quota_resource resource,
                      uint64_t limit)
{
    struct store_view *view;
    uint64_t limits[QUOTA_RESOURCES] = {0};
    limits[resource] = limit;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, account, &view), 0);
    assert_int_equal(quota_set(view, 1U << resource, limits), 0);
    store_view_close(&view);
}

static void store_one(struct fixture *f, struct account_id account)
{
    struct store_view *view;
    struct arena arena;
    struct collection inbox;
    struct prepared_message *prepared;
    struct append_result result;
    arena_init(&arena, 1024 * 1024);
    assert_int_equal(prepared_message_create(SLICE("Subject: x\r\n\r\n"), &prepared), 0);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, account, &view), 0);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox), 0);
    const struct append append = {.message = prepared};
    assert_int_equal(mailbox_append(view, inbox.id, &append, &result), 0);
    store_view_close(&view);
    prepared_message_free(&prepared);
    arena_release(&arena);
}

static void make_group(struct fixture *f, const char *name)
{
    struct account_id id;
    const struct slice members[] = {SLICE("alice"), SLICE("bob")};
    struct slice group = slice_from_string(name);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, group, &id), 0);
    assert_int_equal(store_group_add(f->store, WHO_SYSTEM, group, members, 2), 0);
}

static void recipients(void **state)
{
    struct fixture *f = *state;
    struct slice target = SLICE("alice");
    struct account_id id;
    make_group(f, "team");
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("empty"), &id), 0);
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("info"), &target, 1), 0);
    look_up(f, "recipients alice@example.test", "21:OK alice@example.test,");
    look_up(f, "recipients Alice+lists@EXAMPLE.test", "27:OK Alice+lists@EXAMPLE.test,");
    look_up(f, "recipients info@example.test", "20:OK info@example.test,");
    look_up(f, "recipients team@example.test", "20:OK team@example.test,");
    look_up(f, "recipients empty@example.test", "9:NOTFOUND ,");
    look_up(f, "recipients carol@example.test", "9:NOTFOUND ,");
    look_up(f, "recipients alice@elsewhere.test", "9:NOTFOUND ,");
    /* What Postfix asks besides: a whole domain's. */
    look_up(f, "recipients @example.test", "9:NOTFOUND ,");
}

static void domains(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("example.org")), 0);
    look_up(f, "domains example.test", "15:OK example.test,");
    look_up(f, "domains Example.ORG", "14:OK Example.ORG,");
    look_up(f, "domains example.com", "9:NOTFOUND ,");
    look_up(f, "domains a@example.test", "9:NOTFOUND ,");
    look_up(f, "domains ", "9:NOTFOUND ,");
}

static void room(void **state)
{
    struct fixture *f = *state;
    ask_room(f, "alice@example.test", 0, "DUNNO");
    ask_room(f, "alice@example.test", 100000, "DUNNO");
    ask_room(f, "alice@example.test", 100001, "552 5.3.4 Message too large");
    /* It is not for us to refuse these. */
    ask_room(f, "carol@example.test", 100001, "DUNNO");
    ask_room(f, "alice@elsewhere.test", 100001, "DUNNO");
    set_limit(f, f->alice, QUOTA_STORAGE, 1000);
    ask_room(f, "alice@example.test", 1000, "DUNNO");
    ask_room(f, "alice+lists@example.test", 1001, "452 4.2.2 Mailbox full");
    set_limit(f, f->alice, QUOTA_MESSAGE, 1);
    ask_room(f, "alice@example.test", 0, "DUNNO");
    store_one(f, f->alice);
    ask_room(f, "alice@example.test", 0, "452 4.2.2 Mailbox full");
    /* A quota below what is used already. */
    set_limit(f, f->bob, QUOTA_STORAGE, 1);
    ask_room(f, "bob@example.test", 0, "DUNNO");
    set_limit(f, f->bob, QUOTA_STORAGE, 0);
    store_one(f, f->bob);
    set_limit(f, f->bob, QUOTA_STORAGE, 1);
    ask_room(f, "bob@example.test", 0, "452 4.2.2 Mailbox full");
}

static void room_of_a_group(void **state)
{
    struct fixture *f = *state;
    make_group(f, "team");
    set_limit(f, f->alice, QUOTA_STORAGE, 10);
    ask_room(f, "team@example.test", 100, "DUNNO");
    set_limit(f, f->bob, QUOTA_STORAGE, 10);
    ask_room(f, "team@example.test", 100, "452 4.2.2 Mailbox full");
}

static void ends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(say(f, "9:domains"), STREAM_NEED_INPUT);
    f->stream.draining = true;
    assert_int_equal(say(f, " b,"), STREAM_NEED_CLOSE);
    assert_slice_equal(buffer_slice(&f->stream.output), "9:NOTFOUND ,");
    f->stream.draining = false;
    f->stream.timed_out = "lmtp_timeout";
    assert_int_equal(say(f, ""), STREAM_NEED_CLOSE);
    f->stream.timed_out = NULL;
    assert_int_equal(say(f, "HELLO"), STREAM_NEED_CLOSE);
    assert_int_equal(f->stream.output.size, 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(recipients),      WITH_STORE(domains), WITH_STORE(room),
        WITH_STORE(room_of_a_group), WITH_STORE(ends),
    };
    return cmocka_run_group_tests_name("mta", tests, NULL, NULL);
}
