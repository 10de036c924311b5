/*
 * The results of filters in front of the server, as they write them into the header: SpamAssassin,
 * rspamd and amavis for spam, ClamAV and the same for viruses. Where a field stands more than once,
 * the first one is the last that was written.
 */
#include "base/error.h"
#include "format/mime.h"
#include "session/sieve/filter.h"

enum fields {
    SPAM_STATUS,
    SPAMD_RESULT,
    SPAM_FLAG,
    SPAM,
    VIRUS_STATUS,
    VIRUS,
    VIRUS_SCANNED,
    FIELDS
};

static const char *const names[FIELDS] = {
    [SPAM_STATUS] = "X-Spam-Status",    [SPAMD_RESULT] = "X-Spamd-Result",
    [SPAM_FLAG] = "X-Spam-Flag",        [SPAM] = "X-Spam",
    [VIRUS_STATUS] = "X-Virus-Status",  [VIRUS] = "X-Virus",
    [VIRUS_SCANNED] = "X-Virus-Scanned"};

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r\n", text.data[0]))
        text = slice_sub(text, 1, SIZE_MAX);
    return text;
}

static void read_fields(struct slice message, struct slice values[FIELDS])
{
    static const struct mime_limits limits = {1, 1, SIZE_MAX, SIZE_MAX};
    struct mime_parser parser;
    struct mime_event event;
    memset(values, 0, FIELDS * sizeof(*values));
    mime_parser_init(&parser, message, &limits);
    while (mime_next(&parser, &event) && event.kind != MIME_PART_BODY)
        for (size_t i = 0; i < FIELDS && event.kind == MIME_FIELD; i++)
            if (!values[i].data && slice_equal_nocase(event.name, slice_from_string(names[i])))
                values[i] = trim(event.value);
}

/* A number with a sign and decimals, in hundredths. False: there is none. */
static bool read_hundredths(struct slice text, int64_t *number)
{
    bool negative = text.size && text.data[0] == '-';
    size_t i = negative, begin = i;
    int64_t read = 0, unit = 0;
    for (; i < text.size && read < 100000000; i++) {
        if (text.data[i] == '.' && !unit) {
            unit = 100;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9')
            break;
        if (unit == 1)
            continue;
        read = read * 10 + (text.data[i] - '0');
        unit = unit ? unit / 10 : 0;
    }
    *number = (negative ? -1 : 1) * read * (unit ? unit : 100);
    return i > begin;
}

/* What stands behind a word: "score=". */
static bool read_behind(struct slice text, struct slice word, int64_t *number)
{
    for (size_t i = 0; i + word.size <= text.size; i++)
        if (slice_equal_nocase(slice_sub(text, i, word.size), word))
            return read_hundredths(trim(slice_sub(text, i + word.size, SIZE_MAX)), number);
    return false;
}

/* "Yes, score=7.3 required=5.0 ..." or "default: True [7.30 / 15.00]; ...". */
static bool read_score(struct slice status, struct slice result, int64_t *score, int64_t *required)
{
    if (read_behind(status, SLICE("score="), score) &&
        read_behind(status, SLICE("required="), required))
        return *required > 0;
    return read_behind(result, SLICE("["), score) && read_behind(result, SLICE("/"), required) &&
           *required > 0;
}

static bool says(struct slice value, struct slice word)
{
    return slice_equal_nocase(slice_sub(value, 0, word.size), word);
}

int spam_score_of(struct slice message, struct buffer *percent)
{
    struct slice values[FIELDS];
    int64_t score = 0, required = 0, found = -1;
    read_fields(message, values);
    if (read_score(values[SPAM_STATUS], values[SPAMD_RESULT], &score, &required))
        found = score <= 0 ? 0 : score >= required ? 100 : score * 100 / required;
    else if (says(values[SPAM_FLAG], SLICE("YES")) || says(values[SPAM], SLICE("YES")) ||
             says(values[SPAM_STATUS], SLICE("YES")))
        found = 100;
    else if (values[SPAM_FLAG].data || values[SPAM].data || values[SPAM_STATUS].data)
        found = 0;
    return found < 0 ? ERROR_NOT_FOUND : buffer_append_format(percent, "%d", (int)found);
}

int virus_level_of(struct slice message, struct buffer *level)
{
    struct slice values[FIELDS];
    read_fields(message, values);
    if (values[VIRUS_STATUS].data)
        return buffer_append_string(level, says(values[VIRUS_STATUS], SLICE("Clean"))      ? "1"
                                           : says(values[VIRUS_STATUS], SLICE("Infected")) ? "5"
                                                                                           : "2");
    if (values[VIRUS].size)
        return buffer_append_string(level, "5");
    return values[VIRUS_SCANNED].data ? buffer_append_string(level, "1") : ERROR_NOT_FOUND;
}
