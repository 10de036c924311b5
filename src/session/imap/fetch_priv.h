/*
 * FETCH: what cmd_fetch.c and fetch_section.c share.
 */
#ifndef SESSION_IMAP_FETCH_PRIV_H
#define SESSION_IMAP_FETCH_PRIV_H

#include "base/spool.h"
#include "format/transfer_encoding.h"
#include "session/imap/session_priv.h"

/* BINARY or BINARY.SIZE under way: the part is decoded into the spool (of the latter it is only
 * counted), then what is wanted of it is written. */
struct fetch_binary {
    const struct imap_fetch_item *item; /* NULL: none is under way */
    bool decoding;
    uint64_t offset, left; /* of the message's bytes still to be decoded */
    struct transfer_decoder decoder;
    bool text;    /* lines end in CRLF, whatever they ended in */
    bool has_nul; /* it needs a literal8 */
    char last;    /* byte that was decoded */
    uint64_t size;
    struct spool spool;
    struct slice decoded; /* in the spool */
};

/* ANNOTATION under way: what the message has is read once. */
struct fetch_annotation {
    const struct imap_fetch_item *item; /* NULL: none is under way */
    struct arena arena;
    struct annotation *list;
    size_t count;
    struct slice *names; /* of entries to be told */
    size_t name_count, next;
};

/* What is shown in place of a message, from when it is needed to the end of the response. */
struct fetch_surrogate {
    bool active;
    struct spool spool;
    struct slice bytes;    /* in the spool */
    struct buffer summary; /* encoded */
};

/* The command's state between slices. A response may be interrupted between two items, and
 * within a section's literal. */
struct fetch_work {
    const struct imap_fetch_item *items; /* in the order asked for */
    size_t item_count;
    const struct range_set *uids;
    uint64_t since; /* only what has changed after this modseq; 0: all */
    uint32_t next_uid;
    uint32_t lowest;           /* MESSAGELIMIT: down to this UID; 0: all, upwards */
    bool gone;                 /* a message was expunged by others */
    struct range_set vanished; /* to be told first (RFC 7162 section 3.2.6) */
    size_t vanished_written;   /* ranges of it */
    int failed;                /* the last error that left something out */
    int broken;                /* an error that leaves a response cut off */
    bool unknown_encoding;     /* a message was left out, as BINARY cannot decode it */
    bool no_part;              /* an annotation was left out: it is of a part that there is not */
    struct fetch_binary binary;
    struct fetch_annotation annotation;
    struct fetch_surrogate surrogate;
    struct range_set downgraded; /* UIDs of those that had one */

    bool sets_seen;   /* an item sets \Seen */
    bool shows_seen;  /* and the responses show it; else the sync tells it with its MODSEQ */
    bool tells_flags; /* FLAGS is among the items */
    bool tells_modseq;
    bool needs_summary; /* an item that cannot do without */
    bool needs_thread;
    bool needs_decoding; /* BINARY or its size is among the items */

    bool open;          /* entry's response has been begun */
    struct entry entry; /* flags as they will be, \Seen included */
    uint64_t thread;
    size_t item; /* the next one */
    bool wrote;  /* an item is in the response: a space comes before the next one */
    bool became_seen;
    bool in_literal;
    uint64_t offset, left; /* of the message's bytes in the literal, still to be written */
};

/* What lives within one slice. */
struct fetch_slice {
    struct imap_session *session;
    struct fetch_work *work;
    struct mailbox_snapshot *snapshot;
    struct flags_cache flags;
    struct date_cache date;
    struct range_set seen; /* becomes \Seen at the end of the slice */
    struct buffer encoded; /* the summary's bytes */
    struct summary summary;
    bool has_summary;
    struct buffer header, filtered; /* HEADER.FIELDS */
};

/* The entry's summary, read once; its surrogate's when there is one. */
int fetch_load_summary(struct fetch_slice *slice);

/* --- fetch_surrogate.c --- */

/* Appends the message's bytes from offset on, at most size; its surrogate's when there is one. */
int fetch_read(struct fetch_slice *slice, uint64_t offset, size_t size, struct buffer *bytes);

/* Makes the surrogate when the client needs one to be shown this: the range of the message, or the
 * text of the summary. The summary must be loaded, and is another one afterwards. */
int fetch_surrogate_for_range(struct fetch_slice *slice, uint64_t offset, uint64_t size);
int fetch_surrogate_for_text(struct fetch_slice *slice, struct slice text);

void fetch_surrogate_release(struct fetch_work *work);

/* --- fetch_section.c --- */

/* Where a section's bytes lie in the message. ERROR_NOT_FOUND: there is no such section. */
int section_locate(const struct summary *summary, const struct imap_fetch_item *item,
                   uint64_t *offset, uint64_t *size);

/* Appends the header's fields that the item names (or does not name), and the empty line that ends
 * a header (RFC 9051 section 6.4.5.1: it is always included). */
void section_filter_header(struct slice header, const struct imap_fetch_item *item,
                           struct buffer *filtered);

/* "BODY[1]<0> " */
void section_write_label(struct buffer *out, const struct imap_fetch_item *item);

/* Cuts offset and size to the item's <offset.size>. */
void section_apply_partial(const struct imap_fetch_item *item, uint64_t *offset, uint64_t *size);

/* What is not there, or cannot be read, is NIL; of the latter the tagged response tells. */
void section_write_nil(struct fetch_slice *slice, int error);

/* Writes label and content. A long literal is only begun: work->in_literal is then set, and
 * section_continue writes the pieces. */
void section_write(struct fetch_slice *slice, const struct imap_fetch_item *item);

/* One piece of the literal. An error leaves the literal unfinished: the session must end. */
int section_continue(struct fetch_slice *slice);

/* --- fetch_binary.c: BINARY (RFC 3516, RFC 9051 section 6.4.5) --- */

/* Whether all parts that the items ask for can be decoded. */
bool binary_is_known(struct fetch_slice *slice);

/* Begins BINARY or BINARY.SIZE: work->binary.item is then set. */
void binary_begin(struct fetch_slice *slice, const struct imap_fetch_item *item);

/* One piece of it: decoded or written. */
void binary_continue(struct fetch_slice *slice);

void binary_release(struct fetch_work *work);

/* --- fetch_annotation.c: ANNOTATION (RFC 5257) --- */

/* Begins it: work->annotation.item is then set, unless there is nothing to tell. */
void annotation_begin(struct fetch_slice *slice, const struct imap_fetch_item *item);

/* One entry of it. */
void annotation_continue(struct fetch_slice *slice);

void annotation_release(struct fetch_work *work);

#endif
