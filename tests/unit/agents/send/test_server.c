/* The mail server as the configuration has it: which TLS, whose password, what is read. */
#include "../../check.h"
#include "agents/send/send_priv.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/chapar-send-XXXXXX";
static char password_file[64];

static void write_password(const char *text, size_t size, mode_t mode)
{
    FILE *file = fopen(password_file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
    assert_int_equal(chmod(password_file, mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(password_file, sizeof(password_file), "%s/password", directory);
    write_password("secret\n", 7, 0600);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(password_file);
    return rmdir(directory);
}

static int open_server(const char *address, const char *tls, const char *user,
                       const char *authorities, struct send_server *server)
{
    struct buffer problem;
    struct config config = {
        .hostname = (char *)"here.test",
        .outgoing_server = (char *)address,
        .outgoing_tls = (char *)tls,
        .outgoing_user = (char *)user,
        .outgoing_password_file = *user ? password_file : (char *)"",
        .outgoing_ca_file = (char *)authorities,
    };
    buffer_init(&problem, 4096);
    int error = send_server_open(&config, server, &problem);
    assert_true(!error || problem.size || error == ERROR_INVALID);
    if (problem.size)
        assert_null(strstr(problem.data, "secret"));
    buffer_release(&problem);
    return error;
}

/* Both a word of outgoing_tls, and where the server is, say what TLS is; and a password more. */
static void test_tls(void **state)
{
    (void)state;
    static const struct {
        const char *address, *tls, *user;
        enum smtp_tls expected;
        bool first, verified;
    } cases[] = {
        {"127.0.0.1:25", "optional", "", SMTP_TLS_NEVER, false, false},
        {"127.3.2.1:25", "optional", "me", SMTP_TLS_NEVER, false, false},
        {"[::1]:25", "optional", "", SMTP_TLS_NEVER, false, false},
        {"[::ffff:127.0.0.1]:25", "optional", "", SMTP_TLS_NEVER, false, false},
        {"192.0.2.1:25", "optional", "", SMTP_TLS_OFFERED, false, false},
        {"[2001:db8::1]:25", "optional", "", SMTP_TLS_OFFERED, false, false},
        {"192.0.2.1:25", "optional", "me", SMTP_TLS_REQUIRED, false, true},
        {"192.0.2.1:25", "never", "", SMTP_TLS_NEVER, false, false},
        {"192.0.2.1:587", "starttls", "", SMTP_TLS_REQUIRED, false, true},
        {"127.0.0.1:587", "starttls", "me", SMTP_TLS_REQUIRED, false, true},
        {"192.0.2.1:465", "tls", "", SMTP_TLS_REQUIRED, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct send_server server;
        assert_int_equal(open_server(cases[i].address, cases[i].tls, cases[i].user, "", &server),
                         0);
        assert_int_equal(server.smtp.tls, cases[i].expected);
        assert_int_equal(server.tls_first, cases[i].first);
        assert_int_equal(server.tls != NULL, cases[i].expected != SMTP_TLS_NEVER);
        if (server.tls)
            assert_int_equal(SSL_CTX_get_verify_mode(server.tls),
                             cases[i].verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE);
        assert_int_equal(server.address_count, 1);
        assert_slice_equal(server.smtp.user, cases[i].user);
        assert_slice_equal(server.smtp.password, *cases[i].user ? "secret" : "");
        send_server_release(&server);
    }
}

static void test_address(void **state)
{
    (void)state;
    struct send_server server;
    assert_int_equal(open_server("192.0.2.1:2525", "never", "", "", &server), 0);
    const struct sockaddr_in *address = (const struct sockaddr_in *)&server.addresses[0];
    assert_int_equal(address->sin_family, AF_INET);
    assert_int_equal(ntohs(address->sin_port), 2525);
    assert_int_equal(ntohl(address->sin_addr.s_addr), 0xc0000201);
    assert_string_equal(server.host, "192.0.2.1");
    assert_false(server.smtp.local);
    send_server_release(&server);
    assert_int_equal(open_server("localhost:25", "never", "", "", &server), 0);
    assert_true(server.address_count >= 1);
    assert_true(server.smtp.local);
    send_server_release(&server);
    assert_int_equal(open_server("nonsense", "never", "", "", &server), ERROR_INVALID);
    send_server_release(&server);
}

static void expect_password(const char *text, size_t size, mode_t mode, int error)
{
    struct send_server server;
    write_password(text, size, mode);
    assert_int_equal(open_server("127.0.0.1:25", "never", "me", "", &server), error);
    send_server_release(&server);
}

static void test_password(void **state)
{
    (void)state;
    static char longest[SMTP_PASSWORD_MAXIMUM + 1];
    struct send_server server;
    memset(longest, 'x', sizeof(longest));
    expect_password("secret", 6, 0400, 0);
    expect_password("secret\r\nsecond line", 19, 0600, 0);
    expect_password(longest, SMTP_PASSWORD_MAXIMUM, 0600, 0);
    expect_password(longest, sizeof(longest), 0600, ERROR_INVALID);
    expect_password("", 0, 0600, ERROR_INVALID);
    expect_password("\nsecret", 7, 0600, ERROR_INVALID);
    expect_password("sec\0ret", 7, 0600, ERROR_INVALID);
    expect_password("secret", 6, 0640, ERROR_DENIED);
    expect_password("secret", 6, 0604, ERROR_DENIED);
    expect_password("secret", 6, 0620, ERROR_DENIED);
    if (geteuid() == 0) {
        write_password("secret", 6, 0600);
        assert_int_equal(chown(password_file, 60001, 60001), 0);
        assert_int_equal(open_server("127.0.0.1:25", "never", "me", "", &server), ERROR_DENIED);
        send_server_release(&server);
    }
    unlink(password_file);
    assert_int_equal(open_server("127.0.0.1:25", "never", "me", "", &server), ERROR_NOT_FOUND);
    send_server_release(&server);
    assert_int_equal(mkfifo(password_file, 0600), 0); /* nobody waits for its other end */
    assert_int_equal(open_server("127.0.0.1:25", "never", "me", "", &server), ERROR_DENIED);
    send_server_release(&server);
    unlink(password_file);
    write_password("secret\n", 7, 0600);
}

static void test_authorities(void **state)
{
    (void)state;
    struct send_server server;
    assert_int_equal(open_server("127.0.0.1:25", "tls", "", password_file, &server), ERROR_INVALID);
    send_server_release(&server);
    assert_int_equal(open_server("127.0.0.1:25", "tls", "", "/nonexistent", &server),
                     ERROR_INVALID);
    send_server_release(&server);
    /* Where nothing is checked it is not read. */
    assert_int_equal(open_server("192.0.2.1:25", "optional", "", "/nonexistent", &server), 0);
    send_server_release(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_authorities),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
