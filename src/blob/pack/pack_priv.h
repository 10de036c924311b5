/*
 * blob/pack: bodies in files.
 *
 *   file.c     files and folders
 *   writer.c   taking a pack to write to, appending, flushing
 *   drops.c    which records were dropped
 *   reclaim.c  rewriting packs that are mostly dead
 *   pack.c     the engine
 */
#ifndef BLOB_PACK_PRIV_H
#define BLOB_PACK_PRIV_H

#include "blob/record_priv.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

enum {
    PATH_SIZE = 4096,
    NAME_SIZE = 32,               /* "0123456789abcdef.drops" */
    PACK_FULL = 64 * 1024 * 1024, /* a pack of this size is full: no record is begun in it */
    HINTS = 64,
};

/* The pack of an account that was last written to by this process. */
struct hint {
    uint64_t pack; /* 0: none */
    uint64_t end;  /* bytes of it that are whole records */
    char account[BLOB_ACCOUNT_MAXIMUM + 1];
};

struct pack_engine {
    struct blob_engine engine;
    pthread_mutex_t lock;
    struct hint hints[HINTS]; /* by lock */
    unsigned next_hint;       /* by lock: which is given up for another */
    char directory[];
};

/* --- file.c --- */

/* A file that records are read from. */
struct file_source {
    struct record_source source;
    int file;
};
struct file_source file_source(int file, uint64_t size);

/* The error of a file's errno: ERROR_SPACE, ERROR_MEMORY, ERROR_NOT_FOUND or ERROR_IO. */
int file_error(int errnum);

/* The end of the file before the size is read is ERROR_CORRUPT. */
int read_at(int file, uint64_t offset, char *bytes, size_t size);
int write_at(int file, uint64_t offset, struct slice bytes);

void pack_path(const struct blob_engine *engine, const char *account, char path[PATH_SIZE]);
void pack_name(uint64_t pack, const char *suffix, char name[NAME_SIZE]);

/* Whether the name is that of a pack with the suffix. */
bool pack_name_parse(const char *name, const char *suffix, uint64_t *pack);

/* Return a descriptor or an error. */
int open_folder(const struct blob_engine *engine, const char *account);
int open_or_make_folder(const struct blob_engine *engine, const char *account);
int open_directory(const struct blob_engine *engine, const char *account, DIR **directory);

/* Opens a pack. Returns a descriptor. */
int open_pack(int folder, uint64_t pack, int flags, struct stat *status);

/* Its header is for who appends and who looks for damage. A record proves itself, and is read
 * without. */
int check_pack_header(int file, uint64_t pack);

/* A pack that never changes again has no mode to write. */
void seal_pack(int file);
bool is_sealed(const struct stat *status);

/* --- writer.c --- */

/* Appends to one pack, which is locked, until it is full, then to the next. */
struct pack_writer {
    struct pack_engine *engine;
    const char *account;
    int folder, file; /* -1: none yet */
    uint64_t pack;
    uint64_t start;        /* of what this writer has added to the pack */
    uint64_t written;      /* where `pending` will be written */
    struct buffer pending; /* not yet written */
    bool is_new;           /* the pack is still named .new */
    struct record record;  /* being written */
    struct buffer index;   /* its index */
    void *compressor;
};

int writer_init(struct pack_writer *writer, struct pack_engine *engine, const char *account);

/* A record whose frames the caller has as they are to be stored: begin, each frame, end. */
int writer_begin(struct pack_writer *writer, uint64_t body_size);
int writer_frame(struct pack_writer *writer, struct slice stored);
int writer_end(struct pack_writer *writer, struct blob_id *id);

/* A record of a body. */
int writer_add(struct pack_writer *writer, struct slice body, struct blob_id *id);

/* Flushes (or, without keep, takes back what was added since the last flush) and lets go. When it
 * fails it has taken back. */
int writer_finish(struct pack_writer *writer, bool keep);

/* --- drops.c --- */

/* Offsets of records that were dropped, ascending, each once. */
struct drops {
    struct buffer offsets; /* uint64_t */
    uint64_t bytes;        /* of those records in the pack */
    int64_t changed;       /* when the last was noted; 0: none was */
};

/* Notes that a record was dropped, without a flush. */
int drops_add(int folder, const struct record *record);

/* What was noted; damaged notes are passed over. Released by the caller whatever is returned. */
int drops_read(int folder, uint64_t pack, struct drops *drops);
bool drops_contain(const struct drops *drops, uint64_t offset);
void drops_release(struct drops *drops);

/* --- reclaim.c --- */

int pack_reclaim(struct blob_engine *engine, const char *account, const struct blob_reclaim *what);

#endif
