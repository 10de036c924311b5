/*
 * SORT and THREAD with what is remembered of earlier ones (session/imap/sort_memory.c): whatever
 * was sorted, threaded, appended and expunged before, the order is that of a model, and threads are
 * those that are found without it.
 */
#include "unit/check.h"

#include "base/error.h"
#include "session/imap/sort_priv.h"
#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

enum { STEPS = 500, MAILBOXES = 2, MESSAGES_MAXIMUM = 400, CRITERIA = 3, ANSWER = 4096 };

struct sorted {
    unsigned uid, day;
    const char *subject, *from;
};

static struct mailbox {
    const char *name;
    struct sorted messages[MESSAGES_MAXIMUM];
    unsigned count, next_uid;
} mailboxes[MAILBOXES];

static struct dialogue dialogue;
static struct client *client;

/* --- the model --- */

static int by_date(const struct sorted *a, const struct sorted *b)
{
    return (a->day > b->day) - (a->day < b->day);
}

static int by_subject(const struct sorted *a, const struct sorted *b)
{
    return strcmp(a->subject, b->subject);
}

static int by_from(const struct sorted *a, const struct sorted *b)
{
    return strcmp(a->from, b->from);
}

static int by_size(const struct sorted *a, const struct sorted *b)
{
    size_t x = strlen(a->subject) + strlen(a->from), y = strlen(b->subject) + strlen(b->from);
    return (x > y) - (x < y);
}

static const struct criterion {
    const char *name;
    int (*compare)(const struct sorted *a, const struct sorted *b);
    int sign;
} criteria[] = {
    {"DATE", by_date, 1},          {"SUBJECT", by_subject, 1},
    {"FROM", by_from, 1},          {"SIZE", by_size, 1},
    {"REVERSE DATE", by_date, -1}, {"REVERSE SUBJECT", by_subject, -1},
    {"REVERSE FROM", by_from, -1}, {"REVERSE SIZE", by_size, -1},
};
enum { KNOWN = sizeof(criteria) / sizeof(criteria[0]) };

static struct wanted {
    const struct criterion *by[CRITERIA];
    unsigned count, first, last;
} wanted;

static int compare(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    int order = 0;
    for (unsigned i = 0; i < wanted.count && !order; i++)
        order = wanted.by[i]->sign * wanted.by[i]->compare(a, b);
    return order ? order : (a->uid > b->uid) - (a->uid < b->uid);
}

/* --- steps --- */

static void append(struct mailbox *mailbox)
{
    static const char *const words[] = {"alpha", "beta", "gamma", "delta", "a", "zeta and more"};
    static const char *const names[] = {"ann", "bob", "charlotte"};
    char text[ANSWER];
    struct sorted *message = &mailbox->messages[mailbox->count];
    if (mailbox->count == MESSAGES_MAXIMUM)
        return;
    *message = (struct sorted){mailbox->next_uid, 1 + dice(28), words[dice(6)], names[dice(3)]};
    snprintf(
        text, sizeof(text),
        "From: %s@example.test\r\nSubject: %s\r\nDate: %02u Mar 2024 10:00:00 +0000\r\n\r\nx\r\n",
        message->from, message->subject, message->day);
    dialogue_append(&dialogue, mailbox->name, "", text);
    mailbox->count++;
    mailbox->next_uid++;
}

static void expunge(struct mailbox *mailbox)
{
    char text[ANSWER];
    if (!mailbox->count)
        return;
    unsigned index = dice(mailbox->count), uid = mailbox->messages[index].uid;
    snprintf(text, sizeof(text),
             "x SELECT %s\r\nx UID STORE %u +FLAGS.SILENT (\\Deleted)\r\nx UID EXPUNGE %u\r\n",
             mailbox->name, uid, uid);
    check_has(client, text, "x OK Expunge completed");
    mailbox->count--;
    memmove(&mailbox->messages[index], &mailbox->messages[index + 1],
            (mailbox->count - index) * sizeof(mailbox->messages[0]));
}

static void choose(const struct mailbox *mailbox)
{
    wanted.count = 1 + dice(CRITERIA);
    for (unsigned i = 0; i < wanted.count; i++)
        wanted.by[i] = &criteria[dice(KNOWN)];
    wanted.first = 1;
    wanted.last = mailbox->next_uid;
    if (dice(2)) {
        wanted.first = 1 + dice(mailbox->next_uid);
        wanted.last = wanted.first + dice(mailbox->next_uid);
    }
}

static void expected_answer(const struct mailbox *mailbox, char answer[ANSWER])
{
    struct sorted found[MESSAGES_MAXIMUM];
    size_t count = 0, size = 0;
    for (unsigned i = 0; i < mailbox->count; i++)
        if (mailbox->messages[i].uid >= wanted.first && mailbox->messages[i].uid <= wanted.last)
            found[count++] = mailbox->messages[i];
    qsort(found, count, sizeof(found[0]), compare);
    size = (size_t)snprintf(answer, ANSWER, "* SORT");
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(answer + size, ANSWER - size, " %u", found[i].uid);
    snprintf(answer + size, ANSWER - size, "\r\nt OK");
}

static void sort(const struct mailbox *mailbox)
{
    char text[ANSWER], answer[ANSWER], list[200] = "";
    choose(mailbox);
    size_t size = 0;
    for (unsigned i = 0; i < wanted.count; i++)
        size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s", i ? " " : "",
                                 wanted.by[i]->name);
    snprintf(text, sizeof(text), "s SELECT %s\r\nt UID SORT (%s) UTF-8 UID %u:%u\r\n",
             mailbox->name, list, wanted.first, wanted.last);
    expected_answer(mailbox, answer);
    check_has(client, text, answer);
}

static void take_seed(void)
{
    const char *seed = getenv("CHAPAR_SORT_SEED");
    dice_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) | 1;
    print_message("# CHAPAR_SORT_SEED=%llu\n", (unsigned long long)dice_state);
}

static void test_random(void **state)
{
    (void)state;
    take_seed();
    mailboxes[0] = (struct mailbox){.name = "INBOX", .next_uid = 1};
    mailboxes[1] = (struct mailbox){.name = "Archive", .next_uid = 1};
    for (int step = 0; step < STEPS; step++) {
        struct mailbox *mailbox = &mailboxes[dice(MAILBOXES)];
        unsigned what = dice(20);
        if (what == 0)
            sort_memory_forget_all();
        else if (what < 7)
            append(mailbox);
        else if (what < 9)
            expunge(mailbox);
        else
            sort(mailbox);
    }
}

/* --- threads --- */

/* Ids are other messages', before and after this one, nobody's, or taken already. When a message
 * joins two threads of the store, UIDs change, so there is no model. */
static void append_to_thread(const char *mailbox, unsigned number)
{
    static const char *const subjects[] = {"one", "Re: one", "two", "Fwd: two", "three", ""};
    char text[ANSWER];
    unsigned known = number + 3;
    snprintf(text, sizeof(text),
             "Subject: %s\r\nDate: %02u Mar 2024 10:00:00 +0000\r\n"
             "Message-ID: <%u@x>\r\n%s: <%u@x> <%u@x>\r\n\r\nx\r\n",
             subjects[dice(6)], 1 + dice(28), dice(8) ? number : dice(known),
             dice(3) ? "References" : "In-Reply-To", dice(known), dice(known));
    dialogue_append(&dialogue, mailbox, "", text);
}

/* Twice: when nothing is remembered it is the same. */
static void thread(const char *mailbox, unsigned number)
{
    static const char *const algorithms[] = {"REFERENCES", "REFS", "ORDEREDSUBJECT"};
    char text[ANSWER], answer[4 * ANSWER];
    unsigned first = dice(2) ? 1 : 1 + dice(number + 1);
    snprintf(text, sizeof(text), "s SELECT %s\r\nt UID THREAD %s UTF-8 UID %u:%u\r\n", mailbox,
             algorithms[dice(3)], first, first + number);
    const char *threads = strstr(client_send(client, text), "* THREAD");
    assert_non_null(threads);
    if (dice(3))
        return;
    snprintf(answer, sizeof(answer), "%s", threads);
    sort_memory_forget_all();
    check_has(client, text, answer);
}

static void test_random_threads(void **state)
{
    (void)state;
    unsigned count = 0;
    take_seed();
    for (int step = 0; step < STEPS; step++) {
        const char *mailbox = dice(3) ? "INBOX" : "Archive";
        unsigned what = dice(20);
        char text[200];
        snprintf(text, sizeof(text),
                 "x SELECT %s\r\nx UID STORE %u +FLAGS.SILENT (\\Deleted)\r\nx EXPUNGE\r\n",
                 mailbox, 1 + dice(count + 1));
        if (what < 8)
            append_to_thread(mailbox, count++);
        else if (what < 10)
            check_has(client, text, "x OK Expunge completed");
        else
            thread(mailbox, count);
    }
}

/* --- limits --- */

static void append_long_subject(unsigned number)
{
    char text[ANSWER];
    size_t size = (size_t)snprintf(text, sizeof(text), "Subject: %03u ", 999 - number);
    memset(text + size, 'x', 900);
    snprintf(text + size + 900, sizeof(text) - size - 900, "\r\n\r\nx\r\n");
    dialogue_append(&dialogue, "INBOX", "", text);
}

enum { INBOX = 1 /* its id */ };

static struct sort_memory *take(unsigned collection)
{
    struct sort_subject about = {dialogue.account, collection, IMAP_SORT_SUBJECT};
    return sort_memory_take(about, SORT_MEMORY_MAXIMUM);
}

static size_t known_after(unsigned collection)
{
    struct sort_memory *memory = take(collection);
    size_t known = memory->known;
    sort_memory_give(&memory);
    return known;
}

/* What is remembered with what is added would be too much: it is done without. */
static void test_command_memory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        append_long_subject(i);
    dialogue.config.command_memory = 64 * 1024;
    check_has(client, "a SELECT INBOX\r\nb UID SORT (SUBJECT) UTF-8 UID 1:60\r\n",
              "* SORT 60 59 58 57");
    assert_int_equal(known_after(INBOX), 60);
    assert_true(sort_memory_size() > 60 * 900);
    check_has(client, "c UID SORT (SUBJECT) UTF-8 UID 51:100\r\n", "* SORT 100 99 98 97");
    assert_int_equal(known_after(INBOX), 60);
    check_has(client, "d UID SORT (SUBJECT) UTF-8 ALL\r\n", "d NO [LIMIT]");
    check_has(client, "e UID SORT (SUBJECT) UTF-8 UID 1:60\r\n", "* SORT 60 59 58 57");
    assert_int_equal(known_after(INBOX), 60);
}

/* The same of threads, of messages that refer to many that are not there: the texts' hashes take
 * the room. */
static void test_command_memory_of_threads(void **state)
{
    (void)state;
    enum { IDS = 150, AT_ONCE = 12, TIMES = 5 };
    size_t before = 0;
    for (unsigned i = 0; i < TIMES * AT_ONCE; i++) {
        char text[ANSWER];
        size_t size = (size_t)snprintf(text, sizeof(text), "References:");
        for (unsigned id = 0; id < IDS; id++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s<%u@%u>",
                                     id % 8 ? " " : "\r\n ", id, i);
        snprintf(text + size, sizeof(text) - size, "\r\n\r\nx\r\n");
        dialogue_append(&dialogue, "INBOX", "", text);
    }
    sort_memory_forget_all();
    dialogue.config.command_memory = 128 * 1024;
    check_has(client, "a SELECT INBOX\r\n", "a OK");
    for (unsigned i = 0; i < TIMES; i++) {
        char text[100], answer[100];
        unsigned first = 1 + i * AT_ONCE;
        before = sort_memory_size();
        assert_true(before >= (size_t)i * AT_ONCE * IDS * SORT_HASH);
        snprintf(text, sizeof(text), "b UID THREAD REFERENCES UTF-8 UID %u:%u\r\n", first,
                 first + AT_ONCE - 1);
        snprintf(answer, sizeof(answer), "* THREAD (%u)", first);
        check_has(client, text, answer);
    }
    assert_true(sort_memory_size() < before);
    check_has(client, "c UID THREAD REFERENCES UTF-8 ALL\r\n", "c NO [LIMIT]");
}

static void fill(struct sort_memory *memory, size_t bytes)
{
    char key[1024];
    memset(key, 'k', sizeof(key));
    for (uint32_t uid = 1; uid <= bytes / sizeof(key); uid++)
        assert_int_equal(sort_memory_add(memory, uid, slice_make(key, sizeof(key)), NULL), 0);
    assert_int_equal(sort_memory_rank(memory), 0);
}

/* As many keys as are held in a quarter of what may be remembered, beside what is held of each. */
enum { QUARTER = SORT_MEMORY_MAXIMUM / 4 - 1024 };

/* What was used longest ago goes; what is too large alone is not kept. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    sort_memory_forget_all();
    for (unsigned collection = 1; collection <= 4; collection++) {
        struct sort_memory *memory = take(collection);
        fill(memory, QUARTER);
        sort_memory_give(&memory);
        assert_true(sort_memory_size() <= SORT_MEMORY_MAXIMUM);
        assert_true(known_after(1) > 0);
    }
    assert_int_equal(known_after(2), 0);
    assert_true(known_after(3) > 0 && known_after(4) > 0);
    struct sort_memory *large = take(9);
    fill(large, SORT_MEMORY_MAXIMUM / 2);
    sort_memory_give(&large);
    assert_int_equal(known_after(9), 0);
}

static size_t held_by(const struct sort_memory *memory)
{
    return sizeof(*memory) + memory->uids.capacity + memory->ends.capacity +
           memory->texts.capacity + memory->ranks.capacity;
}

/* What is held counts, not what of it is in use. */
static void test_memory_counts_what_it_holds(void **state)
{
    enum { MEMORIES = 12 };
    (void)state;
    size_t held = 0;
    sort_memory_forget_all();
    for (unsigned collection = 1; collection <= MEMORIES; collection++) {
        struct sort_memory *memory = take(collection);
        fill(memory, QUARTER / 2 + 2048); /* nearly twice as much is held */
        sort_memory_give(&memory);
    }
    size_t counted = sort_memory_size();
    for (unsigned collection = 1; collection <= MEMORIES; collection++) {
        struct sort_memory *memory = take(collection);
        held += memory->known ? held_by(memory) : 0;
        memory->spoiled = true;
        sort_memory_give(&memory);
    }
    assert_true(held > SORT_MEMORY_MAXIMUM / 2 && held <= SORT_MEMORY_MAXIMUM);
    assert_int_equal(counted, held);
    /* Where all that was added was dropped again, too. */
    struct sort_memory *memory = take(1);
    char key[1024] = "";
    for (uint32_t uid = 1; uid < SORT_MEMORY_MAXIMUM / sizeof(key); uid++)
        assert_int_equal(sort_memory_add(memory, uid, slice_make(key, sizeof(key)), NULL), 0);
    sort_memory_give(&memory);
    assert_int_equal(sort_memory_size(), 0);
}

/* Taken by one, it is not there for another; of two that come back the last one stays. */
static void test_taken_once(void **state)
{
    (void)state;
    struct sort_memory *a = take(1), *b;
    fill(a, 4096);
    sort_memory_give(&a);
    a = take(1);
    b = take(1);
    assert_int_equal(a->known, 4);
    assert_int_equal(b->known, 0);
    fill(b, 8192);
    sort_memory_give(&a);
    sort_memory_give(&b);
    assert_int_equal(known_after(1), 8);
    /* Keys without a rank, and those of messages that could not be read. */
    a = take(1);
    assert_int_equal(sort_memory_add(a, 100, SLICE("k"), NULL), 0);
    sort_memory_give(&a);
    assert_int_equal(known_after(1), 8);
    a = take(1);
    a->spoiled = true;
    sort_memory_give(&a);
    assert_int_equal(known_after(1), 0);
}

/* A text has one number, in one memory; those of threads need no rank. */
static void test_numbers(void **state)
{
    (void)state;
    enum { TEXTS = 5000 };
    char text[20];
    uint32_t number;
    struct sort_memory *memory =
        sort_memory_take((struct sort_subject){dialogue.account, 77, SORT_THREADS}, 1 << 20);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 1; i <= TEXTS; i++) {
            snprintf(text, sizeof(text), "text %u", i);
            assert_int_equal(sort_memory_number(memory, slice_from_string(text), &number), 0);
            assert_int_equal(number, i);
        }
    assert_int_equal(sort_memory_numbers(memory), TEXTS);
    assert_int_equal(sort_memory_add(memory, 5, SLICE("five"), NULL), 0);
    sort_memory_give(&memory);
    assert_true(sort_memory_size() >= (size_t)TEXTS * SORT_HASH);
    memory = sort_memory_take((struct sort_subject){dialogue.account, 77, SORT_THREADS}, 1 << 20);
    assert_int_equal(memory->known, 1);
    /* One in front of it. */
    assert_int_equal(sort_memory_add(memory, 3, SLICE("three"), NULL), 0);
    sort_memory_give(&memory);
    memory = sort_memory_take((struct sort_subject){dialogue.account, 77, SORT_THREADS}, 1 << 20);
    assert_int_equal(memory->known, 2);
    assert_true(slice_equal(sort_memory_key(memory, 0), SLICE("three")));
    assert_int_equal(sort_memory_number(memory, SLICE("text 7"), &number), 0);
    assert_int_equal(number, 7);
    sort_memory_give(&memory);
    memory = sort_memory_take((struct sort_subject){dialogue.account, 78, SORT_THREADS}, 16 * 1024);
    int error = 0;
    for (uint32_t i = 1; i <= TEXTS && !error; i++) {
        snprintf(text, sizeof(text), "text %u", i);
        error = sort_memory_number(memory, slice_from_string(text), &number);
    }
    assert_int_equal(error, ERROR_LIMIT);
    sort_memory_give(&memory);
    sort_memory_forget_all();
}

static int set_up(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    client = dialogue_client(&dialogue);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dialogue_close(&dialogue);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_command_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_command_memory_of_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_counts_what_it_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
