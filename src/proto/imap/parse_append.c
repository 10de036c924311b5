/*
 * APPEND with one message or more (RFC 9051 section 6.3.12, RFC 3502) and REPLACE with one
 * (RFC 8508), item by item: what the messages consist of is not in the text. A message is a
 * literal, or CATENATE's parts (RFC 4469).
 */
#include "format/date.h"
#include "proto/imap/parse_priv.h"
#include "proto/imap/url.h"

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

/* append-message = [SP flag-list] [SP date-time] [SP att-annotate] SP append-data
 * append-data = literal / literal8 / "CATENATE" SP "(" cat-part *(SP cat-part) ")" /
 *               "UTF8" SP "(" literal8 ")" */
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
    if (!cursor->problem)
        keep_keywords(cursor, &append->flags);
    append->annotations = (struct imap_annotations){.copies = true};
    append->stage = IMAP_APPEND_DATA;
    return IMAP_APPEND_ITEM_NONE;
}

/* RFC 6855 section 4: says no more than the literal8 alone. RFC 9755 has dropped it (appendix B.1),
 * but clients that know the former may send every message so. */
static bool take_utf8(struct imap_cursor *cursor)
{
    if (!cursor->utf8_accept || !imap_take_word(cursor, "UTF8"))
        return false;
    imap_expect(cursor, ' ', "expected a list");
    imap_expect(cursor, '(', "expected a list");
    if (imap_peek(cursor) != '~')
        imap_fail(cursor, "expected a literal8");
    return true;
}

/* Behind the space. */
static enum imap_append_item take_data(struct imap_cursor *cursor, struct imap_append *append)
{
    cursor->what = "Message";
    if (!append->annotations.complete && imap_take_word(cursor, "ANNOTATION")) {
        imap_argument(cursor, "Annotation");
        imap_expect(cursor, '(', "expected a list");
        append->stage = IMAP_APPEND_ANNOTATION;
        return IMAP_APPEND_ITEM_NONE;
    }
    append->catenates = imap_take_word(cursor, "CATENATE");
    append->in_list = false;
    if (append->catenates) {
        imap_expect(cursor, ' ', "expected a list");
        imap_expect(cursor, '(', "expected a list");
        append->binary = false;
        append->size = 0;
        append->stage = IMAP_APPEND_PART;
        return IMAP_APPEND_ITEM_CATENATE;
    }
    append->in_list = take_utf8(cursor);
    append->binary = imap_take(cursor, '~');
    append->size = imap_message_literal(cursor);
    append->stage = IMAP_APPEND_END;
    return IMAP_APPEND_ITEM_MESSAGE;
}

/* RFC 5257 section 4.7. One entry's name or value, since what is quoted must not be read twice. */
static enum imap_append_item take_annotation(struct imap_cursor *cursor, struct imap_append *append)
{
    cursor->what = "Annotation";
    imap_annotations_step(cursor, &append->annotations);
    if (!append->annotations.complete || cursor->problem)
        return IMAP_APPEND_ITEM_NONE;
    imap_argument(cursor, "Message");
    append->stage = IMAP_APPEND_DATA;
    return IMAP_APPEND_ITEM_NONE;
}

/* cat-part = "TEXT" SP literal / "URL" SP astring */
static enum imap_append_item take_part(struct imap_cursor *cursor, struct imap_append *append,
                                       struct slice *url)
{
    enum imap_append_item item = IMAP_APPEND_ITEM_URL;
    cursor->what = "Part";
    if (append->parts == IMAP_CATENATE_PARTS_MAXIMUM)
        imap_fail(cursor, "too many");
    if (imap_take_word(cursor, "TEXT")) {
        imap_argument(cursor, "Text");
        append->size = imap_message_literal(cursor);
        item = IMAP_APPEND_ITEM_TEXT;
    } else if (imap_take_word(cursor, "URL")) {
        imap_argument(cursor, "URL");
        *url = imap_astring(cursor);
        if (url->size > IMAP_URL_MAXIMUM)
            imap_fail(cursor, "too long");
    } else {
        imap_fail(cursor, "expected TEXT or URL");
    }
    if (!cursor->problem) {
        append->parts++;
        append->stage = IMAP_APPEND_PART_END;
    }
    return item;
}

static enum imap_append_item take_part_end(struct imap_cursor *cursor, struct imap_append *append)
{
    cursor->what = "Part";
    if (imap_take(cursor, ' ')) {
        append->stage = IMAP_APPEND_PART;
    } else {
        imap_expect(cursor, ')', "expected a space or a closing parenthesis behind it");
        append->stage = IMAP_APPEND_END;
    }
    return IMAP_APPEND_ITEM_NONE;
}

/* Behind a message: another one, or nothing. */
static enum imap_append_item take_end(struct imap_cursor *cursor, struct imap_command *command)
{
    cursor->what = "Message";
    if (command->append.in_list)
        imap_expect(cursor, ')', "expected a closing parenthesis behind it");
    if (cursor->at == cursor->end)
        return IMAP_APPEND_ITEM_END;
    if (command->id == IMAP_REPLACE || imap_peek(cursor) != ' ')
        imap_fail(cursor, "something follows it");
    command->append.stage = IMAP_APPEND_MESSAGE;
    return IMAP_APPEND_ITEM_NONE;
}

enum imap_append_item imap_append_next(struct imap_cursor *cursor, struct imap_command *command,
                                       struct slice *url)
{
    switch (command->append.stage) {
    case IMAP_APPEND_HEAD:
        imap_commands[command->id].parse(cursor, command);
        if (!cursor->problem)
            command->append.stage = IMAP_APPEND_MESSAGE;
        return IMAP_APPEND_ITEM_NONE;
    case IMAP_APPEND_MESSAGE:
        return take_message(cursor, &command->append);
    case IMAP_APPEND_DATA:
        return take_data(cursor, &command->append);
    case IMAP_APPEND_ANNOTATION:
        return take_annotation(cursor, &command->append);
    case IMAP_APPEND_PART:
        return take_part(cursor, &command->append, url);
    case IMAP_APPEND_PART_END:
        return take_part_end(cursor, &command->append);
    case IMAP_APPEND_END:
        return take_end(cursor, command);
    }
    return IMAP_APPEND_ITEM_NONE;
}
