#include "base/error.h"
#include "store/mailbox_priv.h"

struct expunge_call {
    collection_id id;
    struct removal removal;
    struct range_set *expunged;
    uint64_t modseq;
};

static int expunge(struct change *change, void *arg)
{
    struct expunge_call *call = arg;
    struct mailbox mailbox;
    range_set_clear(call->expunged);
    int error = view_require(change->view, change->transaction, call->id, RIGHT_EXPUNGE);
    if (!error)
        error = mailbox_open(change->transaction, call->id, &mailbox);
    if (error)
        return error;
    if (mailbox.record.deleted)
        error = mailbox_remove(change, &mailbox, &call->removal, call->expunged);
    if (!error && call->expunged->count)
        error = mailbox_finish(change, &mailbox);
    call->modseq = mailbox.record.highest_modseq;
    mailbox_release(&mailbox);
    return error;
}

int mailbox_expunge(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                    struct range_set *expunged, uint64_t *modseq)
{
    struct expunge_call call = {.id = mailbox,
                                .removal = {uids, .only_deleted = true, .retain = true},
                                .expunged = expunged};
    int error = view_change(view, KV_DURABLE, expunge, &call);
    if (!error)
        *modseq = call.modseq;
    return error;
}
