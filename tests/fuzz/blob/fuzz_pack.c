/*
 * A pack as it may lie on a damaged disk, with notes of what was dropped from it. Whatever it
 * holds, it is read as what it was or not at all.
 *
 * The first byte says what is made right before, as no chance finds a checksum: 1 the sums of
 * records, 2 the sums of notes, 4 the sizes that follow from others. The second byte is the size of
 * the notes, which are at the end.
 */
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FIX_RECORDS = 1,
    FIX_NOTES = 2,
    FIX_SIZES = 4,
    PACK = 0xabc,
    NOTE = 24,
    BODY_MAXIMUM = 1 << 20
};

static char directory[64];
static struct blob_engine *engine;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void remove_directory(void)
{
    blob_engine_free(&engine);
    rmdir(directory);
}

static void set_up(void)
{
    if (engine)
        return;
    snprintf(directory, sizeof(directory), "/tmp/chapar-fuzz-XXXXXX");
    require(mkdtemp(directory) && !blob_pack_create(directory, &engine));
    atexit(remove_directory);
}

/* --- making right --- */

static uint32_t stored_size(const char *entry)
{
    const unsigned char *bytes = (const unsigned char *)entry;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Returns the size of the record, 0 when it does not lie in the pack. */
static size_t fix_record(char *bytes, size_t left, uint64_t offset, bool sizes)
{
    if (left < RECORD_HEADER)
        return 0;
    struct record record = {PACK, offset, get_number(bytes + 8), get_number(bytes + 16)};
    size_t index = record_index_size(record.body_size % BODY_MAXIMUM);
    if (record.body_size >= BODY_MAXIMUM || index > left - RECORD_HEADER)
        return 0;
    char *entry = bytes + RECORD_HEADER;
    size_t at = RECORD_HEADER + index;
    for (; entry < bytes + RECORD_HEADER + index; entry += INDEX_ENTRY) {
        uint32_t stored = stored_size(entry);
        if (stored > left - at)
            return 0;
        record_entry_write(entry, &record, slice_make(bytes + at, stored));
        at += stored;
    }
    record.stored_size = sizes ? at - RECORD_HEADER : record.stored_size;
    record_header_write(bytes, &record);
    return at;
}

static void fix_pack(char *bytes, size_t size, bool sizes)
{
    if (size < PACK_HEADER)
        return;
    pack_header_write(bytes, PACK);
    for (size_t at = PACK_HEADER, record = 1; record && at < size; at += record)
        record = fix_record(bytes + at, size - at, at, sizes);
}

static void fix_notes(char *notes, size_t size)
{
    for (; size >= NOTE; size -= NOTE, notes += NOTE)
        record_sum(PACK, get_number(notes), slice_make(notes, 16), (unsigned char *)notes + 16);
}

static void write_file(const char *suffix, const char *bytes, size_t size)
{
    char path[128], name[NAME_SIZE];
    pack_name(PACK, suffix, name);
    snprintf(path, sizeof(path), "%s/x.packs/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    close(file);
}

static void make_files(uint8_t fix, const uint8_t *data, size_t size, size_t notes)
{
    char path[128];
    char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    if (fix & FIX_RECORDS)
        fix_pack(bytes, size - notes, fix & FIX_SIZES);
    if (fix & FIX_NOTES)
        fix_notes(bytes + size - notes, notes);
    snprintf(path, sizeof(path), "%s/x.packs", directory);
    mkdir(path, 0700);
    write_file("pack", bytes, size - notes);
    if (notes)
        write_file("drops", bytes + size - notes, notes);
    free(bytes);
}

/* --- reading --- */

static void require_read(struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes)
{
    buffer_clear(bytes);
    require(blob_get(engine, "x", id, offset, size, bytes) == 0);
}

static int check_blob(struct blob_id id, void *arg)
{
    struct buffer whole, part;
    (void)arg;
    require(id.pack == PACK && id.size <= BLOB_SIZE_MAXIMUM);
    int error = blob_verify(engine, "x", id);
    require(error == 0 || error == ERROR_CORRUPT);
    buffer_init(&whole, BLOB_SIZE_MAXIMUM);
    buffer_init(&part, BLOB_SIZE_MAXIMUM);
    require((blob_get(engine, "x", id, 0, SIZE_MAX, &whole) == 0) == (error == 0));
    require(whole.size == (error ? 0 : id.size));
    if (!error) {
        uint64_t half = id.size / 2;
        require_read(id, half, SIZE_MAX, &part);
        require(slice_equal(buffer_slice(&part), slice_sub(buffer_slice(&whole), half, SIZE_MAX)));
        require_read(id, half / 2, 10, &part);
        require(slice_equal(buffer_slice(&part), slice_sub(buffer_slice(&whole), half / 2, 10)));
    }
    buffer_release(&whole);
    buffer_release(&part);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob_id id;
    if (size < 2)
        return 0;
    size_t notes = data[1] < size - 2 ? data[1] : size - 2;
    set_up();
    make_files(data[0], data + 2, size - 2, notes);
    int error = blob_each(engine, "x", check_blob, NULL);
    require(error == 0 || error == ERROR_CORRUPT);
    /* Of any size at the first place. */
    for (uint64_t guess = 0; guess < 3; guess++)
        blob_verify(engine, "x", (struct blob_id){PACK, PACK_HEADER, guess * 100000});
    require(blob_put(engine, "x", SLICE("new"), &id) == 0 && blob_verify(engine, "x", id) == 0);
    require(blob_destroy(engine, "x") == 0);
    return 0;
}
