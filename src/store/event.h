/*
 * Sieve scripts for IMAP events (RFC 6785): which one is to run for what happens in a mailbox. The
 * store runs none; who does is session/sieve.
 *
 * An annotation names a script of the account: that of the mailbox, or else that of the account
 * (section 2.3.1). Whether there is any is a bit in records that every change of a mailbox reads in
 * any case: where none is set, nothing is looked for. Besides there are the administrator's
 * (store/site_script.h).
 */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "store/collection.h"

/* The annotation's name; it is shared. */
#define EVENT_ANNOTATION "/imapsieve/script"

/* Whether a mailbox for which a script is set was changed through the view since this was asked
 * last. Reads nothing. */
bool store_view_take_events(struct store_view *view);

/* The script's name, in the arena, empty when none is to be run. ERROR_NOT_FOUND: neither
 * annotation is there. Whoever may read the account: ERROR_DENIED. */
int event_script_name(struct store_view *view, collection_id mailbox, struct arena *arena,
                      struct slice *name);

#endif
