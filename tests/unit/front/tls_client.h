/*
 * For the tests: a certificate of their own, and a TLS client on a non-blocking socket.
 */
#ifndef TESTS_UNIT_FRONT_TLS_CLIENT_H
#define TESTS_UNIT_FRONT_TLS_CLIENT_H

#include "../check.h"
#include "front/login/tls_priv.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct test_certificate {
    char certificate[64], key[64]; /* files */
};

static inline FILE *temporary_file(char path[64])
{
    snprintf(path, 64, "/tmp/chapar-test-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    return fdopen(file, "w");
}

static inline void make_certificate(struct test_certificate *paths, EVP_PKEY *key,
                                    const EVP_MD *hash)
{
    X509 *certificate = X509_new();
    assert_non_null(key);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"example.test", -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    assert_true(X509_sign(certificate, key, hash) > 0);
    FILE *file = temporary_file(paths->certificate);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = temporary_file(paths->key);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static inline void remove_certificate(const struct test_certificate *paths)
{
    unlink(paths->certificate);
    unlink(paths->key);
}

/* Its certificate is signed by the key itself, with this hash. */
static inline SSL_CTX *make_server_signed(EVP_PKEY *key, const EVP_MD *hash)
{
    struct test_certificate paths;
    SSL_CTX *context = NULL;
    struct buffer problem;
    buffer_init(&problem, 1000);
    make_certificate(&paths, key, hash);
    assert_int_equal(tls_context_create(paths.certificate, paths.key, &context, &problem), 0);
    assert_int_equal(problem.size, 0);
    remove_certificate(&paths);
    return context;
}

static inline SSL_CTX *make_server(EVP_PKEY *key)
{
    return make_server_signed(key, EVP_sha256());
}

static inline SSL *make_client(SSL_CTX *context, int socket)
{
    SSL *ssl = SSL_new(context);
    assert_int_equal(SSL_set_fd(ssl, socket), 1);
    SSL_set_connect_state(ssl);
    return ssl;
}

#endif
