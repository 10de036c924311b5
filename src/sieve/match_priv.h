/*
 * Comparisons of values with keys (RFC 5228 section 2.7, RFC 5231): a test begins a matcher, gives
 * it its values one by one, and asks it at the end.
 */
#ifndef SIEVE_MATCH_PRIV_H
#define SIEVE_MATCH_PRIV_H

#include "sieve/run_priv.h"

struct matcher {
    struct run *run;
    const struct keyset *set;
    uint64_t count; /* of values, for :count */
    bool found;     /* no further values are needed */
    bool forgets;   /* match variables stay what they are */
};

void match_begin(struct matcher *matcher, struct run *run, uint32_t keys);

/* Compares a value with all keys. True: the test is true, and no further values are needed. A
 * comparison may fold the value and keep that in it. */
bool match_value(struct matcher *matcher, struct value *value);

/* The same for a text that is not kept. */
bool match_text(struct matcher *matcher, struct slice text);

/* The test's result; sets run->truth. Returns the run's error. */
int match_end(struct matcher *matcher);

/* Whether a text matches a pattern of * and ? (RFC 5228 section 2.7.1), both folded as they are to
 * be compared. `unit`: ? is one byte, else one character. spans (NULL allowed; room for count) get
 * what each wildcard stands for, as offsets and sizes; *used how many there were. */
struct match_span {
    size_t offset, size;
};
enum glob_result { GLOB_NO, GLOB_YES, GLOB_LIMIT };
enum { GLOB_STEPS_MAXIMUM = 4 * 1024 * 1024 }; /* comparisons of characters; then GLOB_LIMIT */
enum glob_result glob_match(struct slice text, struct slice pattern, bool bytes,
                            struct match_span *spans, size_t count, size_t *used);

/* Whether the text has a match; spans get the match and its groups, *count how many there were room
 * for and then how many there are. ERROR_NOT_FOUND: no match; ERROR_LIMIT: it takes too long. */
int regex_match(const pcre2_code *code, struct slice text, struct match_span *spans, size_t *count);

#endif
