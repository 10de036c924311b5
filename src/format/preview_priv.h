/*
 * A message's preview (RFC 8970): the beginning of its text, for lists.
 */
#ifndef FORMAT_PREVIEW_PRIV_H
#define FORMAT_PREVIEW_PRIV_H

#include "format/mime.h"

enum {
    /* Bytes of a body looked at: a first look, which is enough for most, and a second. */
    PREVIEW_FIRST_LOOK = 4 * 1024,
    PREVIEW_SECOND_LOOK = 64 * 1024,
};

/* Appends the preview, at most SUMMARY_PREVIEW_MAXIMUM characters of UTF-8 on one line: from the
 * first text/plain part that is no attachment and belongs to the message itself, else from the
 * first text/html. Nothing when there is neither. Returns the buffer's error. */
int preview_write(struct slice message, const struct mime_tree *tree, struct arena *arena,
                  struct buffer *preview);

#endif
