/*
 * command_load: one connection that sends a command, reads all of its answer, and sends the next.
 *
 * Usage: command_load PORT USER PASSWORD TIMES COMMAND...
 *
 * Logs in, selects INBOX, sends each of the commands once, and then TIMES commands, these in turn.
 * Prints the median and the 99th percentile of those, from sending to the last byte of the answer,
 * in microseconds, as one line: "MEDIAN P99". An answer that is not OK ends the program.
 *
 * What a client takes for itself is in every figure: here that is a read into memory that is there,
 * and a look at the answer's last line.
 */
#include "load.h"

/* No line of a message begins with it. */
#define TAG "c0mmand "

enum {
    ANSWER_ROOM = 1024 * 1024, /* bytes read at a time */
    LAST_LINE = 4096,          /* of the answer, with what comes before it */
};

static struct {
    int server;
    char *answer; /* what has come last */
    size_t size;
} load;

/* The line that the answer ends with; NULL: it is not there yet. */
static const char *last_line(void)
{
    const char *end = load.answer + load.size;
    if (load.size < 2 || end[-1] != '\n')
        return NULL;
    const char *line = end - 2;
    while (line > load.answer && line[-1] != '\n')
        line--;
    return strncmp(line, TAG, strlen(TAG)) == 0 ? line : NULL;
}

static void read_answer(const char *command)
{
    const char *line;
    load.size = 0;
    while (!(line = last_line())) {
        if (load.size > ANSWER_ROOM) {
            memmove(load.answer, load.answer + load.size - LAST_LINE, LAST_LINE);
            load.size = LAST_LINE;
        }
        ssize_t got = read(load.server, load.answer + load.size, ANSWER_ROOM);
        if (got <= 0)
            load_fail("read");
        load.size += (size_t)got;
    }
    if (strncmp(line, TAG "OK", strlen(TAG "OK")) != 0) {
        fprintf(stderr, "%s: %.*s", command, (int)(load.answer + load.size - line), line);
        exit(1);
    }
}

/* Returns microseconds. */
static uint32_t run(const char *command)
{
    char line[LOAD_LINE_MAXIMUM];
    int size = snprintf(line, sizeof(line), TAG "%s\r\n", command);
    if (size < 0 || (size_t)size >= sizeof(line)) {
        fprintf(stderr, "command_load: a command is too long\n");
        exit(1);
    }
    uint64_t start = clock_monotonic_us();
    load_send(load.server, line, (size_t)size);
    read_answer(command);
    return (uint32_t)(clock_monotonic_us() - start);
}

static void log_in(uint16_t port, const char *user, const char *password)
{
    char command[LOAD_LINE_MAXIMUM];
    load.server = load_connect(port);
    if (read(load.server, load.answer, ANSWER_ROOM) <= 0)
        load_fail("greeting");
    snprintf(command, sizeof(command), "LOGIN \"%s\" \"%s\"", user, password);
    run(command);
    run("SELECT INBOX");
}

int main(int count, char **arguments)
{
    long times = count > 5 ? strtol(arguments[4], NULL, 10) : 0;
    uint32_t *spent = times > 0 ? calloc((size_t)times, sizeof(*spent)) : NULL;
    load.answer = malloc(2 * ANSWER_ROOM + LAST_LINE);
    if (!spent || !load.answer) {
        fprintf(stderr, "Usage: command_load PORT USER PASSWORD TIMES COMMAND...\n");
        return 2;
    }
    char **commands = arguments + 5;
    int command_count = count - 5;
    log_in((uint16_t)strtol(arguments[1], NULL, 10), arguments[2], arguments[3]);
    for (int i = 0; i < command_count; i++)
        run(commands[i]);
    for (long i = 0; i < times; i++)
        spent[i] = run(commands[i % command_count]);
    qsort(spent, (size_t)times, sizeof(*spent), load_compare_times);
    printf("%u %u\n", spent[times / 2], spent[times * 99 / 100]);
    close(load.server);
    free(load.answer);
    free(spent);
    return 0;
}
