#include "login_fixture.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#define RESPONSE SLICE("\0alice\0correct horse")

/* In every build with AddressSanitizer, as the unit tests are. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static void connect_plain(struct fixture *fixture)
{
    fixture->client = connect_client(fixture, PROTOCOL_IMAP);
    hear(fixture, "* OK [CAPABILITY IMAP4");
}

static void wait_until_closed(struct fixture *fixture)
{
    while (fixture->login.open)
        turn(fixture);
}

static void test_plaintext_login(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\nb NOOP\r\nc NO");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    int stream = expect_stream(fixture, "", "a", "b NOOP\r\nc NO");
    assert_int_equal(fixture->login.open, 0);
    assert_int_equal(send(stream, "a OK\r\n", 6, 0), 6);
    hear(fixture, "a OK");
    say(fixture, "OP\r\n");
    expect_bytes(fixture, stream, "OP\r\n");
    close(stream);
    hear(fixture, NULL);
}

static void test_imaps_login(void **state)
{
    struct fixture *fixture = *state;
    fixture->client = connect_client(fixture, PROTOCOL_IMAPS);
    client_start_tls(fixture);
    hear(fixture, "* OK [CAPABILITY IMAP4");
    say(fixture, "a AUTHENTICATE PLAIN AGFsaWNlAGNvcnJlY3QgaG9yc2U=\r\nb NOOP\r\n");
    uint64_t id = expect_question(fixture, RESPONSE, true);
    say(fixture, "c NOOP\r\n");
    grant(fixture, id);
    int stream = expect_stream(fixture, "TLSv1.3 TLS_AES_256_GCM_SHA384", "a", "b NOOP\r\n");
    expect_bytes(fixture, stream, "c NOOP\r\n");
    assert_int_equal(fixture->login.open, 1);
    assert_int_equal(send(stream, "a OK\r\n", 6, 0), 6);
    hear(fixture, "a OK");
    close(stream);
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
}

/* The language goes with the stream. */
static void test_language(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LANGUAGE de\r\nb LOGIN alice \"correct horse\"\r\n");
    hear(fixture, "* LANGUAGE (de)");
    hear(fixture, "a OK Ab jetzt auf Deutsch");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    fixture->language = LANGUAGE_GERMAN;
    close(expect_stream(fixture, "", "b", ""));
}

/* More in one record than is read at once before login: the rest is pumped. */
static void test_large_record(void **state)
{
    struct fixture *fixture = *state;
    char text[10000];
    fixture->client = connect_client(fixture, PROTOCOL_IMAPS);
    client_start_tls(fixture);
    hear(fixture, "* OK");
    int size = snprintf(text, sizeof text, "a LOGIN alice \"correct horse\"\r\n");
    memset(text + size, 'x', sizeof text - (size_t)size);
    client_write(fixture, slice_make(text, sizeof text));
    grant(fixture, expect_question(fixture, RESPONSE, true));
    struct ipc_reader reader = expect(fixture, fixture->session, IPC_STREAM);
    ipc_get_u8(&reader);
    uint8_t ticket[TICKET_SIZE];
    ipc_get_fixed(&reader, ticket, sizeof ticket);
    for (int i = 0; i < 3; i++)
        ipc_get_bytes(&reader, 100);
    ipc_get_u8(&reader);
    size_t received = ipc_get_bytes(&reader, CONNECTION_READ_MAXIMUM).size;
    assert_int_equal(ipc_reader_finish(&reader), 0);
    int stream = fixture->message.descriptors[0];
    fcntl(stream, F_SETFL, O_NONBLOCK);
    while (received < sizeof text - (size_t)size) {
        char bytes[1000];
        ssize_t got = recv(stream, bytes, sizeof bytes, 0);
        received += got > 0 ? (size_t)got : 0;
        turn(fixture);
    }
    close(stream);
}

/* What came in plaintext behind STARTTLS is dropped. */
static void test_starttls(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.plaintext_login = false;
    connect_plain(fixture);
    assert_non_null(strstr(fixture->line, "LOGINDISABLED"));
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    hear(fixture, "a NO [PRIVACYREQUIRED]");
    say(fixture, "b STARTTLS\r\nevil NOOP\r\n");
    hear(fixture, "b OK");
    client_start_tls(fixture);
    say(fixture, "c NOOP\r\n");
    hear(fixture, "c OK");
    say(fixture, "d LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, true));
    close(expect_stream(fixture, "TLSv1.3 TLS_AES_256_GCM_SHA384", "d", ""));
    hear(fixture, NULL);
}

/* Whole lines of LHLO's answer, to the last. */
static void hear_hello(struct fixture *fixture)
{
    do
        hear(fixture, "250");
    while (fixture->line[3] == '-');
}

static void connect_lmtp(struct fixture *fixture)
{
    fixture->protocol = PROTOCOL_LMTP;
    fixture->client = connect_client(fixture, PROTOCOL_LMTP_REMOTE);
    hear(fixture, "220 mail.example.test LMTP");
    say(fixture, "LHLO mx.example.org\r\n");
    hear_hello(fixture);
    say(fixture, "STARTTLS\r\n");
    hear(fixture, "220 2.0.0 ");
    client_start_tls(fixture);
}

/* The session answers AUTH, and knows the name that LHLO gave. */
static void test_lmtp_login(void **state)
{
    struct fixture *fixture = *state;
    connect_lmtp(fixture);
    say(fixture, "LHLO mx.example.org\r\n");
    hear_hello(fixture);
    say(fixture, "AUTH PLAIN AGFsaWNlAGNvcnJlY3QgaG9yc2U=\r\nMAIL FROM:<>\r\n");
    uint64_t id = expect_question(fixture, RESPONSE, true);
    grant(fixture, id);
    int stream = expect_stream(fixture, "TLSv1.3 TLS_AES_256_GCM_SHA384", "AUTH mx.example.org",
                               "MAIL FROM:<>\r\n");
    assert_int_equal(send(stream, "235 2.7.0\r\n", 11, 0), 11);
    hear(fixture, "235 2.7.0");
    close(stream);
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
}

/* lmtp_trusted: handed over at LHLO over TLS, if chapar-auth agrees. */
static void test_lmtp_trusted(void **state)
{
    struct fixture *fixture = *state;
    char network[] = "192.0.2.0/24", *items[] = {network};
    fixture->config.lmtp_trusted = (struct config_list){items, 1};
    fixture->mechanism = "EXTERNAL";
    connect_lmtp(fixture);
    say(fixture, "LHLO a\r\n");
    refuse(fixture, expect_question(fixture, SLICE(""), true), ERROR_DENIED);
    hear_hello(fixture);
    say(fixture, "MAIL FROM:<>\r\n");
    hear(fixture, "530 5.7.0 ");
    disconnect(fixture);
    wait_until_closed(fixture);
    connect_lmtp(fixture);
    say(fixture, "LHLO mx.example.org\r\nMAIL FROM:<>\r\n");
    grant(fixture, expect_question(fixture, SLICE(""), true));
    int stream = expect_stream(fixture, "TLSv1.3 TLS_AES_256_GCM_SHA384", "LHLO mx.example.org",
                               "MAIL FROM:<>\r\n");
    close(stream);
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
}

static void test_no_certificate(void **state)
{
    struct fixture *fixture = *state;
    SSL_CTX_free(fixture->login.tls);
    fixture->login.tls = NULL;
    connect_plain(fixture);
    assert_null(strstr(fixture->line, "STARTTLS"));
    disconnect(fixture);
    fixture->client = connect_client(fixture, PROTOCOL_IMAPS);
    hear(fixture, NULL);
}

static void test_one_byte_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    static const char text[] = "a AUTHENTICATE PLAIN\r\nAGFsaWNlAGNvcnJlY3QgaG9yc2U=\r\n";
    connect_plain(fixture);
    for (const char *byte = text; *byte; byte++) {
        client_write(fixture, slice_make(byte, 1));
        turn(fixture);
    }
    hear(fixture, "+ ");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    close(expect_stream(fixture, "", "a", ""));
}

static void test_refused(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    for (int i = 0; i < 3; i++) {
        say(fixture, "a LOGIN alice \"correct horse\"\r\n");
        refuse(fixture, expect_question(fixture, RESPONSE, false), ERROR_DENIED);
        hear(fixture, "a NO [AUTHENTICATIONFAILED]");
    }
    hear(fixture, "* BYE");
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
}

static void test_failure_delay(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.login_failure_delay = 1;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\nb NOOP\r\n");
    uint64_t id = expect_question(fixture, RESPONSE, false);
    uint64_t start = uv_hrtime();
    refuse(fixture, id, ERROR_DENIED);
    hear(fixture, "a NO [AUTHENTICATIONFAILED]");
    assert_true(uv_hrtime() - start > 900 * UINT64_C(1000000));
    hear(fixture, "b OK");
}

/* chapar-auth dies with a question open, is away, and comes back. */
static void test_auth_away(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    expect_question(fixture, RESPONSE, false);
    close(fixture->auth);
    hear(fixture, "a NO [UNAVAILABLE]");
    say(fixture, "b LOGIN alice \"correct horse\"\r\n");
    hear(fixture, "b NO [UNAVAILABLE]");
    fixture->auth = connect_peer(fixture, IPC_CHANNEL_LOGIN_AUTH, 1);
    say(fixture, "c LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    close(expect_stream(fixture, "", "c", ""));
}

/* Another client asks. False: it was refused instead. */
static bool asks(struct fixture *fixture, const char *text)
{
    uint64_t before = fixture->login.last_request;
    connect_plain(fixture);
    say(fixture, text);
    char byte;
    while (fixture->login.last_request == before && recv(fixture->client, &byte, 1, MSG_PEEK) < 0)
        turn(fixture);
    if (recv(fixture->client, &byte, 1, MSG_PEEK) < 0)
        return true;
    hear(fixture, "a NO [UNAVAILABLE]");
    return false;
}

/* chapar-auth does not read for a while: who comes then is refused, and it is asked again when it
 * reads again. */
static void test_auth_stuck(void **state)
{
    enum { PASSWORD = 1000, CLIENTS = 450 };
    struct fixture *fixture = *state;
    fixture->config.login_connections = fixture->config.login_client_connections = CLIENTS;
    int clients[CLIENTS], count = 0;
    char text[PASSWORD + 64];
    int size = snprintf(text, sizeof text, "a LOGIN alice {%d+}\r\n", PASSWORD);
    memset(text + size, 'x', PASSWORD);
    memcpy(text + size + PASSWORD, "\r\n", 3);
    while (count < CLIENTS - 1 && asks(fixture, text))
        clients[count++] = fixture->client;
    assert_in_range(count, 100, CLIENTS - 2);
    for (int i = 0; i < count; i++) {
        expect(fixture, fixture->auth, IPC_AUTH_BEGIN);
        close(clients[i]);
    }
    say(fixture, "b LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    close(expect_stream(fixture, "", "b", ""));
}

static bool hands_over(struct fixture *fixture, const char *text)
{
    connect_plain(fixture);
    say(fixture, text);
    grant(fixture, expect_question(fixture, RESPONSE, false));
    char byte;
    while (fixture->login.open && recv(fixture->client, &byte, 1, MSG_PEEK) < 0)
        turn(fixture);
    bool handed_over = fixture->login.open == 0;
    if (!handed_over)
        hear(fixture, "a NO [UNAVAILABLE]");
    disconnect(fixture);
    wait_until_closed(fixture);
    return handed_over;
}

/* The same of a chapar-session. */
static void test_session_stuck(void **state)
{
    enum { INPUT = 3000, PATIENCE = 2000 };
    struct fixture *fixture = *state;
    char text[INPUT + 64];
    int size = snprintf(text, sizeof text, "a LOGIN alice \"correct horse\"\r\n");
    memset(text + size, 'x', INPUT);
    text[size + INPUT] = '\0';
    size_t done = 0;
    while (done < PATIENCE && hands_over(fixture, text))
        done++;
    assert_in_range(done, 100, PATIENCE - 1);
    for (size_t i = 0; i < done; i++) {
        expect(fixture, fixture->session, IPC_STREAM);
        ipc_message_clear(&fixture->message);
    }
    connect_plain(fixture);
    say(fixture, "b LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    close(expect_stream(fixture, "", "b", ""));
}

static void test_session_away(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->session);
    while (fixture->login.session_count)
        turn(fixture);
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    hear(fixture, "a NO [UNAVAILABLE]");
    fixture->session = connect_peer(fixture, IPC_CHANNEL_LOGIN_SESSION, 2);
    say(fixture, "b LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    close(expect_stream(fixture, "", "b", ""));
}

/* Takes one STREAM. */
static bool takes_stream(struct fixture *fixture, int session)
{
    struct ipc_message message;
    if (ipc_receive(session, &fixture->body, &message))
        return false;
    ipc_message_clear(&message);
    return true;
}

/* chapar-session gives the stream back, with what it had read of it. */
static void give_back(struct fixture *fixture, enum service_protocol protocol, int stream,
                      const char *tls, const char *input)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u8(&body, (uint8_t)protocol);
    ipc_put_bytes(&body, SLICE("192.0.2.1"));
    ipc_put_bytes(&body, slice_from_string(tls));
    ipc_put_bytes(&body, slice_from_string(input));
    assert_int_equal(ipc_send(fixture->session, IPC_STREAM_BACK, buffer_slice(&body), &stream, 1),
                     0);
    buffer_release(&body);
    close(stream);
}

/* RFC 5804 section 2.14.1, RFC 8437: somebody else logs in on the same connection. */
static void test_given_back(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    int stream = expect_stream(fixture, "", "a", "");
    assert_int_equal(fixture->login.open, 0);
    give_back(fixture, PROTOCOL_IMAP, stream, "", "b NO");
    say(fixture, "OP\r\n");
    hear(fixture, "b OK");
    assert_int_equal(fixture->login.open, 1);
    say(fixture, "c STARTTLS\r\n");
    hear(fixture, "c OK");
    client_start_tls(fixture);
    say(fixture, "d LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, true));
    close(expect_stream(fixture, "TLSv1.3 TLS_AES_256_GCM_SHA384", "d", ""));
}

/* What is behind TLS stays so: the pump goes on, and the engine reads what it has decrypted. It is
 * encrypted for who asks, but bound to no channel. */
static void test_given_back_behind_tls(void **state)
{
    static const char facts[] = "TLSv1.3 TLS_AES_256_GCM_SHA384";
    struct fixture *fixture = *state;
    fixture->config.plaintext_login = false;
    fixture->client = connect_client(fixture, PROTOCOL_IMAPS);
    client_start_tls(fixture);
    hear(fixture, "* OK");
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, true));
    give_back(fixture, PROTOCOL_IMAP, expect_stream(fixture, facts, "a", ""), facts, "");
    say(fixture, "b CAPABILITY\r\n");
    hear(fixture, "* CAPABILITY");
    assert_null(strstr(fixture->line, "STARTTLS"));
    assert_null(strstr(fixture->line, "-PLUS"));
    assert_non_null(strstr(fixture->line, "AUTH=SCRAM-SHA-256 AUTH=PLAIN"));
    hear(fixture, "b OK");
    assert_int_equal(fixture->login.open, 2);
    say(fixture, "c LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question_bound(fixture, RESPONSE, true, false));
    close(expect_stream(fixture, facts, "c", ""));
    disconnect(fixture);
    wait_until_closed(fixture);
}

/* It counts as any other connection does. */
static void test_given_back_beyond_the_limit(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    int stream = expect_stream(fixture, "", "a", "");
    fixture->config.login_connections = 0;
    give_back(fixture, PROTOCOL_IMAP, stream, "", "");
    hear(fixture, "* BYE [UNAVAILABLE]");
    hear(fixture, NULL);
    assert_int_equal(fixture->login.open, 0);
}

/* chapard is told of the peer that broke the rules, and by which slot. */
static void test_tells_of_a_breach(void **state)
{
    struct fixture *fixture = *state;
    struct buffer body;
    buffer_init(&body, 100);
    ipc_put_u64(&body, 1);
    assert_int_equal(ipc_send(fixture->auth, IPC_AUTH_CANCEL, buffer_slice(&body), NULL, 0), 0);
    while (!fixture->lost_error)
        turn(fixture);
    assert_int_equal(fixture->lost, IPC_CHANNEL_LOGIN_AUTH);
    assert_int_equal(fixture->lost_slot, 1);
    assert_int_equal(fixture->lost_error, ERROR_PROTOCOL);
    fixture->lost_error = 0;
    assert_int_equal(ipc_send(fixture->session, IPC_AUTH_CANCEL, buffer_slice(&body), NULL, 0), 0);
    while (!fixture->lost_error)
        turn(fixture);
    assert_int_equal(fixture->lost, IPC_CHANNEL_LOGIN_SESSION);
    assert_int_equal(fixture->lost_slot, 2);
    buffer_release(&body);
}

/* A route always goes to the same living session, and to another when that one is gone. */
static void test_routes(void **state)
{
    struct fixture *fixture = *state;
    int other = connect_peer(fixture, IPC_CHANNEL_LOGIN_SESSION, 3), counts[2] = {0};
    struct handover handover = {.ticket = TICKET, .client = "", .tls = "", .stream = other};
    for (handover.route = 0; handover.route < 200; handover.route++) {
        assert_int_equal(peers_hand_over(&fixture->login, &handover), 0);
        bool first = takes_stream(fixture, fixture->session);
        assert_int_equal(takes_stream(fixture, other), !first);
        assert_int_equal(peers_hand_over(&fixture->login, &handover), 0);
        assert_int_equal(takes_stream(fixture, fixture->session), first);
        assert_int_equal(takes_stream(fixture, other), !first);
        counts[first]++;
    }
    assert_in_range(counts[0], 50, 150);
    close(fixture->session);
    while (fixture->login.session_count > 1)
        turn(fixture);
    for (handover.route = 0; handover.route < 20; handover.route++) {
        assert_int_equal(peers_hand_over(&fixture->login, &handover), 0);
        assert_true(takes_stream(fixture, other));
    }
    fixture->session = other;
}

/* One that takes no more is left, before it has gone. */
static void test_draining_session(void **state)
{
    struct fixture *fixture = *state;
    int other = connect_peer(fixture, IPC_CHANNEL_LOGIN_SESSION, 3);
    struct handover handover = {.ticket = TICKET, .client = "", .tls = "", .stream = other};
    shutdown(fixture->session, SHUT_RD);
    for (handover.route = 0; handover.route < 20; handover.route++) {
        assert_int_equal(peers_hand_over(&fixture->login, &handover), 0);
        assert_true(takes_stream(fixture, other));
    }
    shutdown(other, SHUT_RD);
    assert_int_equal(peers_hand_over(&fixture->login, &handover), ERROR_CLOSED);
    assert_int_equal(fixture->login.session_count, 0);
    close(other);
}

static void test_cancelled(void **state)
{
    struct fixture *fixture = *state;
    connect_plain(fixture);
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    uint64_t id = expect_question(fixture, RESPONSE, false);
    login_drain(&fixture->login, UINT32_MAX, NULL, NULL);
    struct ipc_reader reader = expect(fixture, fixture->auth, IPC_AUTH_CANCEL);
    assert_int_equal(ipc_get_u64(&reader), id);
    grant(fixture, id);
    hear(fixture, "* BYE [UNAVAILABLE]");
    hear(fixture, NULL);
}

static void test_timeout(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.login_timeout = 1;
    connect_plain(fixture);
    int silent = connect_client(fixture, PROTOCOL_IMAPS);
    hear(fixture, "* BYE");
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
    close(silent);
}

static void test_connection_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.login_connections = 1;
    connect_plain(fixture);
    int first = fixture->client;
    fixture->client = connect_client(fixture, PROTOCOL_IMAP);
    hear(fixture, "* BYE [UNAVAILABLE]");
    hear(fixture, NULL);
    close(first);
    disconnect(fixture);
    wait_until_closed(fixture);
    connect_plain(fixture);
}

static bool is_served_from(struct fixture *fixture, const char *address)
{
    char line[64] = "";
    int client = connect_from(fixture, PROTOCOL_IMAP, address);
    while (recv(client, line, sizeof line - 1, MSG_PEEK) < 0)
        turn(fixture);
    close(client);
    assert_true(strncmp(line, "* OK", 4) == 0 || strncmp(line, "* BYE [UNAVAILABLE]", 19) == 0);
    return line[2] == 'O';
}

/* One client cannot keep all others out: not from one address, and not from one network's many. */
static void test_connection_limit_of_one_client(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.login_client_connections = 1;
    connect_plain(fixture);
    assert_false(is_served_from(fixture, "192.0.2.1"));
    assert_true(is_served_from(fixture, "192.0.2.2"));
    int other = connect_from(fixture, PROTOCOL_IMAP, "2001:db8:0:1::1");
    assert_false(is_served_from(fixture, "2001:db8:0:1:ffff::2"));
    assert_true(is_served_from(fixture, "2001:db8:0:2::1"));
    close(other);
    /* Who has logged in counts no more. */
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    grant(fixture, expect_question(fixture, RESPONSE, false));
    int stream = expect_stream(fixture, "", "a", "");
    assert_true(is_served_from(fixture, "192.0.2.1"));
    close(stream);
    wait_until_closed(fixture);
    assert_null(fixture->login.clients);
}

/* The worst a client can make a connection keep. */
static void test_memory(void **state)
{
    struct fixture *fixture = *state;
    static char text[32 * 1000];
    if (!__sanitizer_get_current_allocated_bytes)
        skip();
    connect_plain(fixture);
    disconnect(fixture);
    wait_until_closed(fixture);
    for (int i = 0; i < 10; i++)
        turn(fixture);
    size_t before = __sanitizer_get_current_allocated_bytes();
    connect_plain(fixture);
    size_t idle = __sanitizer_get_current_allocated_bytes() - before;
    memset(text, 'x', sizeof text);
    size_t most = 0;
    say(fixture, "a LOGIN {4000+}\r\n");
    for (size_t sent = 0; sent < sizeof text; sent += 1000) {
        client_write(fixture, slice_make(text + sent, 1000));
        for (int i = 0; i < 3; i++)
            turn(fixture);
        size_t now = __sanitizer_get_current_allocated_bytes() - before;
        most = now > most ? now : most;
    }
    print_message("# %zu bytes idle, %zu at most\n", idle, most);
    assert_in_range(most, 4000, CONNECTION_MEMORY_MAXIMUM);
}

/* Thousands of commands in one write, and a client that does not read the answers at first. */
static void test_flood(void **state)
{
    struct fixture *fixture = *state;
    enum { COMMANDS = 5000 };
    connect_plain(fixture);
    for (int i = 0; i < COMMANDS; i++) {
        char command[40];
        int size = snprintf(command, sizeof command, "%d CAPABILITY\r\n", i);
        ssize_t put = send(fixture->client, command, (size_t)size, 0);
        while (put < 0) {
            hear(fixture, "");
            put = send(fixture->client, command, (size_t)size, 0);
        }
        assert_int_equal(put, size);
    }
    char last[40];
    snprintf(last, sizeof last, "%d OK", COMMANDS - 1);
    do
        hear(fixture, "");
    while (!slice_starts_with(slice_from_string(fixture->line), slice_from_string(last)));
}

/* A ClientHello of 128 KiB is refused long before it is there. */
static void test_large_hello(void **state)
{
    struct fixture *fixture = *state;
    enum { RECORDS = 4, SIZE = 5 + TLS_RECORD_MAXIMUM };
    static char records[RECORDS * SIZE];
    for (int i = 0; i < RECORDS; i++)
        memcpy(records + (ptrdiff_t)i * SIZE, "\x16\x03\x01\x40\x00", 5);
    memcpy(records + 5, "\x01\x01\xff\xff", 4);
    fixture->client = connect_client(fixture, PROTOCOL_IMAPS);
    assert_int_equal(send(fixture->client, records, sizeof records, 0), sizeof records);
    wait_until_closed(fixture);
}

/* However much has come from one client, the others get their turn in between. */
static void test_fairness(void **state)
{
    struct fixture *fixture = *state;
    enum { SENT = 32 * CONNECTION_READ_MAXIMUM };
    static char text[SENT];
    int left = 0;
    connect_plain(fixture);
    memset(text, 'x', sizeof text);
    assert_int_equal(send(fixture->client, text, sizeof text, 0), SENT);
    assert_int_equal(ioctl(fixture->client, SIOCOUTQ, &left), 0);
    int before = left;
    while (left == before) {
        turn(fixture);
        assert_int_equal(ioctl(fixture->client, SIOCOUTQ, &left), 0);
    }
    assert_true(left > 0);
    while (left > 0) {
        turn(fixture);
        assert_int_equal(ioctl(fixture->client, SIOCOUTQ, &left), 0);
    }
    say(fixture, "\r\na NOOP\r\n");
    hear(fixture, "BAD");
    hear(fixture, "a OK");
}

static void test_listener(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 10), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listener_create(&fixture->login, listening, PROTOCOL_IMAP), 0);
    fixture->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fixture->client, (struct sockaddr *)&address, size), 0);
    fcntl(fixture->client, F_SETFL, O_NONBLOCK);
    hear(fixture, "* OK");
    say(fixture, "a LOGIN alice \"correct horse\"\r\n");
    struct ipc_reader reader = expect(fixture, fixture->auth, IPC_AUTH_BEGIN);
    ipc_get_u64(&reader);
    ipc_get_u8(&reader);
    ipc_get_u8(&reader);
    assert_slice_equal(ipc_get_bytes(&reader, 100), "127.0.0.1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    tls_limit_memory();
    const struct CMUnitTest tests[] = {
        TEST(test_plaintext_login),
        TEST(test_imaps_login),
        TEST(test_large_record),
        TEST(test_language),
        TEST(test_starttls),
        TEST(test_no_certificate),
        TEST(test_lmtp_login),
        TEST(test_lmtp_trusted),
        TEST(test_one_byte_at_a_time),
        TEST(test_refused),
        TEST(test_failure_delay),
        TEST(test_auth_away),
        TEST(test_session_away),
        TEST(test_auth_stuck),
        TEST(test_session_stuck),
        TEST(test_tells_of_a_breach),
        TEST(test_routes),
        TEST(test_draining_session),
        TEST(test_given_back),
        TEST(test_given_back_behind_tls),
        TEST(test_given_back_beyond_the_limit),
        TEST(test_cancelled),
        TEST(test_timeout),
        TEST(test_connection_limit),
        TEST(test_connection_limit_of_one_client),
        TEST(test_memory),
        TEST(test_flood),
        TEST(test_fairness),
        TEST(test_large_hello),
        TEST(test_listener),
    };
    signal(SIGPIPE, SIG_IGN);
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
