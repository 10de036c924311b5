/*
 * The structured log: one event, one line, on standard error.
 *
 *     log_info("listen", LOG_TEXT("address", "127.0.0.1"), LOG_NUMBER("port", 143));
 *
 * gives, as key=value (the default) or as JSON:
 *
 *     2026-01-31T12:00:00.123Z info chapar-login[812] event=listen address=127.0.0.1 port=143
 *     {"time":"2026-01-31T12:00:00.123Z","level":"info","process":"chapar-login","pid":812,
 *      "event":"listen","address":"127.0.0.1","port":143}
 *
 * Only executables log (src/front, src/session, src/supervisor, src/cli): libraries return errors.
 * A line is one write of at most LOG_LINE_MAXIMUM bytes; longer values are cut. Control
 * characters, quotes and invalid UTF-8 in values are escaped, so no value can forge a line.
 * Secrets are never logged: no passwords, no tickets, no SASL data.
 * Thread-safe after log_init.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum { LOG_LINE_MAXIMUM = 4096 };

/* debug: what helps to follow one connection; info: what an administrator wants to see happen;
 * warning: something was refused or degraded; error: something is broken and needs somebody. */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_KEY_VALUE, LOG_FORMAT_JSON };

/* One key=value of an event. Built by the macros below, never by hand; the bytes are only read
 * during the call. */
struct log_field {
    const char *key; /* a-z, 0-9, '_' */
    struct slice text;
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(key, string)                                                                      \
    {                                                                                              \
        (key), slice_from_string(string), 0, false                                                 \
    }
#define LOG_SLICE(key, slice)                                                                      \
    {                                                                                              \
        (key), (slice), 0, false                                                                   \
    }
#define LOG_NUMBER(key, value)                                                                     \
    {                                                                                              \
        (key), {NULL, 0}, (int64_t)(value), true                                                   \
    }

/* Sets the process name shown in each line (must stay valid), the lowest level written, and the
 * format. Before it is called, everything from info up is written as key=value. */
void log_init(const char *process, enum log_level lowest, enum log_format format);

/* "debug", "info", "warning", "error"; false for anything else. */
bool log_level_parse(struct slice text, enum log_level *level);

/* Writes one event; fields end with a NULL key. Use the macros below. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* log_info("event", fields...): the event is a fixed word or words-with-hyphens, by which lines are
 * found again; everything that varies is a field. The first element only keeps the list from being
 * empty. */
#define LOG_EVENT(level, event, ...)                                                               \
    log_write((level), (event),                                                                    \
              (const struct log_field[]){LOG_NUMBER("", 0), ##__VA_ARGS__, LOG_TEXT(NULL, NULL)} + \
                  1)
#define log_debug(event, ...)   LOG_EVENT(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...)    LOG_EVENT(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define log_warning(event, ...) LOG_EVENT(LOG_LEVEL_WARNING, event, ##__VA_ARGS__)
#define log_error(event, ...)   LOG_EVENT(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

#endif
