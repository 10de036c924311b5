#include "base/error.h"
#include "format/date.h"

#include <stdlib.h>

/* What was read is written so that it reads the same again. */
static void check(int64_t seconds)
{
    struct buffer text;
    int64_t back = 0;
    buffer_init(&text, 64);
    if (date_format_imap(seconds, &text) || text.size != 26 ||
        date_parse_imap(buffer_slice(&text), &back) || back != seconds)
        abort();
    buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    int64_t seconds;
    int zone;
    /* An IMAP date at the calendar's ends, or with an odd zone, may lie outside what is written. */
    if (date_parse_rfc5322(text, &seconds, &zone) == 0 && seconds > -62000000000)
        check(seconds < 253402300800 ? seconds : 0);
    if (date_parse_imap(text, &seconds) == 0 && seconds > -62167219200 && seconds < 253402300800)
        check(seconds);
    if (date_parse_rfc3339(text, &seconds) == 0 && seconds > -62167219200 && seconds < 253402300800)
        check(seconds);
    if (date_parse_imap_day(text, &seconds) == 0)
        check(seconds);
    return 0;
}
