/*
 * An administrator sets, deletes, renames or closes a password: a job each, one at a time on a
 * connection. Whatever came of it, what was remembered of the name is forgotten.
 */
#include "front/auth/auth_priv.h"

#include "base/error.h"
#include "base/log.h"
#include "format/login_name.h"

#include <stdlib.h>

enum admin_change { PASSWORD_SET, PASSWORD_DELETE, PASSWORD_RENAME, PASSWORD_CLOSE };

struct admin_request {
    struct job job;
    struct auth *auth;
    struct peer *peer; /* NULL: it has gone */
    enum admin_change change;
    uint8_t account[16];
    struct buffer name;     /* normalised */
    struct buffer to;       /* of PASSWORD_RENAME: the same */
    struct buffer password; /* of PASSWORD_SET */
    bool closed;            /* of PASSWORD_CLOSE */
    int error;
};

/* What is asked for; slices of the message. */
struct admin_wish {
    enum admin_change change;
    uint8_t account[16];
    struct slice name, to, password;
    bool closed;
};

static const char *text_of(const struct admin_request *request)
{
    bool set = request->change == PASSWORD_SET;
    if (set && request->error == ERROR_LIMIT)
        return "A password has 8 characters at least and 1024 bytes at most";
    if (set && request->error == ERROR_SYNTAX)
        return "A password may not contain control characters or invalid UTF-8";
    if (set && request->error == ERROR_DENIED)
        return "The account is shared: nobody logs in to it";
    return request->error ? error_text(request->error) : "";
}

static void answer(struct peer *peer, int error, const char *text)
{
    struct buffer body;
    buffer_init(&body, 512);
    ipc_put_u32(&body, (uint32_t)-error);
    ipc_put_bytes(&body, slice_from_string(text));
    peer_send(peer, IPC_ADMIN_RESULT, &body);
    buffer_release(&body);
}

static void admin_free(struct admin_request *request)
{
    if (request->peer)
        request->peer->admin = NULL;
    buffer_release(&request->name);
    buffer_release(&request->to);
    secret_release(&request->password);
    free(request);
}

static struct admin_request *request_of(struct job *job)
{
    return (struct admin_request *)((char *)job - offsetof(struct admin_request, job));
}

/* Pool thread. */
static void change(struct job *job)
{
    struct admin_request *request = request_of(job);
    struct credentials *credentials = request->auth->credentials;
    struct slice name = buffer_slice(&request->name);
    if (request->change == PASSWORD_SET)
        request->error =
            credentials_set(credentials, name, request->account, buffer_slice(&request->password));
    else if (request->change == PASSWORD_DELETE)
        request->error = credentials_delete(credentials, name);
    else if (request->change == PASSWORD_CLOSE)
        request->error =
            credentials_close_name(credentials, name, request->account, request->closed);
    else
        request->error =
            credentials_rename(credentials, request->account, name, buffer_slice(&request->to));
}

static void changed(struct job *job)
{
    static const char *const events[] = {[PASSWORD_SET] = "password_set",
                                         [PASSWORD_DELETE] = "password_deleted",
                                         [PASSWORD_RENAME] = "password_renamed",
                                         [PASSWORD_CLOSE] = "password_closed"};
    struct admin_request *request = request_of(job);
    struct auth *auth = request->auth;
    cache_forget(auth->cache, buffer_slice(&request->name));
    cache_forget(auth->cache, buffer_slice(&request->to));
    log_info(events[request->change], LOG_SLICE("name", buffer_slice(&request->name)),
             LOG_TEXT("result", error_name(request->error)));
    if (request->peer)
        answer(request->peer, request->error, text_of(request));
    admin_free(request);
    auth_job_done(auth);
}

void admin_abandon(struct peer *peer)
{
    struct admin_request *request = peer->admin;
    if (!request)
        return;
    peer->admin = NULL;
    request->peer = NULL;
    if (jobs_cancel(&request->job))
        admin_free(request);
}

static int fill(struct admin_request *request, const struct admin_wish *wish)
{
    const char *domain = request->auth->default_domain;
    request->change = wish->change;
    request->closed = wish->closed;
    memcpy(request->account, wish->account, sizeof request->account);
    buffer_init(&request->name, CREDENTIALS_NAME_MAXIMUM);
    buffer_init(&request->to, CREDENTIALS_NAME_MAXIMUM);
    buffer_init(&request->password, IPC_STRING_MAXIMUM);
    int error = address_normalise(wish->name, domain, &request->name);
    if (!error && wish->change == PASSWORD_RENAME)
        error = address_normalise(wish->to, domain, &request->to);
    return error ? error : buffer_append(&request->password, wish->password);
}

static int submit(struct peer *peer, const struct admin_wish *wish)
{
    struct auth *auth = peer->auth;
    struct admin_request *request = calloc(1, sizeof *request);
    if (!request)
        return ERROR_MEMORY;
    request->job = (struct job){.work = change, .done = changed};
    request->auth = auth;
    int error = fill(request, wish);
    if (!error)
        error = jobs_submit(&auth->jobs, &request->job);
    if (error) {
        admin_free(request);
        return error;
    }
    request->peer = peer;
    peer->admin = request;
    return 0;
}

static int begin(struct peer *peer, const struct admin_wish *wish)
{
    int error = peer->auth->draining ? ERROR_CLOSED : submit(peer, wish);
    if (error)
        answer(peer, error, error_text(error));
    return 0;
}

int admin_password_set(struct peer *peer, struct ipc_reader *reader)
{
    struct admin_wish wish = {.change = PASSWORD_SET};
    ipc_get_fixed(reader, wish.account, sizeof wish.account);
    wish.name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    wish.password = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, &wish);
}

int admin_password_delete(struct peer *peer, struct ipc_reader *reader)
{
    struct admin_wish wish = {.change = PASSWORD_DELETE};
    wish.name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, &wish);
}

int admin_password_rename(struct peer *peer, struct ipc_reader *reader)
{
    struct admin_wish wish = {.change = PASSWORD_RENAME};
    ipc_get_fixed(reader, wish.account, sizeof wish.account);
    wish.name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    wish.to = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, &wish);
}

int admin_password_close(struct peer *peer, struct ipc_reader *reader)
{
    struct admin_wish wish = {.change = PASSWORD_CLOSE};
    ipc_get_fixed(reader, wish.account, sizeof wish.account);
    wish.name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    wish.closed = ipc_get_u8(reader);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, &wish);
}
