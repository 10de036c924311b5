#include "base/error.h"
#include "tls_client.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <sys/socket.h>
#include <uv.h>

/* --- OpenSSL's memory, counted: the size is kept before each block --- */

static size_t allocated;
enum { HEAD = 16 };

static void *count_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    char *block = malloc(size + HEAD);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    allocated += size;
    return block + HEAD;
}

static void count_free(void *bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t size;
    if (!bytes)
        return;
    memcpy(&size, (char *)bytes - HEAD, sizeof size);
    allocated -= size;
    free((char *)bytes - HEAD);
}

static void *count_realloc(void *bytes, size_t size, const char *file, int line)
{
    size_t before = 0;
    if (bytes)
        memcpy(&before, (char *)bytes - HEAD, sizeof before);
    void *moved = count_malloc(size, file, line);
    if (!moved)
        return NULL;
    if (bytes)
        memcpy(moved, bytes, before < size ? before : size);
    count_free(bytes, file, line);
    return moved;
}

/* --- a server and a client --- */

struct fixture {
    SSL_CTX *server_context, *client_context;
    struct transport server;
    SSL *client;
    int client_socket;
};

static void connect_pair(struct fixture *fixture)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    fixture->server = (struct transport){.socket = pair[0]};
    fixture->client_socket = pair[1];
    fixture->client = make_client(fixture->client_context, pair[1]);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.server_context = make_server(EVP_RSA_gen(2048));
    fixture.client_context = SSL_CTX_new(TLS_client_method());
    connect_pair(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    SSL_free(fixture->client);
    close(fixture->client_socket);
    transport_close(&fixture->server);
    SSL_CTX_free(fixture->client_context);
    SSL_CTX_free(fixture->server_context);
    return 0;
}

/* 0, or the server's error. */
static int shake_hands(struct fixture *fixture)
{
    int events = 0, error = ERROR_BUSY, connected = 0;
    assert_int_equal(transport_start_tls(&fixture->server, fixture->server_context), 0);
    for (int i = 0; i < 20 && (error == ERROR_BUSY || connected != 1); i++) {
        connected = SSL_do_handshake(fixture->client);
        if (error == ERROR_BUSY)
            error = transport_handshake(&fixture->server, &events);
        if (error && error != ERROR_BUSY)
            break;
    }
    return error;
}

/* What both ends compute by themselves: RFC 9266 section 2, RFC 5929 section 4.1. */
static void check_bindings(struct fixture *fixture, bool exporter)
{
    struct transport_bindings bindings;
    uint8_t exported[TLS_EXPORTER_SIZE], hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509 *certificate = SSL_get_peer_certificate(fixture->client);
    transport_bind(&fixture->server, &bindings);
    assert_int_equal(bindings.exporter_size, exporter ? TLS_EXPORTER_SIZE : 0);
    assert_true(exporter == !bindings.unique_size);
    assert_int_equal(SSL_export_keying_material(fixture->client, exported, sizeof exported,
                                                "EXPORTER-Channel-Binding", 24, NULL, 0, 0),
                     1);
    if (exporter)
        assert_memory_equal(bindings.exporter, exported, sizeof exported);
    assert_int_equal(X509_digest(certificate, EVP_sha256(), hash, &size), 1);
    assert_int_equal(bindings.end_point_size, size);
    assert_memory_equal(bindings.end_point, hash, size);
    X509_free(certificate);
}

static void test_bindings(void **state)
{
    struct fixture *fixture = *state;
    struct transport_bindings bindings;
    transport_bind(&fixture->server, &bindings);
    assert_int_equal(bindings.exporter_size + bindings.unique_size + bindings.end_point_size, 0);
    assert_int_equal(shake_hands(fixture), 0);
    check_bindings(fixture, true);
}

/* The first Finished message of the handshake, as the client has it. */
static void check_unique(struct fixture *fixture)
{
    struct transport_bindings bindings;
    uint8_t finished[EVP_MAX_MD_SIZE];
    bool resumed = SSL_session_reused(fixture->client);
    size_t size = resumed ? SSL_get_peer_finished(fixture->client, finished, sizeof finished)
                          : SSL_get_finished(fixture->client, finished, sizeof finished);
    transport_bind(&fixture->server, &bindings);
    assert_in_range(size, 12, sizeof finished);
    assert_int_equal(bindings.unique_size, size);
    assert_memory_equal(bindings.unique, finished, size);
}

/* RFC 9266 section 3: before TLS 1.3 the exporter may not be unique; RFC 5929 section 3 is there.
 */
static void test_bindings_of_an_older_version(void **state)
{
    struct fixture *fixture = *state;
    SSL_set_max_proto_version(fixture->client, TLS1_2_VERSION);
    assert_int_equal(shake_hands(fixture), 0);
    check_bindings(fixture, false);
    check_unique(fixture);
    SSL_SESSION *session = SSL_get1_session(fixture->client);
    SSL_shutdown(fixture->client);
    SSL_free(fixture->client);
    close(fixture->client_socket);
    transport_close(&fixture->server);
    connect_pair(fixture);
    SSL_set_max_proto_version(fixture->client, TLS1_2_VERSION);
    SSL_set_session(fixture->client, session);
    SSL_SESSION_free(session);
    assert_int_equal(shake_hands(fixture), 0);
    assert_true(SSL_session_reused(fixture->client));
    check_unique(fixture);
}

/* RFC 5929 section 4.1: a signature with no hash function of its own has no such binding. */
static void test_no_end_point(void **state)
{
    struct fixture *fixture = *state;
    struct transport_bindings bindings;
    SSL_CTX_free(fixture->server_context);
    fixture->server_context = make_server_signed(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    assert_int_equal(shake_hands(fixture), 0);
    transport_bind(&fixture->server, &bindings);
    assert_int_equal(bindings.exporter_size, TLS_EXPORTER_SIZE);
    assert_int_equal(bindings.end_point_size, 0);
}

static void test_stream(void **state)
{
    struct fixture *fixture = *state;
    char bytes[100], facts[TLS_FACTS_MAXIMUM];
    int events = 0;
    transport_describe(&fixture->server, facts);
    assert_string_equal(facts, "");
    assert_int_equal(shake_hands(fixture), 0);
    transport_describe(&fixture->server, facts);
    assert_string_equal(facts, "TLSv1.3 TLS_AES_256_GCM_SHA384");
    assert_int_equal(transport_read(&fixture->server, bytes, sizeof bytes, &events), ERROR_BUSY);
    assert_int_equal(events, UV_READABLE);
    assert_int_equal(SSL_write(fixture->client, "hello", 5), 5);
    assert_int_equal(transport_read(&fixture->server, bytes, sizeof bytes, &events), 5);
    assert_int_equal(transport_write(&fixture->server, "world", 5, &events), 5);
    assert_int_equal(SSL_read(fixture->client, bytes, sizeof bytes), 5);
    transport_end(&fixture->server);
    assert_int_equal(SSL_read(fixture->client, bytes, sizeof bytes), 0);
    assert_int_equal(SSL_get_error(fixture->client, 0), SSL_ERROR_ZERO_RETURN);
    SSL_shutdown(fixture->client);
    assert_int_equal(transport_read(&fixture->server, bytes, sizeof bytes, &events), 0);
}

/* A peer that does not read: the write says busy, and goes on with the same bytes. */
static void test_back_pressure(void **state)
{
    struct fixture *fixture = *state;
    static char block[TLS_RECORD_MAXIMUM];
    int events = 0;
    ssize_t put;
    size_t sent = 0, received = 0;
    assert_int_equal(shake_hands(fixture), 0);
    while ((put = transport_write(&fixture->server, block, sizeof block, &events)) > 0)
        sent += (size_t)put;
    assert_int_equal(put, ERROR_BUSY);
    assert_int_equal(events, UV_WRITABLE);
    assert_in_range(sent, 1, 16 * 1024 * 1024);
    while (received < sent + sizeof block) {
        int got = SSL_read(fixture->client, block, sizeof block);
        if (got > 0)
            received += (size_t)got;
        else if (sent + sizeof block > received && put == ERROR_BUSY)
            put = transport_write(&fixture->server, block, sizeof block, &events);
    }
    assert_int_equal(put, sizeof block);
}

static void test_refused(void **state)
{
    struct fixture *fixture = *state;
    SSL_set_max_proto_version(fixture->client, TLS1_1_VERSION);
    SSL_set_min_proto_version(fixture->client, TLS1_VERSION);
    SSL_set_cipher_list(fixture->client, "ALL:@SECLEVEL=0");
    assert_int_equal(shake_hands(fixture), ERROR_PROTOCOL);
}

static void test_garbage(void **state)
{
    struct fixture *fixture = *state;
    int events = 0;
    assert_int_equal(transport_start_tls(&fixture->server, fixture->server_context), 0);
    assert_int_equal(send(fixture->client_socket, "a LOGIN alice secret\r\n", 22, 0), 22);
    assert_int_equal(transport_handshake(&fixture->server, &events), ERROR_PROTOCOL);
}

static void test_lost(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    int events = 0;
    assert_int_equal(shake_hands(fixture), 0);
    shutdown(fixture->client_socket, SHUT_RDWR);
    assert_int_equal(transport_read(&fixture->server, &byte, 1, &events), 0);
    assert_int_equal(transport_write(&fixture->server, "x", 1, &events), ERROR_CLOSED);
}

static void test_files(void **state)
{
    (void)state;
    struct test_certificate one, other;
    struct buffer problem;
    SSL_CTX *context = NULL;
    make_certificate(&one, EVP_EC_gen("P-256"), EVP_sha256());
    make_certificate(&other, EVP_EC_gen("P-256"), EVP_sha256());
    buffer_init(&problem, 1000);
    assert_int_equal(tls_context_create("/nonexistent", one.key, &context, &problem),
                     ERROR_INVALID);
    assert_true(slice_starts_with(buffer_slice(&problem), SLICE("/nonexistent: ")));
    buffer_clear(&problem);
    assert_int_equal(tls_context_create(one.certificate, other.key, &context, &problem),
                     ERROR_INVALID);
    assert_true(slice_starts_with(buffer_slice(&problem), slice_from_string(other.key)));
    assert_null(context);
    buffer_release(&problem);
    remove_certificate(&one);
    remove_certificate(&other);
}

/* What a connection costs, as tls.c says: the number may shrink, not grow. */
static void test_memory(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    int events = 0;
    assert_int_equal(shake_hands(fixture), 0);
    size_t one = allocated;
    struct fixture second = *fixture;
    connect_pair(&second);
    size_t before = allocated;
    assert_int_equal(transport_start_tls(&second.server, second.server_context), 0);
    size_t fresh = allocated - before;
    transport_close(&second.server);
    SSL_free(second.client);
    close(second.client_socket);
    assert_int_equal(allocated, one);
    assert_int_equal(transport_read(&fixture->server, &byte, 1, &events), ERROR_BUSY);
    before = allocated;
    SSL_free(fixture->server.ssl);
    fixture->server.ssl = NULL;
    print_message("# OpenSSL: %zu bytes before the handshake, %zu idle after it\n", fresh,
                  before - allocated);
    assert_in_range(before - allocated, 1000, 48 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bindings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bindings_of_an_older_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_end_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back_pressure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test(test_files),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);
    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
