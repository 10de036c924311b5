/*
 * SEARCH (RFC 9051 section 6.4.4; RFC 3501's NEW, OLD and RECENT; RFC 4731's and 5182's RETURN;
 * WITHIN: RFC 5032; MODSEQ: RFC 7162; OBJECTID: RFC 8474; SAVEDATE: RFC 8514; FILTER: RFC 5466;
 * UIDAFTER, UIDBEFORE: RFC 9738; ANNOTATION: RFC 5257).
 *
 * No message is ever \Recent here: RECENT and NEW match nothing, OLD everything.
 */
#include "base/error.h"
#include "format/date.h"
#include "format/text.h"
#include "proto/imap/parse_priv.h"

#include <ctype.h>

/* How a key goes on behind its name. */
enum argument {
    NONE,
    KEY,
    TWO_KEYS,
    TEXT,
    FIELD_AND_TEXT,
    ATOM,
    OBJECT,
    MODSEQ,
    FILTER,
    ANNOTATION,
    NUMBER,
    TIME,
    DATE,
    SET,
    UIDS_AFTER,
    UIDS_BEFORE
};

struct key_row {
    const char *name;
    enum argument argument;
    enum imap_search_kind kind;
    bool negated;      /* the key is NOT of it */
    const char *field; /* of IMAP_SEARCH_HEADER */
    uint32_t flag;     /* of IMAP_SEARCH_FLAG */
};

static const struct key_row key_rows[] = {
    {"ALL", NONE, IMAP_SEARCH_ALL},
    {"OLD", NONE, IMAP_SEARCH_ALL},
    {"NEW", NONE, IMAP_SEARCH_ALL, .negated = true},
    {"RECENT", NONE, IMAP_SEARCH_ALL, .negated = true},
    {"ANSWERED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_ANSWERED},
    {"DELETED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_DELETED},
    {"DRAFT", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_DRAFT},
    {"FLAGGED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_FLAGGED},
    {"SEEN", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_SEEN},
    {"UNANSWERED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_ANSWERED, .negated = true},
    {"UNDELETED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_DELETED, .negated = true},
    {"UNDRAFT", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_DRAFT, .negated = true},
    {"UNFLAGGED", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_FLAGGED, .negated = true},
    {"UNSEEN", NONE, IMAP_SEARCH_FLAG, .flag = IMAP_FLAG_SEEN, .negated = true},
    {"KEYWORD", ATOM, IMAP_SEARCH_KEYWORD},
    {"UNKEYWORD", ATOM, IMAP_SEARCH_KEYWORD, .negated = true},
    {"BCC", TEXT, IMAP_SEARCH_HEADER, .field = "BCC"},
    {"CC", TEXT, IMAP_SEARCH_HEADER, .field = "CC"},
    {"FROM", TEXT, IMAP_SEARCH_HEADER, .field = "FROM"},
    {"SUBJECT", TEXT, IMAP_SEARCH_HEADER, .field = "SUBJECT"},
    {"TO", TEXT, IMAP_SEARCH_HEADER, .field = "TO"},
    {"HEADER", FIELD_AND_TEXT, IMAP_SEARCH_HEADER},
    {"BODY", TEXT, IMAP_SEARCH_BODY},
    {"TEXT", TEXT, IMAP_SEARCH_TEXT},
    {"LARGER", NUMBER, IMAP_SEARCH_LARGER},
    {"SMALLER", NUMBER, IMAP_SEARCH_SMALLER},
    {"BEFORE", DATE, IMAP_SEARCH_BEFORE},
    {"ON", DATE, IMAP_SEARCH_ON},
    {"SINCE", DATE, IMAP_SEARCH_SINCE},
    {"SENTBEFORE", DATE, IMAP_SEARCH_SENTBEFORE},
    {"SENTON", DATE, IMAP_SEARCH_SENTON},
    {"SENTSINCE", DATE, IMAP_SEARCH_SENTSINCE},
    {"SAVEDBEFORE", DATE, IMAP_SEARCH_SAVEDBEFORE},
    {"SAVEDON", DATE, IMAP_SEARCH_SAVEDON},
    {"SAVEDSINCE", DATE, IMAP_SEARCH_SAVEDSINCE},
    {"SAVEDATESUPPORTED", NONE, IMAP_SEARCH_ALL},
    {"OLDER", TIME, IMAP_SEARCH_OLDER},
    {"YOUNGER", TIME, IMAP_SEARCH_YOUNGER},
    {"EMAILID", OBJECT, IMAP_SEARCH_EMAILID},
    {"THREADID", OBJECT, IMAP_SEARCH_THREADID},
    {"MODSEQ", MODSEQ, IMAP_SEARCH_MODSEQ},
    {"FILTER", FILTER, IMAP_SEARCH_FILTER},
    {"ANNOTATION", ANNOTATION, IMAP_SEARCH_ANNOTATION},
    {"UID", SET, IMAP_SEARCH_UID},
    {"UIDAFTER", UIDS_AFTER, IMAP_SEARCH_UID},
    {"UIDBEFORE", UIDS_BEFORE, IMAP_SEARCH_UID},
    {"NOT", KEY, IMAP_SEARCH_NOT},
    {"OR", TWO_KEYS, IMAP_SEARCH_OR},
};

/* What the keys of one search share. */
struct search_parser {
    struct imap_cursor *cursor;
    struct imap_search *search;
    struct slice charset;
};

static void take_key(struct search_parser *parser, struct imap_search_key *key);

/* The text in UTF-8. Most is already, and stays where it is. */
static struct slice converted(struct search_parser *parser, struct slice text)
{
    struct imap_cursor *cursor = parser->cursor;
    bool is_utf8 = parser->charset.size == 0;
    if (cursor->problem || text.size == 0)
        return text;
    if (is_utf8) {
        if (!text_is_utf8(text))
            imap_fail(cursor, "the text is not valid in its charset");
        return text;
    }
    /* No charset's character is longer than four bytes in UTF-8, or shorter than one byte. */
    struct buffer utf8;
    buffer_init(&utf8, 4 * text.size);
    if (text_to_utf8(parser->charset, text, &utf8) != 0)
        imap_fail(cursor, "the text is not valid in its charset");
    text = arena_copy(cursor->arena, buffer_slice(&utf8));
    buffer_release(&utf8);
    return text;
}

static struct slice take_text(struct search_parser *parser)
{
    return converted(parser, imap_astring(parser->cursor));
}

static void take_children(struct search_parser *parser, struct imap_search_key *key, size_t count)
{
    struct imap_cursor *cursor = parser->cursor;
    key->children = arena_alloc_array(cursor->arena, count, sizeof(*key->children));
    if (!key->children)
        imap_fail(cursor, "too large");
    for (; !cursor->problem && key->child_count < count; key->child_count++) {
        imap_expect(cursor, ' ', "expected another key");
        take_key(parser, &key->children[key->child_count]);
    }
}

/* 1*(SP search-key), the first without its space. */
static void take_and(struct search_parser *parser, struct imap_search_key *key)
{
    struct imap_cursor *cursor = parser->cursor;
    key->kind = IMAP_SEARCH_AND;
    do {
        struct imap_search_key child;
        take_key(parser, &child);
        key->children = imap_grow(cursor, key->children, key->child_count, sizeof(child));
        if (cursor->problem)
            return;
        key->children[key->child_count++] = child;
    } while (imap_take(cursor, ' '));
}

static int64_t take_date(struct imap_cursor *cursor)
{
    int64_t seconds = 0;
    struct slice text = imap_astring(cursor);
    if (!cursor->problem && date_parse_imap_day(text, &seconds) != 0)
        imap_fail(cursor, "expected a date, such as 1-Feb-1994");
    return seconds;
}

static void take_keyword(struct imap_cursor *cursor, struct imap_search_key *key)
{
    key->text = imap_atom(cursor);
    if (key->text.size > IMAP_KEYWORD_MAXIMUM)
        imap_fail(cursor, "the keyword is too long");
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") */
static void take_object_id(struct imap_cursor *cursor, struct imap_search_key *key)
{
    key->text = imap_atom(cursor);
    if (key->text.size > IMAP_OBJECT_ID_MAXIMUM)
        imap_fail(cursor, "the object id is too long");
    for (size_t i = 0; i < key->text.size; i++)
        if (!isalnum((unsigned char)key->text.data[i]) && !strchr("_-", key->text.data[i]))
            imap_fail(cursor, "not an object id");
}

/* "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer. A message has one modification
 * sequence, so entry and type make no difference (RFC 7162 section 3.1.5). */
static void take_modseq(struct search_parser *parser, struct imap_search_key *key)
{
    struct imap_cursor *cursor = parser->cursor;
    static const struct {
        const char *name;
    } types[] = {{"priv"}, {"shared"}, {"all"}};
    parser->search->modseq = true;
    if (imap_peek(cursor) == '"') {
        struct slice entry = imap_string(cursor);
        if (!slice_equal_nocase(slice_sub(entry, 0, 7), SLICE("/flags/")))
            imap_fail(cursor, "expected the name of a flag's entry");
        imap_expect(cursor, ' ', "expected an entry's type");
        if (imap_find_name(imap_word(cursor), types, 3, sizeof(types[0])) < 0)
            imap_fail(cursor, "expected priv, shared or all");
        imap_expect(cursor, ' ', "expected a modification sequence");
    }
    key->number = imap_modseq(cursor);
}

/* filter-name = 1*<any ATOM-CHAR except "/"> (RFC 5466 section 4) */
static void take_filter(struct search_parser *parser, struct imap_search_key *key)
{
    key->text = imap_atom(parser->cursor);
    if (slice_find(key->text, '/') < key->text.size)
        imap_fail(parser->cursor, "not the name of a filter");
    parser->search->filters = true;
}

/* The key becomes NOT of what it was. */
static void negate(struct imap_cursor *cursor, struct imap_search_key *key)
{
    struct imap_search_key *child = arena_alloc(cursor->arena, sizeof(*child));
    if (!child) {
        imap_fail(cursor, "too large");
        return;
    }
    *child = *key;
    *key = (struct imap_search_key){.kind = IMAP_SEARCH_NOT, .children = child, .child_count = 1};
}

/* entry-match SP att-search SP value (RFC 5257 section 5); a literal8 is bytes, in no charset. What
 * it means to look for NIL is not said there: that nothing that matches has a value. */
static void take_annotation(struct search_parser *parser, struct imap_search_key *key)
{
    imap_annotation_key(parser->cursor, key);
    bool bytes = imap_peek(parser->cursor) == '~';
    struct slice value = imap_value(parser->cursor);
    key->text = value.data && !bytes ? converted(parser, value) : value;
    if (!value.data)
        negate(parser->cursor, key);
}

/* Of what is not a UID there is no range: below 1, above the highest (RFC 9738 section 3.2). */
static void take_uids_beside(struct imap_cursor *cursor, bool after, struct imap_search_key *key)
{
    uint32_t uid = imap_nz_number(cursor);
    key->set.ranges = arena_alloc(cursor->arena, sizeof(*key->set.ranges));
    if (!key->set.ranges)
        imap_fail(cursor, "too large");
    if (cursor->problem || uid == (after ? UINT32_MAX : 1))
        return;
    key->set.ranges[0] = after ? (struct imap_sequence_range){uid + 1, UINT32_MAX}
                               : (struct imap_sequence_range){1, uid - 1};
    key->set.count = 1;
}

static void take_arguments(struct search_parser *parser, enum argument argument,
                           struct imap_search_key *key)
{
    struct imap_cursor *cursor = parser->cursor;
    if (argument == KEY || argument == TWO_KEYS) {
        take_children(parser, key, argument == KEY ? 1 : 2);
        return;
    }
    if (argument != NONE)
        imap_expect(cursor, ' ', "expected an argument behind the key");
    if (argument == FIELD_AND_TEXT) {
        key->field = imap_astring(cursor);
        imap_expect(cursor, ' ', "expected a text behind the field");
    }
    bool reads_much = key->kind == IMAP_SEARCH_BODY || key->kind == IMAP_SEARCH_TEXT ||
                      key->kind == IMAP_SEARCH_ANNOTATION;
    if (reads_much && ++cursor->texts > IMAP_SEARCH_TEXTS_MAXIMUM)
        imap_fail(cursor, "too many for BODY, TEXT and ANNOTATION");
    if (argument == TEXT || argument == FIELD_AND_TEXT)
        key->text = take_text(parser);
    else if (argument == ATOM)
        take_keyword(cursor, key);
    else if (argument == OBJECT)
        take_object_id(cursor, key);
    else if (argument == MODSEQ)
        take_modseq(parser, key);
    else if (argument == FILTER)
        take_filter(parser, key);
    else if (argument == ANNOTATION)
        take_annotation(parser, key);
    else if (argument == NUMBER)
        key->number = imap_number64(cursor, INT64_MAX);
    else if (argument == TIME)
        key->number = imap_nz_number(cursor);
    else if (argument == DATE)
        key->date = take_date(cursor);
    else if (argument == SET)
        imap_sequence_set(cursor, &key->set);
    else if (argument == UIDS_AFTER || argument == UIDS_BEFORE)
        take_uids_beside(cursor, argument == UIDS_AFTER, key);
}

static void take_named_key(struct search_parser *parser, struct imap_search_key *key)
{
    struct imap_cursor *cursor = parser->cursor;
    int found = imap_find_name(imap_word(cursor), &key_rows[0].name,
                               sizeof(key_rows) / sizeof(key_rows[0]), sizeof(key_rows[0]));
    if (found < 0) {
        imap_fail(cursor, "unknown");
        return;
    }
    const struct key_row *row = &key_rows[found];
    key->kind = row->kind;
    key->number = row->flag;
    key->field = slice_from_string(row->field);
    take_arguments(parser, row->argument, key);
    if (row->negated)
        negate(cursor, key);
}

static void take_key(struct search_parser *parser, struct imap_search_key *key)
{
    struct imap_cursor *cursor = parser->cursor;
    *key = (struct imap_search_key){0};
    if (++cursor->count > IMAP_SEARCH_KEYS_MAXIMUM)
        imap_fail(cursor, "too many");
    if (cursor->depth == IMAP_NESTING_MAXIMUM)
        imap_fail(cursor, "nested too deeply");
    cursor->depth++;
    int byte = imap_peek(cursor);
    if (imap_take(cursor, '(')) {
        take_and(parser, key);
        imap_expect(cursor, ')', "expected a key or a closing parenthesis");
    } else if (byte == '*' || byte == '$' || (byte >= '0' && byte <= '9')) {
        key->kind = IMAP_SEARCH_SEQUENCE;
        imap_sequence_set(cursor, &key->set);
        parser->search->numbers |= !key->set.saved_result;
    } else {
        take_named_key(parser, key);
    }
    cursor->depth--;
}

/* modifier-update, as RFC 5465 section 8 extends it; its example has a space before the list. */
static void take_update(struct imap_cursor *cursor, struct imap_search *search)
{
    char *before = cursor->at;
    search->update = true;
    imap_take(cursor, ' ');
    size_t count = 0;
    if (imap_peek(cursor) == '(' && !search->item_count)
        imap_fetch_items(cursor, &search->items, &count);
    else
        cursor->at = before;
    search->item_count += (uint32_t)count;
}

/* search-return-opts of RFC 4731, RFC 5182, RFC 9394 and RFC 5267: none given means ALL. CONTEXT
 * is a hint that is not needed. */
static void take_return(struct imap_cursor *cursor, struct imap_search *search)
{
    const struct {
        const char *name;
        bool *option;
    } options[] = {
        {"MIN", &search->return_min},   {"MAX", &search->return_max},
        {"ALL", &search->return_all},   {"COUNT", &search->return_count},
        {"SAVE", &search->return_save},
    };
    search->extended = true;
    imap_argument(cursor, "Return option");
    imap_expect(cursor, '(', "expected a list");
    if (imap_take(cursor, ')')) {
        search->return_all = true;
        return;
    }
    do {
        if (imap_take_word(cursor, "PARTIAL")) {
            imap_expect(cursor, ' ', "expected a range");
            imap_partial_range(cursor, &search->partial);
            continue;
        }
        if (imap_take_word(cursor, "UPDATE")) {
            take_update(cursor, search);
            continue;
        }
        if (imap_take_word(cursor, "CONTEXT"))
            continue;
        int row = imap_find_name(imap_word(cursor), &options[0].name,
                                 sizeof(options) / sizeof(options[0]), sizeof(options[0]));
        if (row < 0)
            imap_fail(cursor, "unknown");
        else
            *options[row].option = true;
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
    if (search->partial.given && search->return_all)
        imap_fail(cursor, "ALL and PARTIAL exclude each other");
}

/* Leaves the charset empty for UTF-8 and its subset: those texts need no conversion. */
static void take_charset(struct search_parser *parser)
{
    struct imap_cursor *cursor = parser->cursor;
    imap_argument(cursor, "Charset");
    struct slice charset = imap_astring(cursor);
    if (cursor->utf8_accept && !slice_equal_nocase(charset, SLICE("UTF-8")))
        imap_fail(cursor, "only UTF-8 is allowed after ENABLE UTF8=ACCEPT");
    if (cursor->problem || slice_equal_nocase(charset, SLICE("UTF-8")) ||
        slice_equal_nocase(charset, SLICE("US-ASCII")))
        return;
    struct buffer probe;
    buffer_init(&probe, 16);
    if (charset.size == 0 || text_to_utf8(charset, SLICE("a"), &probe) == ERROR_UNSUPPORTED) {
        cursor->bad_charset = true;
        imap_fail(cursor, "unknown");
    }
    buffer_release(&probe);
    parser->charset = charset;
    parser->search->other_charset = true;
}

void imap_search_return(struct imap_cursor *cursor, struct imap_search *search)
{
    if (imap_take_word(cursor, "RETURN")) {
        take_return(cursor, search);
        imap_argument(cursor, "Search key");
    }
}

void imap_search_keys(struct imap_cursor *cursor, struct imap_search *search, bool has_charset)
{
    struct search_parser parser = {.cursor = cursor, .search = search};
    search->charset = has_charset;
    if (has_charset) {
        take_charset(&parser);
        imap_argument(cursor, "Search key");
    }
    take_and(&parser, &search->key);
}

void imap_parse_search(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Search key");
    imap_search_return(cursor, &command->search);
    bool charset = imap_take_word(cursor, "CHARSET");
    if (charset && cursor->utf8_accept)
        imap_fail(cursor, "no charset is allowed after ENABLE UTF8=ACCEPT");
    imap_search_keys(cursor, &command->search, charset);
}

/* "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program (RFC 7377) */
void imap_parse_esearch(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_search *search = &command->search;
    imap_argument(cursor, "Search key");
    if (imap_take_word(cursor, "IN")) {
        struct imap_notify *sources = arena_alloc(cursor->arena, sizeof(*sources));
        imap_argument(cursor, "Mailbox filter");
        if (sources)
            imap_search_sources(cursor, sources);
        else
            imap_fail(cursor, "too large");
        search->sources = sources;
        imap_argument(cursor, "Search key");
    }
    imap_search_return(cursor, search);
    imap_search_keys(cursor, search, imap_take_word(cursor, "CHARSET"));
}

/* "CANCELUPDATE" 1*(SP quoted) (RFC 5267 section 5) */
void imap_parse_cancel_update(struct imap_cursor *cursor, struct imap_command *command)
{
    do {
        imap_argument(cursor, "Tag");
        if (command->cancel_update.count == IMAP_CANCEL_MAXIMUM)
            imap_fail(cursor, "too many");
        struct slice tag = imap_string(cursor);
        command->cancel_update.tags = imap_grow(cursor, command->cancel_update.tags,
                                                command->cancel_update.count, sizeof(tag));
        if (!cursor->problem)
            command->cancel_update.tags[command->cancel_update.count++] = tag;
    } while (cursor->at < cursor->end);
}

int imap_search_program(struct slice text, struct arena *arena, struct imap_search *search)
{
    char *copy = arena_string(arena, text);
    if (!copy)
        return ERROR_LIMIT;
    struct imap_cursor cursor = {.at = copy, .end = copy + text.size, .arena = arena};
    *search = (struct imap_search){0};
    imap_search_keys(&cursor, search, false);
    if (arena_failed(arena))
        return ERROR_LIMIT;
    return cursor.problem || cursor.at < cursor.end ? ERROR_SYNTAX : 0;
}
