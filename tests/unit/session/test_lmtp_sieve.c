/*
 * LMTP with scripts, over a store in memory: what a script asks of annotations, and that a message
 * is parsed once for all its recipients.
 */
#include "lmtp_fixture.h"
#include "store/annotation.h"
#include "store/check.h"
#include "store/script.h"
#include "store/site_script.h"

enum { RECIPIENTS = FIXTURE_ACCOUNTS };

/* The linker puts it in front of the one there is. */
static unsigned parsed;
int __real_prepared_message_create(struct slice message, struct prepared_message **prepared);
int __wrap_prepared_message_create(struct slice message, struct prepared_message **prepared);

int __wrap_prepared_message_create(struct slice message, struct prepared_message **prepared)
{
    parsed++;
    return __real_prepared_message_create(message, prepared);
}

/* Another delivery makes the mailbox first. */
static bool others_are_faster;
int __real_collection_create(struct store_view *view, enum collection_type type, struct slice path,
                             enum collection_role role, collection_id *id);
int __wrap_collection_create(struct store_view *view, enum collection_type type, struct slice path,
                             enum collection_role role, collection_id *id);

int __wrap_collection_create(struct store_view *view, enum collection_type type, struct slice path,
                             enum collection_role role, collection_id *id)
{
    collection_id made;
    if (others_are_faster)
        assert_int_equal(__real_collection_create(view, type, path, role, &made), 0);
    return __real_collection_create(view, type, path, role, id);
}

static int set_up(void **state)
{
    fixture_set_up((struct store_options){0}, state);
    struct fixture *f = *state;
    for (size_t i = 0; i < RECIPIENTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%zu", i);
        fixture_add_account(f, i, name);
    }
    return lmtp_protocol.open(&f->stream);
}

static void say(struct fixture *f, const char *text)
{
    f->stream.input = slice_from_string(text);
    run(f);
}

/* To the first accounts; every reply must be a success. */
static void deliver(struct fixture *f, int recipients, const char *message)
{
    say(f, "LHLO x.example.org\r\nMAIL FROM:<s@example.org>\r\n");
    for (int i = 0; i < recipients; i++) {
        char line[64];
        snprintf(line, sizeof(line), "RCPT TO:<user%d@example.test>\r\n", i);
        say(f, line);
    }
    say(f, "DATA\r\n");
    buffer_clear(&f->replies);
    say(f, message);
    say(f, "\r\n.\r\n");
    buffer_append_byte(&f->replies, '\0');
    int delivered = 0;
    for (const char *at = f->replies.data; (at = strstr(at, "250 2.0.0")); at++)
        delivered++;
    assert_int_equal(delivered, recipients);
}

static struct store_view *open_view(struct fixture *f, int account)
{
    struct store_view *view = NULL;
    assert_int_equal(
        store_view_open(f->store, who_account(f->accounts[account]), f->accounts[account], &view),
        0);
    return view;
}

static void put_script(struct fixture *f, int account, const char *text)
{
    struct store_view *view = open_view(f, account);
    assert_int_equal(script_put(view, SLICE("rules"), slice_from_string(text)), 0);
    assert_int_equal(script_activate(view, SLICE("rules")), 0);
    store_view_close(&view);
}

static struct collection find(struct fixture *f, int account, const char *path)
{
    struct arena arena;
    struct collection found = {0};
    struct store_view *view = open_view(f, account);
    arena_init(&arena, 65536);
    assert_int_equal(
        collection_find(view, COLLECTION_MAILBOX, slice_from_string(path), &arena, &found), 0);
    arena_release(&arena);
    store_view_close(&view);
    return found;
}

static void a_message_is_parsed_once_for_all(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < RECIPIENTS; i++)
        put_script(f, i,
                   "require [\"fileinto\", \"copy\", \"imap4flags\"]; fileinto :copy \"Archive\"; "
                   "keep :flags \"\\\\Seen\";");
    parsed = 0;
    deliver(f, RECIPIENTS, "Subject: one\r\n\r\nx");
    assert_int_equal(parsed, 1);
    for (int i = 0; i < RECIPIENTS; i++) {
        assert_int_equal(find(f, i, "INBOX").messages, 1);
        assert_int_equal(find(f, i, "INBOX").unseen, 0);
        assert_int_equal(find(f, i, "Archive").messages, 1);
    }
    /* Once more for each that is changed. */
    put_script(f, 3, "require \"editheader\"; addheader \"X-A\" \"b\";");
    parsed = 0;
    deliver(f, RECIPIENTS, "Subject: two\r\n\r\nx");
    assert_int_equal(parsed, 2);
}

static int set(struct store_view *view, collection_id mailbox, const char *name, const char *value)
{
    const struct annotation annotation = {.scope = ANNOTATION_PRIVATE,
                                          .name = slice_from_string(name),
                                          .value = slice_from_string(value)};
    return annotations_set(view, mailbox, &annotation, 1);
}

/* RFC 5490: of mailboxes and, as the server's, of the account. */
static void scripts_ask_for_annotations(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = open_view(f, 0);
    put_script(f, 0,
               "require [\"fileinto\", \"mboxmetadata\", \"servermetadata\"];"
               "if allof (metadata \"Inbox\" \"/private/comment\" \"mine\","
               "          servermetadata \"/private/vendor/a/b\" \"all\","
               "          metadataexists \"INBOX\" \"/private/comment\","
               "          not metadataexists \"Archive\" \"/private/comment\","
               "          not metadataexists \"Nowhere\" \"/private/comment\","
               "          not metadataexists \"INBOX\" \"nonsense\") { fileinto \"Archive\"; }");
    deliver(f, 1, "Subject: one\r\n\r\nx");
    assert_int_equal(find(f, 0, "Archive").messages, 0);
    assert_int_equal(set(view, find(f, 0, "INBOX").id, "/comment", "mine"), 0);
    assert_int_equal(set(view, 0, "/vendor/a/b", "all"), 0);
    deliver(f, 1, "Subject: two\r\n\r\nx");
    assert_int_equal(find(f, 0, "Archive").messages, 1);
    store_view_close(&view);
}

static void report(enum check_finding finding, const char *text, void *arg)
{
    (void)finding, (void)arg;
    print_error("%s\n", text);
}

static void accounts_stay_whole(void **state)
{
    struct fixture *f = *state;
    const struct check_options options = {.deep = true, .report = report};
    struct check_result result;
    put_script(f, 0,
               "require [\"fileinto\", \"mailbox\", \"copy\", \"editheader\", \"duplicate\"];"
               "if duplicate { discard; stop; }"
               "fileinto :create :copy \"a/b\"; addheader \"X\" \"y\"; fileinto :copy \"Sent\";");
    for (int i = 0; i < 3; i++)
        deliver(f, 2, "Subject: one\r\nMessage-ID: <1@x>\r\n\r\nx");
    assert_int_equal(find(f, 0, "INBOX").messages, 1);
    assert_int_equal(find(f, 0, "a/b").messages, 1);
    assert_int_equal(find(f, 0, "Sent").messages, 1);
    assert_int_equal(find(f, 1, "INBOX").messages, 3);
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->accounts[0], &options, &result),
                     0);
    assert_int_equal(result.wrong + result.lost, 0);
}

/* A script with so many commands, each with its number. */
static const char *repeat(struct buffer *text, const char *head, const char *command, int count)
{
    buffer_clear(text);
    buffer_append_string(text, head);
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        for (const char *at = command; *at; at++)
            if (*at == '#')
                buffer_append_string(text, number);
            else
                buffer_append_byte(text, *at);
    }
    buffer_append_byte(text, '\0');
    return text->data;
}

static void put_site(struct fixture *f, struct slice domain, const char *text)
{
    const struct site_script script = {.place = SITE_BEFORE, .domain = domain};
    assert_int_equal(site_script_put(f->store, WHO_SYSTEM, &script, slice_from_string(text)), 0);
}

/* Several scripts can want more than one delivery may do: what is kept is there all the same, and
 * the owner is told. */
static void what_all_scripts_want_has_a_limit(void **state)
{
    static const char head[] = "require [\"fileinto\", \"copy\", \"mailbox\", \"duplicate\"];";
    struct fixture *f = *state;
    struct buffer text;
    buffer_init(&text, 65536);
    put_site(f, SLICE(""), repeat(&text, head, "fileinto :copy :create \"site/#\";", 60));
    put_script(f, 0, repeat(&text, head, "fileinto :copy :create \"own/#\";", 60));
    deliver(f, 1, "Subject: one\r\n\r\nx");
    assert_int_equal(find(f, 0, "site/59").messages, 1);
    assert_int_equal(find(f, 0, "own/17").messages, 1);
    assert_int_equal(find(f, 0, "own/18").messages, 0);
    assert_int_equal(find(f, 0, "INBOX").messages, 2);
    const char *mark = "if duplicate :uniqueid \"#\" { stop; }";
    put_site(f, SLICE(""), repeat(&text, head, mark, 30));
    put_site(f, SLICE("example.test"),
             repeat(&text, head, "if duplicate :uniqueid \"d#\" { }", 30));
    put_script(f, 1, repeat(&text, head, "if duplicate :uniqueid \"u#\" { discard; }", 30));
    deliver(f, 2, "Subject: two\r\n\r\nx");
    assert_int_equal(find(f, 1, "INBOX").messages, 2);
    buffer_release(&text);
}

/* A large message is not held in ever so many ways. */
static void changed_messages_have_a_limit(void **state)
{
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567\r\n";
    const size_t lines = 24 * 1024 * 1024 / (sizeof(line) - 1);
    struct fixture *f = *state;
    struct buffer text;
    buffer_init(&text, 32 * 1024 * 1024);
    put_script(f, 0,
               "require [\"fileinto\", \"copy\", \"mailbox\", \"editheader\"];"
               "addheader \"X-A\" \"b\"; fileinto :copy :create \"one\";"
               "addheader \"X-A\" \"b\"; fileinto :copy :create \"two\";"
               "addheader \"X-A\" \"b\"; fileinto :copy :create \"three\"; discard;");
    buffer_append_string(&text, "Subject: large\r\n\r\n");
    for (size_t i = 0; i < lines; i++)
        buffer_append_string(&text, line);
    buffer_append_byte(&text, '\0');
    deliver(f, 1, text.data);
    uint64_t one = find(f, 0, "one").size, two = find(f, 0, "two").size;
    assert_int_equal(two - one, sizeof("X-A: b\r\n") - 1);
    assert_int_equal(find(f, 0, "three").size, one - (two - one)); /* as it came */
    assert_int_equal(find(f, 0, "INBOX").messages, 1);             /* the notice */
    buffer_release(&text);
}

static void a_mailbox_that_another_delivery_makes(void **state)
{
    struct fixture *f = *state;
    put_script(f, 0, "require [\"fileinto\", \"mailbox\"]; fileinto :create \"new/box\";");
    others_are_faster = true;
    deliver(f, 1, "Subject: one\r\n\r\nx");
    others_are_faster = false;
    assert_int_equal(find(f, 0, "new/box").messages, 1);
    assert_int_equal(find(f, 0, "INBOX").messages, 0);
}

static int spoil(struct kv_transaction *transaction, void *arg)
{
    (void)arg;
    return kv_put(transaction, SLICE("j"), SLICE("\1?"));
}

/* What a check can mend is not what mail waits for. */
static void scripts_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = NULL;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    put_script(f, 0, "discard;");
    account_id_format(f->accounts[0], id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_RELAXED, spoil, NULL), 0);
    kv_close(&kv);
    deliver(f, 2, "Subject: one\r\n\r\nx");
    assert_int_equal(find(f, 0, "INBOX").messages, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_parsed_once_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_ask_for_annotations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts_stay_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_all_scripts_want_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_messages_have_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mailbox_that_another_delivery_makes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_that_cannot_be_read, set_up, tear_down),
    };
    log_init("test_session_lmtp_sieve", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
