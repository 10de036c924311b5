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

/* A part that has been replaced: bytes of the source that another text stands for. */
struct patch {
    size_t from, to;
    struct slice text;
};

struct made; /* a text of the message that a change has made */

/* The tree is of the source. What replaces parts (RFC 5703 section 5) is noted, and put into a new
 * source when somebody wants to see it: message_settle. */
struct message {
    struct arena *arena;
    struct slice source; /* the whole, as it came or as it was made */
    struct slice header,
        body; /* as they stand now but for patches; the empty line is the header's */
    struct header fields;
    bool edited; /* the header differs from `header` until message_current is asked */
    bool has_tree;
    struct patch *patches; /* by offset; none overlaps another */
    size_t patch_count;
    bool body_replaced; /* `body` is not the source's */
    struct made *made;
    size_t made_bytes;
    bool enclosed; /* and what redirect sends on then (RFC 5703 section 6): */
    struct slice enclosed_header, enclosed_body;
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
 * was when the arena is full, which the arena remembers. The message is settled; see run_message.
 */
void message_current(struct message *message, struct slice *header, struct slice *body);

/* --- change.c: replacing and enclosing (RFC 5703 sections 5, 6) --- */

/* Frees what the message was made of. */
void message_free_changes(struct message *message);

/* Whether the part differs from what the tree says: it, or one within it, has been replaced. NULL:
 * the message. */
bool message_is_changed(const struct message *message, const struct mime_part *part);

/* Another text for a part that is not the message itself. ERROR_LIMIT; ERROR_CONFLICT: a line of it
 * is a boundary of a multipart around it. */
int message_replace_part(struct message *message, const struct mime_part *part,
                         struct slice entity);

/* Another body for the message; its header is the caller's to change. */
void message_replace_body(struct message *message, struct slice body);

/* Makes a new source of the message as it is now; the tree is gone then. ERROR_LIMIT: too much has
 * been made, ERROR_MEMORY. */
int message_settle(struct message *message);

/* Bytes that message_settle writes. */
size_t message_settle_size(const struct message *message);

/* Makes the message a part of another one, which has this header, its empty line included, and
 * whose body begins and ends with these bytes. The message is settled. Errors as message_settle. */
int message_enclose(struct message *message, struct slice header, struct slice before,
                    struct slice behind);

/* Puts a field before all others or behind them. ERROR_LIMIT. */
int message_add_field(struct message *message, struct slice name, struct slice value, bool last);

/* Gives the field another name: the prefix and what it had. ERROR_LIMIT. */
int message_rename_field(struct message *message, struct field *field, struct slice prefix);

/* Takes a field out. */
void message_delete_field(struct message *message, struct field *field);

/* Takes an address apart: "local@domain" or "local". */
struct message_address message_address(struct slice text);

#endif
