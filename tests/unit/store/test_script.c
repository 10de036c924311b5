/*
 * Sieve scripts of an account: names, texts, which one is active, limits, and who may.
 */
#include "store/changes.h"
#include "store/script.h"
#include "store_test.h"

static int put(struct fixture *f, const char *name, const char *text)
{
    return script_put(f->view, slice_from_string(name), slice_from_string(text));
}

static int activate(struct fixture *f, const char *name)
{
    return script_activate(f->view, slice_from_string(name));
}

static int delete_named(struct fixture *f, const char *name)
{
    return script_delete(f->view, slice_from_string(name));
}

static int rename_named(struct fixture *f, const char *name, const char *to)
{
    return script_rename(f->view, slice_from_string(name), slice_from_string(to));
}

/* "a *b", the active one with a star. */
static const char *names(struct fixture *f)
{
    struct script *list = NULL;
    struct buffer text;
    size_t count = 0;
    buffer_init(&text, 1 << 20);
    assert_int_equal(script_list(f->view, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&text, "%s%s%.*s", i ? " " : "", list[i].active ? "*" : "",
                             SLICE_FORMAT(list[i].name));
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

static struct script find(struct fixture *f, const char *name)
{
    struct script script = {0};
    struct slice wanted = name ? slice_from_string(name) : (struct slice){NULL, 0};
    assert_int_equal(script_find(f->view, wanted, &f->arena, &script), 0);
    return script;
}

/* The text, or the error's name. */
static const char *read_text(struct fixture *f, const struct script *script)
{
    struct buffer text;
    buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
    buffer_append_string(&text, "-");
    int error = script_read(f->view, script, &text);
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return error ? error_name(error) : copy + 1;
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct script none;
    assert_string_equal(names(f), "");
    assert_int_equal(script_find(f->view, SLICE("a"), &f->arena, &none), ERROR_NOT_FOUND);
    assert_int_equal(script_find(f->view, (struct slice){NULL, 0}, &f->arena, &none),
                     ERROR_NOT_FOUND);
    assert_int_equal(put(f, "b", "keep;"), 0);
    assert_int_equal(put(f, "a", "discard;"), 0);
    assert_int_equal(put(f, "A", ""), 0);
    assert_string_equal(names(f), "A a b");
    assert_int_equal(activate(f, "a"), 0);
    reopen(f);
    assert_string_equal(names(f), "A *a b");
    struct script active = find(f, NULL);
    assert_slice_equal(active.name, "a");
    assert_int_equal(active.size, 8);
    assert_true(active.active);
    assert_string_equal(read_text(f, &active), "discard;");
    struct script empty = find(f, "A");
    assert_string_equal(read_text(f, &empty), "");
    assert_false(empty.active);
    assert_int_equal(activate(f, "b"), 0);
    assert_string_equal(names(f), "A a *b");
    assert_int_equal(activate(f, ""), 0);
    assert_string_equal(names(f), "A a b");
    assert_int_equal(activate(f, "c"), ERROR_NOT_FOUND);
    check_account(f);
}

/* RFC 5804 sections 2.10 and 2.11. */
static void test_delete_and_rename(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "keep;"), 0);
    assert_int_equal(put(f, "b", "stop;"), 0);
    assert_int_equal(activate(f, "a"), 0);
    assert_int_equal(delete_named(f, "a"), ERROR_CONFLICT);
    assert_int_equal(delete_named(f, "c"), ERROR_NOT_FOUND);
    assert_int_equal(rename_named(f, "c", "d"), ERROR_NOT_FOUND);
    assert_int_equal(rename_named(f, "a", "b"), ERROR_EXISTS);
    assert_int_equal(rename_named(f, "a", "a"), 0);
    assert_int_equal(rename_named(f, "a", "a\n"), ERROR_SYNTAX);
    uint32_t id = find(f, "a").id;
    assert_int_equal(rename_named(f, "a", "z"), 0);
    assert_string_equal(names(f), "b *z");
    assert_int_equal(rename_named(f, "z", "c"), 0);
    assert_int_equal(rename_named(f, "b", "bb"), 0);
    assert_string_equal(names(f), "bb *c");
    assert_int_equal(find(f, NULL).id, id);
    assert_int_equal(delete_named(f, "bb"), 0);
    assert_int_equal(activate(f, ""), 0);
    assert_int_equal(delete_named(f, "c"), 0);
    assert_string_equal(names(f), "");
    assert_int_equal(put(f, "new", "keep;"), 0);
    assert_true(find(f, "new").id > id);
    check_account(f);
}

/* Number and modseq tell which text it is. */
static void test_changed_text(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "keep;"), 0);
    assert_int_equal(activate(f, "a"), 0);
    struct script before = find(f, "a");
    assert_int_equal(rename_named(f, "a", "b"), 0);
    struct script renamed = find(f, "b");
    assert_true(renamed.modseq == before.modseq);
    assert_string_equal(read_text(f, &before), "keep;");
    assert_int_equal(put(f, "b", "discard;"), 0);
    struct script after = find(f, NULL);
    assert_int_equal(after.id, before.id);
    assert_true(after.modseq > before.modseq);
    assert_string_equal(read_text(f, &before), error_name(ERROR_NOT_FOUND));
    assert_string_equal(read_text(f, &after), "discard;");
    uint64_t modseq = 0;
    assert_int_equal(store_modseq(f->view, &modseq), 0);
    assert_true(modseq == after.modseq);
}

static void test_names(void **state)
{
    static const char *const wrong[] = {"",         "a\tb",          "a\x7f",          "\xc2\x80",
                                        "\xc2\x9f", "a\xe2\x80\xa8", "\xe2\x80\xa9 b", "\xff"};
    static const char *const right[] = {"a/b", "\xc2\xa0", "\xe2\x80\xa7", " ", "\xc3\xa9.sieve"};
    struct fixture *f = *state;
    char longest[SCRIPT_NAME_MAXIMUM + 2];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(put(f, wrong[i], "keep;"), ERROR_SYNTAX);
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_int_equal(put(f, right[i], "keep;"), 0);
    memset(longest, 'n', sizeof(longest));
    longest[SCRIPT_NAME_MAXIMUM + 1] = '\0';
    assert_int_equal(put(f, longest, "keep;"), ERROR_SYNTAX);
    assert_int_equal(script_check_room(f->view, slice_from_string(longest), 1), ERROR_SYNTAX);
    longest[SCRIPT_NAME_MAXIMUM] = '\0';
    assert_int_equal(put(f, longest, "keep;"), 0);
    check_account(f);
}

static int put_size(struct fixture *f, const char *name, size_t size)
{
    char *text = malloc(size);
    memset(text, '#', size);
    int room = script_check_room(f->view, slice_from_string(name), size);
    int error = script_put(f->view, slice_from_string(name), slice_make(text, size));
    assert_int_equal(room, error);
    free(text);
    return error;
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_size(f, "a", SCRIPT_TEXT_MAXIMUM + 1), ERROR_QUOTA);
    for (char name[2] = "a"; name[0] < 'e'; name[0]++)
        assert_int_equal(put_size(f, name, SCRIPT_TEXT_MAXIMUM), 0);
    assert_int_equal(put_size(f, "e", 1), ERROR_QUOTA);
    assert_int_equal(put_size(f, "a", SCRIPT_TEXT_MAXIMUM - 1), 0);
    assert_int_equal(put_size(f, "e", 2), ERROR_QUOTA);
    assert_int_equal(put_size(f, "e", 1), 0);
    for (int i = 5; i < SCRIPTS_MAXIMUM; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(put_size(f, name, 0), 0);
    }
    assert_int_equal(put_size(f, "one more", 0), ERROR_LIMIT);
    assert_int_equal(put_size(f, "n7", 0), 0);
    check_account(f);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    assert_int_equal(put(f, "a", "keep;"), 0);
    struct script script = find(f, "a"), *list;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    const struct who others[] = {who_account(bob),
                                 {.kind = WHO_KIND_ANONYMOUS, .account = f->alice},
                                 {.kind = WHO_KIND_NOBODY, .account = f->alice}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct store_view *view = NULL;
        struct buffer text;
        size_t count;
        buffer_init(&text, 100);
        assert_int_equal(store_view_open(f->store, others[i], f->alice, &view), 0);
        assert_int_equal(script_list(view, &f->arena, &list, &count), ERROR_DENIED);
        assert_int_equal(script_find(view, SLICE("a"), &f->arena, &script), ERROR_DENIED);
        assert_int_equal(script_read(view, &script, &text), ERROR_DENIED);
        assert_int_equal(script_check_room(view, SLICE("a"), 1), ERROR_DENIED);
        assert_int_equal(script_put(view, SLICE("a"), SLICE("")), ERROR_DENIED);
        assert_int_equal(script_put(view, SLICE(""), SLICE("")), ERROR_DENIED);
        assert_int_equal(script_delete(view, SLICE("a")), ERROR_DENIED);
        assert_int_equal(script_rename(view, SLICE("a"), SLICE("b")), ERROR_DENIED);
        assert_int_equal(script_activate(view, SLICE("a")), ERROR_DENIED);
        assert_int_equal(text.size, 0);
        store_view_close(&view);
    }
    assert_string_equal(names(f), "a");
    struct store_view *system = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(script_activate(system, SLICE("a")), 0);
    store_view_close(&system);
    assert_string_equal(names(f), "*a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_life),         ON_BOTH(test_delete_and_rename),
        ON_BOTH(test_changed_text), ON_BOTH(test_names),
        ON_BOTH(test_limits),       ON_BOTH(test_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
