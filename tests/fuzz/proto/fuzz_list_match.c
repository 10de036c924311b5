/*
 * "pattern NUL name": the matcher agrees with the definition, written as a recursion.
 */
#include "proto/imap/list_match.h"

#include <stdlib.h>

static bool matches(struct slice pattern, struct slice name)
{
    if (pattern.size == 0)
        return name.size == 0;
    struct slice rest = slice_sub(pattern, 1, SIZE_MAX);
    char byte = pattern.data[0];
    if (byte != '*' && byte != '%')
        return name.size && name.data[0] == byte && matches(rest, slice_sub(name, 1, SIZE_MAX));
    if (matches(rest, name))
        return true;
    return name.size && (byte == '*' || name.data[0] != '/') &&
           matches(pattern, slice_sub(name, 1, SIZE_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    size_t nul = slice_find(input, '\0');
    struct slice pattern = slice_sub(input, 0, nul), name = slice_sub(input, nul + 1, SIZE_MAX);
    bool found = imap_list_match(pattern, name, '/');
    imap_list_match_child(pattern, name, '/');
    /* The recursion takes too long for long ones, and knows nothing of INBOX. */
    bool inbox = name.size >= 5 && strncasecmp(name.data, "INBOX", 5) == 0;
    if (!inbox && pattern.size <= 8 && name.size <= 16 && found != matches(pattern, name))
        abort();
    return 0;
}
