/*
 * What the files of the test of rights share: a caller, and the calls that are not in test_rights.c
 * itself. Each call may be made any number of times.
 */
#ifndef TESTS_UNIT_STORE_RIGHTS_TEST_H
#define TESTS_UNIT_STORE_RIGHTS_TEST_H

#include "store_test.h"

struct caller {
    struct fixture *f;
    struct store *store;
    struct store_view *view;
    struct who who;
    collection_id mailbox; /* "Trial/Box": UIDs 1 to 3, 1 has \Deleted; 4 was expunged */
    uint64_t number;       /* of message 2, which is in no other mailbox */
    struct prepared_message *message;
    struct range_set uids;
    unsigned count;
};

/* --- rights_delivery.c --- */

int call_script_put(struct caller *c);
int call_script_list(struct caller *c);
int call_script_find(struct caller *c);
int call_script_read(struct caller *c);
int call_script_check_room(struct caller *c);
int call_script_rename(struct caller *c);
int call_script_activate(struct caller *c);
int call_script_delete(struct caller *c);
int call_deliver(struct caller *c);
int call_remembers(struct caller *c);
int call_outgoing_list(struct caller *c);
int call_outgoing_claim(struct caller *c);
int call_outgoing_renew(struct caller *c);
int call_outgoing_release(struct caller *c);
int call_outgoing_read(struct caller *c);
int call_outgoing_settle(struct caller *c);
int call_outgoing_retry(struct caller *c);
int call_outgoing_remove(struct caller *c);
int call_snooze_list(struct caller *c);
int call_snooze_wake(struct caller *c);
int call_due_notes(struct caller *c);
int call_due_note_of(struct caller *c);
int call_due_note_next(struct caller *c);
int call_due_note_renew(struct caller *c);
int call_site_put(struct caller *c);
int call_site_list(struct caller *c);
int call_site_find(struct caller *c);
int call_site_read(struct caller *c);
int call_site_around(struct caller *c);
int call_site_of_events(struct caller *c);
int call_site_has_events(struct caller *c);
int call_event_script_name(struct caller *c);
int call_site_activate(struct caller *c);
int call_site_delete(struct caller *c);

#endif
