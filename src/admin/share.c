/*
 * share.add|remove|list|with
 */
#include "admin/admin_priv.h"
#include "base/error.h"
#include "store/acl.h"

/* --- rights in words --- */

static const struct {
    const char *word, *letters;
} words[] = {{"read", "lrs"}, {"post", "lrsp"}, {"write", "lrswiptedn"}, {"all", "lrswipkxtean"}};

static int read_rights(struct admin_call *call, uint32_t *rights)
{
    struct slice text;
    int error = admin_argument(call, "rights", &text);
    for (size_t i = 0; !error && i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal_nocase(text, slice_from_string(words[i].word)))
            text = slice_from_string(words[i].letters);
    if (!error && rights_parse(text, rights))
        error = admin_fail(call, ERROR_INVALID,
                           "rights are read, post, write, all, or letters of RFC 4314: "
                           "l r s w i p k x t e a n, c and d");
    return error;
}

/* --- lists --- */

static int answer(struct admin_call *call, struct slice path, const struct acl_entry *entry)
{
    char rights[RIGHTS_TEXT + 1];
    rights_format(entry->rights, rights);
    const struct admin_field fields[] = {
        admin_text("path", path),
        admin_text("with", entry->identifier),
        admin_text("rights", slice_from_string(rights)),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

/* The owner, who is first in the list, shares nothing with himself. */
static int answer_list(struct admin_work *work, const struct collection *mailbox)
{
    struct acl_entry *entries;
    size_t count = 0;
    int error = acl_get(work->view, mailbox->id, &work->arena, &entries, &count);
    for (size_t i = 1; i < count && !error; i++)
        error = answer(work->call, mailbox->path, &entries[i]);
    return error;
}

static int list_all(struct admin_work *work)
{
    struct collection *mailboxes;
    size_t count = 0;
    int error = collection_list(work->view, COLLECTION_MAILBOX, &work->arena, &mailboxes, &count);
    for (size_t i = 0; i < count && !error; i++) {
        error = answer_list(work, &mailboxes[i]);
        error = error == ERROR_NOT_FOUND ? 0 : error; /* deleted meanwhile */
    }
    return error;
}

static int list_one(struct admin_work *work)
{
    struct slice path = SLICE("");
    struct collection found = {0};
    int error = admin_argument(work->call, "mailbox", &path);
    if (!error)
        error = admin_find_mailbox(work, path, &found);
    return error ? error : answer_list(work, &found);
}

static int list(struct admin_call *call)
{
    struct admin_work work;
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_has_argument(call, "mailbox") ? list_one(&work) : list_all(&work);
    admin_work_end(&work);
    return error;
}

/* --- changing --- */

/* "bob", or "-bob" (RFC 4314 section 2) with --deny. In the arena. */
static int read_identifier(struct admin_work *work, struct slice *identifier)
{
    struct slice with;
    int error = admin_argument(work->call, "with", &with);
    if (error)
        return error;
    char *text = arena_alloc_array(&work->arena, with.size + 1, 1);
    if (!text)
        return ERROR_LIMIT;
    text[0] = '-';
    memcpy(text + 1, with.data, with.size);
    bool deny = admin_has_argument(work->call, "deny");
    *identifier = slice_sub(slice_make(text, with.size + 1), !deny, SIZE_MAX);
    return 0;
}

static int explain(struct admin_call *call, int error, struct slice identifier)
{
    if (error == ERROR_INVALID)
        return admin_fail(call, error, "%.*s is neither an account nor a group, or is the owner",
                          SLICE_FORMAT(identifier));
    if (error == ERROR_LIMIT)
        return admin_fail(call, error, "a mailbox is shared with at most %d accounts and groups",
                          ACL_ENTRIES_MAXIMUM);
    return error;
}

static int set(struct admin_call *call, enum acl_operation operation, bool all)
{
    struct admin_work work;
    struct slice path = SLICE(""), with = SLICE("");
    struct collection found = {0};
    uint32_t rights = all ? RIGHT_ALL : 0;
    int error = admin_work_begin(call, &work);
    if (!error)
        error = admin_argument(call, "path", &path);
    if (!error)
        error = read_identifier(&work, &with);
    if (!error && !all)
        error = read_rights(call, &rights);
    if (!error)
        error = admin_find_mailbox(&work, path, &found);
    if (!error)
        error = explain(call, acl_set(work.view, found.id, with, operation, rights), with);
    if (!error)
        error = answer_list(&work, &found);
    admin_work_end(&work);
    return error;
}

static int add(struct admin_call *call)
{
    return set(call, ACL_REPLACE, false);
}

static int remove_all(struct admin_call *call)
{
    return set(call, ACL_REMOVE, true);
}

/* --- what is shared with an account --- */

static int answer_shared(struct admin_call *call, struct slice address,
                         const struct collection *mailbox)
{
    char rights[RIGHTS_TEXT + 1];
    rights_format(mailbox->rights, rights);
    const struct admin_field fields[] = {
        admin_text("owner", address),
        admin_text("path", mailbox->path),
        admin_text("rights", slice_from_string(rights)),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

/* What the account sees of another. */
static int list_of_owner(struct admin_call *call, struct account_id account,
                         const struct account_info *owner, struct arena *arena)
{
    struct store_view *view;
    struct collection *mailboxes;
    size_t count = 0;
    int error = store_view_open(call->store, who_account(account), owner->id, &view);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    error = collection_list(view, COLLECTION_MAILBOX, arena, &mailboxes, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer_shared(call, owner->address, &mailboxes[i]);
    store_view_close(&view);
    return error;
}

static int with(struct admin_call *call)
{
    struct arena arena;
    struct slice address = SLICE("");
    struct account_id account = {{0}};
    struct account_info *owners;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_find_account(call, address, &account);
    if (!error)
        error = store_shared_with(call->store, WHO_SYSTEM, account, &arena, &owners, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = list_of_owner(call, account, &owners[i], &arena);
    arena_release(&arena);
    return error;
}

const struct admin_operation share_operations[] = {
    {"share.add", true, add},    {"share.remove", true, remove_all},
    {"share.list", false, list}, {"share.with", false, with},
    {NULL, false, NULL},
};
