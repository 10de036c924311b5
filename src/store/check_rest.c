/*
 * Names of collections, and what belongs to a collection or a message that is not there.
 */
#include "base/error.h"
#include "store/check_priv.h"
#include "store/outgoing_priv.h"
#include "store/seen_priv.h"

enum { LEFT_OVER_MAXIMUM = 256 * 1024 * 1024 };

/* --- names --- */

static int put_name(struct check *check, const struct tree_node *node)
{
    struct key key;
    number_record_write(node->id, &check->value);
    return change_put(check->change,
                      key_name(&key, node->record.type, node->record.parent, node->record.name),
                      &check->value);
}

static int put_collection(struct check *check, const struct tree_node *node)
{
    struct key key;
    collection_record_write(&node->record, &check->value);
    return change_put(check->change, key_of_collection(&key, KEY_COLLECTION, node->id),
                      &check->value);
}

/* Whether the parents lead to the top, through collections of the same type. */
static bool is_below_the_top(struct check *check, const struct tree_node *node)
{
    collection_id parent = node->record.parent;
    for (size_t depth = 0; parent && depth < COLLECTION_DEPTH_MAXIMUM; depth++) {
        const struct tree_node *above = check_find(check, parent);
        if (!above || above->record.type != node->record.type)
            return false;
        parent = above->record.parent;
    }
    return !parent;
}

/* A name that nobody else has at the top: the old one, or with the id behind it. */
static int give_name(struct check *check, struct tree_node *node)
{
    collection_id taken;
    char name[COLLECTION_NAME_MAXIMUM + 16];
    const struct collection_record *record = &node->record;
    int error =
        collection_child(check->transaction, record->type, record->parent, record->name, &taken);
    if (!error && taken != node->id) {
        int size = snprintf(name, sizeof(name), "%.*s-%u", SLICE_FORMAT(record->name), node->id);
        size_t most = COLLECTION_NAME_MAXIMUM;
        node->record.name =
            arena_copy(&check->arena, slice_make(name, (size_t)size < most ? (size_t)size : most));
        error = put_collection(check, node);
    }
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    return arena_failed(&check->arena) ? ERROR_LIMIT : put_name(check, node);
}

static int check_name_of(struct check *check, struct tree_node *node)
{
    collection_id named = 0;
    int error = 0;
    if (!is_below_the_top(check, node) &&
        check_wrong(check, "%s is below a mailbox that is not there",
                    check_path(check, node->id))) {
        node->record.parent = 0;
        error = put_collection(check, node);
    }
    if (error)
        return error;
    error = collection_child(check->transaction, node->record.type, node->record.parent,
                             node->record.name, &named);
    if (!error && named == node->id)
        return 0;
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    bool mend = check_wrong(check, "%s is not found by its name", check_path(check, node->id));
    return mend ? give_name(check, node) : 0;
}

static int check_names(struct check *check)
{
    int error = 0;
    for (size_t i = 0; i < check->tree.count && !error; i++)
        error = check_name_of(check, &check->tree.nodes[i]);
    return error;
}

/* --- what is left --- */

/* Whether the key may stay. */
struct rule {
    enum key_family family;
    size_t numbers;
    bool (*belongs)(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value);
    const char *what;
};

static bool of_collection(struct check *check, struct slice key, const uint64_t *numbers,
                          struct slice value)
{
    (void)key, (void)value;
    return check_find(check, numbers[0]) != NULL;
}

static bool of_collection_or_deleted(struct check *check, struct slice key, const uint64_t *numbers,
                                     struct slice value)
{
    return of_collection(check, key, numbers, value) || check_is_deleted(check, numbers[0]);
}

static bool is_deleted(struct check *check, struct slice key, const uint64_t *numbers,
                       struct slice value)
{
    (void)key, (void)value;
    return check_is_deleted(check, numbers[0]);
}

static bool is_destroyed(struct check *check, struct slice key, const uint64_t *numbers,
                         struct slice value)
{
    uint64_t number;
    struct slice messages;
    (void)check, (void)key;
    return numbers[1] == DESTROYED_MESSAGE ? !messages_record_read(value, &messages)
                                           : !number_record_read(value, &number);
}

static bool is_day(struct check *check, struct slice key, const uint64_t *numbers,
                   struct slice value)
{
    uint64_t modseq;
    (void)key;
    return !number_record_read(value, &modseq) && modseq <= check->account->modseq &&
           numbers[0] <= check->account->marked_day;
}

static bool of_message(struct check *check, struct slice key, const uint64_t *numbers,
                       struct slice value)
{
    (void)key, (void)value;
    return check_has_message(check, numbers[0]);
}

static bool of_name(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    struct key right;
    uint64_t id;
    const struct tree_node *node;
    if (number_record_read(value, &id) || !(node = check_find(check, id)))
        return false;
    return numbers[0] == node->record.type && numbers[1] == node->record.parent &&
           slice_equal(key,
                       key_name(&right, node->record.type, node->record.parent, node->record.name));
}

static bool of_hash(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    uint64_t number;
    (void)key, (void)numbers;
    return !number_record_read(value, &number) && check_has_message(check, number);
}

static bool of_annotated(struct check *check, struct slice key, const uint64_t *numbers,
                         struct slice value)
{
    return check_annotation_belongs(check, key, numbers, value);
}

static bool are_changes(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    return check_annotation_changes_belong(check, key, numbers, value);
}

static bool is_readable_message(struct check *check, struct slice key, const uint64_t *numbers,
                                struct slice value)
{
    struct message_record record;
    (void)check, (void)key, (void)numbers;
    return !message_record_read(value, &record);
}

static bool is_delivery(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    uint64_t when;
    (void)check, (void)numbers;
    return key.size == KEY_DELIVERED_SIZE && !number_record_read(value, &when);
}

static bool is_list(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    struct slice items;
    return of_collection_or_deleted(check, key, numbers, value) && !acl_record_read(value, &items);
}

static bool is_access_key(struct check *check, struct slice key, const uint64_t *numbers,
                          struct slice value)
{
    uint8_t bytes[ACCESS_KEY_SIZE];
    return of_collection_or_deleted(check, key, numbers, value) &&
           !access_key_record_read(value, bytes);
}

static bool is_script(struct check *check, struct slice key, const uint64_t *numbers,
                      struct slice value)
{
    struct slice text;
    (void)check, (void)key;
    return numbers[0] > 0 && numbers[0] < UINT32_MAX && !script_record_read(value, &text);
}

static bool is_seen(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    struct seen_map map;
    struct account_id who;
    uint64_t ignored;
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    seen_init(&map);
    bool belongs = of_collection_or_deleted(check, key, numbers, value) &&
                   !key_read_number(&rest, &ignored) && !account_id_parse(rest, &who) &&
                   !seen_record_read(value, &map.seen, &map.modseq, &map.ranges) &&
                   map.modseq <= check->account->modseq;
    seen_release(&map);
    return belongs;
}

static bool is_note(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    uint64_t begun;
    struct account_id id;
    (void)check, (void)numbers;
    return !account_id_parse(slice_sub(key, 1, SIZE_MAX), &id) &&
           !number_record_read(value, &begun);
}

static bool is_outgoing(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    struct outgoing_record record;
    (void)check, (void)key, (void)numbers;
    return !outgoing_record_read(value, &record);
}

static bool of_outgoing(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    struct key record;
    (void)key, (void)value;
    return !value_get(check->transaction, key_of_message(&record, KEY_OUTGOING, numbers[0]),
                      &check->value);
}

static bool is_rate(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value)
{
    uint64_t until;
    (void)check, (void)numbers;
    return key.size == 1 && !number_record_read(value, &until);
}

static bool is_snoozed(struct check *check, struct slice key, const uint64_t *numbers,
                       struct slice value)
{
    (void)key;
    return check_snooze_belongs(check, numbers, value);
}

static const struct rule rules[] = {
    {KEY_NAME, 2, of_name, "a name"},
    {KEY_COLLECTION, 1, of_collection, "a collection's record"},
    {KEY_DIRECTORY, 1, of_collection_or_deleted, "a page directory"},
    {KEY_KEYWORDS, 1, of_collection_or_deleted, "names of keywords"},
    {KEY_ACL, 1, is_list, "an access control list"},
    {KEY_ACCESS_KEY, 1, is_access_key, "a key that signs URLs"},
    {KEY_SEEN, 1, is_seen, "what another has seen"},
    {KEY_INTENT, 0, is_note, "the note of a move"},
    {KEY_PAGE, 2, of_collection_or_deleted, "a page of entries"},
    {KEY_VANISHED, 3, of_collection_or_deleted, "tombstones"},
    {KEY_EXPUNGED, 3, of_collection_or_deleted, "expunged entries"},
    {KEY_DELETED, 1, is_deleted, "a deleted collection's record"},
    {KEY_DESTROYED, 3, is_destroyed, "a tombstone"},
    {KEY_DAY, 1, is_day, "a day's mark"},
    {KEY_ANNOTATION, 1, of_annotated, "an annotation"},
    {KEY_MESSAGE_ANNOTATION, 2, of_annotated, "an annotation of a message"},
    {KEY_ANNOTATION_CHANGES, 2, are_changes, "what annotations were changed last"},
    {KEY_DELIVERED, 0, is_delivery, "a delivery"},
    {KEY_REMEMBERED, 0, is_delivery, "something remembered"},
    {KEY_SCRIPT, 1, is_script, "a Sieve script"},
    {KEY_MESSAGE, 1, is_readable_message, "a message's record"},
    {KEY_SUMMARY, 1, of_message, "a summary"},
    {KEY_BODY, 1, of_message, "a body"},
    {KEY_HASH, 0, of_hash, "a hash"},
    {KEY_OUTGOING, 1, is_outgoing, "a message on its way out"},
    {KEY_OUTGOING_BODY, 1, of_outgoing, "the bytes of a message on its way out"},
    {KEY_SNOOZED, 2, is_snoozed, "when a message wakes"},
    {KEY_OUTGOING_RATE, 0, is_rate, "what has been sent in the last hour"},
};

static const struct rule *rule_of(struct slice key)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (key.data[0] == (char)rules[i].family)
            return &rules[i];
    return NULL;
}

static int look(struct check *check, struct slice key, const uint64_t *numbers, struct slice value)
{
    const struct rule *rule = rule_of(key);
    if (numbers && rule->belongs(check, key, numbers, value))
        return 0;
    if (!check_wrong(check, "%s belongs to nothing, or cannot be read", rule->what))
        return 0;
    uint16_t size = (uint16_t)key.size;
    buffer_append(&check->body, slice_make(&size, sizeof(size)));
    return buffer_append(&check->body, key);
}

static int delete_found(struct check *check)
{
    struct slice rest = buffer_slice(&check->body);
    int error = 0;
    while (rest.size && !error) {
        uint16_t size;
        memcpy(&size, rest.data, sizeof(size));
        error = change_delete(check->change, slice_sub(rest, sizeof(size), size));
        rest = slice_sub(rest, sizeof(size) + size, SIZE_MAX);
    }
    return error;
}

int check_rest(struct check *check)
{
    int error = check_names(check);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !error; i++) {
        buffer_clear(&check->body);
        error = check_each(check, rules[i].family, rules[i].numbers, look);
        if (!error)
            error = delete_found(check);
    }
    return error;
}
