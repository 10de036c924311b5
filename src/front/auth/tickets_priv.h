/*
 * Tickets: what chapar-auth gives a login for the session to redeem, so that a login process
 * taken over by an attacker cannot claim to be somebody.
 *
 * A ticket is random, redeemed once (a try with the wrong protocol uses it up too), for the
 * protocol it was issued for, within TICKET_LIFETIME.
 *
 * The loop's thread alone. Times are clock_monotonic_us.
 */
#ifndef FRONT_AUTH_TICKETS_PRIV_H
#define FRONT_AUTH_TICKETS_PRIV_H

#include "credentials/credentials.h"
#include "ipc/service.h"

enum {
    TICKETS_MAXIMUM = 16384, /* issued, neither redeemed nor expired */
    TICKET_LIFETIME = 30,    /* seconds */
};

struct tickets;

/* Who logged in. */
struct ticket_facts {
    uint8_t account[16];
    uint8_t protocol;                        /* enum service_protocol */
    char name[CREDENTIALS_NAME_MAXIMUM + 1]; /* normalised login name */
};

/* ERROR_MEMORY. */
int tickets_create(struct tickets **tickets);
void tickets_free(struct tickets **tickets);

/* ERROR_BUSY: TICKETS_MAXIMUM are out; ERROR_MEMORY. */
int tickets_issue(struct tickets *tickets, const struct ticket_facts *facts, uint64_t now,
                  uint8_t ticket[TICKET_SIZE]);

/* ERROR_NOT_FOUND: unknown, used, too old, or issued for another protocol. */
int tickets_redeem(struct tickets *tickets, const uint8_t ticket[TICKET_SIZE], uint8_t protocol,
                   uint64_t now, struct ticket_facts *facts);

#endif
