/* chapar-auth in this process: the test is the login, the session and the administrator. */
#include "../check.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "front/auth/auth_priv.h"
#include "kv/kv.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define NAME     "alice@example.test"
#define PASSWORD "correct horse"

static const uint8_t ALICE[16] = {0xa1, 7};

struct fixture {
    uv_loop_t loop;
    struct kv_engine *engine;
    struct auth auth;
    int login, session, admin; /* our ends */
    struct lost {
        enum ipc_channel_kind kind;
        uint32_t slot;
        int error;
    } lost; /* the last peer that was */
    struct buffer body;
    struct ipc_message message;
    const char *exporter, *unique, *end_point; /* NULL: no channel is bound to */
    enum service_protocol protocol;            /* of what is begun */
    bool tls;                                  /* likewise */
};

static int connect_peer(struct fixture *fixture, enum ipc_channel_kind kind)
{
    int pair[2];
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    peers_add(&fixture->auth, kind, kind == IPC_CHANNEL_ADMIN ? 0 : 10 + kind, pair[0]);
    return pair[1];
}

static void on_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    ((struct fixture *)arg)->lost = (struct lost){kind, slot, error};
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct credentials_cost cheap = {8192, 1, 4096};
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    assert_int_equal(auth_init(&fixture.auth, &fixture.loop, "example.test", 300), 0);
    assert_int_equal(kv_memory_create(&fixture.engine), 0);
    assert_int_equal(credentials_open(fixture.engine, &cheap, &fixture.auth.credentials), 0);
    assert_int_equal(credentials_set(fixture.auth.credentials, SLICE(NAME), ALICE, SLICE(PASSWORD)),
                     0);
    fixture.lost = (struct lost){0};
    fixture.exporter = fixture.unique = fixture.end_point = NULL;
    fixture.protocol = PROTOCOL_IMAP;
    fixture.tls = true;
    fixture.auth.peer_lost = on_lost;
    fixture.auth.peer_lost_arg = &fixture;
    fixture.login = connect_peer(&fixture, IPC_CHANNEL_LOGIN_AUTH);
    fixture.session = connect_peer(&fixture, IPC_CHANNEL_SESSION_AUTH);
    fixture.admin = connect_peer(&fixture, IPC_CHANNEL_ADMIN);
    buffer_init(&fixture.body, IPC_BODY_MAXIMUM);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->login);
    close(fixture->session);
    close(fixture->admin);
    while (!jobs_idle(&fixture->auth.jobs))
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_int_equal(fixture->auth.requests, 0);
    auth_release(&fixture->auth);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    credentials_close(&fixture->auth.credentials);
    kv_engine_free(&fixture->engine);
    buffer_release(&fixture->body);
    return 0;
}

/* --- what the peers send --- */

static void send_body(int socket, enum ipc_type type, struct buffer *body)
{
    assert_int_equal(buffer_error(body), 0);
    assert_int_equal(ipc_send(socket, type, buffer_slice(body), NULL, 0), 0);
    buffer_release(body);
}

static void begin(struct fixture *fixture, uint64_t id, const char *mechanism, bool has_response,
                  struct slice response)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, id);
    ipc_put_u8(&body, (uint8_t)fixture->protocol);
    ipc_put_u8(&body, fixture->tls);
    ipc_put_bytes(&body, SLICE("192.0.2.1"));
    ipc_put_bytes(&body, slice_from_string(mechanism));
    ipc_put_u8(&body, has_response);
    ipc_put_bytes(&body, response);
    ipc_put_bytes(&body, slice_from_string(fixture->exporter));
    ipc_put_bytes(&body, slice_from_string(fixture->unique));
    ipc_put_bytes(&body, slice_from_string(fixture->end_point));
    send_body(fixture->login, IPC_AUTH_BEGIN, &body);
}

static void begin_plain(struct fixture *fixture, uint64_t id, const char *name,
                        const char *password)
{
    char response[512];
    int size = snprintf(response, sizeof response, "%c%s%c%s", 0, name, 0, password);
    begin(fixture, id, "PLAIN", true, slice_make(response, (size_t)size));
}

static void respond(struct fixture *fixture, uint64_t id, struct slice response)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, id);
    ipc_put_bytes(&body, response);
    send_body(fixture->login, IPC_AUTH_RESPONSE, &body);
}

static void cancel(struct fixture *fixture, uint64_t id)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, id);
    send_body(fixture->login, IPC_AUTH_CANCEL, &body);
}

static void redeem_ticket(struct fixture *fixture, const uint8_t ticket[TICKET_SIZE],
                          uint8_t protocol)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, 99);
    buffer_append(&body, slice_make(ticket, TICKET_SIZE));
    ipc_put_u8(&body, protocol);
    send_body(fixture->session, IPC_TICKET_REDEEM, &body);
}

static void set_password(struct fixture *fixture, const char *name, const char *password)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_append(&body, slice_make(ALICE, sizeof ALICE));
    ipc_put_bytes(&body, slice_from_string(name));
    ipc_put_bytes(&body, slice_from_string(password));
    send_body(fixture->admin, IPC_ADMIN_PASSWORD_SET, &body);
}

static void delete_password(struct fixture *fixture, const char *name)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_bytes(&body, slice_from_string(name));
    send_body(fixture->admin, IPC_ADMIN_PASSWORD_DELETE, &body);
}

static void rename_password(struct fixture *fixture, const char *name, const char *to)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_append(&body, slice_make(ALICE, sizeof ALICE));
    ipc_put_bytes(&body, slice_from_string(name));
    ipc_put_bytes(&body, slice_from_string(to));
    send_body(fixture->admin, IPC_ADMIN_PASSWORD_RENAME, &body);
}

static void close_password(struct fixture *fixture, const char *name, bool closed)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_append(&body, slice_make(ALICE, sizeof ALICE));
    ipc_put_bytes(&body, slice_from_string(name));
    ipc_put_u8(&body, closed);
    send_body(fixture->admin, IPC_ADMIN_PASSWORD_CLOSE, &body);
}

/* --- what they get --- */

static int receive(struct fixture *fixture, int socket)
{
    int error;
    while ((error = ipc_receive(socket, &fixture->body, &fixture->message)) == ERROR_BUSY)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    return error;
}

static struct ipc_reader expect(struct fixture *fixture, int socket, enum ipc_type type)
{
    struct ipc_reader reader;
    assert_int_equal(receive(fixture, socket), 0);
    assert_int_equal(fixture->message.type, type);
    ipc_reader_init(&reader, fixture->message.body);
    return reader;
}

static void expect_refused(struct fixture *fixture, uint64_t id, int error)
{
    struct ipc_reader reader = expect(fixture, fixture->login, IPC_AUTH_REFUSED);
    assert_int_equal(ipc_get_u64(&reader), id);
    assert_int_equal(ipc_get_u32(&reader), -error);
    assert_int_equal(ipc_reader_finish(&reader), 0);
}

static uint64_t expect_granted_to(struct fixture *fixture, uint64_t id, const char *name,
                                  uint8_t ticket[TICKET_SIZE])
{
    struct ipc_reader reader = expect(fixture, fixture->login, IPC_AUTH_GRANTED);
    assert_int_equal(ipc_get_u64(&reader), id);
    ipc_get_fixed(&reader, ticket, TICKET_SIZE);
    uint64_t route = ipc_get_u64(&reader);
    assert_slice_equal(ipc_get_bytes(&reader, 400), name);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    return route;
}

static uint64_t expect_granted(struct fixture *fixture, uint64_t id, uint8_t ticket[TICKET_SIZE])
{
    return expect_granted_to(fixture, id, NAME, ticket);
}

static void expect_result(struct fixture *fixture, int error)
{
    struct ipc_reader reader = expect(fixture, fixture->admin, IPC_ADMIN_RESULT);
    assert_int_equal(ipc_get_u32(&reader), -error);
    assert_int_equal(ipc_get_bytes(&reader, 400).size > 0, error != 0);
    assert_int_equal(ipc_reader_finish(&reader), 0);
}

/* --- tests --- */

static void test_login_and_ticket(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE], again[TICKET_SIZE], account[16];
    begin_plain(fixture, 1, NAME, PASSWORD);
    uint64_t route = expect_granted(fixture, 1, ticket);
    redeem_ticket(fixture, ticket, PROTOCOL_IMAP);
    struct ipc_reader reader = expect(fixture, fixture->session, IPC_TICKET_GRANTED);
    assert_int_equal(ipc_get_u64(&reader), 99);
    ipc_get_fixed(&reader, account, sizeof account);
    assert_memory_equal(account, ALICE, sizeof account);
    assert_slice_equal(ipc_get_bytes(&reader, 400), NAME);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    redeem_ticket(fixture, ticket, PROTOCOL_IMAP);
    expect(fixture, fixture->session, IPC_TICKET_REFUSED);
    /* A bare name in any case is the same account. */
    begin_plain(fixture, 1, "ALICE", PASSWORD);
    assert_true(expect_granted(fixture, 1, again) == route);
    assert_memory_not_equal(ticket, again, TICKET_SIZE);
    redeem_ticket(fixture, again, PROTOCOL_LMTP);
    expect(fixture, fixture->session, IPC_TICKET_REFUSED);
}

static void test_refusals(void **state)
{
    struct fixture *fixture = *state;
    begin_plain(fixture, 1, NAME, "wrong horse");
    expect_refused(fixture, 1, ERROR_DENIED);
    begin_plain(fixture, 2, "nobody", PASSWORD);
    expect_refused(fixture, 2, ERROR_DENIED);
    begin_plain(fixture, 3, "no address@@", PASSWORD);
    expect_refused(fixture, 3, ERROR_DENIED);
    begin(fixture, 4, "CRAM-MD5", true, SLICE("x"));
    expect_refused(fixture, 4, ERROR_UNSUPPORTED);
    begin(fixture, 5, "PLAIN", true, SLICE("no NUL in here"));
    expect_refused(fixture, 5, ERROR_SYNTAX);
    begin(fixture, 6, "PLAIN", true, SLICE("bob@example.test\0" NAME "\0" PASSWORD));
    expect_refused(fixture, 6, ERROR_DENIED);
    uint8_t ticket[TICKET_SIZE];
    begin(fixture, 7, "plain", true, SLICE("Alice@example.test\0" NAME "\0" PASSWORD));
    expect_granted(fixture, 7, ticket);
}

static void test_exchange(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    begin(fixture, 8, "PLAIN", false, SLICE(""));
    struct ipc_reader reader = expect(fixture, fixture->login, IPC_AUTH_CHALLENGE);
    assert_int_equal(ipc_get_u64(&reader), 8);
    assert_int_equal(ipc_get_bytes(&reader, 10).size, 0);
    respond(fixture, 8, SLICE("\0" NAME "\0" PASSWORD));
    expect_granted(fixture, 8, ticket);
    begin(fixture, 9, "PLAIN", false, SLICE(""));
    expect(fixture, fixture->login, IPC_AUTH_CHALLENGE);
    cancel(fixture, 9);
    cancel(fixture, 9);
    begin_plain(fixture, 10, NAME, PASSWORD);
    expect_granted(fixture, 10, ticket);
    assert_int_equal(fixture->auth.requests, 0);
}

/* --- SCRAM (RFC 5802): the test is the client --- */

struct scram_client {
    char bare[256], header[64], first[512], final[512];
    uint8_t expected[SCRAM_KEY_SIZE]; /* the server's signature */
};

static struct slice decode(struct slice base64, uint8_t *bytes, size_t maximum)
{
    size_t size = 0;
    assert_int_equal(sodium_base642bin(bytes, maximum, base64.data, base64.size, NULL, &size, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    return slice_make(bytes, size);
}

static void encode(const void *bytes, size_t size, char *base64, size_t maximum)
{
    sodium_bin2base64(base64, maximum, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

static struct slice begin_scram(struct fixture *fixture, uint64_t id, const char *mechanism,
                                const char *header, const char *name, struct scram_client *client)
{
    snprintf(client->header, sizeof client->header, "%s", header);
    snprintf(client->bare, sizeof client->bare, "n=%s,r=client-nonce", name);
    snprintf(client->final, sizeof client->final, "%s%s", header, client->bare);
    begin(fixture, id, mechanism, true, slice_from_string(client->final));
    return slice_from_string(client->final);
}

/* The challenge of the exchange, in client->first. */
static void expect_challenge(struct fixture *fixture, uint64_t id, struct scram_client *client)
{
    struct ipc_reader reader = expect(fixture, fixture->login, IPC_AUTH_CHALLENGE);
    assert_int_equal(ipc_get_u64(&reader), id);
    struct slice challenge = ipc_get_bytes(&reader, sizeof client->first - 1);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    snprintf(client->first, sizeof client->first, "%.*s", SLICE_FORMAT(challenge));
}

/* The value of the attribute "letter=" of a message, up to a comma. */
static void attribute(const char *message, char letter, char value[128])
{
    const char start[] = {letter, '=', '\0'};
    const char *found = strstr(message, start);
    assert_non_null(found);
    snprintf(value, 128, "%.*s", (int)strcspn(found + 2, ","), found + 2);
}

/* "r=client-nonce...,s=...,i=4096": into keys, derived from the password. */
static void read_first(struct scram_client *client, const char *password, struct scram_keys *keys,
                       char nonce[128])
{
    char salt[128], iterations[128];
    attribute(client->first, 'r', nonce);
    attribute(client->first, 's', salt);
    attribute(client->first, 'i', iterations);
    assert_int_equal(strncmp(nonce, "client-nonce", 12), 0);
    assert_in_range(strlen(nonce), 12 + 24, 127);
    assert_string_equal(iterations, "4096");
    *keys = (struct scram_keys){.iterations = 4096};
    keys->salt_size = (uint8_t)decode(slice_from_string(salt), keys->salt, sizeof keys->salt).size;
    assert_int_equal(keys->salt_size, SCRAM_SALT_SIZE);
    scram_derive(slice_from_string(password), keys);
}

/* RFC 5802 section 3. The client's key is what StoredKey is the hash of. */
static void client_key(const char *password, const struct scram_keys *keys,
                       uint8_t key[SCRAM_KEY_SIZE])
{
    uint8_t salted[SCRAM_KEY_SIZE], round[SCRAM_KEY_SIZE], first[SCRAM_SALT_SIZE + 4];
    crypto_auth_hmacsha256_state state;
    memcpy(first, keys->salt, SCRAM_SALT_SIZE);
    memcpy(first + SCRAM_SALT_SIZE, "\0\0\0\1", 4);
    memset(salted, 0, sizeof salted);
    for (uint32_t i = 0; i < keys->iterations; i++) {
        crypto_auth_hmacsha256_init(&state, (const uint8_t *)password, strlen(password));
        crypto_auth_hmacsha256_update(&state, i ? round : first, i ? sizeof round : sizeof first);
        crypto_auth_hmacsha256_final(&state, round);
        for (size_t j = 0; j < sizeof salted; j++)
            salted[j] ^= round[j];
    }
    crypto_auth_hmacsha256(key, (const uint8_t *)"Client Key", 10, salted);
}

/* The client's final message, for this channel (NULL: none). */
static struct slice make_final(struct scram_client *client, const char *password,
                               const char *channel)
{
    struct scram_keys keys;
    char nonce[128], bound[256], binding[256], proof64[64], message[1536];
    uint8_t key[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE];
    read_first(client, password, &keys, nonce);
    snprintf(bound, sizeof bound, "%s%s", client->header, channel ? channel : "");
    encode(bound, strlen(bound), binding, sizeof binding);
    int size = snprintf(client->final, sizeof client->final, "c=%s,r=%s", binding, nonce);
    snprintf(message, sizeof message, "%s,%s,%s", client->bare, client->first, client->final);
    client_key(password, &keys, key);
    crypto_auth_hmacsha256(signature, (const uint8_t *)message, strlen(message), keys.stored_key);
    crypto_auth_hmacsha256(client->expected, (const uint8_t *)message, strlen(message),
                           keys.server_key);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= signature[i];
    encode(key, sizeof key, proof64, sizeof proof64);
    snprintf(client->final + size, sizeof client->final - (size_t)size, ",p=%s", proof64);
    return slice_from_string(client->final);
}

/* The server proves that it has the keys; the client has nothing to add. */
static void expect_signature(struct fixture *fixture, uint64_t id, struct scram_client *client)
{
    uint8_t signature[SCRAM_KEY_SIZE];
    expect_challenge(fixture, id, client);
    assert_int_equal(strncmp(client->first, "v=", 2), 0);
    decode(slice_from_string(client->first + 2), signature, sizeof signature);
    assert_memory_equal(signature, client->expected, sizeof signature);
}

static void exchange_scram(struct fixture *fixture, uint64_t id, const char *mechanism,
                           const char *header, const char *name, const char *channel)
{
    struct scram_client client;
    uint8_t ticket[TICKET_SIZE];
    begin_scram(fixture, id, mechanism, header, name, &client);
    expect_challenge(fixture, id, &client);
    respond(fixture, id, make_final(&client, PASSWORD, channel));
    expect_signature(fixture, id, &client);
    respond(fixture, id, SLICE(""));
    expect_granted(fixture, id, ticket);
    redeem_ticket(fixture, ticket, PROTOCOL_IMAP);
    struct ipc_reader reader = expect(fixture, fixture->session, IPC_TICKET_GRANTED);
    uint8_t account[16];
    ipc_get_u64(&reader);
    ipc_get_fixed(&reader, account, sizeof account);
    assert_memory_equal(account, ALICE, sizeof account);
}

static void test_scram(void **state)
{
    struct fixture *fixture = *state;
    exchange_scram(fixture, 1, "SCRAM-SHA-256", "n,,", NAME, NULL);
    exchange_scram(fixture, 2, "scram-sha-256", "y,a=" NAME ",", "ALICE", NULL);
    /* It begins without an initial response too. */
    begin(fixture, 3, "SCRAM-SHA-256", false, SLICE(""));
    struct scram_client client = {.header = "n,,", .bare = "n=alice,r=client-nonce"};
    expect_challenge(fixture, 3, &client);
    assert_string_equal(client.first, "");
    respond(fixture, 3, SLICE("n,,n=alice,r=client-nonce"));
    expect_challenge(fixture, 3, &client);
    respond(fixture, 3, make_final(&client, PASSWORD, NULL));
    expect_signature(fixture, 3, &client);
    respond(fixture, 3, SLICE("more"));
    expect_refused(fixture, 3, ERROR_SYNTAX);
    assert_int_equal(fixture->auth.requests, 0);
}

/* RFC 9266, RFC 5929. */
static void test_scram_plus(void **state)
{
    struct fixture *fixture = *state;
    fixture->exporter = "exported";
    fixture->end_point = "hash of the certificate";
    exchange_scram(fixture, 1, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", NAME, "exported");
    exchange_scram(fixture, 2, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", NAME,
                   "hash of the certificate");
    exchange_scram(fixture, 3, "SCRAM-SHA-256", "n,,", NAME, NULL);
    fixture->exporter = NULL;
    fixture->unique = "finished";
    exchange_scram(fixture, 4, "SCRAM-SHA-256-PLUS", "p=tls-unique,,", NAME, "finished");
}

static void refuse_final(struct fixture *fixture, uint64_t id, const char *name,
                         const char *password, const char *channel)
{
    struct scram_client client;
    const char *header = channel ? "p=tls-exporter,," : "n,,";
    begin_scram(fixture, id, channel ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", header, name,
                &client);
    expect_challenge(fixture, id, &client);
    respond(fixture, id, make_final(&client, password, channel));
    expect_refused(fixture, id, ERROR_DENIED);
}

/* A name that nobody has is refused where a wrong password is. */
static void test_scram_denied(void **state)
{
    struct fixture *fixture = *state;
    struct scram_client client;
    fixture->exporter = "exported";
    refuse_final(fixture, 1, NAME, "wrong horse", NULL);
    refuse_final(fixture, 2, "nobody", PASSWORD, NULL);
    refuse_final(fixture, 3, "no address@@", PASSWORD, NULL);
    refuse_final(fixture, 4, NAME, PASSWORD, "another channel");
    /* The proof is for this exchange alone. */
    begin_scram(fixture, 5, "SCRAM-SHA-256", "n,,", NAME, &client);
    expect_challenge(fixture, 5, &client);
    make_final(&client, PASSWORD, NULL);
    respond(fixture, 5, SLICE("c=biws,r=client-nonce,p=AAAA"));
    expect_refused(fixture, 5, ERROR_SYNTAX);
    begin(fixture, 6, "SCRAM-SHA-256", true, SLICE("n,,n=alice,r=client-nonce"));
    struct scram_client other = client;
    expect_challenge(fixture, 6, &other);
    respond(fixture, 6, slice_from_string(client.final));
    expect_refused(fixture, 6, ERROR_DENIED);
    assert_int_equal(fixture->auth.requests, 0);
}

static void test_scram_first_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *mechanism, *first;
        int error;
    } wrong[] = {
        {"SCRAM-SHA-256", "n,n=alice,r=x", ERROR_SYNTAX},
        {"SCRAM-SHA-256", "n,,n=al=ice,r=x", ERROR_SYNTAX},
        /* Somebody else may not be acted for. */
        {"SCRAM-SHA-256", "n,a=bob,n=alice,r=x", ERROR_DENIED},
        /* RFC 5802 section 6: binding was offered, and hidden from the client. */
        {"SCRAM-SHA-256", "y,,n=alice,r=x", ERROR_DENIED},
        /* The name of the mechanism says whether the channel is bound to. */
        {"SCRAM-SHA-256", "p=tls-exporter,,n=alice,r=x", ERROR_SYNTAX},
        {"SCRAM-SHA-256-PLUS", "n,,n=alice,r=x", ERROR_SYNTAX},
        {"SCRAM-SHA-256-PLUS", "p=tls-unique,,n=alice,r=x", ERROR_UNSUPPORTED},
        {"SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=alice,r=x", ERROR_UNSUPPORTED},
    };
    fixture->exporter = "exported";
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        begin(fixture, i, wrong[i].mechanism, true, slice_from_string(wrong[i].first));
        expect_refused(fixture, i, wrong[i].error);
    }
    assert_int_equal(fixture->auth.requests, 0);
}

/* An exchange that nobody waits for any more is gone, also in the middle of its work. */
static void test_scram_abandoned(void **state)
{
    struct fixture *fixture = *state;
    struct scram_client client;
    begin_scram(fixture, 1, "SCRAM-SHA-256", "n,,", NAME, &client);
    cancel(fixture, 1);
    begin_scram(fixture, 2, "SCRAM-SHA-256", "n,,", NAME, &client);
    expect_challenge(fixture, 2, &client);
    cancel(fixture, 2);
    uint8_t ticket[TICKET_SIZE];
    begin_plain(fixture, 3, NAME, PASSWORD);
    expect_granted(fixture, 3, ticket);
    assert_int_equal(fixture->auth.requests, 0);
}

/* A remembered password is answered before the slow ones that came first. */
/* --- who may deliver --- */

static char listed[] = "Alice", other[] = "bob@example.test", near[] = "192.0.2.0/24";
static char *names[] = {other, listed}, *networks[] = {near};

/* What the ticket says, for LMTP. */
static void expect_redeemed(struct fixture *fixture, const uint8_t ticket[TICKET_SIZE],
                            const char *name)
{
    uint8_t account[16], nobody[16] = {0};
    redeem_ticket(fixture, ticket, PROTOCOL_LMTP);
    struct ipc_reader reader = expect(fixture, fixture->session, IPC_TICKET_GRANTED);
    assert_int_equal(ipc_get_u64(&reader), 99);
    ipc_get_fixed(&reader, account, sizeof account);
    assert_memory_equal(account, *name ? ALICE : nobody, sizeof account);
    assert_slice_equal(ipc_get_bytes(&reader, 400), name);
    assert_int_equal(ipc_reader_finish(&reader), 0);
}

/* Nobody, but those whom the administrator names; whether the password is right is not told. */
static void test_who_may_deliver(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    fixture->protocol = PROTOCOL_LMTP;
    for (uint64_t id = 1; id <= 2; id++) { /* asked, and remembered */
        begin_plain(fixture, id, NAME, PASSWORD);
        expect_refused(fixture, id, ERROR_DENIED);
    }
    fixture->auth.lmtp_accounts = (struct config_list){names, 1};
    begin_plain(fixture, 3, NAME, PASSWORD);
    expect_refused(fixture, 3, ERROR_DENIED);
    fixture->auth.lmtp_accounts = (struct config_list){names, 2};
    begin_plain(fixture, 4, NAME, PASSWORD);
    expect_granted(fixture, 4, ticket);
    expect_redeemed(fixture, ticket, NAME);
    begin_plain(fixture, 5, NAME, "wrong horse");
    expect_refused(fixture, 5, ERROR_DENIED);
    fixture->auth.lmtp_accounts = (struct config_list){0};
    fixture->protocol = PROTOCOL_IMAP;
    begin_plain(fixture, 6, NAME, PASSWORD);
    expect_granted(fixture, 6, ticket);
}

/* The server's signature would say that the password was right. */
static void test_who_may_deliver_by_scram(void **state)
{
    struct fixture *fixture = *state;
    struct scram_client client;
    uint8_t ticket[TICKET_SIZE];
    fixture->protocol = PROTOCOL_LMTP;
    begin_scram(fixture, 1, "SCRAM-SHA-256", "n,,", NAME, &client);
    expect_challenge(fixture, 1, &client);
    respond(fixture, 1, make_final(&client, PASSWORD, NULL));
    expect_refused(fixture, 1, ERROR_DENIED);
    fixture->auth.lmtp_accounts = (struct config_list){names, 2};
    begin_scram(fixture, 2, "SCRAM-SHA-256", "n,,", NAME, &client);
    expect_challenge(fixture, 2, &client);
    respond(fixture, 2, make_final(&client, PASSWORD, NULL));
    expect_signature(fixture, 2, &client);
    respond(fixture, 2, SLICE(""));
    expect_granted(fixture, 2, ticket);
    expect_redeemed(fixture, ticket, NAME);
}

static void begin_external(struct fixture *fixture, uint64_t id, enum service_protocol protocol,
                           bool tls)
{
    fixture->protocol = protocol;
    fixture->tls = tls;
    begin(fixture, id, "EXTERNAL", true, SLICE(""));
}

/* By its address, over TLS, for nothing but LMTP; as nobody. */
static void test_trusted_to_deliver(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    begin_external(fixture, 1, PROTOCOL_LMTP, true);
    expect_refused(fixture, 1, ERROR_DENIED);
    fixture->auth.lmtp_trusted = (struct config_list){networks, 1};
    begin_external(fixture, 2, PROTOCOL_IMAP, true);
    expect_refused(fixture, 2, ERROR_DENIED);
    begin_external(fixture, 3, PROTOCOL_LMTP, false);
    expect_refused(fixture, 3, ERROR_DENIED);
    begin_external(fixture, 4, PROTOCOL_LMTP, true);
    uint64_t route = expect_granted_to(fixture, 4, "", ticket);
    expect_redeemed(fixture, ticket, "");
    /* Every session gets its share. */
    uint64_t id = 5;
    do
        begin_external(fixture, id, PROTOCOL_LMTP, true);
    while (expect_granted_to(fixture, id++, "", ticket) == route);
    memcpy(near, "192.0.3.0/24", sizeof near);
    begin_external(fixture, id, PROTOCOL_LMTP, true);
    expect_refused(fixture, id, ERROR_DENIED);
}

static void test_remembered(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    begin_plain(fixture, 1, NAME, PASSWORD);
    expect_granted(fixture, 1, ticket);
    int64_t remembered = counters_sum(COUNTER_AUTH_REMEMBERED);
    for (uint64_t id = 2; id < 6; id++)
        begin_plain(fixture, id, NAME, "wrong horse");
    begin_plain(fixture, 6, NAME, PASSWORD);
    expect_granted(fixture, 6, ticket);
    assert_int_equal(counters_sum(COUNTER_AUTH_REMEMBERED), remembered + 1);
    for (int i = 2; i < 6; i++)
        expect(fixture, fixture->login, IPC_AUTH_REFUSED);
}

/* The queue is bounded: sooner or later one is refused as busy. What waits is dropped with the
 * peer that asked. */
static void test_busy(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = 0;
    int error = 0;
    while (error != ERROR_BUSY) {
        struct ipc_reader reader;
        begin_plain(fixture, ++id, NAME, "wrong horse");
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
        assert_in_range(fixture->auth.jobs.running, 0, JOBS_RUNNING_MAXIMUM);
        assert_in_range(fixture->auth.jobs.waiting, 0, JOBS_WAITING_MAXIMUM);
        if (ipc_receive(fixture->login, &fixture->body, &fixture->message))
            continue;
        ipc_reader_init(&reader, fixture->message.body);
        ipc_get_u64(&reader);
        error = -(int)ipc_get_u32(&reader);
    }
    assert_true(id > JOBS_WAITING_MAXIMUM);
}

static void test_limits(void **state)
{
    struct fixture *fixture = *state;
    fixture->auth.requests = AUTH_REQUESTS_MAXIMUM;
    begin(fixture, 1, "PLAIN", false, SLICE(""));
    expect_refused(fixture, 1, ERROR_BUSY);
    fixture->auth.requests = 0;
    int admins[AUTH_ADMIN_MAXIMUM];
    for (int i = 0; i < AUTH_ADMIN_MAXIMUM; i++) /* one is there already */
        admins[i] = connect_peer(fixture, IPC_CHANNEL_ADMIN);
    assert_int_equal(receive(fixture, admins[AUTH_ADMIN_MAXIMUM - 1]), ERROR_CLOSED);
    for (int i = 0; i < AUTH_ADMIN_MAXIMUM; i++)
        close(admins[i]);
    while (fixture->auth.admin_connections > 1)
        uv_run(&fixture->loop, UV_RUN_ONCE);
}

static void test_breach(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 1, "PLAIN", false, SLICE(""));
    expect(fixture, fixture->login, IPC_AUTH_CHALLENGE);
    begin(fixture, 1, "PLAIN", false, SLICE(""));
    assert_int_equal(receive(fixture, fixture->login), ERROR_CLOSED);
    assert_int_equal(fixture->lost.kind, IPC_CHANNEL_LOGIN_AUTH);
    assert_int_equal(fixture->lost.slot, 10 + IPC_CHANNEL_LOGIN_AUTH);
    assert_int_equal(fixture->lost.error, ERROR_PROTOCOL);
    struct buffer body;
    buffer_init(&body, 100);
    ipc_put_u64(&body, 1);
    send_body(fixture->session, IPC_AUTH_CANCEL, &body);
    assert_int_equal(receive(fixture, fixture->session), ERROR_CLOSED);
    assert_int_equal(fixture->lost.kind, IPC_CHANNEL_SESSION_AUTH);
    assert_int_equal(fixture->lost.error, ERROR_PROTOCOL);
}

static void test_admin(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    begin_plain(fixture, 1, NAME, PASSWORD);
    expect_granted(fixture, 1, ticket);
    set_password(fixture, "Alice", "battery staple");
    expect_result(fixture, 0);
    begin_plain(fixture, 2, NAME, PASSWORD);
    expect_refused(fixture, 2, ERROR_DENIED);
    begin_plain(fixture, 3, NAME, "battery staple");
    expect_granted(fixture, 3, ticket);
    set_password(fixture, NAME, "short");
    expect_result(fixture, ERROR_LIMIT);
    set_password(fixture, "@", "battery staple");
    expect_result(fixture, ERROR_SYNTAX);
    delete_password(fixture, NAME);
    expect_result(fixture, 0);
    delete_password(fixture, NAME);
    expect_result(fixture, ERROR_NOT_FOUND);
    begin_plain(fixture, 4, NAME, "battery staple");
    expect_refused(fixture, 4, ERROR_DENIED);
}

/* Neither the old name nor what was remembered of the new one logs in any more. */
static void test_rename(void **state)
{
    struct fixture *fixture = *state;
    uint8_t ticket[TICKET_SIZE];
    set_password(fixture, "alicia", "battery staple");
    expect_result(fixture, 0);
    begin_plain(fixture, 1, "alicia@example.test", "battery staple");
    expect(fixture, fixture->login, IPC_AUTH_GRANTED);
    begin_plain(fixture, 2, NAME, PASSWORD);
    expect_granted(fixture, 2, ticket);
    rename_password(fixture, "Alice", "alicia");
    expect_result(fixture, 0);
    begin_plain(fixture, 3, NAME, PASSWORD);
    expect_refused(fixture, 3, ERROR_DENIED);
    begin_plain(fixture, 4, "alicia@example.test", "battery staple");
    expect_refused(fixture, 4, ERROR_DENIED);
    begin_plain(fixture, 5, "alicia@example.test", PASSWORD);
    expect(fixture, fixture->login, IPC_AUTH_GRANTED);
    rename_password(fixture, NAME, "alicia");
    expect_result(fixture, ERROR_NOT_FOUND);
    rename_password(fixture, "alicia", "@");
    expect_result(fixture, ERROR_SYNTAX);
}

/* Nobody may log in: by no mechanism, not with what is remembered, and no password can be set. */
static void test_closed_name(void **state)
{
    struct fixture *fixture = *state;
    struct scram_client client;
    uint8_t ticket[TICKET_SIZE];
    begin_plain(fixture, 1, NAME, PASSWORD);
    expect_granted(fixture, 1, ticket);
    close_password(fixture, "Alice", true);
    expect_result(fixture, 0);
    begin_plain(fixture, 2, NAME, PASSWORD);
    expect_refused(fixture, 2, ERROR_DENIED);
    set_password(fixture, NAME, PASSWORD);
    struct ipc_reader reader = expect(fixture, fixture->admin, IPC_ADMIN_RESULT);
    assert_int_equal(ipc_get_u32(&reader), -ERROR_DENIED);
    assert_slice_equal(ipc_get_bytes(&reader, 400), "The account is shared: nobody logs in to it");
    begin_plain(fixture, 3, NAME, PASSWORD);
    expect_refused(fixture, 3, ERROR_DENIED);
    begin_scram(fixture, 4, "SCRAM-SHA-256", "n,,", NAME, &client);
    expect_challenge(fixture, 4, &client);
    respond(fixture, 4, make_final(&client, PASSWORD, NULL));
    expect_refused(fixture, 4, ERROR_DENIED);
    close_password(fixture, NAME, false);
    expect_result(fixture, 0);
    set_password(fixture, NAME, PASSWORD);
    expect_result(fixture, 0);
    begin_plain(fixture, 5, NAME, PASSWORD);
    expect_granted(fixture, 5, ticket);
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

/* What cannot be watched is closed. */
static void test_bad_peer(void **state)
{
    struct fixture *fixture = *state;
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    peers_add(&fixture->auth, IPC_CHANNEL_LOGIN_AUTH, 1, file);
    assert_int_equal(fcntl(file, F_GETFD), -1);
}

static void test_drain(void **state)
{
    struct fixture *fixture = *state;
    bool drained = false;
    begin_plain(fixture, 1, NAME, "wrong horse");
    while (jobs_idle(&fixture->auth.jobs))
        uv_run(&fixture->loop, UV_RUN_ONCE);
    auth_drain(&fixture->auth, UINT32_MAX, note, &drained);
    assert_false(drained);
    expect_refused(fixture, 1, ERROR_DENIED);
    assert_true(drained);
    begin_plain(fixture, 2, NAME, PASSWORD);
    expect_refused(fixture, 2, ERROR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_login_and_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_plus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_denied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_first_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_abandoned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may_deliver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may_deliver_by_scram, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trusted_to_deliver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_breach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_admin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rename, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
    };
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
