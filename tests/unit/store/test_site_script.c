/*
 * Sieve scripts of the administrator: which there are, which run for an account, the one that comes
 * with the server, domains that go, damage.
 */
#include "store/check.h"
#include "store/directory_priv.h"
#include "store/site_script.h"
#include "store_test.h"

/* "b", "bDOMAIN" (a place and a domain), or "iDOMAIN/name". */
static struct site_script which(const char *text)
{
    struct slice rest = slice_from_string(text + 1);
    size_t end = slice_find(rest, '/');
    return (struct site_script){.place = (enum site_place)text[0],
                                .domain = slice_sub(rest, 0, end),
                                .name = slice_sub(rest, end + 1, SIZE_MAX)};
}

static int put(struct fixture *f, const char *text, const char *script)
{
    struct site_script meant = which(text);
    return site_script_put(f->store, WHO_SYSTEM, &meant, slice_from_string(script));
}

static int drop(struct fixture *f, const char *text)
{
    struct site_script meant = which(text);
    return site_script_delete(f->store, WHO_SYSTEM, &meant);
}

static int activate(struct fixture *f, const char *text, bool active)
{
    struct site_script meant = which(text);
    return site_script_activate(f->store, WHO_SYSTEM, &meant, active);
}

static const char *describe(struct fixture *f, const struct site_script *list, size_t count)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_append_string(&text, "");
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&text, "%s%s%c%.*s%s%.*s", i ? " " : "", list[i].active ? "" : "-",
                             (char)list[i].place, SLICE_FORMAT(list[i].domain),
                             list[i].name.size ? "/" : "", SLICE_FORMAT(list[i].name));
    const char *copy = text.size ? arena_string(&f->arena, buffer_slice(&text)) : "";
    buffer_release(&text);
    return copy;
}

static const char *all(struct fixture *f)
{
    struct site_script *list = NULL;
    size_t count = 0;
    assert_int_equal(site_script_list(f->store, WHO_SYSTEM, &f->arena, &list, &count), 0);
    return describe(f, list, count);
}

static const char *around(struct fixture *f, const char *domain, size_t expected)
{
    struct site_script list[SITE_SCRIPTS_AROUND];
    size_t count = 99, before = 99;
    assert_int_equal(
        site_scripts_around(f->store, WHO_SYSTEM, slice_from_string(domain), list, &count, &before),
        0);
    assert_int_equal(before, expected);
    return describe(f, list, count);
}

/* The text, or the error's name. */
static const char *read_text(struct fixture *f, const char *text)
{
    struct site_script meant = which(text);
    struct buffer bytes;
    buffer_init(&bytes, SCRIPT_TEXT_MAXIMUM);
    int error = site_script_find(f->store, WHO_SYSTEM, &meant);
    if (!error)
        error = site_script_read(f->store, WHO_SYSTEM, &meant, &bytes);
    if (!error)
        assert_int_equal(bytes.size, meant.size);
    const char *copy = error ? error_name(error) : arena_string(&f->arena, buffer_slice(&bytes));
    buffer_release(&bytes);
    return copy;
}

static void test_places(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("other.example")), 0);
    assert_int_equal(put(f, "bExample.TEST", "keep;"), 0);
    assert_int_equal(put(f, "aexample.test", "stop;"), 0);
    assert_int_equal(put(f, "aother.example", "discard;"), 0);
    assert_int_equal(put(f, "a", "keep;"), 0);
    assert_int_equal(put(f, "i/lists", "keep;"), 0);
    assert_int_equal(put(f, "iexample.test/lists", "discard;"), 0);
    reopen(f);
    assert_string_equal(
        all(f), "b a aexample.test aother.example bexample.test i/lists iexample.test/lists");
    assert_string_equal(around(f, "example.test", 2), "b bexample.test aexample.test a");
    assert_string_equal(around(f, "other.example", 1), "b aother.example a");
    assert_string_equal(around(f, "", 1), "b a");
    assert_string_equal(read_text(f, "aOTHER.example"), "discard;");
    assert_string_equal(read_text(f, "iexample.test/lists"), "discard;");
    assert_string_equal(read_text(f, "iexample.test/other"), error_name(ERROR_NOT_FOUND));
    assert_int_equal(activate(f, "aexample.test", false), 0);
    assert_string_equal(around(f, "example.test", 2), "b bexample.test a");
    assert_string_equal(read_text(f, "aexample.test"), "stop;");
    assert_int_equal(activate(f, "aexample.test", true), 0);
    assert_string_equal(around(f, "example.test", 2), "b bexample.test aexample.test a");
    assert_int_equal(drop(f, "aexample.test"), 0);
    assert_int_equal(drop(f, "aexample.test"), ERROR_NOT_FOUND);
    assert_int_equal(activate(f, "aexample.test", true), ERROR_NOT_FOUND);
    assert_string_equal(around(f, "example.test", 2), "b bexample.test a");
    check_account(f);
}

static void test_built_in(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(all(f), "b");
    assert_non_null(strstr(read_text(f, "b"), "\\\\Junk"));
    assert_int_equal(drop(f, "b"), 0);
    assert_string_equal(all(f), "");
    assert_string_equal(around(f, "example.test", 0), "");
    assert_int_equal(drop(f, "b"), ERROR_NOT_FOUND);
    assert_int_equal(activate(f, "b", false), ERROR_NOT_FOUND);
    reopen(f);
    assert_string_equal(read_text(f, "b"), error_name(ERROR_NOT_FOUND));
    check_account(f);
    assert_int_equal(activate(f, "b", true), 0);
    assert_string_equal(around(f, "example.test", 1), "b");
    assert_int_equal(activate(f, "b", false), 0);
    assert_string_equal(all(f), "");
    assert_int_equal(put(f, "b", "keep;"), 0);
    assert_string_equal(read_text(f, "b"), "keep;");
    assert_int_equal(activate(f, "b", false), 0);
    assert_string_equal(all(f), "-b");
    assert_string_equal(around(f, "example.test", 0), "");
    assert_int_equal(activate(f, "b", true), 0);
    assert_int_equal(drop(f, "b"), 0);
    assert_string_equal(all(f), "");
    check_account(f);
}

static void test_versions(void **state)
{
    struct fixture *f = *state;
    struct site_script first = which("a"), second = which("a"), equal = which("aexample.test");
    struct buffer text;
    buffer_init(&text, 100);
    assert_int_equal(put(f, "a", "keep;"), 0);
    assert_int_equal(site_script_find(f->store, WHO_SYSTEM, &first), 0);
    assert_int_equal(put(f, "a", "stop;"), 0);
    assert_int_equal(put(f, "aexample.test", "keep;"), 0);
    assert_int_equal(site_script_find(f->store, WHO_SYSTEM, &second), 0);
    assert_int_equal(site_script_find(f->store, WHO_SYSTEM, &equal), 0);
    assert_true(first.version != second.version && first.version == equal.version);
    assert_int_equal(site_script_read(f->store, WHO_SYSTEM, &first, &text), ERROR_NOT_FOUND);
    assert_int_equal(text.size, 0);
    assert_int_equal(site_script_read(f->store, WHO_SYSTEM, &second, &text), 0);
    assert_slice_equal(buffer_slice(&text), "stop;");
    buffer_release(&text);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    char longest[2 + SITE_SCRIPT_NAME_MAXIMUM + 2] = "i/";
    assert_int_equal(put(f, "bnowhere.example", "keep;"), ERROR_NOT_FOUND);
    assert_int_equal(put(f, "bnot a domain", "keep;"), ERROR_SYNTAX);
    assert_int_equal(put(f, "b/name", "keep;"), ERROR_INVALID);
    assert_int_equal(put(f, "i", "keep;"), ERROR_SYNTAX);
    assert_int_equal(put(f, "i/a\n", "keep;"), ERROR_SYNTAX);
    memset(longest + 2, 'n', SITE_SCRIPT_NAME_MAXIMUM + 1);
    assert_int_equal(put(f, longest, "keep;"), ERROR_SYNTAX);
    longest[2 + SITE_SCRIPT_NAME_MAXIMUM] = '\0';
    assert_int_equal(put(f, longest, "keep;"), 0);
    assert_int_equal(activate(f, longest, false), ERROR_INVALID);
    struct site_script meant = which("a");
    char *large = calloc(1, SCRIPT_TEXT_MAXIMUM + 1);
    assert_int_equal(
        site_script_put(f->store, WHO_SYSTEM, &meant, slice_make(large, SCRIPT_TEXT_MAXIMUM + 1)),
        ERROR_QUOTA);
    assert_int_equal(
        site_script_put(f->store, WHO_SYSTEM, &meant, slice_make(large, SCRIPT_TEXT_MAXIMUM)), 0);
    free(large);
    check_account(f);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    struct who who = who_account(f->alice);
    struct site_script script = which("b"), list[SITE_SCRIPTS_AROUND], *listed;
    struct buffer text;
    size_t count, before;
    buffer_init(&text, 1000);
    assert_int_equal(site_script_list(f->store, who, &f->arena, &listed, &count), ERROR_DENIED);
    assert_int_equal(site_script_find(f->store, who, &script), ERROR_DENIED);
    assert_int_equal(site_script_find(f->store, WHO_SYSTEM, &script), 0);
    assert_int_equal(site_script_read(f->store, who, &script, &text), ERROR_DENIED);
    assert_int_equal(site_scripts_around(f->store, who, SLICE(""), list, &count, &before),
                     ERROR_DENIED);
    assert_int_equal(site_script_put(f->store, who, &script, SLICE("")), ERROR_DENIED);
    assert_int_equal(site_script_delete(f->store, who, &script), ERROR_DENIED);
    assert_int_equal(site_script_activate(f->store, who, &script, false), ERROR_DENIED);
    assert_string_equal(all(f), "b");
    buffer_release(&text);
}

static void test_domain_goes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("other.example")), 0);
    assert_int_equal(put(f, "bother.example", "keep;"), 0);
    assert_int_equal(put(f, "iother.example/x", "keep;"), 0);
    assert_int_equal(put(f, "i/x", "keep;"), 0);
    assert_int_equal(put(f, "aexample.test", "keep;"), 0);
    assert_int_equal(store_domain_delete(f->store, WHO_SYSTEM, SLICE("other.example")), 0);
    assert_string_equal(all(f), "b aexample.test i/x");
    check_account(f);
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("other.example")), 0);
    assert_string_equal(read_text(f, "iother.example/x"), error_name(ERROR_NOT_FOUND));
}

/* --- damage --- */

struct damage {
    struct slice key, value; /* data NULL: it goes */
};

static int apply(struct kv_transaction *transaction, void *arg)
{
    const struct damage *damage = arg;
    return damage->value.data ? kv_put(transaction, damage->key, damage->value)
                              : kv_delete(transaction, damage->key);
}

static void tell(enum check_finding finding, const char *text, void *arg)
{
    static const char *const names[] = {"wrong", "repaired", "lost"};
    buffer_append_format(arg, "%s: %s\n", names[finding], text);
}

static void damage_and_check(struct fixture *f, struct slice key, struct slice value,
                             const char *wanted)
{
    struct damage damage = {key, value};
    struct buffer told;
    struct check_options options = {.report = tell, .arg = &told};
    struct check_result result;
    assert_int_equal(directory_update(f->store, WHO_SYSTEM, apply, &damage), 0);
    for (int i = 0; i < 3; i++) {
        buffer_init(&told, 4096);
        buffer_append_string(&told, ":");
        options.repair = i == 1;
        assert_int_equal(store_check_directory(f->store, WHO_SYSTEM, &options, &result), 0);
        if (i == 2)
            assert_slice_equal(buffer_slice(&told), ":");
        else
            assert_non_null(strstr(told.data, wanted));
        buffer_release(&told);
    }
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    const struct slice none = {NULL, 0};
    assert_int_equal(put(f, "aexample.test", "keep;"), 0);
    assert_int_equal(put(f, "i/x", "keep;"), 0);
    assert_int_equal(put(f, "i/y", "keep;"), 0);
    assert_int_equal(put(f, "i/z", "keep;"), 0);
    damage_and_check(f, SLICE("eaexample.test/"), none,
                     "lost: the text of a Sieve script of example.test");
    damage_and_check(f, SLICE("ei/x"), SLICE("\1longer"), "lost: the text of a Sieve script of ");
    damage_and_check(f, SLICE("fi/y"), SLICE("\1?"), "lost: the record of a Sieve script");
    damage_and_check(f, SLICE("fi/z"), none, "the text of a Sieve script that is not there");
    damage_and_check(f, SLICE("fnonsense"), SLICE("\1"), "lost: the record of a Sieve script");
    damage_and_check(f, SLICE("eb/"), SLICE("\1keep;"), "a Sieve script that is not there");
    assert_string_equal(all(f), "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_places),  ON_BOTH(test_built_in), ON_BOTH(test_versions),
        ON_BOTH(test_refused), ON_BOTH(test_rights),   ON_BOTH(test_domain_goes),
        ON_BOTH(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
