#include "proto/sasl/scram.h"

#include "base/error.h"
#include "format/text.h"
#include "proto/sasl/plain.h"

/* The next attribute "letter=value", taken off with the comma behind it. */
static bool take_attribute(struct slice *rest, char letter, struct slice *value)
{
    if (rest->size < 3 || rest->data[0] != letter || rest->data[1] != '=')
        return false;
    struct slice found = slice_sub(*rest, 2, slice_find(slice_sub(*rest, 2, SIZE_MAX), ','));
    *rest = slice_sub(*rest, 2 + found.size + 1, SIZE_MAX);
    *value = found;
    return found.size > 0;
}

/* "printable = %x21-2B / %x2D-7E" */
static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e || text.data[i] == ',')
            return false;
    return true;
}

/* gs2-header: "n,,", "y,a=name,", "p=tls-exporter,,". */
static bool take_header(struct slice *rest, struct sasl_scram_first *first)
{
    first->binding = rest->size ? rest->data[0] : '\0';
    if (first->binding == 'p') {
        if (!take_attribute(rest, 'p', &first->binding_name))
            return false;
    } else if ((first->binding == 'n' || first->binding == 'y') && rest->size > 1 &&
               rest->data[1] == ',') {
        *rest = slice_sub(*rest, 2, SIZE_MAX);
    } else {
        return false;
    }
    if (take_attribute(rest, 'a', &first->authorization))
        return true;
    bool empty = rest->size && rest->data[0] == ',';
    *rest = slice_sub(*rest, 1, SIZE_MAX);
    return empty;
}

int sasl_scram_first_parse(struct slice message, struct sasl_scram_first *first)
{
    struct sasl_scram_first parsed = {0};
    struct slice rest = message;
    if (message.size > SASL_SCRAM_MESSAGE_MAXIMUM)
        return ERROR_LIMIT;
    if (!take_header(&rest, &parsed))
        return ERROR_SYNTAX;
    parsed.header = slice_sub(message, 0, message.size - rest.size);
    parsed.bare = rest;
    if (!take_attribute(&rest, 'n', &parsed.name) || !take_attribute(&rest, 'r', &parsed.nonce) ||
        !is_printable(parsed.nonce))
        return ERROR_SYNTAX;
    if (parsed.nonce.size > SASL_SCRAM_NONCE_MAXIMUM)
        return ERROR_LIMIT;
    *first = parsed;
    return 0;
}

int sasl_scram_name(struct slice escaped, struct buffer *name)
{
    if (!text_is_utf8(escaped) || slice_find(escaped, '\0') < escaped.size)
        return ERROR_SYNTAX;
    if (escaped.size > 3 * SASL_NAME_MAXIMUM)
        return ERROR_LIMIT;
    while (escaped.size) {
        size_t plain = slice_find(escaped, '=');
        struct slice code = slice_sub(escaped, plain, 3);
        buffer_append(name, slice_sub(escaped, 0, plain));
        if (code.size && !slice_equal(code, SLICE("=2C")) && !slice_equal(code, SLICE("=3D")))
            return ERROR_SYNTAX;
        if (code.size)
            buffer_append_byte(name, code.data[1] == '2' ? ',' : '=');
        escaped = slice_sub(escaped, plain + 3, SIZE_MAX);
    }
    return buffer_error(name);
}

int sasl_scram_final_parse(struct slice message, struct sasl_scram_final *final)
{
    struct sasl_scram_final parsed = {0};
    struct slice rest = message;
    if (message.size > SASL_SCRAM_MESSAGE_MAXIMUM)
        return ERROR_LIMIT;
    if (!take_attribute(&rest, 'c', &parsed.binding) || !take_attribute(&rest, 'r', &parsed.nonce))
        return ERROR_SYNTAX;
    while (rest.size && !take_attribute(&rest, 'p', &parsed.proof)) { /* extensions */
        size_t end = slice_find(rest, ',');
        rest = slice_sub(rest, end + 1, SIZE_MAX);
    }
    if (!parsed.proof.size || rest.size)
        return ERROR_SYNTAX;
    size_t proof_size = parsed.proof.size + 3; /* ",p=" */
    parsed.without_proof = slice_sub(message, 0, message.size - proof_size);
    *final = parsed;
    return 0;
}
