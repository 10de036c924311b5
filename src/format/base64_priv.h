/*
 * What the strict and the lenient base64 decoders share.
 */
#ifndef FORMAT_BASE64_PRIV_H
#define FORMAT_BASE64_PRIV_H

enum { BASE64_FOREIGN = 64, BASE64_PADDING = 65 };

/* A digit's value, 0 to 63, or one of the above. */
extern const unsigned char base64_values[256];

#endif
