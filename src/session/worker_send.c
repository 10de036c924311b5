#include "session/worker_priv.h"

#include <errno.h>
#include <sys/socket.h>

/* As much as the peer takes now. True: that was all. */
static bool send_bytes(struct served *served)
{
    const struct buffer *output = &served->stream.output;
    while (served->sent < output->size) {
        ssize_t sent = send(served->socket, output->data + served->sent,
                            output->size - served->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            served->write_failed = errno != EAGAIN;
            return false;
        }
        served->sent += (size_t)sent;
        served->stream.bytes_out += (uint64_t)sent;
    }
    served->sent = 0;
    return true;
}

void worker_send(struct served *served)
{
    struct buffer *output = &served->stream.output;
    if (!send_bytes(served))
        return;
    if (served->need == STREAM_NEED_OUTPUT)
        buffer_clear(output);
    else
        buffer_release(output);
}

bool worker_send_within_run(struct stream *stream)
{
    struct served *served = (struct served *)stream;
    if (served->sent || served->write_failed || buffer_error(&stream->output) ||
        !send_bytes(served))
        return false;
    buffer_clear(&stream->output);
    return !atomic_load(&served->worker->in_line);
}
