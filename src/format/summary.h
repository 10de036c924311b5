/*
 * The summary of a message: what listings, searches and most of FETCH need, parsed once when the
 * message is stored, kept beside its entry as one value of bytes.
 *
 * A summary is derived: summary_build makes the same bytes again from the same message. Its
 * first byte is its version. One of another version is not read but made anew: the store does it
 * (store/summaries.h). Encoding: docs/format.md.
 *
 * Nothing in a message makes summary_build fail: what is beyond the limits of format/mime.h is
 * described as an opaque part, over-long header values are cut in what is indexed (FETCH of the
 * header itself reads the message), and the summary says that it was cut (`truncated`).
 */
#ifndef FORMAT_SUMMARY_H
#define FORMAT_SUMMARY_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    SUMMARY_VERSION = 3,
    SUMMARY_SIZE_MAXIMUM = 256 * 1024,         /* bytes of one encoded summary */
    SUMMARY_PREVIEW_MAXIMUM = 256,             /* characters, RFC 8970 section 3.1 */
    SUMMARY_MEMORY_MAXIMUM = 16 * 1024 * 1024, /* arena that any message can be parsed with */
};

/* The header fields whose values a summary keeps: unfolded, encoded words decoded to UTF-8. */
enum summary_header {
    SUMMARY_FROM,
    SUMMARY_TO,
    SUMMARY_CC,
    SUMMARY_BCC,
    SUMMARY_SENDER,
    SUMMARY_REPLY_TO,
    SUMMARY_SUBJECT,
    SUMMARY_DATE,
    SUMMARY_MESSAGE_ID, /* the <...> as it stands, trimmed */
    SUMMARY_IN_REPLY_TO,
    SUMMARY_REFERENCES,
    SUMMARY_LIST_ID,
    SUMMARY_HEADER_COUNT
};

/* The field's name as in the RFCs ("Message-ID"). */
const char *summary_header_name(enum summary_header header);

/* The row for a field name in any case, or -1 when summaries do not keep it. */
int summary_header_find(struct slice name);

/* One MIME part: where it lies in the message, in bytes from its start. */
struct summary_part {
    uint16_t parent;        /* index in parts; the root's parent is itself */
    uint16_t number;        /* among its siblings, from 1 */
    uint8_t kind;           /* enum summary_part_kind */
    uint8_t encoding;       /* enum summary_encoding */
    uint64_t header_offset; /* of its MIME header (the message header for the root and for a */
    uint64_t header_size;   /*  message/rfc822's content); the empty line that ends it included */
    uint64_t body_offset;
    uint64_t body_size; /* as stored, without the line end before the boundary */
    uint32_t body_lines;
    struct slice charset; /* of a text part, as declared; empty: none declared */
};

enum summary_part_kind {
    SUMMARY_PART_TEXT_PLAIN,
    SUMMARY_PART_TEXT_HTML,
    SUMMARY_PART_TEXT_OTHER,
    SUMMARY_PART_MULTIPART, /* its parts have it as parent */
    SUMMARY_PART_MESSAGE,   /* message/rfc822 or message/global: its one child is the message */
    SUMMARY_PART_OTHER,
};

enum summary_encoding {
    SUMMARY_ENCODING_IDENTITY, /* 7bit, 8bit, binary */
    SUMMARY_ENCODING_BASE64,
    SUMMARY_ENCODING_QUOTED_PRINTABLE,
    SUMMARY_ENCODING_UNKNOWN,
};

/* A summary taken apart. Slices point into the encoded bytes. */
struct summary {
    uint8_t version;
    bool truncated;
    bool has_attachment;   /* a part that a reader would show as a file */
    int64_t sent_date;     /* the Date field, seconds since 1970; INT64_MIN: none or wrong */
    uint64_t size;         /* of the message, bytes */
    uint64_t header_size;  /* of its header, the empty line included */
    struct slice envelope; /* IMAP's ENVELOPE value, "(...)" (RFC 9051 section 7.5.2) */
    struct slice body;     /* IMAP's BODY value without extension data */
    struct slice bodystructure;
    struct slice headers[SUMMARY_HEADER_COUNT]; /* data == NULL: the message has no such field */
    uint16_t plain, whole;                      /* for summary_fields */
    uint64_t places;
    struct slice fields;
    struct slice preview; /* UTF-8 */
    size_t part_count;    /* at least 1; parts in document order, parts[0] is the message */
    struct slice parts;   /* encoded; see summary_part */
};

/* Parses a message (as received; lines may end in CRLF or LF) and appends the encoded summary.
 * `scratch` is what parsing may use: an arena whose maximum is at least SUMMARY_MEMORY_MAXIMUM
 * is always enough; its content is the caller's to clear. ERROR_MEMORY; ERROR_LIMIT for smaller
 * arenas or buffers. */
int summary_build(struct slice message, struct arena *scratch, struct buffer *encoded);

/* Appends the summary of the same message with whole header fields of `size` bytes put in front of
 * it, none of them one that summaries keep. ERROR_CORRUPT, ERROR_LIMIT, ERROR_MEMORY. */
int summary_shift(struct slice encoded, size_t size, struct buffer *shifted);

/* Whether the bytes are of SUMMARY_VERSION. */
bool summary_is_current(struct slice encoded);

/* Takes encoded bytes apart, no copy. ERROR_CORRUPT; also of another version. */
int summary_parse(struct slice encoded, struct summary *summary);

/* Appends the wanted fields, byte by byte as they stand in the message's header and in its order;
 * one that it does not have is left out. ERROR_NOT_FOUND, and nothing appended: the summary cannot
 * tell, as one of them is empty, occurs twice or is not ASCII, or is longer than 1 KiB (References:
 * than a line) and written in another way than `Name: value`. ERROR_LIMIT. */
int summary_fields(const struct summary *summary, const enum summary_header *wanted, size_t count,
                   struct buffer *fields);

/* The part with this index. ERROR_NOT_FOUND, ERROR_CORRUPT. Constant time. */
int summary_part_at(const struct summary *summary, size_t index, struct summary_part *part);

/* The part that IMAP's section numbers name (RFC 9051 section 6.4.5.1): "1.2" is {1, 2}. A
 * non-multipart message's only part is 1. No numbers: the root. ERROR_NOT_FOUND. */
int summary_part_find(const struct summary *summary, const uint32_t *numbers, size_t count,
                      size_t *index);

#endif
