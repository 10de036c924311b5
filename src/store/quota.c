#include "store/quota.h"
#include "base/error.h"
#include "store/acl_priv.h"

static const char *const names[QUOTA_RESOURCES] = {
    [QUOTA_STORAGE] = "STORAGE",
    [QUOTA_MESSAGE] = "MESSAGE",
    [QUOTA_MAILBOX] = "MAILBOX",
    [QUOTA_ANNOTATION_STORAGE] = "ANNOTATION-STORAGE",
};

const char *quota_resource_name(enum quota_resource resource)
{
    return names[resource];
}

int quota_resource_parse(struct slice name, enum quota_resource *resource)
{
    for (unsigned i = 0; i < QUOTA_RESOURCES; i++) {
        if (slice_equal_nocase(name, slice_from_string(names[i]))) {
            *resource = (enum quota_resource)i;
            return 0;
        }
    }
    return ERROR_NOT_FOUND;
}

/* --- what counts --- */

static void usage_of(const struct account_record *account, uint64_t usage[QUOTA_RESOURCES])
{
    usage[QUOTA_STORAGE] = account->entry_bytes;
    usage[QUOTA_MESSAGE] = account->entries;
    usage[QUOTA_MAILBOX] = account->collections;
    usage[QUOTA_ANNOTATION_STORAGE] = account->annotation_bytes;
}

int quota_require(const struct change *change, enum quota_resource resource, uint64_t more)
{
    uint64_t usage[QUOTA_RESOURCES], limit = change->account.limits[resource];
    if (!limit || !more)
        return 0;
    usage_of(&change->account, usage);
    return usage[resource] > limit || more > limit - usage[resource] ? ERROR_QUOTA : 0;
}

int quota_require_messages(const struct change *change, uint64_t messages, uint64_t bytes)
{
    int error = quota_require(change, QUOTA_MESSAGE, messages);
    return error ? error : quota_require(change, QUOTA_STORAGE, bytes);
}

/* --- asking and setting --- */

static int read_quota(struct kv_transaction *transaction, struct quota *quota)
{
    struct key key;
    struct buffer value;
    struct account_record account;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_account(&key), &value);
    if (!error)
        error = account_record_read(buffer_slice(&value), &account);
    buffer_release(&value);
    if (error)
        return error;
    usage_of(&account, quota->usage);
    memcpy(quota->limits, account.limits, sizeof(quota->limits));
    return 0;
}

/* Who sets the limits may read them (RFC 9208 section 4.1.2 wants l and r of others). */
static int require_read(const struct store_view *view, struct kv_transaction *transaction,
                        collection_id collection)
{
    uint32_t rights = who_is_administrator(view->who) ? RIGHT_LOOKUP : RIGHT_READ;
    return view_require(view, transaction, collection, rights);
}

int quota_get(struct store_view *view, collection_id collection, struct quota *quota)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = require_read(view, transaction, collection);
    if (!error)
        error = read_quota(transaction, quota);
    view_read_end(view, &transaction);
    return error;
}

static bool fits(const struct quota *quota, enum quota_resource resource, uint64_t more)
{
    uint64_t limit = quota->limits[resource], usage = quota->usage[resource];
    return !limit || (usage < limit && more <= limit - usage);
}

bool quota_has_room(const struct quota *quota, uint64_t bytes)
{
    return fits(quota, QUOTA_MESSAGE, 1) && fits(quota, QUOTA_STORAGE, bytes);
}

struct set_call {
    uint32_t resources;
    const uint64_t *limits;
};

static int set_limits(struct change *change, void *arg)
{
    const struct set_call *call = arg;
    for (unsigned i = 0; i < QUOTA_RESOURCES; i++)
        if (call->resources & 1U << i)
            change->account.limits[i] = call->limits[i];
    change->changed = true; /* the account's record is written */
    return 0;
}

int quota_set(struct store_view *view, uint32_t resources, const uint64_t limits[QUOTA_RESOURCES])
{
    struct set_call call = {resources, limits};
    if (view->who.kind != WHO_KIND_SYSTEM && !who_is_administrator(view->who))
        return ERROR_DENIED;
    if (resources >> QUOTA_RESOURCES)
        return ERROR_INVALID;
    return view_change(view, KV_DURABLE, set_limits, &call);
}
