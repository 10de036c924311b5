/*
 * mailbox.list|create|delete|rename
 */
#include "admin/admin_priv.h"
#include "base/error.h"

enum { LIST_MEMORY = 256 * 1024 * 1024 /* bytes that listing mailboxes may take */ };

/* A command on the mailboxes of one account. */
struct work {
    struct admin_call *call;
    struct store_view *view;
    struct arena arena;
};

static int begin(struct admin_call *call, struct work *work)
{
    *work = (struct work){.call = call};
    arena_init(&work->arena, LIST_MEMORY);
    return admin_open_view(call, &work->view);
}

static void end(struct work *work)
{
    store_view_close(&work->view);
    arena_release(&work->arena);
}

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

static int answer_path(struct work *work, struct slice path)
{
    struct collection found;
    int error = admin_find_mailbox(work->call, work->view, path, &work->arena, &found);
    return error ? error : answer(work->call, &found);
}

static int list(struct admin_call *call)
{
    struct work work;
    struct collection *mailboxes;
    size_t count = 0;
    int error = begin(call, &work);
    if (!error)
        error = collection_list(work.view, COLLECTION_MAILBOX, &work.arena, &mailboxes, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer(call, &mailboxes[i]);
    end(&work);
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
    struct work work;
    struct slice path = SLICE("");
    enum collection_role role = ROLE_NONE;
    collection_id id = 0;
    int error = begin(call, &work);
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
    end(&work);
    return error;
}

static int delete (struct admin_call *call)
{
    struct work work;
    struct slice path = SLICE("");
    struct collection found = {0};
    int error = begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = admin_find_mailbox(call, work.view, path, &work.arena, &found);
    if (!error)
        error = collection_delete(work.view, found.id);
    if (error == ERROR_INVALID)
        admin_fail(call, error, "INBOX stays, and so does a mailbox with others below it");
    if (!error)
        error = answer(call, &found);
    end(&work);
    return error;
}

static int rename_to(struct admin_call *call)
{
    struct work work;
    struct slice path = SLICE(""), to = SLICE("");
    struct collection found = {0};
    int error = begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = admin_argument(call, "to", &to);
    if (!error)
        error = admin_find_mailbox(call, work.view, path, &work.arena, &found);
    if (!error) {
        error = explain(call, collection_rename(work.view, found.id, to), to);
        if (error == ERROR_INVALID)
            admin_fail(call, error, "a mailbox cannot be below itself");
    }
    if (!error)
        error = answer_path(&work, to);
    end(&work);
    return error;
}

const struct admin_operation mailbox_operations[] = {
    {"mailbox.list", false, list},
    {"mailbox.create", true, create},
    {"mailbox.delete", true, delete},
    {"mailbox.rename", true, rename_to},
    {NULL, false, NULL},
};
