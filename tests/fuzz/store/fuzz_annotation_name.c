/*
 * Names of annotations: what is taken can be a part of a key.
 */
#include "store/annotation.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum annotation_scope scope;
    struct slice name;
    if (annotation_name_parse(slice_make(data, size), &scope, &name))
        return 0;
    if (name.size < 2 || name.data[0] != '/' || name.data[name.size - 1] == '/' ||
        name.data + name.size != (const char *)data + size)
        abort();
    for (size_t i = 0; i < name.size; i++)
        if (!name.data[i] || name.data[i] == '*' || name.data[i] == '%' || name.data[i] & 0x80)
            abort();
    return 0;
}
