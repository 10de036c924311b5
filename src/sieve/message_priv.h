/*
 * The message as a run sees it: its header indexed once, values decoded when a test asks for them,
 * bodies not before.
 */
#ifndef SIEVE_MESSAGE_PRIV_H
#define SIEVE_MESSAGE_PRIV_H

#include "base/arena.h"
#include "format/mime.h"

/* A text that is compared, with what comparisons have worked out of it. */
struct value {
    struct slice text;   /* UTF-8 */
    struct slice folded; /* ASCII letters in lower case; data == NULL: not yet */
};

struct message_address {
    struct value all, local, domain;
};

struct field {
    struct slice name;  /* as the message has it */
    struct slice raw;   /* the value, folds as they stand, without blanks at both ends */
    struct slice whole; /* name, colon and value as they stand, without the last line end */
    uint32_t hash;      /* of the name */
    uint32_t next;      /* of the same slot, from 1; 0: none */
    bool is_decoded, is_parsed;
    struct value value; /* unfolded, encoded words decoded */
    struct message_address *addresses;
    size_t address_count;
};

enum {
    FIELD_SLOTS = 64, /* of the index by name, a power of two */
    /* Further fields of a header are not looked at. */
    MESSAGE_FIELDS_MAXIMUM = MIME_HEADER_FIELDS_MAXIMUM,
};

/* A header: the message's, or a part's. */
struct header {
    struct field *fields;
    size_t count, capacity;
    uint32_t slots[FIELD_SLOTS]; /* the first field of the slot, from 1; 0: none */
};

struct message {
    struct arena *arena;
    struct slice source;       /* the whole, as it came */
    struct slice header, body; /* as they stand now; the empty line is the header's */
    struct header fields;
    bool edited; /* the header differs from `header` until message_header is asked */
    bool has_tree;
    struct slice source_body;
    struct mime_tree tree;   /* of the source */
    struct value *texts;     /* two for each part: without and with its markup */
    struct header **headers; /* one for each part, or NULL: not looked at yet */
};

/* Indexes the header. ERROR_LIMIT: the arena is full. */
int message_init(struct message *message, struct slice source, struct arena *arena);

/* Indexes a header's bytes. ERROR_LIMIT. */
int header_parse(struct header *header, struct slice bytes, struct arena *arena);

/* The first field of the name, or the next one of the same name; NULL: none. */
struct field *header_find(const struct header *header, struct slice name, uint32_t hash);
struct field *header_find_next(const struct header *header, const struct field *field);

/* The field's value for people; NULL: the arena is full. */
struct value *field_value(struct field *field, struct arena *arena);

/* The field's addresses. ERROR_LIMIT. */
int field_addresses(struct field *field, struct arena *arena);

/* Makes the tree of parts, once. ERROR_LIMIT. */
int message_parse(struct message *message);

/* A part's header; the message's is the one that scripts change. The tree is there. NULL: the arena
 * is full. */
const struct header *message_part_header(struct message *message, const struct mime_part *part);

/* A part's body, decoded; a text in UTF-8, an HTML one without its markup unless that is wanted.
 * The tree is there. NULL: the arena is full. */
struct value *message_part_text(struct message *message, const struct mime_part *part, bool markup);

/* The header and the body as they are now: the header is made anew after changes. It stays as it
 * was when the arena is full, which the arena remembers. */
void message_current(struct message *message, struct slice *header, struct slice *body);

/* Puts a field before all others or behind them. ERROR_LIMIT. */
int message_add_field(struct message *message, struct slice name, struct slice value, bool last);

/* Takes a field out. */
void message_delete_field(struct message *message, struct field *field);

/* Takes an address apart: "local@domain" or "local". */
struct message_address message_address(struct slice text);

#endif
