/*
 * The mail server, as chapar.conf has it: everything that needs a file or the resolver, before the
 * process is confined.
 *
 * A certificate is checked whenever TLS is required, which it is where a password is sent to
 * another machine. Where TLS is optional it is not: who can answer in the server's place could
 * leave STARTTLS out as well.
 */
#include "agents/send/send_priv.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where Debian has all of them in one file; OpenSSL's own default is a directory of them, which it
 * would open during a handshake. */
static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

/* --- its addresses --- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static bool is_local(const struct send_server *server)
{
    for (size_t i = 0; i < server->address_count; i++)
        if (!is_loopback(&server->addresses[i]))
            return false;
    return server->address_count > 0;
}

/* The resolver's own patience is longer than chapard's with a process that starts. */
static void look_up(struct send_server *server, unsigned port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char text[8];
    snprintf(text, sizeof(text), "%u", port);
    setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
    if (getaddrinfo(server->host, text, &hints, &found))
        return;
    for (struct addrinfo *one = found; one && server->address_count < SEND_ADDRESSES_MAXIMUM;
         one = one->ai_next)
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
            memcpy(&server->addresses[server->address_count++], one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
}

/* --- the password --- */

/* It is whoever's who can read it, so nobody else's file, and open to nobody else. */
static int check_file(int file, const char *path, struct buffer *problem)
{
    struct stat status;
    const char *wrong = NULL;
    if (fstat(file, &status))
        return error_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        wrong = "is no file";
    else if (status.st_uid != 0 && status.st_uid != geteuid())
        wrong = "belongs neither to root nor to the server's user";
    else if (status.st_mode & 077)
        wrong = "is open to others; it must have mode 0600 or less";
    if (wrong)
        buffer_append_format(problem, "%s %s", path, wrong);
    return wrong ? ERROR_DENIED : 0;
}

static int take_password(struct send_server *server, int file, const char *path,
                         struct buffer *problem)
{
    /* In one piece: a buffer that grows would leave a part of it behind. */
    char *room = buffer_reserve(&server->password, SEND_PASSWORD_FILE_MAXIMUM);
    ssize_t size = room ? read(file, room, SEND_PASSWORD_FILE_MAXIMUM) : -1;
    if (size < 0)
        return room ? error_from_errno(errno) : ERROR_MEMORY;
    buffer_commit(&server->password, (size_t)size);
    struct slice line = buffer_slice(&server->password);
    line = slice_sub(line, 0, slice_find(line, '\n'));
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (!line.size || line.size > SMTP_PASSWORD_MAXIMUM || memchr(line.data, 0, line.size)) {
        buffer_append_format(problem, "%s: its first line is no password", path);
        return ERROR_INVALID;
    }
    server->smtp.password = line;
    return 0;
}

static int read_password(struct send_server *server, const char *path, struct buffer *problem)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        int error = error_from_errno(errno);
        buffer_append_format(problem, "%s: %s", path, error_text(error));
        return error;
    }
    int error = check_file(file, path, problem);
    if (!error)
        error = take_password(server, file, path, problem);
    close(file);
    return error;
}

/* --- TLS --- */

static int set_up_tls(SSL_CTX *context, const struct config *config, bool verify,
                      struct buffer *problem)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (!verify)
        return 0;
    const char *file = *config->outgoing_ca_file ? config->outgoing_ca_file : system_authorities;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_file(context, file) == 1)
        return 0;
    buffer_append_format(problem, "%s: no certificates to check against", file);
    return ERROR_INVALID;
}

static int make_tls(struct send_server *server, const struct config *config, bool verify,
                    struct buffer *problem)
{
    ERR_clear_error();
    server->tls = SSL_CTX_new(TLS_client_method());
    int error = server->tls ? set_up_tls(server->tls, config, verify, problem) : ERROR_MEMORY;
    ERR_clear_error();
    return error;
}

/* What outgoing_tls asks for, and what the password takes. */
static enum smtp_tls tls_of(const struct send_server *server, const struct config *config)
{
    if (strcmp(config->outgoing_tls, "never") == 0)
        return SMTP_TLS_NEVER;
    if (strcmp(config->outgoing_tls, "optional") != 0)
        return SMTP_TLS_REQUIRED;
    if (server->smtp.local)
        return SMTP_TLS_NEVER;
    return *config->outgoing_user ? SMTP_TLS_REQUIRED : SMTP_TLS_OFFERED;
}

int send_server_open(const struct config *config, struct send_server *server,
                     struct buffer *problem)
{
    struct listen_address address;
    *server = (struct send_server){.address_count = 0};
    buffer_init(&server->password, SEND_PASSWORD_FILE_MAXIMUM);
    if (config_listen_address(config->outgoing_server, &address) || address.kind != LISTEN_TCP)
        return ERROR_INVALID;
    snprintf(server->host, sizeof(server->host), "%s", address.text);
    look_up(server, address.port);
    server->smtp.hostname = config->hostname;
    server->smtp.user = slice_from_string(config->outgoing_user);
    server->smtp.local = is_local(server);
    server->smtp.tls = tls_of(server, config);
    server->tls_first = strcmp(config->outgoing_tls, "tls") == 0;
    int error = 0;
    if (server->smtp.user.size)
        error = read_password(server, config->outgoing_password_file, problem);
    if (!error && server->smtp.tls != SMTP_TLS_NEVER)
        error = make_tls(server, config, server->smtp.tls == SMTP_TLS_REQUIRED, problem);
    return error;
}

void send_server_release(struct send_server *server)
{
    if (server->password.data)
        explicit_bzero(server->password.data, server->password.capacity);
    buffer_release(&server->password);
    SSL_CTX_free(server->tls);
    server->tls = NULL;
}
