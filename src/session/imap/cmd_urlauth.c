/*
 * RESETKEY and GENURLAUTH (RFC 4467): the URLs by which others may read a message, and the keys
 * that they are signed with. There is one mechanism, INTERNAL. A URL is of a mailbox of the
 * account's own, and names the account by one of its addresses.
 */
#include "base/error.h"
#include "proto/imap/url.h"
#include "session/imap/session_priv.h"
#include "store/urlauth.h"

static const char verifier[] = ":internal:";
enum { VERIFIER_SIZE = sizeof(verifier) - 1 + 2 * URLAUTH_TOKEN_SIZE };

/* What is signed must fit into a URL with its token, and into what the store signs. */
_Static_assert((int)URLAUTH_RUMP_MAXIMUM >= (int)IMAP_URL_MAXIMUM, "the store signs every URL");

static bool is_internal(struct slice mechanism)
{
    return slice_equal_nocase(mechanism, SLICE("INTERNAL"));
}

/* A mailbox of the account's own. */
static int find_own(struct imap_session *session, struct slice name, struct store_view **view,
                    collection_id *mailbox)
{
    struct session_place place;
    struct collection found = {0};
    int error = session_find_mailbox(session, name, &place, &found);
    if (!error && !session_is_own(session, place.account))
        error = ERROR_DENIED;
    if (error)
        return error;
    *view = place.view;
    *mailbox = found.id;
    return 0;
}

enum progress cmd_resetkey(struct imap_session *session)
{
    const struct imap_resetkey *command = &session->command->resetkey;
    struct store_view *view;
    collection_id mailbox = 0;
    for (size_t i = 0; i < command->count; i++)
        if (!is_internal(command->mechanisms[i]))
            return session_reply(session, "NO", "CANNOT", "The mechanism is not known");
    int error = command->mailbox.size ? find_own(session, command->mailbox, &view, &mailbox)
                                      : session_view(session, &view);
    if (!error)
        error = urlauth_reset(view, mailbox);
    if (error)
        return session_fail(session, error);
    return mailbox ? session_reply(session, "OK", "URLMECH INTERNAL", "The key is another one")
                   : session_ok(session, "All keys removed");
}

/* --- GENURLAUTH --- */

/* Whether the address is one of the account's. */
static bool is_mine(struct imap_session *session, struct slice address)
{
    const struct stream *stream = session->stream;
    struct account_id id;
    return store_account_find(stream->store, who_account(stream->account), address, &id) == 0;
}

/* RFC 4467 section 7: what is wrong with the URL, or NULL. */
static const char *look_at(struct imap_session *session, const struct imap_url_request *request,
                           struct imap_url *url)
{
    if (!is_internal(request->mechanism))
        return "The mechanism is not known";
    if (request->url.size > IMAP_URL_MAXIMUM - VERIFIER_SIZE)
        return "The URL is too long";
    if (imap_url_parse(request->url, &session->arena, url) || !url->absolute)
        return "Not a URL of a message on a server";
    if (!url->user.size)
        return "The URL has no owner's user name";
    if (!url->access)
        return "The URL has no access identifier";
    if (url->mechanism.size)
        return "The URL has a token already";
    return is_mine(session, url->user) ? NULL : "The URL is of another user";
}

static int append_signed(struct imap_session *session, const struct imap_url *url,
                         struct buffer *out)
{
    struct store_view *view;
    collection_id mailbox;
    uint8_t token[URLAUTH_TOKEN_SIZE];
    int error = find_own(session, url->mailbox, &view, &mailbox);
    if (!error)
        error = urlauth_sign(view, mailbox, url->rump, token);
    if (error)
        return error;
    struct buffer text;
    buffer_init(&text, IMAP_URL_MAXIMUM);
    buffer_append(&text, url->rump);
    buffer_append_string(&text, verifier);
    for (size_t i = 0; i < sizeof(token); i++)
        buffer_append_format(&text, "%02x", token[i]);
    buffer_append_byte(out, ' ');
    imap_write_string(out, buffer_slice(&text));
    error = buffer_error(&text) ? buffer_error(&text) : buffer_error(out);
    buffer_release(&text);
    return error;
}

/* All, or none and a reply. */
static bool sign_all(struct imap_session *session, struct buffer *out)
{
    const struct imap_urls *urls = &session->command->urls;
    for (size_t i = 0; i < urls->count; i++) {
        struct imap_url url = {0};
        const char *wrong = look_at(session, &urls->list[i], &url);
        int error = wrong ? 0 : append_signed(session, &url, out);
        if (error == ERROR_NOT_FOUND || error == ERROR_DENIED || error == ERROR_SYNTAX)
            wrong = "The URL is of no mailbox of one's own";
        if (wrong)
            session_reply(session, "BAD", NULL, wrong);
        else if (error)
            session_fail(session, error);
        if (wrong || error)
            return false;
    }
    return true;
}

enum progress cmd_genurlauth(struct imap_session *session)
{
    struct buffer out;
    buffer_init(&out, (size_t)IMAP_URLS_MAXIMUM * (IMAP_URL_MAXIMUM + VERIFIER_SIZE));
    if (sign_all(session, &out)) {
        buffer_append(session->out, SLICE("* GENURLAUTH"));
        buffer_append(session->out, buffer_slice(&out));
        buffer_append(session->out, SLICE("\r\n"));
        session_ok(session, "Genurlauth completed");
    }
    buffer_release(&out);
    return PROGRESS_DONE;
}
