/*
 * The self-signed certificate of `chapar init`: enough for a first encrypted connection; programs
 * will ask whether to trust it.
 */
#include "base/error.h"
#include "cli/certificate_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

enum { VALID_DAYS = 3650 };

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    BIGNUM *number = NULL;
    bool done = RAND_bytes(bytes, sizeof(bytes)) == 1 &&
                (number = BN_bin2bn(bytes, sizeof(bytes), NULL)) &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool done = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return done;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *hostname)
{
    char names[512];
    X509_NAME *subject = X509_get_subject_name(certificate);
    snprintf(names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1", hostname);
    return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)hostname,
                                      -1, -1, 0) &&
           X509_set_issuer_name(certificate, subject) && X509_set_pubkey(certificate, key) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_subject_alt_name, names) &&
           X509_sign(certificate, key, EVP_sha256());
}

static FILE *create(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return descriptor < 0 ? NULL : fdopen(descriptor, "w");
}

static int write_files(const char *certificate_path, X509 *certificate, const char *key_path,
                       EVP_PKEY *key)
{
    FILE *certificate_file = create(certificate_path), *key_file = create(key_path);
    int error = certificate_file && key_file ? 0 : error_from_errno(errno);
    if (!error && (!PEM_write_X509(certificate_file, certificate) ||
                   !PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL)))
        error = ERROR_IO;
    if (certificate_file && fclose(certificate_file) != 0 && !error)
        error = ERROR_IO;
    if (key_file && fclose(key_file) != 0 && !error)
        error = ERROR_IO;
    return error;
}

int certificate_create(const char *hostname, const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int error = ERROR_MEMORY;
    if (key && certificate && fill(certificate, key, hostname))
        error = write_files(certificate_path, certificate, key_path, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}
