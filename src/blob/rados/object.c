#include "base/counters.h"
#include "base/error.h"
#include "blob/rados/rados_priv.h"

#include <errno.h>

enum {
    HEADS_SIZE = PACK_HEADER + RECORD_HEADER,
    OBJECT_MAXIMUM = PIECE_SIZE + HEADS_SIZE + PIECE_SIZE / FRAME_SIZE * INDEX_ENTRY,
};

void object_name(const char *account, uint64_t number, uint64_t piece, char name[NAME_SIZE])
{
    int size = snprintf(name, NAME_SIZE, "%s/%016llx", account, (unsigned long long)number);
    if (piece)
        snprintf(name + size, NAME_SIZE - (size_t)size, ".%llu", (unsigned long long)piece);
}

/* An empty body has one, which is empty. */
uint64_t pieces_of(uint64_t body_size)
{
    return body_size == 0 ? 1 : (body_size - 1) / PIECE_SIZE + 1;
}

static struct blob_id piece_id(struct blob_id id, uint64_t piece)
{
    uint64_t left = id.size - piece * PIECE_SIZE;
    return (struct blob_id){id.pack + piece, id.offset, left < PIECE_SIZE ? left : PIECE_SIZE};
}

/* --- writing --- */

static int add_frames(struct record *record, struct slice bytes, void **compressor,
                      struct buffer *object, size_t index)
{
    int error = 0;
    for (size_t at = 0; !error && at < bytes.size; at += FRAME_SIZE, index += INDEX_ENTRY) {
        struct slice stored;
        error = record_frame(compressor, slice_sub(bytes, at, FRAME_SIZE), object, &stored);
        if (error)
            break;
        record_entry_write(object->data + index, record, stored);
        record->stored_size += stored.size;
    }
    return error;
}

int object_build(uint64_t number, uint64_t piece, struct slice bytes, void **compressor,
                 struct buffer *object)
{
    struct record record = {.pack = number + piece,
                            .offset = PACK_HEADER,
                            .body_size = bytes.size,
                            .stored_size = record_index_size(bytes.size)};
    size_t begin = object->size;
    size_t head = HEADS_SIZE + record_index_size(bytes.size);
    char *room = buffer_reserve(object, head);
    if (!room)
        return buffer_error(object);
    pack_header_write(room, record.pack);
    buffer_commit(object, head);
    int error = add_frames(&record, bytes, compressor, object, begin + HEADS_SIZE);
    if (!error)
        record_header_write(object->data + begin + PACK_HEADER, &record);
    return error;
}

/* --- reading --- */

/* An object that a record is read from. What is not in the window is fetched into it, with as much
 * behind it as will be wanted. */
struct object_source {
    struct record_source source;
    rados_ioctx_t io;
    size_t span; /* bytes of what is wanted, as stored, at the most */
    uint64_t window_at;
    struct buffer window;
    char name[NAME_SIZE];
};

static int read_window(struct object_source *object, uint64_t offset, size_t size)
{
    buffer_clear(&object->window);
    char *room = buffer_reserve(&object->window, size);
    if (!room)
        return buffer_error(&object->window);
    int got = rados_read(object->io, object->name, room, size, offset);
    if (got < 0)
        return cluster_error(got);
    buffer_commit(&object->window, (size_t)got);
    object->window_at = offset;
    counters_add(COUNTER_BLOB_READ_BYTES, got);
    return 0;
}

static int source_read(struct record_source *source, uint64_t offset, char *bytes, size_t size)
{
    struct object_source *object = (struct object_source *)source;
    if (offset > source->size || source->size - offset < size)
        return ERROR_CORRUPT;
    if (offset < object->window_at || offset + size > object->window_at + object->window.size) {
        int error = read_window(object, offset, size > object->span ? size : object->span);
        if (error)
            return error;
    }
    if (object->window.size < size)
        return ERROR_CORRUPT;
    memcpy(bytes, object->window.data + (offset - object->window_at), size);
    return 0;
}

/* The first operation reads the head, and what is wanted where that is near. */
static int open_object(struct object_source *object, uint64_t first_read)
{
    time_t changed;
    size_t got = 0;
    char *room = buffer_reserve(&object->window, first_read);
    if (!room)
        return buffer_error(&object->window);
    rados_read_op_t operation = rados_create_read_op();
    rados_read_op_stat(operation, &object->source.size, &changed, NULL);
    rados_read_op_read(operation, 0, first_read, room, &got, NULL);
    int result = rados_read_op_operate(operation, object->io, object->name, 0);
    rados_release_read_op(operation);
    if (result < 0)
        return cluster_error(result);
    buffer_commit(&object->window, got);
    counters_add(COUNTER_BLOB_READ_BYTES, (int64_t)got);
    return 0;
}

/* Opens the object of a piece of which the bytes from offset up to `end` will be read. */
static int open_piece(struct object_source *object, struct rados_engine *engine,
                      const char *account, struct blob_id id, uint64_t piece, uint64_t offset,
                      uint64_t end)
{
    *object = (struct object_source){.source = {.read = source_read}, .io = engine->io};
    buffer_init(&object->window, OBJECT_MAXIMUM);
    object_name(account, id.pack, piece, object->name);
    size_t head = HEADS_SIZE + record_index_size(piece_id(id, piece).size);
    uint64_t frames_end = (end + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE;
    object->span = (size_t)(frames_end - offset / FRAME_SIZE * FRAME_SIZE);
    int error = open_object(object, offset < 2 * FRAME_SIZE ? head + frames_end : head);
    /* Where the first is there, so were all. */
    return error == ERROR_NOT_FOUND && piece > 0 ? ERROR_CORRUPT : error;
}

/* From offset on, up to end, of a piece; to check: all of it, and nothing is appended. */
static int read_piece(struct rados_engine *engine, const char *account, struct blob_id id,
                      uint64_t piece, uint64_t offset, uint64_t end, struct buffer *bytes)
{
    struct object_source object;
    struct record_reader reader;
    int error = open_piece(&object, engine, account, id, piece, offset, end);
    if (!error) {
        error = record_open(&reader, &object.source, piece_id(id, piece), offset);
        if (!error)
            error = bytes ? record_read(&reader, offset, (size_t)(end - offset), bytes)
                          : record_verify(&reader);
        record_release(&reader);
    }
    buffer_release(&object.window);
    return error;
}

static int check_id(struct blob_id id)
{
    return id.size > BLOB_SIZE_MAXIMUM || id.offset != PACK_HEADER ? ERROR_CORRUPT : 0;
}

int object_read(struct rados_engine *engine, const char *account, struct blob_id id,
                uint64_t offset, size_t size, struct buffer *bytes)
{
    size_t before = bytes->size;
    int error = check_id(id);
    uint64_t last = size ? offset + size : offset + 1;
    for (uint64_t piece = offset / PIECE_SIZE; !error && piece * PIECE_SIZE < last; piece++) {
        uint64_t begin = piece * PIECE_SIZE;
        uint64_t from = offset > begin ? offset - begin : 0;
        uint64_t end = offset + size - begin < PIECE_SIZE ? offset + size - begin : PIECE_SIZE;
        error = read_piece(engine, account, id, piece, from, end, bytes);
    }
    if (error)
        buffer_truncate(bytes, before);
    return error;
}

int object_verify(struct rados_engine *engine, const char *account, struct blob_id id)
{
    int error = check_id(id);
    for (uint64_t piece = 0; !error && piece < pieces_of(id.size); piece++)
        error = read_piece(engine, account, id, piece, 0, piece_id(id, piece).size, NULL);
    return error;
}

/* --- which there are --- */

struct look {
    rados_completion_t completion;
    char size[8];
};

static int begin_look(struct rados_engine *engine, const char *account, uint64_t number,
                      struct look *look)
{
    char name[NAME_SIZE];
    object_name(account, number, 0, name);
    int result = rados_aio_create_completion2(NULL, NULL, &look->completion);
    if (result < 0)
        return cluster_error(result);
    result = rados_aio_getxattr(engine->io, name, look->completion, "size", look->size,
                                sizeof(look->size));
    if (result < 0)
        rados_aio_release(look->completion);
    return cluster_error(result);
}

static int end_look(struct look *look, uint64_t *size)
{
    rados_aio_wait_for_complete(look->completion);
    int result = rados_aio_get_return_value(look->completion);
    rados_aio_release(look->completion);
    if (result == -ENOENT)
        *size = SIZE_MISSING;
    else if (result == sizeof(look->size))
        *size = get_number(look->size);
    else if (result >= 0 || result == -ENODATA || result == -ERANGE)
        *size = SIZE_DAMAGED;
    else
        return cluster_error(result);
    return 0;
}

int object_sizes(struct rados_engine *engine, const char *account, const uint64_t *numbers,
                 size_t count, uint64_t *sizes)
{
    struct look looks[LOOKS];
    size_t begun = 0;
    int error = 0;
    while (begun < count && begun < LOOKS && !error) {
        error = begin_look(engine, account, numbers[begun], &looks[begun]);
        begun += !error;
    }
    for (size_t i = 0; i < begun; i++) {
        int other = end_look(&looks[i], &sizes[i]);
        error = error ? error : other;
    }
    return error;
}

int object_remove(struct rados_engine *engine, const char *account, uint64_t number,
                  uint64_t body_size)
{
    char name[NAME_SIZE];
    int error = 0;
    for (uint64_t piece = pieces_of(body_size); !error && piece-- > 0;) {
        object_name(account, number, piece, name);
        error = cluster_error(rados_remove(engine->io, name));
        if (error == ERROR_NOT_FOUND)
            error = 0;
    }
    return error;
}
