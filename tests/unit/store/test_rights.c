/*
 * Every call of the store, by everybody: with the rights it needs and no other, and with all rights
 * but one that it needs. `make lint` finds a call that is not in the table.
 */
#include "rights_test.h"
#include "store/acl.h"
#include "store/annotation.h"
#include "store/changes.h"
#include "store/check.h"
#include "store/dump.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/summaries.h"
#include "store/thread.h"
#include "store/transfer.h"
#include "store/urlauth.h"

static int call_list(struct caller *c)
{
    struct collection *list;
    size_t count = 99;
    int error = collection_list(c->view, COLLECTION_MAILBOX, &c->f->arena, &list, &count);
    assert_int_equal(error, 0);
    for (size_t i = 0; i < count; i++)
        if (list[i].id == c->mailbox)
            return 0;
    return ERROR_NOT_FOUND;
}

static int call_find(struct caller *c)
{
    struct collection found;
    return collection_find(c->view, COLLECTION_MAILBOX, SLICE("Trial/Box"), &c->f->arena, &found);
}

static int call_find_id(struct caller *c)
{
    collection_id id;
    return collection_find_id(c->view, COLLECTION_MAILBOX, SLICE("Trial/Box"), &id);
}

static int call_get(struct caller *c)
{
    struct collection found;
    return collection_get(c->view, c->mailbox, &c->f->arena, &found);
}

static int call_create(struct caller *c)
{
    collection_id id;
    char name[32];
    snprintf(name, sizeof(name), "New%u", c->count);
    return collection_create(c->view, COLLECTION_MAILBOX, slice_from_string(name), ROLE_NONE, &id);
}

static int call_create_existing(struct caller *c)
{
    collection_id id;
    int error = collection_create(c->view, COLLECTION_MAILBOX, SLICE("Trial/Box"), ROLE_NONE, &id);
    return error == ERROR_EXISTS ? 0 : error;
}

static int call_create_below(struct caller *c)
{
    collection_id id;
    return collection_create(c->view, COLLECTION_MAILBOX, SLICE("Trial/New"), ROLE_NONE, &id);
}

static int call_delete(struct caller *c)
{
    return collection_delete(c->view, c->mailbox);
}

static int call_rename(struct caller *c)
{
    return collection_rename(c->view, c->mailbox, SLICE("Trial/Other"));
}

static int call_subscribe(struct caller *c)
{
    return collection_subscribe(c->view, c->mailbox, true);
}

static int call_snapshot(struct caller *c)
{
    struct mailbox_snapshot *snapshot;
    int error = mailbox_snapshot_open(c->view, c->mailbox, &snapshot);
    if (!error)
        mailbox_snapshot_close(&snapshot);
    return error;
}

static int call_append(struct caller *c)
{
    struct append append = {.message = c->message};
    struct append_result result;
    return mailbox_append(c->view, c->mailbox, &append, &result);
}

static int call_append_all(struct caller *c)
{
    struct append appends[] = {{.message = c->message}, {.message = c->message}};
    struct append_result result;
    return mailbox_append_all(c->view, c->mailbox, appends, 2, &result);
}

static int call_replace(struct caller *c)
{
    struct append append = {.message = c->message};
    struct append_result result;
    return mailbox_replace(c->view, c->mailbox, 2, c->mailbox, &append, &result);
}

static int call_flags(struct caller *c)
{
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    return mailbox_change_flags(c->view, c->mailbox, &c->uids, &change, &modseq, NULL);
}

static int call_expunge(struct caller *c)
{
    struct range_set expunged;
    uint64_t modseq;
    range_set_init(&expunged, 100);
    int error = mailbox_expunge(c->view, c->mailbox, NULL, &expunged, &modseq);
    range_set_release(&expunged);
    return error;
}

static int copy(struct caller *c, bool move)
{
    struct copy_result result;
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = mailbox_copy(c->view, c->mailbox, &c->uids, c->mailbox, move, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int call_copy(struct caller *c)
{
    return copy(c, false);
}

static int call_move(struct caller *c)
{
    return copy(c, true);
}

static int call_rename_inbox(struct caller *c)
{
    return collection_rename(c->view, find_mailbox(c->f, "INBOX"), SLICE("Trial/Inbox"));
}

/* To the INBOX of who's own account. */
static int transfer(struct caller *c, bool move)
{
    struct account_id account = c->who.kind == WHO_KIND_ACCOUNT ? c->who.account : c->f->alice;
    struct store_view *system, *target;
    struct collection inbox = {0};
    struct copy_result result;
    assert_int_equal(store_view_open(c->store, WHO_SYSTEM, account, &system), 0);
    assert_int_equal(
        collection_find(system, COLLECTION_MAILBOX, SLICE("INBOX"), &c->f->arena, &inbox), 0);
    store_view_close(&system);
    assert_int_equal(store_view_open(c->store, c->who, account, &target), 0);
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = mailbox_transfer(c->view, c->mailbox, &c->uids, target, inbox.id, move, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    store_view_close(&target);
    return error;
}

static int call_transfer(struct caller *c)
{
    return transfer(c, false);
}

static int call_transfer_move(struct caller *c)
{
    return transfer(c, true);
}

static int call_account_create(struct caller *c)
{
    struct account_id id;
    char name[32];
    snprintf(name, sizeof(name), "carol%u", c->count++);
    return store_account_create(c->store, c->who, slice_from_string(name), &id);
}

static int call_account_delete(struct caller *c)
{
    struct account_id dave = {{0}};
    int error = store_account_create(c->store, WHO_SYSTEM, SLICE("dave"), &dave);
    assert_true(!error || error == ERROR_EXISTS);
    assert_int_equal(store_account_find(c->store, WHO_SYSTEM, SLICE("dave"), &dave), 0);
    return store_account_delete(c->store, c->who, dave);
}

static int call_account_set_shared(struct caller *c)
{
    return store_account_set_shared(c->store, c->who, c->f->alice, false);
}

static int call_account_list(struct caller *c)
{
    struct account_info *list;
    size_t count;
    return store_account_list(c->store, c->who, &c->f->arena, &list, &count);
}

static int call_account_get(struct caller *c)
{
    struct account_info info;
    int error = store_account_get(c->store, c->who, c->f->alice, &c->f->arena, &info);
    if (!error)
        assert_slice_equal(info.address, "alice@example.test");
    return error;
}

static int call_account_find(struct caller *c)
{
    struct account_id id;
    return store_account_find(c->store, c->who, SLICE("alice"), &id);
}

static void ignore(enum check_finding finding, const char *text, void *arg)
{
    (void)finding, (void)text, (void)arg;
}

static int call_check(struct caller *c)
{
    struct check_options options = {.report = ignore};
    struct check_result result;
    return store_check_account(c->store, c->who, c->f->alice, &options, &result);
}

static int call_quota_get(struct caller *c)
{
    struct quota quota;
    return quota_get(c->view, c->mailbox, &quota);
}

static int call_quota_get_root(struct caller *c)
{
    struct quota quota;
    return quota_get(c->view, 0, &quota);
}

static int call_quota_set(struct caller *c)
{
    const uint64_t limits[QUOTA_RESOURCES] = {0};
    return quota_set(c->view, 1, limits);
}

static int call_retained_entries(struct caller *c)
{
    struct retained_entry *list;
    size_t count;
    struct retained_filter filter = {0};
    return retained_entries(c->view, c->mailbox, &filter, &c->f->arena, &list, &count);
}

static int call_retained_restore(struct caller *c)
{
    struct copy_result result;
    struct retained_filter filter = {0};
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = retained_restore(c->view, c->mailbox, &filter, 0, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int call_retained_collections(struct caller *c)
{
    struct retained_collection *list;
    size_t count;
    return retained_collections(c->view, &c->f->arena, &list, &count);
}

static int call_restore_collection(struct caller *c)
{
    struct slice path;
    struct store_view *owner;
    assert_int_equal(store_view_open(c->store, WHO_SYSTEM, c->f->alice, &owner), 0);
    assert_int_equal(collection_delete(owner, c->mailbox), 0);
    store_view_close(&owner);
    return retained_restore_collection(c->view, c->mailbox, SLICE("Trial/Box"), &c->f->arena,
                                       &path);
}

static int call_purge(struct caller *c)
{
    struct purge_result result;
    return store_purge(c->store, c->who, c->f->alice, 0, &result);
}

static int call_message_mailboxes(struct caller *c)
{
    struct message_mailbox *list;
    size_t count;
    return message_mailboxes(c->view, c->number, &c->f->arena, &list, &count);
}

static int call_changes(struct caller *c)
{
    struct changes_cursor cursor = {0};
    struct changed *list;
    size_t count;
    bool more;
    int error = store_changes_now(c->view, &cursor);
    if (error)
        return error;
    return store_changes(c->view, &cursor, CHANGES_EMAILS, 10, &c->f->arena, &list, &count, &more);
}

static int call_modseq(struct caller *c)
{
    uint64_t modseq;
    return store_modseq(c->view, &modseq);
}

static int call_changes_now(struct caller *c)
{
    struct changes_cursor cursor;
    return store_changes_now(c->view, &cursor);
}

static int call_append_annotated(struct caller *c)
{
    struct annotation annotation = {ANNOTATION_SHARED, SLICE("/comment"), SLICE("x")};
    struct append append = {
        .message = c->message, .annotations = &annotation, .annotation_count = 1};
    struct append_result result;
    return mailbox_append(c->view, c->mailbox, &append, &result);
}

static int call_flags_seen(struct caller *c)
{
    struct flag_change change = {FLAGS_ADD, ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    return mailbox_change_flags(c->view, c->mailbox, &c->uids, &change, &modseq, NULL);
}

static int call_flags_keyword(struct caller *c)
{
    struct slice keyword = SLICE("$Work");
    struct flag_change change = {FLAGS_ADD, 0, .keywords = &keyword, .keyword_count = 1,
                                 .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    return mailbox_change_flags(c->view, c->mailbox, &c->uids, &change, &modseq, NULL);
}

static int call_annotations_list(struct caller *c)
{
    struct annotation *list;
    size_t count;
    return annotations_list(c->view, c->mailbox, &c->f->arena, &list, &count);
}

static int set_annotation(struct caller *c, collection_id collection, enum annotation_scope scope)
{
    struct annotation annotation = {scope, SLICE("/comment"), SLICE("x")};
    return annotations_set(c->view, collection, &annotation, 1);
}

static int call_annotations_set(struct caller *c)
{
    return set_annotation(c, c->mailbox, ANNOTATION_SHARED);
}

static int call_annotations_set_private(struct caller *c)
{
    return set_annotation(c, c->mailbox, ANNOTATION_PRIVATE);
}

static int call_annotations_set_events(struct caller *c)
{
    const struct annotation annotation = {ANNOTATION_SHARED, SLICE("/imapsieve/script"),
                                          SLICE("x")};
    return annotations_set(c->view, 0, &annotation, 1);
}

static int call_annotations_set_root(struct caller *c)
{
    return set_annotation(c, 0, ANNOTATION_SHARED);
}

static int call_server_annotations_set(struct caller *c)
{
    struct annotation annotation = {ANNOTATION_SHARED, SLICE("/comment"), SLICE("x")};
    return server_annotations_set(c->store, c->who, &annotation, 1);
}

static int set_message_annotation(struct caller *c, enum annotation_scope scope)
{
    struct annotation annotation = {scope, SLICE("/comment"), SLICE("x")};
    uint64_t modseq;
    return message_annotations_set(c->view, c->mailbox, &c->uids, &annotation, 1, UINT64_MAX,
                                   &modseq, NULL);
}

static int call_message_annotations_set(struct caller *c)
{
    return set_message_annotation(c, ANNOTATION_SHARED);
}

static int call_message_annotations_set_private(struct caller *c)
{
    return set_message_annotation(c, ANNOTATION_PRIVATE);
}

static int call_message_thread(struct caller *c)
{
    uint64_t thread;
    return message_thread(c->view, c->number, &thread);
}

static int call_thread_messages(struct caller *c)
{
    struct thread_message *list;
    size_t count;
    return thread_messages(c->view, c->number, &c->f->arena, &list, &count);
}

static int call_acl_get(struct caller *c)
{
    struct acl_entry *list;
    size_t count;
    return acl_get(c->view, c->mailbox, &c->f->arena, &list, &count);
}

static int call_acl_set(struct caller *c)
{
    return acl_set(c->view, c->mailbox, SLICE("anonymous"), ACL_ADD, RIGHT_POST);
}

static int call_acl_granted(struct caller *c)
{
    uint32_t rights;
    return acl_granted_always(c->view, c->mailbox, SLICE("anyone"), &rights);
}

static int call_acl_takes_post(struct caller *c)
{
    bool takes;
    return acl_takes_post(c->view, c->mailbox, &takes);
}

static int call_shared_with(struct caller *c)
{
    struct account_info *list;
    size_t count;
    return store_shared_with(c->store, c->who, c->f->alice, &c->f->arena, &list, &count);
}

static int call_check_directory(struct caller *c)
{
    struct check_options options = {.report = ignore};
    struct check_result result;
    return store_check_directory(c->store, c->who, &options, &result);
}

static int ignore_line(const char *text, void *arg)
{
    (void)text, (void)arg;
    return 0;
}

static int call_dump(struct caller *c)
{
    return store_dump_account(c->store, c->who, c->f->alice, ignore_line, NULL);
}

static int call_settle(struct caller *c)
{
    struct settle_result result;
    return store_settle(c->store, c->who, c->f->alice, NULL, &result);
}

static int call_reclaim(struct caller *c)
{
    return store_reclaim(c->store, c->who, c->f->alice, false);
}

static int call_remake(struct caller *c)
{
    struct remake_result result;
    return store_remake_summaries(c->store, c->who, c->f->alice, false, NULL, &result);
}

static int call_directory_find(struct caller *c)
{
    struct directory_entry entry;
    return store_directory_find(c->store, c->who, SLICE("alice"), &c->f->arena, &entry);
}

static int call_directory_list(struct caller *c)
{
    struct directory_entry *list;
    size_t count;
    return store_directory_list(c->store, c->who, DIRECTORY_ACCOUNT, &c->f->arena, &list, &count);
}

static int call_account_page(struct caller *c)
{
    struct account_info *list;
    size_t count;
    return store_account_page(c->store, c->who, SLICE(""), 10, &c->f->arena, &list, &count);
}

/* Of an account that shares nothing. */
static int call_shared_find(struct caller *c)
{
    struct account_id id;
    bool shared;
    int error = store_account_create(c->store, WHO_SYSTEM, SLICE("erin"), &id);
    assert_true(!error || error == ERROR_EXISTS);
    return store_shared_find(c->store, c->who, SLICE("erin"), &id, &shared);
}

static int call_directory_members(struct caller *c)
{
    struct directory_entry *list;
    size_t count;
    return store_directory_members(c->store, c->who, SLICE("staff"), &c->f->arena, &list, &count);
}

static int call_directory_holders(struct caller *c)
{
    struct directory_entry *list;
    size_t count;
    return store_directory_holders(c->store, c->who, c->f->alice, &c->f->arena, &list, &count);
}

static int call_domain_add(struct caller *c)
{
    int error = store_domain_add(c->store, c->who, SLICE("other.test"));
    return error == ERROR_EXISTS ? 0 : error;
}

static int call_domain_delete(struct caller *c)
{
    int error = store_domain_delete(c->store, c->who, SLICE("missing.test"));
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int call_domain_list(struct caller *c)
{
    struct domain_info *list;
    size_t count;
    return store_domain_list(c->store, c->who, &c->f->arena, &list, &count);
}

static int call_domain_check(struct caller *c)
{
    return store_domain_check(c->store, c->who, SLICE("alice"));
}

static int call_account_rename(struct caller *c)
{
    return store_account_rename(c->store, c->who, c->f->alice, SLICE("bob"), false) == ERROR_DENIED
               ? ERROR_DENIED
               : 0;
}

static int call_alias_add(struct caller *c)
{
    struct slice target = SLICE("alice");
    int error = store_alias_add(c->store, c->who, SLICE("al"), &target, 1);
    return error == ERROR_EXISTS ? 0 : error;
}

static int call_alias_delete(struct caller *c)
{
    int error = store_alias_delete(c->store, c->who, SLICE("missing"), NULL, 0);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int call_group_create(struct caller *c)
{
    struct account_id id;
    int error = store_group_create(c->store, c->who, SLICE("staff"), &id);
    return error == ERROR_EXISTS ? 0 : error;
}

static int call_group_delete(struct caller *c)
{
    int error = store_group_delete(c->store, c->who, SLICE("missing"));
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int call_group_add(struct caller *c)
{
    struct slice member = SLICE("alice");
    int error = store_group_add(c->store, c->who, SLICE("staff"), &member, 1);
    return error == ERROR_EXISTS ? 0 : error;
}

static int call_group_remove(struct caller *c)
{
    struct slice member = SLICE("bob");
    int error = store_group_remove(c->store, c->who, SLICE("staff"), &member, 1);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int call_resolve(struct caller *c)
{
    struct resolution resolution;
    return store_resolve(c->store, c->who, SLICE("alice"), &c->f->arena, &resolution);
}

static int call_urlauth_sign(struct caller *c)
{
    uint8_t token[URLAUTH_TOKEN_SIZE];
    return urlauth_sign(c->view, c->mailbox, SLICE("x"), token);
}

static int call_urlauth_reset(struct caller *c)
{
    return urlauth_reset(c->view, c->mailbox);
}

static int call_urlauth_reset_all(struct caller *c)
{
    return urlauth_reset(c->view, 0);
}

/* A URL that is for alice alone. */
static int call_urlauth_open(struct caller *c)
{
    uint8_t token[URLAUTH_TOKEN_SIZE];
    struct urlauth_reader *reader;
    struct urlauth_claim claim = {.owner = SLICE("alice"),
                                  .mailbox = SLICE("Trial/Box"),
                                  .access = URLAUTH_USER,
                                  .user = SLICE("alice"),
                                  .rump = SLICE("x"),
                                  .token = slice_make(token, sizeof(token))};
    assert_int_equal(urlauth_sign(c->f->view, c->mailbox, SLICE("x"), token), 0);
    int error = urlauth_open(c->store, c->who, &claim, &reader);
    if (!error)
        urlauth_close(&reader);
    return error;
}

/* What one needs: rights on the mailbox (and, where it concerns what is below it, on its parent),
 * or to be the account's owner, or the system. */
enum { OWNER = RIGHT_ALL + 1, SYSTEM };

static const struct {
    const char *name;
    int (*call)(struct caller *c);
    uint32_t needed;
    uint32_t instead; /* rights any one of which would do as well as the last of the needed ones */
    uint32_t of;      /* or as this one, when it is not 0 */
    bool administrator; /* who is one needs no right that is not RIGHTS_OF_ADMINISTRATOR's */
} calls[] = {
#define L RIGHT_LOOKUP
#define R RIGHT_READ
    {"collection_list", call_list, L},
    {"collection_find", call_find, L},
    {"collection_find_id", call_find_id, L},
    {"collection_get", call_get, L},
    {"collection_create", call_create, OWNER, .administrator = true},
    {"collection_create (existing)", call_create_existing, L},
    {"collection_create (below)", call_create_below, RIGHT_CREATE},
    {"collection_rename", call_rename, L | RIGHT_DELETE_MAILBOX | RIGHT_CREATE},
    {"collection_rename (INBOX)", call_rename_inbox, OWNER},
    {"collection_subscribe", call_subscribe, L},
    {"collection_delete", call_delete, L | RIGHT_DELETE_MAILBOX},
    {"mailbox_snapshot_open", call_snapshot, L | R},
    {"mailbox_append", call_append, RIGHT_INSERT, RIGHT_POST},
    {"mailbox_append (posting)", call_append, RIGHT_POST, RIGHT_INSERT},
    {"mailbox_append_all", call_append_all, RIGHT_INSERT, RIGHT_POST},
    {"mailbox_replace", call_replace, L | R | RIGHT_INSERT | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE,
     RIGHT_POST, RIGHT_INSERT},
    {"mailbox_append (annotated)", call_append_annotated, L | R | RIGHT_ANNOTATE | RIGHT_INSERT,
     RIGHT_POST, RIGHT_INSERT},
    {"mailbox_change_flags", call_flags, L | RIGHT_DELETE_MESSAGES},
    {"mailbox_change_flags (\\Seen)", call_flags_seen, L | RIGHT_SEEN},
    {"mailbox_change_flags (keyword)", call_flags_keyword, L | RIGHT_WRITE},
    {"mailbox_expunge", call_expunge, L | RIGHT_EXPUNGE},
    {"mailbox_copy", call_copy, L | R | RIGHT_INSERT},
    {"mailbox_copy (move)", call_move,
     L | R | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE | RIGHT_INSERT},
    {"mailbox_transfer", call_transfer, L | R},
    {"mailbox_transfer (move)", call_transfer_move, L | R | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE},
    {"message_mailboxes", call_message_mailboxes, L | R},
    {"message_thread", call_message_thread, L | R},
    {"thread_messages", call_thread_messages, L | R},
    {"quota_get", call_quota_get, L | R, .administrator = true},
    {"quota_get (root)", call_quota_get_root, OWNER, .administrator = true},
    {"quota_set", call_quota_set, SYSTEM, .administrator = true},
    {"annotations_list", call_annotations_list, L | R,
     RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST, .administrator = true},
    {"annotations_set", call_annotations_set, L | RIGHT_WRITE, .administrator = true},
    {"annotations_set (private)", call_annotations_set_private, L | RIGHT_SEEN,
     R | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST, .administrator = true},
    {"annotations_set (root)", call_annotations_set_root, SYSTEM},
    {"annotations_set (root, of events)", call_annotations_set_events, OWNER},
    {"server_annotations_set", call_server_annotations_set, SYSTEM, .administrator = true},
    {"message_annotations_set", call_message_annotations_set, L | R | RIGHT_ANNOTATE},
    {"message_annotations_set (private)", call_message_annotations_set_private, L | R},
    {"acl_get", call_acl_get, L | RIGHT_ADMINISTER},
    {"acl_set", call_acl_set, L | RIGHT_ADMINISTER},
    {"acl_granted_always", call_acl_granted, L | RIGHT_ADMINISTER},
    {"acl_takes_post", call_acl_takes_post, SYSTEM},
    {"store_changes", call_changes, L},
    {"store_changes_now", call_changes_now, L},
    {"store_modseq", call_modseq, L},
    {"retained_entries", call_retained_entries, L | R | RIGHT_EXPUNGE},
    {"retained_restore", call_retained_restore, L | R | RIGHT_EXPUNGE | RIGHT_INSERT},
    {"retained_collections", call_retained_collections, OWNER, .administrator = true},
    {"retained_restore_collection", call_restore_collection, OWNER, .administrator = true},
    {"store_shared_with", call_shared_with, OWNER},
    {"script_put", call_script_put, OWNER},
    {"script_list", call_script_list, OWNER},
    {"script_find", call_script_find, OWNER},
    {"script_read", call_script_read, OWNER},
    {"script_check_room", call_script_check_room, OWNER},
    {"script_rename", call_script_rename, OWNER},
    {"script_activate", call_script_activate, OWNER},
    {"script_delete", call_script_delete, OWNER},
    {"urlauth_sign", call_urlauth_sign, OWNER},
    {"urlauth_reset", call_urlauth_reset, OWNER},
    {"urlauth_reset (all)", call_urlauth_reset_all, OWNER},
    {"urlauth_open", call_urlauth_open, OWNER},
    {"store_deliver", call_deliver, SYSTEM},
    {"store_remembers", call_remembers, SYSTEM},
    {"outgoing_list", call_outgoing_list, SYSTEM},
    {"outgoing_claim", call_outgoing_claim, SYSTEM},
    {"outgoing_renew", call_outgoing_renew, SYSTEM},
    {"outgoing_release", call_outgoing_release, SYSTEM},
    {"outgoing_read", call_outgoing_read, SYSTEM},
    {"outgoing_settle", call_outgoing_settle, SYSTEM},
    {"outgoing_retry", call_outgoing_retry, SYSTEM},
    {"outgoing_remove", call_outgoing_remove, SYSTEM},
    {"snooze_list", call_snooze_list, SYSTEM},
    {"snooze_wake", call_snooze_wake, SYSTEM},
    {"due_notes", call_due_notes, SYSTEM},
    {"due_note_of", call_due_note_of, SYSTEM},
    {"due_note_next", call_due_note_next, SYSTEM},
    {"due_note_renew", call_due_note_renew, SYSTEM},
    {"site_script_put", call_site_put, SYSTEM},
    {"site_script_list", call_site_list, SYSTEM},
    {"site_script_find", call_site_find, SYSTEM},
    {"site_script_read", call_site_read, SYSTEM},
    {"site_scripts_around", call_site_around, SYSTEM},
    {"site_scripts_of_events", call_site_of_events, SYSTEM},
    {"site_has_events", call_site_has_events, SYSTEM},
    {"event_script_name", call_event_script_name, OWNER},
    {"site_script_activate", call_site_activate, SYSTEM},
    {"site_script_delete", call_site_delete, SYSTEM},
    {"store_account_find", call_account_find, OWNER},
    {"store_account_create", call_account_create, SYSTEM},
    {"store_account_delete", call_account_delete, SYSTEM},
    {"store_account_get", call_account_get, SYSTEM},
    {"store_account_list", call_account_list, SYSTEM},
    {"store_account_rename", call_account_rename, SYSTEM},
    {"store_account_set_shared", call_account_set_shared, SYSTEM},
    {"store_account_page", call_account_page, SYSTEM, .administrator = true},
    {"store_shared_find", call_shared_find, SYSTEM, .administrator = true},
    {"store_alias_add", call_alias_add, SYSTEM},
    {"store_alias_delete", call_alias_delete, SYSTEM},
    {"store_check_account", call_check, SYSTEM},
    {"store_check_directory", call_check_directory, SYSTEM},
    {"store_directory_find", call_directory_find, SYSTEM},
    {"store_directory_holders", call_directory_holders, SYSTEM},
    {"store_directory_list", call_directory_list, SYSTEM},
    {"store_domain_add", call_domain_add, SYSTEM},
    {"store_domain_check", call_domain_check, SYSTEM},
    {"store_domain_delete", call_domain_delete, SYSTEM},
    {"store_domain_list", call_domain_list, SYSTEM},
    {"store_dump_account", call_dump, SYSTEM},
    {"store_group_create", call_group_create, SYSTEM},
    {"store_group_add", call_group_add, SYSTEM},
    {"store_group_remove", call_group_remove, SYSTEM},
    {"store_group_delete", call_group_delete, SYSTEM},
    {"store_directory_members", call_directory_members, SYSTEM},
    {"store_purge", call_purge, SYSTEM},
    {"store_reclaim", call_reclaim, SYSTEM},
    {"store_remake_summaries", call_remake, SYSTEM},
    {"store_resolve", call_resolve, SYSTEM},
    {"store_settle", call_settle, SYSTEM},
#undef L
#undef R
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* --- a mailbox anew for each trial --- */

static void set_rights(struct caller *c, const char *path, const char *identifier, uint32_t rights)
{
    assert_int_equal(acl_set(c->f->view, find_mailbox(c->f, path), slice_from_string(identifier),
                             ACL_REPLACE, rights),
                     0);
}

static void delete_below(struct caller *c, collection_id parent)
{
    struct collection *list;
    size_t count;
    assert_int_equal(collection_list(c->f->view, COLLECTION_MAILBOX, &c->f->arena, &list, &count),
                     0);
    for (size_t i = 0; i < count; i++)
        if (list[i].parent == parent)
            assert_int_equal(collection_delete(c->f->view, list[i].id), 0);
}

static void make_trial(struct caller *c)
{
    char text[128];
    struct range_set expunged, fourth = set_of(4, 4);
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    uint64_t modseq;
    delete_below(c, find_mailbox(c->f, "Trial"));
    c->mailbox = make_mailbox(c->f, "Trial/Box");
    for (unsigned i = 1; i <= 4; i++) {
        snprintf(text, sizeof(text), "Subject: trial %u\r\nMessage-ID: <%u@x>\r\n\r\n", c->count,
                 c->count);
        c->count++;
        append_text(c->f, c->mailbox, text, i == 1 || i == 4 ? ENTRY_DELETED : 0);
    }
    range_set_init(&expunged, 100);
    assert_int_equal(mailbox_expunge(c->f->view, c->mailbox, &fourth, &expunged, &modseq), 0);
    range_set_release(&expunged);
    range_set_release(&fourth);
    assert_int_equal(mailbox_snapshot_open(c->f->view, c->mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 2, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    c->number = entry.message;
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
}

/* Nothing of another's is touched by who may not. */
static void expect(struct caller *c, size_t call, struct who who, bool may)
{
    uint64_t before, after;
    make_trial(c);
    c->who = who;
    assert_int_equal(store_modseq(c->f->view, &before), 0);
    assert_int_equal(store_view_open(c->store, who, c->f->alice, &c->view), 0);
    int error = calls[call].call(c);
    store_view_close(&c->view);
    assert_int_equal(store_modseq(c->f->view, &after), 0);
    bool refused = error == ERROR_DENIED || error == ERROR_NOT_FOUND;
    if (may ? error != 0 : !refused)
        fail_msg("%s: %s", calls[call].name, error_name(error));
    if (!may && calls[call].call != call_restore_collection && before != after)
        fail_msg("%s has changed something", calls[call].name);
    arena_clear(&c->f->arena);
}

static void set_up(struct fixture *f, struct caller *c, struct account_id *bob)
{
    struct account_id staff;
    *c = (struct caller){.f = f, .store = f->store, .uids = set_of(1, 1000)};
    make_mailbox(f, "Trial");
    append_many(f, find_mailbox(f, "INBOX"), 1);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), bob), 0);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, SLICE("staff"), &staff), 0);
    assert_int_equal(prepared_message_create(SLICE("A: b\r\n\r\n"), &c->message), 0);
}

static void clean_up(struct caller *c)
{
    prepared_message_free(&c->message);
    range_set_release(&c->uids);
}

static void test_without_rights(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct caller c;
    set_up(f, &c, &bob);
    const struct who others[] = {
        {0},
        {.kind = WHO_KIND_ANONYMOUS, .account = f->alice},
        {.kind = WHO_KIND_NOBODY, .account = f->alice},
        who_account(bob),
    };
    for (size_t i = 0; i < CALLS; i++) {
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
            expect(&c, i, others[j], false);
        expect(&c, i, who_account(f->alice), calls[i].needed != SYSTEM);
        expect(&c, i, WHO_SYSTEM, true);
    }
    clean_up(&c);
    check_account(f);
}

/* The call by bob, to whom the trial's mailboxes give these rights. */
static void expect_with(struct caller *c, size_t call, struct account_id bob, uint32_t rights,
                        bool may)
{
    set_rights(c, "Trial", "bob", rights);
    expect(c, call, who_account(bob), may);
}

static void test_every_right(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct caller c;
    set_up(f, &c, &bob);
    for (size_t i = 0; i < CALLS; i++) {
        uint32_t needed = calls[i].needed;
        if (needed >= OWNER) {
            expect_with(&c, i, bob, RIGHT_ALL, false);
            continue;
        }
        expect_with(&c, i, bob, needed, true);
        for (uint32_t right = 1; right < RIGHT_ALL; right <<= 1) {
            uint32_t last = calls[i].of ? calls[i].of : 1U << (31 - __builtin_clz(needed));
            uint32_t missing = right | (right == last ? calls[i].instead : 0);
            if (needed & right)
                expect_with(&c, i, bob, RIGHT_ALL & ~missing, false);
        }
    }
    clean_up(&c);
    check_account(f);
}

/* Four rights to everything, whatever lists say, and some calls that are for administrators: and
 * nothing else. What is missing to it is missing to an administrator as to anybody. */
static void test_administrator(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct caller c;
    set_up(f, &c, &bob);
    const struct who administrator = who_administrator(bob);
    for (size_t i = 0; i < CALLS; i++) {
        uint32_t needed = calls[i].needed, rest = needed & ~RIGHTS_OF_ADMINISTRATOR;
        bool may = calls[i].administrator || (needed < OWNER && !rest);
        set_rights(&c, "Trial", "bob", 0);
        expect(&c, i, administrator, may);
        set_rights(&c, "Trial", "-bob", RIGHT_ALL);
        expect(&c, i, administrator, may);
        set_rights(&c, "Trial", "-bob", 0);
        if (may || needed >= OWNER)
            continue;
        set_rights(&c, "Trial", "bob", rest);
        expect(&c, i, administrator, true);
        set_rights(&c, "Trial", "bob", RIGHT_ALL & ~(rest | calls[i].instead));
        expect(&c, i, administrator, false);
    }
    clean_up(&c);
    check_account(f);
}

/* Only accounts are. */
static void test_no_account_is_no_administrator(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct caller c;
    set_up(f, &c, &bob);
    const struct who others[] = {
        {.administrator = true},
        {.kind = WHO_KIND_ANONYMOUS, .account = bob, .administrator = true},
    };
    for (size_t i = 0; i < CALLS; i++)
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
            expect(&c, i, others[j], false);
    clean_up(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_without_rights),
        ON_BOTH(test_every_right),
        ON_BOTH(test_administrator),
        ON_BOTH(test_no_account_is_no_administrator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
