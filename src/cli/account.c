/*
 * chapar account add|list|delete|password
 */
#include "base/error.h"
#include "cli/backend_priv.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void format_time(int64_t seconds, char text[32])
{
    time_t time = (time_t)seconds;
    struct tm utc;
    gmtime_r(&time, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static json_t *account_json(const struct account_info *account)
{
    char id[ACCOUNT_ID_TEXT + 1], created[32];
    account_id_format(account->id, id);
    format_time(account->created, created);
    return json_pack("{s:s%, s:s, s:s}", "address", account->address.data, account->address.size,
                     "id", id, "created", created);
}

static int print_account(const struct invocation *invocation, const struct account_info *account,
                         const char *done)
{
    if (invocation->json)
        return print_json(account_json(account));
    printf("%s %.*s\n", done, SLICE_FORMAT(account->address));
    return EXIT_DONE;
}

/* Opens configuration and backend for a verb with one ADDRESS (or none). */
static int begin(struct invocation *invocation, const char *verb, int count, struct config **config,
                 struct backend **backend)
{
    if (!arguments_finish(invocation, find_verb("account", verb), count))
        return EXIT_USAGE;
    int status = load_config(invocation, config);
    if (!status)
        status = backend_open(*config, backend);
    if (status)
        config_free(config);
    return status;
}

static void end(struct config **config, struct backend **backend)
{
    backend_close(backend);
    config_free(config);
}

static int add(struct invocation *invocation, struct backend *backend, struct slice password)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    int error = backend->operations->account_add(backend, slice_from_string(address), &account);
    if (error)
        return complain_error(address, error, backend->detail);
    error = backend->operations->password_set(backend, &account, password);
    if (error) {
        /* An account nobody can log in to is not what was asked for. */
        int status = complain_error("password", error, backend->detail);
        backend->operations->account_delete(backend, &account);
        return status;
    }
    return print_account(invocation, &account, "added");
}

int verb_account_add(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    struct buffer password;
    int status = begin(invocation, "add", 1, &config, &backend);
    if (status)
        return status;
    status = password_read(invocation->arguments[0], &password);
    if (!status) {
        status = add(invocation, backend, buffer_slice(&password));
        password_wipe(&password);
    }
    end(&config, &backend);
    return status;
}

static int change_password(struct invocation *invocation, struct backend *backend)
{
    const char *address = invocation->arguments[0];
    struct account_info account;
    struct buffer password;
    int error = backend->operations->account_find(backend, slice_from_string(address), &account);
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
    int status = begin(invocation, "password", 1, &config, &backend);
    if (status)
        return status;
    status = change_password(invocation, backend);
    end(&config, &backend);
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
    int error = backend->operations->account_find(backend, slice_from_string(address), &account);
    if (error)
        return complain_error(address, error, backend->detail);
    if (!confirmed(invocation, &account))
        return EXIT_USAGE;
    /* The password first: nobody logs in to what is going away. */
    error = backend->operations->password_delete(backend, account.address);
    if (!error || error == ERROR_NOT_FOUND)
        error = backend->operations->account_delete(backend, &account);
    if (error)
        return complain_error(address, error, backend->detail);
    return print_account(invocation, &account, "deleted");
}

int verb_account_delete(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    int status = begin(invocation, "delete", 1, &config, &backend);
    if (status)
        return status;
    status = delete_account(invocation, backend);
    end(&config, &backend);
    return status;
}

static int list(const struct invocation *invocation, struct backend *backend)
{
    struct account_info *accounts;
    size_t count;
    int error = backend->operations->account_list(backend, &accounts, &count);
    if (error)
        return complain_error("account list", error, backend->detail);
    if (invocation->json) {
        json_t *array = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(array, account_json(&accounts[i]));
        return print_json(array);
    }
    for (size_t i = 0; i < count; i++) {
        char id[ACCOUNT_ID_TEXT + 1], created[32];
        account_id_format(accounts[i].id, id);
        format_time(accounts[i].created, created);
        printf("%s  %s  %.*s\n", id, created, SLICE_FORMAT(accounts[i].address));
    }
    return EXIT_DONE;
}

int verb_account_list(struct invocation *invocation)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    int status = begin(invocation, "list", 0, &config, &backend);
    if (status)
        return status;
    status = list(invocation, backend);
    end(&config, &backend);
    return status;
}
