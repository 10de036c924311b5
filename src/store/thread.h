/*
 * Threads: messages that belong together (RFC 8474 section 5.2, RFC 8621 section 3).
 *
 * Every message is in one thread of its account, from when it is stored and for as long as it is
 * kept. It joins the thread of a message with which it shares a message id, in Message-ID,
 * In-Reply-To or References, and the subject (format/subject.h: subject_thread_key); else it begins
 * one. Which of them a message came with last does not matter: a parent finds the replies that were
 * there before it.
 *
 * A message that belongs to two threads makes them one: the messages of the smaller one get other
 * numbers and UIDs, as if they had gone and come again, since a message never changes its thread.
 * docs/format.md says when it is not done.
 *
 * Which threads were created, changed and destroyed is in the change log (store/changes.h).
 */
#ifndef STORE_THREAD_H
#define STORE_THREAD_H

#include "store/message.h"

/* THREADID, NUL-terminated. */
void thread_id_format(uint64_t thread, char text[OBJECT_ID_MAXIMUM]);

/* The number that such an id says; it need not be one of a thread. ERROR_SYNTAX. */
int thread_id_parse(struct slice text, uint64_t *thread);

/* The thread of an entry's message. One record is read. */
int entry_thread(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t *thread);

/* The thread of a message that is in a mailbox that who may read. ERROR_NOT_FOUND. */
int message_thread(struct store_view *view, uint64_t message, uint64_t *thread);

struct thread_message {
    uint64_t message;
    int64_t received; /* seconds since 1970: the internal date it was first stored with */
};

/* The thread's messages that are in mailboxes that who may read, the oldest first, those of one
 * second by number, in the arena. ERROR_NOT_FOUND when there is none; ERROR_LIMIT from the arena.
 * One record is read for each message. */
int thread_messages(struct store_view *view, uint64_t thread, struct arena *arena,
                    struct thread_message **list, size_t *count);

#endif
