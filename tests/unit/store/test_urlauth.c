/*
 * URLs that let others read: who they are for, and every way to make one that was not given out.
 */
#include "store/acl.h"
#include "store/retained.h"
#include "store/urlauth.h"
#include "store_test.h"

static const struct slice rump = {"imap://alice@x/Box/;uid=1;urlauth=authuser", 42};

struct trial {
    struct fixture *f;
    collection_id box;
    struct account_id bob;
    uint8_t token[URLAUTH_TOKEN_SIZE];
    struct urlauth_claim claim; /* a good one, for every account */
};

static void set_up_trial(struct trial *t, struct fixture *f)
{
    *t = (struct trial){.f = f};
    t->box = make_mailbox(f, "Box");
    append_many(f, t->box, 2);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &t->bob), 0);
    assert_int_equal(urlauth_sign(f->view, t->box, rump, t->token), 0);
    t->claim = (struct urlauth_claim){.owner = SLICE("alice"),
                                      .mailbox = SLICE("Box"),
                                      .access = URLAUTH_AUTHUSER,
                                      .rump = rump,
                                      .token = slice_make(t->token, sizeof(t->token))};
}

static int try(const struct trial *t, struct who who, const struct urlauth_claim *claim)
{
    struct urlauth_reader *reader = NULL;
    int error = urlauth_open(t->f->store, who, claim, &reader);
    assert_int_equal(error == 0, reader != NULL);
    if (reader) {
        assert_int_equal(mailbox_snapshot_collection(urlauth_snapshot(reader))->messages, 2);
        urlauth_close(&reader);
    }
    return error;
}

static int bob_tries(const struct trial *t, const struct urlauth_claim *claim)
{
    return try(t, who_account(t->bob), claim);
}

static void test_access(void **state)
{
    struct trial t;
    set_up_trial(&t, *state);
    struct urlauth_claim claim = t.claim;
    const struct who alice = who_account(t.f->alice), bob = who_account(t.bob);
    const struct who anonymous = {.kind = WHO_KIND_ANONYMOUS}, nobody = {0};
    assert_int_equal(try(&t, alice, &claim), 0);
    assert_int_equal(try(&t, bob, &claim), 0);
    assert_int_equal(try(&t, anonymous, &claim), ERROR_DENIED);
    assert_int_equal(try(&t, nobody, &claim), ERROR_DENIED);
    claim.access = URLAUTH_ANONYMOUS;
    assert_int_equal(try(&t, bob, &claim), 0);
    assert_int_equal(try(&t, anonymous, &claim), 0);
    assert_int_equal(try(&t, nobody, &claim), ERROR_DENIED);
    claim.access = URLAUTH_USER;
    claim.user = SLICE("Bob@example.test");
    assert_int_equal(try(&t, bob, &claim), 0);
    assert_int_equal(try(&t, alice, &claim), ERROR_DENIED);
    assert_int_equal(try(&t, anonymous, &claim), ERROR_DENIED);
    claim.user = SLICE("nobody");
    assert_int_equal(try(&t, bob, &claim), ERROR_DENIED);
    claim.user = SLICE("");
    assert_int_equal(try(&t, bob, &claim), ERROR_DENIED);
    claim.access = URLAUTH_NOBODY;
    assert_int_equal(try(&t, alice, &claim), ERROR_DENIED);
    assert_int_equal(try(&t, WHO_SYSTEM, &claim), ERROR_DENIED);
    /* Nobody submits where no account is named for it (store_options.submission). */
    claim.access = URLAUTH_SUBMIT;
    claim.user = SLICE("bob");
    assert_int_equal(try(&t, bob, &claim), ERROR_DENIED);
    assert_int_equal(try(&t, alice, &claim), ERROR_DENIED);
}

/* RFC 4467 section 3: the account that submits, whomever the URL says that it submits for. */
static void test_submission(void **state)
{
    struct trial t;
    set_up_trial(&t, *state);
    struct fixture *f = t.f;
    struct store_options options = {.kv = f->kv,
                                    .blob = f->blob,
                                    .open_accounts = 4,
                                    .default_domain = "example.test",
                                    .submission = "bob@example.test"};
    struct urlauth_claim claim = t.claim;
    claim.access = URLAUTH_SUBMIT;
    claim.user = SLICE("fred");
    store_view_close(&f->view);
    store_close(&f->store);
    assert_int_equal(store_open(&options, &f->store), 0);
    assert_int_equal(store_view_open(f->store, who_account(f->alice), f->alice, &f->view), 0);
    assert_int_equal(try(&t, who_account(t.bob), &claim), 0);
    assert_int_equal(try(&t, who_account(f->alice), &claim), ERROR_DENIED);
    assert_int_equal(try(&t, (struct who){.kind = WHO_KIND_ANONYMOUS}, &claim), ERROR_DENIED);
}

static void test_forged(void **state)
{
    struct trial t;
    set_up_trial(&t, *state);
    struct urlauth_claim claim = t.claim;
    uint8_t token[URLAUTH_TOKEN_SIZE + 1] = {0};
    memcpy(token, t.token, sizeof(t.token));
    claim.token.data = (const char *)token;
    /* Any bit of it; the algorithm's number is part. */
    for (size_t i = 0; i < 8 * sizeof(t.token); i++) {
        token[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
        token[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(bob_tries(&t, &claim), 0);
    /* Cut off, empty, longer. */
    for (size_t size = 0; size < sizeof(t.token); size++) {
        claim.token.size = size;
        assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    }
    claim.token.size = sizeof(token);
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    /* Anything else in the URL: a section, an expiry, another access. */
    claim = t.claim;
    claim.rump = SLICE("imap://alice@x/Box/;uid=2;urlauth=authuser");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.rump = SLICE("imap://alice@X/Box/;uid=1;urlauth=authuser");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.rump = slice_sub(rump, 0, rump.size - 1);
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.rump = SLICE("");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
}

static void test_elsewhere(void **state)
{
    struct trial t;
    struct store_view *view;
    uint8_t token[URLAUTH_TOKEN_SIZE];
    set_up_trial(&t, *state);
    struct urlauth_claim claim = t.claim;
    claim.mailbox = SLICE("INBOX");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.mailbox = SLICE("none");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.mailbox = SLICE("");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim = t.claim;
    claim.owner = SLICE("bob");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.owner = SLICE("nobody");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.owner = SLICE("@");
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    /* Keys differ by mailbox: the same text has another token. */
    assert_int_equal(urlauth_sign(t.f->view, find_mailbox(t.f, "INBOX"), rump, token), 0);
    assert_memory_not_equal(token, t.token, sizeof(token));
    /* Another cannot sign, whatever it may do with the mailbox, nor by what it signs itself. */
    assert_int_equal(acl_set(t.f->view, t.box, SLICE("bob"), ACL_REPLACE, RIGHT_ALL), 0);
    assert_int_equal(store_view_open(t.f->store, who_account(t.bob), t.f->alice, &view), 0);
    assert_int_equal(urlauth_sign(view, t.box, rump, token), ERROR_DENIED);
    assert_int_equal(urlauth_reset(view, t.box), ERROR_DENIED);
    assert_int_equal(urlauth_reset(view, 0), ERROR_DENIED);
    store_view_close(&view);
    assert_int_equal(bob_tries(&t, &t.claim), 0);
}

static void test_time(void **state)
{
    struct trial t;
    set_up_trial(&t, *state);
    struct urlauth_claim claim = t.claim;
    claim.expires = true;
    claim.expire = t.f->now;
    assert_int_equal(bob_tries(&t, &claim), 0);
    t.f->now++;
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.expire = INT64_MIN;
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.expire = INT64_MAX;
    assert_int_equal(bob_tries(&t, &claim), 0);
}

static void test_reset(void **state)
{
    struct trial t;
    uint8_t again[URLAUTH_TOKEN_SIZE];
    set_up_trial(&t, *state);
    /* The key stays, and the token with it, until it is reset. */
    reopen(t.f);
    assert_int_equal(urlauth_sign(t.f->view, t.box, rump, again), 0);
    assert_memory_equal(again, t.token, sizeof(again));
    assert_int_equal(urlauth_reset(t.f->view, find_mailbox(t.f, "INBOX")), 0);
    assert_int_equal(bob_tries(&t, &t.claim), 0);
    assert_int_equal(urlauth_reset(t.f->view, t.box), 0);
    assert_int_equal(bob_tries(&t, &t.claim), ERROR_DENIED);
    assert_int_equal(urlauth_sign(t.f->view, t.box, rump, t.token), 0);
    assert_memory_not_equal(again, t.token, sizeof(again));
    assert_int_equal(bob_tries(&t, &t.claim), 0);
    assert_int_equal(urlauth_reset(t.f->view, 0), 0);
    assert_int_equal(bob_tries(&t, &t.claim), ERROR_DENIED);
    assert_int_equal(urlauth_reset(t.f->view, 999), ERROR_NOT_FOUND);
    assert_int_equal(urlauth_sign(t.f->view, 999, rump, again), ERROR_NOT_FOUND);
    check_account(t.f);
}

/* With the mailbox, its name, and what becomes of them. */
static void test_mailbox_changed(void **state)
{
    struct trial t;
    set_up_trial(&t, *state);
    assert_int_equal(collection_rename(t.f->view, t.box, SLICE("Other")), 0);
    assert_int_equal(bob_tries(&t, &t.claim), ERROR_DENIED);
    /* Another mailbox with that name, and another UIDVALIDITY. */
    append_many(t.f, make_mailbox(t.f, "Box"), 2);
    assert_int_equal(bob_tries(&t, &t.claim), ERROR_DENIED);
    assert_int_equal(collection_delete(t.f->view, find_mailbox(t.f, "Box")), 0);
    assert_int_equal(collection_rename(t.f->view, t.box, SLICE("Box")), 0);
    assert_int_equal(bob_tries(&t, &t.claim), 0);
    assert_int_equal(collection_delete(t.f->view, t.box), 0);
    assert_int_equal(bob_tries(&t, &t.claim), ERROR_DENIED);
    check_account(t.f);
    /* What is purged leaves no key behind. */
    assert_int_equal(store_purge(t.f->store, WHO_SYSTEM, t.f->alice, INT64_MAX / 2, NULL), 0);
    check_account(t.f);
}

static void test_limits(void **state)
{
    struct trial t;
    static char text[URLAUTH_RUMP_MAXIMUM + 1];
    uint8_t token[URLAUTH_TOKEN_SIZE];
    set_up_trial(&t, *state);
    memset(text, 'a', sizeof(text));
    struct urlauth_claim claim = t.claim;
    claim.rump = slice_make(text, sizeof(text));
    assert_int_equal(urlauth_sign(t.f->view, t.box, claim.rump, token), ERROR_LIMIT);
    assert_int_equal(bob_tries(&t, &claim), ERROR_DENIED);
    claim.rump.size--;
    assert_int_equal(urlauth_sign(t.f->view, t.box, claim.rump, token), 0);
    claim.token = slice_make(token, sizeof(token));
    assert_int_equal(bob_tries(&t, &claim), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_access),          ON_BOTH(test_submission), ON_BOTH(test_forged),
        ON_BOTH(test_elsewhere),       ON_BOTH(test_time),       ON_BOTH(test_reset),
        ON_BOTH(test_mailbox_changed), ON_BOTH(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
