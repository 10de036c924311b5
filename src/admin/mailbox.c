/*
 * mailbox.list|create|delete|rename|move
 */
#include "admin/admin_priv.h"
#include "base/error.h"
#include "store/transfer.h"

static int answer(struct admin_call *call, const struct collection *mailbox)
{
    const char *use = collection_role_name(mailbox->role);
    const struct admin_field fields[] = {
        admin_text("path", mailbox->path),
        admin_text("use", slice_from_string(use ? use : "")),
        admin_number("messages", mailbox->messages),
        admin_number("unseen", mailbox->unseen),
        admin_number("size", (int64_t)mailbox->size),
        admin_bool("subscribed", mailbox->subscribed),
        admin_text("id", slice_from_string(mailbox->object_id)),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

static int answer_path(struct admin_work *work, struct slice path)
{
    struct collection found;
    int error = admin_find_mailbox(work, path, &found);
    return error ? error : answer(work->call, &found);
}

static int list(struct admin_call *call)
{
    struct admin_work work;
    struct collection *mailboxes;
    size_t count = 0;
    int error = admin_work_begin(call, &work);
    if (!error)
        error = collection_list(work.view, COLLECTION_MAILBOX, &work.arena, &mailboxes, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer(call, &mailboxes[i]);
    admin_work_end(&work);
    return error;
}

static int explain(struct admin_call *call, int error, struct slice path)
{
    switch (error) {
    case ERROR_EXISTS:
        return admin_fail(call, error, "mailbox %.*s", SLICE_FORMAT(path));
    case ERROR_SYNTAX:
        return admin_fail(call, error,
                          "a path is levels in UTF-8 with / between them, without control "
                          "characters; at most %d levels of %d bytes, %d in all",
                          COLLECTION_DEPTH_MAXIMUM, COLLECTION_NAME_MAXIMUM,
                          COLLECTION_PATH_MAXIMUM);
    case ERROR_CONFLICT:
        return admin_fail(call, ERROR_EXISTS, "another mailbox has this use");
    default:
        return error;
    }
}

static int read_use(struct admin_call *call, enum collection_role *role)
{
    struct slice use;
    *role = ROLE_NONE;
    if (!admin_has_argument(call, "use"))
        return 0;
    int error = admin_argument(call, "use", &use);
    if (error)
        return error;
    char name[32];
    snprintf(name, sizeof(name), "\\%.*s", SLICE_FORMAT(use));
    if (collection_role_parse(use, role) && collection_role_parse(slice_from_string(name), role))
        return admin_fail(call, ERROR_INVALID, "no such use: %.*s", SLICE_FORMAT(use));
    return 0;
}

static int create(struct admin_call *call)
{
    struct admin_work work;
    struct slice path = SLICE("");
    enum collection_role role = ROLE_NONE;
    collection_id id = 0;
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = read_use(call, &role);
    if (!error) {
        error = collection_create(work.view, COLLECTION_MAILBOX, path, role, &id);
        error = explain(call, error, path);
    }
    if (!error)
        error = collection_subscribe(work.view, id, true);
    if (!error)
        error = answer_path(&work, path);
    admin_work_end(&work);
    return error;
}

static int delete (struct admin_call *call)
{
    struct admin_work work;
    struct slice path = SLICE("");
    struct collection found = {0};
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = admin_find_mailbox(&work, path, &found);
    if (!error)
        error = collection_delete(work.view, found.id);
    if (error == ERROR_INVALID)
        admin_fail(call, error, "INBOX stays, and so does a mailbox with others below it");
    if (!error)
        error = answer(call, &found);
    admin_work_end(&work);
    return error;
}

static int rename_to(struct admin_call *call)
{
    struct admin_work work;
    struct slice path = SLICE(""), to = SLICE("");
    struct collection found = {0};
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = admin_argument(call, "to", &to);
    if (!error)
        error = admin_find_mailbox(&work, path, &found);
    if (!error) {
        error = explain(call, collection_rename(work.view, found.id, to), to);
        if (error == ERROR_INVALID)
            admin_fail(call, error, "a mailbox cannot be below itself");
    }
    if (!error)
        error = answer_path(&work, to);
    admin_work_end(&work);
    return error;
}

/* --- to another account --- */

/* A move under way: slices of so many messages. */
enum { MOVED_AT_ONCE = 500, MOVED_RANGES = 4 * 1024 * 1024 };

struct moving {
    struct admin_work *work;
    struct store_view *target_view;
    collection_id mailbox, target;
    struct range_set uids;
    struct copy_result result;
    uint64_t total, done;
};

static int find_target(struct moving *moving, struct slice path)
{
    struct collection found;
    collection_id id;
    struct arena *arena = &moving->work->arena;
    int error = collection_find(moving->target_view, COLLECTION_MAILBOX, path, arena, &found);
    if (!error)
        moving->target = found.id;
    if (error != ERROR_NOT_FOUND)
        return error;
    error = collection_create(moving->target_view, COLLECTION_MAILBOX, path, ROLE_NONE, &id);
    if (!error)
        moving->target = id;
    return explain(moving->work->call, error, path);
}

/* The next ones, at most MOVED_AT_ONCE, and how many there are in all. */
static int find_messages(struct moving *moving)
{
    struct mailbox_snapshot *snapshot;
    struct range_set all;
    range_set_init(&all, MOVED_RANGES);
    range_set_clear(&moving->uids);
    int error = mailbox_snapshot_open(moving->work->view, moving->mailbox, &snapshot);
    if (!error) {
        error = mailbox_uids(snapshot, &all);
        mailbox_snapshot_close(&snapshot);
    }
    uint32_t size = error ? 0 : range_set_size(&all);
    moving->total = moving->done + size;
    for (uint32_t i = 1; i <= size && i <= MOVED_AT_ONCE && !error; i++) {
        uint32_t uid = range_set_at(&all, i);
        error = range_set_add(&moving->uids, uid, uid);
    }
    range_set_release(&all);
    return error;
}

static int move_all(struct moving *moving)
{
    struct admin_call *call = moving->work->call;
    for (;;) {
        int error = find_messages(moving);
        if (error || !moving->uids.count)
            return error;
        range_set_clear(&moving->result.from);
        range_set_clear(&moving->result.to);
        error = mailbox_transfer(moving->work->view, moving->mailbox, &moving->uids,
                                 moving->target_view, moving->target, true, &moving->result);
        if (error == ERROR_QUOTA)
            return admin_fail(call, error, "of the other account, after %llu messages",
                              (unsigned long long)moving->done);
        if (error)
            return error;
        moving->done += range_set_size(&moving->result.from);
        if (call->progress(call, moving->done, moving->total))
            return ERROR_CLOSED;
    }
}

/* An empty mailbox goes, but for INBOX, and one with others below it. */
static int move_between(struct moving *moving, struct slice path, struct slice to_path)
{
    struct admin_work *work = moving->work;
    struct collection found;
    int error = admin_find_mailbox(work, path, &found);
    if (error)
        return error;
    moving->mailbox = found.id;
    error = find_target(moving, to_path);
    if (!error)
        error = move_all(moving);
    if (!error) {
        error = collection_delete(work->view, found.id);
        error = error == ERROR_INVALID ? 0 : error;
    }
    if (error)
        return error;
    const struct admin_field fields[] = {admin_text("path", to_path),
                                         admin_number("messages", (int64_t)moving->done)};
    return work->call->row(work->call, fields, 2) ? ERROR_CLOSED : 0;
}

static int open_target(struct admin_call *call, struct moving *moving)
{
    struct slice address = SLICE(""), to = SLICE("");
    struct account_id account = {{0}}, target = {{0}};
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_argument(call, "account", &to);
    if (!error)
        error = admin_find_account(call, address, &account);
    if (!error)
        error = admin_find_account(call, to, &target);
    if (!error && account_id_equal(account, target))
        error = admin_fail(call, ERROR_INVALID, "within one account a mailbox is renamed");
    if (!error)
        error = store_view_open(call->store, WHO_SYSTEM, target, &moving->target_view);
    return error;
}

static int move_to(struct admin_call *call)
{
    struct admin_work work;
    struct moving moving = {.work = &work};
    struct slice path = SLICE(""), to_path = SLICE("");
    range_set_init(&moving.uids, MOVED_AT_ONCE);
    range_set_init(&moving.result.from, MOVED_AT_ONCE);
    range_set_init(&moving.result.to, MOVED_AT_ONCE);
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = open_target(call, &moving);
    to_path = path;
    if (!error && admin_has_argument(call, "to"))
        error = admin_argument(call, "to", &to_path);
    if (!error)
        error = move_between(&moving, path, to_path);
    store_view_close(&moving.target_view);
    range_set_release(&moving.uids);
    range_set_release(&moving.result.from);
    range_set_release(&moving.result.to);
    admin_work_end(&work);
    return error;
}

const struct admin_operation mailbox_operations[] = {
    {"mailbox.list", false, list},    {"mailbox.create", true, create},
    {"mailbox.delete", true, delete}, {"mailbox.rename", true, rename_to},
    {"mailbox.move", true, move_to},  {NULL, false, NULL},
};
