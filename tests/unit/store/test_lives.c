/*
 * Scripts that a seed has written (script.h), each lived through in several lives: a life ends by a
 * fault at some call that changes a file (the process killed there, in the middle of a write, or by
 * a power cut that loses any part of what was not flushed), or meets one that it survives (EIO, a
 * failed flush, half a write, a full disk). The next one begins where the last has ended, and may
 * end while it is still repairing.
 *
 * After every life the store is what it was, without a fault, after the last command that was
 * acknowledged, or after the one under way: nothing is lost, half, or there again. At the end it is
 * what it would be without a fault, and every invariant holds, down to each byte.
 *
 * CHAPAR_CRASH_SECONDS: how long (`make crash`; short by default). CHAPAR_CRASH_SEED: the first
 * script, to repeat one that failed.
 */
#include "base/clock.h"
#include "digest.h"
#include "script.h"
#include "tests/unit/faults.h"

#include <ftw.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 15, CALLS_MAXIMUM = 60, REPAIR_CALLS = 30, RUNS = 4 };

struct state {
    uint64_t account, directory; /* digests */
    int error;                   /* what the command before it said */
};

static struct story script;
static struct state states[SCRIPT_MAXIMUM + 1]; /* [i]: before command i, without a fault */
static unsigned script_seed;

/* How far each space has come: commands of it below the number have their effect. */
struct reached {
    unsigned account, directory;
    bool power_cut; /* since then: what was not durable may be lost */
};

struct life {
    enum fault fault;
    unsigned call, seed;
    bool from_start; /* the fault may come while the store is opened */
};

static struct totals {
    unsigned scripts, lives, ended, refused;
} totals;

static void complain(const struct life *life, const char *what, unsigned command)
{
    print_error("CHAPAR_CRASH_SEED=%u: %s at call %u (seed %u): %s, command %u of %u (%s)\n",
                script_seed, fault_name(life->fault), life->call, life->seed, what, command,
                script.count, command < script.count ? script.commands[command].kind->name : "end");
}

/* --- opening and closing --- */

static void close_all(struct fixture *f)
{
    if (f->view)
        store_view_close(&f->view);
    if (f->store)
        store_close(&f->store);
    if (f->kv)
        kv_engine_free(&f->kv);
    if (f->blob)
        blob_engine_free(&f->blob);
}

static int open_all(struct fixture *f)
{
    struct store_options options = {.open_accounts = 4, .default_domain = "example.test"};
    int error = kv_sqlite_create(f->directory, &f->kv);
    if (!error)
        error = blob_pack_create(f->directory, &f->blob);
    options.kv = f->kv;
    options.blob = f->blob;
    if (!error)
        error = store_open(&options, &f->store);
    return error ? error : store_view_open(f->store, who_account(f->alice), f->alice, &f->view);
}

/* --- what a store may hold after a life --- */

/* After a power cut: what is behind the last durable change of the account may be lost. */
static unsigned certain(unsigned done)
{
    for (; done > 0; done--) {
        const struct command_kind *kind = script.commands[done - 1].kind;
        bool changed = states[done].account != states[done - 1].account;
        if (kind->flushes || (changed && !kind->relaxed))
            break;
    }
    return done;
}

/* The first number in first..last at which the digest was this one; last + 1: none. */
static unsigned find_state(uint64_t digest, enum script_space space, unsigned first, unsigned last)
{
    while (first <= last &&
           (space == SCRIPT_ACCOUNT ? states[first].account : states[first].directory) != digest)
        first++;
    return first;
}

static unsigned after(unsigned done)
{
    return done < script.count ? done + 1 : done;
}

/* Where the store is, or that it is nowhere. */
static bool locate(struct fixture *f, const struct life *life, struct reached *reached)
{
    unsigned first = reached->power_cut ? certain(reached->account) : reached->account;
    unsigned last = after(reached->account), last_directory = after(reached->directory);
    unsigned account = find_state(digest_account(f, DIGEST_ORDER), SCRIPT_ACCOUNT, first, last);
    unsigned directory =
        find_state(digest_directory(f), SCRIPT_DIRECTORY, reached->directory, last_directory);
    if (account > last)
        complain(life, "the account is neither before nor after", reached->account);
    if (directory > last_directory)
        complain(life, "the directory is neither before nor after", reached->directory);
    *reached = (struct reached){account, directory, false};
    return account <= last && directory <= last_directory;
}

/* --- a life --- */

/* It fails once at the most, clearly and without effect, and works when the disk does. */
static bool run_command(struct fixture *f, const struct life *life, unsigned number)
{
    int expected = states[number + 1].error;
    int error = command_run(f, &script.commands[number]);
    if (error != expected && faults_met()) {
        if ((error == ERROR_SPACE) != (life->fault == FAULT_FULL))
            complain(life, error_name(error), number);
        faults_clear();
        if (script.commands[number].kind->space == SCRIPT_ACCOUNT
                ? digest_account(f, DIGEST_ORDER) != states[number].account
                : digest_directory(f) != states[number].directory) {
            complain(life, "it failed, and changed something", number);
            return false;
        }
        error = command_run(f, &script.commands[number]);
        faults_plan(life->fault, life->call, life->seed); /* it comes again */
    }
    if (error != expected)
        complain(life, error_name(error), number);
    return error == expected;
}

static void tell(int told, const struct reached *reached)
{
    if (write(told, reached, sizeof(*reached)) != sizeof(*reached))
        _exit(1);
}

static void open_with_fault(struct fixture *f, const struct life *life)
{
    faults_watch(f->directory);
    if (life->from_start)
        faults_plan(life->fault, life->call, life->seed);
    int error = open_all(f);
    if (life->fault >= FAULT_SHORT)
        faults_clear();
    if (error) {
        close_all(f);
        error = open_all(f);
    }
    if (error) {
        complain(life, error_name(error), 0);
        _exit(1);
    }
}

static void live(struct fixture *f, const struct life *life, struct reached reached, int told)
{
    open_with_fault(f, life);
    if (!locate(f, life, &reached))
        _exit(1);
    tell(told, &reached);
    if (!life->from_start)
        faults_plan(life->fault, life->call, life->seed);
    unsigned first = reached.account < reached.directory ? reached.account : reached.directory;
    for (unsigned i = first; i < script.count; i++) {
        unsigned *has = script.commands[i].kind->space == SCRIPT_ACCOUNT ? &reached.account
                                                                         : &reached.directory;
        if (i >= *has && !run_command(f, life, i))
            _exit(1);
        reached.account = reached.account > i ? reached.account : i + 1;
        reached.directory = reached.directory > i ? reached.directory : i + 1;
        tell(told, &reached);
    }
    close_all(f);
    _exit(0);
}

/* Whether it came to its end. */
static bool live_once(struct fixture *f, const struct life *life, struct reached *reached)
{
    int ends[2], status = 0;
    struct reached told;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        live(f, life, *reached, ends[1]);
    close(ends[1]);
    while (read(ends[0], &told, sizeof(told)) == sizeof(told))
        *reached = told;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != FAULTS_EXIT)) {
        complain(life, "it ended badly", reached->account);
        fail();
    }
    reached->power_cut |= life->fault == FAULT_POWER && WEXITSTATUS(status) == FAULTS_EXIT;
    totals.lives++;
    totals.ended += WEXITSTATUS(status) == FAULTS_EXIT;
    return WEXITSTATUS(status) == 0;
}

static void look(struct fixture *f, const struct life *life, struct reached *reached)
{
    assert_int_equal(open_all(f), 0);
    assert_true(locate(f, life, reached));
    check_account(f);
    close_all(f);
}

/* Those that end a life, more often: they take longer to repair. */
static const enum fault often[] = {FAULT_KILL,  FAULT_KILL,  FAULT_KILL_SHORT, FAULT_KILL_SHORT,
                                   FAULT_POWER, FAULT_POWER, FAULT_POWER,      FAULT_SHORT,
                                   FAULT_IO,    FAULT_SYNC,  FAULT_FULL};
enum { OFTEN = sizeof(often) / sizeof(often[0]) };

static void live_through(struct fixture *f, uint64_t *seed)
{
    struct reached reached = {0, 0, false};
    bool ended;
    close_all(f);
    do {
        struct life life = {.fault = often[script_chance(seed) % OFTEN],
                            .from_start = script_chance(seed) % 4 == 0,
                            .seed = script_chance(seed)};
        life.call = 1 + script_chance(seed) % (life.from_start ? REPAIR_CALLS : CALLS_MAXIMUM);
        ended = live_once(f, &life, &reached);
        if (script_chance(seed) % 2)
            look(f, &life, &reached);
    } while (!ended);
    assert_int_equal(open_all(f), 0);
    assert_true(digest_account(f, DIGEST_ORDER) == states[script.count].account);
    assert_true(digest_directory(f) == states[script.count].directory);
    check_account(f);
}

/* --- the test --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void tear_down_with_removed(void **state)
{
    char removed[sizeof(((struct fixture *)0)->directory) + 16];
    snprintf(removed, sizeof(removed), "%s.removed", ((struct fixture *)*state)->directory);
    tear_down(state);
    nftw(removed, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void take_states(void)
{
    void *fixture = NULL;
    set_up_sqlite(&fixture);
    close_all(fixture);
    assert_int_equal(open_all(fixture), 0);
    for (unsigned i = 0; i <= script.count; i++) {
        int error = i > 0 ? command_run(fixture, &script.commands[i - 1]) : 0;
        states[i] =
            (struct state){digest_account(fixture, DIGEST_ORDER), digest_directory(fixture), error};
        totals.refused += error != 0;
    }
    tear_down(&fixture);
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void run_script(uint64_t *seed)
{
    void *fixture = NULL;
    set_up_sqlite(&fixture);
    live_through(fixture, seed);
    tear_down_with_removed(&fixture);
}

static void test_lives(void **unused)
{
    (void)unused;
    script_seed = number_of("CHAPAR_CRASH_SEED", (unsigned)time(NULL));
    uint64_t end =
        clock_monotonic_us() + number_of("CHAPAR_CRASH_SECONDS", SECONDS) * UINT64_C(1000000);
    print_message("# CHAPAR_CRASH_SEED=%u\n", script_seed);
    do {
        uint64_t seed = script_seed;
        script_write(&script, script_seed);
        take_states();
        for (int run = 0; run < RUNS; run++)
            run_script(&seed);
        totals.scripts++;
        script_seed++;
    } while (clock_monotonic_us() < end);
    print_message("# %u scripts, %u lives, %u of them ended by a fault; %u commands refused\n",
                  totals.scripts, totals.lives, totals.ended, totals.refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
