/*
 * The administrator's operations on the store: one table, whoever runs them. chapar-session runs
 * them for a connection of the admin socket (session/admin.c); the chapar command runs them itself
 * when no server does (cli/offline.c).
 *
 * An operation has a name ("account.add") and named arguments, answers with rows of named fields,
 * and ends with an error code. It blocks, and may take long: then it reports progress, and stops
 * soon after a row or a report was refused. Who calls has checked that the caller may.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/buffer.h"
#include "store/directory.h"

enum {
    ADMIN_ARGUMENTS_MAXIMUM = 1024,      /* arguments of one call */
    ADMIN_NAME_MAXIMUM = 64,             /* bytes of the name of an operation, argument or field */
    ADMIN_VALUE_MAXIMUM = 8192,          /* bytes of an argument's or a field's value */
    ADMIN_FIELDS_MAXIMUM = 32,           /* fields of one row */
    ADMIN_DETAIL_MAXIMUM = 512,          /* bytes of what is said about an error */
    ADMIN_REQUEST_MAXIMUM = 1024 * 1024, /* bytes of all arguments of one call */
};

struct admin_argument {
    struct slice name;
    struct slice value; /* empty: a switch that is on */
};

enum admin_kind { ADMIN_TEXT, ADMIN_NUMBER, ADMIN_BOOL, ADMIN_TIME /* seconds since 1970 */ };

struct admin_field {
    struct slice name;
    enum admin_kind kind;
    struct slice text; /* of ADMIN_TEXT */
    int64_t number;    /* of the others */
};
static inline struct admin_field admin_text(const char *name, struct slice text)
{
    return (struct admin_field){slice_from_string(name), ADMIN_TEXT, text, 0};
}
static inline struct admin_field admin_number(const char *name, int64_t number)
{
    return (struct admin_field){slice_from_string(name), ADMIN_NUMBER, {NULL, 0}, number};
}
static inline struct admin_field admin_bool(const char *name, bool value)
{
    return (struct admin_field){slice_from_string(name), ADMIN_BOOL, {NULL, 0}, value};
}
static inline struct admin_field admin_time(const char *name, int64_t seconds)
{
    return (struct admin_field){slice_from_string(name), ADMIN_TIME, {NULL, 0}, seconds};
}

/* One call under way. What is in it by pointer stays until the call has ended. */
struct admin_call {
    struct store *store;
    const struct admin_argument *arguments;
    size_t argument_count;
    char detail[ADMIN_DETAIL_MAXIMUM]; /* set by the operation: more about its error; or "" */

    /* --- of who runs it; in the thread that runs it --- */
    /* Takes one row; may block until it is wanted. Non-zero: nobody wants more. */
    int (*row)(struct admin_call *call, const struct admin_field *fields, size_t count);
    /* Of a long call, from time to time; total 0: not known. Non-zero: nobody waits any more. */
    int (*progress)(struct admin_call *call, uint64_t done, uint64_t total);
    /* The account has gone, or is shared now: its sessions end. */
    void (*account_gone)(struct admin_call *call, struct account_id account);
};

struct admin_operation {
    const char *name;
    bool changes; /* something that is worth a line in the log */
    /* 0 or an error. ERROR_INVALID with a detail for arguments that are missing or wrong;
     * ERROR_CLOSED when nobody wants the answer. */
    int (*run)(struct admin_call *call);
};

/* NULL: there is none of that name. */
const struct admin_operation *admin_operation_find(struct slice name);

/* Runs it, or ERROR_UNSUPPORTED with a detail when there is none of that name. */
int admin_run(struct slice name, struct admin_call *call);

/* --- on the wire between chapar and chapar-session (ipc/messages.def) --- */

/* Appends arguments, or fields, as bytes; the buffer's sticky error tells of a limit. */
void admin_put_arguments(struct buffer *bytes, const struct admin_argument *arguments,
                         size_t count);
void admin_put_fields(struct buffer *bytes, const struct admin_field *fields, size_t count);

/* Slices point into the bytes. ERROR_PROTOCOL: not as the above makes them, or over a limit. */
int admin_get_arguments(struct slice bytes, struct admin_argument *arguments, size_t *count);
int admin_get_fields(struct slice bytes, struct admin_field *fields, size_t *count);

#endif
