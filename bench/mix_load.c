/*
 * mix_load: clients that do over IMAP what mail programs do, at random, as fast as they are
 * answered.
 *
 * Usage: mix_load [-e SEED] PORT CLIENTS SECONDS PASSWORD SHARED USER...
 *
 * Each client (a thread) has one of the users in turn. Again and again it connects, logs in as that
 * user or, as often, as SHARED, whose mailboxes are so used by all of them at a time; does some of
 * the rows of `steps` below, in their order, each with its chance; and logs out. INBOX is kept at
 * about MESSAGES messages, those of varied.h: what is expunged is appended again. The chances are
 * in the spirit of those that ImapTest has by default.
 *
 * First fills the mailboxes and makes `Copies` beside them. Then, for SECONDS, counts, and prints
 * commands per second, LOGIN and LOGOUT included, how many logins there were, and how many commands
 * were answered with NO (a message may have been expunged by another client), as one line:
 * "RATE LOGINS REFUSED". The same SEED (1 by default) gives each client the same choices, though
 * what they do to each other depends on who comes first.
 */
#include "client.h"
#include "load.h"
#include "varied.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MESSAGES = 30, MESSAGE_BYTES = 3000, VARIED = 1000 };

static struct {
    uint16_t port;
    long clients, seconds;
    uint64_t seed;
    const char *password, *shared;
    char **users;
    int user_count;
    struct varied *varied;
    uint64_t end; /* microseconds */
    atomic_long commands, logins, refused;
} load;

struct mixer {
    struct client client;
    uint64_t state; /* of its random numbers */
    const char *user;
    char *message; /* of varied_room() bytes */
};

static unsigned draw(struct mixer *mixer, unsigned below)
{
    mixer->state = mixer->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((mixer->state >> 33) % below);
}

static void count(bool ok)
{
    atomic_fetch_add(&load.commands, 1);
    if (!ok)
        atomic_fetch_add(&load.refused, 1);
}

/* Of one message of the mailbox, which is not empty. */
static unsigned any_message(struct mixer *mixer)
{
    return 1 + draw(mixer, mixer->client.messages);
}

static void list(struct mixer *mixer)
{
    count(client_try(&mixer->client, "LIST \"\" \"*\""));
}

static void status(struct mixer *mixer)
{
    count(client_try(&mixer->client, "STATUS %s (MESSAGES UNSEEN UIDNEXT)",
                     draw(mixer, 2) ? "INBOX" : "Copies"));
}

static void select_inbox(struct mixer *mixer)
{
    count(client_try(&mixer->client, "SELECT INBOX"));
}

static void fetch_listing(struct mixer *mixer)
{
    static const char *const items[] = {
        "(UID FLAGS)",
        "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        "(BODYSTRUCTURE)",
        "BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date)]",
    };
    if (mixer->client.messages > 0)
        count(client_try(&mixer->client, "FETCH %u:* %s", any_message(mixer),
                         items[draw(mixer, sizeof(items) / sizeof(items[0]))]));
}

static void fetch_text(struct mixer *mixer)
{
    static const char *const items[] = {"BODY.PEEK[]", "BODY[]", "RFC822.HEADER",
                                        "BODY[TEXT]<0.2048>", "BODY[1]"};
    if (mixer->client.messages > 0)
        count(client_try(&mixer->client, "FETCH %u (FLAGS %s)", any_message(mixer),
                         items[draw(mixer, sizeof(items) / sizeof(items[0]))]));
}

static void store(struct mixer *mixer)
{
    static const char *const flags[] = {"\\Seen", "\\Flagged", "\\Answered", "\\Seen $Forwarded"};
    if (mixer->client.messages > 0)
        count(client_try(&mixer->client, "STORE %u %cFLAGS%s (%s)", any_message(mixer),
                         draw(mixer, 2) ? '+' : '-', draw(mixer, 2) ? ".SILENT" : "",
                         flags[draw(mixer, sizeof(flags) / sizeof(flags[0]))]));
}

static void copy(struct mixer *mixer)
{
    if (mixer->client.messages > 0)
        count(client_try(&mixer->client, "COPY %u Copies", any_message(mixer)));
}

static void delete (struct mixer *mixer)
{
    if (mixer->client.messages > 0)
        count(client_try(&mixer->client, "STORE %u +FLAGS.SILENT (\\Deleted)", any_message(mixer)));
}

static void expunge(struct mixer *mixer)
{
    count(client_try(&mixer->client, "EXPUNGE"));
}

static void append(struct mixer *mixer)
{
    if (mixer->client.messages >= MESSAGES)
        return;
    size_t size = varied_write(load.varied, draw(mixer, VARIED), mixer->message);
    count(client_append(&mixer->client, "INBOX", mixer->message, size));
}

static const struct {
    void (*act)(struct mixer *mixer);
    unsigned chance; /* of 100 */
} steps[] = {
    {list, 50},        {status, 50},     {select_inbox, 100}, {fetch_listing, 100},
    {fetch_text, 100}, {fetch_text, 30}, {store, 50},         {copy, 33},
    {delete, 100},     {expunge, 100},   {append, 100},       {append, 100},
};

static void log_in(struct mixer *mixer, const char *user)
{
    client_open(&mixer->client, load.port, NULL, NULL);
    client_command(&mixer->client, "LOGIN \"%s\" \"%s\"", user, load.password);
    count(true);
    atomic_fetch_add(&load.logins, 1);
}

static void log_out(struct mixer *mixer)
{
    client_command(&mixer->client, "LOGOUT");
    client_close(&mixer->client);
    count(true);
}

static void run_session(struct mixer *mixer)
{
    log_in(mixer, draw(mixer, 2) ? mixer->user : load.shared);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (draw(mixer, 100) < steps[i].chance)
            steps[i].act(mixer);
    log_out(mixer);
}

static void mixer_init(struct mixer *mixer, long number)
{
    *mixer = (struct mixer){.state = load.seed + (uint64_t)number * 2654435761u,
                            .user = load.users[number % load.user_count],
                            .message = malloc(varied_room(load.varied))};
    if (!mixer->message)
        load_fail("memory");
}

static void *run_mixer(void *arg)
{
    struct mixer mixer;
    mixer_init(&mixer, (long)(intptr_t)arg);
    while (clock_monotonic_us() < load.end)
        run_session(&mixer);
    free(mixer.message);
    return NULL;
}

/* Before what is counted. */
static void prepare(const char *user)
{
    struct mixer mixer;
    mixer_init(&mixer, 0);
    log_in(&mixer, user);
    client_try(&mixer.client, "CREATE Copies");
    select_inbox(&mixer);
    while (mixer.client.messages < MESSAGES)
        append(&mixer);
    log_out(&mixer);
    free(mixer.message);
}

static void prepare_all(void)
{
    prepare(load.shared);
    for (int i = 0; i < load.user_count; i++)
        prepare(load.users[i]);
    atomic_store(&load.commands, 0);
    atomic_store(&load.logins, 0);
    atomic_store(&load.refused, 0);
}

static void run_all(void)
{
    static pthread_t threads[LOAD_CONNECTIONS_MAXIMUM];
    uint64_t start = clock_monotonic_us();
    load.end = start + (uint64_t)load.seconds * 1000000;
    for (long i = 0; i < load.clients; i++)
        if (pthread_create(&threads[i], NULL, run_mixer, (void *)(intptr_t)i))
            load_fail("thread");
    for (long i = 0; i < load.clients; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(clock_monotonic_us() - start) / 1e6;
    printf("%.0f %ld %ld\n", (double)atomic_load(&load.commands) / seconds,
           atomic_load(&load.logins), atomic_load(&load.refused));
}

/* False: they say something else. */
static bool read_arguments(int argument_count, char **arguments)
{
    int option;
    load.seed = 1;
    while ((option = getopt(argument_count, arguments, "e:")) == 'e')
        load.seed = strtoull(optarg, NULL, 10);
    arguments += optind;
    argument_count -= optind;
    if (option != -1 || argument_count < 6)
        return false;
    load.port = (uint16_t)strtol(arguments[0], NULL, 10);
    load.clients = strtol(arguments[1], NULL, 10);
    load.seconds = strtol(arguments[2], NULL, 10);
    load.password = arguments[3];
    load.shared = arguments[4];
    load.users = arguments + 5;
    load.user_count = argument_count - 5;
    return load.clients > 0 && load.clients <= LOAD_CONNECTIONS_MAXIMUM && load.seconds > 0;
}

int main(int argument_count, char **arguments)
{
    if (!read_arguments(argument_count, arguments)) {
        fputs("usage: mix_load [-e SEED] PORT CLIENTS SECONDS PASSWORD SHARED USER...\n", stderr);
        return 2;
    }
    load.varied = varied_create(load.seed, VARIED, MESSAGE_BYTES);
    prepare_all();
    run_all();
    varied_free(&load.varied);
    return 0;
}
