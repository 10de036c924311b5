/*
 * The record of a blob: its format, its checksums, reading and verifying it. Packs hold many, one
 * behind the other; an object of a cluster holds one.
 */
#ifndef BLOB_RECORD_PRIV_H
#define BLOB_RECORD_PRIV_H

#include "blob/engine_priv.h"

enum {
    SUM_SIZE = 8,
    PACK_HEADER = 24,
    RECORD_HEADER = 32,
    INDEX_ENTRY = 12,
    FRAME_SIZE = 128 * 1024, /* bytes of the body in a frame */
    COMPRESSION_LEVEL = 3,
    RAW_MAXIMUM = 8 * 1024, /* bytes of a frame that is not worth compressing */
};

struct record {
    uint64_t pack;
    uint64_t offset;
    uint64_t body_size;
    uint64_t stored_size; /* of what is behind the header: index and frames */
};

/* SipHash-2-4 of the bytes with a record's place as the key. */
void record_sum(uint64_t pack, uint64_t offset, struct slice bytes, unsigned char sum[SUM_SIZE]);

void put_number(char *bytes, uint64_t number);
uint64_t get_number(const char *bytes);

void pack_header_write(char bytes[PACK_HEADER], uint64_t pack);

/* How many frames a body has, and the size of their index. */
uint32_t record_frames(uint64_t body_size);
size_t record_index_size(uint64_t body_size);

/* The index entry of a frame, and the header. */
void record_entry_write(char entry[INDEX_ENTRY], const struct record *record, struct slice stored);
void record_header_write(char bytes[RECORD_HEADER], const struct record *record);

/* What records are read from: a pack's file, or an object that is laid out as one. */
struct record_source {
    /* All of the bytes; the end of the source before is ERROR_CORRUPT. */
    int (*read)(struct record_source *source, uint64_t offset, char *bytes, size_t size);
    uint64_t size;
};

/* Appends a frame as it is stored: compressed, or raw where that is not smaller. *compressor is
 * NULL at first, and freed with ZSTD_freeCCtx. `stored` lives as long as the buffer is not changed.
 */
int record_frame(void **compressor, struct slice bytes, struct buffer *buffer,
                 struct slice *stored);

/* The record at the offset, if its header is whole and all of it lies in the source. */
int record_find(struct record_source *source, uint64_t pack, uint64_t offset,
                struct record *record);

/* A record of which frames are read. */
struct record_reader {
    struct record_source *source; /* not owned */
    struct record record;
    struct buffer head;   /* header, index, and the first frame when it is likely to be wanted */
    struct buffer stored; /* the frame that was read last, as stored */
    struct buffer plain;
};

/* Opens the blob's record in the source; `offset` is where reading will begin. Released by the
 * caller whatever is returned. */
int record_open(struct record_reader *reader, struct record_source *source, struct blob_id id,
                uint64_t offset);
void record_release(struct record_reader *reader);

/* The frames one after the other, as they are stored, verified. `stored` lives until the next call;
 * *at is 0 for the first and then as this leaves it. */
int record_stored_frame(struct record_reader *reader, uint32_t frame, uint64_t *at,
                        struct slice *stored);

/* Appends the bytes from offset on, size of them, which the body has; or nothing on failure. */
int record_read(struct record_reader *reader, uint64_t offset, size_t size, struct buffer *bytes);

/* Reads all of it. */
int record_verify(struct record_reader *reader);

#endif
