/*
 * Bytes as a stored program: what the verifier lets pass must run without harm. The program that
 * the first byte names of a few good ones is damaged by the rest (offset and value, two bytes and
 * one), as random bytes hardly ever pass; with 0xff the bytes are a program themselves.
 */
#include "base/error.h"
#include "fuzz_host.h"

#include <stdlib.h>

static const char *const scripts[] = {
    "require [\"fileinto\", \"envelope\"]; if anyof (header :matches \"subject\" \"*a?\", "
    "address :domain \"from\" \"x\") { fileinto \"a\"; } elsif envelope \"from\" \"\" { stop; }",
    "require [\"fileinto\", \"variables\"]; if header :matches \"subject\" \"*a*\" "
    "{ fileinto \"${1}${a}${2}\"; } else { redirect \"a@b.example\"; keep; }",
    "if not allof (exists [\"a\", \"b\"], size :over 10) { discard; }",
    "require [\"vacation\", \"imap4flags\", \"variables\", \"editheader\", \"body\", \"date\", "
    "\"index\", \"duplicate\"]; addflag \"v\" \"a b\"; set :length :upper \"w\" \"${v}\"; "
    "addheader \"X\" \"${w}\"; deleteheader :index 1 \"X\"; if anyof (body :content \"text\" "
    ":contains \"b\", currentdate \"hour\" \"09\", duplicate) { vacation :days 3 \"away\"; } "
    "keep :flags \"${v}\";",
    "require [\"mime\", \"foreverypart\", \"extracttext\", \"variables\"]; foreverypart :name "
    "\"o\" "
    "{ if header :mime :anychild :param \"a\" \"content-type\" \"b\" { foreverypart { if exists "
    ":mime "
    "\"x\" { break; } break :name \"o\"; } } extracttext :first 3 \"v\"; } keep;",
    "require [\"regex\", \"enotify\", \"environment\", \"mailbox\", \"spamtest\", \"reject\", "
    "\"extlists\", \"redirect-dsn\", \"variables\"]; if allof (header :regex \"subject\" "
    "\"(a)(b)+\", environment \"name\" \"*\", mailboxexists \"a\", spamtest \"3\", address "
    ":list \"from\" \"l\") { notify :message \"${1}\" \"mailto:a@b.example\"; redirect :notify "
    "\"NEVER\" \"a@b.example\"; } else { reject \"no\"; }",
    "require [\"mime\", \"foreverypart\", \"replace\", \"enclose\", \"body\", \"fileinto\", "
    "\"variables\"]; foreverypart { if header :mime :type \"content-type\" \"text\" { replace "
    ":mime \"Content-Type: text/html\\r\\n\\r\\nx\"; fileinto \"a\"; } else { replace :from "
    "\"a@b.example\" :subject \"s\" \"y\"; enclose :headers \"From\" \"z\"; } } if body \"y\" "
    "{ enclose :subject \"t\" \"u\"; redirect \"a@b.example\"; }",
};
enum { SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

static void run(struct slice bytecode)
{
    static const char message[] = "From: <a@x>\r\nSubject: abab\r\n"
                                  "Content-Type: multipart/mixed; boundary=o\r\n\r\n"
                                  "--o\r\nContent-Type: text/plain\r\n\r\nbody\r\n--o\r\n"
                                  "Content-Type: image/png\r\n\r\npng\r\n--o--\r\n";
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    struct sieve_host host;
    struct sieve_input input = {.message = slice_from_string(message),
                                .envelope_from = SLICE(""),
                                .envelope_to = SLICE("b@y")};
    if (sieve_program_load(bytecode, NULL, &program))
        return;
    fuzz_host_init(&host);
    if (sieve_run(program, &input, &host, &outcome))
        abort();
    sieve_program_free(&program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buffer good[SCRIPTS];
    static struct sieve_report report;
    if (!good[0].maximum) {
        for (size_t i = 0; i < SCRIPTS; i++) {
            buffer_init(&good[i], SIEVE_BYTECODE_MAXIMUM);
            if (sieve_compile(slice_from_string(scripts[i]), NULL, &good[i], &report))
                abort();
        }
    }
    if (!size)
        return 0;
    if (data[0] == 0xff) {
        run(slice_make(data + 1, size - 1));
        return 0;
    }
    struct buffer bytecode;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    buffer_append(&bytecode, buffer_slice(&good[data[0] % SCRIPTS]));
    for (size_t i = 1; i + 3 <= size; i += 3)
        bytecode.data[(data[i] | (size_t)data[i + 1] << 8) % bytecode.size] = (char)data[i + 2];
    run(buffer_slice(&bytecode));
    buffer_release(&bytecode);
    return 0;
}
