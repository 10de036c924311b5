/*
 * :regex (draft-ietf-sieve-regex) with PCRE2, without its JIT compiler: each comparison has a limit
 * of steps and of depth.
 */
#include "base/error.h"
#include "sieve/match_priv.h"

int regex_compile(struct slice pattern, enum match_comparator comparator, pcre2_code **code,
                  char text[SIEVE_PROBLEM_TEXT_MAXIMUM])
{
    int number;
    PCRE2_SIZE offset, size = 0;
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_MULTILINE;
    if (pattern.size > SIEVE_REGEX_MAXIMUM) {
        snprintf(text, SIEVE_PROBLEM_TEXT_MAXIMUM, "a regular expression may have %d bytes",
                 SIEVE_REGEX_MAXIMUM);
        return ERROR_LIMIT;
    }
    if (comparator == COMPARATOR_ASCII_CASEMAP || comparator == COMPARATOR_UNICODE_CASEMAP)
        options |= PCRE2_CASELESS;
    pcre2_code *made =
        pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size, options, &number, &offset, NULL);
    if (!made) {
        char reason[120];
        pcre2_get_error_message(number, (PCRE2_UCHAR *)reason, sizeof(reason));
        snprintf(text, SIEVE_PROBLEM_TEXT_MAXIMUM, "this is no regular expression: %s, at byte %zu",
                 reason, offset + 1);
        return ERROR_SYNTAX;
    }
    pcre2_pattern_info(made, PCRE2_INFO_SIZE, &size);
    if (size > SIEVE_REGEX_MEMORY_MAXIMUM) {
        pcre2_code_free(made);
        snprintf(text, SIEVE_PROBLEM_TEXT_MAXIMUM, "this regular expression is too large");
        return ERROR_LIMIT;
    }
    *code = made;
    return 0;
}

size_t regex_memory(const pcre2_code *code)
{
    PCRE2_SIZE size = 0;
    pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
    return size;
}

void regex_free(pcre2_code **code)
{
    pcre2_code_free(*code);
    *code = NULL;
}

static void take_spans(pcre2_match_data *data, int found, struct match_span *spans, size_t *count)
{
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(data);
    size_t groups = found > 0 ? (size_t)found : *count; /* 0: more than there is room for */
    *count = groups < *count ? groups : *count;
    for (size_t i = 0; i < *count; i++) {
        bool set = offsets[2 * i] != PCRE2_UNSET && offsets[2 * i + 1] >= offsets[2 * i];
        spans[i].offset = set ? offsets[2 * i] : 0;
        spans[i].size = set ? offsets[2 * i + 1] - offsets[2 * i] : 0;
    }
}

int regex_match(const pcre2_code *code, struct slice text, struct match_span *spans, size_t *count)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create((uint32_t)*count, NULL);
    int found = PCRE2_ERROR_NOMEMORY;
    if (context && data) {
        pcre2_set_match_limit(context, SIEVE_REGEX_STEPS_MAXIMUM);
        pcre2_set_depth_limit(context, SIEVE_REGEX_DEPTH_MAXIMUM);
        found = pcre2_match(code, (PCRE2_SPTR)(text.size ? text.data : ""), text.size, 0, 0, data,
                            context);
        if (found >= 0)
            take_spans(data, found, spans, count);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT ||
        found == PCRE2_ERROR_HEAPLIMIT || found == PCRE2_ERROR_NOMEMORY)
        return ERROR_LIMIT;
    return found >= 0 ? 0 : ERROR_NOT_FOUND; /* a text that is not UTF-8 matches nothing */
}
