#include "base/error.h"
#include "store/hash_priv.h"

#include <openssl/evp.h>
#include <pthread.h>

/* Looked up once: OpenSSL takes longer for that than for hashing a message id. */
static EVP_MD *algorithm;
static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

static void look_up(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int bytes_hash(struct slice bytes, uint8_t sha256[HASH_SIZE])
{
    unsigned size = HASH_SIZE;
    pthread_once(&looked_up, look_up);
    if (!algorithm)
        return ERROR_MEMORY;
    return EVP_Digest(bytes.data ? bytes.data : "", bytes.size, sha256, &size, algorithm, NULL)
               ? 0
               : ERROR_MEMORY;
}
