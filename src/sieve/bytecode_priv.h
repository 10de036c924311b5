/*
 * Bytecode: 32-bit words in the machine's byte order (another's magic number is another one), then
 * the bytes of strings.
 *
 *     header   HEADER_WORDS words
 *     constants   four words each: kind, a, b, c
 *     items    words: members of lists, pieces of templates, names of variables
 *     code     instructions
 *     bytes    of strings
 *
 * An instruction is its opcode, the script's line, and its operands, as many as the opcode's
 * signature has letters. What is verified: every constant's references lie within their table and
 * have the right kind; lists hold strings and templates alone, templates strings and variables
 * alone, so nothing is recursive; every operand has the kind its signature says; jumps go forward
 * to an instruction's start and neither into nor out of a loop; loops are properly nested; the last
 * instruction is OP_END. So a run reads nothing outside of its tables and always ends.
 */
#ifndef SIEVE_BYTECODE_PRIV_H
#define SIEVE_BYTECODE_PRIV_H

#include "sieve/tree_priv.h"

enum { BYTECODE_MAGIC = 0x76656953 }; /* "Siev" */

enum header_word {
    HEADER_MAGIC,
    HEADER_VERSION,
    HEADER_FLAGS,
    HEADER_CONSTANTS, /* how many */
    HEADER_ITEMS,     /* how many words */
    HEADER_CODE,      /* how many words */
    HEADER_BYTES,     /* how many */
    HEADER_VARIABLES, /* how many; their names are that many items from HEADER_NAMES on */
    HEADER_NAMES,     /* an item's index; such an item is a string: the name of a variable shared
                         with other scripts, or NO_CONSTANT for one of the script's own */
    HEADER_WORDS
};

enum bytecode_flag {
    BYTECODE_VARIABLES = 1, /* `variables` is required, so matches are remembered */
    BYTECODE_REJECT = 2,    /* what cannot be required for IMAP events (RFC 6785 section 3.11) */
    BYTECODE_EREJECT = 4,
    BYTECODE_VACATION = 8,
};

enum constant_kind {
    CONSTANT_STRING,   /* a: offset in the bytes; b: size */
    CONSTANT_TEMPLATE, /* a: first item, b: count */
    CONSTANT_LIST,     /* a: first item, b: count */
    CONSTANT_NUMBER,   /* a: low word, b: high word */
    CONSTANT_KEYS,     /* a: a list's constant, b: match_word() */
    CONSTANT_KINDS
};

struct constant {
    uint32_t kind, a, b, c;
};

#define NO_CONSTANT UINT32_MAX

/* A template's piece: its kind in the upper two bits, else an index. */
enum { PIECE_STRING, PIECE_VARIABLE, PIECE_MATCH, PIECE_KINDS };

static inline uint32_t piece_make(unsigned kind, uint32_t index)
{
    return (uint32_t)kind << 30 | index;
}

static inline unsigned piece_kind(uint32_t piece)
{
    return piece >> 30;
}

static inline uint32_t piece_index(uint32_t piece)
{
    return piece & 0x3fffffff;
}

enum { MATCH_VARIABLES = 10 }; /* ${0} to ${9} */

static inline uint32_t match_word(enum match_type type, enum match_comparator comparator,
                                  enum match_relation relation)
{
    return (uint32_t)type | (uint32_t)comparator << 8 | (uint32_t)relation << 16;
}

/* The compiler's own opcodes; definition n of definition_at() is OP_FIRST_DEFINITION + n, one of
 * the options' OP_FIRST_EXTRA + n. */
enum {
    OP_END,        /* the script ends */
    OP_STOP,       /* and the scripts that include it */
    OP_RETURN,     /* as OP_END (RFC 6609 section 3.3) */
    OP_TRUE,       /* the truth is true */
    OP_FALSE,      /* ... false */
    OP_NOT,        /* ... the opposite */
    OP_JUMP,       /* target, an index of code */
    OP_JUMP_TRUE,  /* target */
    OP_JUMP_FALSE, /* target */
    OP_LOOP,       /* target behind the loop's OP_NEXT (RFC 5703 section 3) */
    OP_NEXT,       /* back to behind the OP_LOOP it belongs to, or on */
    OP_BREAK,      /* how many loops are left, from 1; jumps behind the outermost of them */
    OP_CORE_COUNT,
    OP_FIRST_DEFINITION = 16,
    OP_FIRST_EXTRA = 160,
};

/* The operands of an opcode, one letter each; NULL: there is no such opcode. See definition_priv.h
 * for the letters. */
const char *opcode_operands(const struct sieve_options *options, uint32_t opcode);
const struct definition *opcode_definition(const struct sieve_options *options, uint32_t opcode);

/* A program taken apart; pointers into its words. */
struct bytecode {
    uint32_t flags;
    const struct constant *constants;
    const uint32_t *items;
    const uint32_t *code;
    const char *bytes;
    uint32_t constant_count, item_count, code_count, byte_count, variable_count, names;
};

/* Takes the words apart and verifies them. ERROR_CORRUPT, ERROR_UNSUPPORTED (version),
 * ERROR_LIMIT. The words must outlive *bytecode. */
int bytecode_verify(const uint32_t *words, size_t size, const struct sieve_options *options,
                    struct bytecode *bytecode);

#endif
