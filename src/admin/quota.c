/*
 * quota.get|set
 */
#include "store/quota.h"
#include "admin/admin_priv.h"
#include "base/error.h"

static int answer_resource(struct admin_call *call, const struct quota *quota,
                           enum quota_resource resource)
{
    const struct admin_field fields[] = {
        admin_text("resource", slice_from_string(quota_resource_name(resource))),
        admin_number("usage", (int64_t)quota->usage[resource]),
        admin_number("limit", (int64_t)quota->limits[resource]),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0]));
}

static int get(struct admin_call *call)
{
    struct store_view *view;
    struct quota quota;
    int error = admin_open_view(call, &view);
    if (error)
        return error;
    error = quota_get(view, 0, &quota);
    for (unsigned i = 0; i < QUOTA_RESOURCES && !error; i++)
        error = answer_resource(call, &quota, (enum quota_resource)i);
    store_view_close(&view);
    return error;
}

static int read_resource(struct admin_call *call, enum quota_resource *resource)
{
    struct slice name;
    int error = admin_argument(call, "resource", &name);
    if (!error && quota_resource_parse(name, resource))
        error = admin_fail(call, ERROR_INVALID,
                           "a resource is STORAGE, MESSAGE, MAILBOX or ANNOTATION-STORAGE");
    return error;
}

static int set(struct admin_call *call)
{
    struct store_view *view;
    struct slice limit;
    enum quota_resource resource;
    uint64_t limits[QUOTA_RESOURCES] = {0};
    int error = read_resource(call, &resource);
    if (!error)
        error = admin_argument(call, "limit", &limit);
    if (!error && !admin_read_size(limit, &limits[resource]))
        error = admin_fail(call, ERROR_INVALID, "a limit is a number, with K, M, G or T; 0: none");
    if (!error)
        error = admin_open_view(call, &view);
    if (error)
        return error;
    struct quota quota;
    error = quota_set(view, 1U << resource, limits);
    if (!error)
        error = quota_get(view, 0, &quota);
    if (!error)
        error = answer_resource(call, &quota, resource);
    store_view_close(&view);
    return error;
}

const struct admin_operation quota_operations[] = {
    {"quota.get", false, get},
    {"quota.set", true, set},
    {NULL, false, NULL},
};
