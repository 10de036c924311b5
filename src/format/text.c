#include "format/text.h"

#include "base/error.h"
#include "format/charset_priv.h"
#include "format/utf8_priv.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

bool text_is_utf8(struct slice bytes)
{
    uint32_t code;
    for (;;) {
        bytes = slice_sub(bytes, utf8_ascii_prefix(bytes), SIZE_MAX);
        size_t size = utf8_read(bytes, &code);
        if (!size)
            return bytes.size == 0;
        bytes = slice_sub(bytes, size, SIZE_MAX);
    }
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

bool text_is_net_unicode(struct slice utf8)
{
    UChar units[TEXT_NAME_MAXIMUM];
    UErrorCode error = U_ZERO_ERROR;
    int32_t count;
    uint32_t code;
    if (utf8.size > TEXT_NAME_MAXIMUM)
        return false;
    for (size_t at = 0, size; at < utf8.size; at += size) {
        size = utf8_read(slice_sub(utf8, at, 4), &code);
        if (!size || is_control(code))
            return false;
    }
    const UNormalizer2 *compose = unorm2_getNFCInstance(&error);
    u_strFromUTF8(units, TEXT_NAME_MAXIMUM, &count, utf8.data, (int32_t)utf8.size, &error);
    bool normal = unorm2_isNormalized(compose, units, count, &error);
    return U_SUCCESS(error) && normal;
}

/* The bytes from the start on that are well-formed UTF-8. */
static size_t valid_prefix(struct slice bytes)
{
    size_t done = 0, size;
    uint32_t code;
    do {
        done += utf8_ascii_prefix(slice_sub(bytes, done, SIZE_MAX));
        size = utf8_read(slice_sub(bytes, done, 4), &code);
        done += size;
    } while (size);
    return done;
}

#define REPLACEMENT SLICE("\xef\xbf\xbd") /* U+FFFD */

static int append_utf8(struct slice bytes, struct buffer *utf8)
{
    while (bytes.size && !buffer_error(utf8)) {
        size_t valid = valid_prefix(bytes);
        buffer_append(utf8, slice_sub(bytes, 0, valid));
        if (valid < bytes.size)
            buffer_append(utf8, REPLACEMENT);
        bytes = slice_sub(bytes, valid + 1, SIZE_MAX);
    }
    return buffer_error(utf8);
}

/* What windows-1252 has at 0x80 to 0x9f. ISO 8859-1 has control characters there that nobody
 * writes; who labels a text so means windows-1252. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

static int append_windows_1252(struct slice bytes, struct buffer *utf8)
{
    while (bytes.size && !buffer_error(utf8)) {
        size_t ascii = utf8_ascii_prefix(bytes);
        buffer_append(utf8, slice_sub(bytes, 0, ascii));
        if (ascii == bytes.size)
            break;
        unsigned char byte = (unsigned char)bytes.data[ascii];
        char out[4];
        uint32_t code = byte < 0xa0 ? windows_1252[byte - 0x80] : byte;
        buffer_append(utf8, slice_make(out, utf8_write(code, out)));
        bytes = slice_sub(bytes, ascii + 1, SIZE_MAX);
    }
    return buffer_error(utf8);
}

static bool is_one_of(struct slice charset, const char *const *names)
{
    for (; *names; names++)
        if (slice_equal_nocase(charset, slice_from_string(*names)))
            return true;
    return false;
}

int text_to_utf8(struct slice charset, struct slice bytes, struct buffer *utf8)
{
    static const char *const utf8_names[] = {"", "utf-8", "us-ascii", "utf8", "ascii", NULL};
    static const char *const latin_names[] = {"iso-8859-1", "windows-1252", "latin1", "cp1252",
                                              NULL};
    if (is_one_of(charset, utf8_names))
        return append_utf8(bytes, utf8);
    if (is_one_of(charset, latin_names))
        return append_windows_1252(bytes, utf8);
    return charset_to_utf8(charset, bytes, utf8);
}

/* Search keys. */

static void append_ascii_key(struct slice ascii, bool title, struct buffer *key)
{
    const char first = title ? 'a' : 'A';
    const char other = title ? 'A' - 'a' : 'a' - 'A';
    char *room = buffer_reserve(key, ascii.size);
    if (!room)
        return;
    for (size_t i = 0; i < ascii.size; i++) {
        char c = ascii.data[i];
        room[i] = (char)(c >= first && c <= first + 25 ? c + other : c);
    }
    buffer_commit(key, ascii.size);
}

enum {
    RUN = 128,           /* bytes given to ICU at once */
    UNITS = RUN * 6 * 3, /* UTF-16 units: decomposition makes at most 18 of three bytes (U+FDFA),
                            folding at most 3 of one */
};

/* How much of the valid UTF-8 to fold at once: at most RUN bytes, ending before a character that
 * combines with nothing before it, where there is one. */
static size_t run_size(struct slice text)
{
    if (text.size <= RUN)
        return text.size;
    size_t best = 0, at = 0, size;
    uint32_t code;
    while (at < RUN && (size = utf8_read(slice_sub(text, at, 4), &code)) && at + size <= RUN) {
        if (at && u_getCombiningClass((UChar32)code) == 0)
            best = at;
        at += size;
    }
    return best ? best : at;
}

/* Each character in title case, by the mapping that makes one of one. */
static int32_t to_title(UChar *to, const UChar *from, int32_t size)
{
    int32_t written = 0;
    for (int32_t i = 0; i < size;) {
        UChar32 code;
        U16_NEXT(from, i, size, code);
        U16_APPEND_UNSAFE(to, written, u_totitle(code));
    }
    return written;
}

/* RFC 5051 section 2: in title case, then decomposed. For searches it is folded instead:
 * decomposed, folded, decomposed again, as folding may compose. */
static int append_run(struct slice run, bool title, struct buffer *key)
{
    UChar a[UNITS], b[UNITS];
    UErrorCode error = U_ZERO_ERROR;
    int32_t size;
    const UNormalizer2 *decompose = unorm2_getNFKDInstance(&error);
    u_strFromUTF8(a, RUN, &size, run.data, (int32_t)run.size, &error);
    if (title && U_SUCCESS(error)) {
        size = to_title(b, a, size);
        u_memcpy(a, b, size);
    } else {
        size = unorm2_normalize(decompose, a, size, b, UNITS, &error);
        size = u_strFoldCase(a, UNITS, b, size, U_FOLD_CASE_DEFAULT, &error);
    }
    size = unorm2_normalize(decompose, a, size, b, UNITS, &error);
    if (U_FAILURE(error))
        return buffer_append(key, run);
    char *room = buffer_reserve(key, (size_t)size * 3);
    int32_t written = 0;
    if (room)
        u_strToUTF8(room, size * 3, &written, b, size, &error);
    if (room)
        buffer_commit(key, (size_t)written);
    return buffer_error(key);
}

static int append_key(struct slice utf8, bool title, struct buffer *key)
{
    while (utf8.size && !buffer_error(key)) {
        size_t ascii = utf8_ascii_prefix(utf8);
        append_ascii_key(slice_sub(utf8, 0, ascii), title, key);
        utf8 = slice_sub(utf8, ascii, SIZE_MAX);
        size_t size = run_size(slice_sub(utf8, 0, valid_prefix(slice_sub(utf8, 0, RUN + 4))));
        if (size)
            append_run(slice_sub(utf8, 0, size), title, key);
        else
            buffer_append(key, slice_sub(utf8, 0, size = 1));
        utf8 = slice_sub(utf8, size, SIZE_MAX);
    }
    return buffer_error(key);
}

int text_search_key(struct slice utf8, struct buffer *key)
{
    return append_key(utf8, false, key);
}

int text_sort_key(struct slice utf8, struct buffer *key)
{
    return append_key(utf8, true, key);
}

bool text_contains(struct slice text, struct slice key, struct buffer *scratch)
{
    buffer_clear(scratch);
    if (text_search_key(text, scratch))
        return false;
    return key.size == 0 ||
           (scratch->size >= key.size && memmem(scratch->data, scratch->size, key.data, key.size));
}
