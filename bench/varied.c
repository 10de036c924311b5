#include "varied.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PEOPLE = 400,
    WORDS = 4096,
    OPEN_THREADS = 200, /* messages back that somebody still answers */
    REPLIES_OF_100 = 45,
    REFERENCES_MAXIMUM = 10,
    COLUMN = 72,
    HEADER_ROOM = 4096,
    BASE64_LINE = 57, /* bytes that make 76 characters */
};

#define EPOCH 1672531200 /* 1 January 2023 */
#define HOUR  3600

enum kind { PLAIN, QUOTED, BASE64, ALTERNATIVE, MIXED };

struct plan {
    long parent; /* -1: begins a thread */
    long root;
    time_t date;
};

struct varied {
    uint64_t seed;
    long count, size;
    struct plan *plans;
};

struct writer {
    char *text;
    size_t size, room;
    uint64_t state; /* of the random numbers of this message */
};

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % below;
}

/* What a number of a message is drawn from, whoever asks for it. */
static uint64_t state_of(const struct varied *varied, long number, unsigned purpose)
{
    uint64_t state = varied->seed + (uint64_t)number * 2654435761u + purpose * 40503u;
    draw(&state, 2);
    draw(&state, 2);
    return state;
}

/* A reply some hours after what it answers; what begins a thread about ten minutes after the last
 * one, give or take three days. */
static void make_plan(struct varied *varied, long number)
{
    struct plan *plan = &varied->plans[number];
    uint64_t state = state_of(varied, number, 0);
    *plan = (struct plan){.parent = -1, .root = number};
    plan->date = EPOCH + number * 600L + (time_t)draw(&state, 144 * HOUR) - 72 * HOUR;
    if (number == 0 || draw(&state, 100) >= REPLIES_OF_100)
        return;
    long back = number < OPEN_THREADS ? number : OPEN_THREADS;
    plan->parent = number - 1 - (long)draw(&state, (uint64_t)back);
    plan->root = varied->plans[plan->parent].root;
    plan->date = varied->plans[plan->parent].date + (time_t)draw(&state, 48 * HOUR) + 60;
}

struct varied *varied_create(uint64_t seed, long count, long size)
{
    struct varied *varied = calloc(1, sizeof(*varied));
    struct plan *plans = calloc((size_t)count, sizeof(*plans));
    if (!varied || !plans) {
        perror("varied");
        exit(1);
    }
    *varied = (struct varied){.seed = seed, .count = count, .size = size, .plans = plans};
    for (long i = 0; i < count; i++)
        make_plan(varied, i);
    return varied;
}

void varied_free(struct varied **varied)
{
    free((*varied)->plans);
    free(*varied);
    *varied = NULL;
}

size_t varied_room(const struct varied *varied)
{
    return (size_t)varied->size * 8 + HEADER_ROOM;
}

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
                                                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(writer->text + writer->size, writer->room - writer->size, format, arguments);
    va_end(arguments);
    writer->size += (size_t)size;
    if (writer->size >= writer->room) {
        fputs("varied: a message is longer than its room\n", stderr);
        exit(1);
    }
}

/* Word number n, "" when it is none. */
static void spell(unsigned number, char word[16])
{
    static const char *const syllables[16] = {"ta",  "re", "mi", "con", "lo", "ver", "sun", "ka",
                                              "pel", "or", "ni", "dra", "bu", "the", "gos", "win"};
    snprintf(word, 16, "%s%s%s", syllables[number % 16],
             number < 16 ? "" : syllables[number / 16 % 16],
             number < 256 ? "" : syllables[number / 256]);
}

/* The lower its number, the more often a word is drawn. */
static void draw_word(uint64_t *state, char word[16])
{
    uint64_t chance = draw(state, 1000);
    spell((unsigned)(chance * chance * chance * WORDS / 1000000000u), word);
}

/* --- header fields --- */

static void put_person(struct writer *writer, const char *field, unsigned person)
{
    char first[16], last[16];
    spell(person * 7 % 256, first);
    spell(person * 13 % WORDS, last);
    if (person % 5 == 0)
        put(writer, "%s: =?utf-8?Q?J=C3=BCrgen_%s?= <person%u@office%u.example>\r\n", field, last,
            person, person % 37);
    else
        put(writer, "%s: \"%c%s %c%s\" <person%u@office%u.example>\r\n", field, first[0] - 32,
            first + 1, last[0] - 32, last + 1, person, person % 37);
}

/* The same for all messages of a thread, but for what answers put in front. */
static void put_subject(struct writer *writer, const struct varied *varied, long number)
{
    static const char *const prefixes[] = {"Re: ", "Re: ", "Re: ", "RE: ", "Fwd: ", "Re: Re: "};
    const struct plan *plan = &varied->plans[number];
    uint64_t state = state_of(varied, plan->root, 1);
    put(writer, "Subject: %s", plan->parent < 0 ? "" : prefixes[draw(&writer->state, 6)]);
    if (draw(&state, 6) == 0)
        put(writer, "=?utf-8?B?w5xiZXJzaWNodA==?= ");
    for (uint64_t words = 2 + draw(&state, 5); words > 0; words--) {
        char word[16];
        draw_word(&state, word);
        put(writer, "%s ", word);
    }
    put(writer, "%ld\r\n", plan->root % 1000);
}

static void put_date(struct writer *writer, time_t date)
{
    static const int zones[] = {0, 1, 2, -5, 9};
    int zone = zones[draw(&writer->state, 5)];
    char text[64];
    struct tm parts;
    time_t local = date + zone * HOUR;
    gmtime_r(&local, &parts);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S", &parts);
    put(writer, "Date: %s %c%02d00\r\n", text, zone < 0 ? '-' : '+', abs(zone));
}

static void put_id(struct writer *writer, const struct varied *varied, long number)
{
    put(writer, "<%llx.%ld@office%ld.example>", (unsigned long long)varied->seed, number,
        number % 37);
}

/* The ones before the last ten are left out, as programs that write them do. */
static void put_references(struct writer *writer, const struct varied *varied, long number)
{
    long chain[REFERENCES_MAXIMUM];
    int length = 0;
    for (long at = varied->plans[number].parent; at >= 0 && length < REFERENCES_MAXIMUM;
         at = varied->plans[at].parent)
        chain[length++] = at;
    if (length == 0)
        return;
    put(writer, "In-Reply-To: ");
    put_id(writer, varied, chain[0]);
    put(writer, "\r\nReferences:");
    while (length > 0) {
        put(writer, "%s", " ");
        put_id(writer, varied, chain[--length]);
        put(writer, "%s", length ? "\r\n" : "");
    }
    put(writer, "\r\n");
}

static void put_header(struct writer *writer, const struct varied *varied, long number)
{
    unsigned from = (unsigned)draw(&writer->state, PEOPLE);
    put(writer,
        "Received: from mail%u.example (mail%u.example [192.0.2.%u])\r\n"
        "\tby mx.example.test with ESMTPS id %08lx\r\n",
        from % 37, from % 37, from % 250 + 1, (unsigned long)draw(&writer->state, 1ul << 32));
    put_person(writer, "From", from);
    put(writer, "To: Reader <reader@example.test>\r\n");
    if (draw(&writer->state, 3) == 0)
        put_person(writer, "Cc", (unsigned)draw(&writer->state, PEOPLE));
    put_subject(writer, varied, number);
    put_date(writer, varied->plans[number].date);
    put(writer, "Message-ID: ");
    put_id(writer, varied, number);
    put(writer, "\r\n");
    put_references(writer, varied, number);
    put(writer, "User-Agent: Mailer %u.%u\r\nMIME-Version: 1.0\r\n", from % 9, from % 4);
}

/* --- bodies --- */

/* Lines of words, about so many bytes; every tenth word or so is `foreign`, unless that is NULL. */
static void put_text(struct writer *writer, size_t size, const char *foreign, const char *line_end)
{
    size_t end = writer->size + size, column = 0;
    while (writer->size < end) {
        char word[16];
        draw_word(&writer->state, word);
        const char *shown = foreign && draw(&writer->state, 10) == 0 ? foreign : word;
        size_t before = writer->size;
        put(writer, "%s", shown);
        column += writer->size - before + 1;
        put(writer, "%s", column > COLUMN - 16 ? line_end : " ");
        column = column > COLUMN - 16 ? 0 : column;
    }
    put(writer, "%s", line_end);
}

static void put_base64(struct writer *writer, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < size; at += 3) {
        unsigned group = (unsigned)bytes[at] << 16;
        group |= at + 1 < size ? (unsigned)bytes[at + 1] << 8 : 0;
        group |= at + 2 < size ? bytes[at + 2] : 0;
        put(writer, "%c%c%c%c", digits[group >> 18], digits[group >> 12 & 63],
            at + 1 < size ? digits[group >> 6 & 63] : '=',
            at + 2 < size ? digits[group & 63] : '=');
        if (at % BASE64_LINE == BASE64_LINE - 3)
            put(writer, "\r\n");
    }
    put(writer, "\r\n");
}

/* The text is made behind what is written and moved out of the way. */
static void put_encoded_text(struct writer *writer, size_t size)
{
    size_t start = writer->size;
    put_text(writer, size, "gr\303\274\303\237e", "\r\n");
    size_t length = writer->size - start;
    unsigned char *text = malloc(length);
    memcpy(text, writer->text + start, length);
    writer->size = start;
    put_base64(writer, text, length);
    free(text);
}

static void put_attachment(struct writer *writer, size_t size)
{
    unsigned char line[BASE64_LINE];
    put(writer, "--=part\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n"
                "Content-Disposition: attachment; filename=\"report.pdf\"\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t end = writer->size + size; writer->size < end;) {
        for (size_t i = 0; i < BASE64_LINE; i++)
            line[i] = (unsigned char)draw(&writer->state, 256);
        put_base64(writer, line, BASE64_LINE);
        writer->size -= 2; /* a full line has ended itself */
    }
    put(writer, "--=part--\r\n");
}

static void put_alternative(struct writer *writer, size_t size)
{
    put(writer, "Content-Type: multipart/alternative; boundary=\"=part\"\r\n\r\n"
                "--=part\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    put_text(writer, size, "gr=C3=BC=C3=9Fe", " =\r\n");
    put(writer, "\r\n--=part\r\nContent-Type: text/html; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 7bit\r\n\r\n<html><body><p>\r\n");
    put_text(writer, size, "gr&uuml;&szlig;e", "<br>\r\n");
    put(writer, "</p></body></html>\r\n--=part--\r\n");
}

static void put_body(struct writer *writer, enum kind kind, size_t size, size_t attached)
{
    static const char *const encodings[] = {
        [PLAIN] = "us-ascii\r\nContent-Transfer-Encoding: 7bit",
        [QUOTED] = "utf-8\r\nContent-Transfer-Encoding: quoted-printable",
        [BASE64] = "utf-8\r\nContent-Transfer-Encoding: base64",
        [MIXED] = "us-ascii",
    };
    if (kind == ALTERNATIVE) {
        put_alternative(writer, size);
        return;
    }
    if (kind == MIXED)
        put(writer, "Content-Type: multipart/mixed; boundary=\"=part\"\r\n\r\n--=part\r\n");
    put(writer, "Content-Type: text/plain; charset=%s\r\n\r\n", encodings[kind]);
    if (kind == BASE64)
        put_encoded_text(writer, size);
    else
        put_text(writer, size, kind == QUOTED ? "gr=C3=BC=C3=9Fe" : NULL, "\r\n");
    if (kind == MIXED)
        put_attachment(writer, attached);
}

/* Of 100 messages 40, 15, 10, 25 and 10 are of a kind; a text is 0.1 to 0.7 of `size`, an
 * attachment 1 to 5 times it: with the header fields that makes `size` on average where that is
 * about 6,000. */
size_t varied_write(const struct varied *varied, long number, char *text)
{
    static const unsigned char shares[] = {
        [PLAIN] = 40, [QUOTED] = 55, [BASE64] = 65, [ALTERNATIVE] = 90};
    struct writer writer = {
        .text = text, .room = varied_room(varied), .state = state_of(varied, number, 2)};
    uint64_t size = (uint64_t)varied->size, share = draw(&writer.state, 100);
    enum kind kind = PLAIN;
    while (kind < MIXED && share >= shares[kind])
        kind++;
    put_header(&writer, varied, number);
    size_t length = size / 10 + draw(&writer.state, size * 6 / 10);
    size_t attached = size + draw(&writer.state, size * 4);
    put_body(&writer, kind, length, attached);
    return writer.size;
}
