/*
 * FILTER (RFC 5466): programs of searches that are stored as annotations of the server, a user's
 * own before those for all. They are put in the place of the key before the search begins.
 */
#include "base/error.h"
#include "session/imap/search_priv.h"
#include "store/annotation.h"

enum { FILTER_PASSES_MAXIMUM = 4 }; /* of filters in filters: section 3.1 wants 3 */

struct expansion {
    struct imap_session *session;
    struct arena arena; /* of the annotations */
    struct annotation *list;
    size_t count;
    size_t keys, texts; /* as the reader counts them for one program */
    struct search_filters *found;
};

#define VALUES "/filters/values/"

bool filter_is_value(struct slice name)
{
    return slice_equal_nocase(slice_sub(name, 0, sizeof(VALUES) - 1), SLICE(VALUES));
}

/* Private ones come first in the list. */
static const struct annotation *find(const struct expansion *expansion, struct slice name)
{
    for (size_t i = 0; i < expansion->count; i++) {
        const struct annotation *annotation = &expansion->list[i];
        if (filter_is_value(annotation->name) &&
            slice_equal_nocase(slice_sub(annotation->name, sizeof(VALUES) - 1, SIZE_MAX), name))
            return annotation;
    }
    return NULL;
}

static int expand(struct expansion *expansion, const struct imap_search_key *from,
                  struct imap_search_key *to, int passes);

/* One that is not there, is no program, or is in a loop is the same (section 3.1). */
static int expand_filter(struct expansion *expansion, const struct imap_search_key *from,
                         struct imap_search_key *to, int passes)
{
    const struct annotation *annotation = find(expansion, from->text);
    struct imap_search search;
    int error = ERROR_NOT_FOUND;
    if (annotation && passes < FILTER_PASSES_MAXIMUM)
        error = imap_search_program(annotation->value, &expansion->session->arena, &search);
    if (!error && search.numbers && expansion->session->enabled & ENABLED_UIDONLY)
        error = ERROR_NOT_FOUND; /* message numbers are not allowed (RFC 9586) */
    if (error == ERROR_SYNTAX || error == ERROR_NOT_FOUND) {
        expansion->found->undefined = from->text;
        return ERROR_NOT_FOUND;
    }
    if (error)
        return error;
    expansion->found->modseq |= search.modseq;
    return expand(expansion, &search.key, to, passes + 1);
}

/* However filters use each other, all of them together are one program. */
static int count_key(struct expansion *expansion, const struct imap_search_key *key)
{
    expansion->keys++;
    expansion->texts += key->kind == IMAP_SEARCH_BODY || key->kind == IMAP_SEARCH_TEXT ||
                        key->kind == IMAP_SEARCH_ANNOTATION;
    return expansion->keys > IMAP_SEARCH_KEYS_MAXIMUM ||
                   expansion->texts > IMAP_SEARCH_TEXTS_MAXIMUM
               ? ERROR_LIMIT
               : 0;
}

static int expand(struct expansion *expansion, const struct imap_search_key *from,
                  struct imap_search_key *to, int passes)
{
    int error = count_key(expansion, from);
    if (error)
        return error;
    if (from->kind == IMAP_SEARCH_FILTER)
        return expand_filter(expansion, from, to, passes);
    *to = *from;
    to->children =
        arena_alloc_array(&expansion->session->arena, from->child_count, sizeof(*to->children));
    if (!to->children)
        return ERROR_LIMIT;
    for (size_t i = 0; i < from->child_count && !error; i++)
        error = expand(expansion, &from->children[i], &to->children[i], passes);
    return error;
}

int filters_expand(struct imap_session *session, const struct imap_search *search,
                   struct search_filters *filters)
{
    struct expansion expansion = {.session = session, .found = filters};
    struct store_view *view;
    *filters = (struct search_filters){.key = search->key, .modseq = search->modseq};
    if (!search->filters)
        return 0;
    arena_init(&expansion.arena, (size_t)session->stream->config->command_memory);
    int error = session_view(session, &view);
    if (!error)
        error = annotations_list(view, 0, &expansion.arena, &expansion.list, &expansion.count);
    if (!error)
        error = expand(&expansion, &search->key, &filters->key, 0);
    arena_release(&expansion.arena);
    return error;
}
