/*
 * Compiled Sieve scripts that a process keeps, so that a delivery need not compile: by whose and
 * which script it is, and its version.
 *
 *     error = programs_find(programs, &key, &kept);          // ERROR_NOT_FOUND:
 *     error = programs_compile(programs, &key, text, &kept, report);
 *     ... kept->program ...
 *     programs_give_back(programs, &kept);
 *
 * Those not used for longest go when they take more than the maximum together; who uses one keeps
 * it. Thread-safe; nothing here blocks.
 */
#ifndef SESSION_SIEVE_PROGRAMS_H
#define SESSION_SIEVE_PROGRAMS_H

#include "sieve/sieve.h"
#include "store/store.h"

enum { PROGRAMS_MEMORY_MAXIMUM = 64 * 1024 * 1024 }; /* bytes, of one process */

struct programs;

struct program_key {
    struct account_id owner; /* all zero: the administrator's */
    uint64_t script;         /* its number; 0: the version alone tells */
    uint64_t version;
};

/* One that is in use. */
struct kept_program {
    const struct sieve_program *program;
};

/* maximum: bytes of those that nobody uses. ERROR_MEMORY. */
int programs_create(size_t maximum, struct programs **programs);
/* All must have been given back. */
void programs_free(struct programs **programs);

/* ERROR_NOT_FOUND. */
int programs_find(struct programs *programs, const struct program_key *key,
                  struct kept_program **kept);

/* Compiles a text and keeps it. ERROR_SYNTAX, ERROR_LIMIT: the report says why. */
int programs_compile(struct programs *programs, const struct program_key *key, struct slice text,
                     struct kept_program **kept, struct sieve_report *report);

void programs_give_back(struct programs *programs, struct kept_program **kept);

/* The process's own, made when it is first asked for. NULL: no memory. */
struct programs *programs_of_process(void);

#endif
