/*
 * Who may deliver by LMTP from another machine: accounts that the administrator names, and mail
 * servers known by their addresses, on chapar-login's word, which need not log in.
 */
#include "front/auth/request_priv.h"

#include "base/error.h"
#include "base/log.h"
#include "base/network.h"
#include "format/login_name.h"

/* The list says names as people write them. */
static bool is_listed(const struct auth *auth, struct slice name)
{
    bool listed = false;
    struct buffer normal;
    buffer_init(&normal, CREDENTIALS_NAME_MAXIMUM);
    for (size_t i = 0; i < auth->lmtp_accounts.count && !listed; i++) {
        buffer_clear(&normal);
        struct slice item = slice_from_string(auth->lmtp_accounts.items[i]);
        listed = address_normalise(item, auth->default_domain, &normal) == 0 &&
                 slice_equal(buffer_slice(&normal), name);
    }
    buffer_release(&normal);
    return listed;
}

bool request_is_permitted(const struct request *request)
{
    if (request->facts.protocol != PROTOCOL_LMTP || request->trusted ||
        is_listed(request->auth, slice_from_string(request->facts.name)))
        return true;
    log_warning("may_not_deliver", LOG_TEXT("name", request->facts.name),
                LOG_TEXT("client", request->client), LOG_TEXT("option", "lmtp_accounts"));
    return false;
}

void external_respond(struct request *request, struct slice response)
{
    request->trusted = request->facts.protocol == PROTOCOL_LMTP && request->tls &&
                       response.size == 0 &&
                       network_list_contains(&request->auth->lmtp_trusted, request->client);
    if (request->trusted)
        request_grant(request, false);
    else
        request_refuse(request, ERROR_DENIED);
}
