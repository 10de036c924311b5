/*
 * chapar account add|delete|password|rename: what needs a password or a question besides the
 * operation.
 */
#include "base/error.h"
#include "cli/backend_priv.h"

#include <stdio.h>
#include <unistd.h>

static json_t *account_json(const struct account_info *account)
{
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(account->id, id);
    const struct admin_field fields[] = {
        admin_text("address", account->address),
        admin_text("id", slice_from_string(id)),
        admin_time("created", account->created),
    };
    return row_json(fields, sizeof(fields) / sizeof(fields[0]));
}

static int print_account(const struct invocation *invocation, const struct account_info *account,
                         const char *done)
{
    if (invocation->json)
        return print_json(account_json(account));
    printf("%s %.*s\n", done, SLICE_FORMAT(account->address));
    return EXIT_DONE;
}

/* Opens configuration and backend for a verb with one ADDRESS. */
static int begin(struct invocation *invocation, const char *verb, struct config **config,
                 struct backend **backend)
{
    return arguments_finish(invocation, find_verb("account", verb), 1)
               ? call_open(invocation, config, backend)
               : EXIT_USAGE;
}

static int add(struct invocation *invocation, struct backend *backend, struct slice password)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    int error = call_account(backend, "account.add", address, &account);
    if (error)
        return complain_error(address, error, backend->detail);
    error = backend->operations->password_set(backend, &account, password);
    if (error) {
        /* An account nobody can log in to is not what was asked for. */
        int status = complain_error("password", error, backend->detail);
        call_account(backend, "account.delete", address, &account);
        return status;
    }
    return print_account(invocation, &account, "added");
}

int verb_account_add(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    struct buffer password;
    int status = begin(invocation, "add", &config, &backend);
    if (status)
        return status;
    status = password_read(invocation->arguments[0], &password);
    if (!status) {
        status = add(invocation, backend, buffer_slice(&password));
        password_wipe(&password);
    }
    call_close(&config, &backend);
    return status;
}

static int change_password(struct invocation *invocation, struct backend *backend)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    struct buffer password;
    int error = call_account(backend, "account.find", address, &account);
    if (error)
        return complain_error(address, error, backend->detail);
    int status = password_read(address, &password);
    if (status)
        return status;
    error = backend->operations->password_set(backend, &account, buffer_slice(&password));
    password_wipe(&password);
    if (error)
        return complain_error(address, error, backend->detail);
    return print_account(invocation, &account, "password set for");
}

int verb_account_password(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    int status = begin(invocation, "password", &config, &backend);
    if (status)
        return status;
    status = change_password(invocation, backend);
    call_close(&config, &backend);
    return status;
}

static bool confirmed(const struct invocation *invocation, const struct account_info *account)
{
    if (invocation->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        complain("deleting an account needs --yes when nobody can be asked");
        return false;
    }
    fprintf(stderr, "Remove %.*s and all its mail? Type yes: ", SLICE_FORMAT(account->address));
    char line[16] = "";
    return fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0;
}

static int delete_account(struct invocation *invocation, struct backend *backend)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    int error = call_account(backend, "account.find", address, &account);
    if (error)
        return complain_error(address, error, backend->detail);
    if (!confirmed(invocation, &account))
        return EXIT_USAGE;
    /* The password first: nobody logs in to what is going away. */
    error = backend->operations->password_delete(backend, account.address);
    if (!error || error == ERROR_NOT_FOUND)
        error = call_account(backend, "account.delete",
                             arena_string(&backend->arena, account.address), &account);
    if (error)
        return complain_error(address, error, backend->detail);
    return print_account(invocation, &account, "deleted");
}

int verb_account_delete(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    int status = begin(invocation, "delete", &config, &backend);
    if (status)
        return status;
    status = delete_account(invocation, backend);
    call_close(&config, &backend);
    return status;
}

/* The directory first: until the password follows, the old name logs in to the account, and nobody
 * is locked out. When a former run ended between the two, its account has the new name already. */
static int rename_account(struct backend *backend, const struct admin_argument *arguments,
                          size_t count, struct account_info *account)
{
    struct slice from = arguments[0].value, to = arguments[1].value;
    int error = call_account_with(backend, "account.rename", arguments, count, account);
    if (!error) {
        error = backend->operations->password_rename(backend, account, from);
        return error == ERROR_NOT_FOUND ? 0 : error; /* it has none */
    }
    if (error != ERROR_NOT_FOUND)
        return error;
    const struct admin_argument renamed = {SLICE("address"), to};
    char detail[ADMIN_DETAIL_MAXIMUM];
    snprintf(detail, sizeof(detail), "%s", backend->detail);
    error = call_account_with(backend, "account.find", &renamed, 1, account);
    if (!error)
        error = backend->operations->password_rename(backend, account, from);
    if (error == ERROR_NOT_FOUND)
        snprintf(backend->detail, sizeof(backend->detail), "%s", detail);
    return error;
}

int verb_account_rename(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    struct account_info account;
    bool keep = take_switch(invocation, "--keep-alias");
    if (!arguments_finish(invocation, find_verb("account", "rename"), 2))
        return EXIT_USAGE;
    const struct admin_argument arguments[] = {
        {SLICE("address"), slice_from_string(invocation->arguments[0])},
        {SLICE("to"), slice_from_string(invocation->arguments[1])},
        {SLICE("keep-alias"), SLICE("")},
    };
    int status = call_open(invocation, &config, &backend);
    if (status)
        return status;
    int error = rename_account(backend, arguments, keep ? 3 : 2, &account);
    status = error ? complain_error(invocation->arguments[0], error, backend->detail)
                   : print_account(invocation, &account, "renamed to");
    call_close(&config, &backend);
    return status;
}
