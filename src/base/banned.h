/*
 * Functions nobody in Chapar calls: each has a bounded or checked counterpart. Included before
 * every source file by the build, so that a call is a compile error.
 *
 * Write strings with base/buffer.h, parse numbers with strtoull and a check or with the parser of
 * the format at hand.
 * system(), random() and rand() are banned too, but by the lint: headers of libraries use these
 * names otherwise.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The system headers that declare these names come first, as poisoning forbids the declarations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* For clang, _FORTIFY_SOURCE makes macros of these two. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf strtok strtok_r gets
#pragma GCC poison atoi atol atoll atof scanf sscanf fscanf vsscanf mktemp tmpnam tempnam
#pragma GCC poison gmtime localtime ctime asctime ctime_r asctime_r
#pragma GCC poison popen

#endif
