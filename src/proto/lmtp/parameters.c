/*
 * The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531),
 * DSN's RET, ENVID, NOTIFY and ORCPT (RFC 3461 section 4), AUTH (RFC 4954 section 5), IGNOREQUOTA;
 * and the attributes of XCLIENT. Each may be there once.
 */
#include "base/error.h"
#include "format/text.h"
#include "proto/lmtp/engine_priv.h"

#include <arpa/inet.h>
#include <ctype.h>

int lmtp_number_parse(struct slice digits, uint64_t *number)
{
    uint64_t value = 0;
    if (digits.size == 0 || digits.size > 20)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < digits.size; i++) {
        if (!isdigit((unsigned char)digits.data[i]))
            return ERROR_SYNTAX;
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *number = value;
    return 0;
}

/* --- xtext (RFC 3461 section 4) --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What is encoded must be printable ASCII (sections 4.2 and 4.4). */
static int decode_xtext(struct slice text, struct buffer *decoded)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '+') {
            struct slice digits = slice_sub(text, i + 1, 2);
            int high = digits.size == 2 ? hex_digit(digits.data[0]) : -1;
            int low = digits.size == 2 ? hex_digit(digits.data[1]) : -1;
            if (high < 0 || low < 0)
                return ERROR_SYNTAX;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c < ' ' || c > '~')
            return ERROR_SYNTAX;
        buffer_append_byte(decoded, c);
    }
    return buffer_error(decoded);
}

/* --- one function for each parameter: NULL, or the reply it deserves --- */

typedef const char *parameter_handler(struct lmtp *lmtp, struct slice value);

static const char *take_size(struct lmtp *lmtp, struct slice value)
{
    if (lmtp_number_parse(value, &lmtp->declared_size) != 0)
        return "501 5.5.4 SIZE needs a number";
    return lmtp->declared_size > lmtp->limits.message ? "552 5.3.4 Message too large" : NULL;
}

static const char *take_body(struct lmtp *lmtp, struct slice value)
{
    static const char *const names[] = {"7BIT", "8BITMIME", "BINARYMIME"};
    for (int i = LMTP_BODY_7BIT; i <= LMTP_BODY_BINARYMIME; i++) {
        if (!slice_equal_nocase(value, slice_from_string(names[i])))
            continue;
        lmtp->body = (enum lmtp_body)i;
        return NULL;
    }
    return "501 5.5.4 BODY is 7BIT, 8BITMIME or BINARYMIME";
}

static const char *take_utf8(struct lmtp *lmtp, struct slice value)
{
    lmtp->utf8 = true;
    return value.size ? "501 5.5.4 SMTPUTF8 takes no value" : NULL;
}

/* Whose message it was first is nothing to who only takes it in: it is read, and forgotten. */
static const char *take_auth(struct lmtp *lmtp, struct slice value)
{
    struct buffer decoded;
    if (!lmtp->authenticated)
        return "555 5.5.4 Unknown parameter";
    if (slice_equal(value, SLICE("<>")))
        return NULL;
    buffer_init(&decoded, LMTP_ADDRESS_MAXIMUM);
    bool good = value.size > 0 && decode_xtext(value, &decoded) == 0;
    buffer_release(&decoded);
    return good ? NULL : "501 5.5.4 Malformed AUTH";
}

static const char *take_ret(struct lmtp *lmtp, struct slice value)
{
    bool full = slice_equal_nocase(value, SLICE("FULL"));
    if (!full && !slice_equal_nocase(value, SLICE("HDRS")))
        return "501 5.5.4 RET is FULL or HDRS";
    lmtp->ret = full ? LMTP_RETURN_FULL : LMTP_RETURN_HEADERS;
    return NULL;
}

static const char *take_envid(struct lmtp *lmtp, struct slice value)
{
    buffer_clear(&lmtp->envelope_id);
    if (value.size == 0 || value.size > LMTP_ENVELOPE_ID_MAXIMUM ||
        decode_xtext(value, &lmtp->envelope_id))
        return "501 5.5.4 Malformed ENVID";
    return NULL;
}

static uint32_t notify_bit(struct slice word)
{
    static const struct {
        const char *name;
        enum lmtp_notify bit;
    } rows[] = {{"NEVER", LMTP_NOTIFY_NEVER},
                {"SUCCESS", LMTP_NOTIFY_SUCCESS},
                {"FAILURE", LMTP_NOTIFY_FAILURE},
                {"DELAY", LMTP_NOTIFY_DELAY}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (slice_equal_nocase(word, slice_from_string(rows[i].name)))
            return rows[i].bit;
    return 0;
}

/* Words between commas, each once; NEVER is alone. */
static const char *take_notify(struct lmtp *lmtp, struct slice value)
{
    uint32_t bits = 0;
    bool good = value.size > 0;
    for (size_t from = 0; good && from <= value.size;) {
        struct slice rest = slice_sub(value, from, SIZE_MAX);
        struct slice word = slice_sub(rest, 0, slice_find(rest, ','));
        uint32_t bit = notify_bit(word);
        good = bit && !(bits & bit);
        bits |= bit;
        from += word.size + 1;
    }
    if (!good || (bits & LMTP_NOTIFY_NEVER && bits != LMTP_NOTIFY_NEVER))
        return "501 5.5.4 Malformed NOTIFY";
    lmtp->notify = bits;
    return NULL;
}

static const char *take_ignore_quota(struct lmtp *lmtp, struct slice value)
{
    if (!(lmtp->permissions & LMTP_PERMIT_IGNOREQUOTA))
        return "555 5.5.4 Unknown parameter";
    lmtp->ignore_quota = true;
    return value.size ? "501 5.5.4 IGNOREQUOTA takes no value" : NULL;
}

static bool is_type_byte(char c)
{
    return isalnum((unsigned char)c) || c == '-';
}

/* "type;xtext"; "utf-8;address" as RFC 6533 section 3 has it, which may hold UTF-8. */
static const char *take_orcpt(struct lmtp *lmtp, struct slice value)
{
    size_t end = slice_find(value, ';');
    struct slice type = slice_sub(value, 0, end), address = slice_sub(value, end + 1, SIZE_MAX);
    bool good = type.size > 0 && address.size > 0 && value.size <= LMTP_ORIGINAL_RECIPIENT_MAXIMUM;
    struct buffer decoded;
    for (size_t i = 0; i < type.size; i++)
        good = good && is_type_byte(type.data[i]);
    if (good && slice_equal_nocase(type, SLICE("utf-8"))) {
        good = text_is_utf8(address);
    } else if (good) {
        buffer_init(&decoded, LMTP_ORIGINAL_RECIPIENT_MAXIMUM);
        good = decode_xtext(address, &decoded) == 0;
        buffer_release(&decoded);
    }
    if (!good)
        return "501 5.5.4 Malformed ORCPT";
    buffer_clear(&lmtp->original);
    buffer_append(&lmtp->original, value);
    return NULL;
}

/* "192.0.2.1", "IPV6:2001:db8::1", or that it is not known. */
static const char *take_address(struct lmtp *lmtp, struct slice value)
{
    struct slice prefix = SLICE("IPV6:");
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[sizeof(struct in6_addr)];
    bool six = slice_equal_nocase(slice_sub(value, 0, prefix.size), prefix);
    struct slice address = slice_sub(value, six ? prefix.size : 0, SIZE_MAX);
    if (slice_equal_nocase(value, SLICE("[UNAVAILABLE]"))) {
        buffer_clear(&lmtp->told);
        return NULL;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(address));
    if (address.size >= sizeof(text) || inet_pton(six ? AF_INET6 : AF_INET, text, bytes) != 1)
        return "501 5.5.4 Malformed ADDR";
    buffer_clear(&lmtp->told);
    buffer_append(&lmtp->told, address);
    return NULL;
}

/* --- lists of them --- */

struct parameter_row {
    const char *name;
    parameter_handler *handler;
};

static const char *take_parameter(struct lmtp *lmtp, const struct parameter_row *rows,
                                  const struct lmtp_parameter *parameter, uint32_t *seen)
{
    for (uint32_t i = 0; rows[i].name; i++) {
        if (!slice_equal_nocase(parameter->keyword, slice_from_string(rows[i].name)))
            continue;
        if (*seen & UINT32_C(1) << i)
            return "501 5.5.4 The same parameter twice";
        *seen |= UINT32_C(1) << i;
        return rows[i].handler(lmtp, parameter->value);
    }
    return "555 5.5.4 Unknown parameter";
}

static const char *take_parameters(struct lmtp *lmtp, const struct parameter_row *rows,
                                   struct slice text)
{
    struct lmtp_parameter parameter;
    uint32_t seen = 0;
    int more;
    while ((more = lmtp_parameter_next(&text, &parameter)) > 0) {
        const char *problem = take_parameter(lmtp, rows, &parameter, &seen);
        if (problem)
            return problem;
    }
    return more < 0 ? "501 5.5.4 Malformed parameters" : NULL;
}

const char *lmtp_mail_parameters(struct lmtp *lmtp, struct slice text)
{
    static const struct parameter_row rows[] = {
        {"SIZE", take_size}, {"BODY", take_body},   {"SMTPUTF8", take_utf8},
        {"RET", take_ret},   {"ENVID", take_envid}, {"AUTH", take_auth},
        {NULL, NULL},
    };
    return take_parameters(lmtp, rows, text);
}

const char *lmtp_rcpt_parameters(struct lmtp *lmtp, struct slice text)
{
    static const struct parameter_row rows[] = {
        {"NOTIFY", take_notify},
        {"ORCPT", take_orcpt},
        {"IGNOREQUOTA", take_ignore_quota},
        {NULL, NULL},
    };
    lmtp->notify = 0;
    lmtp->ignore_quota = false;
    buffer_clear(&lmtp->original);
    return take_parameters(lmtp, rows, text);
}

const char *lmtp_xclient_parameters(struct lmtp *lmtp, struct slice text)
{
    static const struct parameter_row rows[] = {{"ADDR", take_address}, {NULL, NULL}};
    struct buffer behind;
    if (text.size == 0)
        return "501 5.5.4 XCLIENT needs an attribute";
    buffer_init(&behind, LMTP_LINE_MAXIMUM);
    buffer_append_byte(&behind, ' '); /* as behind a path */
    buffer_append(&behind, text);
    const char *problem = take_parameters(lmtp, rows, buffer_slice(&behind));
    buffer_release(&behind);
    return problem;
}
