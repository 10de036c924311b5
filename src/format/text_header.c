/*
 * Header fields for people: unfolding and encoded words (RFC 2047).
 *
 * Encoded words are decoded wherever they stand: many programs write them where section 5 forbids
 * it, in quoted strings and in the middle of words, and longer than 75 characters. Words with
 * blanks alone between them are joined, and those in one charset are converted together, as some
 * programs cut in the middle of a character.
 */
#include "base/error.h"
#include "format/charset_priv.h"
#include "format/field_priv.h"
#include "format/text.h"
#include "format/transfer_encoding.h"

struct encoded_word {
    struct slice charset; /* without RFC 2231's language */
    struct slice text;
    bool base64;
};

struct header_decoder {
    struct buffer *utf8;
    struct buffer bytes;  /* decoded words that wait for more of the same charset */
    struct slice charset; /* of bytes */
    bool after_word;
};

static bool split_word(struct slice s, struct encoded_word *word, size_t *size)
{
    size_t charset_end = 2 + slice_find(slice_sub(s, 2, CHARSET_NAME_MAXIMUM + 40), '?');
    if (charset_end + 3 >= s.size || s.data[charset_end] != '?' || s.data[charset_end + 2] != '?')
        return false;
    char encoding = (char)(s.data[charset_end + 1] | 0x20);
    size_t start = charset_end + 3, end = start;
    while (end < s.size && s.data[end] != '?')
        end++;
    if ((encoding != 'b' && encoding != 'q') || end + 1 >= s.size || s.data[end + 1] != '=')
        return false;
    word->charset = slice_sub(s, 2, charset_end - 2);
    word->charset.size = slice_find(word->charset, '*');
    word->text = slice_sub(s, start, end - start);
    word->base64 = encoding == 'b';
    *size = end + 2;
    return true;
}

/* Section 4.2: quoted-printable but for "_", and without its rules for line ends. */
static void decode_q(struct slice text, struct buffer *bytes)
{
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, SUMMARY_ENCODING_QUOTED_PRINTABLE);
    while (text.size) {
        size_t plain = slice_find(text, '_');
        transfer_decode(&decoder, slice_sub(text, 0, plain), bytes);
        if (plain < text.size)
            transfer_decode(&decoder, SLICE("=20"), bytes);
        text = slice_sub(text, plain + 1, SIZE_MAX);
    }
    transfer_decode_end(&decoder, bytes);
}

static void decode_word(const struct encoded_word *word, struct buffer *bytes)
{
    if (!word->base64) {
        decode_q(word->text, bytes);
        return;
    }
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, SUMMARY_ENCODING_BASE64);
    transfer_decode(&decoder, word->text, bytes);
    transfer_decode_end(&decoder, bytes);
}

/* A decoded word may hold anything; a header's value has no control characters. */
static void blank_controls(struct buffer *utf8, size_t from)
{
    for (size_t i = from; i < utf8->size; i++)
        if ((unsigned char)utf8->data[i] < ' ' || utf8->data[i] == 0x7f)
            utf8->data[i] = ' ';
}

/* Converts the words that wait. An unknown charset's are taken for UTF-8. */
static void convert_words(struct header_decoder *decoder)
{
    size_t before = decoder->utf8->size;
    struct slice bytes = buffer_slice(&decoder->bytes);
    if (text_to_utf8(decoder->charset, bytes, decoder->utf8) == ERROR_UNSUPPORTED)
        text_to_utf8(slice_make(NULL, 0), bytes, decoder->utf8);
    blank_controls(decoder->utf8, before);
    buffer_clear(&decoder->bytes);
}

static void take_word(struct header_decoder *decoder, const struct encoded_word *word)
{
    if (decoder->bytes.size && !slice_equal_nocase(word->charset, decoder->charset))
        convert_words(decoder);
    decoder->charset = word->charset;
    decode_word(word, &decoder->bytes);
    decoder->after_word = true;
}

/* Text between words: unfolded, that is without its line ends; NULs are left out too. */
static void take_text(struct header_decoder *decoder, struct slice text, bool before_word)
{
    bool blank = true;
    for (size_t i = 0; i < text.size && blank; i++)
        blank = field_is_blank(text.data[i]);
    if (blank && before_word && decoder->after_word)
        return;
    convert_words(decoder);
    decoder->after_word = false;
    while (text.size) {
        size_t plain = 0;
        while (plain < text.size && text.data[plain] != '\r' && text.data[plain] != '\n' &&
               text.data[plain] != '\0')
            plain++;
        text_to_utf8(slice_make(NULL, 0), slice_sub(text, 0, plain), decoder->utf8);
        text = slice_sub(text, plain + 1, SIZE_MAX);
    }
}

static size_t find_word(struct slice s, size_t from, struct encoded_word *word, size_t *size)
{
    while (from < s.size) {
        from += slice_find(slice_sub(s, from, SIZE_MAX), '=');
        if (from + 1 < s.size && s.data[from + 1] == '?' &&
            split_word(slice_sub(s, from, SIZE_MAX), word, size))
            break;
        from += from < s.size;
    }
    return from;
}

int text_decode_header(struct slice value, struct buffer *utf8)
{
    value = field_trim(value);
    struct header_decoder decoder = {.utf8 = utf8};
    buffer_init(&decoder.bytes, value.size);
    while (value.size && !buffer_error(utf8)) {
        struct encoded_word word;
        size_t size = 0, text = find_word(value, 0, &word, &size);
        if (text)
            take_text(&decoder, slice_sub(value, 0, text), size > 0);
        if (size)
            take_word(&decoder, &word);
        value = slice_sub(value, text + size, SIZE_MAX);
    }
    convert_words(&decoder);
    int error = buffer_error(&decoder.bytes);
    buffer_release(&decoder.bytes);
    return buffer_error(utf8) ? buffer_error(utf8) : error;
}
