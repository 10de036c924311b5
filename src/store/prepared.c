#include "base/error.h"
#include "format/downgrade.h"
#include "format/surrogate.h"
#include "store/prepared_priv.h"
#include "store/thread_priv.h"

#include <ctype.h>
#include <stdlib.h>

static int read_message(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct slice *message = arg;
    return buffer_append(bytes, slice_sub(*message, (size_t)offset, size));
}

static int find_internationalized(struct prepared_message *prepared, const struct summary *summary)
{
    const struct surrogate_source source = {summary, read_message, &prepared->message};
    return surrogate_is_needed(&source, 0, UINT64_MAX, &prepared->internationalized);
}

int prepared_message_create(struct slice message, struct prepared_message **prepared)
{
    struct prepared_message *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    struct arena scratch;
    arena_init(&scratch, SUMMARY_MEMORY_MAXIMUM);
    made->message = message;
    buffer_init(&made->summary, SUMMARY_SIZE_MAXIMUM);
    struct summary summary;
    int error = summary_build(message, &scratch, &made->summary);
    if (!error)
        error = summary_parse(buffer_slice(&made->summary), &summary);
    if (!error)
        error = thread_ids_of(&summary, &made->ids);
    if (!error)
        error = find_internationalized(made, &summary);
    arena_release(&scratch);
    if (error)
        prepared_message_free(&made);
    else
        *prepared = made;
    return error;
}

void prepared_message_free(struct prepared_message **prepared)
{
    if (!*prepared)
        return;
    buffer_release(&(*prepared)->summary);
    free(*prepared);
    *prepared = NULL;
}

int prepared_message_summary(const struct prepared_message *prepared, struct summary *summary)
{
    return summary_parse(buffer_slice(&prepared->summary), summary);
}

uint64_t prepared_message_delivery(const struct prepared_message *prepared, struct slice recipient)
{
    struct summary summary;
    struct buffer text;
    uint8_t sha256[32];
    uint64_t delivery = 0;
    if (prepared_message_summary(prepared, &summary))
        return 0;
    struct slice id = summary.headers[SUMMARY_MESSAGE_ID];
    if (id.size == 0)
        return 0;
    buffer_init(&text, SIZE_MAX - 1);
    buffer_append(&text, id);
    buffer_append_byte(&text, '\0');
    for (size_t i = 0; i < recipient.size; i++)
        buffer_append_byte(&text, (char)tolower((unsigned char)recipient.data[i]));
    if (!buffer_error(&text) && !bytes_hash(buffer_slice(&text), sha256))
        memcpy(&delivery, sha256, sizeof(delivery));
    buffer_release(&text);
    return le64toh(delivery);
}

int stored_message_make(const struct prepared_message *prepared, struct slice prefix,
                        struct stored_message *stored, struct buffer *bytes, struct buffer *summary)
{
    *stored = (struct stored_message){.bytes = prepared->message,
                                      .summary = buffer_slice(&prepared->summary),
                                      .ids = &prepared->ids,
                                      .internationalized = prepared->internationalized ||
                                                           !downgrade_is_ascii(prefix)};
    if (prefix.size > MESSAGE_PREFIX_MAXIMUM)
        return ERROR_LIMIT;
    if (prefix.size) {
        int error = summary_shift(stored->summary, prefix.size, summary);
        if (error)
            return error;
        buffer_reserve(bytes, prefix.size + prepared->message.size);
        buffer_append(bytes, prefix);
        buffer_append(bytes, prepared->message);
        if (buffer_error(bytes))
            return buffer_error(bytes);
        stored->summary = buffer_slice(summary);
        stored->bytes = buffer_slice(bytes);
    }
    return bytes_hash(stored->bytes, stored->sha256);
}
