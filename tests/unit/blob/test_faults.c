/*
 * A fault at each call that changes a file, one after the other: a kill, half a write, EIO, a
 * failed flush, a full disk, a power cut that loses any part of what was not flushed. What was
 * acknowledged is there, whole; what failed is not, and works when the disk does.
 *
 * CHAPAR_FAULT_POINTS: at how many calls for each kind (default below; 0: at all of them).
 * CHAPAR_FAULT_SEED repeats a run.
 */
#include "tests/unit/faults.h"

#include "base/error.h"
#include "blob/blob.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ACCOUNT "accounts/1f/1f0c"

enum { POINTS = 15, BLOBS = 400, LARGE = 700 * 1000, HOUR = 60 * 60 };

struct blobs {
    struct blob_engine *engine;
    char directory[64];
    struct blob_id ids[BLOBS]; /* by number; pack 0: none, or dropped */
    int acknowledged;          /* a pipe's end, -1: none */
    unsigned first, end;       /* of the commands */
};

/* What became durable: number 0 is an end mark with calls as the pack. */
struct event {
    unsigned number;
    struct blob_id id;
};

static unsigned seed;

/* --- bodies, by number --- */

static size_t body_size(unsigned number)
{
    return number % 40 == 7 ? LARGE : number % 10 * 900 + 5;
}

/* Text and noise, in halves. */
static char *make_body(unsigned number)
{
    size_t size = body_size(number);
    char *body = malloc(size + 1);
    uint32_t chance = number * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        chance = chance * 1664525 + 1013904223;
        body[i] = i < size / 2 ? (char)('a' + number % 26) : (char)(chance >> 24);
    }
    return body;
}

static int check_one(struct blobs *b, unsigned number)
{
    struct buffer bytes;
    char *body = make_body(number);
    buffer_init(&bytes, LARGE + 1);
    int error = blob_get(b->engine, ACCOUNT, b->ids[number], 0, SIZE_MAX, &bytes);
    if (!error && !slice_equal(buffer_slice(&bytes), slice_make(body, body_size(number))))
        error = ERROR_CONFLICT;
    buffer_release(&bytes);
    free(body);
    return error;
}

static void check_all(struct blobs *b, const char *when)
{
    for (unsigned i = 1; i < BLOBS; i++) {
        int error = b->ids[i].pack ? check_one(b, i) : 0;
        if (error) {
            print_error("%s: blob %u: %s\n", when, i, error_name(error));
            _exit(1);
        }
    }
}

/* --- commands --- */

static void acknowledge(struct blobs *b, unsigned number, struct blob_id id)
{
    struct event event = {number, id};
    b->ids[number] = id;
    if (b->acknowledged >= 0 && write(b->acknowledged, &event, sizeof(event)) != sizeof(event))
        _exit(1);
}

static int put(struct blobs *b, unsigned first, unsigned count)
{
    (void)count;
    struct blob_id id;
    char *body = make_body(first);
    int error = blob_put(b->engine, ACCOUNT, slice_make(body, body_size(first)), &id);
    free(body);
    if (!error)
        acknowledge(b, first, id);
    return error;
}

static int put_batch(struct blobs *b, unsigned first, unsigned count)
{
    struct blob_batch *batch;
    struct blob_id ids[BLOBS];
    int error = blob_batch_begin(b->engine, ACCOUNT, &batch);
    if (error)
        return error;
    for (unsigned i = 0; i < count; i++) {
        char *body = make_body(first + i);
        blob_batch_add(batch, slice_make(body, body_size(first + i)), &ids[i]);
        free(body);
    }
    error = blob_batch_finish(&batch);
    for (unsigned i = 0; !error && i < count; i++)
        acknowledge(b, first + i, ids[i]);
    return error;
}

static int drop(struct blobs *b, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        struct blob_id id = b->ids[i];
        acknowledge(b, i, (struct blob_id){0});
        if (id.pack)
            blob_drop(b->engine, ACCOUNT, id); /* a note may be lost */
    }
    return 0;
}

static int live(uint64_t pack, struct buffer *ids, void *arg)
{
    struct blobs *b = arg;
    for (unsigned i = 1; i < BLOBS; i++)
        if (b->ids[i].pack == pack)
            buffer_append(ids, slice_make(&b->ids[i], sizeof(b->ids[i])));
    return buffer_error(ids);
}

static int moved(const struct blob_move *moves, size_t count, void *arg)
{
    struct blobs *b = arg;
    for (size_t i = 0; i < count; i++)
        for (unsigned j = 1; j < BLOBS; j++)
            if (memcmp(&b->ids[j], &moves[i].from, sizeof(moves[i].from)) == 0) {
                acknowledge(b, j, moves[i].to);
                break;
            }
    return 0;
}

static int make_older(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)ftw;
    struct timespec old[] = {{time(NULL) - HOUR - 10, 0}, {time(NULL) - HOUR - 10, 0}};
    return type == FTW_F ? utimensat(AT_FDCWD, path, old, 0) : 0;
}

static int reclaim(struct blobs *b, unsigned everything, unsigned count)
{
    (void)count;
    struct blob_reclaim what = {everything, live, moved, b};
    nftw(b->directory, make_older, 16, FTW_PHYS);
    return blob_reclaim(b->engine, ACCOUNT, &what);
}

static const struct command {
    const char *name;
    int (*run)(struct blobs *b, unsigned first, unsigned count);
    unsigned first, count;
} commands[] = {
    {"put", put, 1, 1},
    {"batch", put_batch, 10, 30}, /* with a large one */
    {"put again", put, 2, 1},
    {"put large", put, 7, 1},
    {"drop most", drop, 10, 28},
    {"reclaim little", reclaim, false, 0},
    {"batch again", put_batch, 50, 20},
    {"drop large", drop, 7, 1},
    {"reclaim", reclaim, false, 0},
    {"put behind", put, 3, 1},
    {"remove", reclaim, false, 0},
    {"large batch", put_batch, 80, 100},
    {"drop every", drop, 80, 90},
    {"reclaim all", reclaim, true, 0},
    {"remove all", reclaim, true, 0},
    {"put last", put, 4, 1},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* --- one run --- */

static void run_command(struct blobs *b, enum fault fault, unsigned number)
{
    const struct command *command = &commands[number];
    int error = command->run(b, command->first, command->count);
    if (error && faults_met() && (error == ERROR_SPACE) == (fault == FAULT_FULL)) {
        check_all(b, command->name);
        faults_clear();
        error = command->run(b, command->first, command->count);
    }
    if (error) {
        print_error("%s: %s: %s\n", fault_name(fault), command->name, error_name(error));
        _exit(1);
    }
    check_all(b, command->name);
}

static void run_child(struct blobs *b, enum fault fault, unsigned call)
{
    faults_watch(b->directory);
    if (blob_pack_create(b->directory, &b->engine))
        _exit(1);
    faults_plan(fault, call, seed + call);
    for (unsigned i = b->first; i < b->end; i++)
        run_command(b, fault, i);
    acknowledge(b, 0, (struct blob_id){.pack = faults_calls()});
    blob_engine_free(&b->engine);
    _exit(0);
}

static void run_with_fault(struct blobs *b, enum fault fault, unsigned call, unsigned *calls)
{
    int ends[2], status = 0;
    struct event event;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    b->acknowledged = ends[1];
    if (child == 0)
        run_child(b, fault, call);
    close(ends[1]);
    b->acknowledged = -1;
    while (read(ends[0], &event, sizeof(event)) == sizeof(event)) {
        b->ids[event.number] = event.id;
        if (event.number == 0)
            *calls = (unsigned)event.id.pack;
    }
    close(ends[0]);
    b->ids[0].pack = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != FAULTS_EXIT)) {
        print_error("%s at call %u (seed %u): status %d\n", fault_name(fault), call, seed, status);
        fail();
    }
}

struct seen {
    struct blobs *b;
    bool whole; /* what is shown and was never acknowledged must be whole, too */
    unsigned known;
};

static int see(struct blob_id id, void *arg)
{
    struct seen *seen = arg;
    for (unsigned i = 1; i < BLOBS; i++)
        seen->known += memcmp(&seen->b->ids[i], &id, sizeof(id)) == 0;
    if (seen->whole)
        assert_int_equal(blob_verify(seen->b->engine, ACCOUNT, id), 0);
    return 0;
}

static unsigned count_live(const struct blobs *b)
{
    unsigned count = 0;
    for (unsigned i = 1; i < BLOBS; i++)
        count += b->ids[i].pack != 0;
    return count;
}

static void verify(struct blobs *b, enum fault fault)
{
    assert_int_equal(blob_pack_create(b->directory, &b->engine), 0);
    check_all(b, "afterwards");
    struct seen seen = {b, fault != FAULT_POWER, 0};
    int result = blob_each(b->engine, ACCOUNT, see, &seen);
    assert_true(result == 0 || (fault == FAULT_POWER && result == ERROR_CORRUPT));
    assert_int_equal(seen.known, count_live(b));
    /* Work goes on. */
    assert_int_equal(put_batch(b, 200, 50), 0);
    assert_int_equal(put(b, 250, 1), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(reclaim(b, true, 0), 0);
    check_all(b, "at the end");
    blob_engine_free(&b->engine);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void set_up(struct blobs *b)
{
    *b = (struct blobs){.acknowledged = -1};
    snprintf(b->directory, sizeof(b->directory), "/tmp/chapar-blob-XXXXXX");
    assert_non_null(mkdtemp(b->directory));
}

static void tear_down(struct blobs *b)
{
    char removed[sizeof(b->directory) + 16];
    snprintf(removed, sizeof(removed), "%s.removed", b->directory);
    nftw(b->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    nftw(removed, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void one_fault_of(unsigned first, unsigned end, enum fault fault, unsigned call,
                         unsigned *calls)
{
    struct blobs b;
    set_up(&b);
    b.first = first;
    b.end = end;
    run_with_fault(&b, fault, call, calls);
    if (getenv("CHAPAR_FAULT_VERBOSE"))
        print_message("%s at %u: %u blobs\n", fault_name(fault), call, count_live(&b));
    verify(&b, fault);
    tear_down(&b);
}

static void one_fault(enum fault fault, unsigned call, unsigned *calls)
{
    one_fault_of(0, COMMANDS, fault, call, calls);
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void test_every_fault(void **unused)
{
    (void)unused;
    unsigned points = number_of("CHAPAR_FAULT_POINTS", POINTS), calls = 0;
    seed = number_of("CHAPAR_FAULT_SEED", (unsigned)time(NULL));
    print_message("# CHAPAR_FAULT_SEED=%u CHAPAR_FAULT_POINTS=%u\n", seed, points);
    one_fault(FAULT_NONE, 0, &calls);
    assert_true(calls > COMMANDS);
    for (enum fault fault = FAULT_KILL; fault < FAULTS; fault++) {
        unsigned step = points ? (calls + points - 1) / points : 1, ignored;
        for (unsigned call = 1 + seed % step; call <= calls; call += step)
            one_fault(fault, call, &ignored);
    }
}

/* A large body that is appended to a pack is no record before it is a whole one: its head, which is
 * known last, is written last. */
static void test_killed_in_a_large_batch(void **unused)
{
    (void)unused;
    unsigned first = 0, calls = 0, ignored;
    while (strcmp(commands[first].name, "put behind") != 0)
        first++;
    one_fault_of(first, first + 3, FAULT_NONE, 0, &calls);
    assert_true(calls > 10 && calls < 100);
    for (unsigned call = 1; call <= calls; call++) {
        one_fault_of(first, first + 3, FAULT_KILL, call, &ignored);
        one_fault_of(first, first + 3, FAULT_KILL_SHORT, call, &ignored);
    }
}

/* --- a failed flush --- */

static off_t pack_size(const struct blobs *b, struct blob_id id, mode_t *mode)
{
    char path[256];
    struct stat status = {0};
    snprintf(path, sizeof(path), "%s/" ACCOUNT ".packs/%016llx.pack", b->directory,
             (unsigned long long)id.pack);
    assert_int_equal(stat(path, &status), 0);
    *mode = status.st_mode & 07777;
    return status.st_size;
}

/* The kernel tells of it once: whoever flushed the same pack again would be told that all is well.
 * So nobody writes to it any more, in this process or another. */
static void test_failed_flush(void **unused)
{
    (void)unused;
    struct blobs b;
    mode_t mode;
    set_up(&b);
    assert_int_equal(blob_pack_create(b.directory, &b.engine), 0);
    assert_int_equal(put(&b, 1, 1), 0);
    off_t size = pack_size(&b, b.ids[1], &mode);
    faults_watch(b.directory);
    faults_plan(FAULT_SYNC, 1, 0);
    assert_int_equal(put(&b, 2, 1), ERROR_IO);
    assert_true(faults_met());
    faults_clear();
    assert_int_equal(pack_size(&b, b.ids[1], &mode), size);
    assert_int_equal(mode, 0400);
    assert_int_equal(put(&b, 2, 1), 0);
    assert_true(b.ids[2].pack != b.ids[1].pack);
    check_all(&b, "after a failed flush");
    blob_engine_free(&b.engine);
    tear_down(&b);
}

/* Of the folders a first blob makes, too. */
static void test_failed_flush_of_folders(void **unused)
{
    (void)unused;
    unsigned flushes = 0;
    bool met = true;
    for (unsigned call = 1; met; call++) {
        struct blobs b;
        set_up(&b);
        assert_int_equal(blob_pack_create(b.directory, &b.engine), 0);
        faults_watch(b.directory);
        faults_plan(FAULT_IO, call, 0);
        int error = put(&b, 1, 1);
        met = faults_met();
        assert_int_equal(error, met ? ERROR_IO : 0);
        faults_clear();
        if (met)
            assert_int_equal(put(&b, 1, 1), 0);
        check_all(&b, "after a failed call");
        struct seen seen = {&b, true, 0};
        assert_int_equal(blob_each(b.engine, ACCOUNT, see, &seen), 0);
        assert_int_equal(seen.known, 1);
        flushes += met;
        blob_engine_free(&b.engine);
        tear_down(&b);
    }
    assert_true(flushes >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_flush),
        cmocka_unit_test(test_failed_flush_of_folders),
        cmocka_unit_test(test_every_fault),
        cmocka_unit_test(test_killed_in_a_large_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
