/*
 * The table of commands: what runs each, and what may be told to the client at its end.
 *
 * EXPUNGE responses would change the sequence numbers that FETCH, STORE and SEARCH speak of, so
 * these do not get any; their UID forms are other commands and do (RFC 9051 section 7.5.1).
 */
#include "session/imap/session_priv.h"

const struct command_handler command_handlers[IMAP_COMMAND_COUNT] = {
    [IMAP_CAPABILITY] = {cmd_capability, 0},
    [IMAP_NOOP] = {cmd_noop, 0},
    [IMAP_LOGOUT] = {cmd_logout, COMMAND_WITHOUT_SYNC},
    [IMAP_ID] = {cmd_id, 0},
    [IMAP_ENABLE] = {cmd_enable, 0},
    [IMAP_NAMESPACE] = {cmd_namespace, 0},
    [IMAP_SELECT] = {cmd_select, COMMAND_WITHOUT_SYNC},
    [IMAP_EXAMINE] = {cmd_select, COMMAND_WITHOUT_SYNC},
    [IMAP_CREATE] = {cmd_create, COMMAND_CHANGES},
    [IMAP_DELETE] = {cmd_delete, COMMAND_CHANGES},
    [IMAP_RENAME] = {cmd_rename, COMMAND_CHANGES},
    [IMAP_SUBSCRIBE] = {cmd_subscribe, COMMAND_CHANGES},
    [IMAP_UNSUBSCRIBE] = {cmd_subscribe, COMMAND_CHANGES},
    [IMAP_LIST] = {cmd_list, 0},
    [IMAP_LSUB] = {cmd_list, 0},
    [IMAP_STATUS] = {cmd_status, 0},
    [IMAP_APPEND] = {cmd_append, COMMAND_CHANGES},
    [IMAP_GETQUOTA] = {cmd_quota, 0},
    [IMAP_GETQUOTAROOT] = {cmd_quota, 0},
    [IMAP_GETMETADATA] = {cmd_metadata, 0},
    [IMAP_SETMETADATA] = {cmd_set_metadata, COMMAND_CHANGES},
    [IMAP_COMPRESS] = {cmd_compress, 0},
    [IMAP_IDLE] = {cmd_idle, 0},
    [IMAP_CHECK] = {cmd_noop, 0},
    [IMAP_CLOSE] = {cmd_close, COMMAND_WITHOUT_SYNC | COMMAND_CHANGES},
    [IMAP_UNSELECT] = {cmd_unselect, COMMAND_WITHOUT_SYNC},
    [IMAP_EXPUNGE] = {cmd_expunge, COMMAND_CHANGES},
    [IMAP_SEARCH] = {cmd_search, COMMAND_KEEPS_NUMBERS},
    [IMAP_SORT] = {cmd_search, COMMAND_KEEPS_NUMBERS},
    [IMAP_THREAD] = {cmd_search, COMMAND_KEEPS_NUMBERS},
    [IMAP_FETCH] = {cmd_fetch, COMMAND_KEEPS_NUMBERS},
    [IMAP_STORE] = {cmd_store, COMMAND_KEEPS_NUMBERS | COMMAND_CHANGES},
    [IMAP_COPY] = {cmd_copy, COMMAND_CHANGES},
    [IMAP_MOVE] = {cmd_copy, COMMAND_CHANGES},
    [IMAP_SETACL] = {cmd_setacl, COMMAND_CHANGES},
    [IMAP_DELETEACL] = {cmd_setacl, COMMAND_CHANGES},
    [IMAP_GETACL] = {cmd_getacl, 0},
    [IMAP_LISTRIGHTS] = {cmd_listrights, 0},
    [IMAP_MYRIGHTS] = {cmd_myrights, 0},
    [IMAP_UNAUTHENTICATE] = {cmd_unauthenticate, COMMAND_WITHOUT_SYNC},
    [IMAP_ESEARCH] = {cmd_esearch, COMMAND_KEEPS_NUMBERS},
    [IMAP_NOTIFY] = {cmd_notify, 0},
    [IMAP_CANCELUPDATE] = {cmd_cancel_update, 0},
};
