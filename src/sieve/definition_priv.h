/*
 * What a command or test is: one row for each, by which scripts are validated, compiled, verified
 * and run. Each has its own file, or one with its siblings.
 */
#ifndef SIEVE_DEFINITION_PRIV_H
#define SIEVE_DEFINITION_PRIV_H

#include "sieve/bytecode_priv.h"

/* Extensions, in the order of extension_names. */
enum extension {
#define EXTENSION(symbol, name) symbol,
#include "sieve/extensions.def"
#undef EXTENSION
    EXTENSION_COUNT
};

const char *extension_name(enum extension extension);
/* EXTENSION_COUNT when there is none of this name. */
enum extension extension_find(struct slice name);

/*
 * An instruction's operands: its signature has a letter for each.
 *
 *     s  a string          S  a string or none
 *     l  a list            L  a list or none
 *     n  a number          N  a number or none
 *     k  keys: a list and how to compare with it            K  keys or none
 *     v  a variable's number                               V  a variable's number or none
 *     w  a word: flags, or one of some values
 *     j  a jump's target
 *
 * A script gives them as tagged arguments, each of which has a row below, and as positional ones
 * in the order of `positions`.
 */
enum tag_kind {
    TAG_FLAG,       /* ors the value into a word */
    TAG_CHOICE,     /* sets a word to the value; of one word's choices only one may stand */
    TAG_VALUE,      /* the argument behind it is the operand (S, L or N) */
    TAG_MATCH,      /* value: enum match_type; :count and :value have a relation behind them */
    TAG_COMPARATOR, /* the comparator's name is behind it */
    TAG_SECONDS,    /* as TAG_VALUE, for a number to be multiplied with the value */
    TAG_STRINGS,    /* as TAG_VALUE, and sets nothing else; for `checks` alone */
};

struct tag {
    const char *name;
    enum extension extension;
    enum tag_kind kind;
    unsigned operand;
    uint32_t value;
};

/* Tags that several definitions share; all lists end with a NULL name. */
extern const struct tag match_tags[];        /* match types and comparators */
extern const struct tag address_part_tags[]; /* operand 0 */
extern const struct tag set_tags[];          /* modifiers of set: operand 0 */

enum { TAG_LISTS = 4 };

struct validator;
struct run;

struct definition {
    const char *name;
    enum extension extension;
    bool test;
    const char *operands;  /* the signature */
    const char *positions; /* the operands of positional arguments, as letters: 'a' is operand 0 */
    const struct tag *tags[TAG_LISTS]; /* NULL behind the last */
    bool first_optional;               /* the first position may be left out (RFC 5232 section 3) */
    bool takes_test;                   /* a command with one test, compiled before it */
    bool may_be_before_require;
    /* Further checks of a command; reports and returns nothing. NULL: none. */
    void (*check)(struct validator *validator, struct command *command);
    /* Runs it; a test sets run->truth. An error has been reported by run_fail. */
    int (*run)(struct run *run, const uint32_t *operands);
};

/* NULL behind the last. */
const struct definition *definition_at(size_t index);

/* Compiles a regular expression (the caller frees it): ERROR_SYNTAX with a reason in the text,
 * ERROR_LIMIT. */
struct pcre2_real_code_8;
int regex_compile(struct slice pattern, enum match_comparator comparator,
                  struct pcre2_real_code_8 **code, char text[SIEVE_PROBLEM_TEXT_MAXIMUM]);

void regex_free(struct pcre2_real_code_8 **code);
size_t regex_memory(const struct pcre2_real_code_8 *code); /* bytes */

/* For checks. */
bool validator_has(const struct validator *validator, enum extension extension);
/* Whether a string is the same whenever the script runs: it names no variable. */
bool validator_is_constant(const struct validator *validator, struct slice text);
void validator_error(struct validator *validator, unsigned line, unsigned column,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The strings of an operand, or NULL when it was not given. */
const struct tree_string *operand_strings(const struct command *command, unsigned operand);

/* The arena that the tree is in. */
struct arena *validator_arena(struct validator *validator);

/* Whether an extension's command or argument may stand; reports otherwise. */
bool validator_needs(struct validator *validator, const struct command *command,
                     enum extension extension, const char *before, struct slice what);

/* Checks that the operand's strings are addresses that mail can be sent to. */
void check_address(struct validator *validator, const struct command *command, unsigned operand);

/* Checks that of one precedence there is one modifier alone. */
void check_modifiers(struct validator *validator, const struct command *command);

/* Checks the arguments of a copy, four operands from `first` on; `create` is a flag in a word. */
void check_fcc(struct validator *validator, const struct command *command, unsigned first,
               unsigned word, uint32_t create);

#define DEFINITION(symbol) extern const struct definition symbol;
#include "sieve/definitions.def"
#undef DEFINITION

#endif
