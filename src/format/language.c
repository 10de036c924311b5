#include "format/language.h"

static const struct {
    const char *tag, *name;
} languages[LANGUAGES] = {
    [LANGUAGE_DEFAULT] = {"i-default", "English"}, [LANGUAGE_ENGLISH] = {"en", "English"},
    [LANGUAGE_GERMAN] = {"de", "Deutsch"},         [LANGUAGE_FRENCH] = {"fr", "Français"},
    [LANGUAGE_SPANISH] = {"es", "Español"},
};

/* The columns of the table: what languages have to choose from. */
enum { ENGLISH, GERMAN, FRENCH, SPANISH, COLUMNS };

static const char *const texts[][COLUMNS] = {
#define LANGUAGE_TEXT(english, german, french, spanish) {english, german, french, spanish},
#include "format/language.def"
#undef LANGUAGE_TEXT
};

static int column_of(enum language language)
{
    return language == LANGUAGE_GERMAN    ? GERMAN
           : language == LANGUAGE_FRENCH  ? FRENCH
           : language == LANGUAGE_SPANISH ? SPANISH
                                          : ENGLISH;
}

const char *language_tag(enum language language)
{
    return languages[language].tag;
}

const char *language_name(enum language language)
{
    return languages[language].name;
}

/* Without its last subtag, and the single letter that would then be the last. */
static struct slice shorten(struct slice range)
{
    size_t size = range.size;
    while (size && range.data[size - 1] != '-')
        size--;
    size -= size > 0;
    if (size >= 2 && range.data[size - 2] == '-')
        size -= 2;
    return slice_sub(range, 0, size);
}

bool language_find(struct slice range, enum language *language)
{
    for (; range.size; range = shorten(range))
        for (int i = 0; i < LANGUAGES; i++)
            if (slice_equal_nocase(range, slice_from_string(languages[i].tag))) {
                *language = (enum language)i;
                return true;
            }
    return false;
}

bool language_choose(const struct slice *ranges, size_t count, enum language *language)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(ranges[i], SLICE("*")) || slice_equal_nocase(ranges[i], SLICE("default"))) {
            *language = LANGUAGE_DEFAULT;
            return true;
        }
        if (language_find(ranges[i], language))
            return true;
    }
    return false;
}

/* Whether the text is the pattern with a word in place of its "%s". */
static bool matches(const char *pattern, struct slice text, struct slice *word)
{
    const char *hole = strstr(pattern, "%s");
    if (!hole)
        return slice_equal(text, slice_from_string(pattern));
    struct slice before = slice_make(pattern, (size_t)(hole - pattern));
    struct slice after = slice_from_string(hole + 2);
    if (text.size <= before.size + after.size ||
        !slice_equal(slice_sub(text, 0, before.size), before) ||
        !slice_equal(slice_sub(text, text.size - after.size, SIZE_MAX), after))
        return false;
    *word = slice_sub(text, before.size, text.size - before.size - after.size);
    return slice_find(*word, ' ') == word->size;
}

bool language_write(struct buffer *out, enum language language, const char *english)
{
    int column = column_of(language);
    for (size_t i = 0; column != ENGLISH && i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct slice word = {0};
        if (!matches(texts[i][ENGLISH], slice_from_string(english), &word))
            continue;
        const char *text = texts[i][column], *hole = strstr(text, "%s");
        if (!hole) {
            buffer_append_string(out, text);
            return true;
        }
        buffer_append(out, slice_make(text, (size_t)(hole - text)));
        buffer_append(out, word);
        buffer_append_string(out, hole + 2);
        return true;
    }
    return false;
}
