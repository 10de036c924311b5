/*
 * Who may deliver by LMTP from another machine: accounts that the administrator names, and mail
 * servers known by their addresses, on chapar-login's word, which need not log in.
 */
#include "front/auth/request_priv.h"

#include "base/error.h"
#include "base/log.h"
#include "base/network.h"
#include "format/login_name.h"

bool request_is_permitted(const struct request *request)
{
    const struct auth *auth = request->auth;
    if (request->facts.protocol != PROTOCOL_LMTP || request->trusted ||
        address_is_listed(&auth->lmtp_accounts, auth->default_domain,
                          slice_from_string(request->facts.name)))
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
