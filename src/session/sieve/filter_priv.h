/*
 * What the filter's files share.
 *
 *   filter.c    which scripts there are, and running them one after the other
 *   actions.c   what they want, as filings
 *   departures.c what they want sent
 *   rejection.c the report to the sender of a rejected message
 *   host.c      what they ask
 *   event.c     the same for IMAP events, and what is done then
 *   notice.c    the message about an error
 *   spam.c      the results of filters in front
 *   programs.c  compiled scripts
 */
#ifndef SESSION_SIEVE_FILTER_PRIV_H
#define SESSION_SIEVE_FILTER_PRIV_H

#include "session/sieve/event.h"
#include "session/sieve/filter.h"
#include "store/site_script.h"

struct held_program {
    struct held_program *next;
    struct kept_program *kept;
};

/* The message, as it came or as a script has changed it. */
struct version {
    struct slice text;
    struct prepared_message *prepared;
    struct buffer bytes; /* of a changed one */
};

struct filter {
    struct filter_facts facts;
    const struct event *event; /* NULL: a delivery. Then `keep` has the flags that the message is to
                                  have, and no script sees what another has changed */
    struct slice changed_flags; /* as imap.changedflags has them */
    struct arena arena;
    struct held_program *held;
    struct version
        versions[FILTER_VERSIONS_MAXIMUM]; /* the first as it came; prepared NULL: none */
    struct collection *collections;        /* all mailboxes, once they have been asked for */
    size_t collection_count;
    struct slice address, domain; /* the account's own */
    /* The script at hand. */
    struct slice name;
    bool of_site;
    const struct version *input;
    bool kept; /* it has kept the message: so */
    struct filing keep;
    /* What there is to be done. */
    struct filing filings[FILINGS_MAXIMUM];
    size_t filing_count;
    struct departure departures[DEPARTURES_MAXIMUM];
    struct outgoing_recipient recipients[DEPARTURES_MAXIMUM][FILTER_RECIPIENTS_MAXIMUM];
    size_t departure_count;
    struct remembered remembered[REMEMBERED_MAXIMUM];
    size_t remembered_count;
    bool rejected;
    struct slice reason;
    /* The first thing that went wrong with a script of the user's. */
    bool has_problem;
    struct slice problem_script;
    unsigned problem_line;
    char problem[SIEVE_PROBLEM_TEXT_MAXIMUM];
    struct buffer notice_bytes;
    struct prepared_message *notice;
};

/* --- filter.c --- */

/* One that has run nothing. NULL: no memory. */
struct filter *filter_make(const struct filter_facts *facts);

/* Fills in address and domain. */
int filter_find_domain(struct filter *filter);

/* Runs the administrator's scripts as long as the message is kept. */
int filter_run_site(struct filter *filter, const struct site_script *list, size_t count);

/* Runs the user's script, unless the message is not kept any more: the active one when name.data is
 * NULL. One that is not there is none. */
int filter_run_user(struct filter *filter, struct slice name);

/* Notes what is wrong with the script at hand, and logs it. line 0: not known. */
void filter_problem(struct filter *filter, unsigned line, const char *text);

/* Finds, or compiles and keeps, a program until the filter is freed. load appends its text.
 * ERROR_SYNTAX: it is not valid, which has been noted as a problem of the script `name`. */
int filter_program(struct filter *filter, const struct program_key *key, struct slice name,
                   int (*load)(struct filter *filter, const void *script, struct buffer *text),
                   const void *script, const struct sieve_program **program);
/* The same of what is in the store. */
int filter_user_program(struct filter *filter, const struct script *script,
                        const struct sieve_program **program);
int filter_site_program(struct filter *filter, const struct site_script *script,
                        const struct sieve_program **program);

/* --- actions.c --- */

/* struct sieve_host's perform; arg is the filter. */
int filter_perform(void *arg, const struct sieve_action *action);

/* Frees those that no filing and no script needs any more; or all. Not while a script runs. */
void filter_forget_versions(struct filter *filter, bool all);

/* Adds a filing unless an equal one is there. */
void filter_file(struct filter *filter, const struct filing *filing);

/* The message as it was when the script asked for the action. */
int filter_find_version(struct filter *filter, const struct sieve_action *action,
                        const struct version **version);

/* What would have been the message's way cannot be: it stays here. */
int filter_keep_instead(struct filter *filter, const struct sieve_action *action, const char *why);

/* Files a copy of what the action sends (RFC 8580), with these fields in front. */
int filter_file_copy(struct filter *filter, const struct sieve_action *action, struct slice prefix);

/* --- departures.c --- */

int filter_redirect(struct filter *filter, const struct sieve_action *action);
int filter_respond(struct filter *filter, const struct sieve_action *action);
int filter_notify(struct filter *filter, const struct sieve_action *action);

/* One more to be sent, which the caller fills in and adds, with FILTER_RECIPIENTS_MAXIMUM
 * recipients at most. NULL: nothing can be sent, or there are too many: filter_no_departure says
 * which. */
struct departure *filter_departure(struct filter *filter, enum outgoing_kind kind);
const char *filter_no_departure(const struct filter *filter);
int filter_add_recipient(struct filter *filter, struct departure *departure, struct slice address);
void filter_add_departure(struct filter *filter, struct departure *departure);

/* A field Message-ID that nothing else has, in the arena; data NULL: there is no room. */
struct slice filter_message_id(struct filter *filter, const char *what);

/* --- rejection.c --- */

/* Sends the sender a report that the message was rejected (RFC 5429 section 2.2.1). */
int filter_report_rejection(struct filter *filter, const struct sieve_action *action);

/* --- host.c --- */

/* The questions' functions; arg is the filter. */
void filter_host(struct filter *filter, struct sieve_host *host);

/* Loads the list of mailboxes, once. */
int filter_load_mailboxes(struct filter *filter);

/* A mailbox by its path, its id or its special use; NULL: there is none. The list is loaded. */
const struct collection *filter_find_path(const struct filter *filter, struct slice path);
const struct collection *filter_find_id(const struct filter *filter, struct slice id);
const struct collection *filter_find_use(const struct filter *filter, struct slice use);

/* --- event.c --- */

/* What a script for an event is run with. ERROR_LIMIT. */
int event_input(struct filter *filter, struct sieve_input *input);

/* The environment of one (RFC 6785 section 4). ERROR_NOT_FOUND: it is as at delivery. */
int event_environment(struct filter *filter, struct slice name, struct buffer *value);

/* --- notice.c --- */

/* Adds the message about the problem to the filings. */
int filter_add_notice(struct filter *filter);

#endif
