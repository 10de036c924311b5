#include "session/imap/session_priv.h"

char *number_put(char *place, uint64_t number)
{
    char digits[NUMBER_MAXIMUM];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *place++ = digits[--count];
    return place;
}

void flags_cache_init(struct flags_cache *cache)
{
    *cache = (struct flags_cache){.valid = false};
    buffer_init(&cache->text, (KEYWORDS_MAXIMUM + 8) * (IMAP_KEYWORD_MAXIMUM + 1));
}

void flags_cache_release(struct flags_cache *cache)
{
    buffer_release(&cache->text);
    cache->valid = false;
}

static void fill(struct flags_cache *cache, const struct keyword_names *names)
{
    struct slice set[KEYWORDS_MAXIMUM];
    size_t count = 0;
    for (unsigned i = 0; i < names->count; i++)
        if (keyword_set_has(&cache->keywords, i))
            set[count++] = names->names[i];
    buffer_clear(&cache->text);
    imap_write_flags(&cache->text, cache->flags, set, count);
    cache->valid = true;
}

void flags_write(struct buffer *out, struct flags_cache *cache, uint32_t flags,
                 const struct keyword_set *keywords, const struct keyword_names *names)
{
    if (!cache->valid || cache->flags != flags ||
        memcmp(&cache->keywords, keywords, sizeof(*keywords)) != 0) {
        cache->flags = flags;
        cache->keywords = *keywords;
        fill(cache, names);
    }
    buffer_append(out, buffer_slice(&cache->text));
}

/* The day's text stays; hours, minutes and seconds are put into it. */
void date_write(struct buffer *out, struct date_cache *cache, int64_t seconds)
{
    enum { DAY = 24 * 60 * 60, TIME = 13 /* where "02:44:25" begins */ };
    int64_t time = seconds % DAY, day = seconds / DAY;
    char *text = cache->text;
    if (seconds < 0 || !cache->valid || cache->day != day) {
        struct buffer fresh;
        buffer_init(&fresh, sizeof(cache->text));
        imap_write_date(&fresh, seconds);
        cache->valid = fresh.size == sizeof(cache->text) && seconds >= 0;
        cache->day = day;
        if (cache->valid)
            memcpy(text, fresh.data, fresh.size);
        buffer_append(out, buffer_slice(&fresh));
        buffer_release(&fresh);
        return;
    }
    const int64_t parts[] = {time / 3600, time / 60 % 60, time % 60};
    for (size_t i = 0; i < 3; i++) {
        text[TIME + 3 * i] = (char)('0' + parts[i] / 10);
        text[TIME + 3 * i + 1] = (char)('0' + parts[i] % 10);
    }
    buffer_append(out, slice_make(text, sizeof(cache->text)));
}
