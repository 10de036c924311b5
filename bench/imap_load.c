/*
 * imap_load: clients that change or read over IMAP, at a rate.
 *
 * Usage: imap_load [-r RATE] -l FILE PORT CONNECTIONS write|read PASSWORD USER...
 *
 * Each connection (a thread) logs in as one of the users in turn and selects INBOX, in which there
 * are five messages at the least. Then, until the program is ended: `write` sets and removes a flag
 * of the first message by turns, and every tenth time copies it to Trash as well; `read` fetches
 * flags, envelopes and texts of the first five. When each was begun and answered (microseconds of
 * the monotonic clock) is appended to the file as one line.
 *
 * RATE is of all connections together, a second; without it each goes on as soon as it is answered.
 */
#include "client.h"
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>

static struct {
    uint16_t port;
    bool writes;
    long rate;
    FILE *log;
    const char *password;
    char **users;
    int user_count;
    uint64_t start; /* microseconds */
    atomic_long next;
} load;

static void work(struct client *client, unsigned count)
{
    if (!load.writes) {
        client_command(client, "FETCH 1:5 (FLAGS ENVELOPE BODY.PEEK[TEXT])");
        return;
    }
    client_command(client, "STORE 1 %cFLAGS.SILENT (\\Flagged)", count % 2 ? '-' : '+');
    if (count % 10 == 0)
        client_command(client, "COPY 1 Trash");
}

static void *run_connection(void *arg)
{
    const char *user = arg;
    struct client client;
    client_open(&client, load.port, NULL, NULL);
    client_command(&client, "LOGIN \"%s\" \"%s\"", user, load.password);
    client_command(&client, "SELECT INBOX");
    for (unsigned count = 1;; count++) {
        load_wait(load.start, atomic_fetch_add(&load.next, 1), load.rate);
        uint64_t start = clock_monotonic_us();
        work(&client, count);
        fprintf(load.log, "%llu %llu\n", (unsigned long long)start,
                (unsigned long long)clock_monotonic_us());
        fflush(load.log);
    }
    return NULL;
}

/* Leaves what is not an option. */
static int read_options(int count, char **arguments)
{
    int option;
    while ((option = getopt(count, arguments, "r:l:")) != -1) {
        if (option == 'r')
            load.rate = strtol(optarg, NULL, 10);
        else if (option == 'l')
            load.log = fopen(optarg, "ae");
        if (option == '?' || load.rate < 0)
            return 0;
    }
    return load.log ? count - optind : 0;
}

int main(int count, char **arguments)
{
    static pthread_t threads[LOAD_CONNECTIONS_MAXIMUM];
    count = read_options(count, arguments);
    arguments += optind;
    long connections = count < 5 ? 0 : strtol(arguments[1], NULL, 10);
    if (connections < 1 || connections > LOAD_CONNECTIONS_MAXIMUM) {
        fputs("usage: imap_load [-r RATE] -l FILE PORT CONNECTIONS write|read PASSWORD USER...\n",
              stderr);
        return 2;
    }
    load.port = (uint16_t)strtol(arguments[0], NULL, 10);
    load.writes = strcmp(arguments[2], "write") == 0;
    load.password = arguments[3];
    load.users = arguments + 4;
    load.user_count = count - 4;
    load.start = clock_monotonic_us();
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, run_connection, load.users[i % load.user_count]))
            load_fail("thread");
    pthread_join(threads[0], NULL);
    return 0;
}
