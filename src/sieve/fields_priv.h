/*
 * The header fields that a test is about: those of some names, all or one of each (RFC 5260
 * section 6).
 */
#ifndef SIEVE_FIELDS_PRIV_H
#define SIEVE_FIELDS_PRIV_H

#include "sieve/match_priv.h"

/* In a word that has other flags too. */
enum {
    FIELDS_LAST = 1 << 8,      /* :last */
    FIELDS_MIME = 1 << 9,      /* RFC 5703 section 4: the header of the part at hand */
    FIELDS_ANYCHILD = 1 << 10, /* ... and of those within it */
};

/* Tags for the last two, in operand 0. */
#define FIELDS_MIME_TAGS                                                                           \
    {"mime", EXT_MIME, TAG_FLAG, 0, FIELDS_MIME},                                                  \
    {                                                                                              \
        "anychild", EXT_MIME, TAG_FLAG, 0, FIELDS_ANYCHILD                                         \
    }

/* Tags for :index and :last: operand 3 is the number, operand 0 has the flag. */
#define FIELDS_INDEX_TAGS                                                                          \
    {"index", EXT_INDEX, TAG_VALUE, 3, 0},                                                         \
    {                                                                                              \
        "last", EXT_INDEX, TAG_FLAG, 0, FIELDS_LAST                                                \
    }

struct field_walk {
    struct run *run;
    const struct header *header;
    const struct mime_part *scope, *part; /* NULL: the message's header alone */
    bool children;
    uint32_t names; /* a list's constant */
    size_t name;    /* the next one's index in it */
    struct field *field;
    size_t only;    /* 0, or of the names the one at this position from 1 alone */
    uint64_t index; /* 0: all of a name */
    bool last;
};

/* names: a list's constant; index: a number's, or NO_CONSTANT; flags: FIELDS_.... */
void field_walk_begin(struct field_walk *walk, struct run *run, uint32_t names, uint32_t index,
                      uint32_t flags);

/* The next field; NULL at the end. */
struct field *field_walk_next(struct field_walk *walk);

/* The field of the name and number: 0 the first; :last counts from the end. NULL: none. */
struct field *field_at(const struct header *header, struct slice name, uint32_t hash,
                       uint64_t index, bool last);

/* The field's value; NULL: run_fail was told. */
struct value *run_field_value(struct run *run, struct field *field);

/* :anychild needs :mime; the flags are in operand 0. */
void check_anychild(struct validator *validator, const struct command *command);

/* :last needs :index (RFC 5260 section 6, RFC 5293 section 5); `number` is its operand. */
void check_index(struct validator *validator, const struct command *command, unsigned flags,
                 unsigned number);

#endif
