#include "format/subject.h"
#include "format_test.h"

/* RFC 5256 section 2.1: subject, base subject, whether it says reply or forward. */
static const struct {
    const char *subject, *base;
    bool reply;
} base_rows[] = {
    {"", "", false},
    {"Lunch", "Lunch", false},
    {"  Lunch \t at\t noon  ", "Lunch at noon", false},
    {"Re: Lunch", "Lunch", true},
    {"RE : re: Fwd:Lunch", "Lunch", true},
    {"Re[2]: Lunch", "Lunch", true},
    {"re [list] : Lunch", "Lunch", true},
    {"Reply: Lunch", "Reply: Lunch", false},
    {"fw: fwd: FW: Lunch", "Lunch", true},
    {"Lunch (fwd)", "Lunch", true},
    {"Lunch (FWD) (fwd) ", "Lunch", true},
    {"[list] Lunch", "Lunch", false},
    {"[list] [more] Re: [again] Lunch", "Lunch", true},
    {"[list]", "[list]", false},
    {"[a] [b]", "[b]", false},
    {"Re: [a]", "[a]", true},
    {"[a[b] Lunch", "[a[b] Lunch", false},
    {"[Fwd: Lunch]", "Lunch", true},
    {"[fwd: Re: [Fwd: [x] Lunch (fwd)]]", "Lunch", true},
    {"[fwd: Lunch] today", "today", false},
    {"[fwd:]", "", true},
    {"Re:", "", true},
    {"Re: (fwd)", "", true},
    {"AW: Lunch", "AW: Lunch", false},
};

static void test_base(void **state)
{
    (void)state;
    struct buffer base;
    buffer_init(&base, 1000);
    for (size_t i = 0; i < sizeof(base_rows) / sizeof(base_rows[0]); i++) {
        bool reply = !base_rows[i].reply;
        struct slice subject = slice_from_string(base_rows[i].subject);
        assert_int_equal(subject_base(subject, &base, &reply), 0);
        assert_buffer(&base, base_rows[i].base);
        assert_int_equal(reply, base_rows[i].reply);
    }
    assert_int_equal(subject_base(SLICE("x"), &base, NULL), 0);
    buffer_release(&base);
    buffer_init(&base, 3);
    assert_int_equal(subject_base(SLICE("Lunch"), &base, NULL), ERROR_LIMIT);
    buffer_release(&base);
}

static void test_thread_key(void **state)
{
    (void)state;
    static const char *const equal[] = {
        "Caf\xc3\xa9 at noon",
        "caf\xc3\xa9  AT noon",
        "Cafe\xcc\x81 at noon",
        "Re: Caf\xc3\xa9 at noon",
        "AW: WG: Caf\xc3\xa9 at noon",
        "Re: SV: [list] Caf\xc3\xa9 atnoon",
        "\xe5\x9b\x9e\xe5\xa4\x8d\xef\xbc\x9a Caf\xc3\xa9 at noon", /* with a wide colon */
        "R\xc3\xa9"
        "f: Caf\xc3\xa9 at noon (fwd)",
    };
    static const char *const different[] = {"Cafe at noon", "Caf\xc3\xa9 at noon?", ""};
    struct buffer first, key;
    buffer_init(&first, 1000);
    buffer_init(&key, 1000);
    assert_int_equal(subject_thread_key(slice_from_string(equal[0]), &first), 0);
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++) {
        buffer_clear(&key);
        assert_int_equal(subject_thread_key(slice_from_string(equal[i]), &key), 0);
        assert_true(slice_equal(buffer_slice(&key), buffer_slice(&first)));
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        buffer_clear(&key);
        assert_int_equal(subject_thread_key(slice_from_string(different[i]), &key), 0);
        assert_false(slice_equal(buffer_slice(&key), buffer_slice(&first)));
    }
    /* Behind what is there. */
    buffer_clear(&key);
    buffer_append_string(&key, "id ");
    assert_int_equal(subject_thread_key(SLICE("Re: A b"), &key), 0);
    assert_buffer(&key, "id ab");
    buffer_release(&first);
    buffer_release(&key);
}

/* A row of anything that matches is passed over once, not once for each. */
static void test_long_subjects(void **state)
{
    (void)state;
    static const char *const parts[] = {"[a]", "re:", "[fwd:", "(fwd)", "re [", "aw:", "[a] re"};
    struct buffer subject, base;
    buffer_init(&subject, 1 << 20);
    buffer_init(&base, 1 << 20);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buffer_clear(&subject);
        while (subject.size < 400000)
            buffer_append_string(&subject, parts[i]);
        buffer_clear(&base);
        assert_int_equal(subject_base(buffer_slice(&subject), &base, NULL), 0);
        buffer_clear(&base);
        assert_int_equal(subject_thread_key(buffer_slice(&subject), &base), 0);
    }
    buffer_release(&subject);
    buffer_release(&base);
}

static void test_message_ids(void **state)
{
    (void)state;
    static const struct {
        const char *value, *ids;
    } rows[] = {
        {"<a@b>", "a@b "},
        {"  <a@b>\t<c@d><e@f> tail", "a@b c@d e@f "},
        {"Your message of Monday <x> \"<y\" <z@q>", "x z@q "},
        {"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com "},
        {"<\"a\\\"b\"@c>", "a\"b@c "},
        {"< a @ b >", "a@b "},
        {"<><a@b>", "a@b "},
        {">a@b<", ""},
        {"<a@b", ""},
        {"", ""},
    };
    struct buffer id, all;
    buffer_init(&id, MESSAGE_ID_MAXIMUM);
    buffer_init(&all, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice rest = slice_from_string(rows[i].value);
        while (message_id_next(&rest, &id)) {
            buffer_append(&all, buffer_slice(&id));
            buffer_append_byte(&all, ' ');
        }
        assert_buffer(&all, rows[i].ids);
    }
    buffer_release(&id);
    buffer_release(&all);
}

static void test_long_message_ids(void **state)
{
    (void)state;
    char value[2 * MESSAGE_ID_MAXIMUM + 8];
    struct buffer id;
    buffer_init(&id, MESSAGE_ID_MAXIMUM);
    memset(value, 'x', sizeof(value));
    value[0] = '<';
    value[1 + MESSAGE_ID_MAXIMUM] = '>';
    struct slice rest = slice_make(value, sizeof(value));
    assert_true(message_id_next(&rest, &id));
    assert_int_equal(id.size, MESSAGE_ID_MAXIMUM);
    value[1 + MESSAGE_ID_MAXIMUM] = 'x';
    value[2 + MESSAGE_ID_MAXIMUM] = '>';
    rest = slice_make(value, sizeof(value));
    assert_false(message_id_next(&rest, &id));
    buffer_release(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_thread_key),
        cmocka_unit_test(test_long_subjects),
        cmocka_unit_test(test_message_ids),
        cmocka_unit_test(test_long_message_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
