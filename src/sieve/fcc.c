/*
 * :fcc (RFC 8580): a copy of what vacation and notify send, filed into a mailbox.
 */
#include "sieve/run_priv.h"

void check_fcc(struct validator *validator, const struct command *command, unsigned first,
               unsigned word, uint32_t create)
{
    bool copy = operand_strings(command, first) != NULL;
    bool more = operand_strings(command, first + 1) || operand_strings(command, first + 2) ||
                operand_strings(command, first + 3) || command->operands[word].word & create;
    if (!copy && more)
        validator_error(validator, command->line, command->column,
                        ":flags, :create, :mailboxid and :specialuse need :fcc");
    if (operand_strings(command, first + 2) && operand_strings(command, first + 3))
        validator_error(validator, command->line, command->column,
                        ":mailboxid and :specialuse do not go together");
}

void action_fcc(struct run *run, struct sieve_action *action, const uint32_t *operands, bool create)
{
    if (operands[0] == NO_CONSTANT)
        return;
    action->fcc = run_string(run, operands[0]);
    if (!action->fcc.size)
        run_fail(run, ":fcc needs a mailbox's name");
    if (operands[1] != NO_CONSTANT)
        action_flags(run, action, operands[1]);
    action->mailbox_id = run_string(run, operands[2]);
    action->special_use = run_string(run, operands[3]);
    action->create = create;
}
