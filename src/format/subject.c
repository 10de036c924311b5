#include "format/subject.h"

#include "base/error.h"
#include "format/text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size &&
           slice_equal_nocase(slice_sub(text, text.size - end.size, end.size), end);
}

static bool begins_with(struct slice text, struct slice start)
{
    return text.size >= start.size && slice_equal_nocase(slice_sub(text, 0, start.size), start);
}

/* --- the grammar of RFC 5256 section 5: how many bytes match at the front, 0 for none --- */

static size_t match_blanks(struct slice text)
{
    size_t size = 0;
    while (size < text.size && is_blank(text.data[size]))
        size++;
    return size;
}

/* subj-blob */
static size_t match_blob(struct slice text)
{
    if (!text.size || text.data[0] != '[')
        return 0;
    for (size_t i = 1; i < text.size && text.data[i] != '['; i++)
        if (text.data[i] == ']')
            return i + 1 + match_blanks(slice_sub(text, i + 1, SIZE_MAX));
    return 0;
}

/* subj-refwd */
static size_t match_refwd(struct slice text)
{
    size_t size = begins_with(text, SLICE("fwd")) ? 3 : 2;
    if (!begins_with(text, SLICE("re")) && !begins_with(text, SLICE("fw")))
        return 0;
    size += match_blanks(slice_sub(text, size, SIZE_MAX));
    size += match_blob(slice_sub(text, size, SIZE_MAX));
    return size < text.size && text.data[size] == ':' ? size + 1 : 0;
}

/* --- the steps of section 2.1 --- */

static void strip_trailers(struct slice *text, bool *reply)
{
    for (;;) {
        if (text->size && is_blank(text->data[text->size - 1])) {
            text->size--;
        } else if (ends_with(*text, SLICE("(fwd)"))) {
            text->size -= 5;
            *reply = true;
        } else {
            return;
        }
    }
}

/* Steps 3 and 4 at the front: false when nothing matches. All blobs of a row go at once, the last
 * one stays where nothing else would. */
static bool strip_leader(struct slice *text, bool *reply)
{
    size_t blobs = 0, last = 0, size;
    while ((size = match_blob(slice_sub(*text, blobs, SIZE_MAX)))) {
        last = blobs;
        blobs += size;
    }
    size = match_refwd(slice_sub(*text, blobs, SIZE_MAX));
    if (size) {
        *reply = true;
        size += blobs;
    } else if (blobs) {
        size = blobs < text->size ? blobs : last;
    } else {
        size = match_blanks(*text);
    }
    *text = slice_sub(*text, size, SIZE_MAX);
    return size > 0;
}

static struct slice strip(struct slice text, bool *reply)
{
    for (;;) {
        strip_trailers(&text, reply);
        while (strip_leader(&text, reply))
            ;
        if (!begins_with(text, SLICE("[fwd:")) || !ends_with(text, SLICE("]")))
            return text;
        text = slice_sub(text, 5, text.size - 6);
        *reply = true;
    }
}

/* Step 1: blanks in a row are one. */
int subject_base(struct slice subject, struct buffer *base, bool *reply)
{
    bool replied = false, blank = false;
    struct slice text = strip(subject, &replied);
    char *room = buffer_reserve(base, text.size), *at = room;
    if (!room)
        return buffer_error(base);
    for (size_t i = 0; i < text.size; i++) {
        if (!is_blank(text.data[i]))
            *at++ = text.data[i];
        else if (!blank)
            *at++ = ' ';
        blank = is_blank(text.data[i]);
    }
    buffer_commit(base, (size_t)(at - room));
    if (reply)
        *reply = replied;
    return 0;
}

/* --- threads --- */

/* "Reply" and "forward" as mail programs put them in front of subjects elsewhere, as search keys.
 * RFC 5256 knows the English ones alone, and its base subject must be made by its rule; what is one
 * thread is the server's to say. */
static size_t match_translated(struct slice text)
{
    static const char *const words[] = {
        "aw:",
        "wg:", /* German */
        "sv:",
        "vs:",
        "vb:",
        "vl:", /* Scandinavian, Finnish */
        "antw:",
        "antwoord:",
        "doorst:", /* Dutch */
        "tr:",
        "ref:",
        "re\314\201f:", /* French */
        "rv:",
        "res:",
        "enc:",
        "r:",
        "i:",
        "rif:", /* Spanish, Portuguese, Italian */
        "odp:",
        "pd:",
        "ynt:",
        "ilt:",                      /* Polish, Turkish */
        "\xd0\xbd\xd0\xb0:",         /* Russian */
        "\xe5\x9b\x9e\xe5\xa4\x8d:", /* Chinese: "reply", */
        "\xe7\xad\x94\xe5\xa4\x8d:", /* "answer", */
        "\xe8\xbd\xac\xe5\x8f\x91:", /* "forward" */
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_starts_with(text, slice_from_string(words[i])))
            return strlen(words[i]);
    return 0;
}

int subject_thread_key(struct slice subject, struct buffer *key)
{
    bool reply = false;
    size_t size, start = key->size, kept = start;
    int error = text_search_key(subject, key);
    if (error)
        return error;
    struct slice text = strip(slice_sub(buffer_slice(key), start, SIZE_MAX), &reply);
    while ((size = match_translated(text)))
        text = strip(slice_sub(text, size, SIZE_MAX), &reply);
    for (size_t i = 0; i < text.size; i++)
        if (!is_blank(text.data[i]))
            key->data[kept++] = text.data[i];
    buffer_truncate(key, kept);
    return 0;
}

/* --- message ids --- */

/* What is between the brackets, the last '<' before the first '>'; empty: there is no more. */
static struct slice next_bracketed(struct slice *rest)
{
    struct slice none = {NULL, 0};
    size_t end = slice_find(*rest, '>');
    if (end >= rest->size) {
        *rest = none;
        return none;
    }
    size_t start = end;
    while (start > 0 && rest->data[start - 1] != '<')
        start--;
    struct slice found = start ? slice_sub(*rest, start, end - start) : none;
    *rest = slice_sub(*rest, end + 1, SIZE_MAX);
    return found;
}

/* Without quotes and blanks, what is escaped as it is. */
static size_t write_id(struct slice found, char *id)
{
    char *at = id;
    for (size_t i = 0; i < found.size; i++) {
        char c = found.data[i];
        if (c == '\\' && i + 1 < found.size)
            c = found.data[++i];
        else if (c == '"' || is_blank(c))
            continue;
        *at++ = c;
    }
    return (size_t)(at - id);
}

bool message_id_next(struct slice *rest, struct buffer *id)
{
    while (rest->size) {
        struct slice found = next_bracketed(rest);
        buffer_clear(id);
        char *room = found.size > MESSAGE_ID_MAXIMUM ? NULL : buffer_reserve(id, found.size);
        if (!room)
            continue;
        buffer_commit(id, write_id(found, room));
        if (id->size)
            return true;
    }
    return false;
}
