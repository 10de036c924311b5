/*
 * One pass of libconfuse over the file, with its options built from base/config.def; then paths
 * are made absolute and what the options mean together is checked.
 */
#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "base/network.h"

#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct config_option config_options[] = {
#define CONFIG_STRING(name, value, help)                                                           \
    {#name, CONFIG_TYPE_STRING, CONFIG_UNIT_NONE, value, 0, 0, help, offsetof(struct config, name)},
#define CONFIG_NUMBER(name, value, low, high, unit, help)                                          \
    {#name, CONFIG_TYPE_NUMBER,           CONFIG_UNIT_##unit, #value, low, high,                   \
     help,  offsetof(struct config, name)},
#define CONFIG_BOOL(name, value, help)                                                             \
    {#name, CONFIG_TYPE_BOOL, CONFIG_UNIT_NONE, #value, 0, 1, help, offsetof(struct config, name)},
#define CONFIG_LIST(name, value, help)                                                             \
    {#name, CONFIG_TYPE_LIST, CONFIG_UNIT_NONE, value, 0, 0, help, offsetof(struct config, name)},
#include "base/config.def"
#undef CONFIG_STRING
#undef CONFIG_NUMBER
#undef CONFIG_BOOL
#undef CONFIG_LIST
    {NULL, CONFIG_TYPE_STRING, CONFIG_UNIT_NONE, NULL, 0, 0, NULL, 0},
};

enum { OPTION_COUNT = sizeof(config_options) / sizeof(config_options[0]) - 1 };

/* What reading is about; libconfuse's error callback has no argument, so the thread keeps it. */
struct reading {
    const char *path;
    struct config *config;
    struct buffer *problems;
};
static _Thread_local struct reading *current;

static char **string_field(struct config *config, const struct config_option *option)
{
    return (char **)((char *)config + option->offset);
}

static int64_t *number_field(struct config *config, const struct config_option *option)
{
    return (int64_t *)((char *)config + option->offset);
}

static bool *bool_field(struct config *config, const struct config_option *option)
{
    return (bool *)((char *)config + option->offset);
}

static struct config_list *list_field(struct config *config, const struct config_option *option)
{
    return (struct config_list *)((char *)config + option->offset);
}

/* --- problems --- */

static void problem(struct reading *reading, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(struct reading *reading, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (line > 0)
        buffer_append_format(reading->problems, "%s:%d: ", reading->path, line);
    else
        buffer_append_format(reading->problems, "%s: ", reading->path);
    buffer_append_formatv(reading->problems, format, arguments);
    buffer_append_byte(reading->problems, '\n');
    va_end(arguments);
}

static void parser_error(cfg_t *cfg, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void parser_error(cfg_t *cfg, const char *format, va_list arguments)
{
    char text[512];
    vsnprintf(text, sizeof(text), format, arguments);
    problem(current, cfg ? cfg->line : 0, "%s", text);
}

/* --- numbers --- */

static const struct {
    char letter;
    enum config_unit unit;
    int64_t factor;
} suffixes[] = {
    {'K', CONFIG_UNIT_BYTES, 1024},
    {'M', CONFIG_UNIT_BYTES, 1024 * 1024},
    {'G', CONFIG_UNIT_BYTES, 1024 * 1024 * 1024},
    {'s', CONFIG_UNIT_SECONDS, 1},
    {'m', CONFIG_UNIT_SECONDS, 60},
    {'h', CONFIG_UNIT_SECONDS, 3600},
    {'d', CONFIG_UNIT_SECONDS, 86400},
};

static bool parse_number(const struct config_option *option, const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, text[0] == '0' ? 8 : 10);
    if (errno || end == text)
        return false;
    int64_t factor = 1;
    for (size_t i = 0; *end && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (suffixes[i].unit == option->unit && *end == suffixes[i].letter) {
            factor = suffixes[i].factor;
            end++;
            break;
        }
    }
    int64_t product;
    if (*end || __builtin_mul_overflow((int64_t)value, factor, &product))
        return false;
    *number = product;
    return product >= option->minimum && product <= option->maximum;
}

/* --- libconfuse's side --- */

/* Numbers are read as strings, so that units and octal modes are ours to judge. */
static void make_options(cfg_opt_t *rows)
{
    static char empty_list[] = "{}"; /* libconfuse asks for a writable one */
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &config_options[i];
        const char *name = option->name, *text = option->default_text;
        switch (option->type) {
        case CONFIG_TYPE_STRING:
        case CONFIG_TYPE_NUMBER:
            rows[i] = (cfg_opt_t)CFG_STR(name, text, CFGF_NONE);
            break;
        case CONFIG_TYPE_BOOL:
            rows[i] = (cfg_opt_t)CFG_BOOL(name, text[0] == 't' ? cfg_true : cfg_false, CFGF_NONE);
            break;
        case CONFIG_TYPE_LIST:
            rows[i] = (cfg_opt_t)CFG_STR_LIST(name, empty_list, CFGF_NONE);
            break;
        }
    }
    rows[OPTION_COUNT] = (cfg_opt_t)CFG_END();
}

static int check_value(cfg_t *cfg, cfg_opt_t *row)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &config_options[i];
        if (option->type != CONFIG_TYPE_NUMBER || strcmp(option->name, row->name) != 0)
            continue;
        int64_t number;
        const char *text = cfg_opt_getnstr(row, 0);
        if (!parse_number(option, text, &number))
            problem(current, cfg->line, "%s = %s: expected a number from %lld to %lld",
                    option->name, text, (long long)option->minimum, (long long)option->maximum);
    }
    return 0;
}

static int take_list(cfg_t *cfg, const struct config_option *option, struct config *config)
{
    struct config_list *list = list_field(config, option);
    unsigned count = cfg_size(cfg, option->name);
    list->items = calloc(count ? count : 1, sizeof(*list->items));
    if (!list->items)
        return ERROR_MEMORY;
    for (; list->count < count; list->count++) {
        list->items[list->count] = strdup(cfg_getnstr(cfg, option->name, (unsigned)list->count));
        if (!list->items[list->count])
            return ERROR_MEMORY;
    }
    return 0;
}

static int take_values(cfg_t *cfg, struct config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &config_options[i];
        int error = 0;
        switch (option->type) {
        case CONFIG_TYPE_STRING:
            *string_field(config, option) = strdup(cfg_getstr(cfg, option->name));
            error = *string_field(config, option) ? 0 : ERROR_MEMORY;
            break;
        case CONFIG_TYPE_NUMBER:
            parse_number(option, cfg_getstr(cfg, option->name), number_field(config, option));
            break;
        case CONFIG_TYPE_BOOL:
            *bool_field(config, option) = cfg_getbool(cfg, option->name) == cfg_true;
            break;
        case CONFIG_TYPE_LIST:
            error = take_list(cfg, option, config);
            break;
        }
        if (error)
            return error;
    }
    return 0;
}

/* --- what the values mean --- */

static int make_absolute(char **path, const char *directory)
{
    if (!*path || !**path || **path == '/')
        return 0;
    char *absolute = NULL;
    if (asprintf(&absolute, "%s/%s", directory, *path) < 0)
        return ERROR_MEMORY;
    free(*path);
    *path = absolute;
    return 0;
}

static int make_listener_absolute(char **listener, const char *directory)
{
    if (strncmp(*listener, "unix:", 5) != 0 || (*listener)[5] == '/')
        return 0;
    char *absolute = NULL;
    if (asprintf(&absolute, "unix:%s/%s", directory, *listener + 5) < 0)
        return ERROR_MEMORY;
    free(*listener);
    *listener = absolute;
    return 0;
}

static int make_listeners_absolute(struct config_list *list, const char *directory)
{
    int error = 0;
    for (size_t i = 0; !error && i < list->count; i++)
        error = make_listener_absolute(&list->items[i], directory);
    return error;
}

static int resolve_paths(struct config *config)
{
    char *slash = strrchr(config->path, '/');
    char *directory = strndup(config->path, (size_t)(slash - config->path));
    if (!directory)
        return ERROR_MEMORY;
    int error = make_absolute(&config->data_directory, directory);
    if (!error)
        error = make_absolute(&config->tls_certificate, directory);
    if (!error)
        error = make_absolute(&config->tls_key, directory);
    if (!error)
        error = make_absolute(&config->program_directory, directory);
    if (!error)
        error = make_absolute(&config->rados_config, directory);
    if (!error)
        error = make_absolute(&config->outgoing_password_file, directory);
    if (!error)
        error = make_absolute(&config->outgoing_ca_file, directory);
    if (!error)
        error = make_absolute(&config->admin_socket, config->data_directory);
    if (!error)
        error = make_listeners_absolute(&config->lmtp_listen, config->data_directory);
    if (!error)
        error = make_listeners_absolute(&config->mta_listen, config->data_directory);
    free(directory);
    return error;
}

static bool is_loopback(const struct listen_address *address)
{
    return strncmp(address->text, "127.", 4) == 0 || strcmp(address->text, "::1") == 0;
}

static void check_listeners(struct reading *reading, const char *name,
                            const struct config_list *list, bool mta)
{
    for (size_t i = 0; i < list->count; i++) {
        struct listen_address address;
        if (config_listen_address(list->items[i], &address) ||
            (address.kind == LISTEN_UNIX && !mta))
            problem(reading, 0, "%s: \"%s\" is not an address to listen on", name, list->items[i]);
        else if (mta && address.kind == LISTEN_TCP && !is_loopback(&address))
            /* Nobody logs in there: whoever reaches it can deliver, or learn who is here. */
            problem(reading, 0, "%s: \"%s\" is not a loopback address", name, list->items[i]);
    }
}

/* One that listens needs a certificate. */
static void check_tls(struct reading *reading, const char *name, const struct config_list *list)
{
    if (list->count && !*reading->config->tls_key)
        problem(reading, 0, "%s needs tls_certificate and tls_key", name);
}

static void check_networks(struct reading *reading, const char *name,
                           const struct config_list *list)
{
    struct network network;
    for (size_t i = 0; i < list->count; i++)
        if (network_parse(list->items[i], &network))
            problem(reading, 0, "%s: \"%s\" is neither an address nor a network", name,
                    list->items[i]);
}

static void check_engine(struct reading *reading)
{
    const struct config *config = reading->config;
    bool rados = strcmp(config->engine, "rados") == 0;
    if (!rados && strcmp(config->engine, "sqlite") != 0)
        problem(reading, 0, "engine: \"%s\" is not known; there are: sqlite, rados",
                config->engine);
    if (rados && !*config->rados_pool)
        problem(reading, 0, "engine = \"rados\" needs rados_pool");
    if (!rados && *config->rados_pool)
        problem(reading, 0, "rados_pool is for engine = \"rados\"");
}

/* What the password may be sent over is seen when the name has been looked up; what it may never be
 * is seen here. */
static void check_outgoing(struct reading *reading)
{
    static const char *const tls[] = {"never", "optional", "starttls", "tls"};
    const struct config *config = reading->config;
    struct listen_address address = {.kind = LISTEN_TCP};
    bool known = false;
    for (size_t i = 0; i < sizeof(tls) / sizeof(tls[0]); i++)
        known = known || strcmp(config->outgoing_tls, tls[i]) == 0;
    if (!known)
        problem(reading, 0, "outgoing_tls: \"%s\" is none of never, optional, starttls, tls",
                config->outgoing_tls);
    if (*config->outgoing_server &&
        (config_listen_address(config->outgoing_server, &address) || address.kind != LISTEN_TCP))
        problem(reading, 0, "outgoing_server: \"%s\" is not HOST:PORT", config->outgoing_server);
    else if (*config->outgoing_user && strcmp(config->outgoing_tls, "never") == 0 &&
             !is_loopback(&address) && strcmp(address.text, "localhost") != 0)
        problem(reading, 0, "outgoing_user: a password is not sent to another machine without TLS");
    if (!*config->outgoing_user != !*config->outgoing_password_file)
        problem(reading, 0, "outgoing_user and outgoing_password_file go together");
    if (strlen(config->outgoing_user) > OUTGOING_USER_MAXIMUM)
        problem(reading, 0, "outgoing_user is longer than %d bytes", OUTGOING_USER_MAXIMUM);
}

static void check_meaning(struct reading *reading)
{
    const struct config *config = reading->config;
    check_listeners(reading, "imap_listen", &config->imap_listen, false);
    check_listeners(reading, "imaps_listen", &config->imaps_listen, false);
    check_listeners(reading, "pop3_listen", &config->pop3_listen, false);
    check_listeners(reading, "pop3s_listen", &config->pop3s_listen, false);
    check_listeners(reading, "sieve_listen", &config->sieve_listen, false);
    check_listeners(reading, "lmtp_listen", &config->lmtp_listen, true);
    check_listeners(reading, "lmtp_remote_listen", &config->lmtp_remote_listen, false);
    check_listeners(reading, "mta_listen", &config->mta_listen, true);
    if (!*config->data_directory)
        problem(reading, 0, "data_directory is not set");
    if (!*config->hostname)
        problem(reading, 0, "hostname is empty");
    if (!*config->tls_certificate != !*config->tls_key)
        problem(reading, 0, "tls_certificate and tls_key go together");
    check_tls(reading, "imaps_listen", &config->imaps_listen);
    check_tls(reading, "pop3s_listen", &config->pop3s_listen);
    if (!config->plaintext_login) /* nobody could log in */
        check_tls(reading, "lmtp_remote_listen", &config->lmtp_remote_listen);
    check_networks(reading, "lmtp_trusted", &config->lmtp_trusted);
    check_engine(reading);
    check_outgoing(reading);
    if (config->message_limit && config->save_limit)
        problem(reading, 0, "save_limit is for a server without message_limit");
    if (strcmp(config->log_format, "text") != 0 && strcmp(config->log_format, "json") != 0)
        problem(reading, 0, "log_format: \"%s\" is neither text nor json", config->log_format);
    enum log_level level;
    if (!log_level_parse(slice_from_string(config->log_level), &level))
        problem(reading, 0, "log_level: \"%s\" is none of debug, info, warning, error",
                config->log_level);
}

/* --- reading --- */

static bool begins_comment(const char *at)
{
    return *at == '#' || (at[0] == '/' && at[1] == '/');
}

/* Comments become white space: libconfuse 3.3 counts three lines for each of them, and its errors
 * would name the wrong one. */
static void blank_comments(char *text)
{
    char quote = '\0';
    for (char *at = text; *at; at++) {
        if (quote) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == quote)
                quote = '\0';
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (begins_comment(at)) {
            size_t size = strcspn(at, "\n");
            memset(at, ' ', size);
            at += size - 1;
        }
    }
}

/* The file's text, ended with NUL. */
static int read_file(const char *path, struct buffer *text)
{
    char piece[4096];
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
    for (size_t size; (size = fread(piece, 1, sizeof(piece), file)) > 0;)
        buffer_append(text, slice_make(piece, size));
    int error = ferror(file) ? ERROR_IO : 0;
    fclose(file);
    buffer_append_byte(text, '\0');
    return error ? error : buffer_error(text);
}

static int parse_file(struct reading *reading, cfg_t *cfg)
{
    struct buffer text;
    buffer_init(&text, CONFIG_FILE_MAXIMUM);
    int error = read_file(reading->path, &text);
    if (error) {
        problem(reading, 0, "cannot be read: %s", error_text(error));
    } else {
        blank_comments(text.data);
        current = reading;
        error = cfg_parse_buf(cfg, text.data) == CFG_SUCCESS ? 0 : ERROR_SYNTAX;
        current = NULL;
    }
    buffer_release(&text);
    return error;
}

static int read_into(struct reading *reading)
{
    cfg_opt_t rows[OPTION_COUNT + 1];
    make_options(rows);
    cfg_t *cfg = cfg_init(rows, CFGF_NONE);
    if (!cfg)
        return ERROR_MEMORY;
    cfg_set_error_function(cfg, parser_error);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cfg_set_validate_func(cfg, config_options[i].name, check_value);

    int error = parse_file(reading, cfg);
    if (!error && reading->problems->size > 0)
        error = ERROR_SYNTAX;
    if (!error) {
        error = take_values(cfg, reading->config);
        if (!error)
            error = resolve_paths(reading->config);
        if (!error)
            check_meaning(reading);
        if (!error && reading->problems->size > 0)
            error = ERROR_SYNTAX;
    }
    cfg_free(cfg);
    return error;
}

int config_read(const char *path, struct config **config, struct buffer *problems)
{
    struct config *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    struct reading reading = {.path = path, .config = made, .problems = problems};
    int error;
    made->path = realpath(path, NULL);
    if (!made->path) {
        error = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
        problem(&reading, 0, "cannot be read: %s", strerror(errno));
    } else {
        error = read_into(&reading);
    }
    if (error)
        config_free(&made);
    else
        *config = made;
    return error;
}

void config_free(struct config **config)
{
    if (!*config)
        return;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &config_options[i];
        if (option->type == CONFIG_TYPE_STRING)
            free(*string_field(*config, option));
        if (option->type != CONFIG_TYPE_LIST)
            continue;
        struct config_list *list = list_field(*config, option);
        for (size_t item = 0; item < list->count; item++)
            free(list->items[item]);
        free(list->items);
    }
    free((*config)->path);
    free(*config);
    *config = NULL;
}

/* --- showing --- */

static void format_quoted(const char *text, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, *text);
    }
    buffer_append_byte(out, '"');
}

int config_format(const struct config *config, const struct config_option *option,
                  struct buffer *text)
{
    struct config *fields = (struct config *)config; /* only read below */
    switch (option->type) {
    case CONFIG_TYPE_STRING:
        format_quoted(*string_field(fields, option), text);
        break;
    case CONFIG_TYPE_NUMBER:
        if (option->maximum == 0777)
            buffer_append_format(text, "0%llo", (unsigned long long)*number_field(fields, option));
        else
            buffer_append_format(text, "%lld", (long long)*number_field(fields, option));
        break;
    case CONFIG_TYPE_BOOL:
        buffer_append_string(text, *bool_field(fields, option) ? "true" : "false");
        break;
    case CONFIG_TYPE_LIST:
        buffer_append_byte(text, '{');
        for (size_t i = 0; i < list_field(fields, option)->count; i++) {
            buffer_append_string(text, i ? ", " : "");
            format_quoted(list_field(fields, option)->items[i], text);
        }
        buffer_append_byte(text, '}');
        break;
    }
    return buffer_error(text);
}

/* --- listeners --- */

static int copy_text(struct slice text, struct listen_address *address)
{
    if (text.size == 0 || text.size >= sizeof(address->text))
        return ERROR_SYNTAX;
    memcpy(address->text, text.data, text.size);
    address->text[text.size] = '\0';
    return 0;
}

int config_listen_address(const char *text, struct listen_address *address)
{
    struct listen_address made = {.kind = LISTEN_TCP};
    struct slice rest = slice_from_string(text);
    if (slice_starts_with(rest, SLICE("unix:")) || slice_starts_with(rest, SLICE("systemd:"))) {
        made.kind = rest.data[0] == 'u' ? LISTEN_UNIX : LISTEN_SYSTEMD;
        int error = copy_text(slice_sub(rest, slice_find(rest, ':') + 1, rest.size), &made);
        if (!error)
            *address = made;
        return error;
    }
    const char *colon = strrchr(text, ':');
    if (!colon)
        return ERROR_SYNTAX;
    struct slice host = slice_make(text, (size_t)(colon - text));
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = slice_sub(host, 1, host.size - 2);
    else if (slice_find(host, ':') < host.size)
        return ERROR_SYNTAX;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port == 0 || port > UINT16_MAX || copy_text(host, &made))
        return ERROR_SYNTAX;
    made.port = (uint16_t)port;
    *address = made;
    return 0;
}
