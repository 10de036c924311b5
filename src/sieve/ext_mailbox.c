/*
 * What a script may ask of its surroundings: environment (RFC 5183), mailbox, mboxmetadata,
 * servermetadata (RFC 5490), mailboxid (RFC 9042), special-use (RFC 8579).
 */
#include "base/error.h"
#include "sieve/match_priv.h"

enum { ANSWER_MAXIMUM = 64 * 1024 }; /* bytes of a value that the host gives */

/* Compares what the host gave; with ERROR_NOT_FOUND there is nothing to compare. */
static int match_answer(struct matcher *matcher, struct buffer *answer, int error)
{
    struct run *run = matcher->run;
    struct slice copy = {NULL, 0};
    if (!error)
        copy = run_copy(run, buffer_slice(answer));
    buffer_release(answer);
    if (error && error != ERROR_NOT_FOUND)
        return run_fail(run, "a question of the script cannot be answered: %s", error_text(error));
    if (copy.data)
        match_text(matcher, copy);
    return match_end(matcher);
}

/* RFC 5183 section 4.1: what the engine itself knows. RFC 6785 section 4: what is about IMAP events
 * is empty at delivery. */
static int own_environment(const struct run *run, struct slice name, struct buffer *value)
{
    static const char *const of_events[] = {"imap.user", "imap.email", "imap.cause", "imap.mailbox",
                                            "imap.changedflags"};
    for (size_t i = 0; i < sizeof(of_events) / sizeof(of_events[0]); i++)
        if (!run->input->event && slice_equal_nocase(name, slice_from_string(of_events[i])))
            return 0;
    if (slice_equal_nocase(name, SLICE("name")))
        return buffer_append_string(value, "Chapar");
    if (slice_equal_nocase(name, SLICE("version")))
        return buffer_append_string(value, CHAPAR_VERSION);
    return ERROR_NOT_FOUND;
}

/* Operands: 0 keys, 1 the item's name. */
static int run_environment(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct buffer value;
    struct slice name = run_string(run, operands[1]);
    int error = ERROR_NOT_FOUND;
    match_begin(&matcher, run, operands[0]);
    buffer_init(&value, ANSWER_MAXIMUM);
    if (run->host->environment)
        error = run->host->environment(run->host->arg, name, &value);
    if (error == ERROR_NOT_FOUND)
        error = own_environment(run, name, &value);
    return match_answer(&matcher, &value, error);
}

const struct definition definition_environment = {.name = "environment",
                                                  .extension = EXT_ENVIRONMENT,
                                                  .test = true,
                                                  .operands = "ks",
                                                  .positions = "ba",
                                                  .tags = {match_tags},
                                                  .run = run_environment};

/* Whether something that the host knows is there for every name of a list. */
static int ask_all(struct run *run, uint32_t names,
                   int (*ask)(void *arg, struct slice name, bool *exists))
{
    run->truth = ask != NULL;
    for (size_t i = 0; i < run_list_size(run, names) && run->truth; i++) {
        bool exists = false;
        int error = ask(run->host->arg, run_list_at(run, names, i), &exists);
        if (error)
            return run_fail(run, "mailboxes cannot be looked up: %s", error_text(error));
        run->truth = exists;
    }
    return 0;
}

/* Operands: 0 names. */
static int run_mailboxexists(struct run *run, const uint32_t *operands)
{
    return ask_all(run, operands[0], run->host->mailbox_exists);
}

const struct definition definition_mailboxexists = {.name = "mailboxexists",
                                                    .extension = EXT_MAILBOX,
                                                    .test = true,
                                                    .operands = "l",
                                                    .positions = "a",
                                                    .run = run_mailboxexists};

/* Operands: 0 ids. */
static int run_mailboxidexists(struct run *run, const uint32_t *operands)
{
    return ask_all(run, operands[0], run->host->mailbox_id_exists);
}

const struct definition definition_mailboxidexists = {.name = "mailboxidexists",
                                                      .extension = EXT_MAILBOXID,
                                                      .test = true,
                                                      .operands = "l",
                                                      .positions = "a",
                                                      .run = run_mailboxidexists};

/* Operands: 0 the mailbox or none, 1 uses. */
static int run_specialuse_exists(struct run *run, const uint32_t *operands)
{
    struct slice mailbox = run_string(run, operands[0]);
    run->truth = run->host->special_use_exists != NULL;
    for (size_t i = 0; i < run_list_size(run, operands[1]) && run->truth; i++) {
        bool exists = false;
        int error = run->host->special_use_exists(run->host->arg, mailbox,
                                                  run_list_at(run, operands[1], i), &exists);
        if (error)
            return run_fail(run, "mailboxes cannot be looked up: %s", error_text(error));
        run->truth = exists;
    }
    return 0;
}

const struct definition definition_specialuse_exists = {.name = "specialuse_exists",
                                                        .extension = EXT_SPECIAL_USE,
                                                        .test = true,
                                                        .operands = "Sl",
                                                        .positions = "ab",
                                                        .first_optional = true,
                                                        .run = run_specialuse_exists};

static int ask_metadata(struct run *run, struct slice mailbox, struct slice name,
                        struct buffer *value)
{
    buffer_init(value, ANSWER_MAXIMUM);
    return run->host->metadata ? run->host->metadata(run->host->arg, mailbox, name, value)
                               : ERROR_NOT_FOUND;
}

static int match_metadata(struct run *run, uint32_t keys, uint32_t mailbox, uint32_t name)
{
    struct matcher matcher;
    struct buffer value;
    match_begin(&matcher, run, keys);
    int error = ask_metadata(run, run_string(run, mailbox), run_string(run, name), &value);
    return match_answer(&matcher, &value, error);
}

static int all_metadata(struct run *run, uint32_t mailbox, uint32_t names)
{
    run->truth = true;
    for (size_t i = 0; i < run_list_size(run, names) && run->truth; i++) {
        struct buffer value;
        int error = ask_metadata(run, run_string(run, mailbox), run_list_at(run, names, i), &value);
        buffer_release(&value);
        if (error && error != ERROR_NOT_FOUND)
            return run_fail(run, "annotations cannot be looked up: %s", error_text(error));
        run->truth = !error;
    }
    return 0;
}

/* Operands: 0 keys, 1 the mailbox, 2 the annotation. */
static int run_metadata(struct run *run, const uint32_t *operands)
{
    return match_metadata(run, operands[0], operands[1], operands[2]);
}

const struct definition definition_metadata = {.name = "metadata",
                                               .extension = EXT_MBOXMETADATA,
                                               .test = true,
                                               .operands = "kss",
                                               .positions = "bca",
                                               .tags = {match_tags},
                                               .run = run_metadata};

/* Operands: 0 the mailbox, 1 annotations. */
static int run_metadataexists(struct run *run, const uint32_t *operands)
{
    return all_metadata(run, operands[0], operands[1]);
}

const struct definition definition_metadataexists = {.name = "metadataexists",
                                                     .extension = EXT_MBOXMETADATA,
                                                     .test = true,
                                                     .operands = "sl",
                                                     .positions = "ab",
                                                     .run = run_metadataexists};

/* Operands: 0 keys, 1 the annotation. */
static int run_servermetadata(struct run *run, const uint32_t *operands)
{
    return match_metadata(run, operands[0], NO_CONSTANT, operands[1]);
}

const struct definition definition_servermetadata = {.name = "servermetadata",
                                                     .extension = EXT_SERVERMETADATA,
                                                     .test = true,
                                                     .operands = "ks",
                                                     .positions = "ba",
                                                     .tags = {match_tags},
                                                     .run = run_servermetadata};

/* Operands: 0 annotations. */
static int run_servermetadataexists(struct run *run, const uint32_t *operands)
{
    return all_metadata(run, NO_CONSTANT, operands[0]);
}

const struct definition definition_servermetadataexists = {.name = "servermetadataexists",
                                                           .extension = EXT_SERVERMETADATA,
                                                           .test = true,
                                                           .operands = "l",
                                                           .positions = "a",
                                                           .run = run_servermetadataexists};
