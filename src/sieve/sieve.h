/*
 * Sieve (RFC 5228): scripts that say what becomes of a message.
 *
 *     script --sieve_compile--> bytecode --sieve_program_load--> program --sieve_run--> actions
 *
 * The bytecode is what is stored: it has a version, and sieve_program_load verifies it, so that
 * any bytes that pass are safe to run. A program is immutable: threads may share it.
 *
 * The engine knows no storage and no network. What a script asks of its surroundings, and what it
 * wants done, goes through struct sieve_host (sieve/host.h). Actions are gathered while the script
 * runs and handed over when it has ended: after a run-time error there is one alone, the implicit
 * keep (RFC 5228 section 2.10.6). No call here blocks but for what the host's own functions do.
 */
#ifndef SIEVE_SIEVE_H
#define SIEVE_SIEVE_H

#include "base/buffer.h"
#include "sieve/host.h"

enum {
    /* What a script may be. */
    SIEVE_SCRIPT_MAXIMUM = 1024 * 1024,       /* bytes of its text */
    SIEVE_NESTING_MAXIMUM = 32,               /* blocks, tests in tests, each */
    SIEVE_STRING_MAXIMUM = 64 * 1024,         /* bytes of one string */
    SIEVE_ARGUMENTS_MAXIMUM = 40,             /* arguments of one command or test */
    SIEVE_CONSTANTS_MAXIMUM = 32 * 1024,      /* strings, lists and numbers in the bytecode */
    SIEVE_CODE_MAXIMUM = 128 * 1024,          /* 32-bit words of code */
    SIEVE_BYTECODE_MAXIMUM = 4 * 1024 * 1024, /* bytes of a stored program */
    SIEVE_PROBLEMS_MAXIMUM = 20,              /* errors and warnings that are kept of one script */
    SIEVE_PROBLEM_TEXT_MAXIMUM = 200,         /* bytes of one of them, its NUL included */
    SIEVE_VARIABLES_MAXIMUM = 256, /* names in one script (RFC 5229 section 6: 128 or more) */
    SIEVE_REGEX_MAXIMUM = 1024,    /* bytes of a regular expression */
    SIEVE_REGEX_MEMORY_MAXIMUM = 256 * 1024, /* bytes one may take, compiled */
    SIEVE_SNOOZE_TIMES_MAXIMUM = 100,        /* of one snooze */
    /* What a run may do. */
    SIEVE_STEPS_MAXIMUM = 200000, /* instructions, comparisons, and 64 bytes of text read */
    SIEVE_ACTIONS_MAXIMUM = 64,
    SIEVE_REDIRECTS_MAXIMUM = 8,
    SIEVE_INCLUDE_DEPTH_MAXIMUM = 10,        /* scripts in one another (RFC 6609 section 3.2) */
    SIEVE_INCLUDES_MAXIMUM = 100,            /* included in one run */
    SIEVE_VARIABLE_MAXIMUM = 16 * 1024,      /* bytes of a variable's value; the rest is cut off */
    SIEVE_MEMORY_MAXIMUM = 16 * 1024 * 1024, /* bytes for a run's strings and the message's parts */
    /* Bytes of the texts that one run makes of the message (RFC 5703 sections 5, 6); one alone may
     * be larger. */
    SIEVE_CHANGED_MAXIMUM = 64 * 1024 * 1024,
    SIEVE_REGEX_STEPS_MAXIMUM = 20000, /* PCRE2's match limit for one comparison */
    SIEVE_REGEX_DEPTH_MAXIMUM = 1000,  /* its backtracking depth */
};

/* The version of the bytecode this build writes, and the only one it runs: another one's script
 * is compiled again. */
enum { SIEVE_BYTECODE_VERSION = 1 };

/* An error or a warning, in plain words, without a full stop. */
struct sieve_problem {
    bool warning;
    unsigned line, column; /* from 1; columns count characters */
    char text[SIEVE_PROBLEM_TEXT_MAXIMUM];
};

/* What is said of a script, in the order it was found. */
struct sieve_report {
    size_t errors;
    size_t count; /* of problems; further ones are counted in errors alone */
    struct sieve_problem problems[SIEVE_PROBLEMS_MAXIMUM];
};

struct definition;

/* How to compile; NULL and zeros are the defaults. */
struct sieve_options {
    const char *const *disabled; /* extensions that are not offered; ends with NULL */
    const struct definition *const
        *definitions; /* further commands, the tests' own; ends with
                         NULL. To be the same for compiling and loading */
};

/* Appends the script's bytecode. ERROR_SYNTAX: the report says why; nothing is appended.
 * ERROR_LIMIT: the same, for a script that passes one of the maximums above. The report is always
 * filled in (warnings too). */
int sieve_compile(struct slice script, const struct sieve_options *options, struct buffer *bytecode,
                  struct sieve_report *report);

struct sieve_program;

/* Verifies the bytecode, copies it and prepares it for running. The options (NULL: all defaults)
 * are not owned and must outlive the program. ERROR_CORRUPT: it breaks a rule; ERROR_UNSUPPORTED:
 * it is of another version; ERROR_LIMIT, ERROR_MEMORY. */
int sieve_program_load(struct slice bytecode, const struct sieve_options *options,
                       struct sieve_program **program);
void sieve_program_free(struct sieve_program **program);

/* Bytes of memory that it takes. */
size_t sieve_program_memory(const struct sieve_program *program);

/* How a run ended. */
struct sieve_outcome {
    bool failed;   /* a run-time error: the implicit keep was the only action */
    unsigned line; /* where */
    char text[SIEVE_PROBLEM_TEXT_MAXIMUM]; /* why, for the script's owner */
    bool kept; /* the message goes to the inbox, because the script said so or nothing else */
    size_t actions;
    uint64_t steps; /* see SIEVE_STEPS_MAXIMUM */
};

/* Runs the program for one message and performs its actions. Returns 0 also after a run-time
 * error (outcome->failed); else what the host's perform returned, or ERROR_MEMORY. */
int sieve_run(const struct sieve_program *program, const struct sieve_input *input,
              const struct sieve_host *host, struct sieve_outcome *outcome);

#endif
