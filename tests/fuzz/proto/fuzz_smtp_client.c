/*
 * What a server may answer to SMTP's client, whole and byte by byte: the client says the same, and
 * everybody has a result.
 */
#include "proto/smtp/client.h"

#include <stdlib.h>

static void run(struct slice input, size_t piece, struct buffer *log)
{
    static const struct slice recipients[] = {{"a@b.test", 8}, {"c@d.test", 8}};
    static const struct smtp_mail mail = {.hostname = "here.test",
                                          .recipients = recipients,
                                          .recipient_count = 2,
                                          .size = 5,
                                          .eight_bit = true,
                                          .notify = SMTP_NOTIFY_FAILURE};
    struct smtp_client *client = malloc(sizeof(*client));
    enum smtp_action action = SMTP_MORE;
    buffer_init(log, 1024 * 1024);
    if (!client || smtp_client_init(client, &mail))
        abort();
    while (input.size && action != SMTP_DONE) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        do {
            action = smtp_client_consume(client, &part, log);
            if (action == SMTP_DATA) {
                smtp_client_data(client, SLICE(".x\r\n"), log);
                smtp_client_data_end(client, log);
            }
        } while (part.size && action != SMTP_DONE);
    }
    smtp_client_closed(client, "closed");
    for (size_t i = 0; i < 2; i++) {
        const struct smtp_result *result = &client->results[i];
        if (result->outcome > SMTP_REFUSED || strlen(result->text) >= SMTP_RESULT_MAXIMUM)
            abort();
        buffer_append_format(log, "%d %d %s\n", result->outcome, result->code, result->text);
    }
    if (buffer_error(log))
        abort();
    smtp_client_release(client);
    free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, bytes;
    run(slice_make(data, size), SIZE_MAX, &whole);
    run(slice_make(data, size), 1, &bytes);
    if (!slice_equal(buffer_slice(&whole), buffer_slice(&bytes)))
        abort();
    buffer_release(&whole);
    buffer_release(&bytes);
    return 0;
}
