/*
 * The patterns of :matches (RFC 5228 section 2.7.1): * is any text, ? one character, \ takes the
 * next character for itself.
 *
 * When a comparison fails, only the last * before it takes one character more: earlier ones are as
 * short as can be already, which is what RFC 5229 section 3.2 asks of match variables, and nothing
 * is gained by lengthening them. So the work is at most the text's length times the pattern's.
 */
#include "sieve/match_priv.h"

struct glob {
    struct slice text, pattern;
    bool bytes;
    size_t t, p; /* offsets of what is compared next */
    struct match_span *spans;
    size_t room, used;
    /* The last *: where it stands, what it has taken, and how many spans there were then. */
    bool has_star;
    size_t star_p, star_t, star_used;
};

static size_t character_size(const struct glob *glob)
{
    size_t size = 1;
    while (!glob->bytes && glob->t + size < glob->text.size &&
           (glob->text.data[glob->t + size] & 0xc0) == 0x80)
        size++;
    return size;
}

static void add_span(struct glob *glob, size_t offset, size_t size)
{
    if (glob->used < glob->room)
        glob->spans[glob->used] = (struct match_span){offset, size};
    glob->used++;
}

/* Compares one piece of the pattern with the text; false when they differ. */
static bool step(struct glob *glob)
{
    char c = glob->pattern.data[glob->p];
    if (c == '?') {
        size_t size = character_size(glob);
        add_span(glob, glob->t, size);
        glob->t += size;
        glob->p++;
        return true;
    }
    size_t escape = c == '\\' && glob->p + 1 < glob->pattern.size ? 1 : 0;
    if (glob->text.data[glob->t] != glob->pattern.data[glob->p + escape])
        return false;
    glob->t++;
    glob->p += 1 + escape;
    return true;
}

/* The last * takes one character more. */
static void lengthen(struct glob *glob)
{
    glob->t = glob->star_t;
    glob->star_t += character_size(glob);
    glob->t = glob->star_t;
    glob->p = glob->star_p + 1;
    glob->used = glob->star_used;
    struct match_span *span = glob->used - 1 < glob->room ? &glob->spans[glob->used - 1] : NULL;
    if (span)
        span->size = glob->star_t - span->offset;
}

static void take_star(struct glob *glob)
{
    add_span(glob, glob->t, 0);
    glob->has_star = true;
    glob->star_p = glob->p++;
    glob->star_t = glob->t;
    glob->star_used = glob->used;
}

enum glob_result glob_match(struct slice text, struct slice pattern, bool bytes,
                            struct match_span *spans, size_t count, size_t *used)
{
    struct glob glob = {.text = text, .pattern = pattern, .bytes = bytes};
    glob.spans = spans;
    glob.room = spans ? count : 0;
    for (size_t steps = 0; steps < GLOB_STEPS_MAXIMUM; steps++) {
        bool at_end = glob.t == text.size;
        if (glob.p < pattern.size && pattern.data[glob.p] == '*')
            take_star(&glob);
        else if (at_end && glob.p == pattern.size)
            return *used = glob.used, GLOB_YES;
        else if (!at_end && glob.p < pattern.size && step(&glob))
            continue;
        else if (glob.has_star && glob.star_t < text.size)
            lengthen(&glob);
        else
            return GLOB_NO;
    }
    return GLOB_LIMIT;
}
