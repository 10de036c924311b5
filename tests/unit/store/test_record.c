#include "store/directory_priv.h"
#include "store/hash_priv.h"
#include "store/key_priv.h"
#include "store/record_priv.h"
#include "store_test.h"

static void test_numbers_in_keys(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0, 1, 127, 128, 16383, 16384, UINT32_MAX, 1ULL << 48, UINT64_MAX - 1, UINT64_MAX};
    struct key keys[sizeof(numbers) / sizeof(numbers[0])];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct slice key = key_of_message(&keys[i], KEY_BODY, numbers[i]);
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        uint64_t read = 5;
        assert_null(memchr(key.data, '\0', key.size));
        assert_int_equal(key_read_number(&rest, &read), 0);
        assert_true(read == numbers[i]);
        assert_int_equal(rest.size, 0);
        rest = slice_make(key.data + 1, key.size - 2);
        assert_int_equal(key_read_number(&rest, &read), ERROR_CORRUPT);
        if (i)
            assert_true(slice_compare(slice_make(keys[i - 1].bytes, keys[i - 1].size), key) < 0);
    }
    uint8_t sha256[32] = {0};
    struct slice hash = key_hash(&keys[0], sha256);
    assert_int_equal(hash.size, 11);
    assert_null(memchr(hash.data, '\0', hash.size));
}

static void test_entry(void **state)
{
    (void)state;
    struct entry entry = {.uid = 0xfffffffd,
                          .flags = ENTRY_FLAGS,
                          .keywords = {{1, UINT64_C(1) << 63}},
                          .message = UINT64_C(0xffffffffffff),
                          .modseq = UINT64_C(0xfffffffffffe),
                          .created_modseq = 3,
                          .internal_date = -1,
                          .save_date = INT64_MAX,
                          .size = UINT64_C(0xfffffffffffd),
                          .internationalized = true};
    struct entry read;
    char bytes[ENTRY_SIZE];
    entry_write(&entry, bytes);
    entry_read(bytes, &read);
    entry.save_date = (INT64_C(1) << 39) - 1; /* the nearest there is */
    assert_memory_equal(&read, &entry, offsetof(struct entry, internationalized));
    assert_true(read.internationalized);
    assert_int_equal(entry_read_flags(bytes), ENTRY_FLAGS);
    entry.internationalized = false;
    entry.flags = 0x7fff;
    entry_write(&entry, bytes);
    entry_read(bytes, &read);
    assert_false(read.internationalized);
    assert_int_equal(read.flags, 0x7fff);
    assert_int_equal(entry_read_flags(bytes), 0x7fff);
    assert_true(entry_read_modseq(bytes) == entry.modseq);
}

/* An account that has not been changed since version 1 has no flags. */
static void test_first_account_version(void **state)
{
    (void)state;
    struct buffer value;
    struct account_record record;
    buffer_init(&value, 1000);
    account_record_write(&(struct account_record){.modseq = 7, .flags = ACCOUNT_HAS_EVENTS},
                         &value);
    assert_int_equal(account_record_read(buffer_slice(&value), &record), 0);
    assert_int_equal(record.flags, ACCOUNT_HAS_EVENTS);
    value.data[0] = 1;
    assert_int_equal(account_record_read(buffer_slice(&value), &record), ERROR_CORRUPT);
    buffer_truncate(&value, value.size - 1);
    assert_int_equal(account_record_read(buffer_slice(&value), &record), 0);
    assert_int_equal(record.modseq, 7);
    assert_int_equal(record.flags, 0);
    value.data[0] = 2;
    assert_int_equal(account_record_read(buffer_slice(&value), &record), ERROR_CORRUPT);
    buffer_release(&value);
}

#define ID "000102030405060708090a0b0c0d0e0f"

/* Every record, cut short at each byte and with a byte too many, is corrupt, never read. */
static int read_any(int kind, struct slice value)
{
    struct account_record account;
    struct collection_record collection;
    struct message_record message;
    struct keyword_names names;
    struct thread_member member;
    struct expunged_record expunged;
    struct deleted_record deleted;
    struct directory_name name;
    struct directory_entry entry;
    struct scripts_record scripts;
    struct site_script site_script = {0};
    struct slice changes;
    int64_t created;
    uint64_t number;
    switch (kind) {
    case 0:
        return account_record_read(value, &account);
    case 1:
        return collection_record_read(value, &collection);
    case 2:
        return message_record_read(value, &message);
    case 3:
        return keyword_names_read(value, &names);
    case 4:
        return directory_name_read(value, &name);
    case 5:
        return expunged_record_read(value, &expunged);
    case 6:
        return deleted_record_read(value, &deleted);
    case 7:
        return directory_entry_read(SLICE("a" ID), value, &entry);
    case 8:
        return directory_entry_read(SLICE("g" ID), value, &entry);
    case 9:
        return directory_domain_read(value, &created);
    case 10:
        return directory_edge_read(value);
    case 11:
        return thread_member_read(value, &member);
    case 12:
        return scripts_record_read(value, &scripts);
    case 13:
        return site_script_record_read(value, &site_script);
    case 14:
        return annotation_changes_record_read(value, &changes);
    default:
        return number_record_read(value, &number);
    }
}

static void write_any(int kind, struct buffer *value)
{
    static const char entry[ENTRY_SIZE];
    struct keyword_names names = {.names = {SLICE("a"), SLICE("")}, .count = 2};
    switch (kind) {
    case 0:
        account_record_write(&(struct account_record){.modseq = 7}, value);
        break;
    case 1:
        collection_record_write(&(struct collection_record){.type = 1, .name = SLICE("x")}, value);
        break;
    case 2:
        message_record_write(&(struct message_record){.body = MESSAGE_IN_BLOB,
                                                      .blob = {1, 2, 3},
                                                      .places = SLICE("\1\0\0\0\1\0\0\0\7\0\0\0")},
                             value);
        break;
    case 3:
        keyword_names_write(&names, value);
        break;
    case 4:
        directory_name_write((struct directory_name){DIRECTORY_GROUP, {{1}}}, value);
        break;
    case 5:
        expunged_record_write(-5, slice_make(entry, sizeof(entry)), value);
        break;
    case 6:
        deleted_record_write(&(struct deleted_record){.path = SLICE("a/x"),
                                                      .record = {.type = 1, .name = SLICE("x")}},
                             value);
        break;
    case 7:
    case 8:
        directory_entry_write(
            &(struct directory_entry){.kind = kind == 7 ? DIRECTORY_ACCOUNT : DIRECTORY_GROUP,
                                      .created = 1700000000,
                                      .members = 3,
                                      .address = SLICE("a@example.test")},
            value);
        break;
    case 9:
        directory_domain_write(1700000000, value);
        break;
    case 10:
        directory_edge_write(value);
        break;
    case 11:
        thread_member_write(-5, SLICE(""), value);
        break;
    case 12:
        scripts_record_write(
            &(struct scripts_record){.next_id = 3,
                                     .active = 2,
                                     .count = 2,
                                     .list = {{1, 5, 7, SLICE("a")}, {2, 0, 8, SLICE("b")}}},
            value);
        break;
    case 13:
        site_script_record_write(&(struct site_script){.size = 5, .active = true}, value);
        break;
    case 14:
        annotation_changes_record_begin(value);
        annotation_change_write(&(struct annotation_change){7, SLICE("/a")}, value);
        break;
    default:
        number_record_write(5, value);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    struct buffer value;
    buffer_init(&value, 4096);
    for (int kind = 0; kind < 16; kind++) {
        write_any(kind, &value);
        assert_int_equal(read_any(kind, buffer_slice(&value)), 0);
        for (size_t size = 0; size < value.size; size++)
            assert_int_equal(read_any(kind, slice_make(value.data, size)), ERROR_CORRUPT);
        value.data[0]++;
        assert_int_equal(read_any(kind, buffer_slice(&value)), ERROR_CORRUPT);
        value.data[0]--;
        buffer_append_byte(&value, 0);
        assert_int_equal(read_any(kind, buffer_slice(&value)), ERROR_CORRUPT);
    }
    buffer_release(&value);
    struct range_set set;
    range_set_init(&set, 10);
    assert_int_equal(vanished_record_read(SLICE("\1\2\0\0\0\1\0\0\0"), &set), ERROR_CORRUPT);
    assert_int_equal(vanished_record_read(SLICE("\1\1\0\0\0\2\0\0\0"), &set), 0);
    assert_int_equal(subscriptions_read(SLICE("\1\0\0\0\0"), &set), ERROR_CORRUPT);
    range_set_release(&set);
    const char *headers;
    char bytes[PAGE_VALUE_HEADER + ENTRY_SIZE] = {1};
    assert_int_equal(page_directory_read(slice_make(bytes, 40), 1, &headers), 0);
    assert_int_equal(page_directory_read(slice_make(bytes, 40), 2, &headers), ERROR_CORRUPT);
    page_value_begin(bytes, 1);
    assert_int_equal(page_value_read(slice_make(bytes, sizeof(bytes)), 1), 0);
    assert_int_equal(page_value_read(slice_make(bytes, sizeof(bytes)), 2), ERROR_CORRUPT);
    assert_int_equal(page_value_read(slice_make(bytes, sizeof(bytes) - 1), 1), ERROR_CORRUPT);
}

/* Flags came with the second version; what is known of the first is read as it was. */
static void test_account_entries(void **state)
{
    static const char first[] = "\1\5\0\0\0\0\0\0\0\3\0a@b";
    (void)state;
    struct directory_entry entry = {.kind = DIRECTORY_ACCOUNT,
                                    .created = 5,
                                    .address = SLICE("a@b"),
                                    .shared = true},
                           read = {.shared = true};
    struct buffer value;
    buffer_init(&value, 4096);
    assert_int_equal(
        directory_entry_read(SLICE("a" ID), slice_make(first, sizeof(first) - 1), &read), 0);
    assert_false(read.shared);
    assert_true(read.created == 5);
    assert_slice_equal(read.address, "a@b");
    for (int shared = 1; shared >= 0; shared--) {
        entry.shared = shared;
        directory_entry_write(&entry, &value);
        assert_int_equal(value.data[0], 2);
        assert_int_equal(directory_entry_read(SLICE("a" ID), buffer_slice(&value), &read), 0);
        assert_int_equal(read.shared, shared);
        assert_slice_equal(read.address, "a@b");
    }
    /* A flag that nobody knows; and groups have none. */
    value.data[9] = 2;
    assert_int_equal(directory_entry_read(SLICE("a" ID), buffer_slice(&value), &read),
                     ERROR_CORRUPT);
    value.data[9] = 0;
    assert_int_equal(directory_entry_read(SLICE("g" ID), buffer_slice(&value), &read),
                     ERROR_CORRUPT);
    entry.kind = DIRECTORY_GROUP;
    directory_entry_write(&entry, &value);
    assert_int_equal(value.data[0], 1);
    buffer_release(&value);
}

static void test_directory_records(void **state)
{
    (void)state;
    struct directory_entry entry = {.kind = DIRECTORY_ALIAS,
                                    .created = -5,
                                    .members = UINT32_MAX,
                                    .address = SLICE("info@example.test")},
                           read = {0};
    struct directory_name name = {DIRECTORY_GROUP, {{0}}}, to = {0};
    struct directory_key key;
    struct account_id from;
    struct buffer value;
    char longest[ADDRESS_MAXIMUM + 2];
    buffer_init(&value, 4096);
    directory_entry_write(&entry, &value);
    assert_int_equal(directory_entry_read(SLICE("t" ID), buffer_slice(&value), &read), 0);
    assert_int_equal(read.kind, DIRECTORY_ALIAS);
    assert_int_equal(read.id.bytes[15], 0x0f);
    assert_true(read.created == -5 && read.members == UINT32_MAX);
    assert_slice_equal(read.address, "info@example.test");
    /* A key that is no entry's, an address too long or none, a kind that there is not. */
    static const char *const keys[] = {"", "t", "t0001", "z" ID, "t" ID "0", "tX" ID};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(
            directory_entry_read(slice_from_string(keys[i]), buffer_slice(&value), &read),
            ERROR_CORRUPT);
    memset(longest, 'a', sizeof(longest));
    for (size_t size = 0; size <= ADDRESS_MAXIMUM + 1; size += ADDRESS_MAXIMUM + 1) {
        entry.address = slice_make(longest, size);
        directory_entry_write(&entry, &value);
        assert_int_equal(directory_entry_read(SLICE("t" ID), buffer_slice(&value), &read),
                         ERROR_CORRUPT);
    }
    directory_name_write(name, &value);
    for (char kind = 0; kind < 5; kind += 4) {
        value.data[1] = kind;
        assert_int_equal(directory_name_read(buffer_slice(&value), &to), ERROR_CORRUPT);
    }
    buffer_release(&value);

    struct slice edge = directory_key_edge(&key, DIRECTORY_HOLDERS, read.id, name);
    assert_slice_equal(edge, "r" ID "g00000000000000000000000000000000");
    assert_int_equal(directory_key_edge_read(edge, &from, &to), 0);
    assert_true(account_id_equal(from, read.id) && directory_name_equal(to, name));
    for (size_t size = 1; size < edge.size; size++)
        assert_int_equal(directory_key_edge_read(slice_make(edge.data, size), &from, &to),
                         ERROR_CORRUPT);
    assert_slice_equal(directory_key_edges(&key, DIRECTORY_MEMBERS, read.id, DIRECTORY_GROUP),
                       "m" ID "g");
    assert_slice_equal(directory_key_edges(&key, DIRECTORY_MEMBERS, read.id, 0), "m" ID);
}

/* What no account can have. */
static void test_scripts_record(void **state)
{
    (void)state;
    static const struct scripts_record wrong[] = {
        {.next_id = 2, .count = 1, .list = {{0, 1, 1, SLICE("a")}}},
        {.next_id = 2, .count = 1, .list = {{2, 1, 1, SLICE("a")}}},
        {.next_id = 2, .count = 1, .list = {{1, 1, 1, SLICE("")}}},
        {.next_id = 2, .count = 1, .list = {{1, 1, 1, SLICE("a\n")}}},
        {.next_id = 2, .count = 1, .active = 3, .list = {{1, 1, 1, SLICE("a")}}},
        {.next_id = 3, .count = 2, .list = {{1, 1, 1, SLICE("a")}, {2, 1, 1, SLICE("a")}}},
        {.next_id = 3, .count = 2, .list = {{1, 1, 1, SLICE("b")}, {2, 1, 1, SLICE("a")}}},
        {.next_id = 3, .count = 2, .list = {{1, 1, 1, SLICE("a")}, {1, 1, 1, SLICE("b")}}},
    };
    struct scripts_record read;
    struct buffer value;
    buffer_init(&value, 4096);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        scripts_record_write(&wrong[i], &value);
        assert_int_equal(scripts_record_read(buffer_slice(&value), &read), ERROR_CORRUPT);
    }
    buffer_clear(&value);
    buffer_append(&value, slice_make("\1\1\0\0\0\0\0\0\0\xff\xff", 11));
    assert_int_equal(scripts_record_read(buffer_slice(&value), &read), ERROR_CORRUPT);
    buffer_release(&value);
}

static struct place place_at(const struct buffer *places, size_t index)
{
    struct message_record record = {.places = buffer_slice(places)};
    assert_true(index < message_places(&record));
    return message_place_at(&record, index);
}

/* docs/format.md, "Access key": 32 bytes behind the version, neither more nor fewer. */
static void test_access_key(void **state)
{
    (void)state;
    uint8_t key[ACCESS_KEY_SIZE] = {1, 2, [31] = 3}, read[ACCESS_KEY_SIZE] = {0};
    struct buffer value;
    buffer_init(&value, 64);
    access_key_record_write(key, &value);
    assert_int_equal(value.size, 1 + ACCESS_KEY_SIZE);
    assert_int_equal(access_key_record_read(buffer_slice(&value), read), 0);
    assert_memory_equal(read, key, sizeof(key));
    for (size_t size = 0; size < value.size; size++)
        assert_int_equal(access_key_record_read(slice_make(value.data, size), read), ERROR_CORRUPT);
    buffer_append_byte(&value, 0);
    assert_int_equal(access_key_record_read(buffer_slice(&value), read), ERROR_CORRUPT);
    value.data[0]++;
    assert_int_not_equal(access_key_record_read(slice_make(value.data, 1 + ACCESS_KEY_SIZE), read),
                         0);
    buffer_release(&value);
}

static void test_places(void **state)
{
    (void)state;
    struct buffer places;
    buffer_init(&places, 4 * PLACE_SIZE);
    assert_int_equal(places_remove(&places, 1, 1), ERROR_CORRUPT);
    assert_int_equal(places_add(&places, 7, 10), 0);
    assert_int_equal(places_add(&places, 300, 11), 0);
    assert_int_equal(places_add(&places, 2, 12), 0);
    assert_int_equal(places_add(&places, 7, 13), 0);
    assert_int_equal(places.size, 3 * PLACE_SIZE);
    assert_int_equal(place_at(&places, 0).collection, 2);
    assert_int_equal(place_at(&places, 1).entries, 2);
    assert_int_equal(place_at(&places, 1).uid, 13);
    assert_int_equal(place_at(&places, 2).collection, 300);
    /* The other one of the two is not known any more. */
    assert_int_equal(places_remove(&places, 7, 13), 0);
    assert_int_equal(place_at(&places, 1).entries, 1);
    assert_int_equal(place_at(&places, 1).uid, 0);
    assert_int_equal(places_remove(&places, 2, 12), 0);
    assert_int_equal(places_remove(&places, 3, 12), ERROR_CORRUPT);
    assert_int_equal(place_at(&places, 0).collection, 7);
    assert_int_equal(places_remove(&places, 7, 10), 0);
    assert_int_equal(places_remove(&places, 300, 11), 0);
    assert_int_equal(places.size, 0);
    buffer_release(&places);
}

/* FIPS 180-2, B.1; nothing at all; what is longer than a block. */
static void test_hash(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sha256;
    } rows[] = {
        {"abc", "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad"},
        {"", "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
             "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "\x24\x8d\x6a\x61\xd2\x06\x38\xb8\xe5\xc0\x26\x93\x0c\x3e\x60\x39"
         "\xa3\x3c\xe4\x59\x64\xff\x21\x67\xf6\xec\xed\xd4\x19\xdb\x06\xc1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t sha256[HASH_SIZE];
        assert_int_equal(bytes_hash(slice_from_string(rows[i].text), sha256), 0);
        assert_memory_equal(sha256, rows[i].sha256, HASH_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_access_key),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_numbers_in_keys),
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_first_account_version),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_account_entries),
        cmocka_unit_test(test_directory_records),
        cmocka_unit_test(test_scripts_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
