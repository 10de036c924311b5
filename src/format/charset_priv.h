/*
 * Charsets other than UTF-8, through ICU.
 */
#ifndef FORMAT_CHARSET_PRIV_H
#define FORMAT_CHARSET_PRIV_H

#include "base/buffer.h"

enum { CHARSET_NAME_MAXIMUM = 40 }; /* bytes; ICU's longest names are shorter */

/* Appends the UTF-8 for bytes in a charset that ICU knows. ERROR_UNSUPPORTED (nothing appended)
 * or the buffer's error. Converters are kept for the thread's next call. */
int charset_to_utf8(struct slice charset, struct slice bytes, struct buffer *utf8);

#endif
