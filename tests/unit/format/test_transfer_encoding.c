#include "format/transfer_encoding.h"
#include "format_test.h"

struct row {
    enum summary_encoding encoding;
    const char *encoded, *decoded;
};

#define BASE64 SUMMARY_ENCODING_BASE64
#define QUOTED SUMMARY_ENCODING_QUOTED_PRINTABLE

static const struct row rows[] = {
    {SUMMARY_ENCODING_IDENTITY, "a=20 \r\n", "a=20 \r\n"},
    {SUMMARY_ENCODING_UNKNOWN, "a=20 \r\n", "a=20 \r\n"},
    {BASE64, "Zm9v\r\nYmFy", "foobar"},
    {BASE64, "Zm9vYg==", "foob"},
    {BASE64, "Z.m-9 v\tYg=", "foob"},
    {BASE64, "Zg==Zg==", "f"}, /* padding ends it */
    {BASE64, "Zm9vY", "foo"},  /* six bits left over */
    {QUOTED, "a=3Db=e9=E9\r\n", "a=b\xe9\xe9\r\n"},
    {QUOTED, "soft=\r\nbreak=\nagain=  \t\r\nend", "softbreakagainend"},
    {QUOTED, "blanks  \t\r\nbefore \nends ", "blanks\r\nbefore\nends"},
    {QUOTED, "inner  blanks", "inner  blanks"},
    {QUOTED, "wrong =G0 =1 ==41 =4", "wrong =G0 =1 =A =4"},
    {QUOTED, "end=", "end"},
    {QUOTED, "= x", "= x"},
    /* RFC 2045 section 6.7 */
    {QUOTED, "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
     "Now's the time for all folk to come to the aid of their country."},
};

static void decode(const struct row *row, size_t piece, struct buffer *decoded)
{
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, row->encoding);
    struct slice encoded = slice_from_string(row->encoded);
    for (size_t i = 0; i < encoded.size; i += piece)
        assert_int_equal(transfer_decode(&decoder, slice_sub(encoded, i, piece), decoded), 0);
    assert_int_equal(transfer_decode_end(&decoder, decoded), 0);
    assert_buffer(decoded, row->decoded);
}

static void test_in_pieces(void **state)
{
    (void)state;
    struct buffer decoded;
    buffer_init(&decoded, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t piece = 1; piece < 20; piece++)
            decode(&rows[i], piece, &decoded);
    buffer_release(&decoded);
}

static void test_long_runs_of_blanks(void **state)
{
    (void)state;
    char blanks[5000];
    memset(blanks, ' ', sizeof(blanks));
    blanks[sizeof(blanks) - 1] = 'x';
    struct buffer decoded;
    buffer_init(&decoded, sizeof(blanks));
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, SUMMARY_ENCODING_QUOTED_PRINTABLE);
    assert_int_equal(transfer_decode(&decoder, slice_make(blanks, sizeof(blanks)), &decoded), 0);
    assert_int_equal(transfer_decode_end(&decoder, &decoded), 0);
    assert_true(slice_equal(buffer_slice(&decoded), slice_make(blanks, sizeof(blanks))));
    assert_int_equal(transfer_decode(&decoder, SLICE("more"), &decoded), ERROR_LIMIT);
    buffer_release(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_long_runs_of_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
