#include "proto/sasl/login_lines.h"

static struct login_lines *lines_of(struct login_engine *engine)
{
    return (struct login_lines *)engine;
}

void login_lines_init(struct login_lines *lines, const struct login_lines_options *protocol,
                      const struct login_options *options, bool tls)
{
    login_engine_init(&lines->engine, protocol->functions, options, tls);
    login_exchange_init(&lines->engine.exchange, protocol->tag_maximum, protocol->line_maximum);
    lines->take = protocol->take;
    line_reader_init(&lines->reader, protocol->line_maximum);
    buffer_init(&lines->name, protocol->name_maximum);
}

void login_lines_release(struct login_engine *engine)
{
    line_reader_release(&lines_of(engine)->reader);
    buffer_release(&lines_of(engine)->name);
}

static enum login_action take_too_long(struct login_engine *engine, struct buffer *output)
{
    if (engine->exchanging)
        return login_engine_end_exchange(engine, LOGIN_TOO_LONG, "The response is too long",
                                         output);
    return login_engine_bad(engine, LOGIN_BAD, "The line is too long", output);
}

bool login_lines_step(struct login_engine *engine, struct slice *input, struct buffer *output,
                      enum login_action *action)
{
    struct login_lines *lines = lines_of(engine);
    struct slice line = {0};
    switch (line_reader_next(&lines->reader, input, &line)) {
    case LINE_MORE:
        return false;
    case LINE_COMPLETE:
        *action = engine->exchanging ? login_engine_take_response(engine, line, output)
                                     : lines->take(engine, line, output);
        return true;
    case LINE_TOO_LONG:
        *action = take_too_long(engine, output);
        return true;
    case LINE_FLOOD:
        login_engine_bye(engine, false, "The line is too long", output);
        *action = LOGIN_CLOSE;
        return true;
    }
    return false;
}

void login_lines_wipe(struct login_engine *engine)
{
    line_reader_release(&lines_of(engine)->reader);
}

void login_lines_tls_started(struct login_engine *engine, struct buffer *output)
{
    struct login_lines *lines = lines_of(engine);
    (void)output;
    login_lines_release(engine);
    line_reader_init(&lines->reader, lines->reader.maximum);
}

struct slice login_lines_initial(struct slice argument)
{
    return slice_equal(argument, SLICE("=")) ? SLICE("") : argument;
}
