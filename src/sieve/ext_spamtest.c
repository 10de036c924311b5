/*
 * spamtest, spamtestplus and virustest (RFC 5235).
 */
#include "base/error.h"
#include "sieve/match_priv.h"

enum { SPAM_PERCENT = 1, ANSWER_DIGITS = 16 };

static const struct tag spamtest_tags[] = {
    {"percent", EXT_SPAMTESTPLUS, TAG_FLAG, 0, SPAM_PERCENT},
    {0},
};

/* A number that the host gives, at most `maximum`; -1: the message was not tested. */
static int ask_number(struct run *run, int (*ask)(void *arg, struct buffer *value), int maximum,
                      int *number)
{
    struct buffer text;
    buffer_init(&text, ANSWER_DIGITS);
    int error = ask ? ask(run->host->arg, &text) : ERROR_NOT_FOUND;
    *number = error ? -1 : 0;
    for (size_t i = 0; !error && i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        if (*number <= maximum)
            *number = *number * 10 + (text.data[i] - '0');
    if (*number > maximum)
        *number = maximum;
    buffer_release(&text);
    if (error && error != ERROR_NOT_FOUND)
        return run_fail(run, "the filters' result cannot be asked for: %s", error_text(error));
    return 0;
}

static int match_number(struct run *run, uint32_t keys, int number)
{
    struct matcher matcher;
    char digits[ANSWER_DIGITS];
    int size = snprintf(digits, sizeof(digits), "%d", number);
    match_begin(&matcher, run, keys);
    match_text(&matcher, run_copy(run, slice_make(digits, (size_t)size)));
    return match_end(&matcher);
}

/* Operands: 0 :percent, 1 keys. Section 3.2: 0 is not tested, 1 clear, 10 spam; with :percent 0 is
 * clear or not tested, 100 spam. */
static int run_spamtest(struct run *run, const uint32_t *operands)
{
    int percent;
    if (ask_number(run, run->host->spam_score, 100, &percent))
        return ERROR_SYNTAX;
    if (operands[0] & SPAM_PERCENT)
        return match_number(run, operands[1], percent < 0 ? 0 : percent);
    return match_number(run, operands[1], percent < 0 ? 0 : 1 + percent * 9 / 100);
}

const struct definition definition_spamtest = {.name = "spamtest",
                                               .extension = EXT_SPAMTEST,
                                               .test = true,
                                               .operands = "wk",
                                               .positions = "b",
                                               .tags = {match_tags, spamtest_tags},
                                               .run = run_spamtest};

/* Operands: 0 keys. Section 3.3: 0 is not tested, 1 clear, 5 a virus. */
static int run_virustest(struct run *run, const uint32_t *operands)
{
    int level;
    if (ask_number(run, run->host->virus_level, 5, &level))
        return ERROR_SYNTAX;
    return match_number(run, operands[0], level < 0 ? 0 : level);
}

const struct definition definition_virustest = {.name = "virustest",
                                                .extension = EXT_VIRUSTEST,
                                                .test = true,
                                                .operands = "k",
                                                .positions = "a",
                                                .tags = {match_tags},
                                                .run = run_virustest};
