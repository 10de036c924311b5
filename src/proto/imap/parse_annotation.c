/*
 * Annotations of messages (RFC 5257 section 5): names of entries, attributes, and what STORE and
 * APPEND set.
 */
#include "proto/imap/parse_priv.h"

#include <ctype.h>

/* Entry names are case-sensitive (section 3.2). So are attribute names there, but the grammar has
 * them in quotes, where case does not matter: no other attribute differs by case alone. */
static const struct {
    const char *name;
    uint32_t bits; /* enum imap_annotation_attribute */
} attributes[] = {
    {"value", IMAP_ANNOTATION_VALUE_PRIVATE | IMAP_ANNOTATION_VALUE_SHARED},
    {"value.priv", IMAP_ANNOTATION_VALUE_PRIVATE},
    {"value.shared", IMAP_ANNOTATION_VALUE_SHARED},
    {"size", IMAP_ANNOTATION_SIZE_PRIVATE | IMAP_ANNOTATION_SIZE_SHARED},
    {"size.priv", IMAP_ANNOTATION_SIZE_PRIVATE},
    {"size.shared", IMAP_ANNOTATION_SIZE_SHARED},
};

/* --- names of entries --- */

/* section-part = nz-number *("." nz-number), the whole of it. */
static bool is_section_part(struct slice part)
{
    size_t depth = 0;
    while (part.size) {
        size_t end = slice_find(part, '.');
        uint64_t number = 0;
        for (size_t i = 0; i < end && number <= UINT32_MAX; i++) {
            if (!isdigit((unsigned char)part.data[i]))
                return false;
            number = number * 10 + (uint64_t)(part.data[i] - '0');
        }
        if (!end || part.data[0] == '0' || number > UINT32_MAX || end + 1 == part.size ||
            ++depth > IMAP_SECTION_DEPTH_MAXIMUM)
            return false;
        part = slice_sub(part, end + 1, SIZE_MAX);
    }
    return depth > 0;
}

/* The level that says which part of the message is meant; empty: the message itself. */
static struct slice part_of(struct slice entry)
{
    struct slice rest = slice_sub(entry, 1, SIZE_MAX);
    struct slice level = slice_sub(rest, 0, slice_find(rest, '/'));
    bool numeric = level.size && isdigit((unsigned char)level.data[0]);
    return numeric ? level : slice_sub(level, 0, 0);
}

static bool has_wildcard(struct slice text)
{
    return slice_find(text, '*') < text.size || slice_find(text, '%') < text.size;
}

/* What section 3.2 says of names. */
static void check_name(struct imap_cursor *cursor, struct slice entry, bool wildcards)
{
    if (entry.size > IMAP_ANNOTATION_ENTRY_MAXIMUM)
        imap_fail(cursor, "the name of an entry is too long");
    if (!wildcards && has_wildcard(entry))
        imap_fail(cursor, "no wildcards are possible");
    for (size_t i = 0; i < entry.size; i++) {
        if (entry.data[i] <= 0)
            imap_fail(cursor, "the name of an entry is ASCII");
        if (i && entry.data[i] == '/' && entry.data[i - 1] == '/')
            imap_fail(cursor, "the name of an entry has an empty level");
    }
    if (entry.size && entry.data[entry.size - 1] == '/')
        imap_fail(cursor, "the name of an entry ends with a slash");
    struct slice part = part_of(entry);
    if (part.size && !has_wildcard(part) && !is_section_part(part))
        imap_fail(cursor, "not the number of a body part");
}

/* entry: what can have a value. */
static struct slice take_entry(struct imap_cursor *cursor)
{
    struct slice entry = imap_astring(cursor);
    if (entry.size < 2 || entry.data[0] != '/')
        imap_fail(cursor, "expected the name of an entry");
    check_name(cursor, entry, false);
    if (part_of(entry).size + 1 == entry.size)
        imap_fail(cursor, "a body part itself has no value");
    /* Section 3.5. */
    struct slice first = slice_sub(entry, 1, SIZE_MAX);
    if (slice_equal(slice_sub(first, 0, slice_find(first, '/')), SLICE("flags")))
        imap_fail(cursor, "/flags is reserved");
    return entry;
}

/* entry-match = list-mailbox: an atom may have wildcards, and nothing in it is decoded. */
static struct slice take_entry_match(struct imap_cursor *cursor)
{
    int byte = imap_peek(cursor);
    struct slice entry;
    if (byte == '"' || byte == '{') {
        entry = imap_string(cursor);
    } else {
        const char *begin = cursor->at;
        while ((byte = imap_peek(cursor)) > ' ' && byte < 0x7f && !strchr("(){\"\\", byte))
            cursor->at++;
        entry = slice_make(begin, (size_t)(cursor->at - begin));
    }
    if (!entry.size || (entry.data[0] != '/' && !has_wildcard(slice_sub(entry, 0, 1))))
        imap_fail(cursor, "expected the name of an entry");
    check_name(cursor, entry, true);
    return entry;
}

/* --- attributes --- */

/* One of those that `allowed` has all bits of. */
static uint32_t take_attribute(struct imap_cursor *cursor, uint32_t allowed, const char *problem)
{
    int row = imap_find_name(imap_astring(cursor), &attributes[0].name,
                             sizeof(attributes) / sizeof(attributes[0]), sizeof(attributes[0]));
    if (row < 0 || attributes[row].bits & ~allowed) {
        imap_fail(cursor, problem);
        return 0;
    }
    return attributes[row].bits;
}

enum {
    VALUES = IMAP_ANNOTATION_VALUE_PRIVATE | IMAP_ANNOTATION_VALUE_SHARED,
    ALL = VALUES | IMAP_ANNOTATION_SIZE_PRIVATE | IMAP_ANNOTATION_SIZE_SHARED,
};

/* "value.priv" or "value.shared". */
static uint32_t take_one_value(struct imap_cursor *cursor)
{
    uint32_t bits = take_attribute(cursor, VALUES, "expected value.priv or value.shared");
    if (bits == VALUES)
        imap_fail(cursor, "expected value.priv or value.shared");
    return bits;
}

/* --- FETCH: "ANNOTATION" SP "(" entries SP attribs ")" --- */

static void add_entry(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    struct slice entry = take_entry_match(cursor);
    if (++cursor->entries > IMAP_ANNOTATION_ENTRIES_MAXIMUM)
        imap_fail(cursor, "too many entries");
    item->fields = imap_grow(cursor, item->fields, item->field_count, sizeof(entry));
    if (!cursor->problem)
        item->fields[item->field_count++] = entry;
}

void imap_annotation_item(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    const char *unknown = "expected value or size, with .priv, .shared or nothing behind it";
    item->kind = IMAP_FETCH_ANNOTATION;
    imap_expect(cursor, ' ', "expected entries and attributes");
    imap_expect(cursor, '(', "expected entries and attributes");
    bool list = imap_take(cursor, '(');
    do {
        add_entry(cursor, item);
    } while (list && imap_take(cursor, ' '));
    if (list)
        imap_expect(cursor, ')', "expected an entry or a closing parenthesis");
    imap_expect(cursor, ' ', "expected attributes");
    list = imap_take(cursor, '(');
    do {
        item->attributes |= take_attribute(cursor, ALL, unknown);
    } while (list && imap_take(cursor, ' '));
    if (list)
        imap_expect(cursor, ')', "expected an attribute or a closing parenthesis");
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

/* --- SEARCH and SORT --- */

void imap_annotation_key(struct imap_cursor *cursor, struct imap_search_key *key)
{
    key->field = take_entry_match(cursor);
    imap_expect(cursor, ' ', "expected an attribute");
    key->number = take_attribute(cursor, VALUES, "expected value, value.priv or value.shared");
    imap_expect(cursor, ' ', "expected a value");
}

void imap_annotation_criterion(struct imap_cursor *cursor, struct imap_sort_criterion *criterion)
{
    imap_expect(cursor, ' ', "expected an entry");
    criterion->entry = take_entry(cursor);
    imap_expect(cursor, ' ', "expected an attribute");
    criterion->shared = take_one_value(cursor) == IMAP_ANNOTATION_VALUE_SHARED;
}

/* --- STORE and APPEND: entry-att = entry SP "(" att-value *(SP att-value) ")" --- */

/* Section 3.2.1: "1", "0" or NIL. */
static bool is_flag_value(struct slice entry, struct slice value)
{
    struct slice part = part_of(entry);
    struct slice below = slice_sub(entry, part.size + 1, SIZE_MAX);
    return !part.size || !slice_starts_with(below, SLICE("/flags/")) || !value.data ||
           slice_equal(value, SLICE("0")) || slice_equal(value, SLICE("1"));
}

static void add_value(struct imap_cursor *cursor, struct imap_annotations *annotations)
{
    struct imap_annotation annotation = {.entry = annotations->entry};
    annotation.shared = take_one_value(cursor) == IMAP_ANNOTATION_VALUE_SHARED;
    imap_expect(cursor, ' ', "expected a value");
    annotation.value = imap_value(cursor);
    if (!cursor->problem && !is_flag_value(annotation.entry, annotation.value))
        imap_fail(cursor, "a flag of a body part is \"1\", \"0\" or NIL");
    if (annotations->count == IMAP_ANNOTATIONS_MAXIMUM)
        imap_fail(cursor, "too many");
    if (annotations->copies && annotation.value.data)
        annotation.value = arena_copy(cursor->arena, annotation.value);
    annotations->list =
        imap_grow(cursor, annotations->list, annotations->count, sizeof(annotation));
    if (!cursor->problem)
        annotations->list[annotations->count++] = annotation;
}

void imap_annotations_step(struct imap_cursor *cursor, struct imap_annotations *annotations)
{
    if (!annotations->in_entry) {
        struct slice entry = take_entry(cursor);
        imap_expect(cursor, ' ', "expected values");
        imap_expect(cursor, '(', "expected values");
        annotations->entry = annotations->copies ? arena_copy(cursor->arena, entry) : entry;
    } else {
        add_value(cursor, annotations);
    }
    if (cursor->problem)
        return;
    if (annotations->in_entry && !imap_take(cursor, ' ')) {
        imap_expect(cursor, ')', "expected a closing parenthesis");
        annotations->in_entry = false;
        annotations->complete = !imap_take(cursor, ' ');
        if (annotations->complete)
            imap_expect(cursor, ')', "expected a closing parenthesis");
        return;
    }
    annotations->in_entry = true;
}

void imap_annotations_take(struct imap_cursor *cursor, struct imap_annotations *annotations)
{
    imap_expect(cursor, '(', "expected a list");
    while (!cursor->problem && !annotations->complete)
        imap_annotations_step(cursor, annotations);
}
