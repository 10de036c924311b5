#include "credentials/password_priv.h"

#include "base/error.h"

#include <sodium.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

/* General categories outside the FreeformClass; unassigned ones include noncharacters. */
static const uint32_t FORBIDDEN = U_GC_CN_MASK | U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK |
                                  U_GC_CS_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK;

/* UTF-16, so never more units than the UTF-8 has bytes. */
struct wide {
    UChar units[CREDENTIALS_PASSWORD_MAXIMUM];
    int32_t size;
};

static bool is_ascii(struct slice password)
{
    for (size_t i = 0; i < password.size; i++)
        if ((unsigned char)password.data[i] >= 0x80)
            return false;
    return true;
}

static int take_ascii(struct slice password, struct prepared_password *prepared)
{
    for (size_t i = 0; i < password.size; i++)
        if (password.data[i] < ' ' || password.data[i] == 0x7f)
            return ERROR_SYNTAX;
    memcpy(prepared->bytes, password.data, password.size);
    prepared->size = prepared->characters = password.size;
    return 0;
}

static bool is_permitted(UChar32 c)
{
    int32_t hangul = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
    bool old_jamo =
        hangul == U_HST_LEADING_JAMO || hangul == U_HST_VOWEL_JAMO || hangul == U_HST_TRAILING_JAMO;
    return !(U_GET_GC_MASK(c) & FORBIDDEN) && !old_jamo &&
           !u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

/* Every space separator is in the Basic Multilingual Plane, one unit each. */
static void map_spaces(struct wide *text)
{
    for (int32_t i = 0; i < text->size; i++)
        if (u_charType(text->units[i]) == U_SPACE_SEPARATOR)
            text->units[i] = ' ';
}

static int count_permitted(const struct wide *text, size_t *characters)
{
    *characters = 0;
    for (int32_t i = 0; i < text->size; ++*characters) {
        UChar32 c;
        U16_NEXT(text->units, i, text->size, c);
        if (!is_permitted(c))
            return ERROR_SYNTAX;
    }
    return 0;
}

static int take_wide(struct slice password, struct wide *from, struct wide *to,
                     struct prepared_password *prepared)
{
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(from->units, CREDENTIALS_PASSWORD_MAXIMUM, &from->size, password.data,
                  (int32_t)password.size, &status);
    if (U_FAILURE(status))
        return ERROR_SYNTAX;
    map_spaces(from);
    to->size = unorm2_normalize(unorm2_getNFCInstance(&status), from->units, from->size, to->units,
                                CREDENTIALS_PASSWORD_MAXIMUM, &status);
    int error = U_FAILURE(status) ? ERROR_LIMIT : count_permitted(to, &prepared->characters);
    if (error)
        return error;
    int32_t size = 0;
    u_strToUTF8(prepared->bytes, CREDENTIALS_PASSWORD_MAXIMUM, &size, to->units, to->size, &status);
    prepared->size = (size_t)size;
    return U_FAILURE(status) ? ERROR_LIMIT : 0;
}

int password_prepare(struct slice password, struct prepared_password *prepared)
{
    if (password.size == 0)
        return ERROR_SYNTAX;
    if (password.size > CREDENTIALS_PASSWORD_MAXIMUM)
        return ERROR_LIMIT;
    if (is_ascii(password))
        return take_ascii(password, prepared);
    struct wide from, to;
    int error = take_wide(password, &from, &to, prepared);
    sodium_memzero(&from, sizeof from);
    sodium_memzero(&to, sizeof to);
    return error;
}
