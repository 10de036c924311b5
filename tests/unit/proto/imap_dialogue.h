/*
 * Input and expected events, given whole, byte by byte and in pieces of seven bytes.
 */
#ifndef TESTS_UNIT_PROTO_IMAP_DIALOGUE_H
#define TESTS_UNIT_PROTO_IMAP_DIALOGUE_H

#include "../check.h"
#include "imap_events.h"

static const struct imap_limits usual_limits = {
    .line = 8192, .literals = 65536, .arena = 1024 * 1024, .message = 1000, .states = 7};

static inline void check_pieces(struct imap_limits limits, struct slice input, size_t piece,
                                bool refuse, const char *expected, const char *file, int line)
{
    struct imap_reader reader;
    struct buffer events;
    imap_reader_init(&reader, &limits);
    buffer_init(&events, 16 * 1024 * 1024);
    imap_events_run(&reader, input, piece, refuse, &events);
    check_slice(buffer_slice(&events), expected, file, line);
    buffer_release(&events);
    imap_reader_release(&reader);
    assert_true(imap_reader_is_idle(&reader));
}

static inline void check_dialogue(struct imap_limits limits, struct slice input, bool refuse,
                                  const char *expected, const char *file, int line)
{
    check_pieces(limits, input, input.size, refuse, expected, file, line);
    check_pieces(limits, input, 1, refuse, expected, file, line);
    check_pieces(limits, input, 7, refuse, expected, file, line);
}

#define check_events(input, expected)                                                              \
    check_dialogue(usual_limits, SLICE(input), false, expected, __FILE__, __LINE__)
#define check_events_slice(limits, input, expected)                                                \
    check_dialogue(limits, input, false, expected, __FILE__, __LINE__)
/* One command, without its line's end, and its arguments as imap_events.h writes them. */
#define check_command(input, expected) check_events("a " input "\r\n", "command a " expected "\n")
#define check_bad(input, text)         check_events("a " input "\r\n", "BAD a " text "\n")

#endif
