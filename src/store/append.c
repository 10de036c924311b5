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

#include <stdlib.h>

/* Bytes of bodies in one transaction: a cluster takes it as one message. */
enum { APPEND_INLINE_MAXIMUM = 4 * 1024 * 1024 };

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
        .internationalized = call->message->internationalized,
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

/* --- one message or many, and what they stand for --- */

struct append_run {
    struct append_call *calls; /* all into one mailbox */
    struct stored_message *messages;
    struct buffer *bytes, *summaries; /* of those with a prefix */
    size_t count;
    collection_id replaced_in; /* 0: they replace nothing */
    uint32_t replaced;
};

/* RFC 8508 section 4.1: the rights of STORE, UID EXPUNGE and APPEND together; and to read, as with
 * what is moved away. */
static int remove_replaced(struct change *change, const struct append_run *run)
{
    struct mailbox mailbox;
    struct range_set uid, removed;
    int error = view_require(change->view, change->transaction, run->replaced_in,
                             RIGHT_READ | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE);
    if (!error)
        error = mailbox_open(change->transaction, run->replaced_in, &mailbox);
    if (error)
        return error;
    range_set_init(&uid, 1);
    range_set_init(&removed, 1);
    error = range_set_add(&uid, run->replaced, run->replaced);
    struct removal removal = {.uids = &uid, .retain = true};
    if (!error)
        error = mailbox_remove(change, &mailbox, &removal, &removed);
    if (!error && !removed.count)
        error = ERROR_CONFLICT;
    if (!error)
        error = mailbox_finish(change, &mailbox);
    range_set_release(&uid);
    range_set_release(&removed);
    mailbox_release(&mailbox);
    return error;
}

/* What is replaced goes first, so that the quota is asked for the difference alone (RFC 8508
 * section 3.4). */
static int append_all(struct change *change, void *arg)
{
    struct append_run *run = arg;
    int error = run->replaced_in ? require_append(change, &run->calls[0]) : 0;
    if (!error && run->replaced_in)
        error = remove_replaced(change, run);
    for (size_t i = 0; i < run->count && !error; i++)
        error = append_message(change, &run->calls[i]);
    return error;
}

/* Large messages, and those that would make the transaction too large, lie in blobs, flushed,
 * before the records that refer to them. */
static int put_blobs(struct store_view *view, struct append_run *run)
{
    struct blob_batch *batch = NULL;
    uint64_t inside = 0;
    int error = 0;
    for (size_t i = 0; i < run->count && !error; i++) {
        struct stored_message *message = &run->messages[i];
        if (message->bytes.size <= MESSAGE_INLINE_MAXIMUM &&
            inside + message->bytes.size <= APPEND_INLINE_MAXIMUM) {
            inside += message->bytes.size;
            continue;
        }
        if (!batch)
            error = blob_batch_begin(view->store->blob, view->account->space, &batch);
        if (!error)
            error = blob_batch_add(batch, message->bytes, &message->blob);
    }
    if (error)
        blob_batch_cancel(&batch);
    else if (batch)
        error = blob_batch_finish(&batch);
    return error;
}

static void drop_blobs(struct store_view *view, const struct append_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->messages[i].blob.pack)
            blob_drop(view->store->blob, view->account->space, run->messages[i].blob);
}

static void count_stored(struct store_view *view, const struct append_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (!run->messages[i].blob.pack)
            account_mark_due(view->account, ACCOUNT_UNSETTLED);
        counters_add(COUNTER_STORE_MESSAGES, 1);
        counters_add(COUNTER_STORE_BYTES, (int64_t)run->messages[i].bytes.size);
    }
}

static int store_messages(struct store_view *view, struct append_run *run)
{
    gate_enter(); /* for the blobs and for what refers to them */
    int error = put_blobs(view, run);
    if (!error) {
        error = view_change(view, KV_DURABLE, append_all, run);
        if (change_has_failed(error))
            drop_blobs(view, run);
    }
    gate_leave();
    if (!error)
        count_stored(view, run);
    return error;
}

static int prepare(struct append_run *run, size_t at)
{
    struct append_call *call = &run->calls[at];
    struct stored_message *message = &run->messages[at];
    int error = stored_message_make(call->append->message, call->append->prefix, message,
                                    &run->bytes[at], &run->summaries[at]);
    message->received = call->append->internal_date;
    call->message = message;
    return error;
}

static void release(struct append_run *run)
{
    for (size_t i = 0; i < run->count && run->bytes && run->summaries; i++) {
        buffer_release(&run->bytes[i]);
        buffer_release(&run->summaries[i]);
    }
    free(run->calls);
    free(run->messages);
    free(run->bytes);
    free(run->summaries);
}

static int init(struct append_run *run, collection_id mailbox, const struct append *appends)
{
    int64_t now = clock_wall();
    run->calls = calloc(run->count, sizeof(*run->calls));
    run->messages = calloc(run->count, sizeof(*run->messages));
    run->bytes = calloc(run->count, sizeof(*run->bytes));
    run->summaries = calloc(run->count, sizeof(*run->summaries));
    if (!run->calls || !run->messages || !run->bytes || !run->summaries)
        return ERROR_MEMORY;
    for (size_t i = 0; i < run->count; i++) {
        run->calls[i] = (struct append_call){.mailbox = mailbox, .append = &appends[i], .now = now};
        buffer_init(&run->bytes[i], SIZE_MAX - 1);
        buffer_init(&run->summaries[i], SUMMARY_SIZE_MAXIMUM);
    }
    return 0;
}

static int run_append(struct store_view *view, collection_id mailbox, const struct append *appends,
                      struct append_run *run, struct append_result *result)
{
    int error = init(run, mailbox, appends);
    for (size_t i = 0; i < run->count && !error; i++)
        error = prepare(run, i);
    if (!error)
        error = store_messages(view, run);
    if (!error)
        *result = run->calls[0].result;
    release(run);
    return error;
}

int mailbox_append_all(struct store_view *view, collection_id mailbox, const struct append *appends,
                       size_t count, struct append_result *result)
{
    if (count == 0 || count > APPENDS_MAXIMUM)
        return count ? ERROR_LIMIT : ERROR_INVALID;
    struct append_run run = {.count = count};
    return run_append(view, mailbox, appends, &run, result);
}

int mailbox_append(struct store_view *view, collection_id mailbox, const struct append *append,
                   struct append_result *result)
{
    return mailbox_append_all(view, mailbox, append, 1, result);
}

int mailbox_replace(struct store_view *view, collection_id mailbox, uint32_t uid,
                    collection_id target, const struct append *append, struct append_result *result)
{
    struct append_run run = {.count = 1, .replaced_in = mailbox, .replaced = uid};
    return run_append(view, target, append, &run, result);
}
