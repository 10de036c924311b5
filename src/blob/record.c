/*
 * The format of packs, version 1. Numbers are big-endian.
 *
 * DIRECTORY/ACCOUNT.packs/<pack number, 16 hex digits>.pack is a header and records, one behind the
 * other. Records are only ever appended. A pack that has 64 MiB, or that failed to be flushed, is
 * sealed: its mode is 0400, and it never changes again.
 *
 *     pack header, 24 bytes
 *         0  8  "CHAPPACK"
 *         8  4  version: 1
 *        12  4  0
 *        16  8  pack number, random
 *
 *     record header, 32 bytes; blob_id.offset is where it begins
 *         0  4  "BLOB"
 *         4  1  encoding: 1, frames of 128 KiB, each raw or zstd
 *         5  3  0
 *         8  8  size of the body
 *        16  8  bytes behind the header: index and frames
 *        24  8  sum of the 24 bytes above
 *
 *     index, for each frame 12 bytes
 *         0  4  bytes of the frame as stored; as many as of the body: it is raw, else a zstd frame
 *         4  8  sum of the frame as stored, which proves the sizes, too: they say where it lies
 *
 *     the frames, one behind the other: each holds 128 KiB of the body, the last one the rest
 *
 * So a part of a body is read by its header, its index and the frames it lies in. Nothing is
 * returned before its sum is right, and zstd checks what it has decoded with a sum of its own
 * (the content checksum: 32 bits of XXH64).
 *
 * A sum is SipHash-2-4 (64 bits, in libsodium, which every process has) with the pack number and
 * the record's offset, 8 bytes each, as its key. So a record that lies elsewhere than it was
 * written is damaged. And as the number of a pack is a secret, nobody can send a message whose
 * bytes look like a record: where one is damaged, the next is found by its "BLOB" and its sum. It
 * costs 0.6 ms of CPU a MB, BLAKE2b 1.9, SHA-256 4.5.
 *
 * Why 128 KiB and level 3: what bench/corpus.py makes (2,000 messages, 93 MB, two thirds of it
 * attachments), in per cent of what it was, and CPU for a MB of it (one core of a small virtual
 * machine, zstd 1.5.4 alone):
 *
 *     frame     level   per cent   put, ms   get, ms
 *      32 KiB     3       54.1       3.9       1.4
 *      64 KiB     3       53.4       4.2       1.4
 *     128 KiB     1       54.2       3.5       1.4
 *     128 KiB     3       53.1       4.1       1.4
 *     128 KiB     5       52.6      13.3       1.6
 *     128 KiB     6       52.2      15.3       1.5
 *     128 KiB     9       51.8      22.3       1.4
 *     256 KiB     3       52.9       3.8       1.3
 *
 * A frame of up to 8 KiB is raw: decoding it takes longer than all else that reading a small
 * message takes, and such messages are nearly one half of all, but 4 per cent of the bytes.
 *
 * All that is in packs takes 55.2 per cent, and 4.5 ms a MB to put and 1.8 to get (bench/run.py
 * disk). A dictionary of 64 KiB, trained on one half of the messages and tried on the other, makes
 * the packs 3 % smaller (messages below 16 KiB 19 %): less than a dictionary that has to be kept
 * for ever is worth.
 *
 * Dropped records: src/blob/pack/drops.c. A pack is written as "<number>.new" first, flushed,
 * renamed, and its folder flushed. What a crash leaves under such a name is removed by blob_each a
 * day later.
 */
#include "base/counters.h"
#include "base/error.h"
#include "blob/record_priv.h"

#include <endian.h>
#include <pthread.h>
#include <sodium.h>
#include <zstd.h>

enum { VERSION = 1, ENCODING_FRAMES = 1, RECORD_SUMMED = 24, ENTRY_SUM = 4 };

_Static_assert(SUM_SIZE == crypto_shorthash_BYTES && crypto_shorthash_KEYBYTES == 16, "SipHash");

/* --- numbers and sums --- */

void put_number(char *bytes, uint64_t number)
{
    number = htobe64(number);
    memcpy(bytes, &number, sizeof(number));
}

uint64_t get_number(const char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

void record_sum(uint64_t pack, uint64_t offset, struct slice bytes, unsigned char sum[SUM_SIZE])
{
    char key[crypto_shorthash_KEYBYTES];
    put_number(key, pack);
    put_number(key + 8, offset);
    crypto_shorthash(sum, (const unsigned char *)bytes.data, bytes.size,
                     (const unsigned char *)key);
}

static bool sum_is(const struct record *record, struct slice bytes, const char *expected)
{
    unsigned char sum[SUM_SIZE];
    record_sum(record->pack, record->offset, bytes, sum);
    return memcmp(sum, expected, SUM_SIZE) == 0;
}

/* --- headers and index --- */

void pack_header_write(char bytes[PACK_HEADER], uint64_t pack)
{
    memcpy(bytes, "CHAPPACK", 8);
    put_number(bytes + 8, (uint64_t)VERSION << 32);
    put_number(bytes + 16, pack);
}

uint32_t record_frames(uint64_t body_size)
{
    return (uint32_t)(body_size / FRAME_SIZE + (body_size % FRAME_SIZE != 0));
}

size_t record_index_size(uint64_t body_size)
{
    return (size_t)record_frames(body_size) * INDEX_ENTRY;
}

static size_t frame_body_size(const struct record *record, uint32_t frame)
{
    uint64_t left = record->body_size - (uint64_t)frame * FRAME_SIZE;
    return left < FRAME_SIZE ? (size_t)left : FRAME_SIZE;
}

void record_entry_write(char entry[INDEX_ENTRY], const struct record *record, struct slice stored)
{
    uint32_t size = htobe32((uint32_t)stored.size);
    memcpy(entry, &size, sizeof(size));
    record_sum(record->pack, record->offset, stored, (unsigned char *)entry + ENTRY_SUM);
}

static uint32_t entry_size(const char *entry)
{
    uint32_t size;
    memcpy(&size, entry, sizeof(size));
    return be32toh(size);
}

void record_header_write(char bytes[RECORD_HEADER], const struct record *record)
{
    memset(bytes, 0, RECORD_HEADER);
    memcpy(bytes, "BLOB", 4);
    bytes[4] = ENCODING_FRAMES;
    put_number(bytes + 8, record->body_size);
    put_number(bytes + 16, record->stored_size);
    record_sum(record->pack, record->offset, slice_make(bytes, RECORD_SUMMED),
               (unsigned char *)bytes + RECORD_SUMMED);
}

static int make_compressor(void **compressor)
{
    if (*compressor)
        return 0;
    ZSTD_CCtx *made = ZSTD_createCCtx();
    if (!made)
        return ERROR_MEMORY;
    ZSTD_CCtx_setParameter(made, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
    ZSTD_CCtx_setParameter(made, ZSTD_c_checksumFlag, 1);
    *compressor = made;
    return 0;
}

int record_frame(void **compressor, struct slice bytes, struct buffer *buffer, struct slice *stored)
{
    bool raw = bytes.size <= RAW_MAXIMUM;
    size_t bound = raw ? RAW_MAXIMUM : ZSTD_COMPRESSBOUND(FRAME_SIZE);
    int error = raw ? 0 : make_compressor(compressor);
    char *room = error ? NULL : buffer_reserve(buffer, bound);
    if (!room)
        return error ? error : buffer_error(buffer);
    size_t size = bytes.size;
    if (!raw)
        size = ZSTD_compress2(*compressor, room, bound, bytes.data, bytes.size);
    if (ZSTD_isError(size) || size >= bytes.size) {
        memcpy(room, bytes.data, bytes.size);
        size = bytes.size;
    }
    buffer_commit(buffer, size);
    *stored = slice_make(room, size);
    return 0;
}

static int read_header(const char bytes[RECORD_HEADER], uint64_t pack, uint64_t offset,
                       struct record *record)
{
    struct record read = {pack, offset, get_number(bytes + 8), get_number(bytes + 16)};
    if (memcmp(bytes, "BLOB\1\0\0\0", 8) != 0 ||
        !sum_is(&read, slice_make(bytes, RECORD_SUMMED), bytes + RECORD_SUMMED))
        return ERROR_CORRUPT;
    if (read.body_size > BLOB_SIZE_MAXIMUM || read.stored_size < record_index_size(read.body_size))
        return ERROR_CORRUPT;
    *record = read;
    return 0;
}

static bool lies_in(const struct record *record, const struct record_source *source)
{
    return record->stored_size <= source->size - record->offset - RECORD_HEADER;
}

static bool begins_in(const struct record_source *source, uint64_t offset)
{
    return offset >= PACK_HEADER && offset <= source->size &&
           source->size - offset >= RECORD_HEADER;
}

int record_find(struct record_source *source, uint64_t pack, uint64_t offset, struct record *record)
{
    char header[RECORD_HEADER];
    struct record read;
    if (!begins_in(source, offset))
        return ERROR_CORRUPT;
    int error = source->read(source, offset, header, RECORD_HEADER);
    if (!error)
        error = read_header(header, pack, offset, &read);
    if (!error && !lies_in(&read, source))
        error = ERROR_CORRUPT;
    if (!error)
        *record = read;
    return error;
}

/* --- opening --- */

/* Reads header and index, and with them the first frame, which may be all there is. */
static int read_head(struct record_reader *reader, struct blob_id id, uint64_t offset)
{
    struct record_source *source = reader->source;
    size_t size = RECORD_HEADER + record_index_size(id.size);
    if (offset < FRAME_SIZE)
        size += id.size < FRAME_SIZE ? (size_t)id.size : FRAME_SIZE;
    if (size > source->size - id.offset)
        size = (size_t)(source->size - id.offset);
    char *room = buffer_reserve(&reader->head, size);
    if (!room)
        return buffer_error(&reader->head);
    int error = source->read(source, id.offset, room, size);
    buffer_commit(&reader->head, error ? 0 : size);
    return error;
}

static int check_index(const struct record_reader *reader)
{
    const struct record *record = &reader->record;
    size_t size = record_index_size(record->body_size);
    const char *entry = reader->head.data + RECORD_HEADER;
    if (reader->head.size < RECORD_HEADER + size)
        return ERROR_CORRUPT;
    uint64_t stored = size;
    for (uint32_t i = 0; i < record_frames(record->body_size); i++, entry += INDEX_ENTRY) {
        if (entry_size(entry) == 0 || entry_size(entry) > frame_body_size(record, i))
            return ERROR_CORRUPT;
        stored += entry_size(entry);
    }
    return stored == record->stored_size ? 0 : ERROR_CORRUPT;
}

int record_open(struct record_reader *reader, struct record_source *source, struct blob_id id,
                uint64_t offset)
{
    *reader = (struct record_reader){.source = source};
    buffer_init(&reader->head, 4 * FRAME_SIZE);
    buffer_init(&reader->stored, FRAME_SIZE);
    buffer_init(&reader->plain, FRAME_SIZE);
    if (id.size > BLOB_SIZE_MAXIMUM || !begins_in(source, id.offset))
        return ERROR_CORRUPT;
    int error = read_head(reader, id, offset);
    if (!error)
        error = read_header(reader->head.data, id.pack, id.offset, &reader->record);
    if (!error && (reader->record.body_size != id.size || !lies_in(&reader->record, source)))
        error = ERROR_CORRUPT;
    return error ? error : check_index(reader);
}

void record_release(struct record_reader *reader)
{
    buffer_release(&reader->head);
    buffer_release(&reader->stored);
    buffer_release(&reader->plain);
}

/* --- frames --- */

/* A context for each thread that has read: making one takes as long as decoding a small message. */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* for its destructor, at a thread's end */
static _Thread_local ZSTD_DCtx *mine;

static void release_context(void *context)
{
    ZSTD_freeDCtx(context);
}

static void make_key(void)
{
    pthread_key_create(&key, release_context);
}

/* NULL: no memory. */
static ZSTD_DCtx *decompressor(void)
{
    if (mine)
        return mine;
    pthread_once(&once, make_key);
    mine = ZSTD_createDCtx();
    pthread_setspecific(key, mine);
    return mine;
}

/* Bytes behind the header, from what was read with it or from the source. */
static int fetch(struct record_reader *reader, uint64_t at, size_t size, struct slice *stored)
{
    uint64_t offset = RECORD_HEADER + at;
    if (offset + size <= reader->head.size) {
        *stored = slice_make(reader->head.data + offset, size);
        return 0;
    }
    buffer_clear(&reader->stored);
    char *room = buffer_reserve(&reader->stored, size);
    if (!room)
        return buffer_error(&reader->stored);
    int error = reader->source->read(reader->source, reader->record.offset + offset, room, size);
    *stored = slice_make(room, size);
    return error;
}

int record_stored_frame(struct record_reader *reader, uint32_t frame, uint64_t *at,
                        struct slice *stored)
{
    const char *entry = reader->head.data + RECORD_HEADER + (size_t)frame * INDEX_ENTRY;
    if (frame == 0)
        *at = record_index_size(reader->record.body_size);
    int error = fetch(reader, *at, entry_size(entry), stored);
    if (error)
        return error;
    *at += stored->size;
    if (sum_is(&reader->record, *stored, entry + ENTRY_SUM))
        return 0;
    counters_add(COUNTER_BLOB_DAMAGED, 1);
    return ERROR_CORRUPT;
}

static int decode(struct slice stored, char *plain, size_t size)
{
    counters_add(COUNTER_BLOB_FRAMES_READ, 1);
    if (stored.size == size) {
        memcpy(plain, stored.data, size);
        return 0;
    }
    ZSTD_DCtx *context = decompressor();
    if (!context)
        return ERROR_MEMORY;
    size_t got = ZSTD_decompressDCtx(context, plain, size, stored.data, stored.size);
    return got == size ? 0 : ERROR_CORRUPT;
}

/* Copies what lies in the frame of the wanted bytes. */
static int read_frame(struct record_reader *reader, uint32_t frame, uint64_t *at, uint64_t offset,
                      size_t size, char *wanted)
{
    struct slice stored;
    uint64_t first = (uint64_t)frame * FRAME_SIZE;
    size_t whole = frame_body_size(&reader->record, frame);
    int error = record_stored_frame(reader, frame, at, &stored);
    if (error)
        return error;
    if (offset <= first && offset + size >= first + whole)
        return decode(stored, wanted + (first - offset), whole);
    buffer_clear(&reader->plain);
    char *plain = buffer_reserve(&reader->plain, whole);
    error = plain ? decode(stored, plain, whole) : buffer_error(&reader->plain);
    if (error)
        return error;
    uint64_t from = offset > first ? offset : first;
    uint64_t to = offset + size < first + whole ? offset + size : first + whole;
    memcpy(wanted + (from - offset), plain + (from - first), (size_t)(to - from));
    return 0;
}

static uint64_t frame_place(const struct record_reader *reader, uint32_t frame)
{
    const char *entry = reader->head.data + RECORD_HEADER;
    uint64_t at = record_index_size(reader->record.body_size);
    for (uint32_t i = 0; i < frame; i++, entry += INDEX_ENTRY)
        at += entry_size(entry);
    return at;
}

int record_read(struct record_reader *reader, uint64_t offset, size_t size, struct buffer *bytes)
{
    if (size == 0)
        return 0;
    char *room = buffer_reserve(bytes, size);
    if (!room)
        return buffer_error(bytes);
    uint32_t frame = (uint32_t)(offset / FRAME_SIZE);
    uint32_t last = (uint32_t)((offset + size - 1) / FRAME_SIZE);
    uint64_t at = frame_place(reader, frame);
    int error = 0;
    for (; !error && frame <= last; frame++)
        error = read_frame(reader, frame, &at, offset, size, room);
    buffer_commit(bytes, error ? 0 : size);
    return error;
}

int record_verify(struct record_reader *reader)
{
    uint32_t frames = record_frames(reader->record.body_size);
    uint64_t at = 0;
    int error = 0;
    for (uint32_t i = 0; !error && i < frames; i++) {
        size_t size = frame_body_size(&reader->record, i);
        struct slice stored;
        buffer_clear(&reader->plain);
        char *plain = buffer_reserve(&reader->plain, size);
        error = plain ? record_stored_frame(reader, i, &at, &stored) : ERROR_MEMORY;
        if (!error)
            error = decode(stored, plain, size);
    }
    return error;
}
