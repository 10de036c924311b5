/*
 * An IMAP session after login: what its files share.
 *
 *              IMAP_EVENT_COMMAND / _APPEND
 *     PHASE_READING ────────────────────────> PHASE_RUNNING  handler->run(), slice by slice
 *          ^  ^                                    │ done: reply is set
 *          │  │ tagged response                    v
 *          │  └─────────────────────────────── PHASE_SYNCING  the mailbox view is brought up to
 * date │                                       ^ └── IDLE: no tagged response yet ───────┘ noticed:
 * the account has changed
 *
 * Scripts for what a command has committed (events.c) run before it goes on or is answered.
 *
 * Between two calls of run() a session keeps: this struct, the set of UIDs of the selected mailbox,
 * and, while a command is under way, its arena. Store views and snapshots live within one call.
 */
#ifndef SESSION_IMAP_SESSION_PRIV_H
#define SESSION_IMAP_SESSION_PRIV_H

#include "base/arena.h"
#include "proto/imap/reader.h"
#include "proto/imap/writer.h"
#include "session/stream.h"
#include "store/directory.h"
#include "store/message.h"

enum {
    SESSION_LINE_MAXIMUM = 64 * 1024,       /* bytes of a command outside literals */
    SESSION_LITERALS_MAXIMUM = 256 * 1024,  /* bytes of a command's literals */
    SESSION_COMMAND_MAXIMUM = 1024 * 1024,  /* arena of a parsed command */
    SESSION_BAD_MAXIMUM = 10,               /* BAD answers in a row before the session ends */
    SESSION_UID_RANGES_MAXIMUM = 1000000,   /* ranges of a set of UIDs: 12 bytes each */
    SESSION_PIECE = 64 * 1024,              /* bytes of a message read in one go */
    SESSION_HEADER_MAXIMUM = 1024 * 1024,   /* bytes of a header looked at field by field */
    SESSION_APPEND_MEMORY = 256 * 1024,     /* bytes of an APPEND kept in memory */
    SESSION_APPEND_TOTAL = 4,               /* all its messages, in times of message_size */
    SESSION_COPYUID_RANGES_MAXIMUM = 50000, /* ranges reported; beyond, COPYUID is left out */
    /* Ranges of MODIFIED: as many as a client can name. Beyond, LIMIT is answered. */
    SESSION_MODIFIED_RANGES_MAXIMUM = IMAP_SEQUENCE_RANGES_MAXIMUM,
    SESSION_MULTISEARCH_MAXIMUM = 5000, /* mailboxes of one ESEARCH */
    SESSION_BATCH_MINIMUM = 500,        /* messages of a batch (RFC 10022) */
    SESSION_PROGRESS_SECONDS = 10,      /* between two INPROGRESS of one command */
    SESSION_VANISHED_RANGES = 1000,     /* ranges of one VANISHED response */
    /* Bytes of struct flag_difference of one change. */
    SESSION_DIFFERENCES_MAXIMUM = 64 * 1024 * 1024,
};

enum session_phase { PHASE_READING, PHASE_RUNNING, PHASE_SYNCING };

/* What a slice of work says. */
enum progress {
    PROGRESS_DONE,  /* finished */
    PROGRESS_AGAIN, /* call again, now or after output was written: see session_slice_over */
};

/* What the client has enabled (RFC 5161), and stays so. */
enum session_enabled {
    ENABLED_CONDSTORE = 1, /* also by the commands that RFC 7162 section 3.1 lists */
    ENABLED_QRESYNC = 2,   /* never without CONDSTORE */
    ENABLED_UIDONLY = 8,   /* no message numbers in either direction (RFC 9586) */
    ENABLED_UTF8 = 16,     /* UTF8=ACCEPT (RFC 9755) */
    ENABLED_REV2 = 4,      /* IMAP4rev2 (RFC 9051): ESEARCH for SEARCH, UTF-8 names, no RECENT */
};

/* What the client hears of the selected mailbox. Until it uses NOTIFY: all, at the end of commands
 * and in IDLE (RFC 5465 section 3.1). */
enum session_tells {
    TELLS_ARRIVALS = 1,
    TELLS_EXPUNGES = 2,
    TELLS_FLAGS = 4,
    TELLS_ALL = 7,
    TELLS_EXPUNGES_AT_ONCE = 8, /* between commands, too */
    TELLS_ANNOTATIONS = 16,     /* with TELLS_FLAGS: names of those that have changed, too */
};

/* The tagged response that waits for the sync to be over. */
struct session_reply {
    const char *status; /* "OK", "NO", "BAD" */
    const char *code;   /* NULL: none; a literal or in the command's arena */
    const char *text;
    bool tells_modseq; /* HIGHESTMODSEQ is the code, as it is after the sync */
};

/* The selected mailbox as the client knows it: sequence number n is the n-th UID of the set. */
struct mailbox_view {
    collection_id id;          /* 0: none is selected */
    struct account_id account; /* whose it is */
    unsigned keywords;         /* how many keyword names FLAGS has announced */
    struct stream_watch watch; /* of that account; see notify_watch */
    bool read_only;            /* EXAMINE, or no right to change anything */
    bool examined;             /* EXAMINE */
    bool annotate;             /* names of changed annotations are told (RFC 5257 section 4.2) */
    uint32_t rights;
    uint32_t uid_validity;
    uint32_t uid_next; /* UIDs from here on are not known to the client */
    struct range_set uids;
    uint64_t modseq;         /* arrivals and flag changes up to here have been told */
    uint64_t vanished_since; /* expunges up to here have been told */
    uint64_t muted_modseq;   /* flag changes after it may not have been told; 0: there are none */
    /* A sync that is under way: 0 when none. */
    uint64_t sync_modseq;  /* what modseq becomes at its end */
    uint32_t sync_uid;     /* flag changes have been told below this UID */
    uint32_t told_changes; /* store_account_changes (last bits) when all was told; 0: it is not */
    /* See modseq.c. */
    uint64_t told_modseq;    /* the highest MODSEQ told by the command under way */
    uint64_t lowered_modseq; /* the HIGHESTMODSEQ that is below what was told; 0: none is */
};

struct imap_session;
struct session_events;
struct annotation;

/* One row for each command id. */
struct command_handler {
    enum progress (*run)(struct imap_session *session);
    unsigned flags; /* enum command_flag bits */
};
enum command_flag {
    COMMAND_KEEPS_NUMBERS = 1, /* no EXPUNGE responses unless it is the UID form */
    COMMAND_WITHOUT_SYNC = 2,
    COMMAND_CHANGES = 4, /* stored data */
};
extern const struct command_handler command_handlers[IMAP_COMMAND_COUNT];

/* The account's own, that of the selected mailbox, and that of another one a command is about. */
enum { SESSION_VIEWS = 3 };
struct session_view {
    struct store_view *view; /* NULL: none */
    struct account_id account;
};

struct imap_session {
    struct stream *stream;
    struct buffer *out; /* stream->output, or what is to be compressed into it */
    struct imap_reader reader;
    struct mailbox_view mailbox;
    struct range_set saved;          /* "$" (RFC 5182): UIDs, some of which may be gone */
    struct compression *compression; /* NULL: none */
    uint32_t enabled;                /* enum session_enabled bits */
    uint32_t tells;                  /* enum session_tells bits */
    enum session_phase phase;
    uint16_t bad_count;
    uint8_t language;                /* enum language */
    struct search_context *contexts; /* the youngest first */
    struct notify *notify;           /* NULL: NOTIFY has not been used, or NONE */
    char tag[IMAP_TAG_MAXIMUM + 1];  /* of the command under way */
    bool greeted, closing, idling;
    bool copying;              /* a part for APPEND: nothing else is read meanwhile */
    bool unauthenticated;      /* the stream goes back to chapar-login */
    bool unasked;              /* the sync under way belongs to no command */
    bool compresses;           /* from the answer that comes next on */
    uint64_t began_us;         /* when it began; monotonic */
    struct stream_times began; /* what had been used of each by then, of this run too */

    /* of the command under way */
    const struct imap_command *command; /* in the reader; NULL when there is none */
    struct arena arena;
    void *work;                                  /* the handler's own, in the arena */
    void (*release_work)(struct imap_session *); /* frees what work has outside the arena */
    struct range_set uids;                       /* what the command is about */
    struct session_reply reply;
    /* Modseqs of the flag changes it made and answered, ascending: the sync does not tell them
     * again. In the arena. */
    uint64_t *own_changes;
    size_t own_change_count, own_change_capacity;
    struct session_events *events; /* what scripts are still to be run for: events.c */

    /* within one run() */
    struct session_view views[SESSION_VIEWS];
    uint64_t deadline; /* monotonic microseconds */
};

/* --- imap.c --- */

/* Whether the slice's time is over or the output long enough: return PROGRESS_AGAIN then. */
bool session_slice_over(const struct imap_session *session);

/* The same, but output that is long enough is sent, and the slice goes on when the client has taken
 * it: for a slice that writes much from one snapshot, and has nothing to change at its end of which
 * the client is told already. */
bool session_slice_over_sent(struct imap_session *session);

/* Sets the tagged response and returns PROGRESS_DONE. */
enum progress session_reply(struct imap_session *session, const char *status, const char *code,
                            const char *text);
enum progress session_ok(struct imap_session *session, const char *text);

/* --- cmd_fetch.c --- */

/* Whether the FETCH under way may set \Seen. */
bool fetch_sets_seen(const struct imap_session *session);

/* Tells the items of messages, which nobody has asked for now; \Seen stays as it is. What cannot be
 * told is left out. *work, NULL at first, is what stays between slices, in the command's arena;
 * items and UIDs stay as well until it is done, or ended. */
struct fetch_work;
/* Copies items first. ERROR_LIMIT. */
int fetch_copy_items(struct arena *arena, const struct imap_fetch_item *items, size_t count,
                     struct imap_fetch_item **copy);
enum progress fetch_tell(struct imap_session *session, struct fetch_work **work,
                         const struct imap_fetch_item *items, size_t count,
                         const struct range_set *uids);
void fetch_tell_end(struct fetch_work **work);

/* The tagged response for a store's error (RFC 5530's codes); logs what is not the client's. */
enum progress session_fail(struct imap_session *session, int error);

/* Ends the session: "* BYE text". */
void session_bye(struct imap_session *session, const char *text);

/* The handler's state, zeroed in the arena at its first call; NULL: over the budget. */
void *session_work(struct imap_session *session, size_t size);

/* --- names.c --- */

/* The levels below which others' mailboxes are (RFC 2342): of users, and of shared accounts. */
#define OTHER_USERS     "Other Users"
#define SHARED_ACCOUNTS "Shared"
enum { SESSION_LEVELS = 2 };
extern const struct slice session_levels[SESSION_LEVELS];

/* An account's view, the account's own, and that of the selected mailbox: opened when first needed
 * in this run(), and not the caller's to close. */
int session_view_of(struct imap_session *session, struct account_id account,
                    struct store_view **view);
int session_view(struct imap_session *session, struct store_view **view);
int session_selected_view(struct imap_session *session, struct store_view **view);
void session_close_views(struct imap_session *session);

/* A snapshot of the selected mailbox; the caller closes it. */
int session_snapshot(struct imap_session *session, struct mailbox_snapshot **snapshot);

/* Who asks: the account that has logged in, as what it is. */
struct who session_who(const struct imap_session *session);

bool session_is_own(const struct imap_session *session, struct account_id account);

/* Where a name leads, as the client wrote it. */
struct session_place {
    struct account_id account;
    struct store_view *view; /* of it */
    struct slice path;       /* in it; points into the name */
};

/* ERROR_NOT_FOUND: below the level no account has this name that shares something; to
 * administrators: none has it. */
int session_place(struct imap_session *session, struct slice name, struct session_place *place);

/* The mailbox of a name; its path is the name. In the command's arena. */
int session_find_mailbox(struct imap_session *session, struct slice name,
                         struct session_place *place, struct collection *found);

/* The same of one whose id has been found there under this name. */
int session_get_mailbox(struct imap_session *session, struct slice name,
                        const struct session_place *place, collection_id id,
                        struct collection *found);

/* "Shared/info@example.test/Plans" in its parts, which point into it. */
struct session_name {
    struct slice level;   /* "Shared"; empty: the name is one's own */
    struct slice address; /* "info@example.test", as it is written; or empty */
    struct slice path;    /* "Plans"; or empty; of an own name all of it */
};
struct session_name session_split_name(struct slice name);

/* Whether it is one of the levels of others, or something below it. */
static inline bool session_is_others(struct slice name)
{
    return session_split_name(name).level.size > 0;
}

/* What the names of another account's mailboxes begin with: "Shared/info@example.test/". Empty:
 * the arena is full. */
struct slice session_prefix_of(struct arena *arena, const struct account_info *owner);

/* The other account of a name, which need not have a path; its level counts. ERROR_NOT_FOUND as
 * session_place. */
int session_find_owner(struct imap_session *session, const struct session_name *name,
                       struct account_id *owner);

/* The accounts that share something with this one, an administrator's too, in the command's arena,
 * and in the order of the prefixes. */
int session_sharers(struct imap_session *session, struct account_info **list, size_t *count);

/* --- administer.c: administrators --- */

/* Logs what an administrator has done to another's mailbox or account, or (name empty) to what has
 * none: nothing for anybody else, or of his own mailboxes. detail: what is to be known besides,
 * without values; empty: nothing. */
void administer_log(const struct imap_session *session, struct slice name, struct slice detail);

/* What IMAP cannot do with accounts themselves is told to administrators with the command that can:
 * `verb` of `chapar account`. For all others, and other mailboxes, the reply to the error. */
enum progress administer_fail(struct imap_session *session, struct slice name, int error,
                              const char *verb);

/* --- cmd_acl.c: one MYRIGHTS response --- */
void acl_write_my_rights(struct imap_session *session, const struct collection *mailbox);

/* --- capabilities.c --- */

/* What applies now, words with spaces between them (RFC 9051 section 7.2.2). */
void capabilities_write(const struct imap_session *session, struct buffer *out);

/* --- modseq.c --- */

/* Makes the client one that is told modification sequences (RFC 7162 section 3.1). */
void modseq_enable(struct imap_session *session);

/* "MODSEQ (n)" of an entry. */
void modseq_write(struct imap_session *session, const struct entry *entry);

/* Up to where the client has been told everything of the selected mailbox. */
uint64_t modseq_known(const struct mailbox_view *view);

/* Before each tagged response: what the client may keep as HIGHESTMODSEQ. */
void modseq_settle(struct imap_session *session);

/* --- select_memory.c --- */

/* Selects the command's mailbox, one's own, as it was selected before, by whichever session, and
 * tells the same of it: when nothing has been committed since. changes: store_account_changes, not
 * 0. False: nothing is selected, and nothing told. */
bool select_recall(struct imap_session *session, uint64_t changes);

/* The command has selected its mailbox and told of it, in the output from there on. changes: of
 * before it was looked at, not 0. */
void select_remember(struct imap_session *session, uint64_t changes, size_t from);

/* --- vanished.c --- */

/* Which of the UIDs in `known` were expunged after modseq `since`, or, when that is not known any
 * more, do not exist; none that the client still counts (RFC 7162 section 3.2.6). */
int vanished_find(struct imap_session *session, struct mailbox_snapshot *snapshot, uint64_t since,
                  const struct range_set *known, struct range_set *vanished);

/* Writes VANISHED responses of the ranges from *written on, which must be there, until the slice is
 * over; one at least. Returns whether all are written. */
bool vanished_write(struct imap_session *session, const struct range_set *uids, size_t *written,
                    bool earlier);

/* --- resync.c: SELECT (QRESYNC ...) (RFC 7162 section 3.2.5) --- */

/* What became of the messages the client knows, to be told in slices. */
struct resync {
    struct range_set vanished;
    size_t written;         /* ranges of vanished */
    struct range_set known; /* UIDs that are there and that the client asks about */
    uint32_t next_uid;      /* of the changed ones, to go on with */
    bool begun;             /* there is something to tell */
};
void resync_init(struct resync *resync);
void resync_release(struct resync *resync);

/* Finds out, in the snapshot that was selected; nothing when the UIDVALIDITY is another. */
int resync_begin(struct imap_session *session, struct mailbox_snapshot *snapshot,
                 struct resync *resync);

/* Tells; *progress is PROGRESS_AGAIN until all is told. */
int resync_run(struct imap_session *session, struct resync *resync, enum progress *progress);

/* --- commands: see each file --- */
enum progress cmd_capability(struct imap_session *session);
enum progress cmd_noop(struct imap_session *session);
enum progress cmd_logout(struct imap_session *session);
enum progress cmd_id(struct imap_session *session);
enum progress cmd_enable(struct imap_session *session);
enum progress cmd_language(struct imap_session *session);
enum progress cmd_namespace(struct imap_session *session);
enum progress cmd_select(struct imap_session *session);
enum progress cmd_close(struct imap_session *session);
enum progress cmd_unselect(struct imap_session *session);
enum progress cmd_create(struct imap_session *session);
enum progress cmd_delete(struct imap_session *session);
enum progress cmd_rename(struct imap_session *session);
enum progress cmd_subscribe(struct imap_session *session);
enum progress cmd_list(struct imap_session *session);
enum progress cmd_status(struct imap_session *session);
enum progress cmd_quota(struct imap_session *session);
enum progress cmd_setquota(struct imap_session *session);
enum progress cmd_metadata(struct imap_session *session);
enum progress cmd_set_metadata(struct imap_session *session);
enum progress cmd_append(struct imap_session *session);
enum progress cmd_resetkey(struct imap_session *session);
enum progress cmd_genurlauth(struct imap_session *session);
enum progress cmd_urlfetch(struct imap_session *session);
enum progress cmd_idle(struct imap_session *session);
enum progress cmd_expunge(struct imap_session *session);
enum progress cmd_search(struct imap_session *session);
enum progress cmd_fetch(struct imap_session *session);
enum progress cmd_store(struct imap_session *session);
enum progress cmd_copy(struct imap_session *session);
enum progress cmd_setacl(struct imap_session *session);
enum progress cmd_getacl(struct imap_session *session);
enum progress cmd_listrights(struct imap_session *session);
enum progress cmd_myrights(struct imap_session *session);
enum progress cmd_notify(struct imap_session *session);
enum progress cmd_cancel_update(struct imap_session *session);
enum progress cmd_esearch(struct imap_session *session);
enum progress cmd_uidbatches(struct imap_session *session);
enum progress cmd_unauthenticate(struct imap_session *session);

/* --- context.c: searches that are kept up to date (RFC 5267 section 4.3) --- */

/* Whether the result of a search with this tag is. */
bool contexts_has(struct imap_session *session, struct slice tag);
bool contexts_cancel(struct imap_session *session, struct slice tag);

/* Before these are told to have gone, or while that must wait: they are in no result any more. */
void contexts_expunge(struct imap_session *session, const struct range_set *gone);

/* Behind a sync: tells what has changed of results. */
enum progress contexts_sync(struct imap_session *session);

/* The command, or the telling, is over: its arena goes. */
void contexts_forget_command(struct imap_session *session);

/* The mailbox is not selected any more. */
void contexts_release(struct imap_session *session);

/* --- notify.c: NOTIFY (RFC 5465) --- */

/* At the beginning of each run: what has been noticed is to be looked at. */
void notify_noticed(struct imap_session *session);

/* Tells what has changed, apart from the selected mailbox's messages; of these the items that the
 * client wants of new ones. */
enum progress notify_sync(struct imap_session *session);

/* A message has come into the selected mailbox and was told. ERROR_LIMIT, ERROR_MEMORY. */
int notify_arrival(struct imap_session *session, uint32_t uid);

/* The command under way has put `count` messages into a mailbox, their UIDs among first..last. */
void notify_note_own(struct imap_session *session, struct account_id account, collection_id mailbox,
                     uint32_t first, uint32_t last, uint32_t count);

/* The command, or the telling, is over: its arena goes. */
void notify_forget_command(struct imap_session *session);

/* The selected mailbox is not selected any more: from here on it is one of the others. */
void notify_unselected(struct imap_session *session);

/* Which accounts are to be watched has changed, or the selected mailbox has. */
void notify_watch(struct imap_session *session);

void notify_end(struct imap_session *session);

/* --- compress.c: COMPRESS (RFC 4978) --- */
struct compression;
enum progress cmd_compress(struct imap_session *session);

/* From now on session->out and the input are compressed. ERROR_MEMORY. */
int compress_begin(struct imap_session *session);
void compress_end(struct imap_session *session);

/* The input that commands are read from: the stream's, or the next of it decompressed.
 * ERROR_SYNTAX: it is damaged, or has ended; ERROR_MEMORY. */
int compress_input(struct imap_session *session, struct slice **input);

/* Whether there is more than compress_input has given. */
bool compress_has_more(const struct imap_session *session);

/* Behind UNAUTHENTICATE: reads to the end of what is compressed, behind which the stream's input is
 * plain (RFC 8437 section 4.1). *ended: it is there; else there must be more input. ERROR_SYNTAX,
 * also when something else is compressed behind the command. */
int compress_leave(struct imap_session *session, bool *ended);

/* Compresses what is in session->out, and ends that behind UNAUTHENTICATE. waits: until there is
 * input, which may take long. An error of the buffers, or ERROR_MEMORY: the session must end. */
int compress_output(struct imap_session *session, bool waits);

/* --- cmd_append.c: the messages' way before the handler runs --- */
void append_begin(struct imap_session *session);
void append_piece(struct imap_session *session, struct slice bytes);

/* --- append_catenate.c: parts of a message (RFC 4469) --- */
void append_text(struct imap_session *session);
void append_url(struct imap_session *session, struct slice url);

/* Goes on with the copy of what the URL names, while session->copying. */
void append_copy(struct imap_session *session);

/* --- cmd_idle.c --- */
void idle_line(struct imap_session *session, struct slice line);

/* --- cmd_status.c: one STATUS response; nothing when an item cannot be had --- */
void status_enable(struct imap_session *session, uint32_t items);
int status_write(struct imap_session *session, struct account_id account,
                 const struct collection *mailbox, uint32_t items);

/* --- cmd_list.c --- */

/* One LIST response: what IMAP4rev2's SELECT has (RFC 9051 section 6.3.2), and what is told without
 * being asked for. attribute: put first, NULL: none; old_name: OLDNAME (RFC 5465 section 5.4),
 * empty: none. A mailbox without id is a name alone. */
void list_write_mailbox(struct imap_session *session, const struct collection *mailbox,
                        const char *attribute, struct slice old_name);

/* --- cmd_metadata.c --- */

/* What METADATA responses tell of one mailbox, slice by slice. */
struct metadata_work {
    struct annotation *list;
    size_t count, next;
    uint64_t longest; /* of the values that MAXSIZE left out */
};
/* Reads it, into the arena. */
int metadata_begin(struct store_view *view, collection_id mailbox,
                   const struct imap_metadata *metadata, struct arena *arena,
                   struct metadata_work *work);
/* Writes a response of this slice; returns whether all is told. */
bool metadata_write(struct imap_session *session, struct slice mailbox,
                    const struct imap_metadata *metadata, struct metadata_work *work);

/* --- annotate.c: annotations of messages (RFC 5257) --- */

/* The ANNOTATIONS response code of the mailbox that was just selected. */
void annotate_write_support(struct imap_session *session);

/* " ANNOTATION (/comment)": the names of what has changed of an entry, if the client is told and
 * they are known. */
void annotate_write_changed(struct imap_session *session, struct mailbox_snapshot *snapshot,
                            const struct entry *entry);

/* What STORE or APPEND sets, for the store, in the command's arena. False: the reply is set, also
 * when a value is too large, or there are too many for one message. */
bool annotate_make_list(struct imap_session *session, const struct imap_annotations *annotations,
                        struct annotation **list, size_t *count);

/* Whether one of the names is of a body part; whether the message has all of these. */
bool annotate_is_of_part(struct slice entry);
bool annotate_has_part(const struct summary *summary, struct slice entry);
bool annotate_has_parts(const struct summary *summary, const struct annotation *list, size_t count);

/* Section 3.2.1: the reply to a name of a part that a message does not have. */
enum progress annotate_no_part(struct imap_session *session);

/* The reply to a failure to set. */
enum progress annotate_fail(struct imap_session *session, int error);

/* Whether an entry-match means the entry. */
bool annotate_matches(struct slice match, struct slice entry);

/* --- mailbox_view.c --- */

/* Whether responses have none of what only IMAP4rev1 has. */
static inline bool session_is_rev2(const struct imap_session *session)
{
    return session->enabled & ENABLED_REV2;
}

/* Whether names and the headers of messages may be in UTF-8 (RFC 9755, RFC 9051 section 5.1): else
 * messages have surrogates of such headers (fetch_surrogate.c), and names are in modified UTF-7. */
static inline bool session_takes_utf8(const struct imap_session *session)
{
    return session->enabled & (ENABLED_REV2 | ENABLED_UTF8);
}

/* EXISTS, and IMAP4rev1's RECENT. */
void view_write_exists(struct imap_session *session);

struct flags_cache; /* text.c */

/* Selects the mailbox of an account as the snapshot shows it. On failure nothing is selected. */
int view_select(struct imap_session *session, struct account_id account,
                struct mailbox_snapshot *snapshot, bool read_only);
void view_unselect(struct imap_session *session);

/* Flag changes that were not told because NOTIFY did not ask for them are told by the next sync. */
void view_tell_muted(struct imap_session *session);

/* Tells the client what has changed: EXPUNGE (only if `expunges`), EXISTS, FETCH FLAGS. The latter
 * two as session->tells says. */
enum progress view_sync(struct imap_session *session, bool expunges);

/* The UIDs of the view that a sequence set names. Numbers: ERROR_INVALID for one beyond the last
 * (RFC 9051 section 9, seq-number) unless lenient; UIDs: those that do not exist are passed over.
 * "$" is what was saved, less what is gone (RFC 5182 section 2.1). ERROR_LIMIT. */
int view_resolve(struct imap_session *session, const struct imap_sequence_set *set, bool uid,
                 bool lenient, struct range_set *uids);

/* The same for the command's set into session->uids. False: the reply is set. */
bool view_resolve_command(struct imap_session *session, const struct imap_sequence_set *set);

/* Whether another session has expunged some of the UIDs. */
int view_some_gone(struct imap_session *session, struct mailbox_snapshot *snapshot,
                   const struct range_set *uids, bool *gone);

/* Changes flags of messages of the view. answered: the command itself tells the client what became
 * of them; then the sync does not, unless another session has changed one of them since the client
 * was told. failed: see mailbox_change_flags. */
int view_change_flags(struct imap_session *session, const struct range_set *uids,
                      const struct flag_change *change, bool answered, struct range_set *failed);

/* The same with annotations, which who must have the rights to set. Errors of the store's call. */
int view_change_annotations(struct imap_session *session, const struct range_set *uids,
                            const struct annotation *list, size_t count, uint64_t unchanged_since,
                            struct range_set *failed);

/* The numbers that a sequence set names, whether they exist or not, '*' being `last`. ERROR_LIMIT.
 */
int view_numbers(struct imap_session *session, const struct imap_sequence_set *set, uint32_t last,
                 struct range_set *numbers);

/* "* 7 FETCH (", or "* 12 UIDFETCH (" to who has enabled UIDONLY. */
void view_write_fetch_head(struct imap_session *session, uint32_t uid);

/* A FETCH response with UID or FLAGS or both; with both and MODSEQ to who is told that (RFC 7162
 * section 3.2.4). The entry is one of the view. */
enum flags_part { TELL_UID = 1, TELL_FLAGS = 2 };
void view_write_flags(struct imap_session *session, struct flags_cache *cache,
                      const struct entry *entry, const struct keyword_names *names, unsigned parts);

/* Sends FLAGS and PERMANENTFLAGS when the mailbox has keywords that were not announced yet. */
void view_announce_keywords(struct imap_session *session, const struct mailbox_snapshot *snapshot);
void view_write_flag_lists(struct imap_session *session, const struct keyword_names *names);

/* --- events.c: scripts for IMAP events (session/sieve/event.h) --- */

/* What the command has just committed; where no script is set for it nothing comes of it. Messages
 * that were appended, those that were copied or moved from the selected mailbox, and changes of
 * flags in that, which are taken out of the buffer. */
void events_appended(struct imap_session *session, struct account_id account, collection_id mailbox,
                     uint32_t first, uint32_t last);
void events_copied(struct imap_session *session, struct account_id account, collection_id mailbox,
                   const struct range_set *uids);
void events_flagged(struct imap_session *session, struct buffer *differences);

/* Runs the scripts for what was noted until the slice is over, for one message at least. */
void events_run(struct imap_session *session);
void events_forget(struct imap_session *session);

/* --- sets.c: what range_set.h leaves to others, each in one pass --- */

/* Appends what is in both; ERROR_LIMIT, ERROR_MEMORY. out is neither a nor b. */
int set_intersect(struct range_set *out, const struct range_set *a, const struct range_set *b);

/* Appends what is in a but not in b. */
int set_subtract(struct range_set *out, const struct range_set *a, const struct range_set *b);

/* Appends the positions in `all` of the numbers in `some`, which are all in it. */
int set_positions(struct range_set *out, const struct range_set *all, const struct range_set *some);

/* Appends the numbers of `all` at the positions. */
int set_at_positions(struct range_set *out, const struct range_set *all,
                     const struct range_set *positions);

/* Appends those of `all` that PARTIAL means (RFC 9394 section 3.1), if any. */
int set_partial(struct range_set *out, struct range_set *all, const struct imap_partial *partial);

/* The numbers of `all` in batches of `size` from the highest down (RFC 10022): how many
 * there are, and the lowest number of the n-th, from 1 on; of the last one 1, there or not. */
uint32_t set_batch_count(struct range_set *all, uint32_t size);
uint32_t set_batch_lowest(struct range_set *all, uint32_t size, uint32_t n);

/* set becomes `with`, which is emptied. */
void set_take(struct range_set *set, struct range_set *with);

/* --- message_limit.c: MESSAGELIMIT and SAVELIMIT (RFC 9738) --- */

/* How many messages a command may be about, and how many may be copied or appended at once. */
uint32_t limit_messages(const struct imap_session *session);
uint32_t limit_saved(const struct imap_session *session);

/* Leaves the highest `limit` UIDs. *lowest: the lowest of them, or 0 when all are left. */
int limit_uids(struct range_set *uids, uint32_t limit, uint32_t *lowest);

/* Whether PARTIAL, if it is given, is of more messages than that (RFC 9738 section 3.1). */
bool limit_is_passed(const struct imap_session *session, const struct imap_partial *partial);

/* Sets the reply: nothing has been done. lowest: as above, or 0: not known. */
enum progress limit_refuse(struct imap_session *session, uint32_t limit, uint32_t lowest);

/* Puts into the reply, which is set, where the command has stopped: in front of it where it has a
 * code of its own. Nothing when lowest is 0. */
enum progress limit_tell(struct imap_session *session, uint32_t lowest);

/* --- entry_walk.c --- */

/* Walks the UIDs of a set from one on, with their entries where they still have one; or, unless
 * since is 0, only entries changed after that modseq; with entry_walk_pass only entries of pages
 * that may have such flags (entry_cursor_pass). With `down`, which is set after entry_walk_init, to
 * lower UIDs, at a page's cost for each. Within one slice; the set and the snapshot stay the
 * caller's. */
struct entry_walk {
    const struct range_set *uids;
    bool down;
    struct entry_cursor cursor;
    uint32_t next_uid; /* to go on with */
    uint64_t since;
    bool some;          /* not all that are there are walked */
    struct entry entry; /* the cursor's last */
};
void entry_walk_init(struct entry_walk *walk, struct mailbox_snapshot *snapshot,
                     const struct range_set *uids, uint32_t from, uint64_t since);
void entry_walk_pass(struct entry_walk *walk, uint32_t with, uint32_t without);
/* ERROR_NOT_FOUND at the end of the set. *entry is NULL for a UID whose message is gone. */
int entry_walk_next(struct entry_walk *walk, uint32_t *uid, const struct entry **entry);
void entry_walk_release(struct entry_walk *walk);

/* --- text.c: the hot parts of responses --- */

enum { NUMBER_MAXIMUM = 20 }; /* digits of a 64-bit number */

/* Writes the digits, returns where they end. */
char *number_put(char *place, uint64_t number);

/* An entry's flags as "(\Seen)". Entries next to each other mostly have the same ones. */
struct flags_cache {
    bool valid;
    uint32_t flags;
    struct keyword_set keywords;
    struct buffer text;
};
void flags_cache_init(struct flags_cache *cache);
void flags_cache_release(struct flags_cache *cache);
void flags_write(struct buffer *out, struct flags_cache *cache, uint32_t flags,
                 const struct keyword_set *keywords, const struct keyword_names *names);

/* A date as imap_write_date writes it. Messages next to each other mostly are of one day. */
struct date_cache {
    bool valid;
    int64_t day;
    char text[28]; /* "17-Jul-1996 02:44:25 +0000" in its quotes */
};
void date_write(struct buffer *out, struct date_cache *cache, int64_t seconds);

/* --- header_fields.c --- */

/* Walks the fields of a raw header. */
struct header_field {
    struct slice whole; /* with its line ends */
    struct slice name;  /* without white space before the colon; empty: a line that is no field */
    struct slice value; /* folded, as it stands */
};
bool header_field_next(struct slice *header, struct header_field *field);

#endif
