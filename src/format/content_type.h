/*
 * Content-Type, Content-Disposition and their like: a value with parameters (RFC 2045 section
 * 5.1, RFC 2183), RFC 2231's continued and extended parameters among them.
 *
 * The parsers are tolerant: comments are passed over, values may be quoted or not (and then hold
 * blanks and what RFC 2045 calls tspecials up to the next ";"), missing semicolons and names are
 * passed over. Nothing here blocks. Everything handed out lives in the arena given.
 */
#ifndef FORMAT_CONTENT_TYPE_H
#define FORMAT_CONTENT_TYPE_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    CONTENT_PARAMETERS_MAXIMUM = 64,   /* in one field, each section of a continued one
                                          counted; those behind are not looked at */
    CONTENT_VALUE_MAXIMUM = 16 * 1024, /* bytes of one field; what is behind is not looked at */
    CONTENT_BOUNDARY_MAXIMUM = 70,     /* bytes, RFC 2046 section 5.1.1 */
};

/* One parameter. The sections of a continued one (RFC 2231 section 3) are joined. */
struct content_parameter {
    struct slice name;  /* upper case; an extended one's (RFC 2231 section 4) ends in "*" */
    struct slice value; /* without quotes; an extended one's is charset'language'percent-encoded */
    bool extended;
};

/* The field taken apart. */
struct content_value {
    struct slice type;    /* upper case: the media type, or the disposition */
    struct slice subtype; /* upper case; empty in a Content-Disposition */
    struct content_parameter *parameters;
    size_t parameter_count;
    size_t arena_bytes; /* what it took of the arena, about */
    bool cut;           /* something was beyond the limits */
};

/* A Content-Type's value. ERROR_SYNTAX when there is no type and subtype (the caller then takes
 * the default, RFC 2045 section 5.2); ERROR_LIMIT when the arena is full. */
int content_type_parse(struct slice field, struct arena *arena, struct content_value *value);

/* A Content-Disposition's value. ERROR_SYNTAX when it names no disposition; ERROR_LIMIT. */
int content_disposition_parse(struct slice field, struct arena *arena, struct content_value *value);

/* The parameter with this name (upper case, without "*"); the extended one goes before the plain
 * one (RFC 6266 section 4.3's rule, which mail programs follow too). NULL: none. */
const struct content_parameter *content_parameter_find(const struct content_value *value,
                                                       const char *name);

/* Appends the parameter's value as UTF-8: an extended one decoded from its charset, in a plain one
 * encoded words, which many programs write there against RFC 2047 section 5. Returns the buffer's
 * error. */
int content_parameter_decode(const struct content_parameter *parameter, struct buffer *utf8);

/* What the MIME parser needs of a Content-Type, without an arena. */
enum content_kind {
    CONTENT_KIND_INVALID, /* no type and subtype */
    CONTENT_KIND_OTHER,
    CONTENT_KIND_MULTIPART,
    CONTENT_KIND_DIGEST,  /* multipart/digest */
    CONTENT_KIND_MESSAGE, /* message/rfc822, message/global */
};

/* The kind of a Content-Type's value. For the multiparts *boundary_size is the boundary's length:
 * 0 when there is none, more than CONTENT_BOUNDARY_MAXIMUM when it is too long to be used. */
enum content_kind content_kind(struct slice field, char boundary[CONTENT_BOUNDARY_MAXIMUM],
                               size_t *boundary_size);

#endif
