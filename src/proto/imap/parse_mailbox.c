/*
 * Mailbox names and LIST's patterns: UTF-8 from here on (RFC 3501 section 5.1.3, RFC 9051
 * section 5.1).
 */
#include "format/mailbox_name.h"
#include "format/text.h"
#include "proto/imap/parse_priv.h"

#include <ctype.h>

/* No control characters: they have no place in a name, and a line's end in one would end a
 * response. */
static bool has_control(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f)
            return true;
    return false;
}

static bool has_8bit(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] >= 0x80)
            return true;
    return false;
}

/* A name with 8-bit bytes is UTF-8 already; any other is modified UTF-7, unless the client has said
 * that it speaks UTF-8. */
static struct slice to_utf8(struct imap_cursor *cursor, struct slice wire)
{
    if (cursor->problem)
        return wire;
    if (wire.size > IMAP_MAILBOX_NAME_MAXIMUM) {
        imap_fail(cursor, "too long");
        return wire;
    }
    if (has_control(wire) || (has_8bit(wire) && !text_is_utf8(wire))) {
        imap_fail(cursor, "control characters or invalid UTF-8");
        return wire;
    }
    if (cursor->utf8 || has_8bit(wire) || slice_find(wire, '&') == wire.size)
        return wire;

    struct buffer utf8 = imap_arena_buffer(cursor, 2 * wire.size);
    if (mailbox_name_from_utf7(wire, &utf8) != 0 || has_control(buffer_slice(&utf8)))
        imap_fail(cursor, "not valid modified UTF-7");
    else if (utf8.size > IMAP_MAILBOX_NAME_MAXIMUM)
        imap_fail(cursor, "too long");
    return buffer_slice(&utf8);
}

/* "inbox" and "Inbox/x" are "INBOX" and "INBOX/x". */
static struct slice normalise_inbox(struct imap_cursor *cursor, struct slice name)
{
    size_t level = slice_find(name, '/');
    struct slice inbox = SLICE("INBOX");
    if (!slice_equal_nocase(slice_sub(name, 0, level), inbox))
        return name;
    if (level == name.size)
        return inbox;
    struct slice copy = arena_copy(cursor->arena, name);
    if (copy.data)
        memcpy((char *)copy.data, inbox.data, inbox.size);
    else
        imap_fail(cursor, "too large");
    return copy;
}

struct slice imap_reference(struct imap_cursor *cursor)
{
    return normalise_inbox(cursor, to_utf8(cursor, imap_astring(cursor)));
}

struct slice imap_mailbox_name(struct imap_cursor *cursor, struct slice wire)
{
    struct slice name = normalise_inbox(cursor, to_utf8(cursor, wire));
    if (name.size == 0)
        imap_fail(cursor, "empty");
    return name;
}

struct slice imap_mailbox(struct imap_cursor *cursor)
{
    return imap_mailbox_name(cursor, imap_astring(cursor));
}

/* list-mailbox = 1*list-char / string; list-char = ATOM-CHAR / list-wildcards / resp-specials */
static bool is_list_byte(int byte)
{
    return byte > ' ' && byte != 0x7f && !strchr("(){\"\\", byte);
}

struct slice imap_list_pattern(struct imap_cursor *cursor)
{
    int byte = imap_peek(cursor);
    if (byte == '"' || byte == '{')
        return to_utf8(cursor, imap_string(cursor));
    const char *begin = cursor->at;
    while (is_list_byte(imap_peek(cursor)))
        cursor->at++;
    if (cursor->at == begin)
        imap_fail(cursor, "expected a pattern");
    return to_utf8(cursor, slice_make(begin, (size_t)(cursor->at - begin)));
}

void imap_parse_mailbox(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->mailbox = imap_mailbox(cursor);
}

/* RFC 6154 section 3: "(USE (\Sent))". One use only: a mailbox has one role here. */
void imap_parse_create(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->create.mailbox = imap_mailbox(cursor);
    if (cursor->at == cursor->end)
        return;
    imap_argument(cursor, "Create parameters");
    imap_expect(cursor, '(', "expected a list");
    if (!imap_take_word(cursor, "USE"))
        imap_fail(cursor, "only USE is known");
    imap_argument(cursor, "Special use");
    imap_expect(cursor, '(', "expected a list");
    const char *begin = cursor->at;
    if (imap_take(cursor, '\\'))
        imap_atom(cursor);
    command->create.use = slice_make(begin, (size_t)(cursor->at - begin));
    imap_expect(cursor, ')', "expected one attribute, such as \\Sent");
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

void imap_parse_rename(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->rename.from = imap_mailbox(cursor);
    imap_argument(cursor, "New mailbox name");
    command->rename.to = imap_mailbox(cursor);
}

void imap_parse_copy(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Sequence set");
    imap_sequence_set(cursor, &command->copy.set);
    imap_argument(cursor, "Mailbox name");
    command->copy.mailbox = imap_mailbox(cursor);
}
