#include "format/base64.h"
#include "format_test.h"

/* RFC 4648 section 10. */
static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void test_vectors(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(base64_encode(slice_from_string(vectors[i][0]), &buffer), 0);
        assert_buffer(&buffer, vectors[i][1]);
        assert_int_equal(base64_decode(slice_from_string(vectors[i][1]), &buffer), 0);
        assert_buffer(&buffer, vectors[i][0]);
    }
    buffer_release(&buffer);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Z",     "Zg",       "Zg=",      "Zh==",   "Zm9=", "=",
                                        "====",  "Zg==Zg==", "Zm9v\r\n", "Zm 9v",  "Z===", "Zm-_",
                                        "Zg===", "Zm9v====", "Zg=\n",    "\x80mg="};
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_append_string(&buffer, "kept");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(base64_decode(slice_from_string(wrong[i]), &buffer), ERROR_SYNTAX);
    assert_buffer(&buffer, "kept");
    buffer_release(&buffer);
}

static void test_all_bytes_and_limit(void **state)
{
    (void)state;
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    struct buffer text, back;
    buffer_init(&text, 400);
    buffer_init(&back, 256);
    for (size_t size = 0; size <= 256; size++) {
        buffer_clear(&text);
        buffer_clear(&back);
        assert_int_equal(base64_encode(slice_make(bytes, size), &text), 0);
        assert_int_equal(base64_decode(buffer_slice(&text), &back), 0);
        assert_true(slice_equal(buffer_slice(&back), slice_make(bytes, size)));
    }
    assert_int_equal(base64_decode(SLICE("Zm9v"), &back), ERROR_LIMIT);
    buffer_release(&text);
    buffer_release(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_bytes_and_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
