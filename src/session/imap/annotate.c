/*
 * Annotations of messages (RFC 5257): what SELECT says of them, the names of those that others have
 * changed, and what STORE, APPEND and FETCH share.
 *
 * Every session is an account's, and every account has private annotations where it may read: so
 * there is no NOPRIVATE, and no mailbox without annotations.
 */
#include "base/error.h"
#include "proto/imap/list_match.h"
#include "session/imap/session_priv.h"
#include "store/annotation.h"

#include <ctype.h>

/* Section 4.1. Private ones may be set by who may read (section 3.4), but not after EXAMINE. */
void annotate_write_support(struct imap_session *session)
{
    if (session->mailbox.examined) {
        imap_write_status(session->out, session->language, SLICE("*"), "OK",
                          "ANNOTATIONS READ-ONLY", "No changes");
        return;
    }
    buffer_append_format(session->out, "* OK [ANNOTATIONS %d] ", ANNOTATION_VALUE_MAXIMUM);
    imap_write_text(session->out, session->language, "Bytes of a value");
}

/* NOTIFY says instead of SELECT what is told, once it is used (RFC 5465 section 3.1). */
static bool tells_names(const struct imap_session *session)
{
    return session->tells & TELLS_ANNOTATIONS || (session->mailbox.annotate && !session->notify);
}

/* Section 4.4: no values. What cannot be read is not told: the flags and MODSEQ are. */
void annotate_write_changed(struct imap_session *session, struct mailbox_snapshot *snapshot,
                            const struct entry *entry)
{
    struct arena arena;
    struct slice *names;
    size_t count = 0;
    if (!tells_names(session))
        return;
    arena_init(&arena, SESSION_COMMAND_MAXIMUM);
    int error = message_annotations_changed(snapshot, entry->uid, session->mailbox.modseq, &arena,
                                            &names, &count);
    for (size_t i = 0; i < count && !error; i++) {
        buffer_append_string(session->out, i ? " " : " ANNOTATION (");
        imap_write_astring(session->out, names[i]);
    }
    if (count && !error)
        buffer_append_byte(session->out, ')');
    arena_release(&arena);
}

/* --- names --- */

bool annotate_is_of_part(struct slice entry)
{
    return entry.size > 1 && isdigit((unsigned char)entry.data[1]);
}

bool annotate_has_part(const struct summary *summary, struct slice entry)
{
    uint32_t numbers[IMAP_SECTION_DEPTH_MAXIMUM];
    size_t count = 0, index;
    if (!annotate_is_of_part(entry))
        return true;
    for (size_t i = 1; i < entry.size && entry.data[i] != '/'; i++) {
        if (i == 1 || entry.data[i] == '.') {
            if (count == IMAP_SECTION_DEPTH_MAXIMUM)
                return false;
            numbers[count++] = 0;
        }
        if (entry.data[i] != '.')
            numbers[count - 1] = numbers[count - 1] * 10 + (uint32_t)(entry.data[i] - '0');
    }
    return summary_part_find(summary, numbers, count, &index) == 0;
}

bool annotate_has_parts(const struct summary *summary, const struct annotation *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!annotate_has_part(summary, list[i].name))
            return false;
    return true;
}

/* Section 4.3 says that a wildcard matches one byte or more, its grammar that it is LIST's, which
 * match none, too: "/vendor/x*" means "/vendor/x" as well, as clients know it from LIST. What LIST
 * has for INBOX cannot match: names begin with a slash. */
bool annotate_matches(struct slice match, struct slice entry)
{
    return imap_list_match(match, entry, '/');
}

/* --- setting --- */

enum progress annotate_no_part(struct imap_session *session)
{
    return session_reply(session, "BAD", NULL, "A message does not have this body part");
}

static bool too_many(struct imap_session *session)
{
    session_reply(session, "NO", "ANNOTATE TOOMANY", "A message has too many annotations");
    return false;
}

enum progress annotate_fail(struct imap_session *session, int error)
{
    if (error != ERROR_LIMIT)
        return session_fail(session, error);
    too_many(session);
    return PROGRESS_DONE;
}

bool annotate_make_list(struct imap_session *session, const struct imap_annotations *annotations,
                        struct annotation **list, size_t *count)
{
    size_t values[] = {[ANNOTATION_PRIVATE] = 0, [ANNOTATION_SHARED] = 0};
    struct annotation *made = arena_alloc_array(&session->arena, annotations->count, sizeof(*made));
    if (!made) {
        session_fail(session, ERROR_LIMIT);
        return false;
    }
    for (size_t i = 0; i < annotations->count; i++) {
        const struct imap_annotation *from = &annotations->list[i];
        made[i] = (struct annotation){from->shared ? ANNOTATION_SHARED : ANNOTATION_PRIVATE,
                                      from->entry, from->value};
        if (from->value.size > ANNOTATION_VALUE_MAXIMUM) {
            session_reply(session, "NO", "ANNOTATE TOOBIG", "The value is too large");
            return false;
        }
        values[made[i].scope] += from->value.data != NULL;
    }
    if (values[ANNOTATION_PRIVATE] > MESSAGE_ANNOTATIONS_MAXIMUM ||
        values[ANNOTATION_SHARED] > MESSAGE_ANNOTATIONS_MAXIMUM)
        return too_many(session);
    *list = made;
    *count = annotations->count;
    return true;
}
