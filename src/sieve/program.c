/*
 * Loading: the words are copied and verified, and what all runs share is worked out once.
 */
#include "sieve/program_priv.h"

#include "base/error.h"
#include "format/text.h"

enum { PROGRAM_MEMORY_MAXIMUM = 64 * 1024 * 1024 }; /* bytes, for one program's tables */

static struct slice fold(enum match_comparator comparator, struct slice text, struct arena *arena)
{
    if (comparator == COMPARATOR_UNICODE_CASEMAP) {
        struct buffer key;
        buffer_init(&key, arena->maximum);
        text_search_key(text, &key);
        struct slice folded = arena_copy(arena, buffer_slice(&key));
        buffer_release(&key);
        return folded;
    }
    struct slice copy = arena_copy(arena, text);
    if (comparator == COMPARATOR_ASCII_CASEMAP && copy.data) {
        char *bytes = (char *)copy.data;
        for (size_t i = 0; i < copy.size; i++)
            if (bytes[i] >= 'A' && bytes[i] <= 'Z')
                bytes[i] = (char)(bytes[i] + 32);
    }
    return copy;
}

/* The pattern's text without escapes when its only wildcards are a * at its start or end; false
 * for any other pattern. */
static bool plain_core(struct slice pattern, struct arena *arena, struct slice *core)
{
    char *out = arena_alloc(arena, pattern.size + 1);
    size_t size = 0;
    for (size_t i = 0; out && i < pattern.size; i++) {
        char c = pattern.data[i];
        if (c == '*' || c == '?')
            return false;
        if (c == '\\' && i + 1 < pattern.size)
            c = pattern.data[++i];
        out[size++] = c;
    }
    *core = slice_make(out, size);
    return out != NULL;
}

/* Whether the byte before the last is not an escape of it. */
static bool ends_in_star(struct slice pattern)
{
    size_t escapes = 0;
    if (!pattern.size || pattern.data[pattern.size - 1] != '*')
        return false;
    while (escapes + 1 < pattern.size && pattern.data[pattern.size - 2 - escapes] == '\\')
        escapes++;
    return escapes % 2 == 0;
}

static void find_shape(struct key *key, struct arena *arena)
{
    struct slice pattern = key->folded;
    bool suffix = pattern.size && pattern.data[0] == '*';
    if (slice_equal(pattern, SLICE("*"))) {
        key->shape = KEY_ANYTHING;
        return;
    }
    if (suffix)
        pattern = slice_sub(pattern, 1, SIZE_MAX);
    bool prefix = ends_in_star(pattern);
    if (prefix)
        pattern.size--;
    key->shape = !plain_core(pattern, arena, &key->core) ? KEY_PATTERN
                 : suffix && prefix                      ? KEY_WITHIN
                 : suffix                                ? KEY_SUFFIX
                 : prefix                                ? KEY_PREFIX
                                                         : KEY_EXACT;
}

int key_prepare(const struct keyset *set, struct slice text, struct arena *arena, struct key *key)
{
    char problem[SIEVE_PROBLEM_TEXT_MAXIMUM];
    *key = (struct key){.constant = true, .text = text};
    if (set->type == MATCH_REGEX)
        return regex_compile(text, set->comparator, &key->regex, problem);
    key->folded = fold(set->comparator, text, arena);
    if (set->type == MATCH_MATCHES)
        find_shape(key, arena);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

static void load_strings(struct sieve_program *program)
{
    const struct bytecode *code = &program->code;
    for (uint32_t i = 0; i < code->constant_count; i++) {
        const struct constant *constant = &code->constants[i];
        if (constant->kind != CONSTANT_STRING)
            continue;
        program->strings[i] = slice_make(code->bytes + constant->a, constant->b);
        program->hashes[i] = name_hash(program->strings[i]);
    }
}

static int load_keys(struct sieve_program *program, const struct constant *constant,
                     struct keyset **result)
{
    const struct bytecode *code = &program->code;
    const struct constant *list = &code->constants[constant->a];
    struct keyset *set = arena_alloc(&program->arena, sizeof(*set));
    if (!set)
        return ERROR_LIMIT;
    *result = set;
    set->type = (enum match_type)(constant->b & 0xff);
    set->comparator = (enum match_comparator)(constant->b >> 8 & 0xff);
    set->relation = (enum match_relation)(constant->b >> 16);
    set->list = constant->a;
    set->keys = arena_alloc_array(&program->arena, list->b, sizeof(*set->keys));
    if (!set->keys)
        return ERROR_LIMIT;
    set->count = list->b;
    int error = 0;
    for (uint32_t i = 0; i < list->b && !error; i++) {
        uint32_t member = code->items[list->a + i];
        if (code->constants[member].kind == CONSTANT_STRING)
            error = key_prepare(set, program->strings[member], &program->arena, &set->keys[i]);
        if (set->keys[i].regex)
            program->memory += regex_memory(set->keys[i].regex);
    }
    return error;
}

static int load_tables(struct sieve_program *program)
{
    uint32_t count = program->code.constant_count;
    program->strings = arena_alloc_array(&program->arena, count, sizeof(*program->strings));
    program->hashes = arena_alloc_array(&program->arena, count, sizeof(*program->hashes));
    program->keys = arena_alloc_array(&program->arena, count, sizeof(*program->keys));
    if (arena_failed(&program->arena))
        return ERROR_LIMIT;
    load_strings(program);
    int error = 0;
    for (uint32_t i = 0; i < count && !error; i++)
        if (program->code.constants[i].kind == CONSTANT_KEYS)
            error = load_keys(program, &program->code.constants[i], &program->keys[i]);
    return error;
}

int sieve_program_load(struct slice bytecode, const struct sieve_options *options,
                       struct sieve_program **program)
{
    if (bytecode.size > SIEVE_BYTECODE_MAXIMUM)
        return ERROR_LIMIT;
    struct sieve_program *loaded = calloc(1, sizeof(*loaded));
    uint32_t *words = malloc(bytecode.size + sizeof(uint32_t));
    if (!loaded || !words) {
        free(loaded);
        free(words);
        return ERROR_MEMORY;
    }
    if (bytecode.size)
        memcpy(words, bytecode.data, bytecode.size);
    loaded->words = words;
    loaded->options = options;
    arena_init(&loaded->arena, PROGRAM_MEMORY_MAXIMUM);
    int error = bytecode_verify(words, bytecode.size, options, &loaded->code);
    if (!error)
        error = load_tables(loaded);
    loaded->memory += sizeof(*loaded) + bytecode.size + loaded->arena.used;
    if (error)
        sieve_program_free(&loaded);
    else
        *program = loaded;
    return error;
}

size_t sieve_program_memory(const struct sieve_program *program)
{
    return program->memory;
}

void sieve_program_free(struct sieve_program **program)
{
    struct sieve_program *old = *program;
    if (!old)
        return;
    *program = NULL;
    for (uint32_t i = 0; old->keys && i < old->code.constant_count; i++)
        for (size_t j = 0; old->keys[i] && j < old->keys[i]->count; j++)
            pcre2_code_free(old->keys[i]->keys[j].regex);
    arena_release(&old->arena);
    free(old->words);
    free(old);
}
