/*
 * A script and a message, with a NUL byte between them (one that says "imapsieve" is run for an
 * IMAP event): the run ends, and the implicit keep is there when nothing else was done.
 */
#include "base/error.h"
#include "fuzz_host.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sieve_report report;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    struct sieve_host host;
    struct slice whole = slice_make(data, size);
    size_t end = slice_find(whole, '\0');
    struct sieve_input input = {.message = slice_sub(whole, end + 1, SIZE_MAX),
                                .envelope_from = SLICE("a@x.example"),
                                .envelope_to = SLICE("b+c@y.example")};
    const struct slice flags[] = {SLICE("\\Seen"), SLICE("$x")}, script = slice_sub(whole, 0, end);
    if (script.size && memmem(script.data, script.size, "imapsieve", 9)) {
        input.event = true;
        input.envelope_from = input.envelope_to = slice_make(NULL, 0);
        input.flags = flags;
        input.flag_count = 2;
    }
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    if (sieve_compile(script, NULL, &bytecode, &report) == 0) {
        if (sieve_program_load(buffer_slice(&bytecode), NULL, &program))
            abort();
        fuzz_host_init(&host);
        if (sieve_run(program, &input, &host, &outcome))
            abort();
        if (outcome.failed && (!outcome.kept || outcome.actions != 1))
            abort();
    }
    sieve_program_free(&program);
    buffer_release(&bytecode);
    return 0;
}
