/*
 * Writes go on side by side: a body's pieces but the first, then, once these are there, the first;
 * bodies of one piece just so. The end waits for all.
 */
#include "base/counters.h"
#include "base/error.h"
#include "blob/rados/rados_priv.h"

#include <stdlib.h>
#include <zstd.h>

enum { OBJECT_MAXIMUM = PIECE_SIZE + 64 * 1024, IDS_MAXIMUM = 64 * 1024 * 1024 };

struct write {
    rados_completion_t completion; /* NULL: none */
    size_t size;
};

struct rados_writer {
    struct rados_engine *engine;
    const char *account;
    struct numbers numbers;
    struct write writes[WRITES];
    unsigned next; /* the oldest write */
    size_t under_way;
    struct buffer object;
    struct buffer ids; /* struct blob_id: what was begun */
    void *compressor;
    int error; /* of a write that has ended */
};

int rados_writer_new(struct rados_engine *engine, const char *account, struct rados_writer **writer)
{
    struct rados_writer *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->engine = engine;
    made->account = account;
    buffer_init(&made->object, OBJECT_MAXIMUM);
    buffer_init(&made->ids, IDS_MAXIMUM);
    index_take_hint(engine, account, &made->numbers);
    *writer = made;
    return 0;
}

/* Waits for the oldest write. */
static void end_oldest(struct rados_writer *writer)
{
    struct write *write = &writer->writes[writer->next++ % WRITES];
    if (!write->completion)
        return;
    rados_aio_wait_for_complete(write->completion);
    int error = cluster_error(rados_aio_get_return_value(write->completion));
    rados_aio_release(write->completion);
    write->completion = NULL;
    writer->under_way -= write->size;
    counters_add(COUNTER_BLOB_STORED_BYTES, error ? 0 : (int64_t)write->size);
    writer->error = writer->error ? writer->error : error;
}

static int wait_for_all(struct rados_writer *writer)
{
    for (unsigned i = 0; i < WRITES; i++)
        end_oldest(writer);
    return writer->error;
}

/* librados copies the bytes. The size goes with the first piece. */
static int begin_write(struct rados_writer *writer, const char *name, const char *body_size)
{
    do
        end_oldest(writer);
    while (writer->under_way && writer->under_way + writer->object.size > WRITE_BYTES);
    struct write *write = &writer->writes[(writer->next - 1) % WRITES];
    int result = rados_aio_create_completion2(NULL, NULL, &write->completion);
    if (result < 0)
        return cluster_error(result);
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_write_full(operation, writer->object.data, writer->object.size);
    if (body_size)
        rados_write_op_setxattr(operation, "size", body_size, 8);
    result =
        rados_aio_write_op_operate(operation, writer->engine->io, write->completion, name, NULL, 0);
    rados_release_write_op(operation);
    if (result < 0) {
        rados_aio_release(write->completion);
        write->completion = NULL;
        return cluster_error(result);
    }
    write->size = writer->object.size;
    writer->under_way += write->size;
    return 0;
}

static int write_piece(struct rados_writer *writer, uint64_t number, uint64_t piece,
                       struct slice body)
{
    char name[NAME_SIZE], body_size[8];
    put_number(body_size, body.size);
    object_name(writer->account, number, piece, name);
    buffer_clear(&writer->object);
    int error = object_build(number, piece, slice_sub(body, piece * PIECE_SIZE, PIECE_SIZE),
                             &writer->compressor, &writer->object);
    return error ? error : begin_write(writer, name, piece ? NULL : body_size);
}

int rados_writer_add(struct rados_writer *writer, struct slice body, struct blob_id *id)
{
    struct blob_id made = {.offset = PACK_HEADER, .size = body.size};
    int error = writer->error;
    if (!error)
        error = index_take(writer->engine, &writer->numbers, &made.pack);
    if (!error)
        error = buffer_append(&writer->ids, slice_make(&made, sizeof(made)));
    if (!error && body.size > PIECE_SIZE)
        error = index_note_size(writer->engine, writer->account, made.pack, body.size);
    for (uint64_t piece = pieces_of(body.size); !error && piece-- > 1;)
        error = write_piece(writer, made.pack, piece, body);
    if (!error && body.size > PIECE_SIZE)
        error = wait_for_all(writer);
    if (!error)
        error = write_piece(writer, made.pack, 0, body);
    counters_add(COUNTER_BLOB_PUT_BYTES, error ? 0 : (int64_t)body.size);
    if (!error)
        *id = made;
    else
        writer->error = error;
    return error;
}

/* What cannot be taken back is orphans, which the index knows. */
static void take_back(struct rados_writer *writer)
{
    struct slice ids = buffer_slice(&writer->ids);
    for (; ids.size; ids = slice_sub(ids, sizeof(struct blob_id), SIZE_MAX)) {
        struct blob_id id;
        memcpy(&id, ids.data, sizeof(id));
        if (object_remove(writer->engine, writer->account, id.pack, id.size))
            return; /* nor, it seems, the others */
        index_forget(writer->engine, writer->account, id.pack);
    }
}

int rados_writer_end(struct rados_writer *writer, bool keep)
{
    int error = wait_for_all(writer);
    if (!keep || error)
        take_back(writer);
    index_give_hint(writer->engine, &writer->numbers);
    buffer_release(&writer->object);
    buffer_release(&writer->ids);
    ZSTD_freeCCtx(writer->compressor);
    free(writer);
    return keep ? error : 0;
}
