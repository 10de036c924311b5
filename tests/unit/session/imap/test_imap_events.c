/*
 * Sieve for IMAP events (RFC 6785): which commands run which script, and what becomes of the
 * message. Reads and transactions are counted: without a script there are none more.
 */
#include "unit/check.h"

#include "base/error.h"
#include "kv/kv.h"
#include "session/imap/session_priv.h"
#include "session/sieve/event.h"
#include "store/annotation.h"
#include "store/deliver.h"
#include "store/event.h"
#include "store/outgoing.h"
#include "store/quota.h"
#include "store/script.h"
#include "store/site_script.h"
#include "unit/session/imap/dialogue.h"

static struct dialogue dialogue;

/* --- what is counted --- */

static unsigned reads, event_runs; /* kv calls that read or change; calls of event_run */
static bool without_events;        /* as if there were no such thing */
static int64_t now = 1792483200;

#define COUNTED(type, name, parameters, arguments)                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        reads++;                                                                                   \
        return __real_##name arguments;                                                            \
    }
COUNTED(int, kv_read_begin, (struct kv * kv, struct kv_transaction **transaction),
        (kv, transaction))
COUNTED(int, kv_get, (struct kv_transaction * transaction, struct slice key, struct buffer *value),
        (transaction, key, value))
COUNTED(int, kv_cursor_open,
        (struct kv_transaction * transaction, struct slice prefix, struct slice after,
         struct kv_cursor **cursor),
        (transaction, prefix, after, cursor))
COUNTED(int, kv_update,
        (struct kv * kv, enum kv_durability durability,
         int (*fn)(struct kv_transaction *transaction, void *arg), void *arg),
        (kv, durability, fn, arg))

int __real_event_run(const struct event *event, uint32_t uid);
int __wrap_event_run(const struct event *event, uint32_t uid);
int __wrap_event_run(const struct event *event, uint32_t uid)
{
    event_runs++;
    return __real_event_run(event, uid);
}

bool __real_event_of_site(struct store *store);
bool __wrap_event_of_site(struct store *store);
bool __wrap_event_of_site(struct store *store)
{
    return !without_events && __real_event_of_site(store);
}

bool __real_store_view_take_events(struct store_view *view);
bool __wrap_store_view_take_events(struct store_view *view);
bool __wrap_store_view_take_events(struct store_view *view)
{
    return !without_events && __real_store_view_take_events(view);
}

static size_t differences_maximum; /* instead of SESSION_DIFFERENCES_MAXIMUM; 0: that one */

void __real_buffer_init(struct buffer *buffer, size_t maximum);
void __wrap_buffer_init(struct buffer *buffer, size_t maximum);
void __wrap_buffer_init(struct buffer *buffer, size_t maximum)
{
    bool smaller = differences_maximum && maximum == SESSION_DIFFERENCES_MAXIMUM;
    __real_buffer_init(buffer, smaller ? differences_maximum : maximum);
}

static int deliveries_to_fail, delivery_error; /* of store_deliver, from now on */

int __real_store_deliver(struct store_view *view, const struct delivery_plan *plan);
int __wrap_store_deliver(struct store_view *view, const struct delivery_plan *plan);
int __wrap_store_deliver(struct store_view *view, const struct delivery_plan *plan)
{
    return deliveries_to_fail-- > 0 ? delivery_error : __real_store_deliver(view, plan);
}

int64_t __wrap_clock_wall(void);
int64_t __wrap_clock_wall(void)
{
    return now;
}

/* --- helpers --- */

static struct client *begin(void)
{
    static char hostname[] = "mail.example.test", sender[] = "localhost:25";
    dialogue_open(&dialogue);
    dialogue.config.hostname = hostname;
    dialogue.config.outgoing_server = sender;
    event_runs = 0;
    now += 10;
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "m1 CREATE Work\r\n", "m1 OK");
    check_has(client, "m2 CREATE Filed\r\n", "m2 OK");
    return client;
}

static struct store_view *own_view(void)
{
    struct store_view *view;
    assert_int_equal(
        store_view_open(dialogue.store, who_account(dialogue.account), dialogue.account, &view), 0);
    return view;
}

static void put_script(const char *name, const char *text)
{
    struct store_view *view = own_view();
    assert_int_equal(script_put(view, slice_from_string(name), slice_from_string(text)), 0);
    store_view_close(&view);
}

/* The text behind the requires that all of these need. */
static void set_script(struct client *client, const char *text)
{
    char full[4096];
    snprintf(full, sizeof(full),
             "require [\"imapsieve\", \"environment\", \"fileinto\", \"copy\", \"variables\", "
             "\"imap4flags\", \"editheader\", \"mailbox\"];\r\n%s",
             text);
    put_script("s", full);
    check(client, "set SETMETADATA Work (/shared/imapsieve/script \"s\")\r\n",
          "set OK Setmetadata completed\r\n");
}

static void append(struct client *client, const char *mailbox, const char *flags)
{
    char command[400];
    snprintf(command, sizeof(command),
             "ap APPEND %s (%s) {31+}\r\nFrom: <a@x>\r\nSubject: s\r\n\r\nHi\r\n\r\n", mailbox,
             flags);
    check_has(client, command, "ap OK");
}

/* --- tests --- */

static void run_commands(struct client *client, const char *tag)
{
    char command[200];
    append(client, "Work", "\\Seen");
    snprintf(command, sizeof(command), "%s STORE 1 +FLAGS (\\Flagged)\r\n", tag);
    check_has(client, command, "OK");
    snprintf(command, sizeof(command), "%s STORE 1 -FLAGS (\\Flagged)\r\n", tag);
    check_has(client, command, "OK");
    snprintf(command, sizeof(command), "%s COPY 1 Filed\r\n", tag);
    check_has(client, command, "OK");
    snprintf(command, sizeof(command), "%s MOVE 2 Filed\r\n", tag);
    check_has(client, command, "OK");
}

static void test_nothing_is_read_without_a_script(void **state)
{
    (void)state;
    struct client *client = begin();
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "a OK");
    without_events = true;
    run_commands(client, "b");
    reads = 0;
    run_commands(client, "c");
    unsigned before = reads;
    without_events = false;
    append(client, "Work", ""); /* the directory is asked once in a second */
    check_has(client, "d STORE 2 +FLAGS (\\Deleted)\r\n", "d OK");
    check_has(client, "d EXPUNGE\r\n", "d OK");
    reads = 0;
    run_commands(client, "e");
    assert_int_equal(reads, before);
    assert_int_equal(event_runs, 0);
    /* With one for another mailbox neither. */
    put_script("s", "discard;");
    check_has(client, "f SETMETADATA INBOX (/shared/imapsieve/script \"s\")\r\n", "f OK");
    reads = 0;
    run_commands(client, "g");
    assert_int_equal(reads, before);
    assert_int_equal(event_runs, 0);
    dialogue_close(&dialogue);
}

static void test_append(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"APPEND\" { addheader \"X-New\" \"1\"; "
                       "fileinto :copy \"Filed\"; addflag \"$done\"; }");
    append(client, "Work", "\\Seen");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check(client, "b FETCH 1 (FLAGS RFC822.SIZE)\r\n",
          "* 1 FETCH (FLAGS (\\Seen $done) RFC822.SIZE 31)\r\nb OK Fetch completed\r\n");
    check_has(client, "c SELECT Filed\r\n", "* 1 EXISTS");
    /* What is filed has the change of the header; what is kept is not touched (section 3.7). */
    check_has(client, "d FETCH 1 (FLAGS BODY.PEEK[HEADER.FIELDS (X-New)])\r\n",
              "FLAGS (\\Seen) BODY[HEADER.FIELDS (X-NEW)] {12}\r\nX-New: 1\r\n\r\n)\r\n");
    dialogue_close(&dialogue);
}

static void test_copy_and_move(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client,
               "if environment :matches \"imap.cause\" \"*\" { set \"c\" \"${1}\"; } "
               "if environment :matches \"vnd.chapar.source\" \"*\" { set \"s\" \"${1}\"; } "
               "fileinto :create \"log/${c} from ${s}\";");
    for (int i = 0; i < 3; i++)
        append(client, "INBOX", "");
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS");
    check_has(client, "b COPY 1:2 Work\r\n", "b OK [COPYUID V 1:2 1:2] Copy completed");
    check_has(client, "c MOVE 3 Work\r\n", "c OK Move completed");
    check_has(client, "d STATUS \"log/COPY from INBOX\" (MESSAGES)\r\n", "(MESSAGES 3)");
    /* Without a keep the message is marked, and not expunged (sections 2.2.4, 3.3). */
    check_has(client, "e STATUS Work (MESSAGES DELETED)\r\n", "(MESSAGES 3 DELETED 3)");
    dialogue_close(&dialogue);
}

static void test_flags(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"FLAG\" { "
                       "if environment :matches \"imap.changedflags\" \"*\" { "
                       "fileinto :copy :create \"log/${1}\"; } "
                       "if hasflag \"\\\\Flagged\" { addflag \"$hot\"; } "
                       "else { removeflag \"$hot\"; } }");
    append(client, "Work", "\\Seen");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 2 EXISTS");
    /* The change is answered, what the script makes of it is told behind that. */
    const char *received = client_send(client, "b STORE 1:2 +FLAGS (\\Flagged \\Seen)\r\n");

    assert_non_null(strstr(received, "* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n"));
    assert_non_null(strstr(received, "* 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged $hot))\r\n"));
    assert_non_null(strstr(received, "* 2 FETCH (UID 2 FLAGS (\\Seen \\Flagged $hot))\r\n"));
    assert_non_null(strstr(received, "b OK Store completed"));
    /* Of the first \Seen had not changed. */
    check_has(client, "c STATUS \"log/\\\\Flagged\" (MESSAGES)\r\n", "(MESSAGES 1)");
    check_has(client, "d STATUS \"log/\\\\Flagged \\\\Seen\" (MESSAGES)\r\n", "(MESSAGES 1)");
    assert_int_equal(event_runs, 4);
    /* What changes nothing is no event, nor is what the script itself has changed. */
    check_has(client, "e STORE 1:2 +FLAGS (\\Flagged)\r\n", "e OK");
    assert_int_equal(event_runs, 4);
    check_has(client, "f STORE 1 -FLAGS (\\Flagged)\r\n", "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n");
    check_has(client, "g STORE 2 FLAGS.SILENT (mine)\r\n", "g OK");
    check_has(client, "h STATUS \"log/\\\\Flagged \\\\Seen $hot mine\" (MESSAGES)\r\n",
              "(MESSAGES 1)");
    dialogue_close(&dialogue);
}

/* A change of more messages than their differences are kept of is refused, and nothing is done. */
static void test_differences_maximum(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"FLAG\" { addflag \"$then\"; }");
    for (int i = 0; i < 4; i++)
        append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 4 EXISTS");
    event_runs = 0;
    differences_maximum = 3 * sizeof(struct flag_difference);
    check(client, "b STORE 1:4 +FLAGS (\\Seen)\r\n",
          "b NO [LIMIT] A limit of the server would be passed\r\n");
    check(client, "c FETCH 1:* FLAGS\r\n",
          "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n"
          "* 4 FETCH (FLAGS ())\r\nc OK Fetch completed\r\n");
    assert_int_equal(event_runs, 0);
    check_has(client, "d STORE 1:3 +FLAGS.SILENT (\\Seen)\r\n", "d OK Store completed\r\n");
    assert_int_equal(event_runs, 3);
    /* What does not change the fourth has no difference. */
    check_has(client, "e STORE 1:4 +FLAGS.SILENT (\\Seen)\r\n", "e OK Store completed\r\n");
    assert_int_equal(event_runs, 4);
    check_has(client, "f FETCH 4 FLAGS\r\n", "* 4 FETCH (FLAGS (\\Seen $then))\r\n");
    differences_maximum = 0;
    dialogue_close(&dialogue);
}

/* Section 2.2.3: FETCH may set \Seen. */
static void test_fetch(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment :contains \"imap.changedflags\" \"\\\\Seen\" "
                       "{ addflag \"$read\"; }");
    append(client, "Work", "");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 2 EXISTS");
    const char *received = client_send(client, "b FETCH 1:2 BODY[TEXT]\r\n");
    assert_non_null(strstr(received, "* 1 FETCH (UID 1 FLAGS (\\Seen $read))\r\n"));
    assert_non_null(strstr(received, "* 2 FETCH (UID 2 FLAGS (\\Seen $read))\r\n"));
    check_has(client, "c FETCH 1 BODY.PEEK[TEXT]\r\n", "c OK");
    assert_int_equal(event_runs, 4);
    dialogue_close(&dialogue);
}

/* Section 2.2.3: what a script for APPEND changes of the flags is a change of flags, once. */
static void test_flags_changed_by_append(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"APPEND\" { addflag \"\\\\Flagged\"; } "
                       "if environment \"imap.cause\" \"FLAG\" { addflag \"$then\"; }");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS (\\Flagged $then)");
    assert_int_equal(event_runs, 1);
    dialogue_close(&dialogue);
}

/* Section 3.5, 2.2.4: \Deleted set by a discard runs nothing. */
static void test_discard(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"FLAG\" { addflag \"$flag\"; keep; } "
                       "else { discard; }");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS (\\Deleted))");
    dialogue_close(&dialogue);
}

/* Section 2.3.1: the mailbox's entry is used, else the server's; an empty one, or the name of no
 * script, runs none. */
static void test_which_script(void **state)
{
    (void)state;
    struct client *client = begin();
    put_script("own", "require [\"imap4flags\"]; addflag \"own\";");
    put_script("all", "require [\"imap4flags\"]; addflag \"all\";");
    check(client, "a SETMETADATA \"\" (/shared/imapsieve/script \"all\")\r\n",
          "a OK Setmetadata completed\r\n");
    check(client, "b SETMETADATA Work (/shared/imapsieve/script \"own\")\r\n",
          "b OK Setmetadata completed\r\n");
    append(client, "Work", "");
    append(client, "Filed", "");
    check_has(client, "c SETMETADATA Work (/shared/imapsieve/script \"\")\r\n", "c OK");
    append(client, "Work", "");
    check_has(client, "d SETMETADATA Work (/shared/imapsieve/script \"nobody\")\r\n", "d OK");
    append(client, "Work", "");
    check_has(client, "e SETMETADATA Work (/shared/imapsieve/script NIL)\r\n", "e OK");
    append(client, "Work", "");
    check_has(client, "f SETMETADATA \"\" (/shared/imapsieve/script NIL)\r\n", "f OK");
    event_runs = 0;
    append(client, "Work", "");
    assert_int_equal(event_runs, 0);
    check_has(client, "g SELECT Filed\r\n", "g OK");
    check_has(client, "h FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS (all))");
    check_has(client, "i SELECT Work\r\n", "i OK");
    check(client, "j FETCH 1:5 FLAGS\r\n",
          "* 1 FETCH (FLAGS (own))\r\n* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n"
          "* 4 FETCH (FLAGS (all))\r\n* 5 FETCH (FLAGS ())\r\nj OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

/* A script that fails: the message is as the command has left it, and the owner is told once. */
static void test_errors(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "addflag \"$no\"; fileinto \"Filed\"; fileinto \"\";");
    append(client, "Work", "\\Seen");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 2 EXISTS");
    check_has(client, "b FETCH 1:2 FLAGS\r\n",
              "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS ())\r\n");
    check_has(client, "c STATUS Filed (MESSAGES)\r\n", "(MESSAGES 0)");
    check_has(client, "d SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(
        client, "e FETCH 1 BODY.PEEK[TEXT]\r\n",
        "the mailbox \"Work\". It has been kept as it is. In the script \"s\", line 2:\r\n\r\n"
        "    fileinto needs a mailbox's name\r\n");
    dialogue_close(&dialogue);
}

/* A fileinto whose mailbox is not there: the message is kept. So is one that cannot be filed. */
static void test_no_mailbox(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "fileinto \"Nowhere\";");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS ())");
    check_has(client, "c STATUS INBOX (MESSAGES)\r\n", "(MESSAGES 1)");
    dialogue_close(&dialogue);
}

/* EVENT_TRIES: an error that passes is tried again; after one that does not pass, or too many,
 * nothing is done, and the message is not marked for what was not filed. The command is answered
 * OK. */
static void test_store_fails(void **state)
{
    (void)state;
    static const struct {
        int error, times;
        bool filed;
    } cases[] = {{ERROR_BUSY, EVENT_TRIES - 1, true},
                 {ERROR_BUSY, EVENT_TRIES, false},
                 {ERROR_CORRUPT, 1, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client *client = begin();
        set_script(client, "addflag \"$filed\"; fileinto \"Filed\";");
        deliveries_to_fail = cases[i].times;
        delivery_error = cases[i].error;
        append(client, "Work", "\\Seen");
        deliveries_to_fail = 0;
        check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
        check_has(client, "b FETCH 1 FLAGS\r\n",
                  cases[i].filed ? "FLAGS (\\Seen \\Deleted))" : "FLAGS (\\Seen))");
        check_has(client, "c STATUS Filed (MESSAGES)\r\n",
                  cases[i].filed ? "(MESSAGES 1)" : "(MESSAGES 0)");
        dialogue_close(&dialogue);
    }
}

/* No room for what is to be filed: as for any other error. */
static void test_over_quota(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "fileinto \"Filed\";");
    append(client, "Work", "");
    const uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_MESSAGE] = 3};
    struct store_view *view;
    assert_int_equal(store_view_open(dialogue.store, WHO_SYSTEM, dialogue.account, &view), 0);
    assert_int_equal(quota_set(view, 1U << QUOTA_MESSAGE, limits), 0);
    store_view_close(&view);
    append(client, "Work", "");
    check_has(client, "a STATUS Work (MESSAGES DELETED)\r\n", "(MESSAGES 2 DELETED 1)");
    check_has(client, "b STATUS Filed (MESSAGES)\r\n", "(MESSAGES 1)");
    dialogue_close(&dialogue);
}

/* Section 3.11. */
static void test_refused(void **state)
{
    (void)state;
    struct client *client = begin();
    put_script("s", "require \"vacation\"; discard;");
    check_has(client, "a SETMETADATA Work (/shared/imapsieve/script \"s\")\r\n", "a OK");
    append(client, "Work", "");
    check_has(client, "b SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "c FETCH 1 FLAGS\r\n", "FLAGS ())");
    check_has(client, "d SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(client, "e FETCH 1 BODY.PEEK[TEXT]\r\n",
              "\"vacation\" cannot be required for an IMAP event");
    dialogue_close(&dialogue);
}

/* The environment (section 4). */
static void test_environment(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client,
               "if allof (environment \"location\" \"MS\", environment \"phase\" \"post\", "
               "environment \"imap.user\" \"alice@example.test\", "
               "environment \"imap.email\" \"alice@example.test\", "
               "environment \"imap.mailbox\" \"Work\", environment \"imap.changedflags\" \"\", "
               "environment \"host\" \"mail.example.test\", "
               "environment \"domain\" \"example.test\") { addflag \"$all\"; }");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS ($all))");
    dialogue_close(&dialogue);
}

/* --- what is sent --- */

/* The n-th message that waits, "kind sender recipient", and its bytes behind a line end. */
static const char *on_its_way(size_t number)
{
    static char text[4096];
    struct store_view *view;
    struct arena arena;
    struct buffer body;
    struct outgoing_message *list = NULL;
    size_t count = 0;
    arena_init(&arena, 1024 * 1024);
    buffer_init(&body, sizeof(text));
    assert_int_equal(store_view_open(dialogue.store, WHO_SYSTEM, dialogue.account, &view), 0);
    assert_int_equal(outgoing_list(view, &arena, &list, &count), 0);
    snprintf(text, sizeof(text), "none");
    if (number < count) {
        const struct outgoing_envelope *envelope = &list[number].envelope;
        assert_int_equal(outgoing_read(view, list[number].number, &body), 0);
        snprintf(text, sizeof(text), "%s %.*s %.*s\n%.*s", outgoing_kind_name(envelope->kind),
                 SLICE_FORMAT(envelope->sender), SLICE_FORMAT(envelope->recipients[0].address),
                 SLICE_FORMAT(buffer_slice(&body)));
    }
    buffer_release(&body);
    arena_release(&arena);
    store_view_close(&view);
    return text;
}

/* Section 3.4: sent under the address of the mailbox's owner, in lines as they are sent; without
 * :copy the message is marked. */
static void test_redirect(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "if environment \"imap.cause\" \"APPEND\" { addheader \"X\" \"y\"; "
                       "redirect \"learn@filter.example\"; } "
                       "elsif environment \"imap.cause\" \"COPY\" "
                       "{ redirect :copy \"learn@filter.example\"; }");
    check_has(client, "a APPEND Work {19+}\r\nSubject: s\n\na\rb\nc\r\n\r\n", "a OK");
    assert_string_equal(on_its_way(0), "redirect alice@example.test learn@filter.example\n"
                                       "X: y\r\nSubject: s\r\n\r\na\r\nb\r\nc\r\n");
    assert_string_equal(on_its_way(1), "none");
    check_has(client, "b SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "c FETCH 1 FLAGS\r\n", "FLAGS (\\Deleted))");
    check_has(client, "d COPY 1 Work\r\n", "d OK");
    check_has(client, "e FETCH 2 FLAGS\r\n", "FLAGS (\\Deleted))"); /* as the source's was */
    assert_string_equal(on_its_way(1), "redirect alice@example.test learn@filter.example\n"
                                       "Subject: s\r\n\r\na\r\nb\r\nc\r\n");
    dialogue_close(&dialogue);
}

/* A server that sends nothing: the message stays, and is not marked as redirected. */
static void test_redirect_to_nobody(void **state)
{
    (void)state;
    static char none[] = "";
    struct client *client = begin();
    dialogue.config.outgoing_server = none;
    set_script(client, "redirect \"learn@filter.example\";");
    append(client, "Work", "");
    check_has(client, "a SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS ())");
    check_has(client, "c SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(client, "d FETCH 1 BODY.PEEK[TEXT]\r\n", "this server sends no mail");
    assert_string_equal(on_its_way(0), "none");
    dialogue_close(&dialogue);
}

/* Section 3.6. Each event of one message is told of under another Message-ID. */
static void test_notify(void **state)
{
    (void)state;
    struct client *client = begin();
    char first[4096];
    put_script("s", "require [\"imapsieve\", \"enotify\"];\r\n"
                    "notify :message \"changed\" \"mailto:tim@example.com\";");
    check_has(client, "a SETMETADATA Work (/shared/imapsieve/script \"s\")\r\n", "a OK");
    append(client, "Work", "");
    check_has(client, "b SELECT Work\r\n", "* 1 EXISTS");
    check_has(client, "c STORE 1 +FLAGS (\\Flagged)\r\n", "c OK");
    snprintf(first, sizeof(first), "%s", on_its_way(0));
    const char *second = on_its_way(1);
    assert_non_null(
        strstr(first, "notification alice@example.test tim@example.com\nMessage-ID: <event-"));
    assert_non_null(strstr(first, "From: alice@example.test\r\n"));
    assert_non_null(strstr(second, "notification alice@example.test tim@example.com\n"));
    assert_string_not_equal(first, second);
    check_has(client, "d FETCH 1 FLAGS\r\n", "FLAGS (\\Flagged))");
    dialogue_close(&dialogue);
}

/* --- the administrator's --- */

static void put_site(const char *domain, const char *text)
{
    const struct site_script script = {.place = SITE_EVENT, .domain = slice_from_string(domain)};
    assert_int_equal(site_script_put(dialogue.store, WHO_SYSTEM, &script, slice_from_string(text)),
                     0);
}

static void test_site(void **state)
{
    (void)state;
    struct client *client = begin();
    put_site("", "require [\"imap4flags\"]; addflag \"site\";");
    append(client, "INBOX", "");
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS (site))");
    /* Before the user's, which sees its flags; what it does not keep the user's is not run for. */
    put_script("s", "require [\"imap4flags\"]; if hasflag \"site\" { addflag \"user\"; }");
    check_has(client, "c SETMETADATA INBOX (/shared/imapsieve/script \"s\")\r\n", "c OK");
    append(client, "INBOX", "");
    check_has(client, "d FETCH 2 FLAGS\r\n", "FLAGS (site user))");
    put_site("", "discard;");
    append(client, "INBOX", "");
    check_has(client, "e FETCH 3 FLAGS\r\n", "FLAGS (\\Deleted))");
    /* STORE, too. */
    put_site("", "require [\"imap4flags\", \"environment\"]; if environment "
                 "\"imap.changedflags\" \"\\\\Answered\" { addflag \"seen\"; }");
    check_has(client, "f STORE 1 +FLAGS (\\Answered)\r\n",
              "* 1 FETCH (UID 1 FLAGS (\\Answered site user seen))");
    const struct site_script script = {.place = SITE_EVENT};
    assert_int_equal(site_script_delete(dialogue.store, WHO_SYSTEM, &script), 0);
    check_has(client, "g SETMETADATA INBOX (/shared/imapsieve/script NIL)\r\n", "g OK");
    event_runs = 0;
    append(client, "INBOX", "");
    assert_int_equal(event_runs, 0);
    dialogue_close(&dialogue);
}

/* An error of the administrator's script is not the user's. */
static void test_site_error(void **state)
{
    (void)state;
    struct client *client = begin();
    put_site("", "require \"reject\"; discard;");
    append(client, "INBOX", "");
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(client, "b FETCH 1 FLAGS\r\n", "FLAGS ())");
    dialogue_close(&dialogue);
}

/* A large command is run slice by slice, and answered at its end. */
static void test_many(void **state)
{
    (void)state;
    struct client *client = begin();
    for (int i = 0; i < 300; i++)
        append(client, "INBOX", "");
    set_script(client, "fileinto :copy \"Filed\";");
    check_has(client, "a SELECT INBOX\r\n", "* 300 EXISTS");
    const char *received = client_send(client, "b COPY 1:* Work\r\n");
    assert_non_null(strstr(received, "b OK [COPYUID V 1:300 1:300] Copy completed\r\n"));
    assert_int_equal(event_runs, 300);
    check_has(client, "c STATUS Filed (MESSAGES)\r\n", "(MESSAGES 300)");
    dialogue_close(&dialogue);
}

/* A client that closes while scripts are to be run leaves nothing behind. */
static void test_closed_meanwhile(void **state)
{
    (void)state;
    struct client *client = begin();
    set_script(client, "keep;");
    append(client, "Work", "");
    append(client, "INBOX", "");
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS");
    client_run_once(client, "b COPY 1 Work\r\n");
    client_close(client);
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_read_without_a_script),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_copy_and_move),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_differences_maximum),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_flags_changed_by_append),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_which_script),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_mailbox),
        cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_over_quota),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_redirect_to_nobody),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_site),
        cmocka_unit_test(test_site_error),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_closed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
