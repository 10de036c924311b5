/*
 * The commands that tests written in Sieve have besides Sieve's own.
 *
 *     test_set NAME VALUE;           furnishes the world (world.h); "message" begins another one;
 *                                    "event" CAUSE: scripts run for an IMAP event, of a message
 *                                    with each "flag" that is set
 *     test_assert TEST;              the test holds
 *     test_fail TEXT;                is not reached
 *     test_actions [LINE...];        the actions so far, the implicit keep too (render.h)
 *     test_message TEXT;             the message as it is now
 *     test_output NUMBER TEXT;       the message of an action, from 1, holds the text
 *     test_refuses SCRIPT [LINE...]; it does not compile; "line:column: text" of some problem holds
 *                                    each of these
 *     test_warns SCRIPT [LINE...];   it compiles, and a warning holds each of these
 *     test_accepts SCRIPT;           it compiles without a warning
 *     test_runs SCRIPT [LINE...];    it runs in this world, with these actions
 *     test_fails SCRIPT TEXT;        it runs into an error that holds the text, and the message is
 *                                    kept
 */
#ifndef TESTS_UNIT_SIEVE_COMMANDS_H
#define TESTS_UNIT_SIEVE_COMMANDS_H

#include "sieve/run_priv.h"
#include "world.h"

/* Of struct run's `extra`. */
struct test_state {
    struct world world;
    bool failed;
    unsigned line;
    struct buffer complaint;
};

extern const struct sieve_options test_options;

#endif
