/*
 * A script through the compiler; what compiles must load.
 */
#include "base/error.h"
#include "sieve/sieve.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sieve_report report;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(slice_make(data, size), NULL, &bytecode, &report);
    if ((error == 0) != (report.errors == 0) || (error && bytecode.size))
        abort();
    if (!error && sieve_program_load(buffer_slice(&bytecode), NULL, &program) != 0)
        abort();
    sieve_program_free(&program);
    buffer_release(&bytecode);
    return 0;
}
