/*
 * Times of the store over SQLite, in the directory given (default: the current one).
 *
 *     store_bench [-n MESSAGES] [DIRECTORY]      a mailbox of so many
 *     store_bench -a ACCOUNTS [DIRECTORY]        so many accounts, opened one after the other
 *     store_bench -c MESSAGES DIRECTORY          the mail in that folder (bench/corpus.py): its
 *                                                size on disk, once settled
 *     store_bench -g MESSAGES [DIRECTORY]        so many deliveries through the gate of a server,
 * to be run by callgrind (bench/run.py gate)
 *     store_bench -d DELIVERIES [DIRECTORY]      so many to 100 accounts, beside bare writes
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "store/changes.h"
#include "store/deliver.h"
#include "store/directory.h"
#include "store/message.h"
#include "store/settle.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    APPENDS = 2000,
    MESSAGE_SIZE = 20 * 1024,
    CHILDREN = 1000,     /* of a mailbox that is renamed */
    OPEN_ACCOUNTS = 100, /* that stay open unused */
    CORPUS_MESSAGE = 64 * 1024 * 1024,
    DELIVERED_TO = 100, /* accounts */
    FIRST_EACH = 10,    /* deliveries to each before those that count */
    DELIVERY_BLOCK = 100,
};

static void check(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(error));
    exit(1);
}

static double now_ms(void)
{
    return (double)clock_monotonic_us() / 1000;
}

static double cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

struct bench {
    struct store *store;
    struct store_view *view;
    collection_id inbox, large;
    uint32_t messages;
};

/* A message like many: some header fields, plain text. */
static struct slice make_message(char *text, size_t size, uint32_t number)
{
    int head = snprintf(text, size,
                        "From: Somebody <somebody@example.org>\r\nTo: alice@example.test\r\n"
                        "Subject: Message number %u of the bench\r\n"
                        "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
                        "Message-ID: <%u@bench.example.org>\r\nMIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n\r\n",
                        number, number);
    for (size_t i = (size_t)head; i < size; i++)
        text[i] = i % 72 == 71 ? '\n' : (char)('a' + i % 25);
    return slice_make(text, size);
}

static void append_all(struct bench *bench, collection_id mailbox, uint32_t count, size_t size)
{
    char *text = malloc(size);
    for (uint32_t i = 0; i < count; i++) {
        struct append append = {.internal_date = 1000000000 + i};
        struct append_result result;
        check(prepared_message_create(make_message(text, size, i), &append.message), "prepare");
        append.prefix = SLICE("Return-Path: <somebody@example.org>\r\n");
        check(mailbox_append(bench->view, mailbox, &append, &result), "append");
        prepared_message_free(&append.message);
    }
    free(text);
}

static void bench_append(struct bench *bench, collection_id mailbox, const char *into)
{
    double start = now_ms(), cpu = cpu_ms();
    append_all(bench, mailbox, APPENDS, MESSAGE_SIZE);
    double elapsed = now_ms() - start;
    cpu = cpu_ms() - cpu;
    printf("append of 20 KiB into %s: %.0f/s, %.3f ms, %.3f ms CPU\n", into,
           APPENDS / elapsed * 1000, elapsed / APPENDS, cpu / APPENDS);
}

/* As a server does it once a second: nothing has used the account before the second time. */
static void bench_rest(struct bench *bench)
{
    for (int i = 0; i < 2; i++)
        check(store_maintain(bench->store), "maintain");
}

/* Fills a mailbox by copying it onto itself: as many messages, without as many flushes. */
static void fill(struct bench *bench)
{
    append_all(bench, bench->large, 500, 1024);
    for (uint32_t count = 500; count < bench->messages; count *= 2) {
        struct range_set uids;
        struct copy_result result;
        uint32_t more = bench->messages - count < count ? bench->messages - count : count;
        range_set_init(&uids, 1000);
        range_set_init(&result.from, 1000);
        range_set_init(&result.to, 1000);
        check(range_set_add(&uids, 1, more), "fill");
        check(mailbox_copy(bench->view, bench->large, &uids, bench->large, false, &result), "fill");
        range_set_release(&uids);
        range_set_release(&result.from);
        range_set_release(&result.to);
    }
}

static void bench_open(struct bench *bench)
{
    enum { ROUNDS = 200 };
    double start = now_ms();
    for (int i = 0; i < ROUNDS; i++) {
        struct mailbox_snapshot *snapshot;
        struct range_set uids;
        uint32_t unseen;
        range_set_init(&uids, 100000);
        check(mailbox_snapshot_open(bench->view, bench->large, &snapshot), "open");
        check(mailbox_uids(snapshot, &uids), "uids");
        check(mailbox_first_unseen(snapshot, &unseen), "unseen");
        mailbox_snapshot_close(&snapshot);
        range_set_release(&uids);
    }
    printf("open, all UIDs, first unseen: %.3f ms\n", (now_ms() - start) / ROUNDS);
}

static void bench_entries(struct bench *bench, uint64_t since, const char *what)
{
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    uint32_t count = 0;
    double start = now_ms();
    check(mailbox_snapshot_open(bench->view, bench->large, &snapshot), "open");
    entry_cursor_init(&cursor, snapshot, 1, since);
    while (!entry_cursor_next(&cursor, &entry))
        count++;
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    printf("%s: %u in %.2f ms\n", what, count, now_ms() - start);
}

static void bench_flags(struct bench *bench, uint32_t first, uint32_t last, unsigned flags,
                        const char *what)
{
    struct range_set uids;
    uint64_t modseq;
    struct flag_change change = {FLAGS_ADD, flags, .unchanged_since = UINT64_MAX};
    range_set_init(&uids, 10);
    check(range_set_add(&uids, first, last), "flags");
    double start = now_ms(), cpu = cpu_ms();
    check(mailbox_change_flags(bench->view, bench->large, &uids, &change, &modseq, NULL), "flags");
    printf("%s: %.2f ms, %.2f ms CPU\n", what, now_ms() - start, cpu_ms() - cpu);
    range_set_release(&uids);
}

static void bench_summaries(struct bench *bench, collection_id mailbox, const char *what)
{
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer encoded;
    struct summary summary;
    uint32_t count = 0;
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    double start = now_ms();
    check(mailbox_snapshot_open(bench->view, mailbox, &snapshot), "open");
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry)) {
        check(mailbox_summary(snapshot, &entry, &encoded, &summary), "summary");
        count++;
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&encoded);
    printf("%s: %u in %.2f ms\n", what, count, now_ms() - start);
}

static void bench_expunge(struct bench *bench)
{
    struct range_set expunged;
    uint64_t modseq;
    range_set_init(&expunged, 100000);
    double start = now_ms();
    check(mailbox_expunge(bench->view, bench->large, NULL, &expunged, &modseq), "expunge");
    printf("expunge of %u: %.1f ms\n", range_set_size(&expunged), now_ms() - start);
    range_set_release(&expunged);
}

static void bench_changes(struct bench *bench, uint64_t since)
{
    struct arena arena;
    struct changed *list;
    size_t count;
    bool more;
    struct changes_cursor cursor = changes_since(since);
    arena_init(&arena, 64 * 1024 * 1024);
    double start = now_ms();
    check(store_changes(bench->view, &cursor,
                        CHANGES_COLLECTIONS(COLLECTION_MAILBOX) | CHANGES_EMAILS, 1000, &arena,
                        &list, &count, &more),
          "changes");
    printf("what has changed since, by the change log: %zu in %.2f ms\n", count, now_ms() - start);
    arena_release(&arena);
}

static void bench_rename(struct bench *bench)
{
    char path[64];
    collection_id top, child;
    check(collection_create(bench->view, COLLECTION_MAILBOX, SLICE("Top"), ROLE_NONE, &top), "top");
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(path, sizeof(path), "Top/child %d", i);
        check(collection_create(bench->view, COLLECTION_MAILBOX, slice_from_string(path), ROLE_NONE,
                                &child),
              path);
    }
    double start = now_ms();
    check(collection_rename(bench->view, top, SLICE("Other")), "rename");
    printf("rename of a mailbox with %d children: %.2f ms\n", CHILDREN, now_ms() - start);
}

/* Of an account with all those messages. */
static void bench_rename_account(struct bench *bench, struct account_id id)
{
    double start = now_ms();
    check(store_account_rename(bench->store, WHO_SYSTEM, id, SLICE("other@example.test"), true),
          "rename");
    printf("rename of a user with %u messages: %.2f ms\n", bench->messages, now_ms() - start);
}

static void run(struct bench *bench)
{
    struct account_id id;
    check(store_account_create(bench->store, WHO_SYSTEM, SLICE("bench@example.test"), &id),
          "account");
    check(store_view_open(bench->store, WHO_SYSTEM, id, &bench->view), "view");
    check(collection_create(bench->view, COLLECTION_MAILBOX, SLICE("A"), ROLE_NONE, &bench->inbox),
          "create");
    check(collection_create(bench->view, COLLECTION_MAILBOX, SLICE("B"), ROLE_NONE, &bench->large),
          "create");
    bench_append(bench, bench->inbox, "an empty mailbox");
    fill(bench);
    bench_rest(bench);
    printf("a mailbox of %u messages:\n", bench->messages);
    bench_open(bench);
    bench_entries(bench, 0, "all entries");
    bench_flags(bench, 7, 7, ENTRY_FLAGGED, "a flag of one");
    bench_flags(bench, 1, bench->messages, ENTRY_SEEN, "a flag of all");
    bench_rest(bench);
    bench_flags(bench, 1, bench->messages, ENTRY_ANSWERED, "a flag of all again");
    struct mailbox_snapshot *snapshot;
    check(mailbox_snapshot_open(bench->view, bench->large, &snapshot), "open");
    uint64_t since = mailbox_snapshot_collection(snapshot)->highest_modseq;
    mailbox_snapshot_close(&snapshot);
    bench_flags(bench, 100, 109, ENTRY_FLAGGED, "a flag of ten");
    bench_entries(bench, since, "entries changed since");
    bench_changes(bench, since);
    bench_append(bench, bench->large, "it");
    bench_summaries(bench, bench->inbox, "summaries in order");
    bench_summaries(bench, bench->large, "summaries (copies of 500)");
    bench_rename_account(bench, id);
    bench_flags(bench, 1, UINT32_MAX - 1, ENTRY_DELETED, "\\Deleted for all");
    bench_expunge(bench);
    bench_rest(bench);
    bench_rename(bench);
    store_view_close(&bench->view);
    check(store_account_delete(bench->store, WHO_SYSTEM, id), "delete");
}

/* --- the gate --- */

/* A gate that is open, as nearly always. */
static void run_gate(struct bench *bench, uint32_t deliveries)
{
    struct account_id id;
    int gate = gate_create();
    check(gate < 0 ? gate : gate_attach(gate, 0), "gate");
    check(store_account_create(bench->store, WHO_SYSTEM, SLICE("gate@example.test"), &id),
          "account");
    check(store_view_open(bench->store, WHO_SYSTEM, id, &bench->view), "view");
    append_all(bench, 1, deliveries, MESSAGE_SIZE);
    store_view_close(&bench->view);
    close(gate);
}

/* --- many accounts --- */

static long resident_kib(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    const char *resident = file && fgets(line, sizeof(line), file) ? strchr(line, ' ') : NULL;
    if (file)
        fclose(file);
    return resident ? strtol(resident, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024) : 0;
}

static void run_accounts(struct bench *bench, unsigned count)
{
    struct account_id *ids = calloc(count, sizeof(*ids));
    char name[64];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "user%u@example.test", i);
        check(store_account_create(bench->store, WHO_SYSTEM, slice_from_string(name), &ids[i]),
              name);
    }
    long before = 0;
    double start = now_ms();
    for (unsigned i = 0; i < count; i++) {
        struct store_view *view;
        struct mailbox_snapshot *snapshot;
        if (i == 2 * OPEN_ACCOUNTS)
            before = resident_kib();
        check(store_view_open(bench->store, WHO_SYSTEM, ids[i], &view), "view");
        check(mailbox_snapshot_open(view, 1, &snapshot), "open");
        mailbox_snapshot_close(&snapshot);
        store_view_close(&view);
    }
    printf("%u accounts opened one after the other, %d kept open: %.2f ms each\n", count,
           OPEN_ACCOUNTS, (now_ms() - start) / count);
    printf("memory that grew from the %dth to the last: %ld KiB\n", 2 * OPEN_ACCOUNTS,
           resident_kib() - before);
    free(ids);
}

/* --- what mail takes on disk --- */

static uint64_t disk_bytes;

static int add_size(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)path, (void)ftw;
    disk_bytes += type == FTW_F ? (uint64_t)status->st_blocks * 512 : 0;
    return 0;
}

static uint64_t append_file(struct bench *bench, int folder, const char *name)
{
    struct append append = {.internal_date = 1000000000};
    struct append_result result;
    struct stat status;
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) || status.st_size > CORPUS_MESSAGE)
        check(ERROR_IO, name);
    char *bytes = malloc((size_t)status.st_size);
    if (!bytes || read(file, bytes, (size_t)status.st_size) != status.st_size)
        check(ERROR_IO, name);
    check(prepared_message_create(slice_make(bytes, (size_t)status.st_size), &append.message),
          name);
    check(mailbox_append(bench->view, bench->inbox, &append, &result), name);
    prepared_message_free(&append.message);
    free(bytes);
    close(file);
    return (uint64_t)status.st_size;
}

static uint64_t append_folder(struct bench *bench, const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    uint64_t raw = 0;
    if (!folder)
        check(ERROR_NOT_FOUND, path);
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            raw += append_file(bench, dirfd(folder), entry->d_name);
    closedir(folder);
    return raw;
}

/* Everything of the account: key space, log, packs. */
static void run_corpus(struct bench *bench, const char *messages, const char *directory)
{
    struct account_id id;
    struct settle_result result;
    check(store_account_create(bench->store, WHO_SYSTEM, SLICE("corpus@example.test"), &id),
          "account");
    check(store_view_open(bench->store, WHO_SYSTEM, id, &bench->view), "view");
    bench->inbox = 1;
    uint64_t raw = append_folder(bench, messages);
    double cpu = cpu_ms();
    check(store_settle(bench->store, WHO_SYSTEM, id, NULL, &result), "settle");
    printf("settling: %llu messages, %.3f ms CPU each\n", (unsigned long long)result.messages,
           (cpu_ms() - cpu) / (double)result.messages);
    store_view_close(&bench->view);
    store_close(&bench->store); /* copies the log */
    nftw(directory, add_size, 16, FTW_PHYS);
    printf("the whole account on disk: %.1f %% of the %.1f MB of its messages\n",
           100.0 * (double)disk_bytes / (double)raw, (double)raw / 1e6);
}

/* --- deliveries beside bare writes --- */

struct written {
    uint64_t bytes, calls;
};

/* Times in microseconds, one of each kind for each delivery. */
struct comparison {
    double *delivery, *message, *log;
    size_t deliveries, messages, logs;
    struct written written; /* by the deliveries */
    double cpu;             /* of the deliveries, in us */
    int file;               /* of the bare writes */
    char *bytes;            /* for them */
    size_t room;
};

/* By this process so far. */
static struct written count_written(void)
{
    struct written written = {0};
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "wchar: ", 7) == 0)
            written.bytes = strtoull(line + 7, NULL, 10);
        if (strncmp(line, "syscw: ", 7) == 0)
            written.calls = strtoull(line + 7, NULL, 10);
    }
    if (file)
        fclose(file);
    return written;
}

/* Processor time of the thread, finer than cpu_ms. */
static double thread_us(void)
{
    struct timespec time = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* What chapar-session does once the message has come, but for scripts. */
static void deliver(struct bench *bench, struct account_id id, const struct append *append)
{
    struct filing filing = {.append = *append};
    struct delivery_plan plan = {.filings = &filing, .filing_count = 1};
    struct store_view *view;
    plan.delivery = prepared_message_delivery(append->message, SLICE("box@example.test"));
    check(store_view_open(bench->store, WHO_SYSTEM, id, &view), "view");
    store_view_hold(view);
    check(collection_find_id(view, COLLECTION_MAILBOX, SLICE("INBOX"), &filing.mailbox), "INBOX");
    check(store_deliver(view, &plan), "deliver");
    store_view_close(&view);
}

static void time_delivery(struct bench *bench, const struct account_id *ids, uint32_t number,
                          double *spent, double *cpu)
{
    static char text[MESSAGE_SIZE];
    struct append append = {.internal_date = 1000000000 + number};
    check(prepared_message_create(make_message(text, sizeof(text), number), &append.message),
          "prepare");
    append.prefix = SLICE("Return-Path: <somebody@example.org>\r\n");
    double start = now_ms(), before = thread_us();
    deliver(bench, ids[number % DELIVERED_TO], &append);
    *cpu += thread_us() - before;
    *spent = (now_ms() - start) * 1000;
    prepared_message_free(&append.message);
}

static void write_bare(struct comparison *comparison, size_t size, double *spent)
{
    double start = now_ms();
    if (write(comparison->file, comparison->bytes, size) != (ssize_t)size ||
        fdatasync(comparison->file))
        check(ERROR_IO, "bare write");
    *spent = (now_ms() - start) * 1000;
}

/* The three by turns, so that the disk's mood is the same for all. */
static void run_block(struct bench *bench, const struct account_id *ids, uint32_t first,
                      struct comparison *comparison)
{
    struct written before = count_written();
    for (uint32_t i = 0; i < DELIVERY_BLOCK; i++)
        time_delivery(bench, ids, first + i, &comparison->delivery[comparison->deliveries++],
                      &comparison->cpu);
    struct written after = count_written();
    size_t each = (size_t)(after.bytes - before.bytes) / DELIVERY_BLOCK;
    comparison->written.bytes += after.bytes - before.bytes;
    comparison->written.calls += after.calls - before.calls;
    each = each < comparison->room ? each : comparison->room;
    for (uint32_t i = 0; i < DELIVERY_BLOCK; i++)
        write_bare(comparison, MESSAGE_SIZE, &comparison->message[comparison->messages++]);
    for (uint32_t i = 0; i < DELIVERY_BLOCK; i++)
        write_bare(comparison, each, &comparison->log[comparison->logs++]);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[count / 2];
}

static void print_comparison(struct comparison *comparison)
{
    double count = (double)comparison->deliveries;
    double delivery = median(comparison->delivery, comparison->deliveries);
    double message = median(comparison->message, comparison->messages);
    double log = median(comparison->log, comparison->logs);
    double bytes = (double)comparison->written.bytes / count;
    printf("a durable delivery of 20 KiB, median: %.1f us\n", delivery);
    printf("its processor time, mean: %.1f us\n", comparison->cpu / count);
    printf("its bytes written and flushed, median: %.1f us\n", message);
    printf("what it wrote, written and flushed, median: %.1f us\n", log);
    printf("a delivery beside its bytes, and beside what it wrote: %.2f, %.2f times\n",
           delivery / message, delivery / log);
    printf("written by a delivery: %.0f bytes, %.1f pages of 8 KiB, %.2f calls\n", bytes,
           bytes / 8216, (double)comparison->written.calls / count);
}

static void run_deliveries(struct bench *bench, uint32_t deliveries, const char *directory)
{
    struct account_id ids[DELIVERED_TO];
    struct comparison comparison = {.room = 64 * MESSAGE_SIZE};
    char path[4096], name[64];
    size_t blocks = (deliveries + DELIVERY_BLOCK - 1) / DELIVERY_BLOCK;
    double *spent = calloc(3 * blocks * DELIVERY_BLOCK, sizeof(*spent)), unused = 0;
    comparison.delivery = spent;
    comparison.message = spent + blocks * DELIVERY_BLOCK;
    comparison.log = spent + 2 * blocks * DELIVERY_BLOCK;
    comparison.bytes = calloc(1, comparison.room);
    snprintf(path, sizeof(path), "%s/bare", directory);
    comparison.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (size_t i = 0; i < DELIVERED_TO; i++) {
        snprintf(name, sizeof(name), "box%zu@example.test", i);
        check(store_account_create(bench->store, WHO_SYSTEM, slice_from_string(name), &ids[i]),
              name);
    }
    uint32_t number = 0;
    while (number < FIRST_EACH * DELIVERED_TO)
        time_delivery(bench, ids, number++, &unused, &unused);
    for (size_t i = 0; i < blocks; i++, number += DELIVERY_BLOCK)
        run_block(bench, ids, number, &comparison);
    print_comparison(&comparison);
    close(comparison.file);
    unlink(path);
    free(comparison.bytes);
    free(spent);
}

int main(int argc, char **argv)
{
    struct bench bench = {.messages = 50000};
    struct store_options options = {.open_accounts = OPEN_ACCOUNTS,
                                    .default_domain = "example.test"};
    unsigned accounts = 0, gated = 0, deliveries = 0;
    const char *corpus = NULL;
    int option;
    while ((option = getopt(argc, argv, "n:a:c:g:d:")) != -1) {
        if (option == 'n')
            bench.messages = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'a')
            accounts = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'c')
            corpus = optarg;
        else if (option == 'g')
            gated = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            deliveries = (unsigned)strtoul(optarg, NULL, 10);
    }
    const char *directory = optind < argc ? argv[optind] : ".";
    check(kv_sqlite_create(directory, &options.kv), directory);
    check(blob_pack_create(directory, &options.blob), directory);
    check(store_open(&options, &bench.store), directory);
    if (accounts)
        run_accounts(&bench, accounts);
    else if (gated)
        run_gate(&bench, gated);
    else if (deliveries)
        run_deliveries(&bench, deliveries, directory);
    else if (corpus)
        run_corpus(&bench, corpus, directory);
    else
        run(&bench);
    store_close(&bench.store);
    kv_engine_free(&options.kv);
    blob_engine_free(&options.blob);
    return 0;
}
