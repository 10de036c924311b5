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

/* Behind this a client may end its stream (RFC 8437 section 4.1). */
#define LAST_COMMAND "UNAUTHENTICATE\r\n"

struct compression {
    z_stream inflater, deflater;
    bool deflating;     /* the deflater is there */
    bool full;          /* the inflater may hold back what did not fit into the last piece */
    bool at_end;        /* of the last block that the client will send */
    bool flushed;       /* the last block was empty and ended with a byte: a flush's mark */
    uint64_t block_out; /* bytes decompressed by the end of the last block */
    char last[sizeof(LAST_COMMAND) - 1]; /* bytes decompressed */
    struct buffer input;                 /* decompressed */
    struct slice unread;                 /* of it */
    struct buffer output;                /* to be compressed */
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

/* What a flush leaves behind the data is an empty block that ends with a byte (RFC 1951). */
static void note_block(struct compression *compression)
{
    const z_stream *z = &compression->inflater;
    compression->flushed = false;
    if (!(z->data_type & 128))
        return;
    compression->at_end = z->data_type & 64;
    compression->flushed = z->total_out == compression->block_out && !(z->data_type & 63);
    compression->block_out = z->total_out;
}

static void note_last(struct compression *compression)
{
    struct slice text = buffer_slice(&compression->input);
    const size_t size = sizeof(compression->last);
    size_t new = text.size < size ? text.size : size;
    memmove(compression->last, compression->last + new, size - new);
    if (new)
        memcpy(compression->last + size - new, text.data + text.size - new, new);
}

static bool may_end(const struct compression *compression)
{
    return slice_equal_nocase(slice_make(compression->last, sizeof(compression->last)),
                              SLICE(LAST_COMMAND));
}

/* Decompresses the next piece, to the end of the block at most. */
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
    int result = inflate(z, Z_BLOCK);
    *compressed = slice_sub(*compressed, compressed->size - z->avail_in, SIZE_MAX);
    buffer_commit(&compression->input, PIECE - z->avail_out);
    compression->full = z->avail_out == 0;
    compression->unread = buffer_slice(&compression->input);
    note_block(compression);
    note_last(compression);
    if (compression->at_end && !may_end(compression))
        return ERROR_SYNTAX; /* a stream that ends says that nothing will come */
    /* Z_BUF_ERROR: all has been used. */
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

/* The inflater says Z_STREAM_END behind the last block. */
static int inflate_rest(struct compression *compression, struct slice *compressed, bool *ended)
{
    z_stream *z = &compression->inflater;
    unsigned char none;
    z->next_in = (unsigned char *)compressed->data;
    z->avail_in = (uInt)compressed->size;
    z->next_out = &none;
    z->avail_out = sizeof(none);
    int result = inflate(z, Z_BLOCK);
    *compressed = slice_sub(*compressed, compressed->size - z->avail_in, SIZE_MAX);
    if (!z->avail_out || (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END))
        return ERROR_SYNTAX;
    note_block(compression);
    *ended = result == Z_STREAM_END || compression->flushed;
    return 0;
}

int compress_leave(struct imap_session *session, bool *ended)
{
    struct compression *compression = session->compression;
    struct slice *compressed = &session->stream->input;
    *ended = !compression;
    if (compression && compression->unread.size)
        return ERROR_SYNTAX;
    int error = 0;
    bool more = true;
    while (!error && !*ended && more) {
        size_t before = compressed->size;
        error = inflate_rest(compression, compressed, ended);
        more = compressed->size != before;
    }
    return error;
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

static int deflate_all(struct compression *compression, struct buffer *out, int flush)
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
        deflate(z, flush);
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
        error = deflate_all(compression, &session->stream->output,
                            session->unauthenticated ? Z_FINISH : Z_SYNC_FLUSH);
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
