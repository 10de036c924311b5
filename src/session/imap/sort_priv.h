/*
 * SORT and THREAD: what cmd_search.c, sort.c and thread.c share.
 *
 * Of each message found, what it is sorted by is kept as one string of bytes that sorts as it does.
 * That is bounded by command_memory; a mailbox for which it is not enough is answered with LIMIT.
 *
 * What takes reading a summary is remembered for the next time (sort_memory): then such a string is
 * one of ranks, four bytes for each criterion. For THREAD it is what a message says of its thread.
 */
#ifndef SESSION_IMAP_SORT_PRIV_H
#define SESSION_IMAP_SORT_PRIV_H

#include "session/imap/search_priv.h"

enum {
    SORT_STRING_MAXIMUM = 1024, /* bytes of a string that count */
    SORT_NUMBER = 8,            /* bytes of a number */
    /* bytes of one message's key: of all criteria, each with its end */
    SORT_KEY_MAXIMUM = IMAP_SORT_CRITERIA_MAXIMUM * (SORT_STRING_MAXIMUM + 1),
    SORT_RANK = 4,                          /* bytes of a rank */
    SORT_MEMORY_MAXIMUM = 32 * 1024 * 1024, /* bytes that a process remembers; half of it of one
                                               mailbox and criterion */
    SORT_THREADS = -1,                      /* in place of a criterion: what THREAD remembers */
    SORT_HASH = 16,
};

/* --- sort_memory.c: keys that were made before --- */

/* A mailbox and one criterion, or threads. Messages are immutable and UIDs are not used again, so a
 * key is right for ever. Who sorts takes the memory, and gives it back: meanwhile nobody else has
 * it, and makes the keys anew. What was used longest ago is forgotten. A process has one store; a
 * test that has several in turn forgets between them. */
struct sort_subject {
    struct account_id account;
    collection_id collection;
    int kind; /* enum imap_sort_kind, or SORT_THREADS */
};

struct sort_memory {
    struct sort_subject about;
    size_t count;        /* keys */
    size_t known;        /* of them were there when it was taken, in the order of UIDs */
    size_t next_known;   /* where the next UID is looked for */
    size_t ranked;       /* those that have a rank */
    bool spoiled;        /* a message could not be read: it is not kept */
    struct buffer uids;  /* uint32_t each */
    struct buffer texts; /* the keys, one behind the other */
    struct buffer ends;  /* uint32_t each: of a key in texts */
    struct buffer ranks; /* uint32_t each: equal keys have equal ones; threads have none */
    /* Texts of threads, numbered from 1. Only their hashes are kept: they have 128 bits, and a key
     * that nobody knows, so that nobody can choose texts whose hashes are equal. */
    struct buffer hashes; /* SORT_HASH bytes each */
    uint32_t *buckets;    /* a number, or 0 */
    size_t bucket_count;
    uint8_t hash_key[SORT_HASH];
    struct sort_memory *next;
};

/* Empty when nothing is remembered. maximum: bytes of its keys. NULL: no memory. */
struct sort_memory *sort_memory_take(struct sort_subject about, size_t maximum);
/* Keeps it, unless it is spoiled, keys have no rank, or it is too large. */
void sort_memory_give(struct sort_memory **memory);
void sort_memory_forget_all(void);
size_t sort_memory_size(void); /* bytes of what is remembered */

/* Both are called with UIDs in ascending order. Found: the key's index. */
bool sort_memory_find(struct sort_memory *memory, uint32_t uid, uint32_t *index);
/* index: may be NULL. ERROR_LIMIT, ERROR_MEMORY. */
int sort_memory_add(struct sort_memory *memory, uint32_t uid, struct slice key, uint32_t *index);
struct slice sort_memory_key(const struct sort_memory *memory, size_t index);

/* The text's number, a new one when it has none. ERROR_LIMIT, ERROR_MEMORY. */
int sort_memory_number(struct sort_memory *memory, struct slice text, uint32_t *number);
size_t sort_memory_numbers(const struct sort_memory *memory);

/* Gives every key its rank. ERROR_LIMIT, ERROR_MEMORY. */
int sort_memory_rank(struct sort_memory *memory);
uint32_t sort_memory_rank_of(const struct sort_memory *memory, uint32_t index);

/* --- sort.c --- */

/* A message found. */
struct sort_item {
    const char *key; /* while messages are added: the offset */
    uint32_t size;   /* of the key */
    uint32_t uid;
    uint64_t modseq;
};

struct sort_list {
    struct buffer keys;
    struct buffer items; /* struct sort_item */
    size_t count;
    struct sort_memory *memories[IMAP_SORT_CRITERIA_MAXIMUM]; /* NULL: none */
    bool remembers; /* each criterion that takes a summary has one */
};
void sort_list_init(struct sort_list *list, size_t maximum);
void sort_list_release(struct sort_list *list);
struct sort_item *sort_items(const struct sort_list *list);

/* Before the first is added: takes what is remembered of the mailbox. */
void sort_list_remember(struct sort_list *list, struct account_id account, collection_id collection,
                        const struct imap_sort_criterion *criteria, size_t count);

/* Adds the slice's entry with its key; in ascending order of UIDs when it remembers. ERROR_LIMIT:
 * without remembering there may be room. */
int sort_add(struct search_slice *slice, struct sort_list *list,
             const struct imap_sort_criterion *criteria, size_t count);

/* Puts the items in order: by key, then by UID. Nothing is added any more. ERROR_LIMIT,
 * ERROR_MEMORY. */
int sort_finish(struct sort_list *list, const struct imap_sort_criterion *criteria, size_t count);

/* The messages from index first to behind last, as UIDs. ERROR_LIMIT, ERROR_MEMORY. */
int sort_part(const struct sort_list *list, size_t first, size_t end, struct range_set *uids);

/* Where an entry belongs among UIDs that are in order: before which index. The slice's entry is
 * another one then. ERROR_LIMIT. */
int sort_place(struct search_slice *slice, const struct entry *entry,
               const struct imap_sort_criterion *criteria, size_t criterion_count,
               const uint32_t *order, size_t count, size_t *place);

/* The pieces of keys. The sent date is the Date field's, else the internal date (RFC 5256
 * section 2.2). The subject is the base subject as a sort key, cleared first; *reply: whether it
 * says reply or forward. */
int64_t sort_sent_date(struct search_slice *slice);
int sort_subject(struct search_slice *slice, struct buffer *key, bool *reply);

/* Writes SORT's numbers, or ESEARCH's, in order from *written on up to the index `end`, until the
 * slice is over; returns whether all are written. first: the index that has no comma in front. */
bool sort_write(struct imap_session *session, const struct sort_list *list, size_t *written,
                size_t first, size_t end, char separator);

/* A number, and whose it is. */
struct sort_number {
    uint64_t number;
    uint32_t index;
};
/* Orders by number; equal ones stay in the order they are in. ERROR_MEMORY. */
int sort_by_number(struct sort_number *list, size_t count);

/* A signed number as one that is not, in the same order. */
static inline uint64_t sort_unsigned(int64_t number)
{
    return (uint64_t)number ^ UINT64_C(1) << 63;
}

/* --- thread.c and thread_write.c: THREAD (RFC 5256 section 3, draft-ietf-morg-inthread) --- */

enum { THREAD_NONE = UINT32_MAX };

/* A message, or what stands for one that is not there. */
struct thread_node {
    uint32_t subject; /* a text's number; 0: none */
    uint32_t uid;     /* 0: a dummy */
    uint32_t parent;  /* index, or THREAD_NONE */
    bool reply, gone, has_children;
    int64_t date;
    int64_t arrival;       /* the internal date, for REFS */
    uint32_t arrival_uid;  /* whose it is, of equal ones the highest UID */
    uint32_t date_uid;     /* of equal dates the lower UID is first */
    uint32_t first, count; /* its children in thread_tree.order */
    uint32_t written;      /* of them */
};

struct thread_tree {
    struct sort_memory *memory; /* what the messages say */
    struct buffer said;         /* by one of them, while it is read */
    struct buffer nodes;        /* struct thread_node */
    struct buffer places;       /* uint32_t: the node of a text's number, or THREAD_NONE */
    struct buffer order;        /* uint32_t: nodes by parent and date; the roots come last */
    uint32_t count;
    uint32_t roots, next_root; /* where roots begin in order; the next to be written */
    uint32_t at;               /* the node that is being written, or THREAD_NONE */
};
/* Of messages of a mailbox: takes what is remembered of it. */
void thread_tree_init(struct thread_tree *tree, size_t maximum, struct account_id account,
                      collection_id collection);
void thread_tree_release(struct thread_tree *tree);

/* Empties it, and forgets what was remembered of the mailbox. False: there was nothing. */
bool thread_tree_forget(struct thread_tree *tree);

/* Adds the slice's entry, in ascending order of UIDs. ERROR_MEMORY; ERROR_LIMIT: when all is
 * forgotten first, there may be room. */
int thread_tree_add(struct search_slice *slice, struct thread_tree *tree,
                    enum imap_thread_algorithm algorithm);

/* Makes the tree. ERROR_LIMIT, ERROR_MEMORY. */
int thread_tree_finish(struct thread_tree *tree, enum imap_thread_algorithm algorithm);

/* Writes threads until the slice is over; returns whether all are written. */
bool thread_tree_write(struct imap_session *session, struct thread_tree *tree);

static inline struct thread_node *thread_node(const struct thread_tree *tree, uint32_t index)
{
    return (struct thread_node *)tree->nodes.data + index;
}

#endif
