#include "format/language.h"
#include "format/text.h"
#include "format_test.h"

static const char *const rows[][4] = {
#define LANGUAGE_TEXT(english, german, french, spanish) {english, german, french, spanish},
#include "format/language.def"
#undef LANGUAGE_TEXT
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static size_t holes(const char *text)
{
    size_t count = 0;
    for (; (text = strstr(text, "%")) != NULL; text++)
        count += text[1] == 's' ? 1 : 100;
    return count;
}

/* What a response text may be (RFC 5255 section 3.5), and what the table's head says. */
static void every_text_can_be_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < 4; j++) {
            struct slice text = slice_from_string(rows[i][j]);
            assert_in_range(text.size, 1, LANGUAGE_TEXT_MAXIMUM);
            assert_true(text_is_utf8(text));
            for (size_t k = 0; k < text.size; k++) {
                assert_true((unsigned char)text.data[k] >= ' ' && text.data[k] != 0x7f);
                assert_null(strchr("[]", text.data[k]));
                assert_true(j || (unsigned char)text.data[k] < 0x80);
            }
            assert_int_equal(holes(rows[i][j]), holes(rows[i][0]));
            assert_in_range(holes(rows[i][j]), 0, 1);
        }
}

static void every_text_is_there_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i][0], rows[j][0]);
}

static void assert_written(enum language language, const char *english, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 1000);
    assert_int_equal(language_write(&out, language, english), expected != NULL);
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(expected ? expected : "")));
    buffer_release(&out);
}

static void texts_are_translated(void **state)
{
    (void)state;
    assert_written(LANGUAGE_GERMAN, "No such mailbox", "Diesen Ordner gibt es nicht");
    assert_written(LANGUAGE_FRENCH, "No such mailbox", "Ce dossier n'existe pas");
    assert_written(LANGUAGE_SPANISH, "No such mailbox", "Ese buzón no existe");
    assert_written(LANGUAGE_ENGLISH, "No such mailbox", NULL);
    assert_written(LANGUAGE_DEFAULT, "No such mailbox", NULL);
    assert_written(LANGUAGE_GERMAN, "No such text", NULL);
}

static void what_differs_stays(void **state)
{
    (void)state;
    assert_written(LANGUAGE_GERMAN, "Autologout (idle_timeout)",
                   "Automatische Abmeldung (idle_timeout)");
    assert_written(LANGUAGE_FRENCH, "Search completed", "Search exécuté");
    assert_written(LANGUAGE_FRENCH, " completed", NULL);
    assert_written(LANGUAGE_FRENCH, "It is completed", NULL); /* not of one word */
    assert_written(LANGUAGE_FRENCH, "Autologout (x", NULL);
}

static void assert_found(const char *range, const char *tag)
{
    enum language language = LANGUAGES;
    assert_int_equal(language_find(slice_from_string(range), &language), tag != NULL);
    if (tag)
        assert_string_equal(language_tag(language), tag);
    else
        assert_int_equal(language, LANGUAGES);
}

/* RFC 4647 section 3.4. */
static void ranges_find_languages(void **state)
{
    (void)state;
    assert_found("de", "de");
    assert_found("DE", "de");
    assert_found("fr-CA", "fr");
    assert_found("es-Latn-MX-x-private", "es");
    assert_found("en", "en");
    assert_found("i-default", "i-default");
    assert_found("I-Default", "i-default");
    assert_found("MUL", NULL);
    assert_found("d", NULL);
    assert_found("deu", NULL);
    assert_found("*", NULL);
    assert_found("*-de", NULL);
    assert_found("-", NULL);
    assert_found("--", NULL);
    assert_found("de-", "de");
    assert_found("", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_can_be_said), cmocka_unit_test(every_text_is_there_once),
        cmocka_unit_test(texts_are_translated),   cmocka_unit_test(what_differs_stays),
        cmocka_unit_test(ranges_find_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
