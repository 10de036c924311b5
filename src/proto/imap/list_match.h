/*
 * LIST's patterns (RFC 9051 section 6.3.9): '*' matches anything, '%' anything but the separator.
 */
#ifndef PROTO_IMAP_LIST_MATCH_H
#define PROTO_IMAP_LIST_MATCH_H

#include "base/slice.h"

/* Whether name matches pattern (reference and pattern already joined). "INBOX" matches in any
 * case as a whole first level. Time is bounded by pattern.size * name.size. */
bool imap_list_match(struct slice pattern, struct slice name, char separator);

/* Whether some possible child of name could match: for '%' patterns and RECURSIVEMATCH. */
bool imap_list_match_child(struct slice pattern, struct slice name, char separator);

#endif
