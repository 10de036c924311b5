/*
 * The header fields that a test is about: those of some names, all or one of each (RFC 5260
 * section 6).
 */
#ifndef SIEVE_FIELDS_PRIV_H
#define SIEVE_FIELDS_PRIV_H

#include "sieve/match_priv.h"

enum { FIELDS_LAST = 1 << 8 }; /* :last, in a word that has other flags too */

/* Tags for :index and :last: operand 3 is the number, operand 0 has the flag. */
#define FIELDS_INDEX_TAGS                                                                          \
    {"index", EXT_INDEX, TAG_VALUE, 3, 0},                                                         \
    {                                                                                              \
        "last", EXT_INDEX, TAG_FLAG, 0, FIELDS_LAST                                                \
    }

struct field_walk {
    struct run *run;
    const struct header *header;
    uint32_t names; /* a list's constant */
    size_t name;    /* the next one's index in it */
    struct field *field;
    uint64_t index; /* 0: all of a name */
    bool last;
};

/* names: a list's constant; index: a number's, or NO_CONSTANT. */
void field_walk_begin(struct field_walk *walk, struct run *run, const struct header *header,
                      uint32_t names, uint32_t index, uint32_t flags);

/* The next field; NULL at the end. */
struct field *field_walk_next(struct field_walk *walk);

/* The field of the name and number: 0 the first; :last counts from the end. NULL: none. */
struct field *field_at(const struct header *header, struct slice name, uint32_t hash,
                       uint64_t index, bool last);

/* The field's value; NULL: run_fail was told. */
struct value *run_field_value(struct run *run, struct field *field);

/* :last needs :index (RFC 5260 section 6, RFC 5293 section 5); `number` is its operand. */
void check_index(struct validator *validator, const struct command *command, unsigned flags,
                 unsigned number);

#endif
