/*
 * SORT's keys (RFC 5256, RFC 5957, RFC 5257). Numbers and dates are eight bytes, the highest first;
 * strings are sort keys (format/text.h), so that case does not matter (i;unicode-casemap), and end
 * with a NUL. What is reversed has every byte's complement.
 */
#include "base/error.h"
#include "format/subject.h"
#include "format/text.h"
#include "session/imap/sort_priv.h"

#include <stdlib.h>

/* Room for the pieces of keys that are numbers or ranks. */
enum { SMALL_KEY = 8, DIGITS = 256 };

void sort_list_init(struct sort_list *list, size_t maximum)
{
    *list = (struct sort_list){.count = 0};
    buffer_init(&list->keys, maximum);
    buffer_init(&list->items, maximum);
}

void sort_list_release(struct sort_list *list)
{
    list->count = 0;
    list->remembers = false;
    for (size_t i = 0; i < IMAP_SORT_CRITERIA_MAXIMUM; i++)
        sort_memory_give(&list->memories[i]);
    buffer_release(&list->keys);
    buffer_release(&list->items);
}

struct sort_item *sort_items(const struct sort_list *list)
{
    return (struct sort_item *)list->items.data;
}

/* An annotation can be changed, so its value is no key for ever. */
static bool can_be_remembered(const struct imap_sort_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (criteria[i].kind == IMAP_SORT_ANNOTATION)
            return false;
    return true;
}

/* The others are numbers of the entry itself. */
static bool takes_summary(enum imap_sort_kind kind)
{
    return kind != IMAP_SORT_ARRIVAL && kind != IMAP_SORT_SIZE;
}

void sort_list_remember(struct sort_list *list, struct account_id account, collection_id collection,
                        const struct imap_sort_criterion *criteria, size_t count)
{
    list->remembers = can_be_remembered(criteria, count);
    for (size_t i = 0; i < count && list->remembers; i++) {
        if (!takes_summary(criteria[i].kind))
            continue;
        list->memories[i] = sort_memory_take(
            (struct sort_subject){account, collection, (int)criteria[i].kind}, list->keys.maximum);
        list->remembers &= list->memories[i] != NULL;
    }
}

/* --- ENVELOPE's addresses (RFC 9051 section 7.5.2) --- */

/* The next nstring of an IMAP list, its escapes in place; data NULL: NIL. False: none is next. */
static bool take_nstring(struct slice *text, struct slice *string)
{
    const char *at = text->data, *end = at + text->size;
    if (at < end && *at == '"') {
        const char *begin = ++at;
        while (at < end && *at != '"')
            at += *at == '\\' && at + 1 < end ? 2 : 1;
        *string = slice_make(begin, (size_t)(at - begin));
        at += at < end;
    } else if (at < end && *at == '{') {
        size_t size = strtoul(at + 1, NULL, 10), head = slice_find(*text, '\n') + 1;
        *string = slice_sub(*text, head, size);
        at += head + string->size;
    } else if (text->size >= 3 && memcmp(at, "NIL", 3) == 0) {
        *string = slice_make(NULL, 0);
        at += 3;
    } else {
        return false;
    }
    *text = slice_sub(*text, (size_t)(at - text->data), SIZE_MAX);
    if (text->size && text->data[0] == ' ')
        *text = slice_sub(*text, 1, SIZE_MAX);
    return true;
}

/* Steps over a list of lists: strings are skipped as such, as they may have parentheses. */
static void skip_list(struct slice *text)
{
    int depth = 0;
    struct slice string;
    do {
        if (text->size == 0)
            return;
        if (take_nstring(text, &string))
            continue;
        depth += text->data[0] == '(' ? 1 : text->data[0] == ')' ? -1 : 0;
        *text = slice_sub(*text, 1, SIZE_MAX);
    } while (depth > 0);
    if (text->size && text->data[0] == ' ')
        *text = slice_sub(*text, 1, SIZE_MAX);
}

/* "(" date subject from sender reply-to to cc bcc in-reply-to message-id ")" */
enum envelope_list { ENVELOPE_FROM, ENVELOPE_TO = 3, ENVELOPE_CC = 4 };

/* name, route, mailbox, host of the first address. False: there is none. */
static bool first_address(struct slice envelope, enum envelope_list list, struct slice address[4])
{
    struct slice text = slice_sub(envelope, 1, SIZE_MAX), string;
    if (!take_nstring(&text, &string) || !take_nstring(&text, &string))
        return false;
    for (int i = 0; i < (int)list; i++)
        skip_list(&text);
    if (text.size < 2 || text.data[0] != '(' || text.data[1] != '(')
        return false;
    text = slice_sub(text, 2, SIZE_MAX);
    for (int i = 0; i < 4; i++)
        if (!take_nstring(&text, &address[i]))
            return false;
    return true;
}

/* --- pieces of keys --- */

static struct summary *summary_of(struct search_slice *slice)
{
    return search_load_summary(slice) ? &slice->summary : NULL;
}

int64_t sort_sent_date(struct search_slice *slice)
{
    const struct summary *summary = summary_of(slice);
    bool has_date = summary && summary->sent_date != INT64_MIN;
    return has_date ? summary->sent_date : slice->entry->internal_date;
}

int sort_subject(struct search_slice *slice, struct buffer *key, bool *reply)
{
    const struct summary *summary = summary_of(slice);
    buffer_clear(&slice->text);
    buffer_clear(key);
    *reply = false;
    if (!summary || !summary->headers[SUMMARY_SUBJECT].data)
        return 0;
    int error = subject_base(summary->headers[SUMMARY_SUBJECT], &slice->text, reply);
    return error ? error : text_sort_key(buffer_slice(&slice->text), key);
}

/* A quoted string's escapes go, encoded words are decoded. */
static void append_decoded(struct search_slice *slice, struct slice string)
{
    struct buffer plain;
    buffer_init(&plain, string.size);
    for (size_t i = 0; i < string.size; i++) {
        if (string.data[i] == '\\' && i + 1 < string.size)
            i++;
        buffer_append_byte(&plain, string.data[i]);
    }
    text_decode_header(buffer_slice(&plain), &slice->text);
    buffer_release(&plain);
}

/* addr-mailbox, or what RFC 5957 section 3 shows of the address. */
static int sort_address(struct search_slice *slice, enum envelope_list list, bool display,
                        struct buffer *key)
{
    const struct summary *summary = summary_of(slice);
    struct slice address[4];
    buffer_clear(&slice->text);
    buffer_clear(key);
    if (!summary || !first_address(summary->envelope, list, address))
        return 0;
    if (display)
        append_decoded(slice, address[0]);
    if (slice->text.size == 0)
        append_decoded(slice, address[2]);
    else
        display = false;
    if (display && address[2].data && address[3].data) {
        buffer_append_byte(&slice->text, '@');
        append_decoded(slice, address[3]);
    }
    return text_sort_key(buffer_slice(&slice->text), key);
}

/* --- keys --- */

static void put_number(struct buffer *keys, int64_t number)
{
    uint64_t bits = sort_unsigned(number);
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_append_byte(keys, (char)(bits >> shift));
}

static void put_string(struct buffer *keys, struct slice string)
{
    string = slice_sub(string, 0, SORT_STRING_MAXIMUM);
    for (size_t nul; (nul = slice_find(string, '\0')) < string.size;) {
        buffer_append(keys, slice_sub(string, 0, nul));
        string = slice_sub(string, nul + 1, SIZE_MAX);
    }
    buffer_append(keys, string);
    buffer_append_byte(keys, '\0');
}

static int put_address(struct search_slice *slice, struct buffer *keys, enum envelope_list list,
                       bool display)
{
    int error = sort_address(slice, list, display, &slice->key);
    put_string(keys, buffer_slice(&slice->key));
    return error;
}

/* RFC 5257 section 4.9; without a value it is as an empty one. */
static int put_annotation(struct search_slice *slice, struct buffer *keys,
                          const struct imap_sort_criterion *criterion)
{
    struct slice value = search_annotation(slice, criterion->entry, criterion->shared);
    buffer_clear(&slice->key);
    int error = text_sort_key(value, &slice->key);
    put_string(keys, buffer_slice(&slice->key));
    return error;
}

static int put_criterion(struct search_slice *slice, struct buffer *keys,
                         const struct imap_sort_criterion *criterion)
{
    bool reply;
    int error = 0;
    switch (criterion->kind) {
    case IMAP_SORT_ANNOTATION:
        return put_annotation(slice, keys, criterion);
    case IMAP_SORT_ARRIVAL:
        put_number(keys, slice->entry->internal_date);
        return 0;
    case IMAP_SORT_DATE:
        put_number(keys, sort_sent_date(slice));
        return 0;
    case IMAP_SORT_SIZE:
        put_number(keys, (int64_t)slice->entry->size);
        return 0;
    case IMAP_SORT_SUBJECT:
        error = sort_subject(slice, &slice->key, &reply);
        put_string(keys, buffer_slice(&slice->key));
        return error;
    case IMAP_SORT_CC:
        return put_address(slice, keys, ENVELOPE_CC, false);
    case IMAP_SORT_FROM:
        return put_address(slice, keys, ENVELOPE_FROM, false);
    case IMAP_SORT_TO:
        return put_address(slice, keys, ENVELOPE_TO, false);
    case IMAP_SORT_DISPLAYFROM:
        return put_address(slice, keys, ENVELOPE_FROM, true);
    case IMAP_SORT_DISPLAYTO:
        return put_address(slice, keys, ENVELOPE_TO, true);
    }
    return 0;
}

static void complement(struct buffer *keys, size_t from)
{
    for (; from < keys->size; from++)
        keys->data[from] = (char)~keys->data[from];
}

/* The key's index in what is remembered; its rank takes that place in the end. What could not be
 * read is not remembered. */
static int put_remembered(struct search_slice *slice, struct buffer *keys,
                          const struct imap_sort_criterion *criterion, struct sort_memory *memory)
{
    uint32_t uid = slice->entry->uid, index;
    size_t begin = keys->size;
    int error = 0;
    if (!sort_memory_find(memory, uid, &index)) {
        error = put_criterion(slice, keys, criterion);
        if (!error)
            error = buffer_error(keys);
        if (!error)
            error = sort_memory_add(memory, uid, slice_sub(buffer_slice(keys), begin, SIZE_MAX),
                                    &index);
        memory->spoiled |= slice->failed;
        buffer_truncate(keys, begin);
    }
    return error ? error : buffer_append(keys, slice_make((const char *)&index, sizeof(index)));
}

int sort_add(struct search_slice *slice, struct sort_list *list,
             const struct imap_sort_criterion *criteria, size_t count)
{
    struct buffer *keys = &list->keys;
    size_t begin = keys->size;
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        size_t at = keys->size;
        if (list->remembers && list->memories[i]) {
            error = put_remembered(slice, keys, &criteria[i], list->memories[i]);
            continue;
        }
        error = put_criterion(slice, keys, &criteria[i]);
        if (criteria[i].reverse)
            complement(keys, at);
    }
    const struct sort_item item = {(const char *)begin, (uint32_t)(keys->size - begin),
                                   slice->entry->uid, slice->entry->modseq};
    if (!error)
        error = buffer_error(keys);
    if (!error)
        error = buffer_append(&list->items, slice_make((const char *)&item, sizeof(item)));
    list->count += !error;
    return error;
}

static int compare_items(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->size < y->size ? x->size : y->size);
    if (!order)
        order = (x->size > y->size) - (x->size < y->size);
    return order ? order : (x->uid > y->uid) - (x->uid < y->uid);
}

static void put_rank(char *key, uint32_t rank, bool reverse)
{
    rank = reverse ? ~rank : rank;
    for (size_t i = 0; i < SORT_RANK; i++)
        key[i] = (char)(rank >> (24 - 8 * i));
}

/* Indexes become ranks. */
static int rank_keys(struct sort_list *list, const struct imap_sort_criterion *criteria,
                     size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && !error; i++)
        error = list->memories[i] ? sort_memory_rank(list->memories[i]) : 0;
    char *key = list->keys.data;
    for (size_t item = 0; item < list->count && !error; item++)
        for (size_t i = 0; i < count; i++) {
            uint32_t index;
            if (list->memories[i]) {
                memcpy(&index, key, sizeof(index));
                put_rank(key, sort_memory_rank_of(list->memories[i], index), criteria[i].reverse);
            }
            key += list->memories[i] ? SORT_RANK : SORT_NUMBER;
        }
    return error;
}

static unsigned digit_of(const struct sort_number *number, int digit)
{
    return (unsigned)(number->number >> 8 * digit) & (DIGITS - 1);
}

/* Orders by one byte, and else leaves the order as it is. */
static void order_by_digit(const struct sort_number *from, struct sort_number *to, size_t count,
                           int digit, const size_t counts[DIGITS])
{
    size_t places[DIGITS], before = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        places[i] = before;
        before += counts[i];
    }
    for (size_t i = 0; i < count; i++)
        to[places[digit_of(&from[i], digit)]++] = from[i];
}

/* Byte by byte from the last. */
int sort_by_number(struct sort_number *list, size_t count)
{
    size_t counts[sizeof(list->number)][DIGITS] = {{0}};
    struct sort_number *from = list, *other = calloc(count + 1, sizeof(*other)), *to = other;
    if (!other)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        for (int digit = 0; digit < (int)sizeof(list->number); digit++)
            counts[digit][digit_of(&list[i], digit)]++;
    for (int digit = 0; digit < (int)sizeof(list->number) && count; digit++) {
        if (counts[digit][digit_of(list, digit)] == count)
            continue; /* all have the same */
        order_by_digit(from, to, count, digit, counts[digit]);
        struct sort_number *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != list)
        memcpy(list, from, count * sizeof(*list));
    free(other);
    return 0;
}

/* A small key's bytes. */
static uint64_t number_of(const struct sort_item *item)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < item->size; i++)
        number = number << 8 | (unsigned char)item->key[i];
    return number;
}

/* Small keys of one size are numbers: the items are in the order of UIDs. */
static int order_small(struct sort_list *list)
{
    struct sort_item *items = sort_items(list), *ordered = calloc(list->count, sizeof(*ordered));
    struct sort_number *keys = calloc(list->count, sizeof(*keys));
    int error = ordered && keys ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < list->count && !error; i++)
        keys[i] = (struct sort_number){number_of(&items[i]), (uint32_t)i};
    if (!error)
        error = sort_by_number(keys, list->count);
    for (size_t i = 0; i < list->count && !error; i++)
        ordered[i] = items[keys[i].index];
    if (!error)
        memcpy(items, ordered, list->count * sizeof(*items));
    free(keys);
    free(ordered);
    return error;
}

int sort_finish(struct sort_list *list, const struct imap_sort_criterion *criteria, size_t count)
{
    struct sort_item *items = sort_items(list);
    int error = list->remembers ? rank_keys(list, criteria, count) : 0;
    if (error || !list->count)
        return error;
    for (size_t i = 0; i < list->count; i++)
        items[i].key = list->keys.data + (size_t)items[i].key;
    if (list->remembers && items[0].size <= SMALL_KEY)
        return order_small(list);
    qsort(items, list->count, sizeof(*items), compare_items);
    return 0;
}

/* --- parts, and places --- */

static int compare_uids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int sort_part(const struct sort_list *list, size_t first, size_t end, struct range_set *uids)
{
    uint32_t *numbers = calloc(end - first + 1, sizeof(*numbers));
    if (!numbers)
        return ERROR_MEMORY;
    for (size_t i = first; i < end; i++)
        numbers[i - first] = sort_items(list)[i].uid;
    qsort(numbers, end - first, sizeof(*numbers), compare_uids);
    int error = 0;
    for (size_t i = 0; i < end - first && !error; i++)
        error = range_set_add(uids, numbers[i], numbers[i]);
    free(numbers);
    return error;
}

/* The key of one entry, alone in the list. */
static int make_key(struct search_slice *slice, const struct entry *entry, struct sort_list *list,
                    const struct imap_sort_criterion *criteria, size_t count)
{
    slice->entry = entry;
    slice->has_summary = slice->has_header = false;
    sort_list_release(list);
    int error = sort_add(slice, list, criteria, count);
    return error ? error : sort_finish(list, criteria, count);
}

/* The first of those at index low to high that is still there, its key in the list.
 * ERROR_NOT_FOUND: none is. */
static int find_key(struct search_slice *slice, const uint32_t *order, size_t *low, size_t high,
                    struct sort_list *list, const struct imap_sort_criterion *criteria,
                    size_t count)
{
    for (; *low < high; (*low)++) {
        struct entry_cursor cursor;
        struct entry entry;
        entry_cursor_init(&cursor, slice->snapshot, order[*low], 0);
        int error = entry_cursor_next(&cursor, &entry);
        entry_cursor_release(&cursor);
        if (!error && entry.uid == order[*low])
            return make_key(slice, &entry, list, criteria, count);
        if (error && error != ERROR_NOT_FOUND)
            return error;
    }
    return ERROR_NOT_FOUND;
}

int sort_place(struct search_slice *slice, const struct entry *entry,
               const struct imap_sort_criterion *criteria, size_t criterion_count,
               const uint32_t *order, size_t count, size_t *place)
{
    struct sort_list own, other;
    size_t low = 0, high = count;
    sort_list_init(&own, SORT_KEY_MAXIMUM);
    sort_list_init(&other, SORT_KEY_MAXIMUM);
    int error = make_key(slice, entry, &own, criteria, criterion_count);
    while (low < high && !error) {
        size_t half = low + (high - low) / 2, middle = half;
        error = find_key(slice, order, &middle, high, &other, criteria, criterion_count);
        if (error == ERROR_NOT_FOUND) {
            high = half;
            error = 0;
        } else if (!error && compare_items(sort_items(&other), sort_items(&own)) < 0) {
            low = middle + 1;
        } else {
            high = half;
        }
    }
    sort_list_release(&own);
    sort_list_release(&other);
    if (!error)
        *place = low;
    return error;
}

bool sort_write(struct imap_session *session, const struct sort_list *list, size_t *written,
                size_t first, size_t end, char separator)
{
    const struct sort_item *items = (const struct sort_item *)list->items.data;
    while (*written < end && !session_slice_over_sent(session))
        for (int i = 0; i < SEARCH_WRITTEN_AT_ONCE && *written < end; i++, (*written)++) {
            char text[1 + NUMBER_MAXIMUM], *at = text;
            if (separator == ' ' || *written > first)
                *at++ = separator;
            at = number_put(at, search_number(session, items[*written].uid));
            buffer_append(session->out, slice_make(text, (size_t)(at - text)));
        }
    return *written == end;
}
