/*
 * Whether a message matches SEARCH's keys (RFC 9051 section 6.4.4). Flags, dates and sizes come
 * from the entry, most header fields from the summary; only other fields, BODY and TEXT read the
 * message. Texts are compared by search key (format/text.h), so case does not matter.
 */
#include "base/clock.h"
#include "base/error.h"
#include "format/date.h"
#include "format/text.h"
#include "format/transfer_encoding.h"
#include "session/imap/search_priv.h"
#include "store/annotation.h"
#include "store/thread.h"

enum {
    DAY = 24 * 60 * 60,
    /* Decoded text is searched in windows that end at a line's end, or at this size. */
    SEARCH_WINDOW = 256 * 1024,
    /* A window's text and search key may be several times as long as its bytes. */
    SEARCH_TEXT_MAXIMUM = 4 * 1024 * 1024,
};

/* --- getting ready --- */

static int copy_set(struct imap_session *session, const struct imap_search_key *key,
                    struct search_node *node)
{
    struct range_set uids;
    range_set_init(&uids, SESSION_UID_RANGES_MAXIMUM);
    int error = view_resolve(session, &key->set, key->kind == IMAP_SEARCH_UID, true, &uids);
    if (!error) {
        size_t count = uids.count;
        struct range *ranges = arena_alloc_array(&session->arena, count, sizeof(*ranges));
        if (ranges && count)
            memcpy(ranges, uids.ranges, count * sizeof(*ranges));
        error = ranges ? 0 : ERROR_LIMIT;
        node->uids = (struct range_set){.ranges = ranges, .count = count};
    }
    range_set_release(&uids);
    return error;
}

static int fold_text(struct imap_session *session, struct slice text, struct slice *needle)
{
    struct buffer key;
    buffer_init(&key, SESSION_LITERALS_MAXIMUM * 4);
    int error = text_search_key(text, &key);
    if (!error)
        *needle = arena_copy(&session->arena, buffer_slice(&key));
    buffer_release(&key);
    return error ? error : arena_failed(&session->arena) ? ERROR_LIMIT : 0;
}

static int find_keyword(const struct keyword_names *names, struct slice name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (slice_equal_nocase(names->names[i], name))
            return (int)i;
    return -1;
}

static enum search_cost own_cost(const struct search_node *node)
{
    switch (node->key->kind) {
    case IMAP_SEARCH_HEADER:
        return node->header >= 0 ? COST_SUMMARY : COST_HEADER;
    case IMAP_SEARCH_SENTBEFORE:
    case IMAP_SEARCH_SENTON:
    case IMAP_SEARCH_SENTSINCE:
    case IMAP_SEARCH_THREADID: /* a record for each message */
    case IMAP_SEARCH_ANNOTATION:
        return COST_SUMMARY;
    case IMAP_SEARCH_BODY:
    case IMAP_SEARCH_TEXT:
        return COST_BODY;
    default:
        return COST_ENTRY;
    }
}

static int prepare_children(struct imap_session *session, const struct imap_search_key *key,
                            const struct keyword_names *names, struct search_node *node)
{
    node->children = arena_alloc_array(&session->arena, key->child_count, sizeof(*node->children));
    if (!node->children)
        return ERROR_LIMIT;
    for (size_t i = 0; i < key->child_count; i++) {
        struct search_node child = {0};
        int error = search_prepare(session, &key->children[i], names, &child);
        if (error)
            return error;
        if (child.cost > node->cost)
            node->cost = child.cost;
        size_t place = node->child_count++;
        for (; place > 0 && node->children[place - 1].cost > child.cost; place--)
            node->children[place] = node->children[place - 1];
        node->children[place] = child;
    }
    return 0;
}

int search_prepare(struct imap_session *session, const struct imap_search_key *key,
                   const struct keyword_names *names, struct search_node *node)
{
    int error = 0;
    *node = (struct search_node){.key = key, .keyword = -1, .header = -1, .date = key->date};
    if (key->kind == IMAP_SEARCH_OLDER || key->kind == IMAP_SEARCH_YOUNGER)
        node->date = clock_wall() - (int64_t)key->number;
    if (key->kind == IMAP_SEARCH_SEQUENCE || key->kind == IMAP_SEARCH_UID)
        error = copy_set(session, key, node);
    else if (key->kind == IMAP_SEARCH_KEYWORD)
        node->keyword = find_keyword(names, key->text);
    else if (key->kind == IMAP_SEARCH_THREADID)
        thread_id_parse(key->text, &node->thread);
    else
        error = fold_text(session, key->text, &node->needle);
    if (key->kind == IMAP_SEARCH_HEADER)
        node->header = summary_header_find(key->field);
    node->cost = own_cost(node);
    return error ? error : prepare_children(session, key, names, node);
}

void search_find_flags(const struct search_node *node, uint32_t *with, uint32_t *without)
{
    enum imap_search_kind kind = node->key->kind;
    if (kind == IMAP_SEARCH_FLAG)
        *with |= (uint32_t)node->key->number;
    else if (kind == IMAP_SEARCH_NOT && node->child_count == 1 &&
             node->children[0].key->kind == IMAP_SEARCH_FLAG)
        *without |= (uint32_t)node->children[0].key->number;
    for (size_t i = 0; kind == IMAP_SEARCH_AND && i < node->child_count; i++)
        search_find_flags(&node->children[i], with, without);
}

void search_slice_init(struct search_slice *slice, struct imap_session *session,
                       struct mailbox_snapshot *snapshot)
{
    *slice = (struct search_slice){.session = session, .snapshot = snapshot};
    arena_init(&slice->annotations, ANNOTATIONS_MEMORY_MAXIMUM);
    buffer_init(&slice->encoded, SUMMARY_SIZE_MAXIMUM);
    buffer_init(&slice->header, SESSION_HEADER_MAXIMUM);
    buffer_init(&slice->text, SEARCH_TEXT_MAXIMUM);
    buffer_init(&slice->scratch, SEARCH_TEXT_MAXIMUM);
    buffer_init(&slice->raw, SESSION_PIECE);
    buffer_init(&slice->decoded, SEARCH_TEXT_MAXIMUM);
    buffer_init(&slice->key, SEARCH_TEXT_MAXIMUM);
}

void search_slice_release(struct search_slice *slice)
{
    arena_release(&slice->annotations);
    buffer_release(&slice->encoded);
    buffer_release(&slice->header);
    buffer_release(&slice->text);
    buffer_release(&slice->scratch);
    buffer_release(&slice->raw);
    buffer_release(&slice->decoded);
    buffer_release(&slice->key);
}

/* --- what is read once for a message --- */

bool search_load_summary(struct search_slice *slice)
{
    if (!slice->has_summary)
        slice->has_summary =
            mailbox_summary(slice->snapshot, slice->entry, &slice->encoded, &slice->summary) == 0;
    slice->failed |= !slice->has_summary;
    return slice->has_summary;
}

/* Appends the message's bytes from offset on, at most size. */
static bool read_bytes(struct search_slice *slice, uint64_t offset, size_t size,
                       struct buffer *bytes)
{
    bool read = mailbox_message(slice->snapshot, slice->entry, offset, size, bytes) == 0;
    slice->failed |= !read;
    return read;
}

/* Reads a header of the message into slice->header. */
static bool read_header(struct search_slice *slice, uint64_t offset, uint64_t size)
{
    buffer_clear(&slice->header);
    if (size > SESSION_HEADER_MAXIMUM)
        size = SESSION_HEADER_MAXIMUM;
    bool read = read_bytes(slice, offset, (size_t)size, &slice->header);
    slice->has_header = false;
    return read;
}

static bool load_header(struct search_slice *slice)
{
    if (!slice->has_header)
        slice->has_header =
            search_load_summary(slice) && read_header(slice, 0, slice->summary.header_size);
    return slice->has_header;
}

/* --- texts --- */

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Whether the field's decoded value has the text; with the name in front when `named`. */
static bool field_contains(struct search_slice *slice, const struct header_field *field, bool named,
                           struct slice needle)
{
    buffer_clear(&slice->text);
    if (named) {
        buffer_append(&slice->text, field->name);
        buffer_append(&slice->text, SLICE(": "));
    }
    text_decode_header(trim(field->value), &slice->text);
    return text_contains(buffer_slice(&slice->text), needle, &slice->scratch);
}

static bool header_contains(struct search_slice *slice, struct slice needle)
{
    struct slice rest = buffer_slice(&slice->header);
    struct header_field field;
    while (header_field_next(&rest, &field))
        if (field_contains(slice, &field, true, needle))
            return true;
    return false;
}

/* Decodes what was read last, and what the decoder held back if it is the end. */
static void decode(struct search_slice *slice, struct transfer_decoder *decoder, bool end)
{
    transfer_decode(decoder, buffer_slice(&slice->raw), &slice->decoded);
    if (end)
        transfer_decode_end(decoder, &slice->decoded);
}

/* How much of the decoded text can be converted on its own: whole lines, as no multi-byte charset
 * of mail has a character, or a shift state, that goes beyond a line's end. */
static size_t window_size(const struct search_slice *slice, bool end)
{
    struct slice text = buffer_slice(&slice->decoded);
    const char *last = text.data ? memrchr(text.data, '\n', text.size) : NULL;
    if (end || (!last && text.size >= SEARCH_WINDOW))
        return text.size;
    return last ? (size_t)(last - text.data) + 1 : 0;
}

/* Whether the next window has the text; the end of the one before counts as its beginning. */
static bool window_contains(struct search_slice *slice, struct slice charset, bool end,
                            struct slice needle)
{
    size_t size = window_size(slice, end);
    struct slice window = slice_sub(buffer_slice(&slice->decoded), 0, size);
    buffer_clear(&slice->text);
    if (text_to_utf8(charset, window, &slice->text) == ERROR_UNSUPPORTED)
        text_to_utf8(SLICE(""), window, &slice->text);
    text_search_key(buffer_slice(&slice->text), &slice->key);
    bool found = needle.size == 0 || (slice->key.size && memmem(slice->key.data, slice->key.size,
                                                                needle.data, needle.size));
    size_t kept = needle.size ? needle.size - 1 : 0;
    if (slice->key.size > kept)
        buffer_consume(&slice->key, slice->key.size - kept);
    buffer_consume(&slice->decoded, size);
    return found;
}

static bool part_contains(struct search_slice *slice, const struct summary_part *part,
                          struct slice needle)
{
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, part->encoding);
    buffer_clear(&slice->decoded);
    buffer_clear(&slice->key);
    for (uint64_t offset = 0; offset < part->body_size; offset += SESSION_PIECE) {
        uint64_t left = part->body_size - offset;
        size_t piece = left < SESSION_PIECE ? (size_t)left : SESSION_PIECE;
        buffer_clear(&slice->raw);
        if (!read_bytes(slice, part->body_offset + offset, piece, &slice->raw))
            return false;
        decode(slice, &decoder, piece == left);
        if (window_contains(slice, part->charset, piece == left, needle))
            return true;
    }
    return false;
}

/* Text parts, and the headers of messages within the message. */
static bool body_contains(struct search_slice *slice, struct slice needle)
{
    if (!search_load_summary(slice))
        return false;
    for (size_t i = 0; i < slice->summary.part_count; i++) {
        struct summary_part part, parent;
        if (summary_part_at(&slice->summary, i, &part))
            return false;
        if (part.kind <= SUMMARY_PART_TEXT_OTHER && part_contains(slice, &part, needle))
            return true;
        if (i > 0 && summary_part_at(&slice->summary, part.parent, &parent) == 0 &&
            parent.kind == SUMMARY_PART_MESSAGE &&
            read_header(slice, part.header_offset, part.header_size) &&
            header_contains(slice, needle))
            return true;
    }
    return false;
}

/* --- keys --- */

static bool matches(struct search_slice *slice, const struct search_node *node);

static bool match_all(struct search_slice *slice, const struct search_node *node)
{
    (void)slice, (void)node;
    return true;
}

static bool match_and(struct search_slice *slice, const struct search_node *node)
{
    for (size_t i = 0; i < node->child_count; i++)
        if (!matches(slice, &node->children[i]))
            return false;
    return true;
}

static bool match_or(struct search_slice *slice, const struct search_node *node)
{
    for (size_t i = 0; i < node->child_count; i++)
        if (matches(slice, &node->children[i]))
            return true;
    return false;
}

static bool match_not(struct search_slice *slice, const struct search_node *node)
{
    return !match_and(slice, node);
}

static bool match_uids(struct search_slice *slice, const struct search_node *node)
{
    return range_set_contains(&node->uids, slice->entry->uid);
}

static bool match_flag(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->flags & node->key->number;
}

static bool match_keyword(struct search_slice *slice, const struct search_node *node)
{
    return node->keyword >= 0 && keyword_set_has(&slice->entry->keywords, (unsigned)node->keyword);
}

static bool match_header(struct search_slice *slice, const struct search_node *node)
{
    if (node->header >= 0 && search_load_summary(slice) && !slice->summary.truncated) {
        struct slice value = slice->summary.headers[node->header];
        return value.data && text_contains(value, node->needle, &slice->scratch);
    }
    struct header_field field;
    if (!load_header(slice))
        return false;
    struct slice rest = buffer_slice(&slice->header);
    while (header_field_next(&rest, &field))
        if (slice_equal_nocase(field.name, node->key->field) &&
            field_contains(slice, &field, false, node->needle))
            return true;
    return false;
}

static bool match_body(struct search_slice *slice, const struct search_node *node)
{
    return body_contains(slice, node->needle);
}

static bool match_text(struct search_slice *slice, const struct search_node *node)
{
    return (load_header(slice) && header_contains(slice, node->needle)) ||
           body_contains(slice, node->needle);
}

static bool match_larger(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->size > node->key->number;
}

static bool match_smaller(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->size < node->key->number;
}

static bool match_before(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->internal_date < node->date;
}

static bool match_since(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->internal_date >= node->date;
}

static bool match_on(struct search_slice *slice, const struct search_node *node)
{
    return match_since(slice, node) && slice->entry->internal_date < node->date + DAY;
}

static bool match_saved_before(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->save_date < node->date;
}

static bool match_saved_since(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->save_date >= node->date;
}

static bool match_saved_on(struct search_slice *slice, const struct search_node *node)
{
    return match_saved_since(slice, node) && slice->entry->save_date < node->date + DAY;
}

/* Both match a message of exactly that time (RFC 5032 section 2). */
static bool match_older(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->internal_date <= node->date;
}

static bool match_modseq(struct search_slice *slice, const struct search_node *node)
{
    return slice->entry->modseq >= node->key->number;
}

static bool match_email_id(struct search_slice *slice, const struct search_node *node)
{
    char id[OBJECT_ID_MAXIMUM];
    entry_email_id(slice->entry, id);
    return slice_equal(node->key->text, slice_from_string(id));
}

static bool match_thread_id(struct search_slice *slice, const struct search_node *node)
{
    uint64_t thread;
    if (!node->thread)
        return false;
    bool read = entry_thread(slice->snapshot, slice->entry, &thread) == 0;
    slice->failed |= !read;
    return read && thread == node->thread;
}

static size_t list_annotations(struct search_slice *slice, struct annotation **list)
{
    size_t count = 0;
    arena_clear(&slice->annotations);
    int error = message_annotations_list(slice->snapshot, slice->entry->uid, &slice->annotations,
                                         list, &count);
    slice->failed |= error != 0;
    return error ? 0 : count;
}

/* RFC 5257 section 4.8. A value that is no text is compared byte for byte, but for ASCII's case. */
static bool match_annotation(struct search_slice *slice, const struct search_node *node)
{
    static const uint64_t attributes[] = {[ANNOTATION_PRIVATE] = IMAP_ANNOTATION_VALUE_PRIVATE,
                                          [ANNOTATION_SHARED] = IMAP_ANNOTATION_VALUE_SHARED};
    struct annotation *list;
    size_t count = list_annotations(slice, &list);
    for (size_t i = 0; i < count; i++)
        if (node->key->number & attributes[list[i].scope] &&
            annotate_matches(node->key->field, list[i].name) &&
            text_contains(list[i].value, node->needle, &slice->scratch))
            return true;
    return false;
}

struct slice search_annotation(struct search_slice *slice, struct slice entry, bool shared)
{
    struct annotation *list;
    size_t count = list_annotations(slice, &list);
    for (size_t i = 0; i < count; i++)
        if ((list[i].scope == ANNOTATION_SHARED) == shared && slice_equal(list[i].name, entry))
            return list[i].value;
    return (struct slice){NULL, 0};
}

/* The Date field's day as written there: its time zone does not count (RFC 9051 section 6.4.4).
 * Seconds since 1970 as if it were UTC. False: no valid Date field. */
static bool sent_date(struct search_slice *slice, int64_t *date)
{
    int64_t seconds;
    int zone;
    if (!search_load_summary(slice) ||
        date_parse_rfc5322(slice->summary.headers[SUMMARY_DATE], &seconds, &zone))
        return false;
    *date = seconds + (int64_t)zone * 60;
    return true;
}

static bool match_sent_before(struct search_slice *slice, const struct search_node *node)
{
    int64_t date;
    return sent_date(slice, &date) && date < node->date;
}

static bool match_sent_since(struct search_slice *slice, const struct search_node *node)
{
    int64_t date;
    return sent_date(slice, &date) && date >= node->date;
}

static bool match_sent_on(struct search_slice *slice, const struct search_node *node)
{
    int64_t date;
    return sent_date(slice, &date) && date >= node->date && date < node->date + DAY;
}

static bool (*const matchers[])(struct search_slice *, const struct search_node *) = {
    [IMAP_SEARCH_ALL] = match_all,
    [IMAP_SEARCH_AND] = match_and,
    [IMAP_SEARCH_OR] = match_or,
    [IMAP_SEARCH_NOT] = match_not,
    [IMAP_SEARCH_SEQUENCE] = match_uids,
    [IMAP_SEARCH_UID] = match_uids,
    [IMAP_SEARCH_FLAG] = match_flag,
    [IMAP_SEARCH_KEYWORD] = match_keyword,
    [IMAP_SEARCH_HEADER] = match_header,
    [IMAP_SEARCH_BODY] = match_body,
    [IMAP_SEARCH_TEXT] = match_text,
    [IMAP_SEARCH_LARGER] = match_larger,
    [IMAP_SEARCH_SMALLER] = match_smaller,
    [IMAP_SEARCH_BEFORE] = match_before,
    [IMAP_SEARCH_ON] = match_on,
    [IMAP_SEARCH_SINCE] = match_since,
    [IMAP_SEARCH_SENTBEFORE] = match_sent_before,
    [IMAP_SEARCH_SENTON] = match_sent_on,
    [IMAP_SEARCH_SENTSINCE] = match_sent_since,
    [IMAP_SEARCH_SAVEDBEFORE] = match_saved_before,
    [IMAP_SEARCH_SAVEDON] = match_saved_on,
    [IMAP_SEARCH_SAVEDSINCE] = match_saved_since,
    [IMAP_SEARCH_OLDER] = match_older,
    [IMAP_SEARCH_YOUNGER] = match_since,
    [IMAP_SEARCH_EMAILID] = match_email_id,
    [IMAP_SEARCH_THREADID] = match_thread_id,
    [IMAP_SEARCH_MODSEQ] = match_modseq,
    [IMAP_SEARCH_ANNOTATION] = match_annotation,
};

static bool matches(struct search_slice *slice, const struct search_node *node)
{
    return matchers[node->key->kind](slice, node);
}

bool search_matches(struct search_slice *slice, const struct search_node *node,
                    const struct entry *entry)
{
    slice->entry = entry;
    slice->has_summary = slice->has_header = false;
    return matches(slice, node);
}
