/*
 * IMAP commands as data: what the reader (proto/imap/reader.h) makes of a client's bytes.
 *
 * A command lives in the reader's arena until the next command is begun. Mailbox names are UTF-8
 * here, whatever they were on the wire. Nothing here knows a mailbox's content: sequence sets are
 * kept as written, '*' included.
 *
 * Source: RFC 3501 section 9 and RFC 9051 section 9; RFC 2971 (ID), 2177 (IDLE), 3516 (BINARY),
 * 3691 (UNSELECT), 4315 (UIDPLUS), 5256 (SORT, THREAD), 5464 (METADATA), 9208 (QUOTA), 9394
 * (PARTIAL), 4959 (SASL-IR), 4978 (COMPRESS), 5161 (ENABLE), 5255 (LANGUAGE), 6154 (SPECIAL-USE),
 * 6851 (MOVE), 7888 (LITERAL+), 3502 (MULTIAPPEND), 4467 and 5524 (URLAUTH), 4469 (CATENATE), 8508
 * (REPLACE), 5258 (LIST-EXTENDED), 5819 (LIST-STATUS), 5032 (WITHIN), 5182 (SEARCHRES), 7889
 * (APPENDLIMIT), 7162 (CONDSTORE, QRESYNC), 8474 (OBJECTID), 8514 (SAVEDATE), 8970 (PREVIEW), 5465
 * (NOTIFY), 5267 (CONTEXT), 8437 (UNAUTHENTICATE), 5466 (FILTERS), 7377 (MULTISEARCH), 5257
 * (ANNOTATE), 9755 and 6855 (UTF8=ACCEPT), 10022 (UIDBATCHES).
 */
#ifndef PROTO_IMAP_COMMAND_H
#define PROTO_IMAP_COMMAND_H

#include "base/arena.h"
#include "base/range_set.h"

/* States a command is allowed in (RFC 9051 section 3), as a mask in the table. */
enum imap_state {
    IMAP_STATE_NOT_AUTHENTICATED = 1,
    IMAP_STATE_AUTHENTICATED = 2,
    IMAP_STATE_SELECTED = 4,
};

enum imap_command_id {
    IMAP_CAPABILITY,
    IMAP_NOOP,
    IMAP_LOGOUT,
    IMAP_ID,
    IMAP_STARTTLS,
    IMAP_AUTHENTICATE,
    IMAP_LOGIN,
    IMAP_ENABLE,
    IMAP_LANGUAGE,
    IMAP_NAMESPACE,
    IMAP_SELECT,
    IMAP_EXAMINE,
    IMAP_CREATE,
    IMAP_DELETE,
    IMAP_RENAME,
    IMAP_SUBSCRIBE,
    IMAP_UNSUBSCRIBE,
    IMAP_LIST,
    IMAP_LSUB,
    IMAP_STATUS,
    IMAP_APPEND,
    IMAP_REPLACE,
    IMAP_RESETKEY,
    IMAP_GENURLAUTH,
    IMAP_URLFETCH,
    IMAP_GETQUOTA,
    IMAP_GETQUOTAROOT,
    IMAP_SETQUOTA,
    IMAP_GETMETADATA,
    IMAP_SETMETADATA,
    IMAP_COMPRESS,
    IMAP_IDLE,
    IMAP_CHECK,
    IMAP_CLOSE,
    IMAP_UNSELECT,
    IMAP_EXPUNGE,
    IMAP_SEARCH,
    IMAP_SORT,
    IMAP_THREAD,
    IMAP_FETCH,
    IMAP_STORE,
    IMAP_COPY,
    IMAP_MOVE,
    IMAP_SETACL,
    IMAP_DELETEACL,
    IMAP_GETACL,
    IMAP_LISTRIGHTS,
    IMAP_MYRIGHTS,
    IMAP_NOTIFY,
    IMAP_CANCELUPDATE,
    IMAP_UNAUTHENTICATE,
    IMAP_ESEARCH,
    IMAP_UIDBATCHES,
    IMAP_COMMAND_COUNT
};

/* One element of a sequence set: first..last, in either order; IMAP_STAR is '*'. */
enum { IMAP_STAR = 0 };
struct imap_sequence_range {
    uint32_t first, last;
};
/* A sequence set as written (RFC 9051 section 9, sequence-set): what '*' is, and whether numbers
 * are UIDs or positions, is for whoever knows the mailbox. At most IMAP_SEQUENCE_RANGES_MAXIMUM. */
struct imap_sequence_set {
    struct imap_sequence_range *ranges;
    size_t count;
    bool saved_result; /* "$" (RFC 5182); then count is 0 */
};

/* The system flags as bits (RFC 9051 section 2.3.2). */
enum imap_flag {
    IMAP_FLAG_SEEN = 1,
    IMAP_FLAG_ANSWERED = 2,
    IMAP_FLAG_FLAGGED = 4,
    IMAP_FLAG_DELETED = 8,
    IMAP_FLAG_DRAFT = 16,
};
/* A flag list (RFC 9051 section 2.3.2). \Recent and unknown system flags do not get this far: the
 * reader refuses them. */
struct imap_flags {
    uint32_t system;        /* enum imap_flag bits */
    struct slice *keywords; /* as written, without duplicates in any case */
    size_t keyword_count;
};

/* Which of a list of messages are meant (RFC 9394): the first-th to the last-th, in either order,
 * counted from the front or from the back. */
struct imap_partial {
    bool given, from_back;
    uint32_t first, last; /* from 1 */
};

/* --- annotations of messages (RFC 5257) --- */

/* Attributes as bits (section 3.2.2); "value" is both that begin so. */
enum imap_annotation_attribute {
    IMAP_ANNOTATION_VALUE_PRIVATE = 1,
    IMAP_ANNOTATION_VALUE_SHARED = 2,
    IMAP_ANNOTATION_SIZE_PRIVATE = 4,
    IMAP_ANNOTATION_SIZE_SHARED = 8,
};

/* What STORE and APPEND set. Names are valid (section 3.2.1), but for whether there is the part. */
struct imap_annotation {
    struct slice entry;
    struct slice value; /* any bytes; data NULL: NIL */
    bool shared;        /* value.shared, else value.priv */
};
struct imap_annotations {
    struct imap_annotation *list; /* in the order given */
    size_t count;                 /* IMAP_ANNOTATIONS_MAXIMUM */
    /* the reader's own: */
    struct slice entry;
    bool in_entry, complete, copies;
};

/* --- FETCH --- */

/* What a FETCH item asks for (RFC 9051 section 6.4.5). RFC822.HEADER and its like are sections with
 * a label of their own. */
enum imap_fetch_kind {
    IMAP_FETCH_UID,
    IMAP_FETCH_FLAGS,
    IMAP_FETCH_INTERNALDATE,
    IMAP_FETCH_RFC822_SIZE,
    IMAP_FETCH_ENVELOPE,
    IMAP_FETCH_BODY, /* the structure without extension data */
    IMAP_FETCH_BODYSTRUCTURE,
    IMAP_FETCH_EMAILID, /* RFC 8474 section 5.3 */
    IMAP_FETCH_THREADID,
    IMAP_FETCH_SAVEDATE, /* RFC 8514 section 4.2 */
    IMAP_FETCH_MODSEQ,   /* RFC 7162 section 3.1.4.2 */
    IMAP_FETCH_PREVIEW,  /* RFC 8970 section 3; LAZY makes no difference: previews are there */
    IMAP_FETCH_BINARY,   /* BINARY[...], BINARY.PEEK[...]: a part decoded (RFC 3516) */
    IMAP_FETCH_BINARY_SIZE,
    IMAP_FETCH_SECTION,    /* BODY[...], BODY.PEEK[...], RFC822, RFC822.HEADER, RFC822.TEXT */
    IMAP_FETCH_ANNOTATION, /* RFC 5257 section 4.3 */
};

/* What of the part is meant (section-text, RFC 9051 section 9). MIME needs part numbers before it.
 */
enum imap_section_text {
    IMAP_SECTION_ALL, /* BODY[] or BODY[1.2] */
    IMAP_SECTION_HEADER,
    IMAP_SECTION_HEADER_FIELDS,
    IMAP_SECTION_HEADER_FIELDS_NOT,
    IMAP_SECTION_TEXT,
    IMAP_SECTION_MIME,
};

/* One item. Of the sections, an empty `numbers` is the message itself; `text` says what of it. */
struct imap_fetch_item {
    enum imap_fetch_kind kind;
    /* of a section; of BINARY numbers and partial, which is of what is decoded: */
    struct slice label; /* as the response names it: "BODY[HEADER.FIELDS (FROM)]", "RFC822" */
    uint32_t *numbers;  /* part numbers */
    size_t number_count;
    enum imap_section_text text;
    struct slice *fields; /* of HEADER.FIELDS and HEADER.FIELDS.NOT; ANNOTATION's entry-matches */
    size_t field_count;
    uint32_t attributes; /* of ANNOTATION: enum imap_annotation_attribute bits */
    bool peek;           /* does not set \Seen */
    bool partial;        /* <offset.size>; label does not include it */
    uint32_t partial_offset, partial_size;
};

/* FETCH and UID FETCH. At most IMAP_FETCH_ITEMS_MAXIMUM items, in the order asked for. */
struct imap_fetch {
    struct imap_sequence_set set;
    struct imap_fetch_item *items; /* macros (ALL, FAST, FULL) expanded; UID FETCH has UID first */
    size_t item_count;
    bool changed; /* CHANGEDSINCE was given (RFC 7162 section 3.1.4.1); MODSEQ is among the items */
    uint64_t changed_since;
    struct imap_partial partial; /* of UID FETCH's set (RFC 9394 section 3.3) */
    bool vanished; /* VANISHED, of UID FETCH with CHANGEDSINCE (RFC 7162 section 3.2.6) */
};

/* --- SEARCH --- */

/* A search key (RFC 9051 section 6.4.4). Keys that others express (UNSEEN, UNKEYWORD, NEW, FROM
 * ...) arrive as those; so a matcher has one case for each of these and no more. */
enum imap_search_kind {
    IMAP_SEARCH_ALL,
    IMAP_SEARCH_AND,      /* children */
    IMAP_SEARCH_OR,       /* two children */
    IMAP_SEARCH_NOT,      /* one child */
    IMAP_SEARCH_SEQUENCE, /* set */
    IMAP_SEARCH_UID,      /* set */
    IMAP_SEARCH_FLAG,     /* system flag bit in number (SEEN; UNSEEN is NOT of it) */
    IMAP_SEARCH_KEYWORD,  /* text */
    IMAP_SEARCH_HEADER,   /* field, text (FROM, TO, CC, BCC, SUBJECT are HEADER too) */
    IMAP_SEARCH_BODY,     /* text */
    IMAP_SEARCH_TEXT,     /* text */
    IMAP_SEARCH_LARGER,   /* number */
    IMAP_SEARCH_SMALLER,  /* number */
    IMAP_SEARCH_BEFORE,   /* date: internal date */
    IMAP_SEARCH_ON,
    IMAP_SEARCH_SINCE,
    IMAP_SEARCH_SENTBEFORE, /* date: Date field */
    IMAP_SEARCH_SENTON,
    IMAP_SEARCH_SENTSINCE,
    IMAP_SEARCH_SAVEDBEFORE, /* date: save date (RFC 8514 section 4.3) */
    IMAP_SEARCH_SAVEDON,
    IMAP_SEARCH_SAVEDSINCE,
    IMAP_SEARCH_OLDER, /* number: seconds before now (RFC 5032) */
    IMAP_SEARCH_YOUNGER,
    IMAP_SEARCH_EMAILID, /* text: an object id (RFC 8474 section 6) */
    IMAP_SEARCH_THREADID,
    IMAP_SEARCH_MODSEQ, /* number: the least (RFC 7162 section 3.1.5) */
    IMAP_SEARCH_FILTER, /* text: the name of a stored program, to be put in its place (RFC 5466) */
    IMAP_SEARCH_ANNOTATION, /* field: entry-match; number: enum imap_annotation_attribute bits of
                               values; text; with NIL it is NOT of the empty text (RFC 5257) */
};

/* A tree of keys: at most IMAP_SEARCH_KEYS_MAXIMUM of them, IMAP_NESTING_MAXIMUM deep, so that it
 * may be walked by recursion. Which fields count is said beside each kind above. */
struct imap_search_key {
    enum imap_search_kind kind;
    struct imap_sequence_set set;
    struct slice field;
    struct slice text; /* UTF-8, converted from CHARSET */
    uint64_t number;
    int64_t date; /* the day's first second, UTC */
    struct imap_search_key *children;
    size_t child_count;
};

/* What SORT sorts by (RFC 5256 section 3; DISPLAYFROM and DISPLAYTO: RFC 5957). */
enum imap_sort_kind {
    IMAP_SORT_ARRIVAL,
    IMAP_SORT_CC,
    IMAP_SORT_DATE,
    IMAP_SORT_DISPLAYFROM,
    IMAP_SORT_DISPLAYTO,
    IMAP_SORT_FROM,
    IMAP_SORT_SIZE,
    IMAP_SORT_SUBJECT,
    IMAP_SORT_TO,
    IMAP_SORT_ANNOTATION, /* RFC 5257 section 4.9 */
};
struct imap_sort_criterion {
    enum imap_sort_kind kind;
    bool reverse;
    bool shared;        /* of ANNOTATION: value.shared, else value.priv */
    struct slice entry; /* of ANNOTATION */
};

enum imap_thread_algorithm {
    IMAP_THREAD_ORDEREDSUBJECT,
    IMAP_THREAD_REFERENCES,
    IMAP_THREAD_REFS,
};

/* SEARCH, SORT, THREAD and their UID forms. Without RETURN the answer is "* SEARCH"; with an empty
 * RETURN it is ALL. */
struct imap_search {
    struct imap_search_key key; /* AND of all keys given */
    bool extended;              /* RETURN was given: answer with ESEARCH (RFC 4731) */
    bool return_min, return_max, return_all, return_count;
    bool return_save;            /* RFC 5182: the result is kept for "$" */
    bool modseq;                 /* a MODSEQ key is among the keys: the answer tells one */
    bool numbers;                /* so is a set of sequence numbers */
    bool charset;                /* one was given, as SORT and THREAD must, */
    bool other_charset;          /* neither UTF-8 nor US-ASCII */
    bool filters;                /* a FILTER key is among the keys */
    bool update;                 /* changes of the result are told (RFC 5267 section 4.3) */
    struct imap_partial partial; /* then return_all is not given */
    enum imap_thread_algorithm algorithm; /* THREAD */
    struct imap_sort_criterion *sort;     /* SORT: at most IMAP_SORT_CRITERIA_MAXIMUM */
    struct imap_fetch_item *items;        /* with UPDATE, of new messages (RFC 5465 section 7) */
    uint32_t sort_count, item_count;
    const struct imap_notify *sources; /* ESEARCH: its groups, without events (RFC 7377); NULL: the
                                          selected mailbox */
};

/* --- the others --- */

/* STATUS items as bits (RFC 9051 section 6.3.11; SIZE: RFC 8438; MAILBOXID: RFC 8474; APPENDLIMIT:
 * RFC 7889). RECENT is IMAP4rev1's. */
enum imap_status_item {
    IMAP_STATUS_MESSAGES = 1,
    IMAP_STATUS_RECENT = 2,
    IMAP_STATUS_UIDNEXT = 4,
    IMAP_STATUS_UIDVALIDITY = 8,
    IMAP_STATUS_UNSEEN = 16,
    IMAP_STATUS_DELETED = 32,
    IMAP_STATUS_SIZE = 64,
    IMAP_STATUS_MAILBOXID = 128,
    IMAP_STATUS_APPENDLIMIT = 256,
    IMAP_STATUS_DELETED_STORAGE = 1024, /* RFC 9208 section 4.1.4 */
    IMAP_STATUS_HIGHESTMODSEQ = 512,    /* RFC 7162 section 3.1.7 */
};

/* LIST and LSUB (RFC 9051 section 6.3.9, RFC 5258). The reference is put before each pattern by the
 * handler. An empty pattern alone asks for the hierarchy separator. */
struct imap_list {
    struct slice reference;
    struct slice *patterns; /* UTF-8 */
    size_t pattern_count;
    /* RFC 5258 selection and return options; RFC 6154; RFC 5819 */
    bool select_subscribed, select_recursive_match, select_special_use, select_remote;
    bool return_subscribed, return_children, return_special_use;
    bool return_my_rights;  /* RFC 8440 */
    uint32_t return_status; /* enum imap_status_item bits */
    struct slice *metadata; /* entries, as written (RFC 9590); IMAP_METADATA_ENTRIES_MAXIMUM */
    size_t metadata_count;
    bool extended; /* any of the above was given */
};

/* FLAGS, +FLAGS and -FLAGS (RFC 9051 section 6.4.6). */
enum imap_store_operation { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };

/* SELECT and EXAMINE (RFC 9051 section 6.3.2; RFC 7162 sections 3.1.8 and 3.2.5). */
struct imap_select {
    struct slice mailbox;
    bool condstore;
    bool annotate; /* RFC 5257 section 4.2 */
    bool qresync;  /* what follows is of it; no set has a '*' */
    uint32_t uid_validity;
    uint64_t modseq;
    bool has_known_uids;
    struct imap_sequence_set known_uids;
    /* Numbers, and the UIDs they belong to, one for one and ascending; empty when not given. */
    struct imap_sequence_set match_numbers, match_uids;
};

/* GETMETADATA and SETMETADATA (RFC 5464 section 5). At most IMAP_METADATA_ENTRIES_MAXIMUM. */
enum { IMAP_DEPTH_INFINITY = -1 };
struct imap_metadata {
    struct slice mailbox;  /* empty: the server's own */
    struct slice *entries; /* as written */
    struct slice *values;  /* of SETMETADATA, any bytes; data NULL: NIL */
    size_t count;
    bool has_maximum;
    uint64_t maximum; /* MAXSIZE: bytes of a value */
    int depth;        /* 0, 1, IMAP_DEPTH_INFINITY */
};

/* SETQUOTA (RFC 9208 section 4.1.3): the limits that are to be, in the order of the command. */
enum { IMAP_QUOTA_LIMITS_MAXIMUM = 16 };
struct imap_quota {
    struct slice root;
    struct imap_quota_limit {
        struct slice resource; /* any name, in any case */
        uint64_t limit;
    } * limits;
    size_t count;
};

/* SETACL, DELETEACL, LISTRIGHTS (RFC 4314 section 3). */
struct imap_acl {
    struct slice mailbox;
    struct slice identifier;
    struct slice rights; /* SETACL: as the client wrote them, with + or - in front or without */
};

/* Where the reading of APPEND and REPLACE stands. */
enum imap_append_stage {
    IMAP_APPEND_HEAD,
    IMAP_APPEND_MESSAGE,
    IMAP_APPEND_DATA,
    IMAP_APPEND_ANNOTATION,
    IMAP_APPEND_PART,
    IMAP_APPEND_PART_END,
    IMAP_APPEND_END,
};

/* APPEND (RFC 9051 section 6.3.12, RFC 3502) and REPLACE (RFC 8508). What is said of a message
 * counts from its IMAP_EVENT_APPEND to the next one; its keywords and its annotations (RFC 5257
 * section 4.7) are there as long as the command.
 * At most IMAP_APPEND_MESSAGES_MAXIMUM messages; one of REPLACE. */
struct imap_append {
    struct slice mailbox;
    struct imap_sequence_set set; /* REPLACE: the one that is replaced */
    size_t count;                 /* of messages, this one included */
    struct imap_flags flags;
    bool has_date;
    int64_t date;
    struct imap_annotations annotations;
    uint64_t size;                /* of the message, or of the part that is a literal */
    bool binary;                  /* a literal8: it may have NUL bytes (RFC 3516 section 4.4) */
    bool catenates;               /* it consists of parts (RFC 4469) */
    size_t parts;                 /* of all messages so far; IMAP_CATENATE_PARTS_MAXIMUM */
    bool in_list;                 /* the reader's own: ")" follows the literal */
    enum imap_append_stage stage; /* the reader's own */
};

/* RESETKEY (RFC 4467 section 7). */
struct imap_resetkey {
    struct slice mailbox; /* empty: all */
    struct slice *mechanisms;
    size_t count;
};

/* A URL of GENURLAUTH, or one of URLFETCH with what is wanted of it (RFC 5524 section 3.1): with
 * nothing named, the bytes alone. */
struct imap_url_request {
    struct slice url; /* as written; proto/imap/url.h */
    struct slice mechanism;
    bool body, binary, structure;
};
struct imap_urls {
    struct imap_url_request *list;
    size_t count; /* IMAP_URLS_MAXIMUM */
};

/* UIDBATCHES (RFC 10022): of batches with `size` messages each the first-th to the
 * last-th, the first being that with the highest UIDs. In the order written. */
struct imap_batches {
    uint32_t size;
    uint32_t first, last; /* from 1; 1 and UINT32_MAX when all are asked for */
};

/* --- NOTIFY (RFC 5465 section 8) --- */

/* Events as bits. */
enum imap_notify_event {
    IMAP_NOTIFY_MESSAGE_NEW = 1,
    IMAP_NOTIFY_MESSAGE_EXPUNGE = 2,
    IMAP_NOTIFY_FLAG_CHANGE = 4,
    IMAP_NOTIFY_ANNOTATION_CHANGE = 8,
    IMAP_NOTIFY_MAILBOX_NAME = 16,
    IMAP_NOTIFY_SUBSCRIPTION_CHANGE = 32,
    IMAP_NOTIFY_MAILBOX_METADATA_CHANGE = 64,
    IMAP_NOTIFY_SERVER_METADATA_CHANGE = 128,
    IMAP_NOTIFY_OF_MESSAGES = 15, /* message-event: those of the first four */
};

/* Which mailboxes a group of events is about (sections 6.1 to 6.6). */
enum imap_notify_filter {
    IMAP_NOTIFY_SELECTED,
    IMAP_NOTIFY_SELECTED_DELAYED,
    IMAP_NOTIFY_INBOXES,
    IMAP_NOTIFY_PERSONAL,
    IMAP_NOTIFY_SUBSCRIBED,
    IMAP_NOTIFY_SUBTREE,     /* names, and what is below them */
    IMAP_NOTIFY_MAILBOXES,   /* names */
    IMAP_NOTIFY_SUBTREE_ONE, /* names, and the level below them; of ESEARCH alone */
};
struct imap_notify_group {
    enum imap_notify_filter filter;
    uint32_t events; /* enum imap_notify_event bits; 0: NONE */
    struct slice *names;
    size_t name_count;
};

/* What section 5 says of events that need others holds already. At most IMAP_NOTIFY_GROUPS_MAXIMUM
 * groups and IMAP_NOTIFY_NAMES_MAXIMUM names. */
struct imap_notify {
    bool set; /* else NONE, and nothing else counts */
    bool status;
    bool unknown_event; /* one was named that the RFC does not have: BADEVENT */
    struct imap_notify_group *groups;
    size_t group_count, name_count;
    struct imap_fetch_item *items; /* of what is new in the selected mailbox */
    size_t item_count;
};

/* The names of the events, in the order of their bits. */
enum { IMAP_NOTIFY_EVENTS = 8 };
extern const char *const imap_notify_events[IMAP_NOTIFY_EVENTS];

/* A command, complete and within every limit of proto/imap/reader.h. `id` says which member of the
 * union counts; commands that are not named there have no arguments. */
struct imap_command {
    enum imap_command_id id;
    bool uid; /* prefixed with UID */
    struct slice tag;
    union {
        struct {
            struct slice user, password;
        } login;
        struct {
            struct slice mechanism;
            bool has_initial;
            struct slice initial; /* decoded from base64; "=" gives an empty one */
        } authenticate;
        struct {
            struct slice *capabilities;
            size_t count;
        } enable;
        struct {
            struct slice *ranges; /* in the order of preference; none: which are there? */
            size_t count;
        } language;
        struct {
            struct slice *pairs; /* name, value, name, value; NIL is data == NULL */
            size_t count;        /* slices, so an even number */
        } identification;
        struct imap_select select; /* EXAMINE too */
        struct slice mailbox;      /* DELETE SUBSCRIBE UNSUBSCRIBE GETQUOTAROOT GETACL MYRIGHTS */
        struct slice quota_root;   /* GETQUOTA */
        struct imap_quota quota;   /* SETQUOTA */
        struct slice algorithm;    /* COMPRESS */
        struct imap_metadata metadata;
        struct imap_acl acl;
        struct imap_notify notify;
        struct {
            struct slice mailbox;
            struct slice use; /* CREATE-SPECIAL-USE: "\Sent"; empty: none */
        } create;
        struct {
            struct slice from, to;
        } rename;
        struct imap_list list; /* LSUB too */
        struct {
            struct slice mailbox;
            uint32_t items; /* enum imap_status_item bits */
        } status;
        struct imap_append append; /* REPLACE too */
        struct imap_resetkey resetkey;
        struct imap_urls urls; /* GENURLAUTH URLFETCH */
        struct {
            bool all; /* EXPUNGE; otherwise UID EXPUNGE's set */
            struct imap_sequence_set set;
        } expunge;
        struct imap_search search;
        struct {
            struct slice *tags; /* at most IMAP_CANCEL_MAXIMUM */
            size_t count;
        } cancel_update;
        struct imap_fetch fetch;
        struct {
            struct imap_sequence_set set;
            bool conditional; /* UNCHANGEDSINCE was given (RFC 7162 section 3.1.3) */
            uint64_t unchanged_since;
            enum imap_store_operation operation;
            bool silent;
            bool annotates; /* then annotations are set, silently (RFC 5257 section 4.5) */
            struct imap_flags flags;
            struct imap_annotations annotations;
        } store;
        struct {
            struct imap_sequence_set set;
            struct slice mailbox;
        } copy;                      /* MOVE too */
        struct imap_batches batches; /* UIDBATCHES */
    };
};

struct imap_cursor; /* proto/imap/parse_priv.h */

/* One row for each command: its name, the states it is allowed in, its argument parser. */
struct imap_command_row {
    const char *name;
    uint32_t states; /* enum imap_state bits */
    bool uid;        /* may be prefixed with UID */
    void (*parse)(struct imap_cursor *cursor, struct imap_command *command);
};
extern const struct imap_command_row imap_commands[IMAP_COMMAND_COUNT];

#endif
