/*
 * FETCH (RFC 9051 section 6.4.5 and fetch-att of section 9; RFC 3501's RFC822 items too; OBJECTID:
 * RFC 8474; SAVEDATE: RFC 8514; PREVIEW: RFC 8970; MODSEQ, CHANGEDSINCE and VANISHED: RFC 7162;
 * ANNOTATION: RFC 5257).
 */
#include "proto/imap/parse_priv.h"
#include "proto/imap/writer.h"

#include <ctype.h>

/* Items without arguments. */
static const struct {
    const char *name;
    enum imap_fetch_kind kind;
} plain_items[] = {
    {"UID", IMAP_FETCH_UID},
    {"FLAGS", IMAP_FETCH_FLAGS},
    {"INTERNALDATE", IMAP_FETCH_INTERNALDATE},
    {"RFC822.SIZE", IMAP_FETCH_RFC822_SIZE},
    {"ENVELOPE", IMAP_FETCH_ENVELOPE},
    {"BODY", IMAP_FETCH_BODY},
    {"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE},
    {"EMAILID", IMAP_FETCH_EMAILID},
    {"THREADID", IMAP_FETCH_THREADID},
    {"SAVEDATE", IMAP_FETCH_SAVEDATE},
    {"MODSEQ", IMAP_FETCH_MODSEQ},
    {"PREVIEW", IMAP_FETCH_PREVIEW},
};

/* RFC 3501's names of whole sections; RFC822.HEADER alone does not set \Seen. */
static const struct {
    const char *name;
    enum imap_section_text text;
    bool peek;
} rfc822_items[] = {
    {"RFC822", IMAP_SECTION_ALL, false},
    {"RFC822.HEADER", IMAP_SECTION_HEADER, true},
    {"RFC822.TEXT", IMAP_SECTION_TEXT, false},
};

static const struct {
    const char *name;
    enum imap_fetch_kind kind;
    bool peek;
} binary_items[] = {
    {"BINARY", IMAP_FETCH_BINARY, false},
    {"BINARY.PEEK", IMAP_FETCH_BINARY, true},
    {"BINARY.SIZE", IMAP_FETCH_BINARY_SIZE, true},
};

static const struct {
    const char *name;
    enum imap_section_text text;
} section_texts[] = {
    {"HEADER", IMAP_SECTION_HEADER},
    {"HEADER.FIELDS", IMAP_SECTION_HEADER_FIELDS},
    {"HEADER.FIELDS.NOT", IMAP_SECTION_HEADER_FIELDS_NOT},
    {"TEXT", IMAP_SECTION_TEXT},
    {"MIME", IMAP_SECTION_MIME},
};

static const struct {
    const char *name;
    size_t count;
    enum imap_fetch_kind kinds[5];
} macros[] = {
    {"ALL",
     4,
     {IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_RFC822_SIZE, IMAP_FETCH_ENVELOPE}},
    {"FAST", 3, {IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_RFC822_SIZE}},
    {"FULL",
     5,
     {IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_RFC822_SIZE, IMAP_FETCH_ENVELOPE,
      IMAP_FETCH_BODY}},
};

#define FIND(word, table)                                                                          \
    imap_find_name((word), &(table)[0].name, sizeof(table) / sizeof((table)[0]), sizeof((table)[0]))

/* section-part = nz-number *("." nz-number), and the dot before what follows it. */
static void take_part_numbers(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    while (isdigit(imap_peek(cursor))) {
        if (item->number_count == IMAP_SECTION_DEPTH_MAXIMUM)
            imap_fail(cursor, "too many part numbers");
        uint32_t number = imap_nz_number(cursor);
        item->numbers = imap_grow(cursor, item->numbers, item->number_count, sizeof(number));
        if (cursor->problem)
            return;
        item->numbers[item->number_count++] = number;
        if (!imap_take(cursor, '.'))
            return;
        if (imap_peek(cursor) == ']')
            imap_fail(cursor, "expected a part number or a name behind the dot");
    }
}

/* header-fld-name: the bytes of a field's name (RFC 5322 section 3.6.8). */
static void take_field_name(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    struct slice name = imap_astring(cursor);
    if (name.size == 0)
        imap_fail(cursor, "expected the name of a header field");
    for (size_t i = 0; i < name.size; i++)
        if (!isgraph((unsigned char)name.data[i]) || name.data[i] == ':')
            imap_fail(cursor, "not the name of a header field");
    if (++cursor->fields > IMAP_FETCH_FIELDS_MAXIMUM)
        imap_fail(cursor, "too many header fields");
    item->fields = imap_grow(cursor, item->fields, item->field_count, sizeof(name));
    if (!cursor->problem)
        item->fields[item->field_count++] = name;
}

static void take_section_text(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    int row = FIND(imap_word(cursor), section_texts);
    if (row < 0) {
        imap_fail(cursor, "expected a part number, HEADER, TEXT or MIME");
        return;
    }
    item->text = section_texts[row].text;
    if (item->text == IMAP_SECTION_MIME && item->number_count == 0)
        imap_fail(cursor, "MIME needs a part number");
    if (item->text != IMAP_SECTION_HEADER_FIELDS && item->text != IMAP_SECTION_HEADER_FIELDS_NOT)
        return;
    imap_expect(cursor, ' ', "expected a list of header fields");
    imap_expect(cursor, '(', "expected a list of header fields");
    do {
        take_field_name(cursor, item);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

/* partial = "<" number64 "." nz-number64 ">" */
static void take_partial(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    if (!imap_take(cursor, '<'))
        return;
    item->partial = true;
    item->partial_offset = (uint32_t)imap_number64(cursor, UINT32_MAX);
    imap_expect(cursor, '.', "expected <offset.size>");
    item->partial_size = imap_nz_number(cursor);
    imap_expect(cursor, '>', "expected <offset.size>");
}

static void append_field_name(struct buffer *label, struct slice name)
{
    size_t begin = label->size;
    imap_write_astring(label, name);
    for (size_t i = begin; i < label->size; i++)
        label->data[i] = (char)toupper((unsigned char)label->data[i]);
}

/* As responses name the section: in upper case, without PEEK and the partial's size. */
static void make_label(struct imap_cursor *cursor, struct imap_fetch_item *item, const char *name,
                       size_t maximum)
{
    if (cursor->problem)
        return;
    struct buffer label = imap_arena_buffer(cursor, maximum);
    buffer_append_string(&label, name);
    for (size_t i = 0; i < item->number_count; i++)
        buffer_append_format(&label, "%s%u", i ? "." : "", item->numbers[i]);
    if (item->text != IMAP_SECTION_ALL) {
        buffer_append_string(&label, item->number_count ? "." : "");
        for (size_t i = 0; i < sizeof(section_texts) / sizeof(*section_texts); i++)
            if (section_texts[i].text == item->text)
                buffer_append_string(&label, section_texts[i].name);
    }
    for (size_t i = 0; i < item->field_count; i++) {
        buffer_append_string(&label, i ? " " : " (");
        append_field_name(&label, item->fields[i]);
    }
    buffer_append_string(&label, item->field_count ? ")]" : "]");
    if (buffer_error(&label))
        imap_fail(cursor, "too large");
    item->label = buffer_slice(&label);
}

void imap_section(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    const char *begin = cursor->at;
    item->kind = IMAP_FETCH_SECTION;
    imap_expect(cursor, '[', "expected a section");
    take_part_numbers(cursor, item);
    if (imap_peek(cursor) != ']')
        take_section_text(cursor, item);
    imap_expect(cursor, ']', "expected a closing bracket");
    /* Each field's name grows by two quotes and escapes at most. */
    make_label(cursor, item, "BODY[", 2 * (size_t)(cursor->at - begin) + sizeof("BODY[]"));
    take_partial(cursor, item);
}

/* section-binary = "[" [section-part] "]" (RFC 3516 section 7) */
static void take_binary(struct imap_cursor *cursor, struct imap_fetch_item *item)
{
    const char *begin = cursor->at;
    bool size = item->kind == IMAP_FETCH_BINARY_SIZE;
    imap_expect(cursor, '[', "expected a section");
    take_part_numbers(cursor, item);
    imap_expect(cursor, ']', "expected part numbers and a closing bracket");
    make_label(cursor, item, size ? "BINARY.SIZE[" : "BINARY[",
               (size_t)(cursor->at - begin) + sizeof("BINARY.SIZE[]"));
    if (!size)
        take_partial(cursor, item);
}

/* "PREVIEW" [SP "(LAZY)"] (RFC 8970 section 6). Another list is not the preview's. */
static void take_lazy(struct imap_cursor *cursor)
{
    char *before = cursor->at;
    if (imap_take(cursor, ' ') && imap_take(cursor, '(') && imap_take_word(cursor, "LAZY"))
        imap_expect(cursor, ')', "expected a closing parenthesis");
    else
        cursor->at = before;
}

static void add_item(struct imap_cursor *cursor, struct imap_fetch *fetch,
                     struct imap_fetch_item item)
{
    if (fetch->item_count == IMAP_FETCH_ITEMS_MAXIMUM)
        imap_fail(cursor, "too many");
    fetch->items = imap_grow(cursor, fetch->items, fetch->item_count, sizeof(item));
    if (!cursor->problem)
        fetch->items[fetch->item_count++] = item;
}

static void take_item(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    struct imap_fetch_item item = {0};
    struct slice word = imap_word(cursor);
    int plain = FIND(word, plain_items), rfc822 = FIND(word, rfc822_items);
    int binary = FIND(word, binary_items);
    item.peek = slice_equal_nocase(word, SLICE("BODY.PEEK"));
    if (item.peek || (imap_peek(cursor) == '[' && slice_equal_nocase(word, SLICE("BODY")))) {
        imap_section(cursor, &item);
    } else if (binary >= 0) {
        item.kind = binary_items[binary].kind;
        item.peek = binary_items[binary].peek;
        take_binary(cursor, &item);
    } else if (slice_equal_nocase(word, SLICE("ANNOTATION"))) {
        imap_annotation_item(cursor, &item);
    } else if (rfc822 >= 0) {
        item.kind = IMAP_FETCH_SECTION;
        item.label = slice_from_string(rfc822_items[rfc822].name);
        item.text = rfc822_items[rfc822].text;
        item.peek = rfc822_items[rfc822].peek;
    } else if (plain >= 0) {
        item.kind = plain_items[plain].kind;
        if (item.kind == IMAP_FETCH_PREVIEW)
            take_lazy(cursor);
    } else {
        imap_fail(cursor, "unknown");
    }
    /* UID FETCH has it first already. */
    if (item.kind != IMAP_FETCH_UID || fetch->item_count == 0 ||
        fetch->items[0].kind != IMAP_FETCH_UID)
        add_item(cursor, fetch, item);
}

static bool take_macro(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    for (size_t i = 0; i < sizeof(macros) / sizeof(*macros); i++) {
        if (!imap_take_word(cursor, macros[i].name))
            continue;
        for (size_t k = 0; k < macros[i].count; k++)
            add_item(cursor, fetch, (struct imap_fetch_item){.kind = macros[i].kinds[k]});
        return true;
    }
    return false;
}

static void take_list(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    imap_expect(cursor, '(', "expected a list");
    do {
        take_item(cursor, fetch);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected an item or a closing parenthesis");
}

void imap_fetch_items(struct imap_cursor *cursor, struct imap_fetch_item **items, size_t *count)
{
    struct imap_fetch fetch = {0};
    take_list(cursor, &fetch);
    *items = fetch.items;
    *count = fetch.item_count;
}

static void take_items(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    if (take_macro(cursor, fetch))
        return;
    if (imap_peek(cursor) == '(')
        take_list(cursor, fetch);
    else
        take_item(cursor, fetch);
}

/* RFC 7162 section 3.1.4.1: MODSEQ is asked for with it. */
static void take_changed_since(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    bool asked = false;
    imap_expect(cursor, ' ', "expected a modification sequence");
    fetch->changed = true;
    fetch->changed_since = imap_modseq(cursor);
    for (size_t i = 0; i < fetch->item_count; i++)
        asked |= fetch->items[i].kind == IMAP_FETCH_MODSEQ;
    if (!asked)
        add_item(cursor, fetch, (struct imap_fetch_item){.kind = IMAP_FETCH_MODSEQ});
}

static void take_partial_modifier(struct imap_cursor *cursor, struct imap_fetch *fetch)
{
    imap_expect(cursor, ' ', "expected a range");
    imap_partial_range(cursor, &fetch->partial);
}

static void take_modifiers(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_fetch *fetch = &command->fetch;
    imap_argument(cursor, "Fetch modifier");
    imap_expect(cursor, '(', "expected a list");
    do {
        if (!fetch->changed && imap_take_word(cursor, "CHANGEDSINCE"))
            take_changed_since(cursor, fetch);
        else if (imap_take_word(cursor, "VANISHED"))
            fetch->vanished = true;
        else if (command->uid && imap_take_word(cursor, "PARTIAL"))
            take_partial_modifier(cursor, fetch);
        else
            imap_fail(cursor, "unknown");
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
    if (fetch->vanished && !(command->uid && fetch->changed))
        imap_fail(cursor, "VANISHED is for UID FETCH with CHANGEDSINCE");
}

void imap_parse_fetch(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_fetch *fetch = &command->fetch;
    imap_argument(cursor, "Sequence set");
    imap_sequence_set(cursor, &fetch->set);
    imap_argument(cursor, "Fetch item");
    if (command->uid)
        add_item(cursor, fetch, (struct imap_fetch_item){.kind = IMAP_FETCH_UID});
    take_items(cursor, fetch);
    if (cursor->at < cursor->end)
        take_modifiers(cursor, command);
}
