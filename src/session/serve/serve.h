/*
 * A session of commands, one after the other, each answered before the next is read: the turns of
 * POP3 and ManageSieve, and what such a session keeps between them.
 *
 *     greeting -> reading --a command--> busy, in slices --> reading ... closing
 *
 * A protocol embeds a struct turns as the first member of its own, and says through struct
 * turn_functions what is its own.
 */
#ifndef SESSION_SERVE_SERVE_H
#define SESSION_SERVE_SERVE_H

#include "session/stream.h"

struct turns;

/* `turns` is the protocol's own session. */
struct turn_functions {
    /* The answer to the login. It may set closing. */
    void (*greet)(struct turns *turns);
    /* Between commands: says goodbye, and sets closing, when time is over or the process ends. */
    void (*say_goodbye)(struct turns *turns);
    /* Takes the next command: answers it, or is busy with it from then on. False: it is not there
     * yet. */
    bool (*read)(struct turns *turns);
    /* Whether it is busy with a command, and whether what comes next of that changes what is
     * stored, which waits while the gate is closed (base/gate.h). */
    bool (*is_busy)(const struct turns *turns);
    bool (*changes)(const struct turns *turns);
    /* One slice of the command that it is busy with. */
    void (*go_on)(struct turns *turns);
};

struct turns {
    struct stream *stream;
    struct store_view *view; /* only while it runs */
    uint64_t deadline;       /* of the slice; clock_monotonic_us */
    bool greeted;
    bool closing;
    bool leaving; /* nobody is logged in any more: the stream goes back to chapar-login */
};

/* The protocol's stream_protocol.run. */
enum stream_need turns_run(struct turns *turns, const struct turn_functions *functions);

/* Whether the slice is over: in time, in output, or with an error of the output. */
bool turns_slice_over(const struct turns *turns);

/* The account as its owner sees it, opened when it is first asked for in a run. */
int turns_view(struct turns *turns, struct store_view **view);

/* Notes what the thread serves, should it die of it (service_note). */
void turns_note(const struct turns *turns, const char *command);

#endif
