/*
 * undelete.list|messages|mailbox, purge
 */
#include "store/retained.h"
#include "admin/admin_priv.h"
#include "base/clock.h"
#include "base/error.h"

enum {
    UID_RANGES = 100000, /* in --uids */
    RESTORED_RANGES = 4 * 1024 * 1024,
    SUBJECT_SHOWN = 200, /* bytes */
    SNAPSHOT_MESSAGES = 200,
    DAY_SECONDS = 24 * 60 * 60,
};

static int find_mailbox(struct admin_work *work, struct slice path, collection_id *id)
{
    struct collection found;
    int error = admin_find_mailbox(work, path, &found);
    if (!error)
        *id = found.id;
    return error;
}

/* --- which entries --- */

/* "5" or "1:5" */
static bool read_range(struct slice text, uint64_t *from, uint64_t *to)
{
    struct slice first = slice_sub(text, 0, slice_find(text, ':'));
    if (!admin_read_number(first, from) || !*from || *from >= UINT32_MAX)
        return false;
    *to = *from;
    return first.size == text.size ||
           (admin_read_number(slice_sub(text, first.size + 1, SIZE_MAX), to) && *to >= *from &&
            *to < UINT32_MAX);
}

/* "1:5,7" */
static int read_uids(struct admin_call *call, struct slice text, struct range_set *uids)
{
    int error = text.size ? 0 : ERROR_INVALID;
    while (text.size && !error) {
        uint64_t from, to;
        struct slice item = slice_sub(text, 0, slice_find(text, ','));
        error = read_range(item, &from, &to) ? range_set_add(uids, (uint32_t)from, (uint32_t)to)
                                             : ERROR_INVALID;
        text = slice_sub(text, item.size + 1, SIZE_MAX);
    }
    return error ? admin_fail(call, error, "UIDs are numbers and ranges such as 1:5,7") : 0;
}

/* --uids and --days; uids: inited by the caller. */
static int read_filter(struct admin_call *call, struct range_set *uids,
                       struct retained_filter *filter)
{
    struct slice text;
    uint64_t days;
    *filter = (struct retained_filter){0};
    if (admin_has_argument(call, "days")) {
        if (admin_argument(call, "days", &text) || !admin_read_number(text, &days) || days > 36500)
            return admin_fail(call, ERROR_INVALID, "days are a number");
        filter->from = clock_wall() - (int64_t)days * DAY_SECONDS;
    }
    if (!admin_has_argument(call, "uids"))
        return 0;
    filter->uids = uids;
    int error = admin_argument(call, "uids", &text);
    return error ? error : read_uids(call, text, uids);
}

/* --- looking --- */

static int answer_mailbox(struct admin_call *call, const struct retained_collection *collection)
{
    const struct admin_field fields[] = {
        admin_number("id", collection->id),
        admin_text("path", collection->path),
        admin_time("deleted", collection->deleted),
        admin_number("messages", collection->messages),
        admin_number("size", (int64_t)collection->size),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0]));
}

static int list_mailboxes(struct admin_work *work)
{
    struct retained_collection *list;
    size_t count = 0;
    int error = retained_collections(work->view, &work->arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        if (list[i].type == COLLECTION_MAILBOX && answer_mailbox(work->call, &list[i]))
            error = ERROR_CLOSED;
    return error;
}

/* Not cut within a character. */
static struct slice cut(struct slice text)
{
    size_t size = text.size < SUBJECT_SHOWN ? text.size : SUBJECT_SHOWN;
    while (size && size < text.size && ((uint8_t)text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_sub(text, 0, size);
}

/* One that was purged since it was listed is passed over. */
static int answer_message(struct admin_call *call, struct mailbox_snapshot *snapshot,
                          const struct retained_entry *retained)
{
    struct buffer encoded;
    struct summary summary;
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    int error = mailbox_summary(snapshot, &retained->entry, &encoded, &summary);
    if (!error) {
        const struct admin_field fields[] = {
            admin_number("uid", retained->entry.uid),
            admin_time("expunged", retained->expunged),
            admin_time("received", retained->entry.internal_date),
            admin_number("size", (int64_t)retained->entry.size),
            admin_text("subject", cut(summary.headers[SUMMARY_SUBJECT])),
        };
        if (call->row(call, fields, sizeof(fields) / sizeof(fields[0])))
            error = ERROR_CLOSED;
    }
    buffer_release(&encoded);
    return error == ERROR_CORRUPT ? 0 : error;
}

/* In snapshots of some hundred: the listing may be long. */
static int answer_messages(struct admin_work *work, collection_id mailbox,
                           const struct retained_entry *list, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && !error;) {
        struct mailbox_snapshot *snapshot;
        size_t last = i + SNAPSHOT_MESSAGES;
        error = mailbox_snapshot_open(work->view, mailbox, &snapshot);
        if (error)
            break;
        for (; i < count && i < last && !error; i++)
            error = answer_message(work->call, snapshot, &list[i]);
        mailbox_snapshot_close(&snapshot);
    }
    return error;
}

static int list_messages(struct admin_work *work, struct slice path,
                         const struct retained_filter *filter)
{
    collection_id mailbox;
    struct retained_entry *list;
    size_t count = 0;
    int error = find_mailbox(work, path, &mailbox);
    if (!error)
        error = retained_entries(work->view, mailbox, filter, &work->arena, &list, &count);
    return error ? error : answer_messages(work, mailbox, list, count);
}

static int list(struct admin_call *call)
{
    struct admin_work work;
    struct retained_filter filter;
    struct range_set uids;
    struct slice path;
    range_set_init(&uids, UID_RANGES);
    int error = read_filter(call, &uids, &filter);
    if (!error) {
        error = admin_work_begin(call, &work);
        if (!error && admin_has_argument(call, "mailbox"))
            error = admin_argument(call, "mailbox", &path);
        if (!error)
            error = admin_has_argument(call, "mailbox") ? list_messages(&work, path, &filter)
                                                        : list_mailboxes(&work);
        admin_work_end(&work);
    }
    range_set_release(&uids);
    return error;
}

/* --- bringing back --- */

static int restore_messages(struct admin_work *work, const struct retained_filter *filter)
{
    struct admin_call *call = work->call;
    struct slice path, target;
    collection_id from, to = 0;
    struct copy_result result;
    int error = admin_argument(call, "mailbox", &path);
    if (!error)
        error = find_mailbox(work, path, &from);
    if (!error && admin_has_argument(call, "to")) {
        error = admin_argument(call, "to", &target);
        if (!error)
            error = find_mailbox(work, target, &to);
    }
    if (error)
        return error;
    range_set_init(&result.from, RESTORED_RANGES);
    range_set_init(&result.to, RESTORED_RANGES);
    error = retained_restore(work->view, from, filter, to, &result);
    if (error == ERROR_NOT_FOUND)
        error = admin_fail(call, error, "no such message of %.*s is kept", SLICE_FORMAT(path));
    if (!error) {
        const struct admin_field fields[] = {
            admin_text("mailbox", to ? target : path),
            admin_number("messages", range_set_size(&result.to)),
        };
        error = call->row(call, fields, 2) ? ERROR_CLOSED : 0;
    }
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int messages(struct admin_call *call)
{
    struct admin_work work;
    struct retained_filter filter;
    struct range_set uids;
    range_set_init(&uids, UID_RANGES);
    int error = read_filter(call, &uids, &filter);
    if (!error) {
        error = admin_work_begin(call, &work);
        if (!error)
            error = restore_messages(&work, &filter);
        admin_work_end(&work);
    }
    range_set_release(&uids);
    return error;
}

static int restore_mailbox(struct admin_work *work)
{
    struct admin_call *call = work->call;
    struct slice text, path = {NULL, 0};
    uint64_t id = 0;
    int error = admin_argument(call, "id", &text);
    if (!error && (!admin_read_number(text, &id) || !id || id > UINT32_MAX))
        error =
            admin_fail(call, ERROR_INVALID, "the mailbox is said by its id, from undelete list");
    if (!error && admin_has_argument(call, "to"))
        error = admin_argument(call, "to", &path);
    if (!error)
        error =
            retained_restore_collection(work->view, (collection_id)id, path, &work->arena, &path);
    if (error)
        return error;
    const struct admin_field fields[] = {admin_text("mailbox", path),
                                         admin_number("id", (int64_t)id)};
    return call->row(call, fields, 2) ? ERROR_CLOSED : 0;
}

static int mailbox(struct admin_call *call)
{
    struct admin_work work;
    int error = admin_work_begin(call, &work);
    if (!error)
        error = restore_mailbox(&work);
    admin_work_end(&work);
    return error;
}

const struct admin_operation undelete_operations[] = {
    {"undelete.list", false, list},
    {"undelete.messages", true, messages},
    {"undelete.mailbox", true, mailbox},
    {NULL, false, NULL},
};

/* --- removing for good --- */

static int purge_account(struct admin_call *call, struct account_id id, struct slice address)
{
    struct purge_result result = {0};
    int error = store_purge(call->store, WHO_SYSTEM, id, clock_wall(), &result);
    if (error)
        return admin_fail(call, error, "account %.*s", SLICE_FORMAT(address));
    const struct admin_field fields[] = {
        admin_text("account", address),
        admin_number("messages", (int64_t)result.entries),
        admin_number("bytes", (int64_t)result.bytes),
        admin_number("mailboxes", (int64_t)result.collections),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

static int purge_all(struct admin_call *call)
{
    struct arena arena;
    struct account_info *accounts;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = store_account_list(call->store, WHO_SYSTEM, &arena, &accounts, &count);
    for (size_t i = 0; i < count && !error; i++) {
        error = purge_account(call, accounts[i].id, accounts[i].address);
        if (!error && call->progress(call, i + 1, count))
            error = ERROR_CLOSED;
    }
    arena_release(&arena);
    return error;
}

static int purge(struct admin_call *call)
{
    if (!admin_has_argument(call, "account"))
        return purge_all(call);
    int error = 0;
    for (size_t i = 0; i < call->argument_count && !error; i++) {
        struct account_id id;
        if (!slice_equal(call->arguments[i].name, SLICE("account")))
            continue;
        error = admin_find_account(call, call->arguments[i].value, &id);
        if (!error)
            error = purge_account(call, id, call->arguments[i].value);
    }
    return error;
}

const struct admin_operation purge_operations[] = {
    {"purge", true, purge},
    {NULL, false, NULL},
};
