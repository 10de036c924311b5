/* SCRAM's messages of a client: what was taken apart is together what came. */
#include "proto/sasl/scram.h"

#include "proto/sasl/plain.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(struct slice escaped)
{
    struct buffer name;
    buffer_init(&name, SASL_NAME_MAXIMUM);
    if (sasl_scram_name(escaped, &name) == 0)
        require(name.size <= escaped.size && slice_find(buffer_slice(&name), '\0') == name.size);
    buffer_release(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_make(data, size);
    struct sasl_scram_first first;
    struct sasl_scram_final final;
    if (sasl_scram_first_parse(message, &first) == 0) {
        require(first.header.size + first.bare.size == size);
        require(first.header.data == message.data && first.header.size >= 3);
        require(first.name.size && first.nonce.size &&
                first.nonce.size <= SASL_SCRAM_NONCE_MAXIMUM);
        check_name(first.name);
        check_name(first.authorization);
    }
    if (sasl_scram_final_parse(message, &final) == 0) {
        require(final.without_proof.size + 3 + final.proof.size == size);
        require(final.binding.size && final.nonce.size && final.proof.size);
    }
    return 0;
}
