/*
 * Dates: RFC 5322's in header fields, IMAP's in commands and responses, RFC 3339's in URLs.
 */
#ifndef FORMAT_DATE_H
#define FORMAT_DATE_H

#include "base/buffer.h"

/* A Date field's value (RFC 5322 section 3.3 with the obsolete forms of 4.3, comments and the
 * commonest deviations). Seconds since 1970; *zone (NULL allowed) is minutes east of UTC.
 * ERROR_SYNTAX. */
int date_parse_rfc5322(struct slice text, int64_t *seconds, int *zone);

/* IMAP's date-time without its quotes, "17-Jul-1996 02:44:25 -0700" (RFC 9051 section 9). */
int date_parse_imap(struct slice text, int64_t *seconds);

/* IMAP's date, "1-Feb-1994": the day's first second in UTC. */
int date_parse_imap_day(struct slice text, int64_t *seconds);

/* date-time of RFC 3339 section 5.6, "1996-07-17T02:44:25.5-07:00"; fractions of a second count as
 * nothing. ERROR_SYNTAX. */
int date_parse_rfc3339(struct slice text, int64_t *seconds);

/* Appends "17-Jul-1996 02:44:25 +0000", 26 bytes, always in UTC. */
int date_format_imap(int64_t seconds, struct buffer *text);

/* Appends "Wed, 17 Jul 1996 02:44:25 +0000". */
int date_format_rfc5322(int64_t seconds, struct buffer *text);

#endif
