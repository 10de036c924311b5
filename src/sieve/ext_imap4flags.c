/*
 * imap4flags (RFC 5232): setflag, addflag, removeflag, hasflag, and :flags of other actions.
 *
 * A set of flags is a string with blanks between them. Flags that IMAP does not know or lets nobody
 * set are ignored.
 */
#include "base/error.h"
#include "sieve/match_priv.h"

enum { FLAGS_MAXIMUM = 256 }; /* of one set; further ones are ignored */

/* The next word; empty at the end. */
static struct slice next_word(struct slice *rest)
{
    while (rest->size && rest->data[0] == ' ')
        *rest = slice_sub(*rest, 1, SIZE_MAX);
    struct slice word = slice_sub(*rest, 0, slice_find(*rest, ' '));
    *rest = slice_sub(*rest, word.size, SIZE_MAX);
    return word;
}

/* RFC 9051 section 9: flag, but not \Recent; a keyword is an atom. */
static bool is_flag(struct slice word)
{
    static const char *const system[] = {"\\Seen",    "\\Answered", "\\Flagged",
                                         "\\Deleted", "\\Draft",    NULL};
    if (word.size && word.data[0] == '\\') {
        const char *const *name = system;
        while (*name && !slice_equal_nocase(word, slice_from_string(*name)))
            name++;
        return *name != NULL;
    }
    for (size_t i = 0; i < word.size; i++)
        if (word.data[i] <= ' ' || word.data[i] >= 0x7f || strchr("(){%*\"\\]", word.data[i]))
            return false;
    return word.size > 0;
}

struct flag_set {
    struct slice *flags; /* FLAGS_MAXIMUM */
    size_t count;
};

static size_t find_flag(const struct flag_set *set, struct slice flag)
{
    size_t i = 0;
    while (i < set->count && !slice_equal_nocase(set->flags[i], flag))
        i++;
    return i;
}

static void add_flags(struct run *run, struct flag_set *set, struct slice text)
{
    for (struct slice word; (word = next_word(&text)).size;) {
        if (!run_charge(run, 1 + set->count))
            return;
        if (is_flag(word) && set->count < FLAGS_MAXIMUM && find_flag(set, word) == set->count)
            set->flags[set->count++] = word;
    }
}

static void remove_flags(struct flag_set *set, struct slice text)
{
    for (struct slice word; (word = next_word(&text)).size;) {
        size_t at = find_flag(set, word);
        if (at == set->count)
            continue;
        set->count--;
        memmove(set->flags + at, set->flags + at + 1, (set->count - at) * sizeof(*set->flags));
    }
}

static void begin_set(struct run *run, struct flag_set *set)
{
    set->count = 0;
    set->flags = run_alloc(run, FLAGS_MAXIMUM * sizeof(*set->flags));
}

static struct slice set_text(struct run *run, const struct flag_set *set)
{
    size_t size = 0, at = 0;
    for (size_t i = 0; i < set->count; i++)
        size += set->flags[i].size + 1;
    char *text = run_alloc(run, size + 1);
    for (size_t i = 0; text && i < set->count; i++) {
        if (i)
            text[at++] = ' ';
        memcpy(text + at, set->flags[i].data, set->flags[i].size);
        at += set->flags[i].size;
    }
    return slice_make(text, at);
}

void begin_flags(struct run *run, const struct slice *flags, size_t count)
{
    struct flag_set set;
    begin_set(run, &set);
    for (size_t i = 0; i < count && set.flags; i++)
        add_flags(run, &set, flags[i]);
    run->flags = set_text(run, &set);
    run->has_flags = true;
}

void action_flags(struct run *run, struct sieve_action *action, uint32_t flags)
{
    struct flag_set set;
    if (flags == NO_CONSTANT && !run->has_flags)
        return;
    begin_set(run, &set);
    if (!set.flags)
        return;
    if (flags == NO_CONSTANT)
        add_flags(run, &set, run->flags);
    for (size_t i = 0; i < run_list_size(run, flags); i++)
        add_flags(run, &set, run_list_at(run, flags, i));
    action->flags_given = true;
    action->flags = set.flags;
    action->flag_count = set.count;
}

const struct slice *run_flags(struct run *run, uint32_t list, size_t *count)
{
    struct flag_set set = {.count = 0};
    if (run_list_size(run, list))
        begin_set(run, &set);
    for (size_t i = 0; i < run_list_size(run, list) && set.flags; i++)
        add_flags(run, &set, run_list_at(run, list, i));
    *count = set.count;
    return set.flags;
}

/* Operands of the three: 0 the variable or none, 1 flags. */
static int change_flags(struct run *run, const uint32_t *operands, bool keep, bool take)
{
    struct flag_set set;
    uint32_t variable = operands[0];
    begin_set(run, &set);
    if (!set.flags)
        return ERROR_SYNTAX;
    if (keep)
        add_flags(run, &set, variable == NO_CONSTANT ? run->flags : *run->variables[variable]);
    for (size_t i = 0; i < run_list_size(run, operands[1]); i++) {
        struct slice text = run_list_at(run, operands[1], i);
        if (take)
            remove_flags(&set, text);
        else
            add_flags(run, &set, text);
    }
    struct slice text = set_text(run, &set);
    if (run->failed)
        return ERROR_SYNTAX;
    if (variable != NO_CONSTANT)
        run_set_variable(run, variable, text);
    else
        run->flags = text;
    run->has_flags |= variable == NO_CONSTANT;
    run_trace(run, "flags are \"%.*s\"", QUOTED(text));
    return 0;
}

static int run_setflag(struct run *run, const uint32_t *operands)
{
    return change_flags(run, operands, false, false);
}

static int run_addflag(struct run *run, const uint32_t *operands)
{
    return change_flags(run, operands, true, false);
}

static int run_removeflag(struct run *run, const uint32_t *operands)
{
    return change_flags(run, operands, true, true);
}

const struct definition definition_setflag = {.name = "setflag",
                                              .extension = EXT_IMAP4FLAGS,
                                              .operands = "Vl",
                                              .positions = "ab",
                                              .first_optional = true,
                                              .run = run_setflag};

const struct definition definition_addflag = {.name = "addflag",
                                              .extension = EXT_IMAP4FLAGS,
                                              .operands = "Vl",
                                              .positions = "ab",
                                              .first_optional = true,
                                              .run = run_addflag};

const struct definition definition_removeflag = {.name = "removeflag",
                                                 .extension = EXT_IMAP4FLAGS,
                                                 .operands = "Vl",
                                                 .positions = "ab",
                                                 .first_optional = true,
                                                 .run = run_removeflag};

/* hasflag: variables are named, not quoted: "name" is made "${name}". */
static void check_hasflag(struct validator *validator, struct command *command)
{
    struct tree_string *string = (struct tree_string *)operand_strings(command, 1);
    if (string)
        validator_needs(validator, command, EXT_VARIABLES, "a variable's name ", string->text);
    for (; string; string = string->next) {
        struct buffer text;
        buffer_init(&text, SIEVE_STRING_MAXIMUM);
        buffer_append_format(&text, "${%.*s}", SLICE_FORMAT(string->text));
        string->text = arena_copy(validator_arena(validator), buffer_slice(&text));
        buffer_release(&text);
    }
}

/* The keys with each word a key of its own (section 2). NULL after an error. */
static const struct keyset *split_keys(struct run *run, const struct keyset *set)
{
    struct keyset *split = run_alloc(run, sizeof(*split));
    size_t count = 0;
    if (!split)
        return NULL;
    *split = *set;
    split->keys = run_alloc(run, FLAGS_MAXIMUM * sizeof(*split->keys));
    for (size_t i = 0; split->keys && i < set->count; i++) {
        struct slice text = run_list_at(run, set->list, i);
        for (struct slice word; (word = next_word(&text)).size && count < FLAGS_MAXIMUM;)
            if (key_prepare(set, word, &run->arena, &split->keys[count++]))
                return run_fail(run, "the script needs too much memory"), NULL;
    }
    split->count = count;
    return split->keys ? split : NULL;
}

static bool match_flags(struct matcher *matcher, struct slice text)
{
    struct flag_set set;
    bool done = false;
    begin_set(matcher->run, &set);
    if (!set.flags)
        return true;
    add_flags(matcher->run, &set, text);
    for (size_t i = 0; i < set.count && !done; i++)
        done = match_text(matcher, set.flags[i]);
    return done;
}

/* Operands: 0 keys, 1 variables or none. */
static int run_hasflag(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    bool done = false;
    match_begin(&matcher, run, operands[0]);
    if (matcher.set->type != MATCH_COUNT)
        matcher.set = split_keys(run, matcher.set);
    if (!matcher.set)
        return ERROR_SYNTAX;
    if (operands[1] == NO_CONSTANT)
        match_flags(&matcher, run->flags);
    for (size_t i = 0; i < run_list_size(run, operands[1]) && !done; i++)
        done = match_flags(&matcher, run_list_at(run, operands[1], i));
    return match_end(&matcher);
}

const struct definition definition_hasflag = {.name = "hasflag",
                                              .extension = EXT_IMAP4FLAGS,
                                              .test = true,
                                              .operands = "kL",
                                              .positions = "ba",
                                              .tags = {match_tags},
                                              .first_optional = true,
                                              .check = check_hasflag,
                                              .run = run_hasflag};
