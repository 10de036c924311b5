/*
 * idle_load: connections that wait in IDLE, and note when they hear of a message.
 *
 * Usage: idle_load [-t] [-a ADDRESS] [-l FILE] PORT PASSWORD USER...
 *
 * Reads from standard input how many connections there are to be, one number a line and each higher
 * than the one before; opens them, a few at a time, and prints the number when all of them are in
 * IDLE. Ends with its input. Connection n (from 0) logs in as one of the users in turn and selects
 * INBOX; with -t, over TLS from the first byte on; with -a, from an address of 127.0.0.0/8.
 *
 * With -l, the user's number (from 0) and the time (microseconds of the monotonic clock) of each
 * EXISTS that comes in IDLE are appended to the file as one line.
 */
#include "client.h"
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

enum { IDLERS_MAXIMUM = 100000, OPENERS = 16, EVENTS = 256 };

static struct {
    uint16_t port;
    SSL_CTX *tls;
    const char *source;
    FILE *log;
    const char *password;
    char **users;
    int user_count;
    int epoll;
    struct client **clients; /* of IDLERS_MAXIMUM */
    long wanted;
    atomic_long next;
} load;

/* Puts one into IDLE, and then gives it to run_watcher. */
static void open_idler(long number)
{
    struct client *client = malloc(sizeof(*client));
    if (!client)
        load_fail("memory");
    load.clients[number] = client;
    client_open(client, load.port, load.tls, load.source);
    client_command(client, "LOGIN \"%s\" \"%s\"", load.users[number % load.user_count],
                   load.password);
    client_command(client, "SELECT INBOX");
    client_send(client, "i IDLE\r\n", 8);
    while (client_line(client)[0] != '+')
        ;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)number};
    if (fcntl(client->socket, F_SETFL, O_NONBLOCK) ||
        epoll_ctl(load.epoll, EPOLL_CTL_ADD, client->socket, &event))
        load_fail("epoll");
}

static void *run_opener(void *unused)
{
    (void)unused;
    for (;;) {
        long number = atomic_load(&load.next);
        if (number >= load.wanted)
            return NULL;
        if (atomic_compare_exchange_strong(&load.next, &number, number + 1))
            open_idler(number);
    }
}

static void read_lines(long number)
{
    const char *line;
    while ((line = client_line(load.clients[number])))
        if (load.log && strncmp(line, "* ", 2) == 0 && strstr(line, " EXISTS"))
            fprintf(load.log, "%ld %llu\n", number % load.user_count,
                    (unsigned long long)clock_monotonic_us());
}

static void *run_watcher(void *unused)
{
    struct epoll_event events[EVENTS];
    (void)unused;
    for (;;) {
        int count = epoll_wait(load.epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            load_fail("epoll");
        for (int i = 0; i < count; i++)
            read_lines((long)events[i].data.u64);
        if (load.log)
            fflush(load.log);
    }
    return NULL;
}

/* From how many there are to load.wanted. */
static void open_idlers(void)
{
    pthread_t openers[OPENERS];
    for (int i = 0; i < OPENERS; i++)
        if (pthread_create(&openers[i], NULL, run_opener, NULL))
            load_fail("thread");
    for (int i = 0; i < OPENERS; i++)
        pthread_join(openers[i], NULL);
}

/* Leaves what is not an option. */
static int read_options(int count, char **arguments)
{
    int option;
    while ((option = getopt(count, arguments, "ta:l:")) != -1) {
        if (option == 't')
            load.tls = load.tls ? load.tls : client_tls();
        else if (option == 'a')
            load.source = optarg;
        else if (option == 'l')
            load.log = fopen(optarg, "ae");
        if (option == '?' || (option == 'l' && !load.log))
            return 0;
    }
    return count - optind;
}

int main(int count, char **arguments)
{
    char line[LOAD_LINE_MAXIMUM];
    pthread_t watcher;
    count = read_options(count, arguments);
    arguments += optind;
    if (count < 3) {
        fputs("usage: idle_load [-t] [-a ADDRESS] [-l FILE] PORT PASSWORD USER...\n", stderr);
        return 2;
    }
    load.port = (uint16_t)strtol(arguments[0], NULL, 10);
    load.password = arguments[1];
    load.users = arguments + 2;
    load.user_count = count - 2;
    load.clients = calloc(IDLERS_MAXIMUM, sizeof(struct client *));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load.clients || load.epoll < 0 || pthread_create(&watcher, NULL, run_watcher, NULL))
        load_fail("epoll");
    while (fgets(line, sizeof(line), stdin)) {
        load.wanted = strtol(line, NULL, 10);
        if (load.wanted < 1 || load.wanted > IDLERS_MAXIMUM)
            return 2;
        open_idlers();
        printf("%ld\n", load.wanted);
        fflush(stdout);
    }
    return 0;
}
