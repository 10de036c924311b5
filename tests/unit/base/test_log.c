#include "../check.h"
#include "base/log.h"

#include <unistd.h>

/* What log_write puts on standard error while fn runs. */
static size_t capture(void (*fn)(void), char *text, size_t room)
{
    int pipes[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    close(pipes[1]);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    size_t size = 0;
    for (ssize_t got; (got = read(pipes[0], text + size, room - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    close(pipes[0]);
    return size;
}

static void write_forged(void)
{
    log_info("login", LOG_TEXT("user", "eve\" event=root\nline two \x01\xff"),
             LOG_NUMBER("port", 143), LOG_TEXT("bare", "127.0.0.1"), LOG_TEXT("empty", ""));
    log_debug("hidden");
}

static void values_cannot_forge_lines(void **state)
{
    (void)state;
    char text[8192];
    log_init("test", LOG_LEVEL_INFO, LOG_FORMAT_KEY_VALUE);
    capture(write_forged, text, sizeof(text));
    assert_non_null(strstr(text, " info test["));
    assert_non_null(strstr(text, "event=login user=\"eve\\\" event=root\\nline two "
                                 "\\u0001\\u00ff\" port=143 bare=127.0.0.1 empty=\"\"\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void json_on_request(void **state)
{
    (void)state;
    char text[8192];
    log_init("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture(write_forged, text, sizeof(text));
    assert_int_equal(text[0], '{');
    assert_non_null(strstr(text, "\"event\":\"login\",\"user\":\"eve\\\" event=root\\nline two "
                                 "\\u0001\\u00ff\",\"port\":143,\"bare\":\"127.0.0.1\""));
    assert_string_equal(text + strlen(text) - 2, "}\n");
}

static char long_value[20000];

static void write_long(void)
{
    memset(long_value, 'x', sizeof(long_value) - 1);
    log_error("long", LOG_TEXT("value", long_value), LOG_TEXT("value", long_value));
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    char text[20000];
    for (int format = 0; format < 2; format++) {
        log_init("test", LOG_LEVEL_INFO, (enum log_format)format);
        size_t size = capture(write_long, text, sizeof(text));
        assert_true(size <= LOG_LINE_MAXIMUM);
        assert_int_equal(text[size - 1], '\n');
        assert_int_equal(text[size - 2], format ? '}' : '"');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_cannot_forge_lines),
        cmocka_unit_test(json_on_request),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
