/*
 * The validator: completes the tree with what each command is, and finds what is wrong with it.
 */
#ifndef SIEVE_VALIDATE_PRIV_H
#define SIEVE_VALIDATE_PRIV_H

#include "sieve/definition_priv.h"

/* What the compiler itself does. */
enum control {
    CONTROL_NONE,
    CONTROL_REQUIRE,
    CONTROL_IF,
    CONTROL_ELSIF,
    CONTROL_ELSE,
    CONTROL_STOP,
    CONTROL_TRUE,
    CONTROL_FALSE,
    CONTROL_NOT,
    CONTROL_ALLOF,
    CONTROL_ANYOF,
    CONTROL_IHAVE,
    CONTROL_RETURN,
    CONTROL_GLOBAL,
    CONTROL_FOREVERYPART,
    CONTROL_BREAK,
};

struct validator {
    const struct sieve_options *options;
    struct sieve_report *report;
    struct arena *arena;
    bool has[EXTENSION_COUNT];  /* in force: required */
    bool used[EXTENSION_COUNT]; /* something needed it */
    struct tree_string *required[EXTENSION_COUNT];
    /* The loops open around the command at hand; data == NULL: one without a name. */
    struct slice loops[SIEVE_NESTING_MAXIMUM];
    size_t loop_count;
};

/* Validates a script's commands. ERROR_SYNTAX, ERROR_LIMIT: reported. */
int validate_script(struct validator *validator, struct command *commands);

/* Warns of what is required without need. Variables in strings are seen when it is compiled. */
void warn_of_unused(struct validator *validator);

/* Validates and compiles a tree in the arena; as sieve_compile. */
int compile_parsed(struct command *commands, const struct sieve_options *options,
                   struct arena *arena, struct buffer *bytecode, struct sieve_report *report);

/* Binds a command's or test's arguments to its definition's operands. */
void bind_arguments(struct validator *validator, struct command *command,
                    const struct definition *definition);

/* Whether the extension or one that includes it is in force (RFC 5235: spamtestplus is spamtest
 * with more). */
bool extension_in_force(const struct validator *validator, enum extension extension);

/* Replaces ${hex:...} and ${unicode:...} in the string (RFC 5228 section 2.4.2.4). */
void decode_characters(struct validator *validator, struct tree_string *string);

#endif
