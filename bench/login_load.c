/*
 * login_load: clients that connect, log in and log out, as fast as the server lets them.
 *
 * Usage: login_load [-t] PORT CLIENTS COUNT PASSWORD USER...
 *
 * Each client (a thread) connects, with TLS from the first byte on when -t is given, logs in as one
 * of the users in turn and logs out, until there have been COUNT logins. A TLS handshake is always
 * a full one. Prints logins per second and the median and 99th percentile of one, from connecting
 * to the answer to LOGOUT, in microseconds, as one line: "RATE MEDIAN P99".
 */
#include "client.h"
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>

static struct {
    uint16_t port;
    SSL_CTX *tls;
    long logins;
    const char *password;
    char **users;
    int user_count;
    atomic_long next;
    uint32_t *times; /* microseconds, one for each login */
} load;

static void *run_client(void *unused)
{
    (void)unused;
    for (long number; (number = atomic_fetch_add(&load.next, 1)) < load.logins;) {
        struct client client;
        uint64_t start = clock_monotonic_us();
        client_open(&client, load.port, load.tls, NULL);
        client_command(&client, "LOGIN \"%s\" \"%s\"", load.users[number % load.user_count],
                       load.password);
        client_command(&client, "LOGOUT");
        load.times[number] = (uint32_t)(clock_monotonic_us() - start);
        client_close(&client);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    static pthread_t threads[LOAD_CONNECTIONS_MAXIMUM];
    int option;
    while ((option = getopt(count, arguments, "t")) == 't')
        load.tls = load.tls ? load.tls : client_tls();
    arguments += optind;
    count -= optind;
    long clients = option != -1 || count < 5 ? 0 : strtol(arguments[1], NULL, 10);
    load.logins = clients ? strtol(arguments[2], NULL, 10) : 0;
    if (clients < 1 || clients > LOAD_CONNECTIONS_MAXIMUM || load.logins < 1) {
        fputs("usage: login_load [-t] PORT CLIENTS COUNT PASSWORD USER...\n", stderr);
        return 2;
    }
    load.port = (uint16_t)strtol(arguments[0], NULL, 10);
    load.password = arguments[3];
    load.users = arguments + 4;
    load.user_count = count - 4;
    load.times = calloc((size_t)load.logins, sizeof(*load.times));
    uint64_t start = clock_monotonic_us();
    for (long i = 0; i < clients; i++)
        if (pthread_create(&threads[i], NULL, run_client, NULL))
            load_fail("thread");
    for (long i = 0; i < clients; i++)
        pthread_join(threads[i], NULL);
    load_print(load.times, load.logins, start);
    free(load.times);
    SSL_CTX_free(load.tls);
    return 0;
}
