/*
 * Streams from chapar-login: each comes with a single-use ticket, and who it is comes from
 * chapar-auth alone, which redeems the ticket. So a login process taken over by an attacker cannot
 * claim to be somebody.
 *
 *     login --STREAM, socket--> waiting --TICKET_REDEEM--> auth --TICKET_GRANTED--> worker_adopt
 *
 * A stream that cannot be served is told so as the answer to its login command, and closed. One on
 * which nobody is logged in any more (STREAM_NEED_LOGIN) goes back to a chapar-login, with what was
 * read of it; when there is none, or that is more than STREAM_BACK_INPUT_MAXIMUM, it is told so
 * too. For the loop's thread alone.
 */
#ifndef SESSION_HANDOVER_H
#define SESSION_HANDOVER_H

#include "session/worker.h"

enum {
    HANDOVER_WAITING_MAXIMUM = 1024, /* streams whose tickets are being redeemed */
    HANDOVER_TIMEOUT = 10,           /* seconds chapar-auth has to redeem one */
};

/* A protocol that logins hand streams over for. */
struct handover_protocol {
    uint8_t number; /* enum service_protocol */
    const struct stream_protocol *protocol;
};

struct handover;

/* The list ends with protocol == NULL. Worker and list must outlive the handover. */
int handover_create(uv_loop_t *loop, struct worker *worker,
                    const struct handover_protocol *protocols, struct handover **handover);

/* `lost` is called when a peer's channel has closed, with the error that it closed with. */
void handover_on_lost(struct handover *handover,
                      void (*lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg),
                      void *arg);

/* A channel to the chapar-login or chapar-auth of this slot, in place of an earlier one. Takes the
 * socket over, also on failure. */
int handover_login(struct handover *handover, uint32_t slot, int socket);
int handover_auth(struct handover *handover, uint32_t slot, int socket);

/* Takes nothing new: logins that hand a stream over from now on learn that at once and look for
 * another session. What they had handed over before is served; only then lets the worker end, which
 * the handover holds (worker_hold). */
void handover_drain(struct handover *handover);

/* Closes the channels and refuses what waits. Its handles are gone after the loop's next turn; free
 * it then. */
void handover_end(struct handover *handover);
void handover_free(struct handover **handover);

#endif
