/*
 * The reader: a client's bytes in, commands out. No socket, no storage.
 *
 *     imap_reader_init(&reader, &limits);
 *     for (;;) {
 *         event = imap_reader_next(&reader, &input);    // takes bytes from the front of input
 *         switch (event.kind) ...
 *     }
 *
 * It works on any division of the stream into pieces, byte by byte included. Literals are asked
 * for ("+ OK") only when their size is within the limits; a LITERAL+ beyond them is read past and
 * the command answered with BAD. The messages of APPEND and REPLACE are not collected: their bytes
 * are handed on as they come.
 *
 * Memory: at most limits.line + limits.literals bytes for the command's text and limits.arena for
 * what is parsed from it; none while no command is under way. What is read in the not
 * authenticated state is wiped when it is let go, as it holds passwords.
 */
#ifndef PROTO_IMAP_READER_H
#define PROTO_IMAP_READER_H

#include "base/buffer.h"
#include "proto/imap/command.h"

struct imap_limits {
    size_t line;      /* bytes of a command outside literals (RFC 9051 section 4: 8192 at least) */
    size_t literals;  /* bytes of all literals of a command but messages */
    size_t arena;     /* bytes of the parsed command */
    uint64_t message; /* bytes of a message */
    uint32_t states;  /* enum imap_state bits whose commands are known at all */
};

/* Within those: named limits of the grammar. */
enum {
    IMAP_TAG_MAXIMUM = 64,
    IMAP_MAILBOX_NAME_MAXIMUM = 1000, /* bytes of a mailbox name */
    IMAP_NESTING_MAXIMUM = 32,        /* parentheses, NOT and OR of SEARCH */
    IMAP_SEARCH_KEYS_MAXIMUM = 1000,
    IMAP_SORT_CRITERIA_MAXIMUM = 20,
    IMAP_CANCEL_MAXIMUM = 32, /* tags of one CANCELUPDATE */
    IMAP_SEQUENCE_RANGES_MAXIMUM = 20000,
    IMAP_SEARCH_TEXTS_MAXIMUM = 20, /* BODY, TEXT and ANNOTATION keys: each reads what is long */
    IMAP_FETCH_ITEMS_MAXIMUM = 200,
    IMAP_FETCH_FIELDS_MAXIMUM = 250, /* header fields named by all items of one command: each field
                                        of a header is compared with them */
    IMAP_SECTION_DEPTH_MAXIMUM = 64, /* part numbers of a section */
    IMAP_APPEND_MESSAGES_MAXIMUM = 1000, /* of one APPEND */
    IMAP_CATENATE_PARTS_MAXIMUM = 1000,  /* of all messages of one command */
    IMAP_FLAGS_MAXIMUM = 100,            /* flags and keywords of one command */
    IMAP_KEYWORD_MAXIMUM = 100,          /* bytes of a keyword */
    IMAP_OBJECT_ID_MAXIMUM = 255,        /* RFC 8474 section 7 */
    IMAP_LIST_PATTERNS_MAXIMUM = 32,
    IMAP_URLS_MAXIMUM = 100, /* of GENURLAUTH, URLFETCH; mechanisms of RESETKEY */
    IMAP_METADATA_ENTRIES_MAXIMUM = 64,
    IMAP_ANNOTATION_ENTRY_MAXIMUM = 200,  /* bytes of an entry's name */
    IMAP_ANNOTATION_ENTRIES_MAXIMUM = 32, /* named by all items of one FETCH */
    IMAP_ANNOTATIONS_MAXIMUM = 256,       /* values of one STORE, or of one message of APPEND */
    IMAP_NOTIFY_GROUPS_MAXIMUM = 32,
    IMAP_NOTIFY_NAMES_MAXIMUM = 500,    /* mailboxes named by all groups */
    IMAP_ID_FIELDS_MAXIMUM = 30,        /* RFC 2971 section 3.3 */
    IMAP_ENABLE_MAXIMUM = 32,           /* capabilities of one ENABLE */
    IMAP_LANGUAGES_MAXIMUM = 32,        /* language ranges of one LANGUAGE */
    IMAP_DISCARD_MAXIMUM = 1024 * 1024, /* bytes of one refused command that are read past */
    IMAP_BAD_TEXT_MAXIMUM = 200,        /* bytes of a BAD event's text */
};

enum imap_event_kind {
    IMAP_EVENT_MORE,     /* the input is used up */
    IMAP_EVENT_CONTINUE, /* send "+ OK\r\n" and go on */
    IMAP_EVENT_COMMAND,  /* command is complete */
    IMAP_EVENT_APPEND,   /* command is APPEND or REPLACE, as far as a message, which follows as */
    IMAP_EVENT_MESSAGE,  /*   pieces (text; size 0 never). The next message's IMAP_EVENT_APPEND
                            ends it, or IMAP_EVENT_COMMAND; or IMAP_EVENT_BAD when what is in it
                            or follows it is wrong. Of CATENATE it follows as any number of */
    IMAP_EVENT_TEXT,     /*   parts that are literals, each followed by its pieces, and */
    IMAP_EVENT_URL,      /*   parts of other messages (text: the URL) */
    IMAP_EVENT_LINE,     /* text: the line asked for by imap_reader_expect_line, no CRLF */
    IMAP_EVENT_BAD,      /* tag (or "*") and text: answer "tag BAD text", go on */
    IMAP_EVENT_TOO_BIG,  /* a message passes limits.message: "tag NO [TOOBIG] text" */
    IMAP_EVENT_CLOSE,    /* text: the stream cannot be followed any more: BYE and close */
    IMAP_EVENT_BAD_CHARSET, /* SEARCH in an unknown charset: "tag NO [BADCHARSET] text" */
};

struct imap_event {
    enum imap_event_kind kind;
    /* COMMAND, APPEND; see imap_reader_next. BAD_CHARSET: what was read before it. */
    const struct imap_command *command;
    struct slice tag;  /* BAD, TOO_BIG, BAD_CHARSET */
    struct slice text; /* MESSAGE, LINE, BAD, TOO_BIG, CLOSE, BAD_CHARSET */
};

struct imap_reader {
    struct imap_limits limits;
    /* private to reader.c: */
    struct arena arena; /* the parsed command */
    struct buffer text; /* the command as it came, literals in place */
    struct imap_command command;
    char tag[IMAP_TAG_MAXIMUM]; /* the command's */
    uint64_t literal_left;      /* bytes of the literal that is being read */
    uint64_t discarded;         /* bytes read past; IMAP_DISCARD_MAXIMUM */
    size_t literals;            /* bytes of literals so far */
    size_t scanned;             /* bytes of text already looked at: where its last line begins */
    const char *what;           /* why the command is refused: "what: problem" */
    const char *problem;        /* NULL: it has been answered already */
    size_t item; /* where in text the next item of APPEND or REPLACE begins; 0: none */
    int mode;
    bool discard;           /* the rest of this command is read past */
    bool discards_messages; /* and may have messages, of any size */
    bool utf8;              /* by imap_reader_use_utf8 */
    bool utf8_accept;       /* by imap_reader_accept_utf8 */
};

void imap_reader_init(struct imap_reader *reader, const struct imap_limits *limits);
void imap_reader_release(struct imap_reader *reader);

/* Takes what it needs from the front of *input. A command and an event's text are valid until the
 * next call (from APPEND to COMMAND, the command stays); the command's tag until the next
 * command. After CLOSE it gives CLOSE again. */
struct imap_event imap_reader_next(struct imap_reader *reader, struct slice *input);

/* The next line is not a command but a continuation (AUTHENTICATE, IDLE's DONE). */
void imap_reader_expect_line(struct imap_reader *reader);

/* After IMAP_EVENT_APPEND, _TEXT, _URL or _MESSAGE: the message is not wanted (mailbox missing,
 * over quota). Its bytes are read past if they come anyway (LITERAL+); no continuation is sent; the
 * next event is that of the next command. The caller has answered. */
void imap_reader_refuse_message(struct imap_reader *reader);

/* From the next command on, mailbox names are UTF-8 and nothing else (RFC 9051 section 5.1, after
 * ENABLE IMAP4rev2): "&" stands for itself. */
void imap_reader_use_utf8(struct imap_reader *reader);

/* The same, and from the next command on texts in commands are UTF-8 and nothing else (RFC 9755
 * section 3, after ENABLE UTF8=ACCEPT): SEARCH may not name a charset, SORT and THREAD must name
 * this one. */
void imap_reader_accept_utf8(struct imap_reader *reader);

/* The program of a stored search: search-criteria of RFC 5466 section 4, in UTF-8. It is copied
 * into the arena, and what is made of it. ERROR_SYNTAX, also beyond a limit of the grammar;
 * ERROR_LIMIT from the arena. */
int imap_search_program(struct slice text, struct arena *arena, struct imap_search *search);

/* Whether nothing is kept: the reader costs only its struct. */
bool imap_reader_is_idle(const struct imap_reader *reader);

#endif
