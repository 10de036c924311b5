/*
 * The configuration: chapar.conf as one struct, read through one table (base/config.def).
 *
 * An unknown key, a wrong type, a value out of range or a contradiction (imaps_listen without
 * tls_key) is an error with file and line. Paths come out absolute: relative ones are taken from
 * the configuration file's directory (admin_socket and unix: sockets from data_directory).
 *
 * Source: chapar.conf(5), libconfuse's syntax (name = value, lists in braces, # comments).
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buffer.h"

enum {
    CONFIG_FILE_MAXIMUM = 1024 * 1024, /* bytes of the file */
    OUTGOING_USER_MAXIMUM = 255, /* of outgoing_user: RFC 4616's, as proto/smtp/client.h has it */
};

struct config_list {
    char **items;
    size_t count;
};

struct config {
    char *path; /* the file it was read from, absolute; NULL for defaults */
#define CONFIG_STRING(name, value, help)                  char *name;
#define CONFIG_NUMBER(name, value, low, high, unit, help) int64_t name;
#define CONFIG_BOOL(name, value, help)                    bool name;
#define CONFIG_LIST(name, value, help)                    struct config_list name;
#include "base/config.def"
#undef CONFIG_STRING
#undef CONFIG_NUMBER
#undef CONFIG_BOOL
#undef CONFIG_LIST
};

enum config_type { CONFIG_TYPE_STRING, CONFIG_TYPE_NUMBER, CONFIG_TYPE_BOOL, CONFIG_TYPE_LIST };
enum config_unit {
    CONFIG_UNIT_NONE,
    CONFIG_UNIT_COUNT,
    CONFIG_UNIT_BYTES,
    CONFIG_UNIT_SECONDS,
    CONFIG_UNIT_MICROSECONDS,
};

/* One row of the table, for those who print it (config show, the manual page). */
struct config_option {
    const char *name;
    enum config_type type;
    enum config_unit unit;
    const char *default_text;
    int64_t minimum, maximum; /* numbers only */
    const char *help;
    size_t offset; /* in struct config */
};

/* All rows, in the table's order; the last has name == NULL. */
extern const struct config_option config_options[];

/* Reads the file. On failure *config is untouched and *problems (a buffer of the caller's) holds
 * one line for each problem, "FILE:LINE: text". ERROR_NOT_FOUND, ERROR_SYNTAX, ERROR_IO,
 * ERROR_LIMIT.
 * Does not log. The caller frees with config_free. */
int config_read(const char *path, struct config **config, struct buffer *problems);

/* Frees it and sets the pointer to NULL. */
void config_free(struct config **config);

/* The value as it would stand in the file, with its default's unit. */
int config_format(const struct config *config, const struct config_option *option,
                  struct buffer *text);

/* Takes a listener's text apart: "127.0.0.1:143", "[::1]:143", "unix:/path", "systemd:imap". */
enum listen_kind { LISTEN_TCP, LISTEN_UNIX, LISTEN_SYSTEMD };
struct listen_address {
    enum listen_kind kind;
    char text[256]; /* numeric address, path or name */
    uint16_t port;  /* TCP only */
};
int config_listen_address(const char *text, struct listen_address *address);

#endif
