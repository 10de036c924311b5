#include "client.h"

#include "load.h"

#include <errno.h>
#include <stdarg.h>

SSL_CTX *client_tls(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        load_fail("TLS");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

void client_open(struct client *client, uint16_t port, SSL_CTX *tls, const char *source)
{
    *client = (struct client){.socket = load_connect_from(port, source)};
    if (tls) {
        client->tls = SSL_new(tls);
        if (!client->tls || !SSL_set_fd(client->tls, client->socket) ||
            SSL_connect(client->tls) != 1)
            load_fail("TLS handshake");
    }
    client_line(client);
}

void client_close(struct client *client)
{
    if (client->tls) {
        SSL_shutdown(client->tls);
        SSL_free(client->tls);
    }
    close(client->socket);
}

void client_send(struct client *client, const char *bytes, size_t size)
{
    if (!client->tls)
        load_send(client->socket, bytes, size);
    else if (SSL_write(client->tls, bytes, (int)size) != (int)size)
        load_fail("write");
}

/* Reads what has come behind what is there; false: nothing has, and the socket does not block. */
static bool fill(struct client *client)
{
    char *room = client->input + client->end;
    size_t size = sizeof(client->input) - client->end;
    ssize_t got;
    bool again;
    if (client->tls) {
        got = SSL_read(client->tls, room, (int)size);
        again = got <= 0 && SSL_get_error(client->tls, (int)got) == SSL_ERROR_WANT_READ;
    } else {
        got = read(client->socket, room, size);
        again = got < 0 && errno == EAGAIN;
    }
    if (again)
        return false;
    if (got <= 0) {
        fputs("the server has closed the connection\n", stderr);
        exit(1);
    }
    client->end += (size_t)got;
    return true;
}

/* A line in `input` as a string, or NULL. What is too long is made a line without its middle. */
static const char *take_line(struct client *client)
{
    char *begin = client->input + client->begin;
    size_t size = client->end - client->begin;
    char *end = memchr(begin, '\n', size);
    if (!end) {
        client->end = size == sizeof(client->input) ? size / 2 : client->end;
        return NULL;
    }
    client->begin += (size_t)(end - begin) + 1;
    *(end > begin && end[-1] == '\r' ? end - 1 : end) = '\0';
    return begin;
}

const char *client_line(struct client *client)
{
    for (;;) {
        const char *line = take_line(client);
        if (line)
            return line;
        if (client->begin > 0 && client->end == sizeof(client->input)) {
            client->end -= client->begin;
            memmove(client->input, client->input + client->begin, client->end);
            client->begin = 0;
        }
        if (client->begin == client->end)
            client->begin = client->end = 0;
        if (!fill(client))
            return NULL;
    }
}

static void note_messages(struct client *client, const char *line)
{
    char *what;
    if (strncmp(line, "* ", 2) != 0)
        return;
    unsigned number = (unsigned)strtoul(line + 2, &what, 10);
    if (strcmp(what, " EXISTS") == 0)
        client->messages = number;
    else if (strcmp(what, " EXPUNGE") == 0 && client->messages > 0)
        client->messages--;
}

/* Of the last command. */
static bool read_answer(struct client *client)
{
    char tag[16];
    size_t size = (size_t)snprintf(tag, sizeof(tag), "t%u ", client->commands);
    const char *line;
    while (strncmp(line = client_line(client), tag, size) != 0)
        note_messages(client, line);
    if (strncmp(line + size, "OK", 2) == 0)
        return true;
    if (strncmp(line + size, "NO", 2) == 0)
        return false;
    fprintf(stderr, "refused: %s\n", line);
    exit(1);
}

static size_t tagged(struct client *client, char *text, const char *format, va_list arguments)
{
    size_t size = (size_t)snprintf(text, CLIENT_COMMAND_MAXIMUM, "t%u ", ++client->commands);
    size += (size_t)vsnprintf(text + size, CLIENT_COMMAND_MAXIMUM - size - 2, format, arguments);
    memcpy(text + size, "\r\n", 2);
    return size + 2;
}

void client_command(struct client *client, const char *format, ...)
{
    char text[CLIENT_COMMAND_MAXIMUM];
    va_list arguments;
    va_start(arguments, format);
    client_send(client, text, tagged(client, text, format, arguments));
    va_end(arguments);
    if (read_answer(client))
        return;
    fprintf(stderr, "answered NO: %s\n", format);
    exit(1);
}

bool client_try(struct client *client, const char *format, ...)
{
    char text[CLIENT_COMMAND_MAXIMUM];
    va_list arguments;
    va_start(arguments, format);
    client_send(client, text, tagged(client, text, format, arguments));
    va_end(arguments);
    return read_answer(client);
}

bool client_append(struct client *client, const char *mailbox, const char *message, size_t size)
{
    char text[CLIENT_COMMAND_MAXIMUM];
    int head =
        snprintf(text, sizeof(text), "t%u APPEND %s {%zu+}\r\n", ++client->commands, mailbox, size);
    client_send(client, text, (size_t)head);
    client_send(client, message, size);
    client_send(client, "\r\n", 2);
    return read_answer(client);
}
