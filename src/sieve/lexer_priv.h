/*
 * Tokens of a Sieve script (RFC 5228 section 8.1).
 */
#ifndef SIEVE_LEXER_PRIV_H
#define SIEVE_LEXER_PRIV_H

#include "base/arena.h"
#include "sieve/sieve.h"

enum token_kind {
    TOKEN_END,
    TOKEN_ERROR, /* reported already */
    TOKEN_IDENTIFIER,
    TOKEN_TAG,    /* text: without the colon */
    TOKEN_NUMBER, /* number: with its K, M or G */
    TOKEN_STRING, /* text: quoted or multi-line, escapes resolved, in the arena; line ends CRLF */
    TOKEN_PUNCTUATION, /* text: one of ( ) [ ] { } , ; */
};

struct token {
    enum token_kind kind;
    struct slice text;
    uint64_t number;
    unsigned line, column;
};

struct lexer {
    struct slice script;
    struct arena *arena;
    struct sieve_report *report;
    size_t offset;
    unsigned line, column; /* of offset */
};

/* Adds an error or a warning to the report. */
void report_error(struct sieve_report *report, unsigned line, unsigned column, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
void report_warning(struct sieve_report *report, unsigned line, unsigned column, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* A script's name, text or the like for a message: cut, so that it fits. */
#define QUOTED(s) (int)((s).size > 60 ? 60 : (s).size), (s).data

/* Begins at the script's start, behind a byte order mark. */
void lexer_init(struct lexer *lexer, struct slice script, struct arena *arena,
                struct sieve_report *report);

/* The next token. After TOKEN_ERROR or TOKEN_END comes nothing. */
void lexer_next(struct lexer *lexer, struct token *token);

#endif
