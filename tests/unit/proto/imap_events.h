/*
 * A reader's events as text, so that a test reads like the protocol and any division of the
 * stream can be compared with any other. Shared by unit tests and fuzzers.
 */
#ifndef TESTS_UNIT_PROTO_IMAP_EVENTS_H
#define TESTS_UNIT_PROTO_IMAP_EVENTS_H

#include "proto/imap/reader.h"

static inline void imap_events_slice(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '\'');
    buffer_append(out, text);
    buffer_append_byte(out, '\'');
}

static inline void imap_events_set(struct buffer *out, const struct imap_sequence_set *set)
{
    if (set->saved_result)
        buffer_append_string(out, "$");
    for (size_t i = 0; i < set->count; i++)
        buffer_append_format(out, "%s%u:%u", i ? "," : "", set->ranges[i].first,
                             set->ranges[i].last);
}

static inline void imap_events_flags(struct buffer *out, const struct imap_flags *flags)
{
    buffer_append_format(out, " flags %u", flags->system);
    for (size_t i = 0; i < flags->keyword_count; i++) {
        buffer_append_byte(out, ' ');
        buffer_append(out, flags->keywords[i]);
    }
}

static inline void imap_events_key(struct buffer *out, const struct imap_search_key *key)
{
    static const char *const names[] = {
        "all",       "and",         "or",      "not",        "sequence",   "uid",
        "flag",      "keyword",     "header",  "body",       "text",       "larger",
        "smaller",   "before",      "on",      "since",      "sentbefore", "senton",
        "sentsince", "savedbefore", "savedon", "savedsince", "older",      "younger",
        "emailid",   "threadid",    "modseq",  "filter",     "annotation",
    };
    buffer_append_string(out, names[key->kind]);
    if (key->field.size || key->text.size) {
        buffer_append_byte(out, ' ');
        buffer_append(out, key->field);
        imap_events_slice(out, key->text);
    }
    if (key->number || key->kind == IMAP_SEARCH_LARGER || key->kind == IMAP_SEARCH_SMALLER)
        buffer_append_format(out, " %llu", (unsigned long long)key->number);
    if (key->kind >= IMAP_SEARCH_BEFORE && key->kind <= IMAP_SEARCH_SAVEDSINCE)
        buffer_append_format(out, " %lld", (long long)key->date);
    if (key->kind == IMAP_SEARCH_SEQUENCE || key->kind == IMAP_SEARCH_UID) {
        buffer_append_byte(out, ' ');
        imap_events_set(out, &key->set);
    }
    for (size_t i = 0; i < key->child_count; i++) {
        buffer_append_string(out, i ? " " : "(");
        imap_events_key(out, &key->children[i]);
    }
    if (key->child_count)
        buffer_append_byte(out, ')');
}

static inline void imap_events_item(struct buffer *out, const struct imap_fetch_item *item)
{
    static const char *const names[] = {"uid",      "flags",      "internaldate", "size",
                                        "envelope", "body",       "structure",    "emailid",
                                        "threadid", "savedate",   "modseq",       "preview",
                                        "binary",   "binarysize", "section",      "annotation"};
    buffer_append_format(out, " %s", names[item->kind]);
    if (item->kind < IMAP_FETCH_BINARY)
        return;
    buffer_append_byte(out, '=');
    buffer_append(out, item->label);
    buffer_append_format(out, "/%d", item->text);
    for (size_t i = 0; i < item->number_count; i++)
        buffer_append_format(out, ".%u", item->numbers[i]);
    for (size_t i = 0; i < item->field_count; i++)
        imap_events_slice(out, item->fields[i]);
    if (item->attributes)
        buffer_append_format(out, " %u", item->attributes);
    if (item->peek)
        buffer_append_string(out, "/peek");
    if (item->partial)
        buffer_append_format(out, "<%u.%u>", item->partial_offset, item->partial_size);
}

static inline void imap_events_slices(struct buffer *out, const struct slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slices[i].data)
            imap_events_slice(out, slices[i]);
        else
            buffer_append_string(out, " NIL");
    }
}

static inline void imap_events_list(struct buffer *out, const struct imap_list *list)
{
    const struct {
        const char *name;
        bool set;
    } options[] = {
        {"subscribed", list->select_subscribed},   {"recursive", list->select_recursive_match},
        {"special", list->select_special_use},     {"remote", list->select_remote},
        {"r:subscribed", list->return_subscribed}, {"r:children", list->return_children},
        {"r:special", list->return_special_use},   {"extended", list->extended},
    };
    imap_events_slice(out, list->reference);
    for (size_t i = 0; i < list->pattern_count; i++)
        imap_events_slice(out, list->patterns[i]);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].set)
            buffer_append_format(out, " %s", options[i].name);
    if (list->return_status)
        buffer_append_format(out, " status %u", list->return_status);
    if (list->metadata_count)
        buffer_append_string(out, " metadata");
    imap_events_slices(out, list->metadata, list->metadata_count);
}

static inline void imap_events_partial(struct buffer *out, const struct imap_partial *partial)
{
    if (partial->given)
        buffer_append_format(out, " partial %s%u:%u", partial->from_back ? "-" : "", partial->first,
                             partial->last);
}

static inline void imap_events_search(struct buffer *out, const struct imap_search *search)
{
    if (search->extended)
        buffer_append_format(out, "return%s%s%s%s%s ", search->return_min ? " min" : "",
                             search->return_max ? " max" : "", search->return_all ? " all" : "",
                             search->return_count ? " count" : "",
                             search->return_save ? " save" : "");
    for (size_t i = 0; i < search->sort_count; i++)
        buffer_append_format(out, "%s%d%s%.*s ", search->sort[i].reverse ? "-" : "+",
                             search->sort[i].kind, search->sort[i].shared ? " shared" : "",
                             SLICE_FORMAT(search->sort[i].entry));
    if (search->update)
        buffer_append_string(out, "update");
    for (size_t i = 0; i < search->item_count; i++)
        imap_events_item(out, &search->items[i]);
    buffer_append_string(out, search->update ? " " : "");
    imap_events_key(out, &search->key);
    imap_events_partial(out, &search->partial);
}

static inline void imap_events_select(struct buffer *out, const struct imap_select *select)
{
    imap_events_slice(out, select->mailbox);
    if (select->condstore)
        buffer_append_string(out, " condstore");
    if (select->annotate)
        buffer_append_string(out, " annotate");
    if (!select->qresync)
        return;
    buffer_append_format(out, " qresync %u %llu", select->uid_validity,
                         (unsigned long long)select->modseq);
    if (select->has_known_uids) {
        buffer_append_string(out, " known ");
        imap_events_set(out, &select->known_uids);
    }
    if (select->match_numbers.count) {
        buffer_append_string(out, " match ");
        imap_events_set(out, &select->match_numbers);
        buffer_append_byte(out, ' ');
        imap_events_set(out, &select->match_uids);
    }
}

static inline void imap_events_annotations(struct buffer *out,
                                           const struct imap_annotations *annotations)
{
    for (size_t i = 0; i < annotations->count; i++) {
        const struct imap_annotation *annotation = &annotations->list[i];
        buffer_append_format(out, " %s ", annotation->shared ? "shared" : "priv");
        buffer_append(out, annotation->entry);
        if (annotation->value.data)
            imap_events_slice(out, annotation->value);
    }
}

static inline void imap_events_append(struct buffer *out, const struct imap_command *command)
{
    imap_events_slice(out, command->append.mailbox);
    imap_events_flags(out, &command->append.flags);
    if (command->append.has_date)
        buffer_append_format(out, " date %lld", (long long)command->append.date);
    imap_events_annotations(out, &command->append.annotations);
    if (command->append.binary)
        buffer_append_string(out, " binary");
    if (command->append.catenates)
        buffer_append_format(out, " parts %zu", command->append.parts);
    else
        buffer_append_format(out, " size %llu", (unsigned long long)command->append.size);
}

static inline void imap_events_metadata(struct buffer *out, const struct imap_metadata *metadata)
{
    imap_events_slice(out, metadata->mailbox);
    buffer_append_format(out, " depth %d", metadata->depth);
    if (metadata->has_maximum)
        buffer_append_format(out, " maximum %llu", (unsigned long long)metadata->maximum);
    for (size_t i = 0; i < metadata->count; i++) {
        buffer_append_byte(out, ' ');
        buffer_append(out, metadata->entries[i]);
        imap_events_slices(out, &metadata->values[i], 1);
    }
}

static inline void imap_events_notify(struct buffer *out, const struct imap_notify *notify)
{
    buffer_append_format(out, "%s%s%s", notify->set ? "set" : "none",
                         notify->status ? " status" : "", notify->unknown_event ? " unknown" : "");
    for (size_t i = 0; i < notify->group_count; i++) {
        const struct imap_notify_group *group = &notify->groups[i];
        buffer_append_format(out, " %d/%u", group->filter, group->events);
        imap_events_slices(out, group->names, group->name_count);
    }
    for (size_t i = 0; i < notify->item_count; i++)
        imap_events_item(out, &notify->items[i]);
}

static inline void imap_events_arguments(struct buffer *out, const struct imap_command *command)
{
    static const char operations[] = "=+-";
    switch (command->id) {
    case IMAP_AUTHENTICATE:
        imap_events_slice(out, command->authenticate.mechanism);
        if (command->authenticate.has_initial)
            imap_events_slice(out, command->authenticate.initial);
        break;
    case IMAP_LOGIN:
        imap_events_slice(out, command->login.user);
        imap_events_slice(out, command->login.password);
        break;
    case IMAP_ENABLE:
        imap_events_slices(out, command->enable.capabilities, command->enable.count);
        break;
    case IMAP_ID:
        imap_events_slices(out, command->identification.pairs, command->identification.count);
        break;
    case IMAP_SELECT:
    case IMAP_EXAMINE:
        imap_events_select(out, &command->select);
        break;
    case IMAP_DELETE:
    case IMAP_SUBSCRIBE:
    case IMAP_UNSUBSCRIBE:
        imap_events_slice(out, command->mailbox);
        break;
    case IMAP_CREATE:
        imap_events_slice(out, command->create.mailbox);
        buffer_append(out, command->create.use);
        break;
    case IMAP_RENAME:
        imap_events_slice(out, command->rename.from);
        imap_events_slice(out, command->rename.to);
        break;
    case IMAP_LIST:
    case IMAP_LSUB:
        imap_events_list(out, &command->list);
        break;
    case IMAP_STATUS:
        imap_events_slice(out, command->status.mailbox);
        buffer_append_format(out, " %u", command->status.items);
        break;
    case IMAP_RESETKEY:
        imap_events_slice(out, command->resetkey.mailbox);
        imap_events_slices(out, command->resetkey.mechanisms, command->resetkey.count);
        break;
    case IMAP_GENURLAUTH:
    case IMAP_URLFETCH:
        for (size_t i = 0; i < command->urls.count; i++) {
            const struct imap_url_request *request = &command->urls.list[i];
            imap_events_slice(out, request->url);
            buffer_append(out, request->mechanism);
            buffer_append_format(out, "%s%s%s", request->body ? " body" : "",
                                 request->binary ? " binary" : "",
                                 request->structure ? " structure" : "");
        }
        break;
    case IMAP_REPLACE:
        imap_events_set(out, &command->append.set);
        imap_events_append(out, command);
        break;
    case IMAP_APPEND:
        imap_events_append(out, command);
        break;
    case IMAP_GETQUOTAROOT:
        imap_events_slice(out, command->mailbox);
        break;
    case IMAP_COMPRESS:
        imap_events_slice(out, command->algorithm);
        break;
    case IMAP_GETQUOTA:
        imap_events_slice(out, command->quota_root);
        break;
    case IMAP_SETQUOTA:
        imap_events_slice(out, command->quota.root);
        for (size_t i = 0; i < command->quota.count; i++)
            buffer_append_format(out, " %.*s %llu", SLICE_FORMAT(command->quota.limits[i].resource),
                                 (unsigned long long)command->quota.limits[i].limit);
        break;
    case IMAP_GETMETADATA:
    case IMAP_SETMETADATA:
        imap_events_metadata(out, &command->metadata);
        break;
    case IMAP_NOTIFY:
        imap_events_notify(out, &command->notify);
        break;
    case IMAP_EXPUNGE:
        buffer_append_string(out, command->expunge.all ? "all" : "");
        imap_events_set(out, &command->expunge.set);
        break;
    case IMAP_CANCELUPDATE:
        imap_events_slices(out, command->cancel_update.tags, command->cancel_update.count);
        break;
    case IMAP_UIDBATCHES:
        buffer_append_format(out, "%u %u:%u", command->batches.size, command->batches.first,
                             command->batches.last);
        break;
    case IMAP_THREAD:
        buffer_append_format(out, "%d ", command->search.algorithm);
        imap_events_search(out, &command->search);
        break;
    case IMAP_ESEARCH:
        if (command->search.sources)
            imap_events_notify(out, command->search.sources);
        buffer_append_byte(out, ' ');
        imap_events_search(out, &command->search);
        break;
    case IMAP_SEARCH:
    case IMAP_SORT:
        imap_events_search(out, &command->search);
        break;
    case IMAP_FETCH:
        imap_events_set(out, &command->fetch.set);
        for (size_t i = 0; i < command->fetch.item_count; i++)
            imap_events_item(out, &command->fetch.items[i]);
        if (command->fetch.changed)
            buffer_append_format(out, " changed %llu%s",
                                 (unsigned long long)command->fetch.changed_since,
                                 command->fetch.vanished ? " vanished" : "");
        imap_events_partial(out, &command->fetch.partial);
        break;
    case IMAP_STORE:
        imap_events_set(out, &command->store.set);
        if (command->store.conditional)
            buffer_append_format(out, " unchanged %llu",
                                 (unsigned long long)command->store.unchanged_since);
        imap_events_annotations(out, &command->store.annotations);
        if (command->store.annotates)
            break;
        buffer_append_format(out, " %c%s", operations[command->store.operation],
                             command->store.silent ? "silent" : "");
        imap_events_flags(out, &command->store.flags);
        break;
    case IMAP_COPY:
    case IMAP_MOVE:
        imap_events_set(out, &command->copy.set);
        imap_events_slice(out, command->copy.mailbox);
        break;
    default:
        break;
    }
}

static inline void imap_events_command(struct buffer *out, const struct imap_command *command)
{
    buffer_append(out, command->tag);
    buffer_append_format(out, " %s%s ", command->uid ? "UID " : "",
                         imap_commands[command->id].name);
    imap_events_arguments(out, command);
}

/* One event on one line; a message's pieces are joined. */
static inline void imap_events_write(struct buffer *out, const struct imap_event *event,
                                     bool *in_message)
{
    static const char *const names[] = {"more",    "continue", "command", "append",
                                        "message", "text",     "url",     "line",
                                        "BAD",     "TOO_BIG",  "CLOSE",   "BAD_CHARSET"};
    if (event->kind == IMAP_EVENT_MORE)
        return;
    if (*in_message && event->kind == IMAP_EVENT_MESSAGE) {
        buffer_append(out, event->text);
        return;
    }
    if (*in_message)
        buffer_append_byte(out, '\n');
    *in_message = event->kind == IMAP_EVENT_MESSAGE;
    buffer_append_format(out, "%s ", names[event->kind]);
    if (event->kind == IMAP_EVENT_TEXT)
        buffer_append_format(out, "size %llu", (unsigned long long)event->command->append.size);
    else if (event->command && event->kind != IMAP_EVENT_BAD_CHARSET &&
             event->kind != IMAP_EVENT_URL)
        imap_events_command(out, event->command);
    if (event->tag.size) {
        buffer_append(out, event->tag);
        buffer_append_byte(out, ' ');
    }
    buffer_append(out, event->text);
    if (!*in_message)
        buffer_append_byte(out, '\n');
}

/* All events of the input, given in pieces of `piece` bytes. A command IDLE or AUTHENTICATE asks
 * for a line; refuse: every APPEND is refused. False when the stream was closed. */
static inline bool imap_events_run(struct imap_reader *reader, struct slice input, size_t piece,
                                   bool refuse, struct buffer *out)
{
    bool in_message = false;
    while (input.size) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        struct imap_event event;
        do {
            event = imap_reader_next(reader, &part);
            imap_events_write(out, &event, &in_message);
            if (event.kind == IMAP_EVENT_CLOSE)
                return false;
            bool offered = event.kind == IMAP_EVENT_APPEND || event.kind == IMAP_EVENT_TEXT ||
                           event.kind == IMAP_EVENT_URL;
            if (offered && refuse)
                imap_reader_refuse_message(reader);
            if (event.kind == IMAP_EVENT_COMMAND &&
                (event.command->id == IMAP_IDLE || event.command->id == IMAP_AUTHENTICATE))
                imap_reader_expect_line(reader);
        } while (event.kind != IMAP_EVENT_MORE);
    }
    if (in_message)
        buffer_append_byte(out, '\n');
    return true;
}

#endif
