/*
 * ANNOTATION of FETCH (RFC 5257 sections 4.3 and 4.4): entry by entry, as all of a message may be
 * long.
 */
#include "base/error.h"
#include "session/imap/fetch_priv.h"
#include "store/annotation.h"

enum {
    PRIVATE = IMAP_ANNOTATION_VALUE_PRIVATE | IMAP_ANNOTATION_SIZE_PRIVATE,
    SHARED = IMAP_ANNOTATION_VALUE_SHARED | IMAP_ANNOTATION_SIZE_SHARED,
};

static bool has_wildcard(struct slice match)
{
    return slice_find(match, '*') < match.size || slice_find(match, '%') < match.size;
}

/* --- which entries --- */

static void add_name(struct fetch_annotation *annotation, struct slice name)
{
    for (size_t i = 0; i < annotation->name_count; i++)
        if (slice_equal(annotation->names[i], name))
            return;
    annotation->names[annotation->name_count++] = name;
}

/* A wildcard means the entries that have a value of those asked for. */
static void add_matching(struct fetch_annotation *annotation, struct slice match)
{
    uint32_t attributes = annotation->item->attributes;
    for (size_t i = 0; i < annotation->count; i++)
        if (attributes & (annotation->list[i].scope == ANNOTATION_SHARED ? SHARED : PRIVATE) &&
            annotate_matches(match, annotation->list[i].name))
            add_name(annotation, annotation->list[i].name);
}

/* An entry that is named is told whether it has a value or not (section 3.2.2), unless it is of a
 * body part that there is not: that is BAD, behind what there is (section 3.2.1). */
static int find_names(struct fetch_slice *slice, struct fetch_annotation *annotation)
{
    const struct imap_fetch_item *item = annotation->item;
    annotation->names = arena_alloc_array(&annotation->arena, item->field_count + annotation->count,
                                          sizeof(struct slice));
    if (!annotation->names)
        return ERROR_LIMIT;
    for (size_t i = 0; i < item->field_count; i++) {
        struct slice match = item->fields[i];
        int error =
            annotate_is_of_part(match) && !has_wildcard(match) ? fetch_load_summary(slice) : 0;
        if (error)
            return error;
        if (has_wildcard(match))
            add_matching(annotation, match);
        else if (annotate_has_part(&slice->summary, match))
            add_name(annotation, match);
        else
            slice->work->no_part = true;
    }
    return 0;
}

/* --- writing --- */

static struct slice find_value(const struct fetch_annotation *annotation, struct slice name,
                               enum annotation_scope scope)
{
    for (size_t i = 0; i < annotation->count; i++)
        if (annotation->list[i].scope == scope && slice_equal(annotation->list[i].name, name))
            return annotation->list[i].value;
    return (struct slice){NULL, 0};
}

static void write_entry(struct buffer *out, const struct fetch_annotation *annotation,
                        struct slice name)
{
    static const struct {
        uint32_t attribute;
        enum annotation_scope scope;
        bool size;
        const char *name;
    } attributes[] = {
        {IMAP_ANNOTATION_VALUE_PRIVATE, ANNOTATION_PRIVATE, false, "value.priv "},
        {IMAP_ANNOTATION_VALUE_SHARED, ANNOTATION_SHARED, false, "value.shared "},
        {IMAP_ANNOTATION_SIZE_PRIVATE, ANNOTATION_PRIVATE, true, "size.priv "},
        {IMAP_ANNOTATION_SIZE_SHARED, ANNOTATION_SHARED, true, "size.shared "},
    };
    const char *separator = " (";
    imap_write_astring(out, name);
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (!(annotation->item->attributes & attributes[i].attribute))
            continue;
        struct slice value = find_value(annotation, name, attributes[i].scope);
        buffer_append_string(out, separator);
        buffer_append_string(out, attributes[i].name);
        if (attributes[i].size)
            buffer_append_format(out, "\"%zu\"", value.size);
        else
            imap_write_value(out, value);
        separator = " ";
    }
    buffer_append_byte(out, ')');
}

void annotation_begin(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    struct fetch_work *work = slice->work;
    struct fetch_annotation *annotation = &work->annotation;
    *annotation = (struct fetch_annotation){.item = item};
    arena_init(&annotation->arena, ANNOTATIONS_MEMORY_MAXIMUM);
    int error = message_annotations_list(slice->snapshot, work->entry.uid, &annotation->arena,
                                         &annotation->list, &annotation->count);
    if (!error)
        error = find_names(slice, annotation);
    if (error)
        work->failed = error;
    if (error || !annotation->name_count)
        annotation_release(work);
    else
        buffer_append(slice->session->out, SLICE("ANNOTATION ("));
}

void annotation_continue(struct fetch_slice *slice)
{
    struct fetch_annotation *annotation = &slice->work->annotation;
    struct buffer *out = slice->session->out;
    buffer_append_string(out, annotation->next ? " " : "");
    write_entry(out, annotation, annotation->names[annotation->next++]);
    if (annotation->next < annotation->name_count)
        return;
    buffer_append_byte(out, ')');
    annotation_release(slice->work);
}

void annotation_release(struct fetch_work *work)
{
    if (work->annotation.item)
        arena_release(&work->annotation.arena);
    work->annotation.item = NULL;
}
