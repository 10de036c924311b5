/*
 * Subjects without what replying and forwarding puts around them, and the message ids that header
 * fields name: what messages are threaded by.
 *
 * Pure functions of bytes; any bytes are taken as they are. Time is proportional to their number.
 */
#ifndef FORMAT_SUBJECT_H
#define FORMAT_SUBJECT_H

#include "base/buffer.h"

/* Appends the base subject (RFC 5256 section 2.1) of a Subject's value, unfolded and decoded, as
 * summaries keep it. *reply (may be NULL): whether something that says reply or forward was
 * removed. ERROR_LIMIT, ERROR_MEMORY of the buffer. */
int subject_base(struct slice subject, struct buffer *base, bool *reply);

/* Appends what subjects of one thread have in common (RFC 8621 section 3): the base subject without
 * the prefixes that programs put there in other languages ("AW:", "SV:"), without blanks, as a
 * search key (format/text.h). Errors as above. */
int subject_thread_key(struct slice subject, struct buffer *key);

enum { MESSAGE_ID_MAXIMUM = 998 }; /* bytes: RFC 5322's longest line. A longer id is passed over. */

/* The next <message-id> of a field's value; rest moves behind it. The id is without its brackets
 * and without quotes and blanks, so that both ways to write one are equal (RFC 5256 section 3). The
 * buffer is cleared first, and must have room for MESSAGE_ID_MAXIMUM bytes. false: there is none.
 */
bool message_id_next(struct slice *rest, struct buffer *id);

#endif
