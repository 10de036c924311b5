/*
 * SORT and THREAD: what cmd_search.c, sort.c and thread.c share.
 *
 * Of each message found, what it is sorted by is kept as one string of bytes that sorts as it does.
 * That is bounded by command_memory; a mailbox for which it is not enough is answered with LIMIT.
 */
#ifndef SESSION_IMAP_SORT_PRIV_H
#define SESSION_IMAP_SORT_PRIV_H

#include "session/imap/search_priv.h"

enum {
    SORT_STRING_MAXIMUM = 1024, /* bytes of a string that count */
    SORT_NUMBER = 8,            /* bytes of a number */
    /* bytes of one message's key: of all criteria, each with its end */
    SORT_KEY_MAXIMUM = IMAP_SORT_CRITERIA_MAXIMUM * (SORT_STRING_MAXIMUM + 1),
};

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
};
void sort_list_init(struct sort_list *list, size_t maximum);
void sort_list_release(struct sort_list *list);
struct sort_item *sort_items(const struct sort_list *list);

/* Adds the slice's entry with its key. ERROR_LIMIT. */
int sort_add(struct search_slice *slice, struct sort_list *list,
             const struct imap_sort_criterion *criteria, size_t count);

/* Puts the items in order: by key, then by UID. Nothing is added any more. */
void sort_finish(struct sort_list *list);

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

/* --- thread.c and thread_write.c: THREAD (RFC 5256 section 3, draft-ietf-morg-inthread) --- */

enum { THREAD_NONE = UINT32_MAX };

/* A message, or what stands for one that is not there. */
struct thread_node {
    uint32_t id, id_size; /* the Message-ID in thread_tree.texts; size 0: none */
    uint32_t subject, subject_size;
    uint32_t uid;    /* 0: a dummy */
    uint32_t parent; /* index, or THREAD_NONE */
    uint32_t next;   /* in the hash table's chain, or THREAD_NONE */
    bool reply, gone, has_children;
    int64_t date;
    int64_t arrival;       /* the internal date, for REFS */
    uint32_t arrival_uid;  /* whose it is, of equal ones the highest UID */
    uint32_t date_uid;     /* of equal dates the lower UID is first */
    uint32_t first, count; /* its children in thread_tree.order */
    uint32_t written;      /* of them */
};

struct thread_tree {
    struct buffer nodes; /* struct thread_node */
    struct buffer texts; /* ids and subjects */
    struct buffer order; /* uint32_t: nodes by parent and date; the roots come last */
    uint32_t *buckets;
    uint32_t bucket_count, count;
    uint8_t key[16];           /* of the hashes, so that nobody can choose ids that collide */
    uint32_t roots, next_root; /* where roots begin in order; the next to be written */
    uint32_t at;               /* the node that is being written, or THREAD_NONE */
};
void thread_tree_init(struct thread_tree *tree, size_t maximum);
void thread_tree_release(struct thread_tree *tree);

/* Adds the slice's entry, in the order of sequence numbers. ERROR_LIMIT, ERROR_MEMORY. */
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
