/*
 * Comparisons of values with keys.
 */
#include "sieve/match_priv.h"

#include "base/error.h"
#include "format/text.h"

void match_begin(struct matcher *matcher, struct run *run, uint32_t keys)
{
    *matcher = (struct matcher){.run = run, .set = run->program->keys[keys]};
}

/* A run's result of comparing: less, equal, greater. */

/* RFC 4790 section 9.1: the digits at the start; none are infinity. */
static struct slice digits_of(struct slice text)
{
    size_t size = 0;
    while (size < text.size && text.data[size] >= '0' && text.data[size] <= '9')
        size++;
    text.size = size;
    while (text.size > 1 && text.data[0] == '0')
        text = slice_make(text.data + 1, text.size - 1);
    return text;
}

static int compare_numbers(struct slice a, struct slice b)
{
    a = digits_of(a);
    b = digits_of(b);
    if (!a.size || !b.size)
        return (b.size > 0) - (a.size > 0);
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return slice_compare(a, b);
}

/* RFC 4790 section 9.2.1: ordered as if in upper case. Both are folded to lower case. */
static int compare_casemap(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.size && i < b.size; i++) {
        int x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];
        x -= x >= 'a' && x <= 'z' ? 32 : 0;
        y -= y >= 'a' && y <= 'z' ? 32 : 0;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static bool holds(enum match_relation relation, int order)
{
    switch (relation) {
    case RELATION_GT:
        return order > 0;
    case RELATION_GE:
        return order >= 0;
    case RELATION_LT:
        return order < 0;
    case RELATION_LE:
        return order <= 0;
    case RELATION_EQ:
        return order == 0;
    default:
        return order != 0;
    }
}

static struct slice lower_case(struct run *run, struct slice text)
{
    char *bytes = run_alloc(run, text.size);
    for (size_t i = 0; bytes && i < text.size; i++) {
        char c = text.data[i];
        bytes[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return slice_make(bytes, bytes ? text.size : 0);
}

/* The value as the comparator sees it; data == NULL after an error. */
static struct slice folded_value(struct matcher *matcher, struct value *value)
{
    static const struct slice none = {"", 0};
    struct run *run = matcher->run;
    if (!value->text.size)
        return none;
    if (matcher->set->comparator == COMPARATOR_ASCII_CASEMAP) {
        if (!value->folded.data)
            value->folded = lower_case(run, value->text);
        return value->folded;
    }
    if (matcher->set->comparator != COMPARATOR_UNICODE_CASEMAP)
        return value->text;
    buffer_clear(&run->scratch);
    if (text_search_key(value->text, &run->scratch))
        return run_fail(run, "a text is too long to be compared"), slice_make(NULL, 0);
    return buffer_slice(&run->scratch);
}

static bool contains(struct slice text, struct slice part)
{
    return !part.size ||
           (text.size >= part.size && memmem(text.data, text.size, part.data, part.size));
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size &&
           slice_equal(slice_sub(text, text.size - end.size, SIZE_MAX), end);
}

/* What wildcards stood for becomes ${1} and so on, all of it ${0}. Where folding changed the
 * length, the parts are those of the folded text. */
static void remember(struct matcher *matcher, const struct value *value, struct slice folded,
                     const struct match_span *spans, size_t count)
{
    struct run *run = matcher->run;
    if (!(run->program->code.flags & BYTECODE_VARIABLES) || matcher->forgets)
        return;
    struct slice source = folded.size == value->text.size ? value->text : folded;
    struct slice copy = run_copy(run, source);
    for (size_t i = 0; i < MATCH_VARIABLES; i++)
        run->matches[i] = slice_make("", 0);
    run->matches[0] = folded.size == value->text.size ? copy : run_copy(run, value->text);
    for (size_t i = 0; i < count && i + 1 < MATCH_VARIABLES; i++)
        run->matches[i + 1] = slice_sub(copy, spans[i].offset, spans[i].size);
}

static bool match_pattern(struct matcher *matcher, const struct value *value, struct slice folded,
                          const struct key *key)
{
    struct match_span spans[MATCH_VARIABLES - 1];
    size_t used = 0;
    enum glob_result result =
        glob_match(folded, key->folded, matcher->set->comparator == COMPARATOR_OCTET, spans,
                   MATCH_VARIABLES - 1, &used);
    if (result == GLOB_LIMIT)
        run_fail(matcher->run, "a pattern takes too long to be compared");
    if (result != GLOB_YES)
        return false;
    remember(matcher, value, folded, spans, used);
    return true;
}

static bool match_wildcards(struct matcher *matcher, const struct value *value, struct slice folded,
                            const struct key *key)
{
    bool may;
    switch (key->shape) {
    case KEY_EXACT:
        may = slice_equal(folded, key->core);
        break;
    case KEY_PREFIX:
        may = slice_starts_with(folded, key->core);
        break;
    case KEY_SUFFIX:
        may = ends_with(folded, key->core);
        break;
    case KEY_WITHIN:
        may = contains(folded, key->core);
        break;
    default:
        may = true;
        break;
    }
    if (may &&
        (key->shape == KEY_PATTERN || matcher->run->program->code.flags & BYTECODE_VARIABLES))
        return match_pattern(matcher, value, folded, key);
    return may;
}

/* draft-ietf-sieve-regex: the whole match is ${0}, groups are ${1} and so on. */
static bool match_regex(struct matcher *matcher, const struct value *value, const struct key *key)
{
    struct run *run = matcher->run;
    struct match_span spans[MATCH_VARIABLES];
    size_t count = MATCH_VARIABLES;
    int error = regex_match(key->regex, value->text, spans, &count);
    if (error == ERROR_LIMIT)
        run_fail(run, "a regular expression takes too long to be compared");
    if (error)
        return false;
    if (matcher->forgets || !(run->program->code.flags & BYTECODE_VARIABLES))
        return true;
    struct slice copy = run_copy(run, value->text);
    for (size_t i = 0; i < MATCH_VARIABLES; i++)
        run->matches[i] =
            i < count ? slice_sub(copy, spans[i].offset, spans[i].size) : slice_make("", 0);
    return true;
}

/* RFC 6134 section 2.2: whether an external list has the value. */
static bool match_list(struct matcher *matcher, const struct value *value, const struct key *key)
{
    struct run *run = matcher->run;
    bool contains = false;
    int error = run->host->list_contains
                    ? run->host->list_contains(run->host->arg, key->text, value->text, &contains)
                    : ERROR_NOT_FOUND;
    if (error == ERROR_NOT_FOUND)
        run_fail(run, "there is no list \"%.*s\"", QUOTED(key->text));
    else if (error)
        run_fail(run, "a list cannot be looked up: %s", error_text(error));
    return !error && contains;
}

static bool match_key(struct matcher *matcher, struct value *value, struct slice folded,
                      const struct key *key)
{
    enum match_comparator comparator = matcher->set->comparator;
    switch (matcher->set->type) {
    case MATCH_IS:
        return comparator == COMPARATOR_ASCII_NUMERIC ? compare_numbers(folded, key->folded) == 0
                                                      : slice_equal(folded, key->folded);
    case MATCH_CONTAINS:
        return contains(folded, key->folded);
    case MATCH_MATCHES:
        return match_wildcards(matcher, value, folded, key);
    case MATCH_REGEX:
        return match_regex(matcher, value, key);
    case MATCH_LIST:
        return match_list(matcher, value, key);
    case MATCH_VALUE:
        return holds(matcher->set->relation,
                     comparator == COMPARATOR_ASCII_NUMERIC   ? compare_numbers(folded, key->folded)
                     : comparator == COMPARATOR_ASCII_CASEMAP ? compare_casemap(folded, key->folded)
                                                              : slice_compare(folded, key->folded));
    default:
        return false;
    }
}

/* The key, made ready when it names variables. NULL after an error. */
static const struct key *ready_key(struct matcher *matcher, size_t index, struct key *made)
{
    const struct keyset *set = matcher->set;
    if (set->keys[index].constant)
        return &set->keys[index];
    struct slice text = run_list_at(matcher->run, set->list, index);
    if (matcher->run->failed)
        return NULL;
    int error = key_prepare(set, text, &matcher->run->arena, made);
    if (error == ERROR_SYNTAX)
        return run_fail(matcher->run, "\"%.*s\" is no regular expression", QUOTED(text)), NULL;
    if (error)
        return run_fail(matcher->run, "the script needs too much memory"), NULL;
    return made;
}

bool match_value(struct matcher *matcher, struct value *value)
{
    const struct keyset *set = matcher->set;
    matcher->count++;
    if (set->type == MATCH_COUNT || matcher->found)
        return matcher->found;
    if (!run_charge(matcher->run, set->count * (1 + value->text.size / 64)))
        return true;
    struct slice folded = folded_value(matcher, value);
    for (size_t i = 0; i < set->count && !matcher->found && folded.data; i++) {
        struct key made = {0};
        const struct key *key = ready_key(matcher, i, &made);
        matcher->found = key && match_key(matcher, value, folded, key);
        regex_free(&made.regex);
        if (!set->keys[i].constant && set->comparator == COMPARATOR_UNICODE_CASEMAP)
            folded = folded_value(matcher, value); /* expanding used the scratch buffer */
    }
    return matcher->found || matcher->run->failed;
}

bool match_text(struct matcher *matcher, struct slice text)
{
    struct value value = {.text = text};
    return match_value(matcher, &value);
}

int match_end(struct matcher *matcher)
{
    struct run *run = matcher->run;
    const struct keyset *set = matcher->set;
    if (set->type == MATCH_COUNT) {
        char digits[24];
        int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)matcher->count);
        for (size_t i = 0; i < set->count && !matcher->found; i++) {
            struct key made = {0};
            const struct key *key = ready_key(matcher, i, &made);
            matcher->found =
                key &&
                holds(set->relation, compare_numbers(slice_make(digits, (size_t)size), key->text));
            regex_free(&made.regex);
        }
    }
    run->truth = matcher->found;
    return run->failed ? ERROR_SYNTAX : 0;
}
