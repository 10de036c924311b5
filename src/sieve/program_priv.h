/*
 * A program, ready to run: the bytecode taken apart, and what is worked out once for all runs:
 * hashes of names, keys folded for their comparator and sorted by how they can be looked for,
 * regular expressions.
 */
#ifndef SIEVE_PROGRAM_PRIV_H
#define SIEVE_PROGRAM_PRIV_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "sieve/definition_priv.h"

/* How a key of :matches is looked for. */
enum key_shape {
    KEY_EXACT,    /* no wildcard */
    KEY_ANYTHING, /* "*" */
    KEY_PREFIX,   /* "abc*" */
    KEY_SUFFIX,   /* "*abc" */
    KEY_WITHIN,   /* "*abc*" */
    KEY_PATTERN,  /* anything else */
};

struct key {
    bool constant;        /* else it names variables: made ready when it is needed */
    enum key_shape shape; /* of a :matches */
    struct slice text;    /* as it stands */
    struct slice folded;  /* by the comparator */
    struct slice core;    /* of `folded`: without wildcards and escapes; not for KEY_PATTERN */
    pcre2_code *regex;    /* of a :regex */
};

struct keyset {
    enum match_type type;
    enum match_comparator comparator;
    enum match_relation relation;
    size_t count;
    uint32_t list; /* the list's constant */
    struct key *keys;
};

struct sieve_program {
    struct bytecode code;
    struct slice *strings; /* for each constant: the text of a string */
    uint32_t *hashes;      /* for each constant: a string's name_hash */
    struct keyset **keys;  /* for each constant: of CONSTANT_KEYS */
    struct arena arena;
    const struct sieve_options *options;
    uint32_t *words;
    size_t memory; /* bytes of all of it */
};

/* A hash of a header field's name, the same for any case. */
static inline uint32_t name_hash(struct slice name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c | 0x20U : c)) * 16777619U;
    }
    return hash;
}

/* Makes a key ready for its comparator and match type; memory is the arena's, a regular expression
 * the caller's to free. ERROR_LIMIT (memory, or an expression too large), ERROR_SYNTAX (it is no
 * regular expression). */
int key_prepare(const struct keyset *set, struct slice text, struct arena *arena, struct key *key);

#endif
