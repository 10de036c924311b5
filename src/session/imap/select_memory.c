/*
 * What SELECT and EXAMINE have told of a mailbox is told again while nothing is committed
 * (store_account_changes): many a program only looks whether there is something new, and each of a
 * person's programs does. Then the account is not even opened.
 *
 * A process remembers SLOTS answers at most: one in each slot, the youngest of those whose hash
 * says so. What is beyond the other limits is not remembered. Only of one's own mailboxes: whose
 * another one is has to be asked first.
 */
#include "session/imap/session_priv.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    SLOTS = 512,
    NAME_MAXIMUM = 256,  /* bytes */
    TEXT_MAXIMUM = 4096, /* bytes of an answer */
    RANGES_MAXIMUM = 512 /* of UIDs; with the other two, 5 MiB in all */
};

/* On which the answer depends, beside what is stored. */
struct asked {
    struct account_id account;
    uint32_t enabled;
    uint8_t language;
    bool administrator, examined;
    struct slice name; /* as the client has written it */
};

struct answer {
    struct asked asked;
    uint64_t changes;
    struct mailbox_view view; /* its uids are the ranges, and nobody's to change */
    struct slice text;
    char bytes[]; /* of the name, and of the text */
};

/* A process' own. */
static struct {
    pthread_mutex_t mutex;
    struct answer *slots[SLOTS];
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct asked asked_now(const struct imap_session *session)
{
    return (struct asked){.account = session->stream->account,
                          .enabled = session->enabled,
                          .language = session->language,
                          .administrator = session->stream->administrator,
                          .examined = session->command->id == IMAP_EXAMINE,
                          .name = session->command->select.mailbox};
}

static bool is_same(const struct asked *a, const struct asked *b)
{
    return account_id_equal(a->account, b->account) && a->enabled == b->enabled &&
           a->language == b->language && a->administrator == b->administrator &&
           a->examined == b->examined && slice_equal(a->name, b->name);
}

/* FNV-1a. An account has more than one slot, so that its sessions remember several mailboxes. */
static struct answer **slot_of(const struct asked *asked)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < sizeof(asked->account.bytes); i++)
        hash = (hash ^ asked->account.bytes[i]) * 0x01000193u;
    for (size_t i = 0; i < asked->name.size; i++)
        hash = (hash ^ (unsigned char)asked->name.data[i]) * 0x01000193u;
    hash = (hash ^ asked->enabled ^ (uint32_t)asked->examined << 31) * 0x01000193u;
    return &kept.slots[(hash ^ hash >> 16) % SLOTS];
}

static void answer_free(struct answer *answer)
{
    if (answer)
        range_set_release(&answer->view.uids);
    free(answer);
}

/* --- recalling --- */

static bool take(struct imap_session *session, const struct answer *answer)
{
    struct mailbox_view *view = &session->mailbox;
    if (range_set_copy(&view->uids, &answer->view.uids))
        return false;
    struct range_set uids = view->uids;
    *view = answer->view;
    view->uids = uids;
    buffer_append(session->out, answer->text);
    return true;
}

bool select_recall(struct imap_session *session, uint64_t changes)
{
    struct asked asked = asked_now(session);
    view_unselect(session);
    pthread_mutex_lock(&kept.mutex);
    const struct answer *answer = *slot_of(&asked);
    bool taken = answer && answer->changes == changes && is_same(&answer->asked, &asked) &&
                 take(session, answer);
    pthread_mutex_unlock(&kept.mutex);
    if (taken)
        notify_watch(session);
    return taken;
}

/* --- remembering --- */

static struct answer *make(struct imap_session *session, uint64_t changes, struct slice text)
{
    struct asked asked = asked_now(session);
    struct answer *made = malloc(sizeof(*made) + asked.name.size + text.size);
    if (!made)
        return NULL;
    *made = (struct answer){.asked = asked, .changes = changes, .view = session->mailbox};
    memcpy(made->bytes, asked.name.data, asked.name.size);
    made->asked.name.data = made->bytes;
    memcpy(made->bytes + asked.name.size, text.data, text.size);
    made->text = slice_make(made->bytes + asked.name.size, text.size);
    range_set_init(&made->view.uids, RANGES_MAXIMUM);
    if (range_set_copy(&made->view.uids, &session->mailbox.uids)) {
        free(made);
        return NULL;
    }
    return made;
}

void select_remember(struct imap_session *session, uint64_t changes, size_t from)
{
    struct slice text = slice_sub(buffer_slice(session->out), from, SIZE_MAX);
    size_t name = session->command->select.mailbox.size;
    session->mailbox.told_changes = (uint32_t)changes;
    if (buffer_error(session->out) || !name || name > NAME_MAXIMUM || text.size > TEXT_MAXIMUM ||
        session->mailbox.uids.count > RANGES_MAXIMUM)
        return;
    struct answer *made = make(session, changes, text);
    if (!made)
        return;
    pthread_mutex_lock(&kept.mutex);
    struct answer **slot = slot_of(&made->asked), *old = *slot;
    *slot = made;
    pthread_mutex_unlock(&kept.mutex);
    answer_free(old);
}
