/*
 * What is said to people, in their language (RFC 5255 section 3, RFC 6856 section 3).
 *
 * The code says everything in English; where a text is written to a client it is looked up in the
 * table (format/language.def) and written as it is there. What is not in it stays English.
 */
#ifndef FORMAT_LANGUAGE_H
#define FORMAT_LANGUAGE_H

#include "base/buffer.h"

enum { LANGUAGE_TEXT_MAXIMUM = 200 /* bytes of a text of the table */ };

enum language {
    LANGUAGE_DEFAULT, /* i-default (RFC 2277 section 4.5): English in ASCII */
    LANGUAGE_ENGLISH,
    LANGUAGE_GERMAN,
    LANGUAGE_FRENCH,
    LANGUAGE_SPANISH,
    LANGUAGES
};

/* Its tag (RFC 5646), such as "de", and its name in itself, in UTF-8. */
const char *language_tag(enum language language);
const char *language_name(enum language language);

/* The language that a range means: the longest tag that it begins with (lookup, RFC 4647 section
 * 3.4), "de" for "DE-at". False: there is none. */
bool language_find(struct slice range, enum language *language);

/* That of the first range that means one, "default" and "*" being the default one. False: none
 * does; then *language stays. */
bool language_choose(const struct slice *ranges, size_t count, enum language *language);

/* Appends the text, which is an English one, in the language. False, and nothing, where it is to
 * stay as it is: in English, or not in the table. */
bool language_write(struct buffer *out, enum language language, const char *english);

#endif
