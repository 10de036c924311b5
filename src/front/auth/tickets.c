#include "front/auth/tickets_priv.h"

#include "base/error.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { BUCKETS = 4096 };

struct entry {
    uint8_t ticket[TICKET_SIZE];
    uint64_t expires;
    struct ticket_facts facts;
    TAILQ_ENTRY(entry) by_age;
    LIST_ENTRY(entry) in_bucket;
};

/* All live equally long, so the order of issue is the order of expiry. */
struct tickets {
    TAILQ_HEAD(age_order, entry) by_age;
    LIST_HEAD(bucket, entry) buckets[BUCKETS];
    size_t count;
};

int tickets_create(struct tickets **tickets)
{
    struct tickets *made = calloc(1, sizeof *made);
    if (!made)
        return ERROR_MEMORY;
    TAILQ_INIT(&made->by_age);
    *tickets = made;
    return 0;
}

static void discard(struct tickets *tickets, struct entry *entry)
{
    TAILQ_REMOVE(&tickets->by_age, entry, by_age);
    LIST_REMOVE(entry, in_bucket);
    tickets->count--;
    sodium_memzero(entry, sizeof *entry);
    free(entry);
}

void tickets_free(struct tickets **tickets)
{
    while (*tickets && (*tickets)->count)
        discard(*tickets, TAILQ_FIRST(&(*tickets)->by_age));
    free(*tickets);
    *tickets = NULL;
}

static void discard_expired(struct tickets *tickets, uint64_t now)
{
    struct entry *oldest;
    while ((oldest = TAILQ_FIRST(&tickets->by_age)) && oldest->expires <= now)
        discard(tickets, oldest);
}

/* A ticket is random throughout: its first bytes are as good as a hash. */
static struct bucket *bucket_of(struct tickets *tickets, const uint8_t ticket[TICKET_SIZE])
{
    return &tickets->buckets[(ticket[0] | (unsigned)ticket[1] << 8) % BUCKETS];
}

int tickets_issue(struct tickets *tickets, const struct ticket_facts *facts, uint64_t now,
                  uint8_t ticket[TICKET_SIZE])
{
    discard_expired(tickets, now);
    if (tickets->count == TICKETS_MAXIMUM)
        return ERROR_BUSY;
    struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return ERROR_MEMORY;
    randombytes_buf(entry->ticket, TICKET_SIZE);
    entry->expires = now + (uint64_t)TICKET_LIFETIME * 1000 * 1000;
    entry->facts = *facts;
    TAILQ_INSERT_TAIL(&tickets->by_age, entry, by_age);
    LIST_INSERT_HEAD(bucket_of(tickets, entry->ticket), entry, in_bucket);
    tickets->count++;
    memcpy(ticket, entry->ticket, TICKET_SIZE);
    return 0;
}

int tickets_redeem(struct tickets *tickets, const uint8_t ticket[TICKET_SIZE], uint8_t protocol,
                   uint64_t now, struct ticket_facts *facts)
{
    discard_expired(tickets, now);
    struct entry *entry = LIST_FIRST(bucket_of(tickets, ticket));
    while (entry && sodium_memcmp(entry->ticket, ticket, TICKET_SIZE) != 0)
        entry = LIST_NEXT(entry, in_bucket);
    if (!entry)
        return ERROR_NOT_FOUND;
    bool right = entry->facts.protocol == protocol;
    if (right)
        *facts = entry->facts;
    discard(tickets, entry);
    return right ? 0 : ERROR_NOT_FOUND;
}
