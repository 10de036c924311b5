/*
 * Variables in strings (RFC 5229 section 3): their names while a script is compiled.
 */
#ifndef SIEVE_VARIABLES_PRIV_H
#define SIEVE_VARIABLES_PRIV_H

#include "sieve/validate_priv.h"

enum { VARIABLE_PIECES_MAXIMUM = 256 }; /* pieces of one string */

struct variable_name {
    struct slice name;
    bool shared;   /* with the scripts that include this one, or that it includes */
    bool declared; /* shared, and so also under its name alone */
};

/* A script's variables: an index is a variable's number. */
struct variable_names {
    struct variable_name names[SIEVE_VARIABLES_MAXIMUM];
    size_t count;
};

struct variable_piece {
    unsigned kind;     /* PIECE_... */
    struct slice text; /* PIECE_STRING */
    uint32_t index;    /* of the variable, or of the match */
};

/* Takes the next piece off the rest of the string; false at its end, or after an error, which is
 * reported at the string. Adds names that are new. */
bool variable_next_piece(struct validator *validator, struct variable_names *names,
                         const struct tree_string *string, struct slice *rest,
                         struct variable_piece *piece);

/* RFC 6609 section 3.4.1: from here on the name is a shared variable's. Reports errors. */
void variable_declare_global(struct validator *validator, struct variable_names *names,
                             const struct tree_string *string);

/* The number of the variable with this name (any case), new or not. False: there are too many, or
 * it is no name; reported. */
bool variable_number(struct validator *validator, struct variable_names *names,
                     const struct tree_string *string, struct slice name, uint32_t *number);

#endif
