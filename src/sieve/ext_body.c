/*
 * body (RFC 5173).
 */
#include "base/error.h"
#include "sieve/match_priv.h"

enum { BODY_TEXT, BODY_RAW, BODY_CONTENT };

static const struct tag body_tags[] = {
    {"text", EXT_BASE, TAG_CHOICE, 0, BODY_TEXT},
    {"raw", EXT_BASE, TAG_CHOICE, 0, BODY_RAW},
    {"content", EXT_BASE, TAG_VALUE, 2, 0},
    {0},
};

static void check_body(struct validator *validator, struct command *command)
{
    if (operand_strings(command, 2) && command->operands[0].kind == OPERAND_WORD)
        validator_error(validator, command->line, command->column,
                        ":content does not go together with :raw or :text");
}

/* Section 5.2: "" is all, "text" any text, "text/plain" itself. */
static bool is_wanted(struct slice wanted, const struct mime_part *part)
{
    size_t slash = slice_find(wanted, '/');
    if (!wanted.size)
        return true;
    if (slash == wanted.size)
        return slice_equal_nocase(wanted, part->type.type);
    return slice_equal_nocase(slice_sub(wanted, 0, slash), part->type.type) &&
           slice_equal_nocase(slice_sub(wanted, slash + 1, SIZE_MAX), part->type.subtype);
}

static bool is_any_wanted(struct run *run, uint32_t types, const struct mime_part *part)
{
    bool wanted = false;
    for (size_t i = 0; i < run_list_size(run, types) && !wanted; i++)
        wanted = is_wanted(run_list_at(run, types, i), part);
    return wanted;
}

/* A line's start, or the body's end, from the offset back: the delimiter before it left out. */
static size_t line_start(struct slice source, size_t floor, size_t offset)
{
    while (offset > floor && source.data[offset - 1] != '\n')
        offset--;
    return offset;
}

/* What is before the first part and behind the last one. */
static bool match_multipart(struct matcher *matcher, const struct mime_part *part)
{
    struct slice source = matcher->run->message.source;
    const struct mime_part *first = part->children, *last = first;
    size_t end = part->body_offset + part->body_size;
    if (!first)
        return match_text(matcher, slice_sub(source, part->body_offset, part->body_size));
    while (last->next)
        last = last->next;
    size_t prologue = first->header_offset;
    if (prologue > part->body_offset)
        prologue = line_start(source, part->body_offset, prologue - 1);
    if (match_text(matcher, slice_sub(source, part->body_offset, prologue - part->body_offset)))
        return true;
    struct slice rest = slice_sub(source, 0, end);
    size_t at = last->body_offset + last->body_size;
    for (int lines = 0; lines < 2 && at < end; lines++) /* the body's line end, the delimiter */
        at += slice_find(slice_sub(rest, at, SIZE_MAX), '\n') + 1;
    return match_text(matcher, slice_sub(rest, at < end ? at : end, SIZE_MAX));
}

static bool match_part(struct matcher *matcher, const struct mime_part *part, bool markup)
{
    struct slice source = matcher->run->message.source;
    if (part->media == MIME_MULTIPART)
        return match_multipart(matcher, part);
    if (part->media == MIME_MESSAGE && part->children)
        return match_text(matcher,
                          slice_sub(source, part->children->header_offset,
                                    part->children->body_offset - part->children->header_offset));
    struct value *value = message_part_text(&matcher->run->message, part, markup);
    if (!value)
        return run_fail(matcher->run, "the message's body is too large"), true;
    return match_value(matcher, value);
}

static int match_parts(struct matcher *matcher, const uint32_t *operands)
{
    struct run *run = matcher->run;
    bool content = operands[2] != NO_CONSTANT, done = false;
    if (!run_tree(run))
        return ERROR_SYNTAX;
    const struct mime_part *whole = run_whole(run);
    for (const struct mime_part *part = whole ? whole : run->message.tree.root;
         !done && !run->failed && part_is_within(part, whole); part = mime_part_next(part)) {
        if (content && is_any_wanted(run, operands[2], part))
            done = match_part(matcher, part, true);
        else if (!content && part->media == MIME_LEAF &&
                 slice_equal(part->type.type, SLICE("TEXT")))
            done = match_part(matcher, part, false);
    }
    return 0;
}

/* Section 4: without an empty line behind the header there is no body, not even an empty one. */
static bool has_body(const struct message *message)
{
    struct slice source = message->source;
    size_t end = source.size;
    if (message->source_body.size)
        return true;
    if (!end || source.data[--end] != '\n')
        return false;
    if (end && source.data[end - 1] == '\r')
        end--;
    return end == 0 || source.data[end - 1] == '\n';
}

/* Operands: 0 the transform, 1 keys, 2 the types of :content or none. */
static int run_body(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    match_begin(&matcher, run, operands[1]);
    matcher.forgets = true; /* section 6 */
    if (message_is_changed(&run->message, NULL) && !run_tree(run))
        return ERROR_SYNTAX;
    const struct mime_part *whole = run_whole(run);
    struct slice raw = run->message.source_body;
    if (whole)
        raw = slice_sub(run->message.source, whole->body_offset, whole->body_size);
    if (!whole && !has_body(&run->message))
        return match_end(&matcher);
    if (operands[2] == NO_CONSTANT && operands[0] == BODY_RAW)
        match_text(&matcher, raw);
    else if (match_parts(&matcher, operands))
        return ERROR_SYNTAX;
    return match_end(&matcher);
}

const struct definition definition_body = {.name = "body",
                                           .extension = EXT_BODY,
                                           .test = true,
                                           .operands = "wkL",
                                           .positions = "b",
                                           .tags = {match_tags, body_tags},
                                           .check = check_body,
                                           .run = run_body};
