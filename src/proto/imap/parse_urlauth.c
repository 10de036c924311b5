/*
 * RESETKEY, GENURLAUTH and URLFETCH (RFC 4467 section 9; URLAUTH=BINARY: RFC 5524 section 5).
 */
#include "proto/imap/parse_priv.h"
#include "proto/imap/url.h"

/* resetkey = "RESETKEY" [SP mailbox *(SP mechanism)] */
void imap_parse_resetkey(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_resetkey *reset = &command->resetkey;
    if (cursor->at == cursor->end)
        return;
    imap_argument(cursor, "Mailbox name");
    reset->mailbox = imap_mailbox(cursor);
    while (!cursor->problem && cursor->at < cursor->end) {
        imap_argument(cursor, "Mechanism");
        struct slice mechanism = imap_atom(cursor);
        if (reset->count == IMAP_URLS_MAXIMUM)
            imap_fail(cursor, "too many");
        reset->mechanisms = imap_grow(cursor, reset->mechanisms, reset->count, sizeof(mechanism));
        if (!cursor->problem)
            reset->mechanisms[reset->count++] = mechanism;
    }
}

static struct slice take_url(struct imap_cursor *cursor)
{
    struct slice url = imap_astring(cursor);
    if (url.size > IMAP_URL_MAXIMUM)
        imap_fail(cursor, "too long");
    return url;
}

static void add(struct imap_cursor *cursor, struct imap_urls *urls, struct imap_url_request request)
{
    if (urls->count == IMAP_URLS_MAXIMUM)
        imap_fail(cursor, "too many");
    urls->list = imap_grow(cursor, urls->list, urls->count, sizeof(request));
    if (!cursor->problem)
        urls->list[urls->count++] = request;
}

/* genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism) */
void imap_parse_genurlauth(struct imap_cursor *cursor, struct imap_command *command)
{
    do {
        struct imap_url_request request = {0};
        imap_argument(cursor, "URL");
        request.url = take_url(cursor);
        imap_argument(cursor, "Mechanism");
        request.mechanism = imap_atom(cursor);
        add(cursor, &command->urls, request);
    } while (!cursor->problem && cursor->at < cursor->end);
}

static void take_parameter(struct imap_cursor *cursor, struct imap_url_request *request)
{
    bool *parameter = imap_take_word(cursor, "BODYPARTSTRUCTURE") ? &request->structure
                      : imap_take_word(cursor, "BINARY")          ? &request->binary
                      : imap_take_word(cursor, "BODY")            ? &request->body
                                                                  : NULL;
    if (!parameter)
        imap_fail(cursor, "expected BODY, BINARY or BODYPARTSTRUCTURE");
    else if (*parameter)
        imap_fail(cursor, "given twice");
    else
        *parameter = true;
    if (request->binary && request->body)
        imap_fail(cursor, "BODY and BINARY exclude each other");
}

/* urlfetch = "URLFETCH" 1*(SP (url-full / "(" url-full *(SP url-fetch-param) ")")) */
void imap_parse_urlfetch(struct imap_cursor *cursor, struct imap_command *command)
{
    do {
        struct imap_url_request request = {0};
        imap_argument(cursor, "URL");
        if (imap_take(cursor, '(')) {
            request.url = take_url(cursor);
            if (!cursor->problem)
                cursor->what = "Parameter";
            while (imap_take(cursor, ' '))
                take_parameter(cursor, &request);
            imap_expect(cursor, ')', "expected a space or a closing parenthesis");
        } else {
            request.url = take_url(cursor);
        }
        add(cursor, &command->urls, request);
    } while (!cursor->problem && cursor->at < cursor->end);
}
