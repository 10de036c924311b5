/*
 * reject and ereject (RFC 5429).
 */
#include "base/error.h"
#include "sieve/run_priv.h"

static int reject(struct run *run, enum sieve_action_kind kind, uint32_t reason)
{
    struct slice text = run_string(run, reason);
    if (run->input->event) /* RFC 6785 section 3.11 */
        return run_fail(run, "\"%s\" cannot be used for an IMAP event",
                        kind == SIEVE_REJECT ? "reject" : "ereject");
    struct sieve_action *action = run_action(run, kind, slice_make(NULL, 0));
    if (!text.data || !action)
        return ERROR_SYNTAX;
    action->text = text;
    run->keep_cancelled = true;
    run_trace(run, "reject: \"%.*s\"", QUOTED(text));
    return 0;
}

/* Operands of both: 0 the reason. */
static int run_reject(struct run *run, const uint32_t *operands)
{
    return reject(run, SIEVE_REJECT, operands[0]);
}

static int run_ereject(struct run *run, const uint32_t *operands)
{
    return reject(run, SIEVE_EREJECT, operands[0]);
}

const struct definition definition_reject = {.name = "reject",
                                             .extension = EXT_REJECT,
                                             .operands = "s",
                                             .positions = "a",
                                             .run = run_reject};

const struct definition definition_ereject = {.name = "ereject",
                                              .extension = EXT_EREJECT,
                                              .operands = "s",
                                              .positions = "a",
                                              .run = run_ereject};
