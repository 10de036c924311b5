/*
 * A policy's request: lines "name=value" (SMTPD_POLICY_README). Only some names matter.
 */
#include "base/error.h"
#include "proto/mta/engine_priv.h"

#include <ctype.h>

/* "size": 0 when it is none, as for a client that did not say. */
static uint64_t parse_size(struct slice digits)
{
    uint64_t size = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (!isdigit((unsigned char)digits.data[i]))
            return 0;
        size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit;
    }
    return size;
}

struct policy_request {
    struct slice request, state, recipient, size;
};

static int take_line(struct policy_request *request, struct slice line)
{
    const struct {
        struct slice name;
        struct slice *value;
    } rows[] = {
        {SLICE("request"), &request->request},
        {SLICE("protocol_state"), &request->state},
        {SLICE("recipient"), &request->recipient},
        {SLICE("size"), &request->size},
    };
    size_t equals = slice_find(line, '=');
    if (equals == line.size || memchr(line.data, '\0', line.size))
        return ERROR_SYNTAX;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (slice_equal(slice_sub(line, 0, equals), rows[i].name))
            *rows[i].value = slice_sub(line, equals + 1, SIZE_MAX);
    return 0;
}

int mta_policy_parse(struct mta *mta, struct slice lines)
{
    struct policy_request request = {0};
    while (lines.size) {
        size_t end = slice_find(lines, '\n');
        int error = take_line(&request, slice_sub(lines, 0, end));
        if (error)
            return error;
        lines = slice_sub(lines, end + 1, SIZE_MAX);
    }
    if (!slice_equal(request.request, SLICE("smtpd_access_policy")))
        return ERROR_SYNTAX;
    if (!slice_equal(request.state, SLICE("RCPT")) || request.recipient.size == 0)
        return 0;
    mta->question = MTA_ROOM;
    mta->key = request.recipient;
    mta->size = parse_size(request.size);
    return 1;
}
