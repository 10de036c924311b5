/*
 * MIME messages (RFC 5322, RFC 2045, RFC 2046): a pull parser over a slice, and the tree of parts
 * made with it.
 *
 * Nothing makes parsing fail: what breaks the rules is taken as it can be, what is beyond a limit
 * is an opaque part (`truncated` says so). Every byte is read a constant number of times: a line
 * that begins with "--" is hashed once and compared with the open boundaries by length and hash.
 *
 * Lines end in CRLF or LF; in a message without any LF they end in CR. Offsets and sizes count
 * bytes as they are stored.
 *
 *     struct mime_parser parser;
 *     struct mime_event event;
 *     mime_parser_init(&parser, message, NULL);
 *     while (mime_next(&parser, &event))
 *         ...
 *
 * For each part come PART_BEGIN, a FIELD for each header field, PART_BODY, the events of the parts
 * within it, PART_END. The first part is the message itself.
 */
#ifndef FORMAT_MIME_H
#define FORMAT_MIME_H

#include "base/arena.h"
#include "format/content_type.h"
#include "format/summary.h"

enum {
    /* How deep parts are nested, the message itself counted. A multipart or a message that would
     * have to be opened deeper is opaque. */
    MIME_DEPTH_MAXIMUM = 64,
    /* The parts of a message, itself counted. The last one of these is opaque and goes to the
     * message's end. */
    MIME_PARTS_MAXIMUM = 1000,
    /* The bytes of one part's header, and its fields, that are looked at; further fields are
     * passed over. */
    MIME_HEADER_BYTES_MAXIMUM = 1024 * 1024,
    MIME_HEADER_FIELDS_MAXIMUM = 2000,
    /* Longer boundaries are not valid (RFC 2046 section 5.1.1): the multipart is opaque. */
    MIME_BOUNDARY_MAXIMUM = CONTENT_BOUNDARY_MAXIMUM,
    /* In the tree: the header fields kept in all parts together, and the bytes of arena that
     * parameters may take. Further ones are left out. */
    MIME_FIELDS_KEPT_MAXIMUM = 16 * 1024,
    MIME_PARAMETER_BYTES_MAXIMUM = 2 * 1024 * 1024,
};

/* Smaller limits than the ones above; larger ones are cut back to them, 0 is 1. */
struct mime_limits {
    size_t depth, parts, header_bytes, header_fields;
};

enum mime_event_kind {
    MIME_PART_BEGIN, /* offset: where its header begins */
    MIME_FIELD,      /* name, value; offset: where the field begins */
    MIME_PART_BODY,  /* offset: where its body begins; media, opaque */
    MIME_PART_END,   /* offset: where its body ends; lines */
};

/* What a part's body is for the parser. */
enum mime_media {
    MIME_LEAF,
    MIME_MULTIPART,
    MIME_MESSAGE, /* message/rfc822 or message/global: its one child is the message */
};

struct mime_event {
    enum mime_event_kind kind;
    size_t offset;
    struct slice name;  /* without blanks before the colon */
    struct slice value; /* from behind the colon to before the field's last line end; folds as
                           they stand */
    enum mime_media media;
    bool opaque;      /* PART_BODY: not to be taken for what its Content-Type says: it is beyond a
                         limit, or a message in an encoding that hides it */
    bool digest;      /* PART_BEGIN: its default type is message/rfc822 (RFC 2046 section 5.1.5) */
    bool no_boundary; /* PART_BODY: it says that it is a multipart, but names no boundary */
    size_t lines;     /* PART_END: line ends in its body */
};

/* Private to mime.c from here to the next comment of this kind. */
struct mime_frame {
    struct slice content_type, encoding; /* the fields' values; data == NULL: none met yet */
    size_t header_offset, body_offset, body_line, fields, children;
    uint32_t boundary_hash;
    uint8_t boundary_size; /* 0: no delimiter of its own is looked for */
    bool multipart, digest_children, digest, synthetic;
    char boundary[MIME_BOUNDARY_MAXIMUM];
};

struct mime_parser {
    bool truncated; /* public: something was beyond a limit so far */
    struct slice message;
    struct mime_limits limits;
    size_t offset, line; /* where reading goes on, and the line ends before it */
    char line_end;
    unsigned char state;
    bool to_the_end; /* the last part that there may be: delimiters mean nothing any more */
    size_t parts, depth, boundaries; /* begun, open, open with a boundary */
    struct {
        size_t keep;          /* frames that stay open */
        size_t end, end_line; /* where the bodies end */
        size_t next;          /* where the delimiter line ends; SIZE_MAX: the message ends */
        bool closing;
    } delimiter;
    struct mime_frame frames[MIME_DEPTH_MAXIMUM];
};
/* Public again. */

/* The message is not copied and stays the caller's. limits: NULL for the ones above. */
void mime_parser_init(struct mime_parser *parser, struct slice message,
                      const struct mime_limits *limits);

/* The next event; false at the end. Slices point into the message. */
bool mime_next(struct mime_parser *parser, struct mime_event *event);

/* The header fields that the tree keeps. */
enum mime_field_name {
    MIME_DATE,
    MIME_SUBJECT,
    MIME_FROM,
    MIME_SENDER,
    MIME_REPLY_TO,
    MIME_TO,
    MIME_CC,
    MIME_BCC,
    MIME_IN_REPLY_TO,
    MIME_MESSAGE_ID,
    MIME_REFERENCES,
    MIME_LIST_ID,
    MIME_CONTENT_TYPE, /* this and those below in every part, those above in messages only */
    MIME_CONTENT_TRANSFER_ENCODING,
    MIME_CONTENT_ID,
    MIME_CONTENT_DESCRIPTION,
    MIME_CONTENT_DISPOSITION,
    MIME_CONTENT_LANGUAGE,
    MIME_CONTENT_LOCATION,
    MIME_CONTENT_MD5,
    MIME_FIELD_NAMES
};

/* A kept field; of one name there may be several, in the header's order. */
struct mime_field {
    struct slice value; /* as struct mime_event's, without blanks at its ends */
    struct mime_field *next;
};

struct mime_part {
    struct mime_part *parent;                     /* NULL: the message itself */
    struct mime_part *children;                   /* the first of them */
    struct mime_part *next;                       /* its next sibling */
    size_t index;                                 /* in document order, from 0 */
    size_t number;                                /* among its siblings, from 1 */
    size_t header_offset, body_offset, body_size; /* the header ends where the body begins */
    size_t lines;
    enum mime_media media;
    bool opaque;
    enum summary_encoding encoding;
    struct content_value type;        /* never empty: the defaults filled in */
    struct content_value disposition; /* type empty: none */
    struct mime_field *fields[MIME_FIELD_NAMES];
    /* Private to mime_tree.c. */
    struct mime_part *last_child;
    struct mime_part *next_in_document;
};

struct mime_tree {
    struct mime_part *root;
    size_t part_count;
    bool truncated;
};

/* Parses the message into the arena. ERROR_LIMIT when the arena is too small: with the limits
 * above 6 MiB are enough for any message. A multipart has at least one child: an empty text/plain
 * part stands in one that has none in the message. */
int mime_tree_parse(struct slice message, const struct mime_limits *limits, struct arena *arena,
                    struct mime_tree *tree);

/* The part that comes next in the document; NULL after the last. */
struct mime_part *mime_part_next(const struct mime_part *part);

/* Whether the part's header is a message's header. */
static inline bool mime_part_is_message(const struct mime_part *part)
{
    return !part->parent || part->parent->media == MIME_MESSAGE;
}

#endif
