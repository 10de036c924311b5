#include "../check.h"
#include "credentials/scram.h"

#include <sodium.h>

static size_t decode(const char *base64, uint8_t *bytes, size_t maximum)
{
    size_t size = 0;
    assert_int_equal(sodium_base642bin(bytes, maximum, base64, strlen(base64), NULL, &size, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    return size;
}

/* RFC 7677 section 3. */
static const char AUTH_MESSAGE[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

static void derive_pencil(struct scram_keys *keys)
{
    *keys = (struct scram_keys){.iterations = 4096};
    keys->salt_size = (uint8_t)decode("W22ZaJ0SNY7soEsUEjb6gQ==", keys->salt, sizeof keys->salt);
    scram_derive(SLICE("pencil"), keys);
}

static void test_server_signature(void **state)
{
    (void)state;
    struct scram_keys keys;
    uint8_t expected[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE];
    derive_pencil(&keys);
    decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", expected, sizeof expected);
    crypto_auth_hmacsha256(signature, (const uint8_t *)AUTH_MESSAGE, strlen(AUTH_MESSAGE),
                           keys.server_key);
    assert_memory_equal(signature, expected, sizeof signature);
}

/* The client's proof opens with StoredKey: SHA-256(proof XOR ClientSignature) is it. */
static void test_client_proof(void **state)
{
    (void)state;
    struct scram_keys keys;
    uint8_t proof[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE], hash[SCRAM_KEY_SIZE];
    derive_pencil(&keys);
    decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof, sizeof proof);
    crypto_auth_hmacsha256(signature, (const uint8_t *)AUTH_MESSAGE, strlen(AUTH_MESSAGE),
                           keys.stored_key);
    for (size_t i = 0; i < sizeof proof; i++)
        proof[i] ^= signature[i];
    crypto_hash_sha256(hash, proof, sizeof proof);
    assert_memory_equal(hash, keys.stored_key, sizeof hash);
}

/* RFC 7677 section 3: the whole exchange's proof, and every part of it counts. */
static void test_verify(void **state)
{
    (void)state;
    struct scram_keys keys;
    char other[sizeof AUTH_MESSAGE];
    uint8_t proof[SCRAM_KEY_SIZE], expected[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE] = {0};
    static const uint8_t untouched[SCRAM_KEY_SIZE];
    derive_pencil(&keys);
    decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof, sizeof proof);
    memcpy(other, AUTH_MESSAGE, sizeof other);
    other[5]++;
    assert_false(scram_verify(&keys, slice_from_string(other), proof, signature));
    proof[31] ^= 1;
    assert_false(scram_verify(&keys, slice_from_string(AUTH_MESSAGE), proof, signature));
    proof[31] ^= 1;
    keys.stored_key[0] ^= 1;
    assert_false(scram_verify(&keys, slice_from_string(AUTH_MESSAGE), proof, signature));
    keys.stored_key[0] ^= 1;
    assert_memory_equal(signature, untouched, sizeof signature);
    assert_true(scram_verify(&keys, slice_from_string(AUTH_MESSAGE), proof, signature));
    decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", expected, sizeof expected);
    assert_memory_equal(signature, expected, sizeof signature);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_signature),
        cmocka_unit_test(test_client_proof),
        cmocka_unit_test(test_verify),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
