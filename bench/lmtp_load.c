/*
 * lmtp_load: delivers messages over LMTP as fast as the server takes them, or at a rate.
 *
 * Usage: lmtp_load [-r RATE] [-l FILE] [-v SEED] PORT CONNECTIONS MESSAGES SIZE RECIPIENT...
 *
 * Each connection (a thread) delivers its share of the MESSAGES, each of SIZE bytes with a
 * Message-ID and content of its own, to the recipients in turn, with MAIL, RCPT and DATA in one
 * write as a mail server does. Prints messages per second and the median and 99th percentile of a
 * delivery in microseconds, as one line: "RATE MEDIAN P99".
 *
 * With -r, message n is not begun before n / RATE seconds; what was held up is made up for. With
 * -l, each message's Message-ID, and when it was begun and acknowledged (microseconds of the
 * monotonic clock), is appended to the file as one line, as soon as it is acknowledged.
 *
 * With -v, the messages are those of varied.h, of SIZE bytes on average: the same ones for a SEED
 * over 0.
 */
#include "load.h"
#include "varied.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HEADER_ROOM = 512, LINE_LETTERS = 72 };

static struct {
    uint16_t port;
    long messages, size;
    char **recipients;
    int recipient_count;
    long rate; /* messages a second; 0: as many as there can be */
    FILE *log; /* NULL: none */
    uint64_t seed;
    struct varied *varied; /* NULL: all are alike */
    uint64_t start;        /* microseconds */
    atomic_long next;
    uint32_t *times; /* microseconds, one for each message */
} load;

/* Reads replies until `count` have come (lines "NNN-..." go on); each must begin with 2 or 3. */
static void expect(FILE *replies, int count)
{
    char line[LOAD_LINE_MAXIMUM];
    while (count > 0) {
        if (!fgets(line, sizeof(line), replies))
            load_fail("read");
        if (line[0] != '2' && line[0] != '3') {
            fprintf(stderr, "refused: %s", line);
            exit(1);
        }
        if (line[3] == ' ')
            count--;
    }
}

/* Eight letters of each random number, a to w: who loads a server must take little of what both run
 * on. */
static uint64_t write_line(char line[LINE_LETTERS + 2], uint64_t seed)
{
    for (int column = 0; column < LINE_LETTERS; column += 8) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t random = seed ^ seed >> 32;
        uint64_t letters =
            (random & 0x0f0f0f0f0f0f0f0f) + (random >> 4 & 0x0707070707070707) + 0x6161616161616161;
        memcpy(line + column, &letters, sizeof(letters));
    }
    memcpy(line + LINE_LETTERS, "\r\n", 2);
    return seed;
}

/* A message of about load.size bytes: lines of text that differ from message to message. */
static size_t write_plain(char *text, long number)
{
    size_t size = (size_t)snprintf(text, HEADER_ROOM,
                                   "From: Sender <sender@example.org>\r\n"
                                   "To: Reader <reader@example.test>\r\n"
                                   "Subject: Message number %ld\r\n"
                                   "Date: Mon, 2 Jan 2023 03:04:05 +0000\r\n"
                                   "Message-ID: <%ld.%d@example.org>\r\n\r\n",
                                   number, number, (int)getpid());
    uint64_t seed = (uint64_t)number * 2654435761u + 12345;
    for (; size + LINE_LETTERS + 4 < (size_t)load.size; size += LINE_LETTERS + 2)
        seed = write_line(text + size, seed);
    return size;
}

static size_t write_message(char *text, long number)
{
    size_t size = load.varied ? varied_write(load.varied, number, text) : write_plain(text, number);
    memcpy(text + size, ".\r\n", 3);
    return size + 3;
}

static void note(long number, uint64_t start, uint64_t end)
{
    load.times[number] = (uint32_t)(end - start);
    if (!load.log)
        return;
    fprintf(load.log, "%ld.%d@example.org %llu %llu\n", number, (int)getpid(),
            (unsigned long long)start, (unsigned long long)end);
    fflush(load.log);
}

static void *run_connection(void *unused)
{
    (void)unused;
    int server = load_connect(load.port);
    FILE *replies = fdopen(dup(server), "r");
    char *text =
        malloc(load.varied ? varied_room(load.varied) + 3 : (size_t)load.size + HEADER_ROOM + 128);
    expect(replies, 1);
    load_send(server, "LHLO bench\r\n", 12);
    expect(replies, 1);
    for (long number; (number = atomic_fetch_add(&load.next, 1)) < load.messages;) {
        char envelope[LOAD_LINE_MAXIMUM];
        size_t size = write_message(text, number);
        int head = snprintf(envelope, sizeof(envelope),
                            "MAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n",
                            load.recipients[number % load.recipient_count]);
        load_wait(load.start, number, load.rate);
        uint64_t start = clock_monotonic_us();
        load_send(server, envelope, (size_t)head);
        expect(replies, 3);
        load_send(server, text, size);
        expect(replies, 1);
        note(number, start, clock_monotonic_us());
    }
    load_send(server, "QUIT\r\n", 6);
    expect(replies, 1);
    free(text);
    fclose(replies);
    close(server);
    return NULL;
}

/* Leaves what is not an option. */
static int read_options(int count, char **arguments)
{
    int option;
    while ((option = getopt(count, arguments, "r:l:v:")) != -1) {
        if (option == 'r')
            load.rate = strtol(optarg, NULL, 10);
        else if (option == 'l')
            load.log = fopen(optarg, "ae");
        else if (option == 'v')
            load.seed = strtoull(optarg, NULL, 10);
        if (option == '?' || load.rate < 0 || (option == 'l' && !load.log))
            return 0;
    }
    return count - optind + 1;
}

int main(int count, char **arguments)
{
    static pthread_t threads[LOAD_CONNECTIONS_MAXIMUM];
    count = read_options(count, arguments);
    arguments += optind - 1;
    if (count < 6) {
        fputs("usage: lmtp_load [-r RATE] [-l FILE] [-v SEED] PORT CONNECTIONS MESSAGES SIZE "
              "RECIPIENT...\n",
              stderr);
        return 2;
    }
    long connections = strtol(arguments[2], NULL, 10);
    load.port = (uint16_t)strtol(arguments[1], NULL, 10);
    load.messages = strtol(arguments[3], NULL, 10);
    load.size = strtol(arguments[4], NULL, 10);
    load.recipients = arguments + 5;
    load.recipient_count = count - 5;
    if (connections < 1 || connections > LOAD_CONNECTIONS_MAXIMUM || load.messages < 1 ||
        load.size < HEADER_ROOM)
        return 2;
    load.times = calloc((size_t)load.messages, sizeof(*load.times));
    if (load.seed)
        load.varied = varied_create(load.seed, load.messages, load.size);
    load.start = clock_monotonic_us();
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, run_connection, NULL))
            load_fail("thread");
    for (long i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    load_print(load.times, load.messages, load.start);
    free(load.times);
    if (load.varied)
        varied_free(&load.varied);
    return 0;
}
