#include "base/error.h"
#include "store/collection_priv.h"

int subscriptions_load(struct kv_transaction *transaction, struct account_id who,
                       struct range_set *ids)
{
    struct key key;
    struct buffer value;
    range_set_clear(ids);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_of_account(&key, KEY_SUBSCRIPTIONS, who), &value);
    if (!error)
        error = subscriptions_read(buffer_slice(&value), ids);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int subscriptions_set(struct change *change, struct account_id who, collection_id id,
                      bool subscribed)
{
    struct key key;
    struct range_set ids;
    range_set_init(&ids, COLLECTIONS_MAXIMUM);
    int error = subscriptions_load(change->transaction, who, &ids);
    if (!error && range_set_contains(&ids, id) != subscribed) {
        error = subscribed ? range_set_add(&ids, id, id) : range_set_remove(&ids, id, id);
        subscriptions_write(&ids, &change->value);
        if (!error)
            error =
                change_put(change, key_of_account(&key, KEY_SUBSCRIPTIONS, who), &change->value);
    }
    range_set_release(&ids);
    return error;
}

struct subscribe_call {
    collection_id id;
    bool subscribed;
};

static int subscribe(struct change *change, void *arg)
{
    const struct subscribe_call *call = arg;
    struct buffer value;
    struct collection_record record;
    int error = view_require(change->view, change->transaction, call->id, RIGHT_LOOKUP);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = collection_read(change->transaction, call->id, &value, &record);
    if (!error)
        error =
            subscriptions_set(change, view_subscriber(change->view), call->id, call->subscribed);
    buffer_release(&value);
    return error;
}

int collection_subscribe(struct store_view *view, collection_id id, bool subscribed)
{
    struct subscribe_call call = {id, subscribed};
    return view_change(view, KV_RELAXED, subscribe, &call);
}
