/*
 * Actions as lines of text, as the tests written in Sieve expect them.
 */
#include "render.h"
#include "format/date.h"

static void put_quoted(struct buffer *text, const char *name, struct slice value)
{
    if (value.data)
        buffer_append_format(text, "%s\"%.*s\"", name, SLICE_FORMAT(value));
}

static void put_list(struct buffer *text, const char *name, const struct slice *list, size_t count)
{
    buffer_append_format(text, "%s[", name);
    for (size_t i = 0; i < count; i++)
        put_quoted(text, i ? " " : "", list[i]);
    buffer_append_string(text, "]");
}

static void put_redirect(struct buffer *text, const struct sieve_action *action)
{
    if (action->list)
        buffer_append_string(text, " list");
    if (action->notify_given)
        buffer_append_format(text, " notify=%s%s%s",
                             action->notify & SIEVE_NOTIFY_SUCCESS ? "s" : "",
                             action->notify & SIEVE_NOTIFY_FAILURE ? "f" : "",
                             action->notify & SIEVE_NOTIFY_DELAY ? "d" : "");
    if (action->ret)
        buffer_append_format(text, " ret=%c", action->ret);
    if (action->by_given)
        buffer_append_format(text, " by=%lld%c%s", (long long)action->by_time, action->by_mode,
                             action->by_trace ? "T" : "");
}

static void put_snooze(struct buffer *text, const struct sieve_action *action)
{
    buffer_append_string(text, " until=");
    date_format_imap(action->until, text);
    if (action->add_count)
        put_list(text, " add=", action->add_flags, action->add_count);
    if (action->remove_count)
        put_list(text, " remove=", action->remove_flags, action->remove_count);
}

void render_action(const struct sieve_action *action, struct buffer *text)
{
    static const char *const names[] = {"keep",    "fileinto", "redirect", "discard", "reject",
                                        "ereject", "vacation", "notify",   "snooze"};
    buffer_append_string(text, names[action->kind]);
    if (action->kind != SIEVE_KEEP)
        put_quoted(text, " ", action->target);
    put_quoted(text, " ", action->text);
    put_redirect(text, action);
    put_quoted(text, " from=", action->from);
    put_quoted(text, " subject=", action->subject);
    if (action->seconds)
        buffer_append_format(text, " seconds=%llu", (unsigned long long)action->seconds);
    if (action->importance)
        buffer_append_format(text, " importance=%u", action->importance);
    if (action->option_count)
        put_list(text, " options=", action->options, action->option_count);
    put_quoted(text, " fcc=", action->fcc);
    if (action->flags_given)
        put_list(text, " flags=", action->flags, action->flag_count);
    put_quoted(text, " mailboxid=", action->mailbox_id);
    put_quoted(text, " specialuse=", action->special_use);
    if (action->create)
        buffer_append_string(text, " create");
    if (action->kind == SIEVE_SNOOZE)
        put_snooze(text, action);
}
