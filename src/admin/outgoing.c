/*
 * outgoing.list|retry|delete: mail on its way out
 */
#include "store/outgoing.h"
#include "admin/admin_priv.h"
#include "base/error.h"

enum {
    LIST_MEMORY = 64 * 1024 * 1024, /* OUTGOING_MAXIMUM messages with all that they may have */
    LISTED_ACCOUNTS = 1000,         /* of a list of all */
};

/* --- list --- */

/* What becomes of a recipient of the message. */
static const char *state_of(const struct outgoing_message *message,
                            const struct outgoing_recipient *recipient)
{
    if (recipient->state != OUTGOING_WAITING)
        return recipient->state == OUTGOING_SENT ? "sent" : "refused";
    return message->claimed ? "under way" : "waiting";
}

static int answer_message(struct admin_call *call, struct slice address,
                          const struct outgoing_message *message)
{
    const struct outgoing_envelope *envelope = &message->envelope;
    int error = 0;
    for (size_t i = 0; i < envelope->recipient_count && !error; i++) {
        const struct outgoing_recipient *recipient = &envelope->recipients[i];
        const struct admin_field fields[] = {
            admin_text("address", address),
            admin_number("message", (int64_t)message->number),
            admin_text("kind", slice_from_string(outgoing_kind_name(envelope->kind))),
            admin_text("sender", envelope->sender),
            admin_text("recipient", recipient->address),
            admin_text("state", slice_from_string(state_of(message, recipient))),
            admin_number("size", (int64_t)message->size),
            admin_time("created", message->created),
            admin_time("next", message->next),
            admin_number("attempts", message->attempts),
            admin_text("reply", recipient->reply),
        };
        error = call->row(call, fields, sizeof(fields) / sizeof(fields[0]));
    }
    return error;
}

static int list_view(struct admin_call *call, struct store_view *view, struct slice address)
{
    struct arena arena;
    struct outgoing_message *list;
    size_t count = 0;
    arena_init(&arena, LIST_MEMORY);
    int error = outgoing_list(view, &arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer_message(call, address, &list[i]);
    arena_release(&arena);
    return error;
}

/* One that has gone meanwhile has nothing. */
static int list_account(struct admin_call *call, struct account_id id)
{
    struct arena arena;
    struct account_info info;
    struct store_view *view;
    arena_init(&arena, 4096);
    int error = store_account_get(call->store, WHO_SYSTEM, id, &arena, &info);
    if (!error)
        error = store_view_open(call->store, WHO_SYSTEM, id, &view);
    if (!error) {
        error = list_view(call, view, info.address);
        store_view_close(&view);
    }
    arena_release(&arena);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int list_all(struct admin_call *call)
{
    struct arena arena;
    size_t count = 0;
    arena_init(&arena, 2 * LISTED_ACCOUNTS * sizeof(struct due_note));
    struct due_note *notes = arena_alloc_array(&arena, LISTED_ACCOUNTS, sizeof(*notes));
    int64_t next;
    int error = !notes ? ERROR_MEMORY
                       : due_notes(call->store, WHO_SYSTEM, DUE_OUTGOING, INT64_MAX, notes,
                                   LISTED_ACCOUNTS, &count, &next);
    for (size_t i = 0; i < count && !error; i++)
        error = list_account(call, notes[i].account);
    arena_release(&arena);
    return error;
}

static int list_address(struct admin_call *call, struct slice address)
{
    struct store_view *view;
    struct account_id id;
    int error = admin_find_account(call, address, &id);
    if (!error)
        error = store_view_open(call->store, WHO_SYSTEM, id, &view);
    if (error)
        return error;
    error = list_view(call, view, address);
    store_view_close(&view);
    return error;
}

static int list(struct admin_call *call)
{
    struct slice addresses[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count = admin_values(call, "address", addresses);
    int error = count ? 0 : list_all(call);
    for (size_t i = 0; i < count && !error; i++)
        error = list_address(call, addresses[i]);
    return error;
}

/* --- retry, delete --- */

static int change_one(struct admin_call *call,
                      int (*change)(struct store_view *view, uint64_t number))
{
    struct store_view *view;
    struct slice text;
    uint64_t number;
    int error = admin_argument(call, "message", &text);
    if (!error && !admin_read_number(text, &number))
        error = admin_fail(call, ERROR_INVALID, "a message is a number that outgoing list shows");
    if (!error)
        error = admin_open_view(call, &view);
    if (error)
        return error;
    error = change(view, number);
    store_view_close(&view);
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, "no such message is on its way out");
    if (error == ERROR_BUSY)
        return admin_fail(call, error, "it is being sent just now");
    return error;
}

static int retry(struct admin_call *call)
{
    return change_one(call, outgoing_retry);
}

static int delete_one(struct admin_call *call)
{
    return change_one(call, outgoing_remove);
}

const struct admin_operation outgoing_operations[] = {
    {"outgoing.list", false, list},
    {"outgoing.retry", true, retry},
    {"outgoing.delete", true, delete_one},
    {NULL, false, NULL},
};
