/*
 * The tree of a script: commands with arguments, tests and blocks (RFC 5228 section 8.2). Made by
 * the parser, completed by the validator, read by the compiler. All of it is in one arena.
 */
#ifndef SIEVE_TREE_PRIV_H
#define SIEVE_TREE_PRIV_H

#include "sieve/lexer_priv.h"

enum {
    OPERANDS_MAXIMUM = 20,                  /* operands of one instruction */
    TREE_MEMORY_MAXIMUM = 64 * 1024 * 1024, /* bytes of arena for a script's tree */
};

enum argument_kind { ARGUMENT_NUMBER, ARGUMENT_TAG, ARGUMENT_STRING, ARGUMENT_LIST };

struct tree_string {
    struct slice text;
    unsigned line, column;
    struct tree_string *next;
};

struct argument {
    enum argument_kind kind;
    unsigned line, column;
    struct slice tag;
    uint64_t number;
    struct tree_string *strings; /* ARGUMENT_STRING: one */
    size_t string_count;
    struct argument *next;
};

/* How values are compared with keys: a word of the bytecode. */
enum match_type {
    MATCH_IS,
    MATCH_CONTAINS,
    MATCH_MATCHES,
    MATCH_REGEX,
    MATCH_COUNT,
    MATCH_VALUE,
    MATCH_LIST,
    MATCH_TYPES,
};
enum match_comparator {
    COMPARATOR_ASCII_CASEMAP, /* the default, RFC 5228 section 2.7.3 */
    COMPARATOR_OCTET,
    COMPARATOR_ASCII_NUMERIC,
    COMPARATOR_UNICODE_CASEMAP,
    COMPARATORS,
};
enum match_relation {
    RELATION_GT,
    RELATION_GE,
    RELATION_LT,
    RELATION_LE,
    RELATION_EQ,
    RELATION_NE,
    RELATIONS
};

/* What the validator found for an operand. */
enum operand_kind { OPERAND_NONE, OPERAND_ARGUMENT, OPERAND_WORD, OPERAND_TEXT };

struct operand {
    enum operand_kind kind;
    const struct argument *argument;
    uint32_t word;
};

struct definition;

/* A command, or a test: the same but for what may follow. */
struct command {
    struct slice name;
    unsigned line, column;
    struct argument *arguments;
    struct command *tests;
    bool test_list; /* the tests stood in parentheses */
    bool has_block;
    struct command *block;
    struct command *next;
    /* The validator's. */
    const struct definition *definition; /* NULL: a control command or test of the compiler's own */
    unsigned control;                    /* enum control, then */
    bool skipped;                        /* what an ihave leaves out: never run, not validated */
    bool test_skipped;                   /* the test of a skipped branch */
    bool settles;                        /* a branch behind which no other is taken */
    enum match_type match;
    enum match_comparator comparator;
    enum match_relation relation;
    struct operand operands[OPERANDS_MAXIMUM];
};

/* Parses a script; the first error ends it (ERROR_SYNTAX, ERROR_LIMIT). *commands may be NULL for
 * an empty script. */
int parse_script(struct slice script, struct arena *arena, struct sieve_report *report,
                 struct command **commands);

#endif
