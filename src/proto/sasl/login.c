#include "proto/sasl/login.h"

#include "base/error.h"
#include "format/base64.h"
#include "proto/sasl/plain.h"

struct slice login_next_mechanism(struct slice *words)
{
    while (words->size && words->data[0] == ' ')
        *words = slice_sub(*words, 1, SIZE_MAX);
    struct slice word = slice_sub(*words, 0, slice_find(*words, ' '));
    *words = slice_sub(*words, word.size, SIZE_MAX);
    return word;
}

struct slice login_find_mechanism(const char *mechanisms, struct slice name)
{
    struct slice words = slice_from_string(mechanisms), word;
    do {
        word = login_next_mechanism(&words);
    } while (word.size && !slice_equal_nocase(word, name));
    return word.size < LOGIN_MECHANISM_MAXIMUM ? word : (struct slice){0};
}

void login_exchange_init(struct login_exchange *exchange, size_t tag_maximum,
                         size_t response_maximum)
{
    *exchange = (struct login_exchange){0};
    buffer_init(&exchange->tag, tag_maximum);
    buffer_init(&exchange->response, response_maximum);
}

void login_exchange_wipe(struct login_exchange *exchange)
{
    if (exchange->response.data)
        explicit_bzero(exchange->response.data, exchange->response.capacity);
    buffer_release(&exchange->response);
}

void login_exchange_release(struct login_exchange *exchange)
{
    login_exchange_wipe(exchange);
    buffer_release(&exchange->tag);
}

void login_exchange_begin(struct login_exchange *exchange, struct slice tag, struct slice mechanism,
                          bool has_response)
{
    buffer_clear(&exchange->tag);
    buffer_append(&exchange->tag, tag);
    snprintf(exchange->mechanism, sizeof(exchange->mechanism), "%.*s", SLICE_FORMAT(mechanism));
    exchange->first_response = true;
    exchange->has_response = has_response;
    login_exchange_wipe(exchange);
}

int login_exchange_set_plain(struct login_exchange *exchange, struct slice name,
                             struct slice password)
{
    struct sasl_plain plain;
    int error = sasl_plain_write(name, password, &exchange->response);
    if (!error)
        error = sasl_plain_parse(buffer_slice(&exchange->response), &plain);
    if (error)
        login_exchange_wipe(exchange);
    else
        exchange->has_response = true;
    return error;
}

int login_exchange_take(struct login_exchange *exchange, struct slice line)
{
    login_exchange_wipe(exchange);
    if (slice_equal(line, SLICE("*")))
        return ERROR_CLOSED;
    int error = base64_decode(line, &exchange->response);
    if (error)
        login_exchange_wipe(exchange);
    else
        exchange->has_response = true;
    return error;
}

/* --- an engine --- */

void login_engine_init(struct login_engine *engine, const struct login_functions *functions,
                       const struct login_options *options, bool tls)
{
    *engine = (struct login_engine){.functions = functions, .options = *options, .tls = tls};
}

bool login_engine_password_allowed(const struct login_engine *engine)
{
    return engine->tls || engine->options.plaintext_allowed;
}

const char *login_engine_mechanisms(const struct login_engine *engine)
{
    bool tls = engine->tls && engine->options.tls_mechanisms;
    return tls ? engine->options.tls_mechanisms : engine->options.mechanisms;
}

void login_engine_release(struct login_engine *engine)
{
    engine->functions->release(engine);
    login_exchange_release(&engine->exchange);
}

void login_engine_greet(struct login_engine *engine, struct buffer *output)
{
    engine->functions->greet(engine, output);
}

void login_engine_bye(struct login_engine *engine, bool unavailable, const char *text,
                      struct buffer *output)
{
    engine->closed = true;
    engine->functions->bye(engine, unavailable, text, output);
}

void login_engine_tls_started(struct login_engine *engine, struct buffer *output)
{
    engine->tls = true;
    engine->language = LANGUAGE_DEFAULT; /* RFC 5255 section 3.1 */
    engine->functions->tls_started(engine, output);
}

void login_engine_refused(struct login_engine *engine, int error, struct buffer *output)
{
    engine->asked = false;
    login_exchange_wipe(&engine->exchange);
    engine->functions->refused(engine, error, output);
}

void login_engine_challenge(struct login_engine *engine, struct slice challenge,
                            struct buffer *output)
{
    engine->asked = false;
    engine->exchange.first_response = false;
    login_exchange_wipe(&engine->exchange);
    login_engine_request_response(engine, challenge, output);
}

enum login_action login_engine_consume(struct login_engine *engine, struct slice *input,
                                       struct buffer *output)
{
    enum login_action action = LOGIN_MORE;
    if (engine->closed)
        return LOGIN_CLOSE;
    if (engine->asked)
        return LOGIN_AUTHENTICATE;
    do {
        if (output->size && output->maximum - output->size < engine->functions->reply_maximum)
            return LOGIN_MORE;
        if (!engine->functions->step(engine, input, output, &action))
            return LOGIN_MORE;
    } while (action == LOGIN_MORE);
    /* RFC 9051 section 11.1, RFC 2595 section 4: nothing sent in the clear counts once TLS has
     * begun. */
    if (action == LOGIN_STARTTLS)
        *input = slice_sub(*input, input->size, 0);
    return action;
}

/* --- the exchange of an engine --- */

enum login_action login_engine_ask(struct login_engine *engine)
{
    engine->asked = true;
    engine->exchanging = false;
    engine->functions->wipe_line(engine);
    return LOGIN_AUTHENTICATE;
}

enum login_action login_engine_request_response(struct login_engine *engine, struct slice challenge,
                                                struct buffer *output)
{
    buffer_append_string(output, engine->functions->challenge_before);
    base64_encode(challenge, output);
    buffer_append_string(output, engine->functions->challenge_after);
    engine->exchanging = true;
    if (engine->functions->expect_response)
        engine->functions->expect_response(engine);
    return LOGIN_MORE;
}

enum login_action login_engine_end_exchange(struct login_engine *engine, enum login_problem problem,
                                            const char *reason, struct buffer *output)
{
    engine->exchanging = false;
    login_exchange_wipe(&engine->exchange);
    return engine->functions->exchange_failed(engine, problem, reason, output);
}

enum login_action login_engine_take_response(struct login_engine *engine, struct slice line,
                                             struct buffer *output)
{
    int error = login_exchange_take(&engine->exchange, line);
    if (error == ERROR_CLOSED)
        return login_engine_end_exchange(engine, LOGIN_CANCELLED, "Authentication cancelled",
                                         output);
    if (error)
        return login_engine_end_exchange(engine, LOGIN_NO_BASE64, "The response is not base64",
                                         output);
    return login_engine_ask(engine);
}

/* --- what protocols without tags do the same way --- */

enum login_action login_engine_no(struct login_engine *engine, enum login_problem problem,
                                  const char *text, struct buffer *output)
{
    engine->functions->no(engine, problem, text, output);
    return LOGIN_MORE;
}

enum login_action login_engine_bad(struct login_engine *engine, enum login_problem problem,
                                   const char *text, struct buffer *output)
{
    if (++engine->bad_count < engine->functions->bad_maximum)
        return login_engine_no(engine, problem, text, output);
    login_engine_bye(engine, false, "Too many bad commands", output);
    return LOGIN_CLOSE;
}

enum login_action login_engine_start_tls(struct login_engine *engine, struct buffer *output)
{
    if (engine->tls)
        return login_engine_bad(engine, LOGIN_NOT_NOW, "TLS is active already", output);
    if (!engine->options.tls_available)
        return login_engine_no(engine, LOGIN_NO_TLS, "TLS is not available", output);
    engine->functions->tls_begins(engine, output);
    return LOGIN_STARTTLS;
}

enum login_action login_engine_authenticate(struct login_engine *engine, struct slice tag,
                                            struct slice mechanism, struct slice initial,
                                            struct buffer *output)
{
    struct slice found = login_find_mechanism(login_engine_mechanisms(engine), mechanism);
    if (!login_engine_password_allowed(engine))
        return login_engine_no(engine, LOGIN_NEEDS_TLS, "Start TLS first", output);
    if (found.size == 0)
        return login_engine_no(engine, LOGIN_NO_MECHANISM, "Unknown mechanism", output);
    login_exchange_begin(&engine->exchange, tag, found, false);
    if (initial.data)
        return login_engine_take_response(engine, initial, output);
    if (!slice_equal(found, SLICE("PLAIN")))
        return login_engine_ask(engine);
    return login_engine_request_response(engine, SLICE(""), output);
}
