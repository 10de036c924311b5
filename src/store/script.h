/*
 * Sieve scripts of an account: texts with names, of which at most one is active and run when mail
 * arrives. The store does not read them; who puts one has compiled it (sieve/sieve.h).
 *
 *     put a name: made, or replaced      activate one: the one that was is not any more
 *     rename                             delete: but the active one
 *
 * A script has a number that outlives its name, and the modseq of the last change to its text: the
 * two tell what a compiled one was made from.
 *
 * Names are RFC 5804 section 1.6's. Scripts do not count for a quota but have limits of their own.
 * Only the account's owner may, and WHO_SYSTEM, whatever rights others have: ERROR_DENIED. Changes
 * are durable.
 */
#ifndef STORE_SCRIPT_H
#define STORE_SCRIPT_H

#include "store/store.h"

enum {
    SCRIPT_NAME_MAXIMUM = 512,         /* bytes: 128 characters and more (RFC 5804 section 1.6) */
    SCRIPT_TEXT_MAXIMUM = 256 * 1024,  /* bytes of one */
    SCRIPTS_MAXIMUM = 64,              /* of one account */
    SCRIPTS_TEXT_MAXIMUM = 1024 * 1024 /* bytes of all of them */
};

struct script {
    uint32_t id;       /* within its account; never used again; 0: none */
    struct slice name; /* UTF-8 */
    size_t size;       /* bytes of its text */
    uint64_t modseq;   /* of the last change to its text */
    bool active;
};

/* Whether a script can have this name: UTF-8 without control characters and line separators. */
bool script_name_is_valid(struct slice name);

/* All scripts, by name, in the arena. ERROR_LIMIT from the arena. */
int script_list(struct store_view *view, struct arena *arena, struct script **list, size_t *count);

/* The script of that name, or the active one when name.data is NULL; its name is in the arena.
 * ERROR_NOT_FOUND. */
int script_find(struct store_view *view, struct slice name, struct arena *arena,
                struct script *script);

/* Appends the text of a script that was found or listed. ERROR_NOT_FOUND: it has gone since, or its
 * text is another one. */
int script_read(struct store_view *view, const struct script *script, struct buffer *text);

/* Makes a script or gives it another text. It is active if it was. ERROR_SYNTAX: the name;
 * ERROR_LIMIT: there are SCRIPTS_MAXIMUM already; ERROR_QUOTA: the text, or all together, would be
 * too large. */
int script_put(struct store_view *view, struct slice name, struct slice text);

/* Whether script_put would do that with a text of so many bytes: its errors (RFC 5804 section 2.5).
 */
int script_check_room(struct store_view *view, struct slice name, uint64_t size);

/* ERROR_NOT_FOUND; ERROR_CONFLICT: it is active (RFC 5804 section 2.10). */
int script_delete(struct store_view *view, struct slice name);

/* An active one stays so. ERROR_NOT_FOUND, ERROR_EXISTS, ERROR_SYNTAX. */
int script_rename(struct store_view *view, struct slice name, struct slice to);

/* Makes it the active one; an empty name: none is (RFC 5804 section 2.8). ERROR_NOT_FOUND. */
int script_activate(struct store_view *view, struct slice name);

#endif
