#include "base/error.h"
#include "cli/cli_priv.h"
#include "credentials/credentials.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

void password_wipe(struct buffer *password)
{
    if (password->data)
        explicit_bzero(password->data, password->capacity);
    buffer_release(password);
}

/* One line without its end, byte by byte: nothing of what follows is taken. */
static int read_line(struct buffer *line)
{
    for (;;) {
        char byte;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0)
            return ERROR_IO;
        if (got == 0 || byte == '\n')
            break;
        if (byte == '\0')
            return ERROR_SYNTAX;
        if (buffer_append_byte(line, byte))
            return buffer_error(line);
    }
    if (line->size && line->data[line->size - 1] == '\r')
        buffer_truncate(line, line->size - 1);
    return 0;
}

static int ask(const char *question, const char *name, struct buffer *line)
{
    struct termios before, silent;
    fprintf(stderr, "%s %s: ", question, name);
    tcgetattr(STDIN_FILENO, &before);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    int error = read_line(line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return error;
}

static int ask_twice(const char *name, struct buffer *password)
{
    struct buffer again;
    buffer_init(&again, CREDENTIALS_PASSWORD_MAXIMUM);
    int error = ask("New password of", name, password);
    if (!error)
        error = ask("The same again for", name, &again);
    if (!error && !slice_equal(buffer_slice(password), buffer_slice(&again))) {
        complain("the two are not the same");
        error = ERROR_INVALID;
    }
    password_wipe(&again);
    return error;
}

int password_read(const char *name, struct buffer *password)
{
    buffer_init(password, CREDENTIALS_PASSWORD_MAXIMUM);
    /* The whole room at once: no copy of the password is left behind by growing. */
    buffer_reserve(password, CREDENTIALS_PASSWORD_MAXIMUM);
    bool terminal = isatty(STDIN_FILENO);
    int error = terminal ? ask_twice(name, password) : read_line(password);
    if (!error && password->size < CREDENTIALS_PASSWORD_MINIMUM) {
        complain("the password must have at least %d characters", CREDENTIALS_PASSWORD_MINIMUM);
        error = ERROR_LIMIT;
    } else if (error && !terminal) {
        complain_error("password on standard input", error, NULL);
    }
    if (error)
        password_wipe(password);
    return error ? EXIT_FAILED : EXIT_DONE;
}
