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

struct slice login_find_mechanism(const struct login_options *options, struct slice name)
{
    struct slice words = slice_from_string(options->mechanisms), word;
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

void login_write_challenge(struct slice challenge, struct buffer *output)
{
    buffer_append_string(output, "+ ");
    base64_encode(challenge, output);
    buffer_append_string(output, "\r\n");
}
