/*
 * valid_ext_list (RFC 6134 section 2.7); :list itself is a match type and an argument of redirect.
 */
#include "base/error.h"
#include "sieve/run_priv.h"

/* Operands: 0 names. */
static int run_valid_ext_list(struct run *run, const uint32_t *operands)
{
    run->truth = run->host->list_valid != NULL;
    for (size_t i = 0; i < run_list_size(run, operands[0]) && run->truth; i++) {
        bool valid = false;
        int error = run->host->list_valid(run->host->arg, run_list_at(run, operands[0], i), &valid);
        if (error)
            return run_fail(run, "lists cannot be looked up: %s", error_text(error));
        run->truth = valid;
    }
    return 0;
}

const struct definition definition_valid_ext_list = {.name = "valid_ext_list",
                                                     .extension = EXT_EXTLISTS,
                                                     .test = true,
                                                     .operands = "l",
                                                     .positions = "a",
                                                     .run = run_valid_ext_list};
