/*
 * Patterns are matched by following all positions in the pattern that the name's bytes so far can
 * have led to: one pass over the name, no backtracking.
 */
#include "proto/imap/list_match.h"
#include "proto/imap/reader.h"

#include <ctype.h>

/* A reference and a pattern, joined. */
enum { PATTERN_MAXIMUM = 2 * IMAP_MAILBOX_NAME_MAXIMUM + 1 };

struct matcher {
    struct slice pattern;
    char separator;
    bool at[PATTERN_MAXIMUM + 1]; /* at[i]: the first i bytes of the pattern have matched */
};

static bool is_wildcard(char byte)
{
    return byte == '*' || byte == '%';
}

/* A wildcard matches nothing, too. */
static void step_over_wildcards(struct matcher *matcher)
{
    for (size_t i = 0; i < matcher->pattern.size; i++)
        if (matcher->at[i] && is_wildcard(matcher->pattern.data[i]))
            matcher->at[i + 1] = true;
}

static bool matches_byte(const struct matcher *matcher, size_t i, char byte, bool nocase)
{
    char wanted = matcher->pattern.data[i];
    if (nocase)
        return toupper((unsigned char)wanted) == toupper((unsigned char)byte);
    return wanted == byte;
}

/* Whether any position is left behind the byte. From the back, as a byte leads to its own
 * position or the next. */
static bool step(struct matcher *matcher, char byte, bool nocase)
{
    bool alive = false;
    for (size_t i = matcher->pattern.size + 1; i-- > 0;) {
        bool stays = i < matcher->pattern.size && matcher->at[i] &&
                     (matcher->pattern.data[i] == '*' ||
                      (matcher->pattern.data[i] == '%' && byte != matcher->separator));
        bool comes = i > 0 && matcher->at[i - 1] && !is_wildcard(matcher->pattern.data[i - 1]) &&
                     matches_byte(matcher, i - 1, byte, nocase);
        matcher->at[i] = stays || comes;
        alive |= matcher->at[i];
    }
    step_over_wildcards(matcher);
    return alive;
}

static bool begin(struct matcher *matcher, struct slice pattern, char separator)
{
    if (pattern.size > PATTERN_MAXIMUM)
        return false;
    matcher->pattern = pattern;
    matcher->separator = separator;
    memset(matcher->at, 0, pattern.size + 1);
    matcher->at[0] = true;
    step_over_wildcards(matcher);
    return true;
}

static bool run(struct matcher *matcher, struct slice name)
{
    size_t level = slice_find(name, matcher->separator);
    size_t nocase = slice_equal_nocase(slice_sub(name, 0, level), SLICE("INBOX")) ? level : 0;
    for (size_t i = 0; i < name.size; i++)
        if (!step(matcher, name.data[i], i < nocase))
            return false;
    return true;
}

bool imap_list_match(struct slice pattern, struct slice name, char separator)
{
    struct matcher matcher;
    return begin(&matcher, pattern, separator) && run(&matcher, name) && matcher.at[pattern.size];
}

bool imap_list_match_child(struct slice pattern, struct slice name, char separator)
{
    struct matcher matcher;
    if (!begin(&matcher, pattern, separator) || !run(&matcher, name) ||
        !step(&matcher, separator, false))
        return false;
    /* Something of the pattern is left for the child's own name: any text has a name that it
     * matches. */
    for (size_t i = 0; i < pattern.size; i++)
        if (matcher.at[i])
            return true;
    return false;
}
