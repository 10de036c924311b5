/*
 * A run: what commands and tests work with.
 *
 * A run's memory is one arena. Errors are sticky: the first one that run_fail is told of ends the
 * run, and only the implicit keep remains.
 */
#ifndef SIEVE_RUN_PRIV_H
#define SIEVE_RUN_PRIV_H

#include "sieve/message_priv.h"
#include "sieve/program_priv.h"

struct shared_variable {
    struct slice name, value;
};

enum { RUN_MARKS_MAXIMUM = 32 }; /* duplicate tests of one run */

struct duplicate_mark {
    struct slice key;
    uint64_t seconds;
};

struct run_loop {
    const struct mime_part *scope; /* the part within which it goes on; NULL: the message */
    const struct mime_part *part;  /* the one at hand */
    bool replaced;                 /* ... with whatever was within it */
    uint32_t start, end;           /* code behind OP_LOOP, and behind OP_NEXT */
};

/* The loops of one program that are open (RFC 5703 section 3), and those of who included it. */
struct loops {
    struct loops *outer;
    const struct mime_part *whole; /* what is the whole message to the program; NULL: the message */
    struct run_loop open[SIEVE_NESTING_MAXIMUM];
    size_t count;
};

struct run {
    const struct sieve_program *program; /* whose code is run now */
    const struct sieve_input *input;
    const struct sieve_host *host;
    struct sieve_outcome *outcome;
    struct arena arena;
    struct buffer scratch; /* for one comparison or query at a time */
    struct message message;
    bool truth;
    bool failed; /* outcome->text says why */
    bool stopped;
    bool vacation; /* was asked for */
    uint32_t line;
    uint64_t steps;
    /* Results. */
    bool keep_cancelled;
    struct sieve_action *actions[SIEVE_ACTIONS_MAXIMUM];
    size_t action_count, redirects;
    struct sieve_action implicit_keep;
    /* Variables. */
    struct slice **variables; /* of the program at hand; a shared one's is in `shared` */
    struct slice matches[MATCH_VARIABLES];
    struct shared_variable *shared; /* SIEVE_VARIABLES_MAXIMUM */
    size_t shared_count;
    const struct mime_part *part; /* the innermost loop's; NULL outside of loops; see run_part */
    struct loops *loops;          /* of the program at hand */
    struct slice flags;           /* the internal variable of RFC 5232 section 3 */
    bool has_flags;               /* ... has been set */
    /* Includes: the programs in one another, and all that were included. */
    const struct sieve_program *stack[SIEVE_INCLUDE_DEPTH_MAXIMUM + 1];
    size_t depth;
    const struct sieve_program *included[SIEVE_INCLUDES_MAXIMUM];
    size_t included_count;
    struct duplicate_mark marks[RUN_MARKS_MAXIMUM];
    size_t mark_count;
    int64_t started; /* RFC 5260 section 5: one time for the whole run */
    int zone;        /* minutes east of UTC */
    void *extra;     /* of the options' own definitions */
};

/* Ends the run with an error in plain words; returns ERROR_SYNTAX for the caller to return. */
int run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Counts work; false when the run has no steps left (run_fail was told). */
bool run_charge(struct run *run, uint64_t steps);

/* Memory of the run, zeroed. NULL: run_fail was told. */
void *run_alloc(struct run *run, size_t size);
struct slice run_copy(struct run *run, struct slice bytes);

/* Constants. run_string gives an empty slice with data == NULL for NO_CONSTANT, and after an
 * error; a string that is there has data. */
struct slice run_string(struct run *run, uint32_t constant);
uint64_t run_number(const struct run *run, uint32_t constant, uint64_t otherwise);
/* A list's members. NO_CONSTANT has none. */
size_t run_list_size(const struct run *run, uint32_t constant);
/* ... and their constants, each a string or a template. */
uint32_t run_list_constant(const struct run *run, uint32_t constant, size_t index);
struct slice run_list_at(struct run *run, uint32_t constant, size_t index);
/* All of them, in the run's memory. NULL for none or after an error. */
const struct slice *run_list(struct run *run, uint32_t constant, size_t *count);

/* Runs a program's code from its start, as a script of its own or an included one. */
int run_program(struct run *run, const struct sieve_program *program);

/* The user's address: the recipient's, or for an IMAP event the first the host knows; empty: none.
 */
struct slice run_user(const struct run *run);

/* Tells the host of what was found, when it wants to know. */
void run_trace(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds an action with the message as it is now; the caller fills in the rest. An equal one
 * (kind and target) is given back again (RFC 5228 section 2.10.3). NULL: run_fail was told. */
struct sieve_action *run_action(struct run *run, enum sieve_action_kind kind, struct slice target);

/* --- loops.c --- */

/* Before a program's code and behind it. */
void loops_open(struct run *run, struct loops *loops);
void loops_close(struct run *run);

/* OP_LOOP, OP_NEXT, OP_BREAK: what comes next. `start` is the code behind OP_LOOP, `end` that
 * behind the loop. */
uint32_t loop_begin(struct run *run, uint32_t start, uint32_t end);
uint32_t loop_next(struct run *run);
uint32_t loop_break(struct run *run, uint32_t count);

/* The part at hand, NULL outside of loops; the tree tells what it is now. */
const struct mime_part *run_part(struct run *run);

/* Whether it is the scope, or within it; scope NULL: the message. part NULL: no. */
bool part_is_within(const struct mime_part *part, const struct mime_part *scope);

/* What the program at hand sees as the whole message: NULL, or in one that was included within a
 * loop the part that the loop has at hand (RFC 6609 section 3.5). And its header; after an error,
 * the message's. */
const struct mime_part *run_whole(struct run *run);
const struct header *run_whole_header(struct run *run);

/* The same for commands that change it: in an included script, the part at hand of the loop around
 * it (RFC 6609 section 3.5); its loop, when it is the innermost one's. */
const struct mime_part *run_part_to_change(struct run *run, struct run_loop **loop);

/* Makes the tree of parts, as the message is now. False: run_fail was told. */
bool run_tree(struct run *run);

/* The message as it is now, changes included; as it was after run_fail was told. */
void run_message(struct run *run, struct slice *header, struct slice *body);

/* Encloses the message (message_enclose): what was at hand in loops still is, as a part of the last
 * part of the new one. */
int run_enclose(struct run *run, struct slice header, struct slice before, struct slice behind);

/* The begin and end of a run, for sieve_run and the tests' driver. */
int run_init(struct run *run, const struct sieve_program *program, const struct sieve_input *input,
             const struct sieve_host *host, struct sieve_outcome *outcome);
/* Adds the implicit keep, or after an error makes it the only action. */
void run_finish(struct run *run);
void run_release(struct run *run);

/* Sets a variable to the text after set's modifiers (RFC 5229 section 4.1). */
int set_modified(struct run *run, uint32_t modifiers, uint32_t variable, struct slice text);

/* Sets a variable; what is too long is cut off (RFC 5229 section 6). */
void run_set_variable(struct run *run, uint32_t number, struct slice value);

/* Sets the internal variable. */
void begin_flags(struct run *run, const struct slice *flags, size_t count);

/* Flags for an action: those given, or the internal variable's. */
void action_flags(struct run *run, struct sieve_action *action, uint32_t flags);

/* The flags of a list, each once. NULL for none or after an error. */
const struct slice *run_flags(struct run *run, uint32_t list, size_t *count);

/* The copy of a response: its operands are mailbox, flags, id, special use (RFC 8580). */
void action_fcc(struct run *run, struct sieve_action *action, const uint32_t *operands,
                bool create);

/* Whether the text is one address with or without a name; *bare gets local@domain. */
bool bare_address(struct slice text, struct buffer *bare);

#endif
