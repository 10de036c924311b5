#include "proto/sasl/plain.h"

#include "base/error.h"
#include "format/text.h"

/* The part before the next NUL; *rest begins behind it. False when there is no NUL. */
static bool split(struct slice *rest, struct slice *part)
{
    size_t nul = slice_find(*rest, '\0');
    if (nul == rest->size)
        return false;
    *part = slice_sub(*rest, 0, nul);
    *rest = slice_sub(*rest, nul + 1, SIZE_MAX);
    return true;
}

int sasl_plain_parse(struct slice message, struct sasl_plain *plain)
{
    struct sasl_plain parsed;
    struct slice rest = message;
    if (!split(&rest, &parsed.authorization) || !split(&rest, &parsed.authentication))
        return ERROR_SYNTAX;
    parsed.password = rest;
    if (parsed.authentication.size == 0 || rest.size == 0 || slice_find(rest, '\0') < rest.size ||
        !text_is_utf8(message))
        return ERROR_SYNTAX;
    if (parsed.authorization.size > SASL_NAME_MAXIMUM ||
        parsed.authentication.size > SASL_NAME_MAXIMUM || rest.size > SASL_PASSWORD_MAXIMUM)
        return ERROR_LIMIT;
    *plain = parsed;
    return 0;
}

int sasl_plain_write(struct slice user, struct slice password, struct buffer *message)
{
    /* Room for all at once: a buffer that grows leaves parts of the password behind. */
    size_t size = user.size + password.size + 2;
    char *room = buffer_reserve(message, size);
    if (!room)
        return buffer_error(message);
    *room++ = '\0';
    if (user.size)
        memcpy(room, user.data, user.size);
    room += user.size;
    *room++ = '\0';
    if (password.size)
        memcpy(room, password.data, password.size);
    buffer_commit(message, size);
    return 0;
}
