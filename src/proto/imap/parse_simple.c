/*
 * Commands with few arguments or none: NOOP and its like, ID, LOGIN, AUTHENTICATE, ENABLE,
 * LANGUAGE, STATUS, UIDBATCHES.
 */
#include "format/base64.h"
#include "proto/imap/parse_priv.h"

void imap_parse_nothing(struct imap_cursor *cursor, struct imap_command *command)
{
    (void)cursor;
    (void)command;
}

/* RFC 2971 section 3.1: NIL, or a list of names and values. */
void imap_parse_id(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "ID parameters");
    if (imap_take_word(cursor, "NIL"))
        return;
    imap_expect(cursor, '(', "expected NIL or a list");
    if (imap_take(cursor, ')'))
        return;
    struct slice *pairs =
        arena_alloc_array(cursor->arena, 2 * IMAP_ID_FIELDS_MAXIMUM, sizeof(*pairs));
    size_t count = 0;
    if (!pairs)
        imap_fail(cursor, "too large");
    while (!cursor->problem) {
        if (count == 2 * IMAP_ID_FIELDS_MAXIMUM) {
            imap_fail(cursor, "too many fields");
            break;
        }
        pairs[count++] = imap_string(cursor);
        imap_expect(cursor, ' ', "expected a value for each name");
        pairs[count++] = imap_nstring(cursor);
        if (!imap_take(cursor, ' '))
            break;
    }
    imap_expect(cursor, ')', "expected a closing parenthesis");
    command->identification.pairs = pairs;
    command->identification.count = count;
}

void imap_parse_login(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "User name");
    command->login.user = imap_astring(cursor);
    imap_argument(cursor, "Password");
    command->login.password = imap_astring(cursor);
}

/* RFC 4959 section 3: the initial response is base64, or "=" for an empty one. */
void imap_parse_authenticate(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mechanism");
    command->authenticate.mechanism = imap_atom(cursor);
    if (cursor->at == cursor->end)
        return;
    imap_argument(cursor, "Initial response");
    struct slice text = slice_make(cursor->at, (size_t)(cursor->end - cursor->at));
    cursor->at = cursor->end;
    command->authenticate.has_initial = true;
    if (slice_equal(text, SLICE("=")))
        return;
    struct buffer initial = imap_arena_buffer(cursor, text.size);
    if (text.size == 0 || base64_decode(text, &initial) != 0) {
        if (initial.data)
            explicit_bzero(initial.data, initial.capacity);
        imap_fail(cursor, "not base64");
        return;
    }
    command->authenticate.initial = buffer_slice(&initial);
}

void imap_parse_enable(struct imap_cursor *cursor, struct imap_command *command)
{
    struct slice *capabilities =
        arena_alloc_array(cursor->arena, IMAP_ENABLE_MAXIMUM, sizeof(*capabilities));
    size_t count = 0;
    do {
        imap_argument(cursor, "Capability");
        if (!capabilities)
            imap_fail(cursor, "too large");
        if (count == IMAP_ENABLE_MAXIMUM)
            imap_fail(cursor, "too many");
        if (!cursor->problem)
            capabilities[count++] = imap_atom(cursor);
    } while (cursor->at < cursor->end);
    command->enable.capabilities = capabilities;
    command->enable.count = count;
}

/* language-cmd = "LANGUAGE" *(SP lang-range-quoted) (RFC 5255 section 3.5) */
void imap_parse_language(struct imap_cursor *cursor, struct imap_command *command)
{
    struct slice *ranges =
        arena_alloc_array(cursor->arena, IMAP_LANGUAGES_MAXIMUM, sizeof(*ranges));
    size_t count = 0;
    while (cursor->at < cursor->end && !cursor->problem) {
        imap_argument(cursor, "Language");
        if (!ranges)
            imap_fail(cursor, "too large");
        if (count == IMAP_LANGUAGES_MAXIMUM)
            imap_fail(cursor, "too many");
        if (!cursor->problem)
            ranges[count++] = imap_astring(cursor);
    }
    command->language.ranges = ranges;
    command->language.count = count;
}

static const struct {
    const char *name;
    uint32_t item;
} status_items[] = {
    {"MESSAGES", IMAP_STATUS_MESSAGES},
    {"RECENT", IMAP_STATUS_RECENT},
    {"UIDNEXT", IMAP_STATUS_UIDNEXT},
    {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
    {"UNSEEN", IMAP_STATUS_UNSEEN},
    {"DELETED", IMAP_STATUS_DELETED},
    {"SIZE", IMAP_STATUS_SIZE},
    {"MAILBOXID", IMAP_STATUS_MAILBOXID},
    {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
    {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
    {"DELETED-STORAGE", IMAP_STATUS_DELETED_STORAGE},
};

uint32_t imap_status_items(struct imap_cursor *cursor)
{
    uint32_t items = 0;
    imap_expect(cursor, '(', "expected a list");
    do {
        int row =
            imap_find_name(imap_word(cursor), &status_items[0].name,
                           sizeof(status_items) / sizeof(status_items[0]), sizeof(status_items[0]));
        if (row < 0)
            imap_fail(cursor, "unknown");
        else
            items |= status_items[row].item;
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
    return items;
}

void imap_parse_compress(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Algorithm");
    command->algorithm = imap_atom(cursor);
}

/* quota-root-name = astring (RFC 9208 section 7) */
void imap_parse_getquota(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Quota root");
    command->quota_root = imap_astring(cursor);
}

void imap_parse_status(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->status.mailbox = imap_mailbox(cursor);
    imap_argument(cursor, "Status item");
    command->status.items = imap_status_items(cursor);
}

static void add_limit(struct imap_cursor *cursor, struct imap_quota *quota)
{
    if (quota->count == IMAP_QUOTA_LIMITS_MAXIMUM)
        imap_fail(cursor, "too many");
    struct slice resource = imap_atom(cursor);
    imap_expect(cursor, ' ', "expected a limit");
    uint64_t limit = imap_number64(cursor, INT64_MAX);
    quota->limits = imap_grow(cursor, quota->limits, quota->count, sizeof(*quota->limits));
    if (!cursor->problem)
        quota->limits[quota->count++] = (struct imap_quota_limit){resource, limit};
}

/* setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")" (RFC 9208 section 7) */
void imap_parse_setquota(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Quota root");
    command->quota.root = imap_astring(cursor);
    imap_argument(cursor, "Limit");
    imap_expect(cursor, '(', "expected a list");
    if (imap_take(cursor, ')'))
        return;
    do {
        add_limit(cursor, &command->quota);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

/* message-batches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number] (RFC 10022) */
void imap_parse_uidbatches(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_batches *batches = &command->batches;
    imap_argument(cursor, "Batch size");
    *batches =
        (struct imap_batches){.size = imap_nz_number(cursor), .first = 1, .last = UINT32_MAX};
    if (cursor->at == cursor->end)
        return;
    imap_argument(cursor, "Batch range");
    batches->first = imap_nz_number(cursor);
    imap_expect(cursor, ':', "expected a range");
    batches->last = imap_nz_number(cursor);
}
