/*
 * POP3 responses: status lines, capabilities, and messages on their way to the client. All append
 * to a bounded buffer, whose sticky error is checked once at the end.
 */
#ifndef PROTO_POP3_WRITER_H
#define PROTO_POP3_WRITER_H

#include "base/buffer.h"
#include "format/language.h"

/* "+OK text". text is English, and written in the language. */
void pop3_write_ok(struct buffer *output, enum language language, const char *text);

/* "-ERR [code] text"; code NULL: none (RFC 2449 section 8, RFC 3206, RFC 6856 section 5). */
void pop3_write_error(struct buffer *output, enum language language, const char *code,
                      const char *text);

/* "-ERR [AUTH] ...", "-ERR [SYS/TEMP] ..." by cause (RFC 3206 section 4). */
void pop3_write_refusal(struct buffer *output, enum language language, int error);

/* What CAPA answers (RFC 2449 section 5) both before and after login, with the end. `more`: lines
 * that apply now only, each with its CRLF. */
void pop3_write_capabilities(struct buffer *output, const char *more);

/* LANG's answer (RFC 6856 section 3.2): the list when the argument is empty, else a language, in
 * itself. Returns what is spoken from here on. */
enum language pop3_write_language(struct buffer *output, enum language language,
                                  struct slice argument);

/*
 * A message on its way to the client: its lines that begin with a dot get another (RFC 1939 section
 * 3), a bare LF becomes CRLF, and at the end there is CRLF "." CRLF. Pieces may be cut anywhere.
 */
struct pop3_message {
    bool ascii_header; /* bytes of the header beyond ASCII become '?': see below */
    bool limited;      /* TOP: at most `lines` of the body */
    uint64_t lines;
    bool in_body;
    bool done;       /* nothing more of it will be written but the end */
    bool line_start; /* nothing of the line has come */
    bool line_empty; /* nothing but a CR has */
    bool cr;         /* the last byte was one */
};

/* RFC 6856 section 2.1: who has not said UTF8 must not be sent a header in UTF-8. Where what is
 * given still has one, there is '?' for each such byte, so that it stays as long as it was said to
 * be. */
void pop3_message_begin(struct pop3_message *message, bool ascii_header);

/* Only the header, the empty line, and so many lines of the body (RFC 1939 section 7, TOP). */
void pop3_message_limit(struct pop3_message *message, uint64_t lines);

/* Appends at most twice the piece's size. */
void pop3_message_add(struct pop3_message *message, struct slice piece, struct buffer *output);

void pop3_message_end(struct pop3_message *message, struct buffer *output);

#endif
