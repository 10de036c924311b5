/*
 * IMAP URLs: what is accepted keeps its promises, and its rump is a URL that says the same.
 */
#include "base/error.h"
#include "format/text.h"
#include "proto/imap/url.h"

#include <stdlib.h>

static bool has_nul(struct slice text)
{
    return slice_find(text, '\0') < text.size;
}

static void check(const struct imap_url *url)
{
    if (!url->uid || !url->mailbox.size || has_nul(url->mailbox) || !text_is_utf8(url->mailbox) ||
        has_nul(url->user) || has_nul(url->access_user))
        abort();
    if (url->section.kind != IMAP_FETCH_SECTION || (url->mechanism.size && url->token.size < 32) ||
        (url->mechanism.size && !url->access))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct imap_url url, rump;
    arena_init(&arena, 64 * 1024);
    struct slice text = slice_make(data, size);
    if (imap_url_parse(text, &arena, &url) == 0) {
        check(&url);
        int error = imap_url_parse(url.rump, &arena, &rump);
        if (error == ERROR_LIMIT)
            error = 0;
        else if (error || rump.mechanism.size || rump.uid != url.uid ||
                 !slice_equal(rump.mailbox, url.mailbox) || rump.access != url.access ||
                 rump.expire != url.expire || !slice_equal(rump.access_user, url.access_user) ||
                 rump.section.text != url.section.text ||
                 rump.section.number_count != url.section.number_count)
            abort();
    }
    arena_release(&arena);
    return 0;
}
