/*
 * Messages to measure SORT, THREAD and SEARCH with: the same ones for the same seed, on every
 * machine and in whatever order they are written.
 *
 * What is like life: people answer each other (Re:, In-Reply-To, References), some subjects and
 * names are encoded words, dates are not in the order of delivery, bodies are plain,
 * quoted-printable, base64, multipart/alternative, and now and then with an attachment. Words are
 * made of syllables and some are used far more often than others. Every address is in a reserved
 * domain.
 */
#ifndef BENCH_VARIED_H
#define BENCH_VARIED_H

#include <stddef.h>
#include <stdint.h>

struct varied;

/* `count` messages (from 0) of about `size` bytes on average; ends the program when there is no
 * memory. To be freed with varied_free. */
struct varied *varied_create(uint64_t seed, long count, long size);
void varied_free(struct varied **varied);

/* Bytes that the longest message takes. */
size_t varied_room(const struct varied *varied);

/* Writes a message into varied_room() bytes and returns its length. All lines end in CRLF and none
 * begins with a dot. Any number of threads may write at a time. */
size_t varied_write(const struct varied *varied, long number, char *text);

#endif
