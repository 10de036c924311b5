/*
 * An exchange of SCRAM-SHA-256 (RFC 5802, RFC 7677), with or without channel binding.
 *
 *     FIRST --client first--> the name's keys (a job) --server first--> FINAL
 *     FINAL --client final, its proof is right--> server final --> END --empty response--> granted
 *
 * A name that nobody has goes the same way up to the proof, which is wrong. The server's signature
 * is a challenge of its own: not every protocol has a place for it in the answer (RFC 4422 section
 * 3.6).
 */
#include "front/auth/request_priv.h"

#include "base/error.h"
#include "format/base64.h"
#include "proto/sasl/plain.h"
#include "proto/sasl/scram.h"

#include <sodium.h>
#include <stdlib.h>

enum step { FIRST, FINAL, END };

enum {
    SERVER_NONCE_SIZE = 18, /* bytes, before base64 */
    SERVER_FIRST_MAXIMUM = SASL_SCRAM_NONCE_MAXIMUM + 256,
    SERVER_FINAL_MAXIMUM = 64,
};

struct scram_exchange {
    enum step step;
    bool known;
    struct scram_keys keys;
    struct buffer nonce;    /* both parts */
    struct buffer binding;  /* what the final message binds to: the header and the channel */
    struct buffer messages; /* client's first, bare, a comma, and server's first */
};

void scram_free(struct scram_exchange **exchange)
{
    if (!*exchange)
        return;
    buffer_release(&(*exchange)->nonce);
    buffer_release(&(*exchange)->binding);
    buffer_release(&(*exchange)->messages);
    sodium_memzero(*exchange, sizeof **exchange);
    free(*exchange);
    *exchange = NULL;
}

static int scram_create(struct scram_exchange **exchange)
{
    struct scram_exchange *made = calloc(1, sizeof *made);
    if (!made)
        return ERROR_MEMORY;
    buffer_init(&made->nonce, SASL_SCRAM_NONCE_MAXIMUM + 64);
    buffer_init(&made->binding, SASL_SCRAM_MESSAGE_MAXIMUM + CHANNEL_BINDING_MAXIMUM);
    buffer_init(&made->messages, 2 * SASL_SCRAM_MESSAGE_MAXIMUM + SERVER_FIRST_MAXIMUM);
    *exchange = made;
    return 0;
}

/* --- the first messages --- */

static const struct channel_binding *find_binding(const struct request *request, struct slice name)
{
    static const char *const names[BINDINGS] = {[BINDING_EXPORTER] = "tls-exporter",
                                                [BINDING_UNIQUE] = "tls-unique",
                                                [BINDING_END_POINT] = "tls-server-end-point"};
    for (size_t i = 0; i < BINDINGS; i++)
        if (slice_equal(name, slice_from_string(names[i])) && request->bindings[i].size)
            return &request->bindings[i];
    return NULL;
}

static bool may_bind(const struct request *request)
{
    unsigned size = 0;
    for (size_t i = 0; i < BINDINGS; i++)
        size += request->bindings[i].size;
    return size > 0;
}

/* RFC 5802 section 6: who believes that there is no binding here, where it was offered, has been
 * lied to by somebody between. */
static int bind_channel(struct request *request, const struct sasl_scram_first *first)
{
    struct buffer *binding = &request->scram->binding;
    buffer_append(binding, first->header);
    if (first->binding == 'y' && may_bind(request))
        return ERROR_DENIED;
    if (request->mechanism->binds != (first->binding == 'p'))
        return ERROR_SYNTAX;
    if (!request->mechanism->binds)
        return buffer_error(binding);
    const struct channel_binding *channel = find_binding(request, first->binding_name);
    if (!channel)
        return ERROR_UNSUPPORTED;
    return buffer_append(binding, slice_make(channel->bytes, channel->size));
}

static int take_names(struct request *request, const struct sasl_scram_first *first)
{
    struct buffer name, authorization;
    buffer_init(&name, SASL_NAME_MAXIMUM);
    buffer_init(&authorization, SASL_NAME_MAXIMUM);
    int error = sasl_scram_name(first->name, &name);
    if (!error)
        error = sasl_scram_name(first->authorization, &authorization);
    if (!error)
        error = request_set_name(request, buffer_slice(&name), buffer_slice(&authorization));
    buffer_release(&name);
    buffer_release(&authorization);
    return error;
}

static int take_first(struct request *request, struct slice response)
{
    struct scram_exchange *exchange = request->scram;
    struct sasl_scram_first first;
    uint8_t random[SERVER_NONCE_SIZE];
    int error = sasl_scram_first_parse(response, &first);
    if (!error)
        error = bind_channel(request, &first);
    if (!error)
        error = take_names(request, &first);
    if (error)
        return error;
    randombytes_buf(random, sizeof random);
    buffer_append(&exchange->nonce, first.nonce);
    base64_encode(slice_make(random, sizeof random), &exchange->nonce);
    buffer_append(&exchange->messages, first.bare);
    return buffer_error(&exchange->nonce) ? buffer_error(&exchange->nonce)
                                          : buffer_error(&exchange->messages);
}

/* Pool thread. */
static void look_up(struct job *job)
{
    struct request *request = request_of(job);
    struct scram_exchange *exchange = request->scram;
    request->error =
        credentials_scram(request->auth->credentials, slice_from_string(request->facts.name),
                          &exchange->keys, &exchange->known, request->facts.account);
}

static void send_first(struct request *request)
{
    struct scram_exchange *exchange = request->scram;
    struct buffer message;
    buffer_init(&message, SERVER_FIRST_MAXIMUM);
    buffer_append_string(&message, "r=");
    buffer_append(&message, buffer_slice(&exchange->nonce));
    buffer_append_string(&message, ",s=");
    base64_encode(slice_make(exchange->keys.salt, exchange->keys.salt_size), &message);
    buffer_append_format(&message, ",i=%u", exchange->keys.iterations);
    buffer_append_byte(&exchange->messages, ',');
    buffer_append(&exchange->messages, buffer_slice(&message));
    exchange->step = FINAL;
    if (buffer_error(&message) || buffer_error(&exchange->messages))
        request_refuse(request, ERROR_MEMORY);
    else
        request_challenge(request, buffer_slice(&message));
    buffer_release(&message);
}

static void looked_up(struct job *job)
{
    struct request *request = request_of(job);
    struct auth *auth = request->auth;
    if (request->error)
        request_refuse(request, request->error);
    else
        send_first(request);
    auth_job_done(auth);
}

static void respond_first(struct request *request, struct slice response)
{
    int error = scram_create(&request->scram);
    if (!error)
        error = take_first(request, response);
    if (error)
        request_refuse(request, error);
    else
        request_submit(request, look_up, looked_up);
}

/* --- the final messages --- */

static bool decodes_to(struct slice text, struct slice expected)
{
    struct buffer bytes;
    buffer_init(&bytes, expected.size);
    bool same = base64_decode(text, &bytes) == 0 && slice_equal(buffer_slice(&bytes), expected);
    buffer_release(&bytes);
    return same;
}

static int take_proof(struct slice text, uint8_t proof[SCRAM_KEY_SIZE])
{
    struct buffer bytes;
    buffer_init(&bytes, SCRAM_KEY_SIZE);
    int error = base64_decode(text, &bytes);
    if (!error && bytes.size != SCRAM_KEY_SIZE)
        error = ERROR_SYNTAX;
    if (!error)
        memcpy(proof, bytes.data, SCRAM_KEY_SIZE);
    buffer_release(&bytes);
    return error;
}

/* Whether everything fits: one answer to whatever is wrong. The signature would say that the
 * password was right. */
static int take_final(const struct request *request, struct slice response,
                      uint8_t signature[SCRAM_KEY_SIZE])
{
    struct scram_exchange *exchange = request->scram;
    struct sasl_scram_final final;
    uint8_t proof[SCRAM_KEY_SIZE];
    int error = sasl_scram_final_parse(response, &final);
    if (!error)
        error = take_proof(final.proof, proof);
    if (error)
        return error;
    if (!slice_equal(final.nonce, buffer_slice(&exchange->nonce)) ||
        !decodes_to(final.binding, buffer_slice(&exchange->binding)))
        return ERROR_DENIED;
    buffer_append_byte(&exchange->messages, ',');
    error = buffer_append(&exchange->messages, final.without_proof);
    if (error)
        return error;
    bool right = scram_verify(&exchange->keys, buffer_slice(&exchange->messages), proof, signature);
    return right && exchange->known && request_is_permitted(request) ? 0 : ERROR_DENIED;
}

static void respond_final(struct request *request, struct slice response)
{
    uint8_t signature[SCRAM_KEY_SIZE];
    struct buffer message;
    int error = take_final(request, response, signature);
    if (error) {
        request_refuse(request, error);
        return;
    }
    buffer_init(&message, SERVER_FINAL_MAXIMUM);
    buffer_append_string(&message, "v=");
    base64_encode(slice_make(signature, sizeof signature), &message);
    request->scram->step = END;
    if (buffer_error(&message))
        request_refuse(request, ERROR_MEMORY);
    else
        request_challenge(request, buffer_slice(&message));
    buffer_release(&message);
}

void scram_respond(struct request *request, struct slice response)
{
    if (!request->scram)
        respond_first(request, response);
    else if (request->scram->step == FINAL)
        respond_final(request, response);
    else if (response.size)
        request_refuse(request, ERROR_SYNTAX);
    else
        request_grant(request, false);
}
