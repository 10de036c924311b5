#include "base/error.h"
#include "format/text.h"
#include "store/collection_priv.h"

/* Neither empty nor with control characters, which IMAP's names cannot have (RFC 9051
 * section 5.1). */
static int check_level(struct slice level)
{
    if (level.size == 0 || level.size > COLLECTION_NAME_MAXIMUM)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < level.size; i++)
        if ((uint8_t)level.data[i] < 0x20 || level.data[i] == 0x7f)
            return ERROR_SYNTAX;
    return 0;
}

int path_parse(enum collection_type type, struct slice text, struct path *path)
{
    if (text.size && text.data[text.size - 1] == '/')
        text.size--;
    if (text.size == 0 || text.size > COLLECTION_PATH_MAXIMUM || !text_is_utf8(text))
        return ERROR_SYNTAX;
    struct path parsed = {.count = 0};
    bool more = true;
    while (more) {
        size_t end = slice_find(text, '/');
        struct slice level = slice_sub(text, 0, end);
        if (parsed.count == COLLECTION_DEPTH_MAXIMUM || check_level(level))
            return ERROR_SYNTAX;
        if (type == COLLECTION_MAILBOX && parsed.count == 0 &&
            slice_equal_nocase(level, SLICE("INBOX")))
            level = SLICE("INBOX");
        parsed.levels[parsed.count++] = level;
        more = end < text.size;
        text = slice_sub(text, end + 1, SIZE_MAX);
    }
    *path = parsed;
    return 0;
}
