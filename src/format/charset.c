#include "format/charset_priv.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/udata.h>

/* Opening a converter costs many times what converting a header field does, so each thread keeps
 * its last ones. */
enum { KEPT = 4, PIVOT = 1024, CHUNK = 4096 };

struct converters {
    UConverter *utf8;
    struct {
        char name[CHARSET_NAME_MAXIMUM + 1];
        UConverter *converter;
    } kept[KEPT];
    size_t next; /* the one to be replaced */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* for its destructor, at a thread's end */
static _Thread_local struct converters *mine;

static void release(void *argument)
{
    struct converters *converters = argument;
    for (size_t i = 0; i < KEPT; i++)
        ucnv_close(converters->kept[i].converter);
    ucnv_close(converters->utf8);
    free(converters);
}

/* The charsets are in ICU's own library; a name that a stranger chose must not become a file's. */
static void set_up(void)
{
    UErrorCode error = U_ZERO_ERROR;
    udata_setFileAccess(UDATA_NO_FILES, &error);
    pthread_key_create(&key, release);
}

static struct converters *converters_of_thread(void)
{
    pthread_once(&once, set_up);
    if (mine)
        return mine;
    UErrorCode error = U_ZERO_ERROR;
    struct converters *converters = calloc(1, sizeof(*converters));
    if (!converters)
        return NULL;
    converters->utf8 = ucnv_open("UTF-8", &error);
    if (U_FAILURE(error) || pthread_setspecific(key, converters)) {
        release(converters);
        return NULL;
    }
    return mine = converters;
}

/* Names that mail uses and ICU lacks, and charsets that are labelled as a smaller one: who writes
 * "gb2312" or "ks_c_5601-1987" means what Windows calls so. */
static const char *better_name(const char *name)
{
    static const char *const names[][2] = {
        {"gb2312", "gb18030"},          {"gbk", "gb18030"},
        {"ks_c_5601-1987", "cp949"},    {"euc-kr", "cp949"},
        {"iso-8859-8-i", "iso-8859-8"}, {"iso-8859-8-e", "iso-8859-8"},
        {"iso-8859-9", "windows-1254"}, {"iso-8859-11", "windows-874"},
        {"unicode-1-1-utf-7", "utf-7"}, {"x-mac-roman", "macintosh"},
        {"shift_jis", "cp932"},         {"x-sjis", "cp932"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(names[i][0], name) == 0)
            return names[i][1];
    return name;
}

/* A MIME charset's characters (RFC 2978 section 2.3); "," would begin ICU's options. */
static bool is_name(struct slice charset)
{
    if (!charset.size || charset.size > CHARSET_NAME_MAXIMUM)
        return false;
    for (size_t i = 0; i < charset.size; i++) {
        char c = charset.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr("-_.:+()", c)))
            return false;
    }
    return true;
}

static UConverter *open_converter(struct converters *converters, const char *name)
{
    UErrorCode error = U_ZERO_ERROR;
    const char *better = better_name(name);
    if (ucnv_countAliases(better, &error) == 0 || U_FAILURE(error))
        return NULL;
    UConverter *converter = ucnv_open(better, &error);
    if (U_FAILURE(error))
        return NULL;
    size_t slot = converters->next;
    converters->next = (slot + 1) % KEPT;
    ucnv_close(converters->kept[slot].converter);
    converters->kept[slot].converter = converter;
    memcpy(converters->kept[slot].name, name, strlen(name) + 1);
    return converter;
}

static UConverter *find_converter(struct converters *converters, struct slice charset)
{
    char name[CHARSET_NAME_MAXIMUM + 1];
    memcpy(name, charset.data, charset.size);
    name[charset.size] = '\0';
    for (size_t i = 0; i < KEPT; i++)
        if (converters->kept[i].converter && strcasecmp(converters->kept[i].name, name) == 0)
            return converters->kept[i].converter;
    return open_converter(converters, name);
}

static int convert(UConverter *utf8, UConverter *from, struct slice bytes, struct buffer *out)
{
    UChar pivot[PIVOT], *pivot_source = pivot, *pivot_target = pivot;
    const char *source = bytes.data, *end = bytes.data + bytes.size;
    UBool reset = 1;
    UErrorCode error;
    do {
        char chunk[CHUNK], *target = chunk;
        error = U_ZERO_ERROR;
        ucnv_convertEx(utf8, from, &target, chunk + CHUNK, &source, end, pivot, &pivot_source,
                       &pivot_target, pivot + PIVOT, reset, 1, &error);
        reset = 0;
        buffer_append(out, slice_make(chunk, (size_t)(target - chunk)));
    } while (error == U_BUFFER_OVERFLOW_ERROR && !buffer_error(out));
    return buffer_error(out);
}

int charset_to_utf8(struct slice charset, struct slice bytes, struct buffer *utf8)
{
    if (!is_name(charset))
        return ERROR_UNSUPPORTED;
    struct converters *converters = converters_of_thread();
    if (!converters)
        return ERROR_MEMORY;
    UConverter *from = find_converter(converters, charset);
    if (!from)
        return ERROR_UNSUPPORTED;
    return bytes.size ? convert(converters->utf8, from, bytes, utf8) : buffer_error(utf8);
}
