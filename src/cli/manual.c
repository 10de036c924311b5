/*
 * chapar manual: manual pages in troff, from the tables the program goes by.
 */
#include "base/counters.h"
#include "cli/cli_priv.h"
#include "format/mime.h"
#include "proto/imap/login.h"
#include "proto/lmtp/login.h"
#include "proto/mta/engine.h"
#include "proto/sasl/plain.h"
#include "sieve/sieve.h"
#include "store/collection.h"

#include <stdio.h>

/* Text with what troff would take as its own escaped. */
static void put_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

static void put_head(const char *name, const char *section, const char *summary)
{
    printf(".TH %s %s \"\" \"Chapar " CHAPAR_VERSION "\"\n.SH NAME\n", name, section);
    put_text(name);
    printf(" \\- %s\n", summary);
}

static void put_command_page(void)
{
    put_head("chapar", "1", "administer a Chapar mail server");
    puts(".SH SYNOPSIS\n.B chapar\n[\\-c FILE] [\\-\\-json] NOUN [VERB] [ARGUMENT...]\n"
         ".SH DESCRIPTION\nWorks through the running server's admin socket, or directly on the "
         "data when no server runs.\nWho may: root, and the user the server runs as.\n"
         ".SH COMMANDS");
    for (const struct verb *verb = verbs; verb->noun; verb++) {
        fputs(".TP\n.B ", stdout);
        put_text(verb->noun);
        printf("%s%s ", verb->name ? " " : "", verb->name ? verb->name : "");
        put_text(verb->arguments);
        putchar('\n');
        put_text(verb->summary);
        fputs(".\n", stdout);
        put_text(verb->help);
        putchar('\n');
    }
    puts(".SH OPTIONS\n.TP\n.B \\-c FILE\nThe configuration; /etc/chapar/chapar.conf by default.\n"
         ".TP\n.B \\-\\-json\nResults as one JSON value.\n.TP\n.B \\-\\-help\nUsage, or a verb's "
         "own help.\n.SH EXIT STATUS\n0 done; 1 failed; 2 wrong usage; 3 what was named does not "
         "exist; 4 it exists already; 5 it may work later; 6 the server does not run; 7 a freeze "
         "ended before its command did.\n"
         ".SH COUNTERS\nShown by chapar status.");
    for (int i = 0; i < COUNTER_COUNT; i++)
        printf(".TP\n.B %s\n%s (%s).\n", counter_descriptions[i].name, counter_descriptions[i].help,
               counter_descriptions[i].unit);
    puts(".SH SEE ALSO\nchapard(8), chapar.conf(5)");
}

static const char *unit_text(enum config_unit unit)
{
    switch (unit) {
    case CONFIG_UNIT_BYTES:
        return "Bytes; K, M and G may follow the number.";
    case CONFIG_UNIT_SECONDS:
        return "Seconds; s, m, h and d may follow the number.";
    case CONFIG_UNIT_MICROSECONDS:
        return "Microseconds.";
    default:
        return "";
    }
}

/* What is fixed of what a stranger or a user can choose the size of. */
static const struct {
    long maximum;
    const char *what;
} limits[] = {
    {IMAP_LOGIN_LINE_MAXIMUM, "bytes of an IMAP command line before login"},
    {IMAP_LOGIN_LITERALS_MAXIMUM, "bytes of an IMAP command's literals before login"},
    {IMAP_LOGIN_BAD_MAXIMUM, "bad IMAP commands before login until the connection is closed"},
    {SASL_NAME_MAXIMUM, "bytes of a login name"},
    {SASL_PASSWORD_MAXIMUM, "bytes of a password"},
    {IMAP_TAG_MAXIMUM, "bytes of an IMAP command's tag"},
    {IMAP_MAILBOX_NAME_MAXIMUM, "bytes of a mailbox name in IMAP"},
    {IMAP_NESTING_MAXIMUM, "levels of parentheses, NOT and OR in SEARCH"},
    {IMAP_SEARCH_KEYS_MAXIMUM, "keys of one SEARCH"},
    {IMAP_SEARCH_TEXTS_MAXIMUM, "BODY and TEXT keys of one SEARCH"},
    {IMAP_SEQUENCE_RANGES_MAXIMUM, "ranges of a sequence set"},
    {IMAP_FETCH_ITEMS_MAXIMUM, "items of one FETCH"},
    {IMAP_FETCH_FIELDS_MAXIMUM, "header fields named by one FETCH"},
    {IMAP_SECTION_DEPTH_MAXIMUM, "part numbers of a section"},
    {IMAP_FLAGS_MAXIMUM, "flags and keywords of one command"},
    {IMAP_KEYWORD_MAXIMUM, "bytes of a keyword"},
    {IMAP_LIST_PATTERNS_MAXIMUM, "patterns of one LIST"},
    {IMAP_DISCARD_MAXIMUM, "bytes of a refused IMAP command until the connection is closed"},
    {LMTP_LINE_MAXIMUM, "bytes of an LMTP command line"},
    {LMTP_ADDRESS_MAXIMUM, "bytes of an address in LMTP"},
    {LMTP_BAD_MAXIMUM, "bad LMTP commands in a row until the connection is closed"},
    {LMTP_DISCARD_MAXIMUM, "bytes of an LMTP line until the connection is closed"},
    {LMTP_LOGIN_LINE_MAXIMUM, "bytes of an LMTP line before login"},
    {LMTP_ENVELOPE_ID_MAXIMUM, "bytes of ENVID in LMTP"},
    {LMTP_ORIGINAL_RECIPIENT_MAXIMUM, "bytes of ORCPT in LMTP"},
    {MTA_LOOKUP_MAXIMUM, "bytes of a socketmap's request"},
    {MTA_POLICY_MAXIMUM, "bytes of a policy request"},
    {MIME_DEPTH_MAXIMUM, "levels of nested parts that are looked into"},
    {MIME_PARTS_MAXIMUM, "parts of a message that are told apart"},
    {MIME_HEADER_BYTES_MAXIMUM, "bytes of a part's header that are looked at"},
    {MIME_HEADER_FIELDS_MAXIMUM, "fields of a part's header that are looked at"},
    {COLLECTION_NAME_MAXIMUM, "bytes of one level of a mailbox's path"},
    {COLLECTION_DEPTH_MAXIMUM, "levels of a mailbox's path"},
    {COLLECTIONS_MAXIMUM, "mailboxes of an account"},
    {KEYWORDS_MAXIMUM, "different keywords in a mailbox"},
    {DIRECTORY_DEPTH_MAXIMUM, "levels of groups in one another, and of aliases of aliases"},
    {GROUP_MEMBERS_MAXIMUM, "members of one group"},
    {ALIAS_TARGETS_MAXIMUM, "targets of one alias"},
    {DIRECTORY_HOLDERS_MAXIMUM, "groups and aliases that have one account itself"},
    {RESOLVED_ACCOUNTS_MAXIMUM, "accounts that mail to one address goes to"},
    {RESOLVED_LISTS_MAXIMUM, "groups and aliases behind one address"},
    {SIEVE_SCRIPT_MAXIMUM, "bytes of a Sieve script"},
    {SIEVE_NESTING_MAXIMUM, "blocks in one another, and tests, in a Sieve script"},
    {SIEVE_STRING_MAXIMUM, "bytes of one string in a Sieve script"},
    {SIEVE_VARIABLES_MAXIMUM, "variables of a Sieve script"},
    {SIEVE_REGEX_MAXIMUM, "bytes of a regular expression"},
    {SIEVE_STEPS_MAXIMUM, "steps of a Sieve script: instructions, and comparisons by size"},
    {SIEVE_ACTIONS_MAXIMUM, "actions of a Sieve script, the implicit keep counted"},
    {SIEVE_REDIRECTS_MAXIMUM, "addresses that a Sieve script may redirect a message to"},
    {SIEVE_INCLUDE_DEPTH_MAXIMUM, "Sieve scripts included in one another"},
};

static void put_limits(void)
{
    puts(".SH LIMITS\nThese are fixed. What passes one is refused with the protocol's own error; "
         "what is said to be looked at is merely not looked at beyond it.");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        printf(".TP\n.B %ld\n%s\n", limits[i].maximum, limits[i].what);
}

static void put_config_page(void)
{
    static const char *const types[] = {"string", "number", "true or false", "list of strings"};
    put_head("chapar.conf", "5", "configuration of a Chapar mail server");
    puts(".SH DESCRIPTION\nOne option a line, name = value; strings in quotes, lists in braces, "
         "comments after #.\nAn unknown option, a wrong type or a contradiction is an error: "
         "chapar config check names file and line.\nWhat changes while the server runs (accounts) "
         "is not here but in the directory, see chapar(1).\nchapard(8) reads the file again on "
         "SIGHUP.\n.SH OPTIONS");
    for (const struct config_option *option = config_options; option->name; option++) {
        printf(".TP\n.BR %s \" (%s", option->name, types[option->type]);
        if (option->type == CONFIG_TYPE_NUMBER)
            printf(", %lld to %lld", (long long)option->minimum, (long long)option->maximum);
        printf(")\"\n");
        put_text(option->help);
        printf(".\n%s\nDefault: ", unit_text(option->unit));
        put_text(*option->default_text ? option->default_text : "not set");
        putchar('\n');
    }
    put_limits();
    puts(".SH SEE ALSO\nchapar(1), chapard(8)");
}

int verb_manual(struct invocation *invocation)
{
    if (!arguments_finish(invocation, find_verb("manual", NULL), 1))
        return EXIT_USAGE;
    if (strcmp(invocation->arguments[0], "chapar.1") == 0)
        put_command_page();
    else if (strcmp(invocation->arguments[0], "chapar.conf.5") == 0)
        put_config_page();
    else
        return complain("%s: no such page", invocation->arguments[0]), EXIT_MISSING;
    return EXIT_DONE;
}
