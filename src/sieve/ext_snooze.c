/*
 * snooze (draft-ietf-extra-sieve-snooze-07): a fileinto that is done later.
 *
 * What the draft leaves open: a time may lack its seconds, as in its own example (section 4.4.1.1);
 * Cyrus 3.6 wants them. "The next future awaken time" (section 4.3) is later than now, never now.
 */
#include "base/error.h"
#include "format/text.h"
#include "format/time_zone.h"
#include "sieve/run_priv.h"
#include "sieve/validate_priv.h"

#include <time.h>

enum {
    SNOOZE_CREATE = 1,
    EVERY_DAY = 0x7f,
    DAYS_BEFORE = 1, /* which are looked at: a time that does not come may be another day's */
    DAYS_BEHIND = 15,
    STEPS_OF_TIME = 4, /* one of a day counts as so many */
};

/* Operands, see the definition. */
enum { FLAGS, TIMES, MAILBOX, MAILBOX_ID, SPECIAL_USE, ADD, REMOVE, WEEKDAYS, ZONE };

static const struct tag snooze_tags[] = {
    {"mailbox", EXT_BASE, TAG_VALUE, MAILBOX, 0},
    {"weekdays", EXT_BASE, TAG_VALUE, WEEKDAYS, 0},
    {"tzid", EXT_BASE, TAG_VALUE, ZONE, 0},
    {"addflags", EXT_IMAP4FLAGS, TAG_VALUE, ADD, 0},
    {"removeflags", EXT_IMAP4FLAGS, TAG_VALUE, REMOVE, 0},
    {"create", EXT_MAILBOX, TAG_FLAG, FLAGS, SNOOZE_CREATE},
    {"specialuse", EXT_SPECIAL_USE, TAG_VALUE, SPECIAL_USE, 0},
    {"mailboxid", EXT_MAILBOXID, TAG_VALUE, MAILBOX_ID, 0},
    {0},
};

/* --- values --- */

static bool parse_two(struct slice text, size_t at, unsigned end, unsigned *number)
{
    if (at + 2 > text.size || text.data[at] < '0' || text.data[at] > '9' ||
        text.data[at + 1] < '0' || text.data[at + 1] > '9')
        return false;
    *number = (unsigned)(text.data[at] - '0') * 10 + (unsigned)(text.data[at + 1] - '0');
    return *number < end;
}

/* "hh:mm:ss" or "hh:mm", as a second of the day. */
static bool parse_time(struct slice text, uint32_t *second)
{
    unsigned h, m, s = 0;
    if ((text.size != 5 && text.size != 8) || !parse_two(text, 0, 24, &h) || text.data[2] != ':' ||
        !parse_two(text, 3, 60, &m) ||
        (text.size == 8 && (text.data[5] != ':' || !parse_two(text, 6, 60, &s))))
        return false;
    *second = h * 3600 + m * 60 + s;
    return true;
}

/* Section 4.2: as RFC 5260 section 4.2 has it. */
static bool parse_weekday(struct slice text, unsigned *days)
{
    if (text.size != 1 || text.data[0] < '0' || text.data[0] > '6')
        return false;
    *days |= 1U << (text.data[0] - '0');
    return true;
}

/* --- checks --- */

static void check_times(struct validator *validator, const struct command *command)
{
    size_t count = 0;
    uint32_t second;
    const struct tree_string *string = operand_strings(command, TIMES);
    for (; string && count < SIEVE_SNOOZE_TIMES_MAXIMUM; string = string->next, count++)
        if (validator_is_constant(validator, string->text) && !parse_time(string->text, &second))
            validator_error(validator, string->line, string->column,
                            "\"%.*s\" is no time of day: it is hh:mm:ss", QUOTED(string->text));
    if (string)
        validator_error(validator, string->line, string->column, "snooze takes %d times at most",
                        SIEVE_SNOOZE_TIMES_MAXIMUM);
}

static void check_weekdays(struct validator *validator, const struct command *command)
{
    unsigned days = 0;
    for (const struct tree_string *string = operand_strings(command, WEEKDAYS); string;
         string = string->next)
        if (validator_is_constant(validator, string->text) && !parse_weekday(string->text, &days))
            validator_error(validator, string->line, string->column,
                            "\"%.*s\" is no day of the week: it is 0 (Sunday) to 6",
                            QUOTED(string->text));
}

static void check_zone(struct validator *validator, const struct command *command)
{
    const struct tree_string *string = operand_strings(command, ZONE);
    struct time_zone *zone = NULL;
    if (!string || !validator_is_constant(validator, string->text))
        return;
    if (time_zone_open(string->text, &zone) == ERROR_NOT_FOUND)
        validator_error(validator, string->line, string->column,
                        "there is no time zone \"%.*s\", such as Europe/Berlin",
                        QUOTED(string->text));
    time_zone_close(&zone);
}

static void check_snooze(struct validator *validator, struct command *command)
{
    check_times(validator, command);
    check_weekdays(validator, command);
    check_zone(validator, command);
    if (command->operands[FLAGS].word & SNOOZE_CREATE && !operand_strings(command, MAILBOX))
        validator_error(validator, command->line, command->column, ":create needs :mailbox");
    if (operand_strings(command, MAILBOX_ID) && operand_strings(command, SPECIAL_USE))
        validator_error(validator, command->line, command->column,
                        ":mailboxid and :specialuse do not go together");
}

/* --- when --- */

struct awaken_times {
    uint32_t seconds[SIEVE_SNOOZE_TIMES_MAXIMUM]; /* of the day */
    size_t count;
    unsigned days; /* bit 0: Sunday */
};

static bool read_times(struct run *run, const uint32_t *operands, struct awaken_times *times)
{
    times->count = run_list_size(run, operands[TIMES]);
    times->days = operands[WEEKDAYS] == NO_CONSTANT ? EVERY_DAY : 0;
    if (times->count > SIEVE_SNOOZE_TIMES_MAXIMUM) /* the compiler has seen to it */
        return run_fail(run, "snooze takes %d times at most", SIEVE_SNOOZE_TIMES_MAXIMUM), false;
    for (size_t i = 0; i < times->count; i++) {
        struct slice text = run_list_at(run, operands[TIMES], i);
        if (!parse_time(text, &times->seconds[i]))
            return run_fail(run, "\"%.*s\" is no time of day", QUOTED(text)), false;
    }
    for (size_t i = 0; i < run_list_size(run, operands[WEEKDAYS]); i++) {
        struct slice text = run_list_at(run, operands[WEEKDAYS], i);
        if (!parse_weekday(text, &times->days))
            return run_fail(run, "\"%.*s\" is no day of the week", QUOTED(text)), false;
    }
    return !run->failed;
}

/* Section 4.3: the first of them that is to come. A time that does not come is later than it says,
 * so the day behind the first that has one is looked at, too. */
static int64_t find_next(struct run *run, const struct awaken_times *times, struct time_zone *zone)
{
    int64_t next = INT64_MAX, today = time_zone_day(zone, run->started);
    int64_t last = today + DAYS_BEHIND;
    for (int64_t day = today - DAYS_BEFORE; day <= last; day++) {
        if (!(times->days >> time_zone_weekday(day) & 1))
            continue;
        if (!run_charge(run, STEPS_OF_TIME * times->count))
            break;
        for (size_t i = 0; i < times->count; i++) {
            int64_t moment = time_zone_moment(zone, day, times->seconds[i]);
            if (moment > run->started && moment < next)
                next = moment;
        }
        if (next != INT64_MAX && day + 1 < last)
            last = day + 1;
    }
    return next;
}

/* False: run_fail was told. */
static bool awaken_time(struct run *run, const uint32_t *operands, int64_t *until)
{
    struct awaken_times times;
    struct time_zone *zone = NULL;
    struct slice name = run_string(run, operands[ZONE]);
    if (!read_times(run, operands, &times))
        return false;
    int error = operands[ZONE] == NO_CONSTANT ? time_zone_open_fixed(run->zone, &zone)
                                              : time_zone_open(name, &zone);
    if (error == ERROR_NOT_FOUND)
        return run_fail(run, "there is no time zone \"%.*s\"", QUOTED(name)), false;
    if (error)
        return run_fail(run, "the script needs too much memory"), false;
    *until = find_next(run, &times, zone);
    time_zone_close(&zone);
    return !run->failed;
}

/* --- the action --- */

static void trace(struct run *run, const struct sieve_action *action)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)action->until;
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
        run_trace(run, "snooze until %s, then into \"%.*s\"", text, QUOTED(action->target));
}

/* Operands: 0 create, 1 times, 2 the mailbox, 3 its id, 4 its special use, 5 flags set, 6 flags
 * taken away, 7 days of the week, 8 the zone. */
static int run_snooze(struct run *run, const uint32_t *operands)
{
    int64_t until = 0;
    struct slice mailbox = SLICE("INBOX");
    if (operands[MAILBOX] != NO_CONSTANT)
        mailbox = run_string(run, operands[MAILBOX]);
    if (!mailbox.size || !text_is_utf8(mailbox))
        return run_fail(run, "snooze needs a mailbox's name");
    if (!awaken_time(run, operands, &until))
        return ERROR_SYNTAX;
    struct sieve_action *action = run_action(run, SIEVE_SNOOZE, mailbox);
    if (!action)
        return ERROR_SYNTAX;
    action->until = until;
    action->create = (operands[FLAGS] & SNOOZE_CREATE) != 0;
    action->mailbox_id = run_string(run, operands[MAILBOX_ID]);
    action->special_use = run_string(run, operands[SPECIAL_USE]);
    action_flags(run, action, NO_CONSTANT); /* section 4.4.1: those that it sleeps with */
    action->add_flags = run_flags(run, operands[ADD], &action->add_count);
    action->remove_flags = run_flags(run, operands[REMOVE], &action->remove_count);
    run->keep_cancelled = true;
    trace(run, action);
    return run->failed ? ERROR_SYNTAX : 0;
}

const struct definition definition_snooze = {.name = "snooze",
                                             .extension = EXT_SNOOZE,
                                             .operands = "wlSSSLLLS",
                                             .positions = "b",
                                             .tags = {snooze_tags},
                                             .check = check_snooze,
                                             .run = run_snooze};
