/*
 * The cursor that argument parsers share: one command's text, read from front to end.
 *
 * Errors are sticky: the first one is kept, the cursor then stands at the end, where every peek
 * says so, and so loops end by themselves. An argument parser is straight-line code; the caller
 * looks at `problem` once.
 *
 * Slices given out point into the text, which is unescaped in place, or into the arena.
 */
#ifndef PROTO_IMAP_PARSE_PRIV_H
#define PROTO_IMAP_PARSE_PRIV_H

#include "proto/imap/reader.h"

struct imap_cursor {
    char *at, *end; /* the text, without the last line's end */
    struct arena *arena;
    const char *what;    /* the argument that is being read, for people */
    const char *problem; /* sticky: what is wrong with it; NULL: nothing */
    bool incomplete;     /* the text ends behind a literal's head: its bytes are still to come */
    bool utf8;           /* names are UTF-8, not modified UTF-7 */
    bool utf8_accept;    /* so are all texts; no other charset is allowed */
    bool bad_charset;    /* SEARCH: not a syntax error, but a charset nobody knows */
    int depth;           /* parentheses, NOT and OR; IMAP_NESTING_MAXIMUM */
    size_t count;        /* search keys; IMAP_SEARCH_KEYS_MAXIMUM */
    size_t texts;        /* search keys that read bodies; IMAP_SEARCH_TEXTS_MAXIMUM */
    size_t entries;      /* of annotations to fetch; IMAP_ANNOTATION_ENTRIES_MAXIMUM */
    size_t fields;       /* header fields to fetch; IMAP_FETCH_FIELDS_MAXIMUM */
};

/* "{n}" or "{n+}" at the end of a line (RFC 7888). */
struct imap_literal {
    uint64_t size; /* INT64_MAX for anything larger */
    bool plus;     /* non-synchronizing: the bytes come without being asked for */
    size_t length; /* bytes of the head, line's end included */
};

/* --- command.c --- */

/* Tag and name. tag (IMAP_TAG_MAXIMUM bytes) keeps the tag; command->tag is "*" where there is no
 * valid one. states: those whose commands are known. */
void imap_parse_head(struct imap_cursor *cursor, uint32_t states, char *tag,
                     struct imap_command *command);

/* The arguments, up to the end of the text. */
void imap_parse_arguments(struct imap_cursor *cursor, struct imap_command *command);

/* --- parse.c: the pieces of the grammar --- */

/* Whether the line, its end included, ends with a literal's head. */
bool imap_literal_at_end(struct slice line, struct imap_literal *literal);

void imap_fail(struct imap_cursor *cursor, const char *problem);

/* The next byte, -1 at the end. */
static inline int imap_peek(const struct imap_cursor *cursor)
{
    return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

/* Steps over the byte when it is the next one. */
bool imap_take(struct imap_cursor *cursor, char byte);
void imap_expect(struct imap_cursor *cursor, char byte, const char *problem);

/* The space before an argument, which is then called what. */
void imap_argument(struct imap_cursor *cursor, const char *what);

/* Whether the text goes on with the word, in any case, and no letter behind it; steps over it. */
bool imap_take_word(struct imap_cursor *cursor, const char *word);

/* A run of letters, digits, '.' and '-'. */
struct slice imap_word(struct imap_cursor *cursor);

/* The index of the word in count names of a table with rows of `stride` bytes, or -1. */
int imap_find_name(struct slice word, const void *names, size_t count, size_t stride);

struct slice imap_atom(struct imap_cursor *cursor);
struct slice imap_string(struct imap_cursor *cursor); /* quoted or literal */
struct slice imap_astring(struct imap_cursor *cursor);
struct slice imap_nstring(struct imap_cursor *cursor); /* NIL: data == NULL */
/* nstring / literal8: a value, which may have NUL bytes. */
struct slice imap_value(struct imap_cursor *cursor);
uint64_t imap_number64(struct imap_cursor *cursor, uint64_t maximum);
uint32_t imap_nz_number(struct imap_cursor *cursor);

/* A literal's head, the last thing in the text, of a literal whose bytes are not in it. */
uint64_t imap_message_literal(struct imap_cursor *cursor);

/* Memory for one more element behind count of them; the array moves. NULL: failed. */
void *imap_grow(struct imap_cursor *cursor, void *array, size_t count, size_t size);

/* A buffer in the arena for at most size bytes, which needs no release. */
struct buffer imap_arena_buffer(struct imap_cursor *cursor, size_t size);

/* --- parse_annotation.c (RFC 5257) --- */

/* Behind "ANNOTATION": SP "(" entries SP attribs ")" */
void imap_annotation_item(struct imap_cursor *cursor, struct imap_fetch_item *item);

/* entry-match SP att-search SP, but not the value. */
void imap_annotation_key(struct imap_cursor *cursor, struct imap_search_key *key);

/* SP entry SP att-sort */
void imap_annotation_criterion(struct imap_cursor *cursor, struct imap_sort_criterion *criterion);

/* "(" entry-att *(SP entry-att) ")" */
void imap_annotations_take(struct imap_cursor *cursor, struct imap_annotations *annotations);

/* The same behind the first parenthesis, an entry's name or a value at a time, up to `complete`.
 * copies: what is kept is in the arena. */
void imap_annotations_step(struct imap_cursor *cursor, struct imap_annotations *annotations);

/* --- parse_append.c --- */
enum imap_append_item {
    IMAP_APPEND_ITEM_NONE,     /* go on */
    IMAP_APPEND_ITEM_MESSAGE,  /* a message's literal follows the text */
    IMAP_APPEND_ITEM_CATENATE, /* a message's parts follow */
    IMAP_APPEND_ITEM_TEXT,     /* the literal of one */
    IMAP_APPEND_ITEM_URL,
    IMAP_APPEND_ITEM_END, /* of the command */
};

/* The next item of APPEND or REPLACE, whose name has been read. cursor->incomplete: the same again
 * when the text is longer. What it keeps of the text is in the arena; *url is not. */
enum imap_append_item imap_append_next(struct imap_cursor *cursor, struct imap_command *command,
                                       struct slice *url);

/* --- parse_mailbox.c --- */
struct slice imap_mailbox(struct imap_cursor *cursor);
struct slice imap_mailbox_name(struct imap_cursor *cursor, struct slice wire); /* not empty */
struct slice imap_reference(struct imap_cursor *cursor);                       /* may be empty */
struct slice imap_list_pattern(struct imap_cursor *cursor);

/* mod-sequence-valzer (RFC 7162 section 7): 63 bits. */
static inline uint64_t imap_modseq(struct imap_cursor *cursor)
{
    return imap_number64(cursor, INT64_MAX);
}

/* --- parse_set.c, parse_flags.c, parse_status.c --- */
void imap_sequence_set(struct imap_cursor *cursor, struct imap_sequence_set *set);
void imap_flag_list(struct imap_cursor *cursor, struct imap_flags *flags);
void imap_flags_bare(struct imap_cursor *cursor, struct imap_flags *flags); /* no parentheses */
uint32_t imap_status_items(struct imap_cursor *cursor);

/* --- parse_fetch.c --- */

/* section = "[" [section-spec] "]" [partial] (RFC 9051 section 9) */
void imap_section(struct imap_cursor *cursor, struct imap_fetch_item *item);

/* partial-range (RFC 9394 section 4) */
void imap_partial_range(struct imap_cursor *cursor, struct imap_partial *partial);

/* --- parse_fetch.c: "(" fetch-att *(SP fetch-att) ")" --- */
void imap_fetch_items(struct imap_cursor *cursor, struct imap_fetch_item **items, size_t *count);

/* --- parse_metadata.c: "(" entry *(SP entry) ")" --- */
void imap_metadata_entries(struct imap_cursor *cursor, struct slice **entries, size_t *count);

/* --- parse_notify.c: "(" filter-mailboxes *(SP filter-mailboxes) ")" of RFC 7377 --- */
void imap_search_sources(struct imap_cursor *cursor, struct imap_notify *sources);

/* --- parse_search.c: what SEARCH, SORT and THREAD share --- */

/* "RETURN (...)" and the space behind it, where it is there. */
void imap_search_return(struct imap_cursor *cursor, struct imap_search *search);

/* The charset, if has_charset, and the keys. The cursor stands before the space in front. */
void imap_search_keys(struct imap_cursor *cursor, struct imap_search *search, bool has_charset);

/* --- the argument parsers in imap_commands --- */
typedef void imap_parser(struct imap_cursor *cursor, struct imap_command *command);
imap_parser imap_parse_acl, imap_parse_setacl, imap_parse_nothing, imap_parse_id, imap_parse_login,
    imap_parse_authenticate, imap_parse_enable, imap_parse_language, imap_parse_mailbox,
    imap_parse_select, imap_parse_create, imap_parse_rename, imap_parse_list, imap_parse_lsub,
    imap_parse_status, imap_parse_append, imap_parse_replace, imap_parse_resetkey,
    imap_parse_genurlauth, imap_parse_urlfetch, imap_parse_expunge, imap_parse_search,
    imap_parse_sort, imap_parse_thread, imap_parse_getquota, imap_parse_setquota,
    imap_parse_compress, imap_parse_getmetadata, imap_parse_setmetadata, imap_parse_fetch,
    imap_parse_store, imap_parse_copy, imap_parse_notify, imap_parse_cancel_update,
    imap_parse_esearch, imap_parse_uidbatches;

#endif
