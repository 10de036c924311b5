/*
 * What Sieve costs: compiling, loading and running a script of 50 rules, for a message that no rule
 * is meant for, so that all are tried.
 *
 *     sieve_bench [FILE MESSAGE]      a script and a message of one's own
 */
#include "base/clock.h"
#include "base/error.h"
#include "sieve/sieve.h"

enum { RULES = 50, COMPILES = 200, RUNS = 20000, FILE_MAXIMUM = 64 * 1024 * 1024 };

static const char message[] =
    "Return-Path: <announce-bounces@lists.example.org>\r\n"
    "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n"
    "\tby mail.example.net with LMTP id 4711 for <alice@example.net>;\r\n"
    "\tTue, 20 Oct 2026 10:00:01 +0200\r\n"
    "Received: from lists.example.org (lists.example.org [192.0.2.2])\r\n"
    "\tby mx.example.org with ESMTPS; Tue, 20 Oct 2026 10:00:00 +0200\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2026;\r\n"
    "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h=from:to:subject:date\r\n"
    "Date: Tue, 20 Oct 2026 09:59:58 +0200\r\n"
    "From: =?utf-8?Q?J=C3=B6rg?= Example <joerg@example.org>\r\n"
    "To: Announcements <announce@lists.example.org>, alice@example.net\r\n"
    "Cc: bob@example.com, Carol <carol@example.com>\r\n"
    "Subject: [announce] =?utf-8?Q?Gr=C3=BC=C3=9Fe?= and the minutes of the last meeting\r\n"
    "Message-ID: <20261020095958.4711@example.org>\r\n"
    "List-Id: Announcements <announce.lists.example.org>\r\n"
    "List-Unsubscribe: <mailto:announce-leave@lists.example.org>\r\n"
    "Precedence: list\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "X-Spam-Score: 0.3\r\n"
    "\r\n"
    "Dear all,\r\n\r\nthe minutes are at the usual place.\r\n";

static void check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "sieve_bench: %s: %s\n", what, error_text(error));
        exit(1);
    }
}

static void put_rules(struct buffer *script)
{
    static const char *const tests[] = {
        "header :contains \"list-id\" \"project%u.lists.example.org\"",
        "address :is [\"from\", \"sender\"] \"colleague%u@example.com\"",
        "header :matches \"subject\" \"*[ticket-%u]*\"",
        "anyof (address :domain :is \"to\" \"shop%u.example\", header :is \"x-shop\" \"%u\")",
        "allof (header :contains \"x-spam-score\" \"9%u\", size :over 100K)"};
    buffer_append_string(script, "require \"fileinto\";\r\n");
    for (unsigned i = 0; i < RULES; i++) {
        char text[200];
        const char *from = tests[i % 5];
        size_t size = 0;
        for (; *from && size < 150; from++) {
            if (from[0] == '%' && from[1] == 'u')
                size += (size_t)snprintf(text + size, 12, "%u", i), from++;
            else
                text[size++] = *from;
        }
        buffer_append_format(script, "if %.*s { fileinto \"folder %u\"; stop; }\r\n", (int)size,
                             text, i);
    }
}

static void read_file(const char *path, struct buffer *content)
{
    FILE *file = fopen(path, "rb");
    char bytes[65536];
    size_t size;
    if (!file)
        check(ERROR_NOT_FOUND, path);
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buffer_append(content, slice_make(bytes, size));
    fclose(file);
    check(buffer_error(content), path);
}

static int perform(void *arg, const struct sieve_action *action)
{
    *(unsigned *)arg += action->kind == SIEVE_KEEP;
    return 0;
}

static void print_each(const char *what, uint64_t start, unsigned count)
{
    printf("%-44s %10.2f us\n", what, (double)(clock_monotonic_us() - start) / count);
}

int main(int count, char **arguments)
{
    static struct sieve_report report;
    struct buffer script, mail, bytecode;
    struct sieve_program *program = NULL;
    unsigned kept = 0;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    buffer_init(&mail, FILE_MAXIMUM);
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    if (count == 3) {
        read_file(arguments[1], &script);
        read_file(arguments[2], &mail);
    } else {
        put_rules(&script);
        buffer_append_string(&mail, message);
    }
    uint64_t start = clock_monotonic_us();
    for (unsigned i = 0; i < COMPILES; i++) {
        buffer_clear(&bytecode);
        check(sieve_compile(buffer_slice(&script), NULL, &bytecode, &report), "compile");
    }
    print_each("compile a script", start, COMPILES);
    start = clock_monotonic_us();
    for (unsigned i = 0; i < COMPILES; i++) {
        sieve_program_free(&program);
        check(sieve_program_load(buffer_slice(&bytecode), NULL, &program), "load");
    }
    print_each("verify and load its bytecode", start, COMPILES);
    struct sieve_host host = {.arg = &kept, .perform = perform};
    struct sieve_input input = {.message = buffer_slice(&mail),
                                .envelope_from = SLICE("joerg@example.org"),
                                .envelope_to = SLICE("alice@example.net")};
    struct sieve_outcome outcome;
    start = clock_monotonic_us();
    for (unsigned i = 0; i < RUNS; i++)
        check(sieve_run(program, &input, &host, &outcome), "run");
    print_each("run it for a message", start, RUNS);
    printf("%-44s %10zu bytes\n%-44s %10llu\n", "bytecode", bytecode.size, "steps of a run",
           (unsigned long long)outcome.steps);
    sieve_program_free(&program);
    buffer_release(&script);
    buffer_release(&mail);
    buffer_release(&bytecode);
    return 0;
}
