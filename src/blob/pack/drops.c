/*
 * Notes of records that nobody needs any more, beside their pack: "<pack number>.drops", format
 * version 1. Notes are written and not flushed: they say which packs are worth looking at, no more.
 * What is live is what the account's records say.
 *
 *     note, 24 bytes, as many as there are
 *         0  8  the record's offset in the pack
 *         8  8  bytes of the record, its header included
 *        16  8  sum of the 16 bytes above, as in a record of that pack at that offset
 */
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    NOTE = 24,
    NOTE_SUMMED = 16,
    NOTES_MAXIMUM = 64 * 1024 * 1024, /* bytes that are looked at */
    NOTES_READ = 1024,                /* notes read at a time */
};

static void write_note(char note[NOTE], const struct record *record)
{
    put_number(note, record->offset);
    put_number(note + 8, RECORD_HEADER + record->stored_size);
    record_sum(record->pack, record->offset, slice_make(note, NOTE_SUMMED),
               (unsigned char *)note + NOTE_SUMMED);
}

/* Behind the last whole note. The lock is for whoever notes at the same time. */
static int append_note(int file, const char note[NOTE])
{
    struct stat status;
    if (flock(file, LOCK_EX) || fstat(file, &status))
        return file_error(errno);
    uint64_t end = (uint64_t)status.st_size;
    return write_at(file, end - end % NOTE, slice_make(note, NOTE));
}

int drops_add(int folder, const struct record *record)
{
    char name[NAME_SIZE];
    char note[NOTE];
    pack_name(record->pack, "drops", name);
    write_note(note, record);
    int file = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return file_error(errno);
    int error = append_note(file, note);
    close(file);
    return error;
}

static int compare_offsets(const void *a, const void *b)
{
    uint64_t left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

/* Collects the offsets and bytes of good notes, in pairs. */
static int collect_notes(int file, uint64_t pack, struct buffer *pairs)
{
    char notes[NOTES_READ * NOTE];
    ssize_t got;
    for (off_t at = 0; (got = pread(file, notes, sizeof(notes), at)) >= NOTE; at += got) {
        got -= got % NOTE;
        for (const char *note = notes; note < notes + got; note += NOTE) {
            unsigned char sum[SUM_SIZE];
            uint64_t pair[] = {get_number(note), get_number(note + 8)};
            record_sum(pack, pair[0], slice_make(note, NOTE_SUMMED), sum);
            if (memcmp(sum, note + NOTE_SUMMED, SUM_SIZE) == 0)
                buffer_append(pairs, slice_make(pair, sizeof(pair)));
        }
    }
    return got < 0 ? file_error(errno) : buffer_error(pairs);
}

/* Each offset once. */
static int keep_offsets(struct drops *drops, struct buffer *pairs)
{
    enum { PAIR = 2 * sizeof(uint64_t) };
    if (pairs->size)
        qsort(pairs->data, pairs->size / PAIR, PAIR, compare_offsets);
    for (size_t i = 0; i < pairs->size; i += PAIR) {
        uint64_t pair[2];
        memcpy(pair, pairs->data + i, PAIR);
        if (i > 0 && compare_offsets(pairs->data + i - PAIR, pairs->data + i) == 0)
            continue;
        drops->bytes += pair[1];
        buffer_append(&drops->offsets, slice_make(pair, sizeof(pair[0])));
    }
    return buffer_error(&drops->offsets);
}

int drops_read(int folder, uint64_t pack, struct drops *drops)
{
    char name[NAME_SIZE];
    struct stat status;
    struct buffer pairs;
    *drops = (struct drops){0};
    buffer_init(&drops->offsets, NOTES_MAXIMUM);
    pack_name(pack, "drops", name);
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? 0 : file_error(errno);
    buffer_init(&pairs, NOTES_MAXIMUM);
    int error = collect_notes(file, pack, &pairs);
    if (!error)
        error = keep_offsets(drops, &pairs);
    if (!error && fstat(file, &status) == 0)
        drops->changed = status.st_mtime;
    buffer_release(&pairs);
    close(file);
    return error;
}

bool drops_contain(const struct drops *drops, uint64_t offset)
{
    return drops->offsets.size &&
           bsearch(&offset, drops->offsets.data, drops->offsets.size / sizeof(offset),
                   sizeof(offset), compare_offsets) != NULL;
}

void drops_release(struct drops *drops)
{
    buffer_release(&drops->offsets);
}
