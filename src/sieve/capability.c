#include "sieve/capability.h"

/* Each name has a space before it, and the first, the base's, is empty. */
static const char list[] =
#define EXTENSION(symbol, name) " " name
#include "sieve/extensions.def"
#undef EXTENSION
    ;

enum { BEFORE_FIRST = 2 };

_Static_assert(sizeof(list) - 1 - BEFORE_FIRST <= 1024, "the list fits a quoted string");

const char *sieve_extension_list(void)
{
    return list + BEFORE_FIRST;
}
