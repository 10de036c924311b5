/*
 * A session redeems the ticket that came with a stream: only then does it know whose it is, and
 * it has that from chapar-auth itself.
 */
#include "front/auth/auth_priv.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"

#include <sodium.h>

int redeem(struct peer *peer, struct ipc_reader *reader)
{
    uint8_t ticket[TICKET_SIZE];
    struct ticket_facts facts;
    uint64_t id = ipc_get_u64(reader);
    ipc_get_fixed(reader, ticket, sizeof ticket);
    uint8_t protocol = ipc_get_u8(reader);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    int error = tickets_redeem(peer->auth->tickets, ticket, protocol, clock_monotonic_us(), &facts);
    struct buffer body;
    buffer_init(&body, 512);
    ipc_put_u64(&body, id);
    if (error) {
        counters_add(COUNTER_AUTH_TICKETS_REFUSED, 1);
        log_warning("ticket_refused", LOG_NUMBER("protocol", protocol));
        peer_send(peer, IPC_TICKET_REFUSED, &body);
    } else {
        buffer_append(&body, slice_make(facts.account, sizeof facts.account));
        ipc_put_bytes(&body, slice_from_string(facts.name));
        peer_send(peer, IPC_TICKET_GRANTED, &body);
    }
    buffer_release(&body);
    sodium_memzero(ticket, sizeof ticket);
    return 0;
}
