#include "proto/lmtp/hello_priv.h"

#include "proto/lmtp/engine.h"

#include <ctype.h>

void lmtp_hello_greet(const char *hostname, struct buffer *output)
{
    buffer_append_format(output, "220 %s LMTP ready\r\n", hostname);
}

bool lmtp_hello_is_name(struct slice argument)
{
    bool printable = argument.size > 0 && argument.size <= LMTP_ADDRESS_MAXIMUM;
    for (size_t i = 0; i < argument.size && printable; i++)
        printable = isgraph((unsigned char)argument.data[i]);
    return printable;
}

void lmtp_hello_answer(const char *hostname, uint64_t message, const char *more,
                       struct buffer *output)
{
    buffer_append_format(output,
                         "250-%s\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"
                         "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n",
                         hostname);
    struct slice rest = slice_from_string(more);
    while (rest.size) {
        size_t end = slice_find(rest, '\n');
        buffer_append_format(output, "250-%.*s\r\n", SLICE_FORMAT(slice_sub(rest, 0, end)));
        rest = slice_sub(rest, end + 1, SIZE_MAX);
    }
    buffer_append_format(output, "250 SIZE %llu\r\n", (unsigned long long)message);
}
