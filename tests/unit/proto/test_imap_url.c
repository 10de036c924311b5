#include "../check.h"
#include "base/buffer.h"
#include "base/error.h"
#include "proto/imap/url.h"

#include <stdlib.h>

/* What it means, as text. */
static void describe(struct slice text, struct arena *arena, struct buffer *out)
{
    static const char *const accesses[] = {"", " anonymous", " authuser", " user+", " submit+"};
    struct imap_url url = {0};
    int error = imap_url_parse(text, arena, &url);
    if (error) {
        buffer_append_string(out, error_name(error));
        return;
    }
    if (url.absolute)
        buffer_append_format(out, "%.*s@%.*s ", SLICE_FORMAT(url.user), SLICE_FORMAT(url.host));
    buffer_append_format(out, "'%.*s'", SLICE_FORMAT(url.mailbox));
    if (url.uid_validity)
        buffer_append_format(out, " validity %u", url.uid_validity);
    buffer_append_format(out, " %u %.*s", url.uid, SLICE_FORMAT(url.section.label));
    if (url.section.partial)
        buffer_append_format(out, "<%u.%u>", url.section.partial_offset, url.section.partial_size);
    if (url.expires)
        buffer_append_format(out, " until %lld", (long long)url.expire);
    buffer_append_format(out, "%s%.*s", accesses[url.access], SLICE_FORMAT(url.access_user));
    if (url.mechanism.size)
        buffer_append_format(out, " by %.*s %.*s rump %.*s", SLICE_FORMAT(url.mechanism),
                             SLICE_FORMAT(url.token), SLICE_FORMAT(url.rump));
}

static void check_url(struct slice text, const char *expected, int line)
{
    struct arena arena;
    struct buffer out;
    arena_init(&arena, 64 * 1024);
    buffer_init(&out, 16 * 1024);
    /* At the end of what may be read. */
    char *exact = malloc(text.size + 1);
    memcpy(exact, text.data, text.size);
    describe(slice_make(exact, text.size), &arena, &out);
    check_slice(buffer_slice(&out), expected, __FILE__, line);
    free(exact);
    buffer_release(&out);
    arena_release(&arena);
}

#define CHECK(text, expected) check_url(SLICE(text), expected, __LINE__)
#define WRONG(text)           check_url(SLICE(text), "syntax", __LINE__)
#define TOKEN                 "91354a473744909de610943775f92038"

/* RFC 4469, appendix A, and RFC 8508 section 4.2. */
static void test_relative(void **state)
{
    (void)state;
    CHECK("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
          "'Drafts' validity 385759045 20 BODY[HEADER]");
    CHECK("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME",
          "'Drafts' validity 385759045 20 BODY[1.MIME]");
    CHECK("/Drafts;UIDVALIDITY=385759045/;UID=30", "'Drafts' validity 385759045 30 BODY[]");
    CHECK("/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9",
          "'INBOX' validity 785799047 113330 BODY[1.5.9]");
    CHECK("/Drafts/;UID=3002", "'Drafts' 3002 BODY[]");
}

static void test_components(void **state)
{
    (void)state;
    CHECK("/inbox/a/;uid=1/;Section=header.fields%20(from%20To)/;partial=5.7",
          "'INBOX/a' 1 BODY[HEADER.FIELDS (FROM TO)]<5.7>");
    CHECK("/a/;uid=1/;partial=5", "'a' 1 BODY[]<5.4294967295>");
    CHECK("/%C3%A9%20%26-/;uid=1", "'\xc3\xa9 &-' 1 BODY[]");
    CHECK("/a:@&=!$'()*+,b/;uid=1", "'a:@&=!$'()*+,b' 1 BODY[]");
    CHECK("/a%3b%2f%3Fb/;uid=1", "'a;/?b' 1 BODY[]");
}

static void test_wrong(void **state)
{
    (void)state;
    WRONG("");
    WRONG("/");
    WRONG("Drafts/;UID=20");
    WRONG(";UID=20");
    WRONG("//example.com/INBOX/;UID=20");
    WRONG("http://example.com/INBOX/;UID=20");
    /* Not of a message. */
    WRONG("/INBOX");
    WRONG("/INBOX;UIDVALIDITY=5");
    WRONG("/INBOX?subject%20x");
    WRONG("/INBOX/;UID=20?x");
    WRONG("/INBOX/;UID=20#x");
    /* The mailbox. */
    WRONG("/;UID=20");
    WRONG("//;UID=20");
    WRONG("/INBOX;UID=20");
    WRONG("/IN BOX/;UID=20");
    WRONG("/IN\"BOX/;UID=20");
    WRONG("/\xc3\xa9/;UID=20");
    WRONG("/%C3/;UID=20");
    WRONG("/%0d%0a/;UID=20");
    WRONG("/a%00b/;UID=20");
    WRONG("/a%0/;UID=20");
    WRONG("/a%0g/;UID=20");
    WRONG("/a%/;UID=20");
    WRONG("/a\0b/;UID=20");
    /* Numbers. */
    WRONG("/a/;UID=");
    WRONG("/a/;UID=0");
    WRONG("/a/;UID=*");
    WRONG("/a/;UID=1:2");
    WRONG("/a/;UID=4294967296");
    WRONG("/a/;UID=99999999999999999999");
    WRONG("/a;UIDVALIDITY=0/;UID=1");
    WRONG("/a;UIDVALIDITY=/;UID=1");
    WRONG("/a;UIDVALIDITY=4294967296/;UID=1");
    WRONG("/a;UIDVALIDITY=5;UID=1");
    /* Section and partial. */
    WRONG("/a/;UID=1/;SECTION=");
    WRONG("/a/;UID=1;SECTION=1");
    WRONG("/a/;UID=1/;SECTION=0");
    WRONG("/a/;UID=1/;SECTION=x");
    WRONG("/a/;UID=1/;SECTION=MIME");
    WRONG("/a/;UID=1/;SECTION=HEADER.FIELDS");
    WRONG("/a/;UID=1/;SECTION=1]");
    WRONG("/a/;UID=1/;SECTION=1%5d");
    WRONG("/a/;UID=1/;SECTION=1%5d%3c0.1");
    WRONG("/a/;UID=1/;SECTION=1/;SECTION=2");
    WRONG("/a/;UID=1/;PARTIAL=");
    WRONG("/a/;UID=1/;PARTIAL=x");
    WRONG("/a/;UID=1/;PARTIAL=5.0");
    WRONG("/a/;UID=1/;PARTIAL=5.");
    WRONG("/a/;UID=1/;PARTIAL=5/;SECTION=1");
    WRONG("/a/;UID=1/");
    WRONG("/a/;UID=1x");
}

static void test_limits(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 2 * IMAP_URL_MAXIMUM);
    buffer_append(&text, SLICE("/a/;UID=1/;SECTION=1"));
    while (text.size < IMAP_URL_MAXIMUM + 1)
        buffer_append_byte(&text, '1');
    check_url(buffer_slice(&text), "limit", __LINE__);
    check_url(slice_sub(buffer_slice(&text), 0, IMAP_URL_MAXIMUM), "syntax", __LINE__);
    buffer_release(&text);
    /* The arena's. */
    struct arena arena;
    struct imap_url url;
    arena_init(&arena, 8);
    assert_int_equal(imap_url_parse(SLICE("/INBOX/;UID=1"), &arena, &url), ERROR_LIMIT);
    arena_release(&arena);
}

/* RFC 4467 sections 7 and 9, RFC 5092 section 6.1. */
static void test_urlauth(void **state)
{
    (void)state;
    CHECK("imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:" TOKEN,
          "joe@example.com 'INBOX' 20 BODY[1.2] submit+fred by internal " TOKEN
          " rump imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred");
    CHECK("imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred",
          "joe@example.com 'INBOX' 20 BODY[1.2] submit+fred");
    CHECK("imap://joe@example.com/INBOX/;uid=20;urlauth=anonymous",
          "joe@example.com 'INBOX' 20 BODY[] anonymous");
    CHECK("imap://joe@example.com/INBOX/;uid=20;urlauth=AuthUser",
          "joe@example.com 'INBOX' 20 BODY[] authuser");
    CHECK("imap://joe%40example.com;AUTH=*@[::1]:143/INBOX/;uid=20/;partial=1.2;"
          "expire=1970-01-01T00:00:09Z;urlauth=user+f%2Bd",
          "joe@example.com@[::1]:143 'INBOX' 20 BODY[]<1.2> until 9 user+f+d");
    CHECK("imap://example.com/INBOX/;uid=20", "@example.com 'INBOX' 20 BODY[]");
    CHECK("imap://;AUTH=PLAIN@example.com/INBOX/;uid=20", "@example.com 'INBOX' 20 BODY[]");
}

static void test_wrong_urlauth(void **state)
{
    (void)state;
    WRONG("imap://");
    WRONG("imap:///INBOX/;uid=20");
    WRONG("imap://joe@/INBOX/;uid=20");
    WRONG("imap://joe@example.com/INBOX/;uid=20x");
    WRONG("imap://jo e@example.com/INBOX/;uid=20");
    WRONG("imap://joe;x@example.com/INBOX/;uid=20");
    WRONG("imap://joe;AUTH=@example.com/INBOX/;uid=20");
    WRONG("imap://joe@exam ple.com/INBOX/;uid=20");
    WRONG("imap://joe@example.com;uid=20");
    WRONG("imap://joe@example.com//INBOX/;uid=20");
    WRONG("imap://joe@example.com/INBOX;urlauth=anonymous");
    WRONG("imap://joe@x/INBOX/;uid=20/;urlauth=anonymous");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=everybody");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymousx");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=user+");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=submit+");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=user+a;b");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous::" TOKEN);
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:internal");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:internal:");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:int_nal:" TOKEN);
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:internal:91354a473744909de610943775f9203");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:internal:" TOKEN "x");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous:internal:" TOKEN ":" TOKEN);
    WRONG("imap://joe@x/INBOX/;uid=20;expire=2026-01-01T00:00:00Z");
    WRONG("imap://joe@x/INBOX/;uid=20;expire=;urlauth=anonymous");
    WRONG("imap://joe@x/INBOX/;uid=20;expire=tomorrow;urlauth=anonymous");
    WRONG("imap://joe@x/INBOX/;uid=20;urlauth=anonymous;expire=2026-01-01T00:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relative), cmocka_unit_test(test_components),
        cmocka_unit_test(test_wrong),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_urlauth),  cmocka_unit_test(test_wrong_urlauth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
