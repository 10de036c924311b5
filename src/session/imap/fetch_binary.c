/*
 * BINARY[part]<partial> and BINARY.SIZE[part] (RFC 3516; RFC 9051 section 6.4.5): a part without
 * its transfer encoding.
 *
 * How long it is must be said before the first byte, and only decoding tells: so a part is decoded
 * into a spool, piece by piece and slice by slice, and written from there.
 */
#include "base/error.h"
#include "session/imap/fetch_priv.h"

/* "BINARY[]" is the message itself, which has no encoding. */
static int find_part(const struct summary *summary, const struct imap_fetch_item *item,
                     struct summary_part *part)
{
    size_t index;
    if (item->number_count == 0) {
        *part = (struct summary_part){.kind = SUMMARY_PART_MESSAGE, .body_size = summary->size};
        return 0;
    }
    int error = summary_part_find(summary, item->numbers, item->number_count, &index);
    return error ? error : summary_part_at(summary, index, part);
}

static bool has_encoding(const struct summary_part *part)
{
    return part->kind != SUMMARY_PART_MULTIPART && part->kind != SUMMARY_PART_MESSAGE;
}

bool binary_is_known(struct fetch_slice *slice)
{
    const struct fetch_work *work = slice->work;
    struct summary_part part;
    for (size_t i = 0; i < work->item_count; i++) {
        const struct imap_fetch_item *item = &work->items[i];
        if (item->kind != IMAP_FETCH_BINARY && item->kind != IMAP_FETCH_BINARY_SIZE)
            continue;
        if (find_part(&slice->summary, item, &part) == 0 && has_encoding(&part) &&
            part.encoding == SUMMARY_ENCODING_UNKNOWN)
            return false;
    }
    return true;
}

/* What cannot be had is NIL, or of no size. */
static void write_nothing(struct fetch_slice *slice, const struct imap_fetch_item *item, int error)
{
    section_write_label(slice->session->out, item);
    if (item->kind == IMAP_FETCH_BINARY) {
        section_write_nil(slice, error);
        return;
    }
    buffer_append_byte(slice->session->out, '0');
    if (error != ERROR_NOT_FOUND)
        slice->work->failed = error;
}

/* The part, of the surrogate when its bytes have a header that the client is not to be shown. */
static int open_part(struct fetch_slice *slice, const struct imap_fetch_item *item,
                     struct summary_part *part)
{
    int error = fetch_load_summary(slice);
    if (!error)
        error = find_part(&slice->summary, item, part);
    if (!error)
        error = fetch_surrogate_for_range(slice, part->body_offset, part->body_size);
    return error ? error : find_part(&slice->summary, item, part);
}

void binary_begin(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    struct fetch_binary *binary = &slice->work->binary;
    const struct stream *stream = slice->session->stream;
    struct summary_part part;
    int error = open_part(slice, item, &part);
    if (error) {
        write_nothing(slice, item, error);
        return;
    }
    *binary = (struct fetch_binary){.item = item,
                                    .decoding = true,
                                    .offset = part.body_offset,
                                    .left = part.body_size,
                                    .text = part.kind <= SUMMARY_PART_TEXT_OTHER};
    transfer_decoder_init(&binary->decoder,
                          has_encoding(&part) ? part.encoding : SUMMARY_ENCODING_IDENTITY);
    /* Lines may get longer by a byte. */
    spool_init(&binary->spool, stream->spool_directory, SESSION_APPEND_MEMORY,
               2 * slice->summary.size + 1);
}

/* --- decoding --- */

static void keep(struct fetch_binary *binary, struct slice bytes)
{
    binary->size += bytes.size;
    if (bytes.size)
        binary->last = bytes.data[bytes.size - 1];
    if (binary->item->kind == IMAP_FETCH_BINARY)
        spool_append(&binary->spool, bytes);
}

/* RFC 9051 section 7.5.2: lines of text end in CRLF. */
static void keep_text(struct fetch_binary *binary, struct slice bytes)
{
    while (bytes.size) {
        size_t line = slice_find(bytes, '\n');
        keep(binary, slice_sub(bytes, 0, line));
        if (line == bytes.size)
            return;
        if (binary->last != '\r')
            keep(binary, SLICE("\r"));
        keep(binary, SLICE("\n"));
        bytes = slice_sub(bytes, line + 1, bytes.size);
    }
}

static int decode_piece(struct fetch_slice *slice)
{
    struct fetch_binary *binary = &slice->work->binary;
    struct buffer *raw = &slice->header, *decoded = &slice->filtered;
    size_t piece = binary->left < SESSION_PIECE ? (size_t)binary->left : SESSION_PIECE;
    buffer_clear(raw);
    buffer_clear(decoded);
    int error = piece ? fetch_read(slice, binary->offset, piece, raw) : 0;
    if (!error && raw->size != piece)
        error = ERROR_CORRUPT; /* the message is shorter than its summary says */
    binary->offset += piece;
    binary->left -= piece;
    binary->decoding = binary->left > 0;
    if (!error)
        error = transfer_decode(&binary->decoder, buffer_slice(raw), decoded);
    if (!error && !binary->decoding)
        error = transfer_decode_end(&binary->decoder, decoded);
    if (error)
        return error;
    struct slice bytes = buffer_slice(decoded);
    binary->has_nul |= slice_find(bytes, '\0') < bytes.size;
    if (binary->text)
        keep_text(binary, bytes);
    else
        keep(binary, bytes);
    return binary->spool.error;
}

/* --- writing --- */

static int begin_literal(struct fetch_slice *slice)
{
    struct fetch_binary *binary = &slice->work->binary;
    struct buffer *out = slice->session->out;
    struct slice all;
    uint64_t from = 0, size = binary->size;
    int error = spool_view(&binary->spool, &all);
    if (error)
        return error;
    section_apply_partial(binary->item, &from, &size);
    section_write_label(out, binary->item);
    if (binary->has_nul)
        imap_write_literal8_head(out, size);
    else
        imap_write_literal_head(out, size);
    binary->decoded = slice_sub(all, (size_t)from, (size_t)size);
    return 0;
}

static void write_piece(struct fetch_slice *slice)
{
    struct fetch_binary *binary = &slice->work->binary;
    buffer_append(slice->session->out, slice_sub(binary->decoded, 0, SESSION_PIECE));
    binary->decoded = slice_sub(binary->decoded, SESSION_PIECE, SIZE_MAX);
    if (binary->decoded.size == 0)
        binary_release(slice->work);
}

/* The last piece is decoded: what is to be said of it. */
static int begin_writing(struct fetch_slice *slice)
{
    struct fetch_binary *binary = &slice->work->binary;
    if (binary->item->kind == IMAP_FETCH_BINARY)
        return begin_literal(slice);
    section_write_label(slice->session->out, binary->item);
    buffer_append_number(slice->session->out, binary->size);
    return 0;
}

void binary_continue(struct fetch_slice *slice)
{
    struct fetch_binary *binary = &slice->work->binary;
    if (!binary->decoding) {
        write_piece(slice);
        return;
    }
    int error = decode_piece(slice);
    if (!error && binary->decoding)
        return;
    if (!error)
        error = begin_writing(slice);
    if (error)
        write_nothing(slice, binary->item, error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error);
    if (error || binary->item->kind == IMAP_FETCH_BINARY_SIZE)
        binary_release(slice->work);
}

void binary_release(struct fetch_work *work)
{
    if (work->binary.item)
        spool_release(&work->binary.spool);
    work->binary.item = NULL;
}
