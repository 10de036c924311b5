/*
 * What the operations share. Each file has the operations on one noun, and its table.
 */
#ifndef ADMIN_ADMIN_PRIV_H
#define ADMIN_ADMIN_PRIV_H

#include "admin/admin.h"
#include "store/collection.h"

enum { ADMIN_LIST_MEMORY = 256 * 1024 * 1024 /* bytes that an operation's lists may take */ };

/* Of each file; a name of NULL ends it. */
extern const struct admin_operation account_operations[];
extern const struct admin_operation alias_operations[];
extern const struct admin_operation check_operations[];
extern const struct admin_operation domain_operations[];
extern const struct admin_operation group_operations[];
extern const struct admin_operation mailbox_operations[];
extern const struct admin_operation outgoing_operations[];
extern const struct admin_operation purge_operations[];
extern const struct admin_operation quota_operations[];
extern const struct admin_operation sieve_operations[];
extern const struct admin_operation share_operations[];
extern const struct admin_operation undelete_operations[];

/* The argument's value. ERROR_INVALID, with a detail, when there is none. */
int admin_argument(struct admin_call *call, const char *name, struct slice *value);
bool admin_has_argument(const struct admin_call *call, const char *name);

/* The values of all arguments of that name. */
size_t admin_values(const struct admin_call *call, const char *name,
                    struct slice values[ADMIN_ARGUMENTS_MAXIMUM]);

/* Says more about the error, and returns it. */
int admin_fail(struct admin_call *call, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The account with this login name (the name itself: no detail, no alias). ERROR_NOT_FOUND with a
 * detail. */
int admin_find_account(struct admin_call *call, struct slice address, struct account_id *id);

/* A view of the system's on the account of the argument "address". */
int admin_open_view(struct admin_call *call, struct store_view **view);

/* An operation on the account of the argument "address". */
struct admin_work {
    struct admin_call *call;
    struct store_view *view; /* the system's, of the account */
    struct arena arena;      /* ADMIN_LIST_MEMORY */
};

/* Opens the view. admin_work_end comes after it in any case. */
int admin_work_begin(struct admin_call *call, struct admin_work *work);
void admin_work_end(struct admin_work *work);

/* The mailbox of a path, in the arena. ERROR_NOT_FOUND with a detail. */
int admin_find_mailbox(struct admin_work *work, struct slice path, struct collection *found);

/* Digits alone; with K, M, G or T behind them (units of 1024). Whether it is one. */
bool admin_read_number(struct slice text, uint64_t *number);
bool admin_read_size(struct slice text, uint64_t *number);

/* Whether names may be made in the address's domain. ERROR_NOT_FOUND with a detail that says how
 * to add it. */
int admin_check_domain(struct admin_call *call, struct slice address);

/* Whether each address stands for something. ERROR_NOT_FOUND with a detail that names the first
 * that does not. */
int admin_check_names(struct admin_call *call, const struct slice *addresses, size_t count);

/* "account", "group" or "alias". */
struct slice admin_kind_name(enum directory_kind kind);

/* One row: what an entry of the directory is, and how many members it has, or whether it is a
 * shared account. */
int admin_answer_entry(struct admin_call *call, const struct directory_entry *entry);

/* The same for what the address stands for. */
int admin_answer_address(struct admin_call *call, struct slice address);

#endif
