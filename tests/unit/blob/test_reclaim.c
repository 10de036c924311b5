/*
 * What is dropped, and how its space comes back.
 */
#include "tests/unit/blob/pack_fixture.h"

#include <unistd.h>

enum { MANY = 1200, HOUR = 60 * 60 };

struct account {
    struct fixture *f;
    struct blob_id ids[MANY]; /* pack 0: nobody needs it any more */
    size_t count;
    unsigned moves, calls;
    int result; /* of moved */
};

static struct account *make_account(struct fixture *f, size_t count)
{
    struct account *account = calloc(1, sizeof(*account));
    account->f = f;
    account->count = count;
    struct blob_batch *batch;
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(blob_batch_add(batch, slice_make(f->noise + i, 1000), &account->ids[i]),
                         0);
    assert_int_equal(blob_batch_finish(&batch), 0);
    return account;
}

static void drop(struct account *account, size_t index)
{
    assert_int_equal(blob_drop(account->f->engine, ACCOUNT, account->ids[index]), 0);
    account->ids[index].pack = 0;
}

static void drop_but(struct account *account, size_t step)
{
    for (size_t i = 0; i < account->count; i++)
        if (i % step)
            drop(account, i);
}

static void check(struct account *account)
{
    for (size_t i = 0; i < account->count; i++)
        if (account->ids[i].pack)
            assert_int_equal(read_range(account->f, account->ids[i], 0, SIZE_MAX,
                                        slice_make(account->f->noise + i, 1000)),
                             0);
}

static int live(uint64_t pack, struct buffer *ids, void *arg)
{
    const struct account *account = arg;
    for (size_t i = 0; i < account->count; i++)
        if (account->ids[i].pack == pack)
            buffer_append(ids, slice_make(&account->ids[i], sizeof(account->ids[i])));
    return buffer_error(ids);
}

static int moved(const struct blob_move *moves, size_t count, void *arg)
{
    struct account *account = arg;
    account->calls++;
    assert_in_range(count, 1, BLOB_MOVES_MAXIMUM);
    if (account->result)
        return account->result;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (memcmp(&account->ids[j], &moves[i].from, sizeof(moves[i].from)) != 0)
            assert_true(++j < account->count);
        account->ids[j] = moves[i].to;
        account->moves++;
    }
    return 0;
}

static int reclaim(struct account *account, bool everything)
{
    struct blob_reclaim what = {everything, live, moved, account};
    return blob_reclaim(account->f->engine, ACCOUNT, &what);
}

static void make_older(const struct fixture *f, uint64_t pack, const char *suffix)
{
    char path[256];
    struct timespec old[] = {{time(NULL) - HOUR - 10, 0}, {time(NULL) - HOUR - 10, 0}};
    path_of(f, pack, suffix, path);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static bool exists(const struct fixture *f, uint64_t pack, const char *suffix)
{
    char path[256];
    path_of(f, pack, suffix, path);
    return access(path, F_OK) == 0;
}

static void test_drop(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 3);
    struct blob_id dropped = account->ids[1];
    drop(account, 1);
    blob_drop(f->engine, ACCOUNT, dropped);
    assert_int_equal(each(f).count, 2);
    /* Who still reads an older snapshot finds it. */
    assert_int_equal(read_range(f, dropped, 0, 1000, slice_make(f->noise + 1, 1000)), 0);
    check(account);
    free(account);
}

static void test_damaged_notes(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 4);
    char path[256];
    path_of(f, account->ids[0].pack, "drops", path);
    drop(account, 1);
    append_to(path, "half a no", 9); /* a crash */
    drop(account, 2);
    assert_int_equal(each(f).count, 2);
    flip(path, 3);
    assert_int_equal(each(f).count, 3);
    flip(path, 24);
    assert_int_equal(each(f).count, 4);
    assert_int_equal(each(f).result, 0);
    free(account);
}

static void test_half_dead(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 100);
    uint64_t pack = account->ids[0].pack;
    for (size_t i = 0; i < 50; i++)
        drop(account, i);
    make_older(f, pack, "pack");
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(reclaim(account, true), 0);
    assert_int_equal(account->moves, 0); /* not more than half */
    drop(account, 50);
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->moves, 49);
    assert_int_equal(account->calls, 1);
    check(account);
    assert_int_equal(each(f).count, 49);
    /* The old pack stays for whoever reads it, and goes once nothing has changed for an hour. */
    assert_int_equal(reclaim(account, false), 0);
    assert_true(exists(f, pack, "pack"));
    assert_int_equal(status_of(f, pack).st_mode & 07777, 0400);
    make_older(f, pack, "drops");
    assert_int_equal(reclaim(account, false), 0);
    assert_false(exists(f, pack, "pack"));
    assert_false(exists(f, pack, "drops"));
    assert_int_equal(account->moves, 49);
    check(account);
    assert_int_equal(each(f).count, 49);
    free(account);
}

static void test_many_moves(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, MANY);
    uint64_t pack = account->ids[0].pack;
    drop_but(account, 2);
    drop(account, 0);
    make_older(f, pack, "pack");
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->moves, MANY / 2 - 1);
    assert_int_equal(account->calls, 2);
    check(account);
    make_older(f, pack, "drops");
    assert_int_equal(reclaim(account, false), 0);
    assert_false(exists(f, pack, "pack"));
    check(account);
    free(account);
}

/* What was put a moment ago may be about to be referred to. */
static void test_young(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    uint64_t pack = account->ids[0].pack;
    drop_but(account, 5);
    account->count = 0;
    assert_int_equal(reclaim(account, true), 0);
    assert_true(exists(f, pack, "pack"));
    assert_int_equal(account->calls, 0);
    free(account);
}

/* Notes are gone after a power cut: looking at everything finds what is dead. */
static void test_everything(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    char path[256];
    uint64_t pack = account->ids[0].pack;
    drop_but(account, 5);
    path_of(f, pack, "drops", path);
    assert_int_equal(unlink(path), 0);
    make_older(f, pack, "pack");
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->calls, 0);
    assert_int_equal(reclaim(account, true), 0);
    assert_int_equal(account->moves, 2);
    check(account);
    free(account);
}

/* A note is a hint: what the account refers to stays. */
static void test_wrong_notes(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    uint64_t pack = account->ids[0].pack;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(blob_drop(f->engine, ACCOUNT, account->ids[i]), 0);
    make_older(f, pack, "pack");
    make_older(f, pack, "drops");
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->calls, 0);
    check(account);
    free(account);
}

static void test_commit_fails(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    uint64_t pack = account->ids[0].pack;
    drop_but(account, 5);
    make_older(f, pack, "pack");
    make_older(f, pack, "drops");
    account->result = ERROR_SPACE;
    assert_int_equal(reclaim(account, false), ERROR_SPACE);
    assert_true(exists(f, pack, "pack"));
    check(account);
    account->result = 0;
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->moves, 2);
    check(account);
    free(account);
}

static void test_damaged_is_kept(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    char path[256];
    uint64_t pack = account->ids[0].pack;
    static const uint64_t places[] = {0, 37, 60}; /* header, index, frame */
    path_of(f, pack, "pack", path);
    drop_but(account, 5);
    for (size_t i = 0; i < 3; i++) {
        flip(path, account->ids[5].offset + places[i]);
        make_older(f, pack, "pack");
        make_older(f, pack, "drops");
        assert_int_equal(reclaim(account, false), ERROR_CORRUPT);
        assert_true(exists(f, pack, "pack"));
        assert_int_equal(account->moves, 0);
        flip(path, account->ids[5].offset + places[i]);
    }
    check(account);
    free(account);
}

static void test_writer_at_work(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 10);
    struct blob_batch *batch;
    struct blob_id id;
    uint64_t pack = account->ids[0].pack;
    drop_but(account, 5);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    assert_int_equal(blob_batch_add(batch, SLICE("a"), &id), 0);
    assert_int_equal(id.pack, pack);
    make_older(f, pack, "pack");
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(account->calls, 0);
    assert_int_equal(blob_batch_finish(&batch), 0);
    assert_int_equal(read_range(f, id, 0, 1, SLICE("a")), 0);
    free(account);
}

static void test_lone_notes(void **state)
{
    struct fixture *f = *state;
    struct account *account = make_account(f, 1);
    char path[256];
    path_of(f, 0x123, "drops", path);
    append_to(path, "x", 1);
    assert_int_equal(reclaim(account, false), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(blob_destroy(f->engine, ACCOUNT), 0);
    free(account);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_drop),           CASE(test_damaged_notes), CASE(test_half_dead),
        CASE(test_many_moves),     CASE(test_young),         CASE(test_everything),
        CASE(test_wrong_notes),    CASE(test_commit_fails),  CASE(test_damaged_is_kept),
        CASE(test_writer_at_work), CASE(test_lone_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
