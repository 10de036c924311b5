/*
 * Several processes on one store, and one of them killed in the middle.
 */
#include "store/retained.h"
#include "store_test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 2, DELIVERIES = 200 };

/* A store of its own on the same directory. */
static struct fixture *open_again(const struct fixture *f)
{
    struct fixture *own = calloc(1, sizeof(*own));
    memcpy(own->directory, f->directory, sizeof(own->directory));
    own->alice = f->alice;
    arena_init(&own->arena, 64 * 1024 * 1024);
    reopen(own);
    return own;
}

static void close_own(struct fixture *own)
{
    own->directory[0] = '\0'; /* the directory stays */
    void *state = own;
    tear_down(&state);
}

/* Delivers until it is killed or has made `count`; writes each UID when it is acknowledged. */
static void deliver(const struct fixture *f, unsigned process, unsigned count, int acknowledged)
{
    struct fixture *own = open_again(f);
    collection_id inbox = find_mailbox(own, "INBOX");
    char text[64];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "Subject: %u from %u\r\n\r\n", i, process);
        uint32_t uid = append_text(own, inbox, text, i % 2 ? ENTRY_DELETED : 0);
        if (write(acknowledged, &uid, sizeof(uid)) != sizeof(uid))
            break;
        if (i % 10 == 9) {
            struct range_set expunged;
            uint64_t modseq;
            range_set_init(&expunged, 1000);
            assert_int_equal(store_maintain(own->store), 0);
            if (count == DELIVERIES)
                assert_int_equal(mailbox_expunge(own->view, inbox, NULL, &expunged, &modseq), 0);
            if (count == DELIVERIES && i % 30 == 29)
                assert_int_equal(
                    store_purge(own->store, WHO_SYSTEM, own->alice, INT64_MAX / 2, NULL), 0);
            range_set_release(&expunged);
        }
    }
    close_own(own);
}

static pid_t start(const struct fixture *f, unsigned process, unsigned count, int pipe_end[2])
{
    assert_int_equal(pipe(pipe_end), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_end[0]);
        deliver(f, process, count, pipe_end[1]);
        _exit(0);
    }
    close(pipe_end[1]);
    return child;
}

static void test_two_processes(void **state)
{
    struct fixture *f = *state;
    pid_t children[PROCESSES];
    int ends[PROCESSES][2];
    unsigned acknowledged = 0;
    uint32_t uid;
    /* What is forked has nothing open. */
    store_view_close(&f->view);
    store_close(&f->store);
    kv_engine_free(&f->kv);
    blob_engine_free(&f->blob);
    for (unsigned i = 0; i < PROCESSES; i++)
        children[i] = start(f, i, DELIVERIES, ends[i]);
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;
        while (read(ends[i][0], &uid, sizeof(uid)) == sizeof(uid))
            acknowledged++;
        close(ends[i][0]);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    reopen(f);
    collection_id inbox = find_mailbox(f, "INBOX");
    assert_int_equal(acknowledged, PROCESSES * DELIVERIES);
    assert_int_equal(read_mailbox(f, inbox).uid_next, PROCESSES * DELIVERIES + 1);
    assert_int_equal(read_mailbox(f, inbox).messages - read_mailbox(f, inbox).deleted,
                     PROCESSES * DELIVERIES / 2);
    check_account(f);
}

static void test_killed(void **state)
{
    struct fixture *f = *state;
    uint32_t highest = 0;
    for (unsigned round = 0; round < 8; round++) {
        int end[2];
        uint32_t uid;
        store_view_close(&f->view);
        store_close(&f->store);
        kv_engine_free(&f->kv);
        blob_engine_free(&f->blob);
        pid_t child = start(f, round, 1000000, end);
        for (unsigned i = 0; i < 20 + round * 3; i++) {
            assert_int_equal(read(end[0], &uid, sizeof(uid)), sizeof(uid));
            highest = uid;
        }
        usleep(round * 300);
        kill(child, SIGKILL);
        while (read(end[0], &uid, sizeof(uid)) == sizeof(uid))
            highest = uid;
        close(end[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        reopen(f);
        struct collection inbox = read_mailbox(f, find_mailbox(f, "INBOX"));
        /* What was acknowledged is there; at most one more, whose answer was not written. */
        assert_true(inbox.messages >= highest && inbox.messages <= highest + 1);
        assert_int_equal(inbox.uid_next, inbox.messages + 1);
        check_account(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_processes, set_up_sqlite, tear_down),
        cmocka_unit_test_setup_teardown(test_killed, set_up_sqlite, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
