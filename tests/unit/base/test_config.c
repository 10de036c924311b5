#include "../check.h"
#include "base/config.h"
#include "base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/chapar-config-XXXXXX";
static char path[64];
static struct buffer problems;

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/chapar.conf", directory);
    buffer_init(&problems, 65536);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    buffer_release(&problems);
    return rmdir(directory);
}

static int read_text(const char *text, struct config **config)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    buffer_clear(&problems);
    return config_read(path, config, &problems);
}

static void lines_are_counted_with_comments(void **state)
{
    (void)state;
    struct config *config = NULL;
    char expected[128];
    int error = read_text("# a comment\n// another\n"
                          "hostname = \"a # no comment\" # a comment\n"
                          "\n"
                          "no_such_option = 1\n",
                          &config);
    assert_int_equal(error, ERROR_SYNTAX);
    snprintf(expected, sizeof(expected), "%s:5: ", path);
    assert_int_equal(strncmp(problems.data, expected, strlen(expected)), 0);
    assert_int_equal(read_text("data_directory = /tmp\nhostname = \"a // \\\" # b\"\n", &config),
                     0);
    assert_string_equal(config->hostname, "a // \" # b");
    config_free(&config);
}

static void values_defaults_and_units(void **state)
{
    (void)state;
    struct config *config = NULL;
    int error = read_text("# a comment\n"
                          "hostname = \"mail.example.org\"\n"
                          "data_directory = data\n"
                          "message_size = 10M\n"
                          "idle_timeout = 1h\n"
                          "lmtp_socket_mode = 0666\n"
                          "plaintext_login = true\n"
                          "lmtp_listen = {\"127.0.0.1:24\", \"unix:lmtp.sock\"}\n",
                          &config);
    assert_int_equal(error, 0);
    assert_string_equal(config->hostname, "mail.example.org");
    assert_int_equal(config->message_size, 10 * 1024 * 1024);
    assert_int_equal(config->idle_timeout, 3600);
    assert_int_equal(config->lmtp_socket_mode, 0666);
    assert_true(config->plaintext_login);
    assert_int_equal(config->login_timeout, 180);
    assert_int_equal(config->lmtp_listen.count, 2);
    char expected[128];
    snprintf(expected, sizeof(expected), "%s/data", directory);
    assert_string_equal(config->data_directory, expected);
    snprintf(expected, sizeof(expected), "unix:%s/data/lmtp.sock", directory);
    assert_string_equal(config->lmtp_listen.items[1], expected);
    config_free(&config);
    assert_null(config);
}

static void assert_problem(const char *text, const char *expected)
{
    struct config *config = NULL;
    assert_int_equal(read_text(text, &config), ERROR_SYNTAX);
    assert_null(config);
    if (!strstr(problems.data, expected)) {
        print_error("expected \"%s\" in \"%s\"\n", expected, problems.data);
        fail();
    }
}

static void problems_name_file_and_line(void **state)
{
    (void)state;
    assert_problem("data_directory = x\nno_such_option = 1\n", "chapar.conf:2: ");
    assert_problem("data_directory = x\nlogin_timeout = soon\n",
                   "chapar.conf:2: login_timeout = soon: expected a number from 1 to 3600");
    assert_problem("data_directory = x\n\nlogin_timeout = 2h\n", "chapar.conf:3: ");
    assert_problem("data_directory = x\nlogin_timeout = 10K\n", "chapar.conf:2: ");
    assert_problem("data_directory = x\nplaintext_login = perhaps\n", "chapar.conf:2: ");
    assert_problem("data_directory = {x\n", "chapar.conf:");
}

static void contradictions_are_problems(void **state)
{
    (void)state;
    assert_problem("hostname = x\n", "data_directory is not set");
    assert_problem("data_directory = x\nimaps_listen = {\"0.0.0.0:993\"}\n",
                   "imaps_listen needs tls_certificate and tls_key");
    assert_problem("data_directory = x\ntls_key = k\n", "go together");
    assert_problem("data_directory = x\nlmtp_listen = {\"0.0.0.0:24\"}\n",
                   "\"0.0.0.0:24\" is not a loopback address");
    assert_problem("data_directory = x\nimap_listen = {\"localhost\"}\n", "imap_listen");
    assert_problem("data_directory = x\nlmtp_remote_listen = {\"0.0.0.0:24\"}\n",
                   "lmtp_remote_listen needs tls_certificate and tls_key");
    assert_problem("data_directory = x\nlmtp_remote_listen = {\"unix:lmtp\"}\n",
                   "\"unix:lmtp\" is not an address to listen on");
    assert_problem("data_directory = x\nlmtp_trusted = {\"192.0.2.0/24\", \"mx.example.org\"}\n",
                   "lmtp_trusted: \"mx.example.org\" is neither an address nor a network");
    assert_problem("data_directory = x\nmessage_limit = 1000\nsave_limit = 2000\n", "save_limit");
    assert_problem("data_directory = x\nengine = papyrus\n", "engine");
    assert_problem("data_directory = x\nlog_level = loud\nlog_format = xml\n", "log_format");
}

static void the_outgoing_server(void **state)
{
    (void)state;
    static const char *const wrong[] = {"localhost", "unix:/x", "systemd:x", "localhost:0",
                                        "::1:25"};
    struct config *config = NULL;
    char text[600], name[300], expected[128];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "data_directory = x\noutgoing_server = \"%s\"\n", wrong[i]);
        assert_problem(text, "is not HOST:PORT");
    }
    assert_problem("data_directory = x\noutgoing_tls = maybe\n", "outgoing_tls: \"maybe\"");
    assert_problem("data_directory = x\noutgoing_user = me\n", "go together");
    assert_problem("data_directory = x\noutgoing_password_file = f\n", "go together");
    assert_problem("data_directory = x\noutgoing_user = me\noutgoing_password_file = f\n"
                   "outgoing_server = \"mail.example.org:25\"\noutgoing_tls = never\n",
                   "a password is not sent to another machine without TLS");
    memset(name, 'n', sizeof(name));
    name[OUTGOING_USER_MAXIMUM + 1] = '\0';
    snprintf(text, sizeof(text),
             "data_directory = x\noutgoing_password_file = f\noutgoing_user = %s\n", name);
    assert_problem(text, "outgoing_user is longer than 255 bytes");
    assert_int_equal(read_text("data_directory = x\noutgoing_user = me\n"
                               "outgoing_password_file = f\noutgoing_tls = never\n"
                               "outgoing_ca_file = c\noutgoing_server = \"[::1]:25\"\n",
                               &config),
                     0);
    snprintf(expected, sizeof(expected), "%s/f", directory);
    assert_string_equal(config->outgoing_password_file, expected);
    snprintf(expected, sizeof(expected), "%s/c", directory);
    assert_string_equal(config->outgoing_ca_file, expected);
    config_free(&config);
    assert_int_equal(read_text("data_directory = x\noutgoing_server = \"\"\n", &config), 0);
    config_free(&config);
}

/* A login needs TLS, or that passwords may go without. */
static void plaintext_login_needs_no_certificate(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(read_text("data_directory = x\nplaintext_login = true\n"
                               "lmtp_remote_listen = {\"0.0.0.0:24\"}\n",
                               &config),
                     0);
    config_free(&config);
}

static void a_missing_file_is_said_so(void **state)
{
    (void)state;
    struct config *config = NULL;
    buffer_clear(&problems);
    assert_int_equal(config_read("/nonexistent/chapar.conf", &config, &problems), ERROR_NOT_FOUND);
    assert_non_null(strstr(problems.data, "cannot be read"));
}

/* What `config show` prints is a file that means the same. */
static void shown_values_can_be_read_again(void **state)
{
    (void)state;
    struct config *config = NULL, *again = NULL;
    assert_int_equal(read_text("data_directory = \"/tmp/a \\\"quoted\\\" b\"\n"
                               "imap_listen = {\"127.0.0.1:143\", \"[::1]:143\"}\n",
                               &config),
                     0);
    struct buffer text;
    buffer_init(&text, 65536);
    for (const struct config_option *option = config_options; option->name; option++) {
        buffer_append_format(&text, "%s = ", option->name);
        config_format(config, option, &text);
        buffer_append_byte(&text, '\n');
    }
    assert_int_equal(read_text(text.data, &again), 0);
    assert_string_equal(again->data_directory, config->data_directory);
    assert_string_equal(again->imap_listen.items[1], "[::1]:143");
    assert_int_equal(again->lmtp_socket_mode, config->lmtp_socket_mode);
    buffer_release(&text);
    config_free(&config);
    config_free(&again);
}

static void listen_addresses(void **state)
{
    (void)state;
    struct listen_address address;
    assert_int_equal(config_listen_address("127.0.0.1:143", &address), 0);
    assert_int_equal(address.port, 143);
    assert_int_equal(config_listen_address("[::1]:993", &address), 0);
    assert_string_equal(address.text, "::1");
    assert_int_equal(config_listen_address("systemd:imap", &address), 0);
    assert_int_equal(address.kind, LISTEN_SYSTEMD);
    const char *const wrong[] = {
        "", ":", "a", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "::1:143", "1.2.3.4:1x", "unix:"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(config_listen_address(wrong[i], &address), ERROR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_defaults_and_units),
        cmocka_unit_test(lines_are_counted_with_comments),
        cmocka_unit_test(problems_name_file_and_line),
        cmocka_unit_test(contradictions_are_problems),
        cmocka_unit_test(the_outgoing_server),
        cmocka_unit_test(plaintext_login_needs_no_certificate),
        cmocka_unit_test(a_missing_file_is_said_so),
        cmocka_unit_test(shown_values_can_be_read_again),
        cmocka_unit_test(listen_addresses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
