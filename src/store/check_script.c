/*
 * Sieve scripts: each name in the record of all has a text of the size that it says, and each text
 * has a name.
 */
#include "base/error.h"
#include "store/check_priv.h"
#include "store/script_priv.h"

struct checked_scripts {
    struct scripts_record record;
    bool found[SCRIPTS_MAXIMUM]; /* the text of that row */
    bool changed;
};

static struct script_row *find_row(struct checked_scripts *scripts, uint64_t id, size_t *at)
{
    for (*at = 0; *at < scripts->record.count; ++*at)
        if (scripts->record.list[*at].id == id)
            return &scripts->record.list[*at];
    return NULL;
}

/* Where rows are sorted by name. */
static int add_row(struct check *check, uint32_t id, size_t size)
{
    struct checked_scripts *scripts = check->scripts;
    struct scripts_record *record = &scripts->record;
    char name[32];
    int length = snprintf(name, sizeof(name), "Recovered %u", id);
    struct script_row row = {.id = id,
                             .size = (uint32_t)size,
                             .modseq = check->account->modseq,
                             .name = arena_copy(&check->arena, slice_make(name, (size_t)length))};
    size_t at = record->count;
    if (arena_failed(&check->arena))
        return ERROR_LIMIT;
    for (; at > 0 && slice_compare(record->list[at - 1].name, row.name) >= 0; at--) {
        record->list[at] = record->list[at - 1];
        scripts->found[at] = scripts->found[at - 1];
    }
    record->list[at] = row;
    record->count++;
    if (record->next_id <= id)
        record->next_id = id + 1;
    scripts->found[at] = scripts->changed = true;
    return 0;
}

static int look_at_text(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    struct slice text;
    size_t at;
    (void)key;
    if (!numbers || !numbers[0] || numbers[0] >= UINT32_MAX || script_record_read(value, &text))
        return 0; /* check_rest tells */
    struct script_row *row = find_row(check->scripts, numbers[0], &at);
    if (!row && check_wrong(check, "a Sieve script has no name") &&
        check->scripts->record.count < SCRIPTS_MAXIMUM)
        return add_row(check, (uint32_t)numbers[0], text.size);
    if (!row)
        return 0;
    check->scripts->found[at] = true;
    if (row->size != text.size &&
        check_wrong(check, "the size of the Sieve script %.*s", SLICE_FORMAT(row->name))) {
        row->size = (uint32_t)text.size;
        check->scripts->changed = true;
    }
    return 0;
}

/* Rows whose text is not there. */
static void drop_rows(struct check *check)
{
    struct checked_scripts *scripts = check->scripts;
    struct scripts_record *record = &scripts->record;
    size_t kept = 0;
    for (size_t i = 0; i < record->count; i++) {
        const struct script_row *row = &record->list[i];
        if (check->highest_modseq < row->modseq)
            check->highest_modseq = row->modseq;
        if (scripts->found[i]) {
            record->list[kept++] = *row;
            continue;
        }
        check_lost(check, "the text of the Sieve script %.*s", SLICE_FORMAT(row->name));
        record->active = record->active == row->id ? 0 : record->active;
        scripts->changed = true;
    }
    record->count = kept;
}

static int write_back(struct check *check)
{
    struct key key;
    if (!check->change || !check->scripts->changed)
        return 0;
    scripts_record_write(&check->scripts->record, &check->change->value);
    return change_put(check->change, key_numbers(&key, KEY_SCRIPTS, 0, NULL),
                      &check->change->value);
}

int check_scripts(struct check *check)
{
    struct checked_scripts scripts = {0};
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = scripts_load(check->transaction, &value, &scripts.record);
    if (error == ERROR_CORRUPT) {
        check_wrong(check, "the names of the Sieve scripts cannot be read");
        check_lost(check, "the names of the Sieve scripts");
        scripts = (struct checked_scripts){.record.next_id = 1, .changed = true};
        error = 0;
    }
    check->scripts = &scripts;
    if (!error)
        error = check_each(check, KEY_SCRIPT, 1, look_at_text);
    if (!error) {
        drop_rows(check);
        error = write_back(check);
    }
    check->scripts = NULL;
    buffer_release(&value);
    return error;
}
