#include "format/address.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address_parser parser;
    struct address address;
    size_t count = 0, groups = 0;
    address_parser_init(&parser, slice_make(data, size));
    while (address_next(&parser, &address)) {
        count += address.kind != ADDRESS_GROUP_END;
        groups += address.kind == ADDRESS_GROUP_BEGIN;
        groups -= address.kind == ADDRESS_GROUP_END;
        size_t written =
            address.name.size + address.route.size + address.local.size + address.domain.size;
        if (count > ADDRESS_LIST_MAXIMUM || groups > 1 || written > size + 1 ||
            slice_find(address.name, '\n') < address.name.size ||
            slice_find(address.local, '\0') < address.local.size)
            abort();
    }
    if (groups)
        abort();
    return 0;
}
