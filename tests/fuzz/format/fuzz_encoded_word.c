/*
 * Header decoding and search keys; the first byte chooses a charset for text_to_utf8.
 */
#include "base/error.h"
#include "format/html_text.h"
#include "format/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const charsets[] = {"",          "utf-8", "iso-8859-1", "iso-2022-jp",
                                           "shift_jis", "utf-7", "gb2312",     "utf-16",
                                           "koi8-r",    "big5",  "hz-gb-2312", "no-such-charset"};
    struct buffer text, key, scratch;
    buffer_init(&text, 1 << 20);
    buffer_init(&key, 4 << 20);
    buffer_init(&scratch, 4 << 20);
    if (text_decode_header(slice_make(data, size), &text) == 0) {
        if (!text_is_utf8(buffer_slice(&text)) || (text.size && memchr(text.data, '\0', text.size)))
            abort();
        if (text_search_key(buffer_slice(&text), &key) ||
            !text_contains(buffer_slice(&text), buffer_slice(&key), &scratch))
            abort();
    }
    buffer_clear(&text);
    if (size) {
        size_t count = sizeof(charsets) / sizeof(charsets[0]);
        struct slice charset = slice_from_string(charsets[data[0] % count]);
        if (text_to_utf8(charset, slice_make(data + 1, size - 1), &text) == 0 &&
            !text_is_utf8(buffer_slice(&text)))
            abort();
    }
    buffer_clear(&key);
    text_search_key(slice_make(data, size), &key);
    buffer_clear(&text);
    html_text(slice_make(data, size), &text);
    buffer_release(&text);
    buffer_release(&key);
    buffer_release(&scratch);
    return 0;
}
