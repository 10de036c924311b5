#include "../check.h"
#include "base/error.h"
#include "base/spool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void check_content(struct spool *spool, size_t size)
{
    struct slice view;
    assert_int_equal(spool_view(spool, &view), 0);
    assert_int_equal(view.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(view.data[i], (char)(i * 7));
}

static void fill(struct spool *spool, size_t size, size_t piece)
{
    char *bytes = malloc(piece);
    for (size_t offset = 0; offset < size; offset += piece) {
        size_t length = size - offset < piece ? size - offset : piece;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)((offset + i) * 7);
        assert_int_equal(spool_append(spool, slice_make(bytes, length)), 0);
    }
    free(bytes);
}

static void small_messages_stay_in_memory(void **state)
{
    (void)state;
    struct spool spool;
    spool_init(&spool, -1, 1000, 1000);
    fill(&spool, 1000, 13);
    assert_int_equal(spool.file, -1);
    check_content(&spool, 1000);
    assert_int_equal(spool_append(&spool, SLICE("x")), ERROR_LIMIT);
    struct slice view;
    assert_int_equal(spool_view(&spool, &view), ERROR_LIMIT);
    spool_release(&spool);
}

static void large_messages_go_to_a_nameless_file(void **state)
{
    (void)state;
    int directory = open("/tmp", O_DIRECTORY | O_CLOEXEC);
    const size_t pieces[] = {1, 1000, 65536, 300000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct spool spool;
        spool_init(&spool, directory, 4096, 1000000);
        size_t size = pieces[i] == 1 ? 70000 : 900000;
        fill(&spool, size, pieces[i]);
        assert_true(spool.file >= 0);
        check_content(&spool, size);
        assert_int_equal(spool_append(&spool, SLICE("\0")), 0);
        spool_release(&spool);
    }
    close(directory);
}

static void the_limit_counts_all_bytes(void **state)
{
    (void)state;
    int directory = open("/tmp", O_DIRECTORY | O_CLOEXEC);
    struct spool spool;
    spool_init(&spool, directory, 100, 5000);
    fill(&spool, 5000, 999);
    assert_int_equal(spool_append(&spool, SLICE("x")), ERROR_LIMIT);
    spool_release(&spool);
    close(directory);
}

static void room_is_left_to_others(void **state)
{
    (void)state;
    int directory = open("/tmp", O_DIRECTORY | O_CLOEXEC);
    struct spool spool;
    struct slice view;
    spool_init(&spool, directory, 1000, 1000);
    spool_keep_free(&spool, 1);
    fill(&spool, 10, 10);
    check_content(&spool, 10);
    /* More than any disk has, also after a release. */
    spool_keep_free(&spool, UINT64_MAX);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spool_view(&spool, &view), ERROR_SPACE);
        assert_int_equal(spool_append(&spool, SLICE("x")), ERROR_SPACE);
        spool_release(&spool);
        fill(&spool, 10, 10);
    }
    spool_release(&spool);
    close(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_messages_stay_in_memory),
        cmocka_unit_test(large_messages_go_to_a_nameless_file),
        cmocka_unit_test(the_limit_counts_all_bytes),
        cmocka_unit_test(room_is_left_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
