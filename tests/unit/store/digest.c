#include "digest.h"
#include "store/outgoing.h"
#include "store/site_script.h"
#include "store/snooze.h"

#include <stdlib.h>

enum { MODSEQS_MAXIMUM = 100000 };

/* Modseqs in the order in which they were met. */
static struct {
    uint64_t met[MODSEQS_MAXIMUM], sorted[MODSEQS_MAXIMUM];
    size_t count;
} modseqs;

static uint64_t mix(uint64_t digest, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (uint64_t eight; size >= sizeof(eight); size -= sizeof(eight), at += sizeof(eight)) {
        memcpy(&eight, at, sizeof(eight));
        digest = (digest ^ eight) * UINT64_C(0x9e3779b97f4a7c15);
        digest ^= digest >> 29;
    }
    for (; size > 0; size--)
        digest = (digest ^ *at++) * 0x100000001b3u;
    return digest;
}

static void note_modseq(uint64_t modseq)
{
    assert_true(modseqs.count < MODSEQS_MAXIMUM);
    modseqs.met[modseqs.count++] = modseq;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t digest_order(uint64_t digest)
{
    size_t unique = 0;
    memcpy(modseqs.sorted, modseqs.met, modseqs.count * sizeof(modseqs.met[0]));
    qsort(modseqs.sorted, modseqs.count, sizeof(modseqs.sorted[0]), compare);
    for (size_t i = 0; i < modseqs.count; i++)
        if (unique == 0 || modseqs.sorted[i] != modseqs.sorted[unique - 1])
            modseqs.sorted[unique++] = modseqs.sorted[i];
    for (size_t i = 0; i < modseqs.count; i++) {
        const uint64_t *place =
            bsearch(&modseqs.met[i], modseqs.sorted, unique, sizeof(modseqs.sorted[0]), compare);
        ptrdiff_t rank = place - modseqs.sorted;
        digest = mix(digest, &rank, sizeof(rank));
    }
    return digest;
}

static uint64_t digest_entry(uint64_t digest, struct mailbox_snapshot *snapshot,
                             const struct entry *entry)
{
    struct buffer bytes;
    buffer_init(&bytes, 16 * 1024 * 1024);
    assert_int_equal(mailbox_message(snapshot, entry, 0, SIZE_MAX, &bytes), 0);
    assert_int_equal(bytes.size, entry->size);
    uint64_t numbers[] = {entry->uid, entry->flags, entry->keywords.bits[0]};
    note_modseq(entry->modseq);
    digest = mix(digest, numbers, sizeof(numbers));
    digest = mix(digest, bytes.data, bytes.size);
    buffer_release(&bytes);
    return digest;
}

static uint64_t digest_mailbox(uint64_t digest, struct fixture *f,
                               const struct collection *collection)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry;
    uint64_t numbers[] = {collection->uid_next, collection->messages, collection->unseen,
                          collection->size, collection->subscribed};
    note_modseq(collection->highest_modseq);
    digest = mix(digest, collection->path.data, collection->path.size);
    digest = mix(digest, numbers, sizeof(numbers));
    assert_int_equal(mailbox_snapshot_open(f->view, collection->id, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry))
        digest = digest_entry(digest, snapshot, &entry);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return digest;
}

static uint64_t digest_scripts(uint64_t digest, struct fixture *f)
{
    struct script *list;
    struct buffer text;
    size_t count;
    buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
    assert_int_equal(script_list(f->view, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&text);
        assert_int_equal(script_read(f->view, &list[i], &text), 0);
        assert_int_equal(text.size, list[i].size);
        note_modseq(list[i].modseq);
        digest = mix(digest, list[i].name.data, list[i].name.size);
        digest = mix(digest, text.data, text.size);
        digest = mix(digest, &list[i].active, sizeof(list[i].active));
    }
    buffer_release(&text);
    return digest;
}

/* What waits, and for whom. */
static uint64_t digest_outgoing(uint64_t digest, struct fixture *f)
{
    struct store_view *system = NULL;
    struct outgoing_message *list;
    struct buffer bytes;
    size_t count;
    buffer_init(&bytes, SIZE_MAX - 1);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(outgoing_list(system, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&bytes);
        assert_int_equal(outgoing_read(system, list[i].number, &bytes), 0);
        assert_int_equal(bytes.size, list[i].size);
        digest = mix(digest, bytes.data, bytes.size);
        for (size_t j = 0; j < list[i].envelope.recipient_count; j++)
            digest = mix(digest, &list[i].envelope.recipients[j].state,
                         sizeof(list[i].envelope.recipients[j].state));
    }
    store_view_close(&system);
    buffer_release(&bytes);
    return digest;
}

/* What sleeps, where, and until when. */
static uint64_t digest_snoozed(uint64_t digest, struct fixture *f)
{
    struct store_view *system = NULL;
    struct snoozed *list;
    size_t count;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(snooze_list(system, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        digest = mix(digest, &list[i].mailbox, sizeof(list[i].mailbox));
        digest = mix(digest, &list[i].uid, sizeof(list[i].uid));
        digest = mix(digest, &list[i].snooze.until, sizeof(list[i].snooze.until));
    }
    store_view_close(&system);
    return digest;
}

uint64_t digest_account(struct fixture *f, enum digest_modseqs which)
{
    struct collection *list;
    size_t count;
    uint64_t digest = 0xcbf29ce484222325u;
    arena_clear(&f->arena);
    modseqs.count = 0;
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        digest = digest_mailbox(digest, f, &list[i]);
    digest = digest_scripts(digest, f);
    digest = digest_outgoing(digest, f);
    digest = digest_snoozed(digest, f);
    return which == DIGEST_ORDER ? digest_order(digest)
                                 : mix(digest, modseqs.met, modseqs.count * sizeof(modseqs.met[0]));
}

static uint64_t digest_entries(uint64_t digest, struct fixture *f, enum directory_kind kind)
{
    struct directory_entry *entries;
    size_t count;
    assert_int_equal(store_directory_list(f->store, WHO_SYSTEM, kind, &f->arena, &entries, &count),
                     0);
    for (size_t i = 0; i < count; i++) {
        digest = mix(digest, entries[i].address.data, entries[i].address.size);
        digest = mix(digest, &entries[i].members, sizeof(entries[i].members));
        digest = mix(digest, &entries[i].shared, sizeof(entries[i].shared));
    }
    return digest;
}

static uint64_t digest_site_scripts(uint64_t digest, struct fixture *f)
{
    struct site_script *list;
    size_t count;
    assert_int_equal(site_script_list(f->store, WHO_SYSTEM, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        digest = mix(digest, list[i].name.data, list[i].name.size);
        digest = mix(digest, &list[i].version, sizeof(list[i].version));
    }
    return digest;
}

uint64_t digest_directory(struct fixture *f)
{
    struct account_info *accounts;
    size_t count;
    uint64_t digest = 0xcbf29ce484222325u;
    arena_clear(&f->arena);
    assert_int_equal(store_account_list(f->store, WHO_SYSTEM, &f->arena, &accounts, &count), 0);
    for (size_t i = 0; i < count; i++)
        digest = mix(digest, accounts[i].address.data, accounts[i].address.size);
    digest = digest_entries(digest, f, DIRECTORY_GROUP);
    digest = digest_entries(digest, f, DIRECTORY_ALIAS);
    return digest_site_scripts(digest, f);
}
