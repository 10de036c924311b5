/*
 * Scanning of structured header fields (RFC 5322 section 3.2), shared by this folder's parsers.
 */
#ifndef FORMAT_FIELD_PRIV_H
#define FORMAT_FIELD_PRIV_H

#include "base/slice.h"

static inline bool field_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The bytes without blanks and line ends at both ends. */
static inline struct slice field_trim(struct slice s)
{
    while (s.size && field_is_blank(s.data[0]))
        s = slice_make(s.data + 1, s.size - 1);
    while (s.size && field_is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

/* The comment that begins at the offset, from "(" to behind its ")": nested ones within it, quoted
 * pairs; one that is not closed goes to the end. Returns the offset behind it. */
static inline size_t field_skip_comment(struct slice s, size_t offset)
{
    size_t depth = 0;
    while (offset < s.size) {
        char c = s.data[offset++];
        if (c == '\\')
            offset++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            break;
    }
    return offset < s.size ? offset : s.size;
}

/* Comments and folding white space. Returns the offset behind them. */
static inline size_t field_skip_cfws(struct slice s, size_t offset)
{
    while (offset < s.size) {
        if (s.data[offset] == '(')
            offset = field_skip_comment(s, offset);
        else if (field_is_blank(s.data[offset]))
            offset++;
        else
            break;
    }
    return offset;
}

/* The offset of the quote that closes the quoted string whose content begins at the offset, or
 * the end. */
static inline size_t field_quoted_end(struct slice s, size_t offset)
{
    while (offset < s.size && s.data[offset] != '"')
        offset += s.data[offset] == '\\' ? 2 : 1;
    return offset < s.size ? offset : s.size;
}

#endif
