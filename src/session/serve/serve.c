#include "session/serve/serve.h"

#include "base/clock.h"
#include "base/gate.h"

bool turns_slice_over(const struct turns *turns)
{
    const struct buffer *output = &turns->stream->output;
    return output->size >= STREAM_OUTPUT_MARK || buffer_error(output) ||
           clock_monotonic_us() >= turns->deadline;
}

int turns_view(struct turns *turns, struct store_view **view)
{
    const struct stream *stream = turns->stream;
    int error = 0;
    if (!turns->view)
        error = store_view_open(stream->store, who_account(stream->account), stream->account,
                                &turns->view);
    if (!error)
        *view = turns->view;
    return error;
}

void turns_note(const struct turns *turns, const char *command)
{
    const struct stream *stream = turns->stream;
    char text[CRASH_NOTE_MAXIMUM];
    if (!stream->service)
        return;
    snprintf(text, sizeof(text), "%s %s %s", stream->protocol->name, stream->user, command);
    service_note(stream->service, text);
}

static enum stream_need serve(struct turns *turns, const struct turn_functions *functions)
{
    if (!turns->greeted)
        functions->greet(turns);
    turns->greeted = true;
    while (!turns->closing) {
        if (turns->leaving)
            return STREAM_NEED_LOGIN;
        if (turns_slice_over(turns))
            return STREAM_NEED_OUTPUT;
        if (functions->is_busy(turns)) {
            if (functions->changes(turns) && gate_is_closed())
                return STREAM_NEED_GATE;
            functions->go_on(turns);
            continue;
        }
        functions->say_goodbye(turns);
        if (!turns->closing && !functions->read(turns))
            return turns->stream->input_ended ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
    }
    return STREAM_NEED_CLOSE;
}

enum stream_need turns_run(struct turns *turns, const struct turn_functions *functions)
{
    turns->deadline = clock_monotonic_us() + STREAM_SLICE_US;
    enum stream_need need = serve(turns, functions);
    if (turns->view)
        store_view_close(&turns->view);
    return buffer_error(&turns->stream->output) ? STREAM_NEED_CLOSE : need;
}
