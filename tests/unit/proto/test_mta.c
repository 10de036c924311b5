#include "base/error.h"
#include "proto/mta/engine.h"

#include "../check.h"

/* Questions are logged in brackets, answers as they are. Keys that begin with the name of an error
 * are answered with it. */
static int decide(struct slice key)
{
    static const struct {
        const char *prefix;
        int error;
    } rows[] = {
        {"unknown", ERROR_NOT_FOUND}, {"bad", ERROR_SYNTAX},  {"busy", ERROR_BUSY},
        {"full", ERROR_QUOTA},        {"large", ERROR_LIMIT}, {"broken", ERROR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (slice_starts_with(key, slice_from_string(rows[i].prefix)))
            return rows[i].error;
    return 0;
}

static void ask(struct mta *mta, struct buffer *output)
{
    static const char *const names[] = {
        [MTA_RECIPIENT] = "recipient", [MTA_DOMAIN] = "domain", [MTA_ROOM] = "room"};
    buffer_append_format(output, "[%s ", names[mta->question]);
    buffer_append(output, mta->key);
    if (mta->question == MTA_ROOM)
        buffer_append_format(output, " %llu", (unsigned long long)mta->size);
    buffer_append_string(output, "]");
    mta_answer(mta, decide(mta->key), output);
}

static bool feed(struct mta *mta, struct slice input, struct buffer *output)
{
    for (;;) {
        enum mta_action action = mta_consume(mta, &input, output);
        if (action == MTA_CLOSE)
            return false;
        if (action == MTA_MORE)
            return true;
        ask(mta, output);
    }
}

static void check_pieces(struct slice input, size_t piece, const char *expected, const char *file,
                         int line)
{
    struct mta mta;
    struct buffer output;
    bool open = true;
    mta_init(&mta);
    buffer_init(&output, 1024 * 1024);
    while (input.size && open) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        open = feed(&mta, part, &output);
    }
    if (!open)
        buffer_append_string(&output, "CLOSED");
    check_slice(buffer_slice(&output), expected, file, line);
    buffer_release(&output);
    mta_release(&mta);
}

static void check_slices(struct slice input, const char *expected, const char *file, int line)
{
    check_pieces(input, SIZE_MAX, expected, file, line);
    check_pieces(input, 1, expected, file, line);
    check_pieces(input, 5, expected, file, line);
}

#define check(input, expected) check_slices(SLICE(input), expected, __FILE__, __LINE__)

/* socketmap_table(5) */
static void test_socketmap(void **state)
{
    (void)state;
    check("14:recipients a@b,", "[recipient a@b]6:OK a@b,");
    check("18:recipients unknown,", "[recipient unknown]9:NOTFOUND ,");
    check("14:recipients bad,", "[recipient bad]9:NOTFOUND ,");
    check("15:recipients busy,", "[recipient busy]39:TEMP It is in use or away at the moment,");
    check("17:recipients broken,", "[recipient broken]27:TEMP Stored data is damaged,");
    check("11:recipients ,", "[recipient ]3:OK ,");
    check("10:recipients,", "[recipient ]3:OK ,");
    check("9:domains b,9:domains c,", "[domain b]4:OK b,[domain c]4:OK c,");
    check("14:recipients a b,", "[recipient a b]6:OK a b,");
    check("9:virtual a,", "50:PERM no such map: there are recipients and domains,");
}

static void test_socketmap_malformed(void **state)
{
    (void)state;
    check("0:,", "CLOSED");
    check("09:domains b,", "CLOSED");
    check("x9:domains b,", "");
    check("9 :domains b,", "CLOSED");
    check(":domains b,", "CLOSED");
    check("9:domains b;", "CLOSED");
    check("8:domains b,", "CLOSED");
    check("-1:x,", "CLOSED");
    check("\n", "CLOSED");
}

static void check_lookup(size_t size, bool fits)
{
    struct buffer input, expected;
    buffer_init(&input, 2 * MTA_LOOKUP_MAXIMUM);
    buffer_init(&expected, 4 * MTA_LOOKUP_MAXIMUM);
    buffer_append_format(&input, "%zu:domains ", size);
    for (size_t i = 8; i < size; i++)
        buffer_append_byte(&input, 'x');
    struct slice key = slice_sub(buffer_slice(&input), input.size - (size - 8), SIZE_MAX);
    if (fits)
        buffer_append_format(&expected, "[domain %.*s]%zu:OK %.*s,", SLICE_FORMAT(key),
                             key.size + 3, SLICE_FORMAT(key));
    else
        buffer_append_string(&expected, "CLOSED");
    buffer_append_byte(&input, ',');
    check_slices(buffer_slice(&input), expected.data, __FILE__, __LINE__);
    buffer_release(&input);
    buffer_release(&expected);
}

static void test_lookup_limit(void **state)
{
    (void)state;
    check_lookup(MTA_LOOKUP_MAXIMUM, true);
    check_lookup(MTA_LOOKUP_MAXIMUM + 1, false);
    check("99999999999999999999999:domains", "CLOSED");
}

/* SMTPD_POLICY_README */
#define POLICY "request=smtpd_access_policy\n"
#define RCPT   POLICY "protocol_state=RCPT\nprotocol_name=ESMTP\n"

static void test_policy(void **state)
{
    (void)state;
    check(RCPT "recipient=a@b\nsize=0\n\n", "[room a@b 0]action=DUNNO\n\n");
    check(RCPT "size=12345\nrecipient=full@b\n\n",
          "[room full@b 12345]action=452 4.2.2 Mailbox full\n\n");
    check(RCPT "recipient=large@b\n\n", "[room large@b 0]action=552 5.3.4 Message too large\n\n");
    check(RCPT "recipient=busy@b\n\n", "[room busy@b 0]action=451 4.3.0 Try again later\n\n");
    check(RCPT "recipient=unknown@b\n\n", "[room unknown@b 0]action=DUNNO\n\n");
    check(RCPT "recipient=a=b\nsize=x\nsender=\n\n" RCPT "recipient=c\nsize=99999999999999999999999"
               "\n\n",
          "[room a=b 0]action=DUNNO\n\n[room c 18446744073709551615]action=DUNNO\n\n");
    /* Nothing to ask about. */
    check(POLICY "protocol_state=DATA\nrecipient=a@b\n\n", "action=DUNNO\n\n");
    check(POLICY "protocol_state=RCPT\nrecipient=\n\n", "action=DUNNO\n\n");
    check(POLICY "\n9:domains b,", "action=DUNNO\n\n[domain b]4:OK b,");
}

static void test_policy_malformed(void **state)
{
    (void)state;
    check("request=junk_policy\nprotocol_state=RCPT\nrecipient=a\n\n", "CLOSED");
    check("recipient=a\n\n", "CLOSED");
    check("request\n\n", "CLOSED");
    check(POLICY "a\0b=c\n\n", "CLOSED");
    check("GET / HTTP/1.1\r\n", "CLOSED");
}

/* A request of so many bytes, its last newline not counted. */
static void check_policy(size_t size, const char *expected)
{
    struct buffer input;
    buffer_init(&input, 2 * MTA_POLICY_MAXIMUM);
    buffer_append_string(&input, POLICY "x=");
    while (input.size < size - 1)
        buffer_append_byte(&input, 'x');
    buffer_append_string(&input, "\n\n");
    check_slices(buffer_slice(&input), expected, __FILE__, __LINE__);
    buffer_release(&input);
}

static void test_policy_limit(void **state)
{
    (void)state;
    check_policy(MTA_POLICY_MAXIMUM, "action=DUNNO\n\n");
    check_policy(MTA_POLICY_MAXIMUM + 1, "CLOSED");
}

static void test_output_limit(void **state)
{
    (void)state;
    struct mta mta;
    struct buffer output, input;
    mta_init(&mta);
    buffer_init(&output, 2 * MTA_REPLY_MAXIMUM);
    buffer_init(&input, 65536);
    for (int i = 0; i < 1000; i++)
        buffer_append_string(&input, "3:x y,");
    struct slice rest = buffer_slice(&input);
    while (rest.size) {
        size_t before = rest.size;
        assert_int_equal(mta_consume(&mta, &rest, &output), MTA_MORE);
        assert_true(rest.size < before);
        assert_int_equal(buffer_error(&output), 0);
        buffer_clear(&output);
    }
    buffer_release(&input);
    buffer_release(&output);
    mta_release(&mta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socketmap),        cmocka_unit_test(test_socketmap_malformed),
        cmocka_unit_test(test_lookup_limit),     cmocka_unit_test(test_policy),
        cmocka_unit_test(test_policy_malformed), cmocka_unit_test(test_policy_limit),
        cmocka_unit_test(test_output_limit),
    };
    return cmocka_run_group_tests_name("mta", tests, NULL, NULL);
}
