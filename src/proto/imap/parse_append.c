/*
 * APPEND with one message or more (RFC 9051 section 6.3.12, RFC 3502) and REPLACE with one
 * (RFC 8508), item by item: what the messages consist of is not in the text.
 */
#include "format/date.h"
#include "proto/imap/parse_priv.h"

static void take_mailbox(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->append.mailbox = arena_copy(cursor->arena, imap_mailbox(cursor));
}

/* append = "APPEND" SP mailbox 1*append-message */
void imap_parse_append(struct imap_cursor *cursor, struct imap_command *command)
{
    take_mailbox(cursor, command);
}

/* replace = "REPLACE" SP seq-number SP mailbox append-message */
void imap_parse_replace(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_sequence_set *set = &command->append.set;
    *set = (struct imap_sequence_set){0};
    imap_argument(cursor, "Message number");
    uint32_t number = imap_take(cursor, '*') ? IMAP_STAR : imap_nz_number(cursor);
    set->ranges = imap_grow(cursor, NULL, 0, sizeof(*set->ranges));
    if (set->ranges)
        set->ranges[set->count++] = (struct imap_sequence_range){number, number};
    take_mailbox(cursor, command);
}

/* The text goes when the message's bytes come. */
static void keep_keywords(struct imap_cursor *cursor, struct imap_flags *flags)
{
    for (size_t i = 0; i < flags->keyword_count; i++)
        flags->keywords[i] = arena_copy(cursor->arena, flags->keywords[i]);
}

/* append-message = [SP flag-list] [SP date-time] SP (literal / literal8) */
static enum imap_append_item take_message(struct imap_cursor *cursor, struct imap_append *append)
{
    append->flags = (struct imap_flags){0};
    append->has_date = false;
    imap_argument(cursor, "Message");
    if (++append->count > IMAP_APPEND_MESSAGES_MAXIMUM)
        imap_fail(cursor, "too many");
    if (imap_peek(cursor) == '(') {
        cursor->what = "Flags";
        imap_flag_list(cursor, &append->flags);
        imap_argument(cursor, "Message");
    }
    if (imap_peek(cursor) == '"') {
        cursor->what = "Date";
        struct slice date = imap_string(cursor);
        append->has_date = true;
        if (!cursor->problem && date_parse_imap(date, &append->date) != 0)
            imap_fail(cursor, "expected dd-Mon-yyyy hh:mm:ss +zzzz");
        imap_argument(cursor, "Message");
    }
    append->binary = imap_take(cursor, '~');
    append->size = imap_message_literal(cursor);
    if (!cursor->problem)
        keep_keywords(cursor, &append->flags);
    append->stage = IMAP_APPEND_END;
    return IMAP_APPEND_ITEM_MESSAGE;
}

/* Behind a message: another one, or nothing. */
static enum imap_append_item take_end(struct imap_cursor *cursor, struct imap_command *command)
{
    if (cursor->at == cursor->end)
        return IMAP_APPEND_ITEM_END;
    cursor->what = "Message";
    if (command->id == IMAP_REPLACE || imap_peek(cursor) != ' ')
        imap_fail(cursor, "something follows it");
    command->append.stage = IMAP_APPEND_MESSAGE;
    return IMAP_APPEND_ITEM_NONE;
}

enum imap_append_item imap_append_next(struct imap_cursor *cursor, struct imap_command *command)
{
    switch (command->append.stage) {
    case IMAP_APPEND_HEAD:
        imap_commands[command->id].parse(cursor, command);
        if (!cursor->problem)
            command->append.stage = IMAP_APPEND_MESSAGE;
        return IMAP_APPEND_ITEM_NONE;
    case IMAP_APPEND_MESSAGE:
        return take_message(cursor, &command->append);
    case IMAP_APPEND_END:
        return take_end(cursor, command);
    }
    return IMAP_APPEND_ITEM_NONE;
}
