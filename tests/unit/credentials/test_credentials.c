#include "../check.h"
#include "base/error.h"
#include "credentials/credentials.h"
#include "kv/kv.h"

#include <errno.h>
#include <sodium.h>

static int hashes, verifications, made;
static bool out_of_memory; /* crypto_pwhash_str_verify */

int __real_crypto_pwhash(unsigned char *out, unsigned long long out_size, const char *password,
                         unsigned long long password_size, const unsigned char *salt,
                         unsigned long long passes, size_t memory, int algorithm);
int __real_crypto_pwhash_str_alg(char *string, const char *password,
                                 unsigned long long password_size, unsigned long long passes,
                                 size_t memory, int algorithm);
int __wrap_crypto_pwhash_str_alg(char *string, const char *password,
                                 unsigned long long password_size, unsigned long long passes,
                                 size_t memory, int algorithm);

int __wrap_crypto_pwhash_str_alg(char *string, const char *password,
                                 unsigned long long password_size, unsigned long long passes,
                                 size_t memory, int algorithm)
{
    made++;
    return __real_crypto_pwhash_str_alg(string, password, password_size, passes, memory, algorithm);
}

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_size, const char *password,
                         unsigned long long password_size, const unsigned char *salt,
                         unsigned long long passes, size_t memory, int algorithm);
int __real_crypto_pwhash_str_verify(const char *string, const char *password,
                                    unsigned long long password_size);
int __wrap_crypto_pwhash_str_verify(const char *string, const char *password,
                                    unsigned long long password_size);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_size, const char *password,
                         unsigned long long password_size, const unsigned char *salt,
                         unsigned long long passes, size_t memory, int algorithm)
{
    hashes++;
    assert_int_equal(passes, 1);
    assert_int_equal(memory, 8192 * 1024);
    return __real_crypto_pwhash(out, out_size, password, password_size, salt, passes, memory,
                                algorithm);
}

int __wrap_crypto_pwhash_str_verify(const char *string, const char *password,
                                    unsigned long long password_size)
{
    verifications++;
    if (out_of_memory) {
        errno = ENOMEM;
        return -1;
    }
    return __real_crypto_pwhash_str_verify(string, password, password_size);
}

static const struct credentials_cost CHEAP = {8192, 1, 4096};
static const uint8_t ALICE[16] = {0xa1, 1};
static const uint8_t BOB[16] = {0xb0, 2};

struct fixture {
    struct kv_engine *engine;
    struct credentials *credentials;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    assert_int_equal(kv_memory_create(&fixture.engine), 0);
    assert_int_equal(credentials_open(fixture.engine, &CHEAP, &fixture.credentials), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    credentials_close(&fixture->credentials);
    kv_engine_free(&fixture->engine);
    return 0;
}

#define NAME SLICE("alice@example.test")

static int verify(struct fixture *fixture, struct slice name, const char *password,
                  const uint8_t expected[16])
{
    uint8_t account[16] = {0};
    uint8_t untouched[16] = {0};
    int error =
        credentials_verify(fixture->credentials, name, slice_from_string(password), account);
    assert_memory_equal(account, error ? untouched : expected, 16);
    return error;
}

static void test_rename(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = fixture->credentials;
    const struct slice to = SLICE("alicia@example.test");
    assert_int_equal(credentials_rename(credentials, ALICE, NAME, to), ERROR_NOT_FOUND);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("correct horse")), 0);
    assert_int_equal(credentials_rename(credentials, BOB, NAME, to), ERROR_NOT_FOUND);
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), 0);
    /* What the other name had is left over from somebody who is gone. */
    assert_int_equal(credentials_set(credentials, to, BOB, SLICE("battery staple")), 0);
    assert_int_equal(credentials_rename(credentials, ALICE, NAME, to), 0);
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), ERROR_DENIED);
    assert_int_equal(verify(fixture, to, "correct horse", ALICE), 0);
    assert_int_equal(verify(fixture, to, "battery staple", BOB), ERROR_DENIED);
    assert_int_equal(credentials_rename(credentials, ALICE, NAME, to), ERROR_NOT_FOUND);
    assert_int_equal(credentials_rename(credentials, ALICE, to, to), 0);
    assert_int_equal(verify(fixture, to, "correct horse", ALICE), 0);
    assert_int_equal(credentials_rename(credentials, ALICE, to, SLICE("")), ERROR_SYNTAX);
    char longest[CREDENTIALS_NAME_MAXIMUM + 1];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(
        credentials_rename(credentials, ALICE, to, slice_make(longest, sizeof longest)),
        ERROR_LIMIT);
}

/* No password fits a name that is closed, nor can one be set: for its account, until it is open. */
static void test_closed(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = fixture->credentials;
    const struct slice to = SLICE("info@example.test");
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("correct horse")), 0);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(credentials_close_name(credentials, NAME, ALICE, true), 0);
    hashes = verifications = 0;
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), ERROR_DENIED);
    assert_int_equal(verify(fixture, NAME, "", ALICE), ERROR_DENIED);
    assert_int_equal(hashes, 2);
    assert_int_equal(verifications, 0);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("battery staple")),
                     ERROR_DENIED);
    /* It stays so under another name, and only its account opens it. */
    assert_int_equal(credentials_rename(credentials, ALICE, NAME, to), 0);
    assert_int_equal(credentials_set(credentials, to, ALICE, SLICE("battery staple")),
                     ERROR_DENIED);
    assert_int_equal(credentials_close_name(credentials, to, BOB, false), 0);
    assert_int_equal(credentials_set(credentials, to, ALICE, SLICE("battery staple")),
                     ERROR_DENIED);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(credentials_close_name(credentials, to, ALICE, false), 0);
    assert_int_equal(verify(fixture, to, "correct horse", ALICE), ERROR_DENIED);
    assert_int_equal(credentials_set(credentials, to, ALICE, SLICE("battery staple")), 0);
    /* To open what is not closed leaves the password alone. */
    assert_int_equal(credentials_close_name(credentials, to, ALICE, false), 0);
    assert_int_equal(verify(fixture, to, "battery staple", ALICE), 0);
    /* One that was left over is no obstacle to another account of the name. */
    assert_int_equal(credentials_close_name(credentials, to, ALICE, true), 0);
    assert_int_equal(credentials_set(credentials, to, BOB, SLICE("battery staple")), 0);
    assert_int_equal(verify(fixture, to, "battery staple", BOB), 0);
    assert_int_equal(credentials_close_name(credentials, to, BOB, true), 0);
    assert_int_equal(credentials_delete(credentials, to), 0);
    assert_int_equal(credentials_delete(credentials, to), ERROR_NOT_FOUND);
    assert_int_equal(credentials_close_name(credentials, SLICE(""), BOB, true), ERROR_SYNTAX);
}

static void test_set_verify_delete(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = fixture->credentials;
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), ERROR_DENIED);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("correct horse")), 0);
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), 0);
    assert_int_equal(verify(fixture, NAME, "correct horsE", ALICE), ERROR_DENIED);
    assert_int_equal(verify(fixture, SLICE("bob@example.test"), "correct horse", BOB),
                     ERROR_DENIED);
    assert_int_equal(credentials_set(credentials, NAME, BOB, SLICE("battery staple")), 0);
    assert_int_equal(verify(fixture, NAME, "correct horse", BOB), ERROR_DENIED);
    assert_int_equal(verify(fixture, NAME, "battery staple", BOB), 0);
    assert_int_equal(credentials_delete(credentials, NAME), 0);
    assert_int_equal(credentials_delete(credentials, NAME), ERROR_NOT_FOUND);
    assert_int_equal(verify(fixture, NAME, "battery staple", BOB), ERROR_DENIED);
}

/* Nobody is told that a right password is wrong. */
static void test_no_memory(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(credentials_set(fixture->credentials, NAME, ALICE, SLICE("correct horse")), 0);
    out_of_memory = true;
    int error = verify(fixture, NAME, "correct horse", ALICE);
    out_of_memory = false;
    assert_int_equal(error, ERROR_MEMORY);
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), 0);
}

/* The same password composed or decomposed. */
static void test_prepared(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        credentials_set(fixture->credentials, NAME, ALICE, SLICE("re\xcc\x81sume\xcc\x81 12")), 0);
    assert_int_equal(verify(fixture, NAME, "r\xc3\xa9sum\xc3\xa9 12", ALICE), 0);
}

static void test_limits(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = fixture->credentials;
    static char bytes[CREDENTIALS_PASSWORD_MAXIMUM + 1];
    memset(bytes, 'x', sizeof bytes);
    struct slice longer = slice_make(bytes, sizeof bytes);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("7 chars")), ERROR_LIMIT);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, longer), ERROR_LIMIT);
    assert_int_equal(credentials_set(credentials, NAME, ALICE, SLICE("control\n")), ERROR_SYNTAX);
    struct slice name = slice_make(bytes, CREDENTIALS_NAME_MAXIMUM + 1);
    assert_int_equal(credentials_set(credentials, name, ALICE, SLICE("long enough")), ERROR_LIMIT);
    assert_int_equal(credentials_set(credentials, SLICE(""), ALICE, SLICE("long enough")),
                     ERROR_SYNTAX);
    assert_int_equal(credentials_set(credentials, SLICE("a\0b"), ALICE, SLICE("long enough")),
                     ERROR_SYNTAX);
    name.size--;
    assert_int_equal(credentials_set(credentials, name, ALICE, SLICE("long enough")), 0);
    assert_int_equal(verify(fixture, name, "long enough", ALICE), 0);
}

/* One Argon2id at the same cost, whatever is wrong. */
static void test_same_work(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[CREDENTIALS_PASSWORD_MAXIMUM + 10];
    memset(bytes, 'x', sizeof bytes - 1);
    assert_int_equal(credentials_set(fixture->credentials, NAME, ALICE, SLICE("correct horse")), 0);
    static const struct {
        struct slice name;
        const char *password;
    } rows[] = {
        {{"alice@example.test", 18}, "wrong horse"},
        {{"nobody@example.test", 19}, "wrong horse"},
        {{"", 0}, "wrong horse"},
        {{"nul\0inside", 10}, "wrong horse"},
        {{bytes, CREDENTIALS_NAME_MAXIMUM + 1}, "wrong horse"},
        {{"alice@example.test", 18}, ""},
        {{"alice@example.test", 18}, "\xff"},
        {{"alice@example.test", 18}, bytes},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hashes = verifications = 0;
        assert_int_equal(verify(fixture, rows[i].name, rows[i].password, ALICE), ERROR_DENIED);
        assert_int_equal(hashes + verifications, 1);
    }
}

/* A record made at a lower cost is renewed by the next login, and only by a right one. */
static void test_renewal(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(credentials_set(fixture->credentials, NAME, ALICE, SLICE("correct horse")), 0);
    struct credentials_cost dearer = {8192, 2, 5000};
    struct credentials *second;
    uint8_t account[16];
    assert_int_equal(credentials_open(fixture->engine, &dearer, &second), 0);
    made = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(credentials_verify(second, NAME, SLICE("wrong horse"), account),
                         ERROR_DENIED);
        assert_int_equal(credentials_verify(second, NAME, SLICE("correct horse"), account), 0);
        assert_memory_equal(account, ALICE, 16);
        assert_int_equal(made, 1);
    }
    credentials_close(&second);
    assert_int_equal(verify(fixture, NAME, "correct horse", ALICE), 0);
}

static void scram(struct fixture *fixture, struct slice name, struct scram_keys *keys,
                  const uint8_t expected[16])
{
    uint8_t account[16] = {0};
    static const uint8_t untouched[16];
    bool known = !expected;
    assert_int_equal(credentials_scram(fixture->credentials, name, keys, &known, account), 0);
    assert_int_equal(known, expected != NULL);
    assert_memory_equal(account, expected ? expected : untouched, 16);
    assert_int_equal(keys->iterations, CHEAP.scram_iterations);
    assert_int_equal(keys->salt_size, SCRAM_SALT_SIZE);
}

static bool same_keys(const struct scram_keys *a, const struct scram_keys *b)
{
    return memcmp(a->salt, b->salt, SCRAM_SALT_SIZE) == 0 &&
           memcmp(a->stored_key, b->stored_key, SCRAM_KEY_SIZE) == 0 &&
           memcmp(a->server_key, b->server_key, SCRAM_KEY_SIZE) == 0;
}

static void test_scram(void **state)
{
    struct fixture *fixture = *state;
    struct scram_keys keys, derived;
    assert_int_equal(credentials_set(fixture->credentials, NAME, ALICE, SLICE("correct horse")), 0);
    scram(fixture, NAME, &keys, ALICE);
    derived = keys;
    memset(derived.stored_key, 0, SCRAM_KEY_SIZE);
    memset(derived.server_key, 0, SCRAM_KEY_SIZE);
    scram_derive(SLICE("correct horse"), &derived);
    assert_true(same_keys(&keys, &derived));
}

/* A name that is closed is one that nobody has. */
static void test_scram_of_closed(void **state)
{
    struct fixture *fixture = *state;
    struct scram_keys before, closed;
    scram(fixture, NAME, &before, NULL);
    assert_int_equal(credentials_set(fixture->credentials, NAME, ALICE, SLICE("correct horse")), 0);
    assert_int_equal(credentials_close_name(fixture->credentials, NAME, ALICE, true), 0);
    scram(fixture, NAME, &closed, NULL);
    assert_true(same_keys(&before, &closed));
}

/* RFC 5802 section 9: asking twice does not tell who exists, nor does asking after a restart. */
static void test_scram_of_nobody(void **state)
{
    struct fixture *fixture = *state;
    const struct slice nobody = SLICE("nobody@example.test");
    struct scram_keys first, second, other;
    scram(fixture, nobody, &first, NULL);
    scram(fixture, nobody, &second, NULL);
    scram(fixture, SLICE("somebody@example.test"), &other, NULL);
    assert_true(same_keys(&first, &second));
    assert_memory_not_equal(first.salt, other.salt, SCRAM_SALT_SIZE);
    assert_memory_not_equal(first.stored_key, first.server_key, SCRAM_KEY_SIZE);
    credentials_close(&fixture->credentials);
    assert_int_equal(credentials_open(fixture->engine, &CHEAP, &fixture->credentials), 0);
    scram(fixture, nobody, &second, NULL);
    assert_true(same_keys(&first, &second));
    scram(fixture, SLICE(""), &first, NULL);
    scram(fixture, SLICE("a\0b"), &second, NULL);
    /* Another installation has others. */
    struct fixture stranger;
    assert_int_equal(kv_memory_create(&stranger.engine), 0);
    assert_int_equal(credentials_open(stranger.engine, &CHEAP, &stranger.credentials), 0);
    scram(&stranger, SLICE("somebody@example.test"), &second, NULL);
    assert_memory_not_equal(second.salt, other.salt, SCRAM_SALT_SIZE);
    credentials_close(&stranger.credentials);
    kv_engine_free(&stranger.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_verify_delete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rename, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_of_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prepared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renewal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scram_of_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
