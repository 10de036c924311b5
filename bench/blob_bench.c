/*
 * What packs make of mail: bytes on disk, and CPU to put and to get them.
 *
 *     blob_bench MESSAGES DIRECTORY
 *
 * MESSAGES holds a file for each message, as bench/corpus.py writes them; packs are made below
 * DIRECTORY. Messages up to 256 KiB are put in batches of 100, as they settle, larger ones alone.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "blob/blob.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNT "bench"

enum { BATCH = 100, SMALL = 256 * 1024, RANGE = 1024, PASSES = 3 };

struct message {
    char *bytes;
    size_t size;
    struct blob_id id;
};

struct messages {
    struct message *all;
    size_t count;
    uint64_t bytes;
};

static void check(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(error));
    exit(1);
}

static double cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void load(const char *path, struct message *message)
{
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status))
        check(ERROR_IO, path);
    message->size = (size_t)status.st_size;
    message->bytes = malloc(message->size + 1);
    if (!message->bytes || read(file, message->bytes, message->size) != (ssize_t)message->size)
        check(ERROR_IO, path);
    close(file);
}

static void load_all(const char *directory, struct messages *messages)
{
    struct dirent **names;
    int count = scandir(directory, &names, NULL, alphasort);
    if (count < 0)
        check(ERROR_NOT_FOUND, directory);
    messages->all = calloc((size_t)count + 1, sizeof(*messages->all));
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            struct message *message = &messages->all[messages->count++];
            load(path, message);
            messages->bytes += message->size;
        }
        free(names[i]);
    }
    free(names);
}

static void put_small(struct blob_engine *engine, const struct messages *messages)
{
    struct blob_batch *batch = NULL;
    unsigned pending = 0;
    for (size_t i = 0; i < messages->count; i++) {
        struct message *message = &messages->all[i];
        if (message->size > SMALL)
            continue;
        if (!batch)
            check(blob_batch_begin(engine, ACCOUNT, &batch), "begin");
        check(blob_batch_add(batch, slice_make(message->bytes, message->size), &message->id),
              "add");
        if (++pending % BATCH == 0)
            check(blob_batch_finish(&batch), "finish");
    }
    if (batch)
        check(blob_batch_finish(&batch), "finish");
}

static void put_large(struct blob_engine *engine, const struct messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        struct message *message = &messages->all[i];
        if (message->size > SMALL)
            check(
                blob_put(engine, ACCOUNT, slice_make(message->bytes, message->size), &message->id),
                "put");
    }
}

static void get_all(struct blob_engine *engine, const struct messages *messages)
{
    struct buffer bytes;
    buffer_init(&bytes, BLOB_SIZE_MAXIMUM);
    for (size_t i = 0; i < messages->count; i++) {
        const struct message *message = &messages->all[i];
        buffer_clear(&bytes);
        check(blob_get(engine, ACCOUNT, message->id, 0, SIZE_MAX, &bytes), "get");
        if (!slice_equal(buffer_slice(&bytes), slice_make(message->bytes, message->size)))
            check(ERROR_CORRUPT, "get");
    }
    buffer_release(&bytes);
}

/* A KiB from the middle of each message. */
static void get_ranges(struct blob_engine *engine, const struct messages *messages)
{
    struct buffer bytes;
    buffer_init(&bytes, RANGE);
    for (size_t i = 0; i < messages->count; i++) {
        buffer_clear(&bytes);
        check(blob_get(engine, ACCOUNT, messages->all[i].id, messages->all[i].size / 2, RANGE,
                       &bytes),
              "get a range");
    }
    buffer_release(&bytes);
}

static uint64_t pack_bytes(const char *directory)
{
    char path[4096];
    uint64_t sum = 0;
    snprintf(path, sizeof(path), "%s/" ACCOUNT ".packs", directory);
    DIR *packs = opendir(path);
    for (const struct dirent *entry; packs && (entry = readdir(packs));) {
        struct stat status;
        if (entry->d_name[0] != '.' && fstatat(dirfd(packs), entry->d_name, &status, 0) == 0)
            sum += (uint64_t)status.st_size;
    }
    if (packs)
        closedir(packs);
    return sum;
}

/* Milliseconds of CPU of one call, the least of some. */
static double measure(void (*fn)(struct blob_engine *engine, const struct messages *messages),
                      struct blob_engine *engine, const struct messages *messages, unsigned passes)
{
    double least = 0;
    for (unsigned i = 0; i < passes; i++) {
        double start = cpu_ms();
        fn(engine, messages);
        double spent = cpu_ms() - start;
        least = i == 0 || spent < least ? spent : least;
    }
    return least;
}

int main(int count, char **arguments)
{
    struct messages messages = {0};
    struct blob_engine *engine;
    if (count != 3) {
        fprintf(stderr, "usage: blob_bench MESSAGES DIRECTORY\n");
        return 2;
    }
    load_all(arguments[1], &messages);
    check(blob_pack_create(arguments[2], &engine), arguments[2]);
    double megabytes = (double)messages.bytes / 1e6;
    double put = measure(put_small, engine, &messages, 1);
    put += measure(put_large, engine, &messages, 1);
    int64_t flushes = counters_sum(COUNTER_BLOB_FLUSHES);
    double get = measure(get_all, engine, &messages, PASSES);
    double range = measure(get_ranges, engine, &messages, PASSES);
    printf("messages / MB: %zu / %.1f\n", messages.count, megabytes);
    printf("packs, per cent of the messages' bytes: %.1f\n",
           (double)pack_bytes(arguments[2]) / megabytes / 1e4);
    printf("putting, ms of CPU a MB: %.1f\n", put / megabytes);
    printf("flushes: %lld\n", (long long)flushes);
    printf("getting, ms of CPU a MB: %.1f\n", get / megabytes);
    printf("getting 1 KiB of each, us of CPU a message: %.0f\n",
           range * 1000 / (double)(messages.count ? messages.count : 1));
    blob_engine_free(&engine);
    return 0;
}
