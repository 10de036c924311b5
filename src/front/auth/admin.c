/*
 * An administrator sets or deletes a password: a job each, one at a time on a connection. Whatever
 * came of it, the name's remembered password is forgotten.
 */
#include "front/auth/auth_priv.h"

#include "base/error.h"
#include "base/log.h"
#include "format/login_name.h"

#include <stdlib.h>

struct admin_request {
    struct job job;
    struct auth *auth;
    struct peer *peer; /* NULL: it has gone */
    bool set;          /* otherwise delete */
    uint8_t account[16];
    struct buffer name; /* normalised */
    struct buffer password;
    int error;
};

static const char *text_of(const struct admin_request *request)
{
    if (request->set && request->error == ERROR_LIMIT)
        return "A password has 8 characters at least and 1024 bytes at most";
    if (request->set && request->error == ERROR_SYNTAX)
        return "A password may not contain control characters or invalid UTF-8";
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
    request->error = request->set ? credentials_set(credentials, name, request->account,
                                                    buffer_slice(&request->password))
                                  : credentials_delete(credentials, name);
}

static void changed(struct job *job)
{
    struct admin_request *request = request_of(job);
    struct auth *auth = request->auth;
    cache_forget(auth->cache, buffer_slice(&request->name));
    log_info(request->set ? "password_set" : "password_deleted",
             LOG_SLICE("name", buffer_slice(&request->name)),
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

static int submit(struct peer *peer, const uint8_t account[16], struct slice name,
                  struct slice password, bool set)
{
    struct auth *auth = peer->auth;
    struct admin_request *request = calloc(1, sizeof *request);
    if (!request)
        return ERROR_MEMORY;
    request->job = (struct job){.work = change, .done = changed};
    request->auth = auth;
    request->set = set;
    memcpy(request->account, account, sizeof request->account);
    buffer_init(&request->name, CREDENTIALS_NAME_MAXIMUM);
    buffer_init(&request->password, IPC_STRING_MAXIMUM);
    int error = address_normalise(name, auth->default_domain, &request->name);
    if (!error)
        error = buffer_append(&request->password, password);
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

static int begin(struct peer *peer, const uint8_t account[16], struct slice name,
                 struct slice password, bool set)
{
    int error = peer->auth->draining ? ERROR_CLOSED : submit(peer, account, name, password, set);
    if (error)
        answer(peer, error, error_text(error));
    return 0;
}

int admin_password_set(struct peer *peer, struct ipc_reader *reader)
{
    uint8_t account[16];
    ipc_get_fixed(reader, account, sizeof account);
    struct slice name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    struct slice password = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, account, name, password, true);
}

int admin_password_delete(struct peer *peer, struct ipc_reader *reader)
{
    static const uint8_t none[16];
    struct slice name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || peer->admin)
        return ERROR_PROTOCOL;
    return begin(peer, none, name, SLICE(""), false);
}
