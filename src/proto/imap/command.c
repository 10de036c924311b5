/*
 * The table of commands, and the part of a command that all have: tag and name.
 */
#include "proto/imap/parse_priv.h"

#include <ctype.h>

enum {
    ANY = IMAP_STATE_NOT_AUTHENTICATED | IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED,
    BEFORE = IMAP_STATE_NOT_AUTHENTICATED,
    AFTER = IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED,
    SELECTED = IMAP_STATE_SELECTED,
};

const struct imap_command_row imap_commands[IMAP_COMMAND_COUNT] = {
    [IMAP_CAPABILITY] = {"CAPABILITY", ANY, false, imap_parse_nothing},
    [IMAP_NOOP] = {"NOOP", ANY, false, imap_parse_nothing},
    [IMAP_LOGOUT] = {"LOGOUT", ANY, false, imap_parse_nothing},
    [IMAP_ID] = {"ID", ANY, false, imap_parse_id},
    [IMAP_STARTTLS] = {"STARTTLS", BEFORE, false, imap_parse_nothing},
    [IMAP_AUTHENTICATE] = {"AUTHENTICATE", BEFORE, false, imap_parse_authenticate},
    [IMAP_LOGIN] = {"LOGIN", BEFORE, false, imap_parse_login},
    [IMAP_LANGUAGE] = {"LANGUAGE", ANY, false, imap_parse_language},
    [IMAP_ENABLE] = {"ENABLE", AFTER, false, imap_parse_enable},
    [IMAP_NAMESPACE] = {"NAMESPACE", AFTER, false, imap_parse_nothing},
    [IMAP_SELECT] = {"SELECT", AFTER, false, imap_parse_select},
    [IMAP_EXAMINE] = {"EXAMINE", AFTER, false, imap_parse_select},
    [IMAP_CREATE] = {"CREATE", AFTER, false, imap_parse_create},
    [IMAP_DELETE] = {"DELETE", AFTER, false, imap_parse_mailbox},
    [IMAP_RENAME] = {"RENAME", AFTER, false, imap_parse_rename},
    [IMAP_SUBSCRIBE] = {"SUBSCRIBE", AFTER, false, imap_parse_mailbox},
    [IMAP_UNSUBSCRIBE] = {"UNSUBSCRIBE", AFTER, false, imap_parse_mailbox},
    [IMAP_LIST] = {"LIST", AFTER, false, imap_parse_list},
    [IMAP_LSUB] = {"LSUB", AFTER, false, imap_parse_lsub},
    [IMAP_STATUS] = {"STATUS", AFTER, false, imap_parse_status},
    [IMAP_APPEND] = {"APPEND", AFTER, false, imap_parse_append},
    [IMAP_REPLACE] = {"REPLACE", SELECTED, true, imap_parse_replace},
    [IMAP_RESETKEY] = {"RESETKEY", AFTER, false, imap_parse_resetkey},
    [IMAP_GENURLAUTH] = {"GENURLAUTH", AFTER, false, imap_parse_genurlauth},
    [IMAP_URLFETCH] = {"URLFETCH", AFTER, false, imap_parse_urlfetch},
    [IMAP_GETQUOTA] = {"GETQUOTA", AFTER, false, imap_parse_getquota},
    [IMAP_GETQUOTAROOT] = {"GETQUOTAROOT", AFTER, false, imap_parse_mailbox},
    [IMAP_SETQUOTA] = {"SETQUOTA", AFTER, false, imap_parse_setquota},
    [IMAP_GETMETADATA] = {"GETMETADATA", AFTER, false, imap_parse_getmetadata},
    [IMAP_SETMETADATA] = {"SETMETADATA", AFTER, false, imap_parse_setmetadata},
    [IMAP_COMPRESS] = {"COMPRESS", AFTER, false, imap_parse_compress},
    [IMAP_IDLE] = {"IDLE", AFTER, false, imap_parse_nothing},
    [IMAP_CHECK] = {"CHECK", SELECTED, false, imap_parse_nothing},
    [IMAP_CLOSE] = {"CLOSE", SELECTED, false, imap_parse_nothing},
    [IMAP_UNSELECT] = {"UNSELECT", SELECTED, false, imap_parse_nothing},
    [IMAP_EXPUNGE] = {"EXPUNGE", SELECTED, true, imap_parse_expunge},
    [IMAP_SEARCH] = {"SEARCH", SELECTED, true, imap_parse_search},
    [IMAP_SORT] = {"SORT", SELECTED, true, imap_parse_sort},
    [IMAP_THREAD] = {"THREAD", SELECTED, true, imap_parse_thread},
    [IMAP_FETCH] = {"FETCH", SELECTED, true, imap_parse_fetch},
    [IMAP_STORE] = {"STORE", SELECTED, true, imap_parse_store},
    [IMAP_COPY] = {"COPY", SELECTED, true, imap_parse_copy},
    [IMAP_MOVE] = {"MOVE", SELECTED, true, imap_parse_copy},
    [IMAP_SETACL] = {"SETACL", AFTER, false, imap_parse_setacl},
    [IMAP_DELETEACL] = {"DELETEACL", AFTER, false, imap_parse_acl},
    [IMAP_GETACL] = {"GETACL", AFTER, false, imap_parse_mailbox},
    [IMAP_LISTRIGHTS] = {"LISTRIGHTS", AFTER, false, imap_parse_acl},
    [IMAP_MYRIGHTS] = {"MYRIGHTS", AFTER, false, imap_parse_mailbox},
    [IMAP_CANCELUPDATE] = {"CANCELUPDATE", SELECTED, false, imap_parse_cancel_update},
    [IMAP_UNAUTHENTICATE] = {"UNAUTHENTICATE", AFTER, false, imap_parse_nothing},
    [IMAP_ESEARCH] = {"ESEARCH", AFTER, true, imap_parse_esearch},
    [IMAP_NOTIFY] = {"NOTIFY", AFTER, false, imap_parse_notify},
    [IMAP_UIDBATCHES] = {"UIDBATCHES", SELECTED, false, imap_parse_uidbatches},
};

/* tag = 1*<any ASTRING-CHAR except "+">. Nothing is taken where it is not followed by a space. */
static void parse_tag(struct imap_cursor *cursor, char *tag, struct imap_command *command)
{
    size_t size = 0;
    while (cursor->at + size < cursor->end && size <= IMAP_TAG_MAXIMUM &&
           isgraph((unsigned char)cursor->at[size]) && !strchr("(){%*\"\\+", cursor->at[size]))
        size++;
    cursor->what = "Tag";
    if (size > IMAP_TAG_MAXIMUM) {
        imap_fail(cursor, "too long");
        return;
    }
    if (size == 0) {
        imap_fail(cursor, "expected letters and digits");
        return;
    }
    if (cursor->at + size < cursor->end && cursor->at[size] != ' ') {
        imap_fail(cursor, "expected letters, digits and a space");
        return;
    }
    memcpy(tag, cursor->at, size);
    command->tag = slice_make(tag, size);
    cursor->at += size;
}

void imap_parse_head(struct imap_cursor *cursor, uint32_t states, char *tag,
                     struct imap_command *command)
{
    *command = (struct imap_command){.tag = SLICE("*")};
    parse_tag(cursor, tag, command);
    imap_argument(cursor, "Command");
    command->uid = imap_take_word(cursor, "UID");
    if (command->uid)
        imap_argument(cursor, "Command after UID");
    int row = imap_find_name(imap_word(cursor), &imap_commands[0].name, IMAP_COMMAND_COUNT,
                             sizeof(imap_commands[0]));
    if (row < 0 || !(imap_commands[row].states & states) ||
        (command->uid && !imap_commands[row].uid)) {
        imap_fail(cursor, "unknown");
        return;
    }
    command->id = (enum imap_command_id)row;
}

void imap_parse_arguments(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_commands[command->id].parse(cursor, command);
    if (!cursor->problem && cursor->at < cursor->end) {
        cursor->what = "Command";
        imap_fail(cursor, "something follows the arguments");
    }
    if (arena_failed(cursor->arena) && !cursor->problem) {
        cursor->what = "Command";
        imap_fail(cursor, "too large");
    }
}
