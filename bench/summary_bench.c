/*
 * What summarising a message costs, as every delivery pays it: a plain message of 20 KB, one of
 * two alternatives, one of 10 MB.
 *
 *     summary_bench
 */
#include "base/clock.h"
#include "format/summary.h"

#include <inttypes.h>

enum { SMALL = 20 * 1024, LARGE = 10 * 1024 * 1024, RECEIVED = 20 };

static void fill(struct buffer *message, const char *line, size_t size)
{
    while (message->size < size)
        buffer_append_string(message, line);
}

static void write_header(struct buffer *message)
{
    for (int i = 0; i < RECEIVED; i++)
        buffer_append_string(message,
                             "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n"
                             "\tby mail.example.test (Postfix) with ESMTPS id 4XyZ\r\n"
                             "\tfor <alice@example.test>; Fri, 21 Nov 1997 09:55:06 -0600\r\n");
    buffer_append_string(message, "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\n"
                                  "To: Alice <alice@example.test>, Bob <bob@example.test>\r\n"
                                  "Subject: Minutes of the meeting\r\nMIME-Version: 1.0\r\n"
                                  "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
                                  "Message-ID: <1@example.org>\r\n");
}

static void write_plain(struct buffer *message)
{
    write_header(message);
    buffer_append_string(message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    fill(message, "This is an ordinary line in an ordinary message that somebody wrote.\r\n",
         SMALL);
}

static void write_alternatives(struct buffer *message, size_t size)
{
    write_header(message);
    buffer_append_string(message, "Content-Type: multipart/alternative; boundary=\"=_b\"\r\n\r\n"
                                  "--=_b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
                                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    fill(message, "This is an ordinary line of t=E9xt in a message that somebody=\r\n wrote.\r\n",
         SMALL / 2);
    buffer_append_string(message, "--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n");
    fill(message, "<p>This is an ordinary line in an ordinary message.</p>\r\n--\r\n", size);
    buffer_append_string(message, "\r\n--=_b--\r\n");
}

static int measure(const char *name, const struct buffer *message, unsigned count)
{
    struct arena arena;
    struct buffer encoded;
    arena_init(&arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    uint64_t start = clock_monotonic_us();
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        buffer_clear(&encoded);
        arena_clear(&arena);
        error = summary_build(buffer_slice(message), &arena, &encoded);
    }
    uint64_t took = clock_monotonic_us() - start;
    printf("%-12s %9zu bytes, summary %5zu bytes: %8.1f us\n", name, message->size, encoded.size,
           (double)took / count);
    buffer_release(&encoded);
    arena_release(&arena);
    return error;
}

int main(void)
{
    struct buffer message;
    buffer_init(&message, 2 * LARGE);
    write_plain(&message);
    int error = measure("plain", &message, 20000);
    buffer_clear(&message);
    write_alternatives(&message, SMALL);
    error |= measure("alternatives", &message, 20000);
    buffer_clear(&message);
    write_alternatives(&message, LARGE);
    error |= measure("large", &message, 50);
    buffer_release(&message);
    return error != 0;
}
