/*
 *     BEGIN --digit--> LENGTH --':'--> LOOKUP --','--> ASKING --answer--> BEGIN
 *       |                                                 ^
 *       +-----letter--> POLICY --an empty line------------+
 *     CLOSED: anything else
 */
#include "base/error.h"
#include "proto/mta/engine_priv.h"

#include <ctype.h>

enum { BEGIN, LENGTH, LOOKUP, POLICY, ASKING, CLOSED };

void mta_init(struct mta *mta)
{
    *mta = (struct mta){.state = BEGIN};
    buffer_init(&mta->text, MTA_POLICY_MAXIMUM);
}

void mta_release(struct mta *mta)
{
    buffer_release(&mta->text);
}

static struct slice take(struct slice *input, size_t size)
{
    struct slice taken = slice_sub(*input, 0, size);
    *input = slice_sub(*input, size, SIZE_MAX);
    return taken;
}

static enum mta_action fail(struct mta *mta)
{
    mta->state = CLOSED;
    return MTA_CLOSE;
}

/* The next request begins anew. */
static enum mta_action finish(struct mta *mta)
{
    mta->state = BEGIN;
    buffer_release(&mta->text);
    return MTA_MORE;
}

static enum mta_action begin(struct mta *mta, struct slice *input)
{
    unsigned char first = (unsigned char)input->data[0];
    if (!isdigit(first) && !islower(first))
        return fail(mta);
    mta->state = isdigit(first) ? LENGTH : POLICY;
    mta->left = 0;
    return MTA_MORE;
}

/* --- socketmap --- */

static void reply_lookup(const char *status, struct slice text, struct buffer *output)
{
    buffer_append_format(output, "%zu:%s ", strlen(status) + 1 + text.size, status);
    buffer_append(output, text);
    buffer_append_byte(output, ',');
}

/* A length has no zero in front; a request is not empty. */
static enum mta_action consume_length(struct mta *mta, struct slice *input)
{
    char byte = take(input, 1).data[0];
    if (byte == ':' && mta->left > 0) {
        mta->state = LOOKUP;
        return MTA_MORE;
    }
    if (!isdigit((unsigned char)byte) || (byte == '0' && mta->left == 0))
        return fail(mta);
    mta->left = mta->left * 10 + (size_t)(byte - '0');
    return mta->left > MTA_LOOKUP_MAXIMUM ? fail(mta) : MTA_MORE;
}

/* "MAP KEY" is complete. */
static enum mta_action ask_lookup(struct mta *mta, struct buffer *output)
{
    struct slice text = buffer_slice(&mta->text);
    size_t space = slice_find(text, ' ');
    struct slice map = slice_sub(text, 0, space);
    mta->key = slice_sub(text, space + 1, SIZE_MAX);
    if (slice_equal(map, SLICE("recipients"))) {
        mta->question = MTA_RECIPIENT;
    } else if (slice_equal(map, SLICE("domains"))) {
        mta->question = MTA_DOMAIN;
    } else {
        reply_lookup("PERM", SLICE("no such map: there are recipients and domains"), output);
        return finish(mta);
    }
    mta->state = ASKING;
    return MTA_ASKING;
}

static enum mta_action consume_lookup(struct mta *mta, struct slice *input, struct buffer *output)
{
    struct slice bytes = take(input, mta->left);
    mta->left -= bytes.size;
    buffer_append(&mta->text, bytes);
    if (mta->left > 0 || input->size == 0)
        return MTA_MORE;
    if (take(input, 1).data[0] != ',')
        return fail(mta);
    return ask_lookup(mta, output);
}

/* --- policy --- */

static void reply_policy(const char *action, struct buffer *output)
{
    buffer_append_format(output, "action=%s\n\n", action);
}

static enum mta_action consume_policy(struct mta *mta, struct slice *input, struct buffer *output)
{
    size_t end = slice_find(*input, '\n');
    bool complete = end < input->size;
    struct slice line = take(input, complete ? end + 1 : end);
    bool empty = line.size == 1 && complete &&
                 (mta->text.size == 0 || mta->text.data[mta->text.size - 1] == '\n');
    if (!empty && buffer_append(&mta->text, line))
        return fail(mta);
    if (!empty)
        return MTA_MORE;
    int ask = mta_policy_parse(mta, buffer_slice(&mta->text));
    if (ask < 0)
        return fail(mta);
    if (ask == 0) {
        reply_policy("DUNNO", output);
        return finish(mta);
    }
    mta->state = ASKING;
    return MTA_ASKING;
}

/* --- the caller's side --- */

enum mta_action mta_consume(struct mta *mta, struct slice *input, struct buffer *output)
{
    enum mta_action action = MTA_MORE;
    if (mta->state == CLOSED)
        return MTA_CLOSE;
    if (mta->state == ASKING)
        return MTA_ASKING;
    while (input->size && action == MTA_MORE) {
        if (output->size && output->maximum - output->size < MTA_REPLY_MAXIMUM)
            break;
        if (mta->state == BEGIN)
            action = begin(mta, input);
        else if (mta->state == LENGTH)
            action = consume_length(mta, input);
        else if (mta->state == LOOKUP)
            action = consume_lookup(mta, input, output);
        else
            action = consume_policy(mta, input, output);
    }
    return action;
}

static void answer_lookup(const struct mta *mta, int error, struct buffer *output)
{
    if (error == 0)
        reply_lookup("OK", mta->key, output);
    else if (error == ERROR_NOT_FOUND || error == ERROR_SYNTAX)
        reply_lookup("NOTFOUND", SLICE(""), output);
    else
        reply_lookup("TEMP", slice_from_string(error_text(error)), output);
}

static void answer_policy(int error, struct buffer *output)
{
    if (error == ERROR_QUOTA)
        reply_policy("452 4.2.2 Mailbox full", output);
    else if (error == ERROR_LIMIT)
        reply_policy("552 5.3.4 Message too large", output);
    else if (error && error_is_temporary(error))
        reply_policy("451 4.3.0 Try again later", output);
    else
        reply_policy("DUNNO", output);
}

void mta_answer(struct mta *mta, int error, struct buffer *output)
{
    if (mta->question == MTA_ROOM)
        answer_policy(error, output);
    else
        answer_lookup(mta, error, output);
    finish(mta);
}
