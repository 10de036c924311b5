#include "kv/kv.h"
#include "store/deliver.h"
#include "store/dump.h"
#include "store/script.h"
#include "store/urlauth.h"
#include "store_test.h"

struct lines {
    struct buffer text; /* all, each with a '\n' in front and behind */
    unsigned count, limit;
};

static int add_line(const char *text, void *arg)
{
    struct lines *lines = arg;
    buffer_append_format(&lines->text, "\n%s\n", text);
    return ++lines->count == lines->limit ? ERROR_CLOSED : 0;
}

static struct lines dump(struct fixture *f)
{
    struct lines lines = {.limit = 100000};
    buffer_init(&lines.text, 16 * 1024 * 1024);
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, add_line, &lines), 0);
    return lines;
}

static void assert_has(const struct lines *lines, const char *part)
{
    if (!strstr(lines->text.data, part)) {
        print_error("%s is not in\n%s", part,
                    lines->text.data + (lines->text.size > 300 ? lines->text.size - 300 : 0));
        fail();
    }
}

/* Something of every family there is. */
static void fill(struct fixture *f)
{
    collection_id box = make_mailbox(f, "A \"box\"");
    struct slice keyword = SLICE("$Word");
    struct flag_change change = {.operation = FLAGS_ADD,
                                 .keywords = &keyword,
                                 .keyword_count = 1,
                                 .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(1, 10), expunged;
    uint64_t modseq;
    append_many(f, box, 150);
    uint8_t token[URLAUTH_TOKEN_SIZE];
    assert_int_equal(urlauth_sign(f->view, box, SLICE("x"), token), 0);
    append_text(f, box, "Message-ID: <a@x>\r\nSubject: thread\r\n\r\n", 0);
    const struct remembered remembered = {7, f->now + 1};
    const struct delivery_plan plan = {
        .delivery = 5, .remembered = &remembered, .remembered_count = 1};
    struct store_view *system = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(store_deliver(system, &plan), 0);
    store_view_close(&system);
    append_text(f, box, "Subject: gone\r\n\r\n", ENTRY_DELETED);
    assert_int_equal(mailbox_change_flags(f->view, box, &uids, &change, &modseq, NULL), 0);
    range_set_init(&expunged, 100);
    assert_int_equal(mailbox_expunge(f->view, box, NULL, &expunged, &modseq), 0);
    assert_int_equal(collection_delete(f->view, make_mailbox(f, "Short-lived")), 0);
    assert_int_equal(script_put(f->view, SLICE("rules"), SLICE("keep;")), 0);
    assert_int_equal(script_activate(f->view, SLICE("rules")), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

static void test_families(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct lines lines = dump(f);
    assert_has(&lines, "\naccount: modseq=");
    assert_has(&lines, " name=\"A \\x22box\\x22\" type=1 ");
    assert_has(&lines, "\npage-directory 7:\n");
    assert_has(&lines, "\n    uid=150 flags=0 ");
    assert_has(&lines, " keywords=1/0 ");
    assert_has(&lines, "\nkeywords 7: 0=\"$Word\"\n");
    assert_has(&lines, "\nname 1 0 \"INBOX\": number=1\n");
    assert_has(&lines, "\nvanished 7 ");
    assert_has(&lines, " place=7/1x/150\n");
    assert_has(&lines, " thread=151 ");
    assert_has(&lines, "\nthread 151 151: received=2001-09-09T01:46:40Z id=");
    assert_has(&lines, "\nthread-id ");
    assert_has(&lines, "\naccess-key 7: bytes=33\n");
    assert_has(&lines, "\ndelivered ");
    assert_has(&lines, "\nremembered ");
    assert_has(&lines, " internal_date=2001-09-09T01:46:40Z ");
    assert_has(&lines, "\nscripts: next=2 active=1\n");
    assert_has(&lines, "\n    name=\"rules\" script=1 bytes=5 modseq=");
    assert_has(&lines, "\nscript 1: bytes=5 text=\"keep;\"\n");
    assert_null(strstr(lines.text.data, "unknown"));
    assert_null(strstr(lines.text.data, "corrupt"));
    buffer_release(&lines.text);
}

static int damage(struct kv_transaction *transaction, void *arg)
{
    (void)arg;
    int error = kv_put(transaction, SLICE("a"), SLICE("\1short"));
    return error ? error : kv_put(transaction, SLICE("~\x80"), SLICE("\xff?"));
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    struct kv *kv;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_RELAXED, damage, NULL), 0);
    kv_close(&kv);
    struct lines lines = dump(f);
    assert_has(&lines, "\naccount: corrupt: \"\\x01short\"\n");
    assert_has(&lines, "\nunknown \"~\\x80\": unsupported: \"\\xff?\"\n");
    buffer_release(&lines.text);
}

static void test_ends_and_rights(void **state)
{
    struct fixture *f = *state;
    struct lines lines = {.limit = 3};
    buffer_init(&lines.text, 1024 * 1024);
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, add_line, &lines),
                     ERROR_CLOSED);
    assert_int_equal(lines.count, 3);
    assert_int_equal(
        store_dump_account(f->store, who_account(f->alice), f->alice, add_line, &lines),
        ERROR_DENIED);
    assert_int_equal(lines.count, 3);
    buffer_release(&lines.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_families),
        ON_BOTH(test_damaged),
        ON_BOTH(test_ends_and_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
