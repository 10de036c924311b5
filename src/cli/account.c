/*
 * chapar account add|delete|password|rename|change: what needs a password or a question besides the
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
        admin_bool("shared", account->shared),
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

/* Without a password it is a shared one. */
static int add(struct invocation *invocation, struct backend *backend,
               const struct buffer *password)
{
    const char *address = invocation->arguments[0];
    const struct admin_argument arguments[] = {{SLICE("address"), slice_from_string(address)},
                                               {SLICE("shared"), SLICE("")}};
    struct account_info account;
    int error = call_account_with(backend, "account.add", arguments, password ? 1 : 2, &account);
    if (error)
        return complain_error(address, error, backend->detail);
    error = password ? backend->operations->password_set(backend, &account, buffer_slice(password))
                     : backend->operations->password_close(backend, &account, true);
    if (error) {
        /* An account nobody can log in to is not what was asked for; nor one that somebody may. */
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
    bool shared = take_switch(invocation, "--shared");
    int status = begin(invocation, "add", &config, &backend);
    if (status)
        return status;
    if (shared) {
        status = add(invocation, backend, NULL);
    } else if (!(status = password_read(invocation->arguments[0], &password))) {
        status = add(invocation, backend, &password);
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
    if (account.shared)
        return complain("%s: the account is shared: nobody logs in to it", address);
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

/* What nobody may log in to loses its password first; what somebody may gets it last. */
static int share_account(struct backend *backend, struct account_info *account, struct slice shared)
{
    const struct admin_argument arguments[] = {{SLICE("address"), account->address},
                                               {SLICE("shared"), shared}};
    bool closed = slice_equal(shared, SLICE("yes"));
    int error = closed ? backend->operations->password_close(backend, account, true) : 0;
    if (!error)
        error = call_account_with(backend, "account.change", arguments, 2, account);
    if (!error && !closed)
        error = backend->operations->password_close(backend, account, false);
    return error;
}

static int change_account(struct invocation *invocation, struct backend *backend,
                          const char *shared)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    int error = call_account(backend, "account.find", address, &account);
    if (!error)
        error = share_account(backend, &account, slice_from_string(shared));
    return error ? complain_error(address, error, backend->detail)
                 : print_account(invocation, &account, "changed");
}

int verb_account_change(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    const char *shared = take_option(invocation, "--shared");
    if (!shared || (strcmp(shared, "yes") != 0 && strcmp(shared, "no") != 0)) {
        complain("--shared takes yes or no");
        return EXIT_USAGE;
    }
    int status = begin(invocation, "change", &config, &backend);
    if (status)
        return status;
    status = change_account(invocation, backend, shared);
    call_close(&config, &backend);
    return status;
}
