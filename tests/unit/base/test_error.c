#include "../check.h"
#include "base/error.h"

#include <errno.h>

static void every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int code = 0; code >= ERROR_PROTOCOL; code--) {
        assert_non_null(error_name(code));
        assert_non_null(error_text(code));
        for (int other = 0; other > code; other--)
            assert_string_not_equal(error_name(code), error_name(other));
    }
    assert_string_equal(error_name(-1000), "invalid");
    assert_string_equal(error_name(5), "invalid");
}

static void causes_from_errno(void **state)
{
    (void)state;
    assert_int_equal(error_from_errno(ENOSPC), ERROR_SPACE);
    assert_int_equal(error_from_errno(EIO), ERROR_IO);
    assert_int_equal(error_from_errno(ENOENT), ERROR_NOT_FOUND);
    assert_int_equal(error_from_errno(EPERM), ERROR_DENIED);
    assert_true(error_is_temporary(ERROR_SPACE));
    assert_true(error_is_temporary(ERROR_BUSY));
    assert_false(error_is_temporary(ERROR_DENIED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_and_a_text),
        cmocka_unit_test(causes_from_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
