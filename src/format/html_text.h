/*
 * The readable text of an HTML document: tags, comments, scripts and styles left out, character
 * references decoded. For previews and search, not for display: it is no HTML parser.
 */
#ifndef FORMAT_HTML_TEXT_H
#define FORMAT_HTML_TEXT_H

#include "base/buffer.h"

/* Appends the text of the UTF-8 html (which may be cut anywhere). Elements that begin a new line
 * for a reader make one; further white space is as it stands. Reads each byte a constant number of
 * times. Returns the buffer's error. */
int html_text(struct slice html, struct buffer *text);

#endif
