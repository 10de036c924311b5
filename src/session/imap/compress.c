/*
 * COMPRESS=DEFLATE (RFC 4978): from the command's answer on, both directions are raw deflate.
 *
 *     stream->input ──inflate──> plain input ──> reader
 *     stream->output <──deflate── plain output <── handlers
 *
 * What is sent is flushed to a byte's end whenever a run ends, and the deflater then let go while
 * the session waits: it costs more than all the rest of an idle session, and another one goes on
 * where it ended. The inflater has to stay, as what the client sends may refer back 32 KiB.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

#include <zlib.h>

enum {
    WINDOW_BITS = -15, /* raw, 32 KiB */
    MEMORY_LEVEL = 8,
    PIECE = 16 * 1024, /* bytes decompressed in one go */
};

struct compression {
    z_stream inflater, deflater;
    bool deflating;       /* the deflater is there */
    bool full;            /* the inflater may hold back what did not fit into the last piece */
    struct buffer input;  /* decompressed */
    struct slice unread;  /* of it */
    struct buffer output; /* to be compressed */
};

int compress_begin(struct imap_session *session)
{
    struct compression *compression = calloc(1, sizeof(*compression));
    if (!compression)
        return ERROR_MEMORY;
    if (inflateInit2(&compression->inflater, WINDOW_BITS) != Z_OK) {
        free(compression);
        return ERROR_MEMORY;
    }
    buffer_init(&compression->input, PIECE);
    buffer_init(&compression->output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    session->compression = compression;
    session->out = &compression->output;
    return 0;
}

void compress_end(struct imap_session *session)
{
    struct compression *compression = session->compression;
    if (!compression)
        return;
    inflateEnd(&compression->inflater);
    if (compression->deflating)
        deflateEnd(&compression->deflater);
    buffer_release(&compression->input);
    buffer_release(&compression->output);
    free(compression);
    session->compression = NULL;
    session->out = &session->stream->output;
}

/* --- what comes --- */

/* Decompresses the next piece. */
static int inflate_piece(struct compression *compression, struct slice *compressed)
{
    z_stream *z = &compression->inflater;
    buffer_clear(&compression->input);
    char *room = buffer_reserve(&compression->input, PIECE);
    if (!room)
        return ERROR_MEMORY;
    z->next_in = (unsigned char *)compressed->data;
    z->avail_in = (uInt)compressed->size;
    z->next_out = (unsigned char *)room;
    z->avail_out = PIECE;
    int result = inflate(z, Z_SYNC_FLUSH);
    *compressed = slice_sub(*compressed, compressed->size - z->avail_in, SIZE_MAX);
    buffer_commit(&compression->input, PIECE - z->avail_out);
    compression->full = z->avail_out == 0;
    compression->unread = buffer_slice(&compression->input);
    /* Z_BUF_ERROR: all has been used. A stream that ends says that nothing will come. */
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : ERROR_SYNTAX;
}

int compress_input(struct imap_session *session, struct slice **input)
{
    struct compression *compression = session->compression;
    struct slice *compressed = &session->stream->input;
    *input = compressed;
    if (!compression)
        return 0;
    *input = &compression->unread;
    if (compression->unread.size)
        return 0;
    return compress_has_more(session) ? inflate_piece(compression, compressed) : 0;
}

bool compress_has_more(const struct imap_session *session)
{
    const struct compression *compression = session->compression;
    return compression && (compression->full || session->stream->input.size);
}

/* --- what is sent --- */

static int start_deflating(struct compression *compression)
{
    if (compression->deflating)
        return 0;
    compression->deflater = (z_stream){0};
    if (deflateInit2(&compression->deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
                     MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERROR_MEMORY;
    compression->deflating = true;
    return 0;
}

static int deflate_all(struct compression *compression, struct buffer *out)
{
    z_stream *z = &compression->deflater;
    z->next_in = (unsigned char *)compression->output.data;
    z->avail_in = (uInt)compression->output.size;
    do {
        char *room = buffer_reserve(out, PIECE);
        if (!room)
            return buffer_error(out);
        z->next_out = (unsigned char *)room;
        z->avail_out = PIECE;
        deflate(z, Z_SYNC_FLUSH);
        buffer_commit(out, PIECE - z->avail_out);
    } while (z->avail_out == 0);
    return 0;
}

/* What a session that waits does not need. */
static void let_go(struct compression *compression)
{
    buffer_release(&compression->output);
    if (!compression->unread.size)
        buffer_release(&compression->input);
    if (compression->deflating)
        deflateEnd(&compression->deflater);
    compression->deflating = false;
}

int compress_output(struct imap_session *session, bool waits)
{
    struct compression *compression = session->compression;
    if (!compression)
        return 0;
    int error = buffer_error(&compression->output);
    if (!error && compression->output.size)
        error = start_deflating(compression);
    if (!error && compression->output.size)
        error = deflate_all(compression, &session->stream->output);
    buffer_clear(&compression->output);
    if (waits)
        let_go(compression);
    return error;
}

/* --- the command --- */

/* The answer is the last that is sent as it is (imap.c). */
enum progress cmd_compress(struct imap_session *session)
{
    if (!slice_equal_nocase(session->command->algorithm, SLICE("DEFLATE")))
        return session_reply(session, "BAD", NULL, "Only DEFLATE is known");
    if (session->compression)
        return session_reply(session, "NO", "COMPRESSIONACTIVE", "DEFLATE is active already");
    session->compresses = true;
    return session_ok(session, "DEFLATE active");
}
