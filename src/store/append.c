#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "store/acl_priv.h"
#include "store/annotation_priv.h"
#include "store/append_priv.h"
#include "store/prepared_priv.h"
#include "store/seen_priv.h"
#include "store/thread_priv.h"

/* A mailbox may be there to be posted to, and be seen by nobody. */
static int require_append(const struct change *change, struct append_call *call)
{
    uint32_t rights;
    int error = rights_of(change->view, change->transaction, call->mailbox, &rights);
    if (!error && !(rights & (RIGHT_INSERT | RIGHT_POST)))
        error = rights & RIGHT_LOOKUP ? ERROR_DENIED : ERROR_NOT_FOUND;
    if (!error)
        call->allowed = flags_allowed(rights);
    call->own_seen = !view_is_owner(change->view);
    return error ? error
                 : annotations_require(change, call->mailbox, call->append->annotations,
                                       call->append->annotation_count);
}

/* Flags and keywords that the view's who may set. */
static int set_flags(struct mailbox *mailbox, const struct append *append, uint32_t allowed,
                     struct entry *entry)
{
    entry->flags = append->flags & allowed;
    if (!(allowed & ENTRY_FLAGGED))
        return 0;
    for (size_t i = 0; i < append->keyword_count; i++) {
        unsigned index;
        int error = mailbox_keyword(mailbox, append->keywords[i], true, &index);
        if (error)
            return error;
        entry->keywords.bits[index / 64] |= UINT64_C(1) << (index % 64);
    }
    return 0;
}

/* For another than the owner it is not the entry's. */
static int mark_seen(struct change *change, const struct append_call *call, uint32_t uid)
{
    struct account_id who;
    struct seen_map map;
    struct seen_edits edits;
    if (!(call->append->flags & call->allowed & ENTRY_SEEN) ||
        seen_whose(change->view, &who) != SEEN_OWN)
        return 0;
    seen_init(&map);
    seen_edits_init(&edits);
    int error = seen_load(change->transaction, call->mailbox, who, &map);
    seen_mark(&edits, uid, true);
    if (!error)
        error = seen_write(change, call->mailbox, who, &map, &edits);
    seen_release(&map);
    seen_edits_release(&edits);
    return error;
}

static int append_entry(struct change *change, struct mailbox *mailbox, struct append_call *call)
{
    bool annotated;
    struct entry entry = {
        .internal_date = call->append->internal_date,
        .save_date = call->now,
        .size = call->message->bytes.size,
    };
    int error = quota_require_messages(change, 1, entry.size);
    if (!error)
        error = set_flags(mailbox, call->append,
                          call->allowed & ~(call->own_seen ? (uint32_t)ENTRY_SEEN : 0), &entry);
    if (!error)
        error = message_add(change, call->message, call->thread, mailbox_next_position(mailbox),
                            &entry.message);
    if (!error)
        error = mailbox_add(change, mailbox, &entry);
    if (!error)
        error = annotations_add(change, mailbox, entry.uid, call->append->annotations,
                                call->append->annotation_count, &annotated);
    if (!error && call->own_seen)
        error = mark_seen(change, call, entry.uid);
    if (!error)
        error = mailbox_finish(change, mailbox);
    call->result = (struct append_result){
        .uid_validity = mailbox->record.uid_validity, .uid = entry.uid, .modseq = change->modseq};
    return error;
}

int append_message(struct change *change, void *arg)
{
    struct append_call *call = arg;
    struct mailbox mailbox;
    int error = require_append(change, call);
    if (!error)
        error = thread_join(change, call->message->ids, &call->thread);
    if (!error)
        error = mailbox_open(change->transaction, call->mailbox, &mailbox);
    if (error)
        return error;
    error = append_entry(change, &mailbox, call);
    mailbox_release(&mailbox);
    return error;
}

/* A large message lies in its blob, flushed, before the record that refers to it. */
static int store_message(struct store_view *view, struct append_call *call,
                         struct stored_message *message)
{
    struct blob_engine *blobs = view->store->blob;
    int error = 0;
    call->message = message;
    gate_enter(); /* for the blob and for what refers to it */
    if (message->bytes.size > MESSAGE_INLINE_MAXIMUM)
        error = blob_put(blobs, view->account->space, message->bytes, &message->blob);
    if (!error) {
        error = view_change(view, KV_DURABLE, append_message, call);
        if (message->blob.pack && change_has_failed(error))
            blob_drop(blobs, view->account->space, message->blob);
    }
    gate_leave();
    if (!error && !message->blob.pack)
        account_mark_due(view->account, ACCOUNT_UNSETTLED);
    if (!error) {
        counters_add(COUNTER_STORE_MESSAGES, 1);
        counters_add(COUNTER_STORE_BYTES, (int64_t)message->bytes.size);
    }
    return error;
}

int mailbox_append(struct store_view *view, collection_id mailbox, const struct append *append,
                   struct append_result *result)
{
    struct append_call call = {.mailbox = mailbox, .append = append, .now = clock_wall()};
    struct stored_message message;
    struct buffer bytes, summary;
    buffer_init(&bytes, SIZE_MAX - 1);
    buffer_init(&summary, SUMMARY_SIZE_MAXIMUM);
    int error = stored_message_make(append->message, append->prefix, &message, &bytes, &summary);
    message.received = append->internal_date;
    if (!error)
        error = store_message(view, &call, &message);
    if (!error)
        *result = call.result;
    buffer_release(&bytes);
    buffer_release(&summary);
    return error;
}
