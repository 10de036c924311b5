/*
 * URLFETCH (RFC 4467 section 7; BINARY and BODYPARTSTRUCTURE: RFC 5524). The store decides whether
 * a URL is good, and does so again in each slice. What a URL names is read whole into a spool
 * before a byte of it is sent: so whatever is wrong is NIL, and looks the same.
 *
 * It is sent as it is, headers in UTF-8 as well, also to who has not enabled UTF8=ACCEPT: who asks
 * is to pass it on, and a surrogate would go out as somebody's message. It is for a submission
 * server to decide what becomes of it (RFC 5524 section 3.1, RFC 4468 section 4).
 */
#include "base/error.h"
#include "base/spool.h"
#include "format/downgrade.h"
#include "format/text.h"
#include "format/transfer_encoding.h"
#include "session/imap/fetch_priv.h"
#include "session/imap/url_part_priv.h"
#include "store/urlauth.h"

struct urlfetch_work {
    bool begun;  /* the response's head is written */
    size_t next; /* the URL that is begun next */
    int failed;  /* the last error that is the server's, not the URL's */
    enum { IDLE, READING, WRITING } state;
    struct spool spool; /* of the URL under way */
    struct transfer_decoder decoder;
    struct imap_url url;
    struct url_part part;
    bool undecodable;           /* BINARY of an encoding nobody knows */
    struct slice content, left; /* in the spool; still to be written */
};

static void release(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    if (work->state != IDLE)
        spool_release(&work->spool);
    work->state = IDLE;
}

static const struct imap_url_request *request_of(const struct imap_session *session)
{
    const struct urlfetch_work *work = session->work;
    return &session->command->urls.list[work->next - 1];
}

/* --- opening --- */

static enum urlauth_access access_of(const struct imap_url *url)
{
    static const enum urlauth_access accesses[] = {
        [IMAP_URL_NOBODY] = URLAUTH_NOBODY,     [IMAP_URL_ANONYMOUS] = URLAUTH_ANONYMOUS,
        [IMAP_URL_AUTHUSER] = URLAUTH_AUTHUSER, [IMAP_URL_USER] = URLAUTH_USER,
        [IMAP_URL_SUBMIT] = URLAUTH_SUBMIT,
    };
    return accesses[url->access];
}

/* Of another length than the store's it is passed on as nothing. */
static struct slice read_token(struct slice digits, uint8_t token[URLAUTH_TOKEN_SIZE])
{
    if (digits.size != 2 * URLAUTH_TOKEN_SIZE)
        return SLICE("");
    for (size_t i = 0; i < digits.size; i++) {
        char c = digits.data[i];
        int value = c <= '9' ? c - '0' : (c | ' ') - 'a' + 10;
        token[i / 2] = (uint8_t)(token[i / 2] << 4 | value);
    }
    return slice_make(token, URLAUTH_TOKEN_SIZE);
}

static int open_url(struct imap_session *session, struct urlauth_reader **reader)
{
    const struct urlfetch_work *work = session->work;
    const struct imap_url *url = &work->url;
    const struct stream *stream = session->stream;
    uint8_t token[URLAUTH_TOKEN_SIZE] = {0};
    if (!url->absolute || !url->user.size || session_is_others(url->mailbox) ||
        !slice_equal_nocase(url->mechanism, SLICE("INTERNAL")))
        return ERROR_DENIED;
    struct urlauth_claim claim = {
        .owner = url->user,
        .mailbox = url->mailbox,
        .access = access_of(url),
        .user = url->access_user,
        .expires = url->expires,
        .expire = url->expire,
        .rump = url->rump,
        .token = read_token(url->token, token),
    };
    return urlauth_open(stream->store, who_account(stream->account), &claim, reader);
}

static int find_part(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    const struct imap_url_request *request = request_of(session);
    struct urlauth_reader *reader;
    int error = imap_url_parse(request->url, &session->arena, &work->url);
    if (!error)
        error = open_url(session, &reader);
    if (error)
        return error;
    /* A part without its encoding is cut when it is decoded. */
    struct imap_url whole = work->url;
    whole.section.partial = whole.section.partial && !request->binary;
    error = url_part_find(urlauth_snapshot(reader), &whole, &session->arena, &work->part);
    urlauth_close(&reader);
    return error;
}

/* --- reading --- */

static void begin_reading(struct urlfetch_work *work, struct imap_session *session)
{
    const struct stream *stream = session->stream;
    bool binary = request_of(session)->binary;
    spool_init(&work->spool, stream->spool_directory, SESSION_APPEND_MEMORY,
               (uint64_t)stream->config->message_size + MESSAGE_PREFIX_MAXIMUM);
    work->undecodable = binary && work->part.encoding == SUMMARY_ENCODING_UNKNOWN;
    transfer_decoder_init(&work->decoder, binary ? work->part.encoding : SUMMARY_ENCODING_IDENTITY);
    work->state = READING;
}

static int read_pieces(struct imap_session *session, struct mailbox_snapshot *snapshot)
{
    struct urlfetch_work *work = session->work;
    struct buffer piece, decoded;
    int error = 0;
    buffer_init(&piece, SESSION_PIECE);
    buffer_init(&decoded, 2 * (size_t)SESSION_PIECE);
    do {
        buffer_clear(&piece);
        buffer_clear(&decoded);
        error = url_part_read(snapshot, &work->part, &piece);
        if (!error)
            error = transfer_decode(&work->decoder, buffer_slice(&piece), &decoded);
        if (!error && !work->part.left)
            error = transfer_decode_end(&work->decoder, &decoded);
        if (!error)
            error = spool_append(&work->spool, buffer_slice(&decoded));
    } while (!error && work->part.left && !session_slice_over(session));
    buffer_release(&piece);
    buffer_release(&decoded);
    return error;
}

/* --- BODYPARTSTRUCTURE --- */

/* What a header is by itself: one that is not ASCII is no text/rfc822-headers (RFC 6522) but
 * internationalized (RFC 6533 section 4.3), or of a charset that nobody knows (RFC 1428). */
static struct slice type_of_header(struct slice header)
{
    if (downgrade_is_ascii(header))
        return SLICE("Content-Type: text/rfc822-headers\r\n\r\n");
    if (text_is_utf8(header))
        return SLICE("Content-Type: message/global-headers\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n");
    return SLICE("Content-Type: text/rfc822-headers; charset=unknown-8bit\r\n"
                 "Content-Transfer-Encoding: 8bit\r\n\r\n");
}

/* The header of what is described, so that it parses as a message would: without an encoding that
 * is none any more. */
static int describe_header(struct imap_session *session, struct mailbox_snapshot *snapshot,
                           struct buffer *header)
{
    const struct urlfetch_work *work = session->work;
    const struct url_part *part = &work->part;
    struct header_field field;
    struct buffer raw;
    if (!part->header_size) {
        bool whole = work->url.section.text == IMAP_SECTION_ALL;
        return whole ? 0 : buffer_append(header, type_of_header(work->content));
    }
    size_t size = part->header_size < SESSION_HEADER_MAXIMUM ? (size_t)part->header_size
                                                             : SESSION_HEADER_MAXIMUM;
    buffer_init(&raw, SESSION_HEADER_MAXIMUM);
    int error = mailbox_message(snapshot, &part->entry, part->header_offset, size, &raw);
    struct slice rest = buffer_slice(&raw);
    bool binary = request_of(session)->binary && !work->undecodable;
    while (!error && header_field_next(&rest, &field))
        if (field.name.size &&
            !(binary && slice_equal_nocase(field.name, SLICE("Content-Transfer-Encoding"))))
            error = buffer_append(header, field.whole);
    if (!error && binary)
        error = buffer_append(header, SLICE("Content-Transfer-Encoding: BINARY\r\n"));
    buffer_release(&raw);
    return error ? error : buffer_append(header, SLICE("\r\n"));
}

static int write_structure(struct imap_session *session, struct slice header)
{
    struct urlfetch_work *work = session->work;
    struct buffer whole, encoded;
    struct arena scratch;
    struct summary summary;
    buffer_init(&whole, header.size + work->content.size);
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    arena_init(&scratch, SUMMARY_MEMORY_MAXIMUM);
    buffer_append(&whole, header);
    int error = buffer_append(&whole, work->content);
    if (!error)
        error = summary_build(buffer_slice(&whole), &scratch, &encoded);
    if (!error)
        error = summary_parse(buffer_slice(&encoded), &summary);
    if (!error) {
        buffer_append(session->out, SLICE(" (BODYPARTSTRUCTURE "));
        buffer_append(session->out, summary.body);
        buffer_append_byte(session->out, ')');
    }
    arena_release(&scratch);
    buffer_release(&encoded);
    buffer_release(&whole);
    return error;
}

/* --- writing --- */

static void write_literal(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    const struct imap_url_request *request = request_of(session);
    struct buffer *out = session->out;
    bool has_nul = slice_find(work->content, '\0') < work->content.size;
    work->state = WRITING;
    if (request->binary || request->body)
        buffer_append_string(out, request->binary ? " (BINARY " : " (BODY ");
    else if (request->structure)
        return;
    else
        buffer_append_byte(out, ' ');
    if (work->undecodable) {
        buffer_append(out, SLICE("NIL"));
        return;
    }
    if (has_nul && request->binary)
        imap_write_literal8_head(out, work->content.size);
    else
        imap_write_literal_head(out, work->content.size);
    work->left = work->content;
}

/* All of it is in the spool. */
static int begin_writing(struct imap_session *session, struct mailbox_snapshot *snapshot)
{
    struct urlfetch_work *work = session->work;
    const struct imap_url_request *request = request_of(session);
    struct buffer header;
    work->left = SLICE("");
    int error = spool_view(&work->spool, &work->content);
    if (error)
        return error;
    if (request->binary) {
        uint64_t from = 0, size = work->content.size;
        section_apply_partial(&work->url.section, &from, &size);
        work->content = slice_sub(work->content, (size_t)from, (size_t)size);
    }
    buffer_init(&header, SESSION_HEADER_MAXIMUM + 100);
    if (request->structure)
        error = describe_header(session, snapshot, &header);
    if (!error) {
        buffer_append_byte(session->out, ' ');
        imap_write_string(session->out, request->url);
        if (request->structure)
            error = write_structure(session, buffer_slice(&header));
        if (!error)
            write_literal(session);
    }
    buffer_release(&header);
    return error;
}

static void write_piece(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    const struct imap_url_request *request = request_of(session);
    buffer_append(session->out, slice_sub(work->left, 0, SESSION_PIECE));
    work->left = slice_sub(work->left, SESSION_PIECE, SIZE_MAX);
    if (work->left.size)
        return;
    if (request->binary || request->body)
        buffer_append_byte(session->out, ')');
    release(session);
}

/* A URL that is not good, and what cannot be had. */
static void write_nil(struct imap_session *session, int error)
{
    struct urlfetch_work *work = session->work;
    buffer_append_byte(session->out, ' ');
    imap_write_string(session->out, request_of(session)->url);
    buffer_append(session->out, SLICE(" NIL"));
    if (error != ERROR_DENIED && error != ERROR_NOT_FOUND && error != ERROR_SYNTAX &&
        error != ERROR_LIMIT)
        work->failed = error;
    release(session);
}

/* --- the command --- */

static void continue_reading(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    struct urlauth_reader *reader;
    size_t before = session->out->size;
    int error = open_url(session, &reader);
    if (!error) {
        error = read_pieces(session, urlauth_snapshot(reader));
        if (!error && !work->part.left)
            error = begin_writing(session, urlauth_snapshot(reader));
        urlauth_close(&reader);
    }
    if (!error)
        return;
    buffer_truncate(session->out, before);
    write_nil(session, error);
}

static void begin_url(struct imap_session *session)
{
    struct urlfetch_work *work = session->work;
    work->next++;
    int error = find_part(session);
    if (error)
        write_nil(session, error);
    else
        begin_reading(work, session);
}

enum progress cmd_urlfetch(struct imap_session *session)
{
    struct urlfetch_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    session->release_work = release;
    if (!work->begun)
        buffer_append(session->out, SLICE("* URLFETCH"));
    work->begun = true;
    while (work->state != IDLE || work->next < session->command->urls.count) {
        if (work->state == IDLE)
            begin_url(session);
        else if (work->state == READING)
            continue_reading(session);
        else
            write_piece(session);
        if (session_slice_over(session))
            return PROGRESS_AGAIN;
    }
    buffer_append(session->out, SLICE("\r\n"));
    return work->failed ? session_fail(session, work->failed)
                        : session_ok(session, "Urlfetch completed");
}
