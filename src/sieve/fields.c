/*
 * The header fields that a test is about.
 */
#include "sieve/fields_priv.h"

void check_index(struct validator *validator, const struct command *command, unsigned flags,
                 unsigned number)
{
    const struct operand *index = &command->operands[number];
    if (command->operands[flags].word & FIELDS_LAST && index->kind == OPERAND_NONE)
        validator_error(validator, command->line, command->column, ":last needs :index");
    if (index->kind == OPERAND_ARGUMENT && !index->argument->number)
        validator_error(validator, index->argument->line, index->argument->column,
                        ":index counts from 1");
}

struct value *run_field_value(struct run *run, struct field *field)
{
    struct value *value = field_value(field, &run->arena);
    if (!value)
        run_fail(run, "the message's header is too large");
    return value;
}

struct field *field_at(const struct header *header, struct slice name, uint32_t hash,
                       uint64_t index, bool last)
{
    struct field *field = header_find(header, name, hash);
    uint64_t count = 0;
    if (last) {
        for (const struct field *other = field; other; other = header_find_next(header, other))
            count++;
        if (index > count)
            return NULL;
        index = count - index + 1;
    }
    for (; field && index > 1; index--)
        field = header_find_next(header, field);
    return field;
}

void check_anychild(struct validator *validator, const struct command *command)
{
    uint32_t word = command->operands[0].word;
    if (word & FIELDS_ANYCHILD && !(word & FIELDS_MIME))
        validator_error(validator, command->line, command->column, ":anychild needs :mime");
}

static void use_part(struct field_walk *walk, const struct mime_part *part)
{
    walk->part = part;
    walk->name = 0;
    walk->header = part ? message_part_header(&walk->run->message, part) : NULL;
    if (part && !walk->header)
        run_fail(walk->run, "the message has too many parts");
}

void field_walk_begin(struct field_walk *walk, struct run *run, uint32_t names, uint32_t index,
                      uint32_t flags)
{
    *walk = (struct field_walk){.run = run,
                                .header = run_whole_header(run),
                                .names = names,
                                .children = (flags & FIELDS_ANYCHILD) != 0,
                                .index = run_number(run, index, 0),
                                .last = (flags & FIELDS_LAST) != 0};
    if (!(flags & FIELDS_MIME) || (!run->part && !walk->children))
        return;
    walk->scope = run_part(run);
    if (!walk->scope)
        walk->scope = run_whole(run);
    if (!run->failed && (walk->scope || run_tree(run)))
        use_part(walk, walk->scope ? walk->scope : run->message.tree.root);
    else
        walk->header = NULL;
    if (!walk->scope)
        walk->scope = walk->part;
}

/* Goes on to the next part within the one at hand; false when there is none. */
static bool next_header(struct field_walk *walk)
{
    if (!walk->part || !walk->children)
        return false;
    const struct mime_part *part = mime_part_next(walk->part), *outer = part;
    while (outer && outer != walk->scope)
        outer = outer->parent;
    use_part(walk, outer ? part : NULL);
    return walk->header != NULL;
}

static struct field *first_of_name(struct field_walk *walk)
{
    struct run *run = walk->run;
    uint32_t constant = run_list_constant(run, walk->names, walk->name++);
    struct slice name = run_string(run, constant);
    uint32_t hash = run->program->code.constants[constant].kind == CONSTANT_STRING
                        ? run->program->hashes[constant]
                        : name_hash(name);
    return walk->index ? field_at(walk->header, name, hash, walk->index, walk->last)
                       : header_find(walk->header, name, hash);
}

struct field *field_walk_next(struct field_walk *walk)
{
    if (walk->field)
        walk->field = walk->index ? NULL : header_find_next(walk->header, walk->field);
    while (!walk->field && walk->header && !walk->run->failed) {
        if (walk->only && walk->name < walk->only - 1)
            walk->name = walk->only - 1;
        if (walk->name < (walk->only ? walk->only : run_list_size(walk->run, walk->names)))
            walk->field = first_of_name(walk);
        else if (!next_header(walk) || !run_charge(walk->run, 1))
            break;
    }
    return walk->field;
}
