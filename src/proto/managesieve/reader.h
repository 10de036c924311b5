/*
 * ManageSieve on the wire, from the client (RFC 5804 sections 1.2 and 4): lines of an atom, strings
 * and numbers. A string is quoted, or a literal, "{5+}" at a line's end and five octets behind it,
 * after which the line goes on.
 *
 * Both engines, before and after login, read with it; a line that says nothing sensible is passed
 * over with its literals, so that no octet of a script is ever taken for a command. Where that
 * cannot be known the connection ends.
 */
#ifndef PROTO_MANAGESIEVE_READER_H
#define PROTO_MANAGESIEVE_READER_H

#include "base/buffer.h"

enum {
    MANAGESIEVE_LINE_MAXIMUM = 4096, /* bytes of a command without its literals' octets */
    MANAGESIEVE_SKIP_MAXIMUM = 16 * 1024 * 1024, /* octets of literals passed over in one command */
    MANAGESIEVE_ARGUMENTS_MAXIMUM = 2,
};

struct managesieve_argument {
    bool is_number;
    uint32_t number;
    struct slice string; /* data is never NULL; a quoted one is without its backslashes */
};

struct managesieve_line {
    struct slice name; /* the atom; empty when a string alone was expected */
    struct managesieve_argument arguments[MANAGESIEVE_ARGUMENTS_MAXIMUM];
    size_t argument_count;
};

enum managesieve_event {
    MANAGESIEVE_MORE,      /* needs more input */
    MANAGESIEVE_COMMAND,   /* *line is filled in, valid until the next call */
    MANAGESIEVE_BAD,       /* it was none: *problem says why in a few words */
    MANAGESIEVE_TOO_LARGE, /* a literal was over the maximum */
    MANAGESIEVE_CLOSE,     /* where the next command begins is not known: *problem says why */
};

struct managesieve_reader {
    struct buffer text;      /* the command so far: its lines and its literals' octets */
    size_t literals_maximum; /* octets of a command's literals */
    size_t literals;         /* octets of those that have begun */
    size_t line_start;       /* in text: of the line that has not ended */
    uint32_t octets_left;    /* of the literal that has begun */
    uint64_t skipped;        /* octets passed over */
    bool string_expected;    /* the next line is one string: a response of SASL's */
    bool named;              /* the atom has come */
    bool too_large;
    bool taken;          /* what was returned is forgotten with the next call */
    const char *problem; /* the rest is passed over; NULL: it is sensible so far */
    size_t name_size;    /* the atom is what text begins with */
    struct {
        bool is_number;
        uint32_t number;
        size_t offset, size; /* in text */
    } arguments[MANAGESIEVE_ARGUMENTS_MAXIMUM];
    size_t argument_count;
};

/* literals_maximum: octets of all literals of one command. */
void managesieve_reader_init(struct managesieve_reader *reader, size_t literals_maximum);

/* Wipes: a line may be a password. The reader can be used again. */
void managesieve_reader_release(struct managesieve_reader *reader);

/* The next line is one string without an atom (RFC 5804 section 2.1). */
void managesieve_reader_expect_string(struct managesieve_reader *reader);

/* Takes what it needs from the front of *input. */
enum managesieve_event managesieve_reader_next(struct managesieve_reader *reader,
                                               struct slice *input, struct managesieve_line *line,
                                               const char **problem);

#endif
