#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static struct {
    const char *process;
    enum log_level lowest;
    enum log_format format;
} settings = {"chapar", LOG_LEVEL_INFO, LOG_FORMAT_KEY_VALUE};

/* A line under construction; what does not fit is cut, room for the end is kept. */
struct line {
    char data[LOG_LINE_MAXIMUM];
    size_t size;
};

enum { END_ROOM = 4 };

void log_init(const char *process, enum log_level lowest, enum log_format format)
{
    settings.process = process;
    settings.lowest = lowest;
    settings.format = format;
}

bool log_level_parse(struct slice text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (slice_equal(text, slice_from_string(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    size_t room = sizeof(line->data) - END_ROOM - line->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->data + line->size, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->size += (size_t)length < room ? (size_t)length : room - 1;
}

/* The length of the valid UTF-8 sequence at the start of text, or 0 (RFC 3629 section 4). */
static size_t utf8_length(struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t length = p[0] < 0x80                    ? 1
                    : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
                    : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                   : 0;
    if (length == 0 || length > text.size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

static void put_escaped(struct line *line, struct slice text)
{
    while (text.size > 0 && line->size + 16 < sizeof(line->data) - END_ROOM) {
        unsigned char c = (unsigned char)text.data[0];
        size_t length = utf8_length(text);
        if (c == '"' || c == '\\')
            put(line, "\\%c", c);
        else if (c == '\n')
            put(line, "\\n");
        else if (c < 0x20 || c == 0x7f || length == 0)
            put(line, "\\u00%02x", c);
        else
            put(line, "%.*s", (int)length, text.data);
        text = slice_sub(text, length ? length : 1, text.size);
    }
}

/* Whether a value can stand without quotes in key=value. */
static bool is_bare(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return text.size > 0;
}

static void put_time(struct line *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    put(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
        utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
}

static void put_json(struct line *line, enum log_level level, const char *event,
                     const struct log_field *fields)
{
    put(line, "{\"time\":\"");
    put_time(line);
    put(line, "\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d,\"event\":\"%s\"",
        level_names[level], settings.process, (int)getpid(), event);
    for (; fields->key; fields++) {
        /* A field that would not fit whole enough to close its quotes is left out. */
        if (line->size + strlen(fields->key) + 32 >= sizeof(line->data) - END_ROOM)
            break;
        put(line, ",\"%s\":", fields->key);
        if (fields->is_number) {
            put(line, "%lld", (long long)fields->number);
        } else {
            put(line, "\"");
            put_escaped(line, fields->text);
            put(line, "\"");
        }
    }
    line->data[line->size++] = '}';
}

static void put_key_value(struct line *line, enum log_level level, const char *event,
                          const struct log_field *fields)
{
    put_time(line);
    put(line, " %s %s[%d] event=%s", level_names[level], settings.process, (int)getpid(), event);
    for (; fields->key; fields++) {
        if (line->size + strlen(fields->key) + 32 >= sizeof(line->data) - END_ROOM)
            break;
        put(line, " %s=", fields->key);
        if (fields->is_number) {
            put(line, "%lld", (long long)fields->number);
        } else if (is_bare(fields->text) && fields->text.size < 1024) {
            put(line, "%.*s", SLICE_FORMAT(fields->text));
        } else {
            put(line, "\"");
            put_escaped(line, fields->text);
            put(line, "\"");
        }
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level < settings.lowest)
        return;
    struct line line = {.size = 0};
    if (settings.format == LOG_FORMAT_JSON)
        put_json(&line, level, event, fields);
    else
        put_key_value(&line, level, event, fields);
    line.data[line.size++] = '\n';
    /* Nobody is left to tell when standard error itself fails. */
    ssize_t ignored = write(STDERR_FILENO, line.data, line.size);
    (void)ignored;
}
