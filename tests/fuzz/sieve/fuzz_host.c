#include "fuzz_host.h"

volatile unsigned fuzz_sum;

static void touch(struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        fuzz_sum += (unsigned char)bytes.data[i];
}

static int perform(void *arg, const struct sieve_action *action)
{
    (void)arg;
    const struct slice all[] = {
        action->header,     action->body, action->target, action->text,        action->from,
        action->mailbox_id, action->fcc,  action->handle, action->special_use, action->subject};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        touch(all[i]);
    for (size_t i = 0; i < action->flag_count; i++)
        touch(action->flags[i]);
    for (size_t i = 0; i < action->option_count; i++)
        touch(action->options[i]);
    return 0;
}

static int yes(void *arg, struct slice name, bool *answer)
{
    (void)arg;
    touch(name);
    *answer = true;
    return 0;
}

static int two_names(void *arg, struct slice a, struct slice b, bool *answer)
{
    touch(b);
    return yes(arg, a, answer);
}

static int metadata(void *arg, struct slice mailbox, struct slice name, struct buffer *value)
{
    (void)arg;
    touch(mailbox);
    return buffer_append(value, name);
}

static int environment(void *arg, struct slice name, struct buffer *value)
{
    (void)arg;
    return buffer_append(value, name);
}

static int mark(void *arg, struct slice key, uint64_t seconds)
{
    (void)arg;
    (void)seconds;
    touch(key);
    return 0;
}

static int score(void *arg, struct buffer *value)
{
    (void)arg;
    return buffer_append_string(value, "3");
}

static int64_t now(void *arg, int *zone)
{
    (void)arg;
    *zone = 60;
    return 1792483200;
}

void fuzz_host_init(struct sieve_host *host)
{
    *host = (struct sieve_host){.perform = perform,
                                .mailbox_exists = yes,
                                .mailbox_id_exists = yes,
                                .special_use_exists = two_names,
                                .metadata = metadata,
                                .environment = environment,
                                .now = now,
                                .duplicate_seen = yes,
                                .duplicate_mark = mark,
                                .list_contains = two_names,
                                .list_valid = yes,
                                .notify_valid = yes,
                                .spam_score = score,
                                .virus_level = score};
}
