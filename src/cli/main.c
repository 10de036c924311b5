/*
 * chapar: the administrator's command.
 *
 * chapar [-c FILE] [--json] NOUN [VERB] [ARGUMENT...]
 *
 * It works through the running server's admin socket, or directly on the data when no server
 * runs. The table below is its whole surface; usage, --help and chapar(1) come from it.
 */
#include "base/error.h"
#include "cli/cli_priv.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char default_config[] = "/etc/chapar/chapar.conf";

const struct verb verbs[] = {
    {"init", NULL,
     "DIR --domain DOMAIN [--account NAME] [--ports N] [--hostname NAME] [--listen ADDRESS] "
     "[--certificate FILE --key FILE] "
     "[--engine rados --pool POOL [--ceph-config FILE] [--ceph-user USER]]",
     "Make a configuration, a data directory, a certificate and the first account",
     "DIR must be missing or empty. --ports N adds N to every standard port: with 10000, IMAP is "
     "10143. --listen names the one address to listen on; the default is all. Without "
     "--certificate a self-signed one is made. With --engine rados the data is in a pool of a Ceph "
     "cluster, which is made before; several nodes use one pool, each with a DIR of its own. The "
     "account's password is asked for, or read from "
     "standard input when that is no terminal.",
     verb_init},
    {"account", "add", "[--shared] ADDRESS", "Make an account with its special-use mailboxes",
     "The password is asked for, or read from standard input when that is no terminal. --shared: "
     "the account is nobody's own. It has no password, and nobody logs in to it; who may do what "
     "with its mailboxes says chapar share, and IMAP clients find them below Shared/ADDRESS/.",
     verb_account_add},
    {"account", "list", "", "List all accounts", "", NULL, "account.list", "", NULL},
    {"account", "delete", "ADDRESS [--yes]", "Remove an account and all its mail",
     "Asks first on a terminal; --yes answers beforehand.", verb_account_delete},
    {"account", "password", "ADDRESS", "Set an account's password",
     "The password is asked for, or read from standard input when that is no terminal. Open "
     "sessions go on; the old password is refused at once.",
     verb_account_password},
    {"account", "rename", "[--keep-alias] ADDRESS TO", "Give an account another address",
     "Its mail, password, groups and aliases stay with it; open sessions go on. --keep-alias: mail "
     "to the address it had still reaches it. When it was interrupted, the same command again "
     "finishes it.",
     verb_account_rename},
    {"account", "change", "ADDRESS --shared yes|no", "Make an account a shared one, or no more",
     "yes: its password goes, its sessions end, and URLs signed by who had it are worth nothing. "
     "no: nobody can log in before chapar account password has set one. Mail, rights and "
     "subscriptions stay; others find its mailboxes below Shared/ or Other Users/ from now on. "
     "When "
     "it was interrupted, the same command again finishes it.",
     verb_account_change},
    {"account", "show", "ADDRESS", "Show an account, and the groups and aliases that have it", "",
     NULL, "account.show", "address", NULL},
    {"account", "dump", "ADDRESS", "Print an account's key space readably",
     "A line for each key with what its record says; bodies and summaries by their size alone. "
     "The families of keys are described in docs/format.md.",
     NULL, "account.dump", "address", NULL},
    {"domain", "add", "DOMAIN", "Add a domain, so that addresses can be made in it",
     "chapar init adds the first.", NULL, "domain.add", "domain", "added"},
    {"domain", "delete", "DOMAIN", "Remove a domain without addresses",
     "Refused while there are addresses in it, and for default_domain.", NULL, "domain.delete",
     "domain", "deleted"},
    {"domain", "list", "", "List all domains", "", NULL, "domain.list", "", NULL},
    {"alias", "add", "ADDRESS TARGET...", "Send mail for an address on to others here",
     "Targets are accounts, groups and other aliases of this server. An alias that is there gets "
     "more targets.",
     NULL, "alias.add", "address target target...", "added"},
    {"alias", "delete", "ADDRESS [TARGET...]", "Remove an alias, or targets of it",
     "With its last target the alias goes.", NULL, "alias.delete", "address target...", "deleted"},
    {"alias", "list", "", "List all aliases, a line for each target", "", NULL, "alias.list", "",
     NULL},
    {"group", "add", "ADDRESS", "Make a group without members",
     "Mail to it goes to every account in it, and in the groups in it.", NULL, "group.add",
     "address", "added"},
    {"group", "delete", "ADDRESS", "Remove a group, not its members", "", NULL, "group.delete",
     "address", "deleted"},
    {"group", "list", "", "List all groups", "", NULL, "group.list", "", NULL},
    {"group", "add-member", "GROUP MEMBER...", "Add accounts or groups to a group",
     "All of them, or none when one cannot be added.", NULL, "group.add-member",
     "address member member...", "added to"},
    {"group", "remove-member", "GROUP MEMBER...", "Take accounts or groups out of a group",
     "All of them, or none when one is no member.", NULL, "group.remove-member",
     "address member member...", "removed from"},
    {"group", "members", "GROUP", "List the members of a group", "", NULL, "group.members",
     "address", NULL},
    {"check", NULL, "[--deep] [--repair] [ACCOUNT...]",
     "Check accounts and the directory, and mend",
     "The directory and all accounts, or the accounts named, one after the other, while the server "
     "runs or not. --deep "
     "reads "
     "every body, too. --repair mends what can be derived from the rest, and names what is lost. "
     "Exit status 0: all is well, or has been mended; 1: something is wrong or lost.",
     verb_check},
    {"freeze", NULL, "[--timeout SECONDS] [-- COMMAND [ARGUMENT...]]",
     "Hold all changes of mail, and run a command meanwhile",
     "For a copy or a snapshot of the data directory. When nothing changes any more and everything "
     "is on stable storage, COMMAND is run, changes go on, and its exit status is returned; or 7 "
     "when the time was over before it ended: then the copy is worthless. Without COMMAND the "
     "freeze "
     "lasts until chapar thaw or the end of the time. Mail is read meanwhile, and who changes "
     "something waits. The time is 5 seconds unless --timeout says otherwise (0.001 to 240). "
     "When no server runs nothing changes, and COMMAND is simply run.",
     verb_freeze},
    {"thaw", NULL, "", "End a freeze",
     "Exit status 0: it was in force until now. 1: it had ended before, by its deadline, or there "
     "was none: a snapshot taken meanwhile must be taken again.",
     verb_thaw},
    {"undelete", "list", "ADDRESS [--mailbox PATH] [--days N] [--uids SET]",
     "List what was deleted and can be brought back",
     "Deleted mailboxes with their ids; or with --mailbox the messages that were expunged from it, "
     "all of them, those of the last N days, or those with the UIDs of a set such as 1:5,7.",
     NULL, "undelete.list", "address --mailbox= --days= --uids=", NULL},
    {"undelete", "messages", "ADDRESS MAILBOX [--days N] [--uids SET] [--to PATH]",
     "Bring back messages that were expunged",
     "Into the mailbox they were in, or that of --to, with new UIDs.", NULL, "undelete.messages",
     "address mailbox --days= --uids= --to=", NULL},
    {"undelete", "mailbox", "ADDRESS ID [--to PATH]", "Bring back a deleted mailbox",
     "With all its messages, under the path it had or that of --to. When its path is taken, a "
     "number "
     "is put behind it.",
     NULL, "undelete.mailbox", "address id --to=", "brought back"},
    {"purge", NULL, "[ACCOUNT...]", "Remove for good what was deleted long ago",
     "What is older than keep_expunged, of all accounts or those named. The server does the same "
     "by "
     "itself, about once a day for each account that is used.",
     NULL, "purge", "account...", NULL},
    {"mailbox", "list", "ADDRESS", "List the mailboxes of an account", "", NULL, "mailbox.list",
     "address", NULL},
    {"mailbox", "create", "ADDRESS PATH [--use USE]", "Make a mailbox, and those above it",
     "PATH is in UTF-8 with / between its levels: Lists/Chapar. USE is a special use of RFC 6154: "
     "All, Archive, Drafts, Flagged, Important, Junk, Sent, Snoozed or Trash. It is subscribed. "
     "What is "
     "made "
     "below a shared mailbox is shared as that is.",
     NULL, "mailbox.create", "address path --use=", "created"},
    {"mailbox", "delete", "ADDRESS PATH", "Remove a mailbox and its messages",
     "chapar undelete mailbox brings it back for some time.", NULL, "mailbox.delete",
     "address path", "deleted"},
    {"mailbox", "rename", "ADDRESS PATH TO", "Give a mailbox another path",
     "What is below it goes along, and who it is shared with stays. INBOX gives its messages away.",
     NULL, "mailbox.rename", "address path to", "renamed to"},
    {"mailbox", "move", "ADDRESS PATH ACCOUNT [--to PATH]",
     "Move a mailbox's messages to another account",
     "Into the mailbox of the same path there, or that of --to, which is made when it is missing. "
     "With the last message the mailbox goes, unless it is INBOX or has others below it. When it "
     "was interrupted, or the other account's quota is used up, every message is in one of the two "
     "accounts, and the same command again goes on. What was moved can be brought back with chapar "
     "undelete.",
     NULL, "mailbox.move", "address path account --to=", "moved to"},
    {"share", "add", "ADDRESS PATH WITH RIGHTS [--deny]", "Share a mailbox of an account",
     "WITH is an account or a group, anyone, or anonymous. RIGHTS are read, post, write, all, or "
     "letters of RFC 4314 and 5257 such as lrs; they replace what WITH had, and are seen at once. "
     "--deny: "
     "these rights are taken away from what others give. The owner has every right.",
     NULL, "share.add", "address path with rights --deny", NULL},
    {"share", "remove", "ADDRESS PATH WITH [--deny]", "Share a mailbox with somebody no more",
     "--deny: rights are taken away no more.", NULL, "share.remove", "address path with --deny",
     NULL},
    {"share", "list", "ADDRESS [--mailbox PATH]", "List what an account shares, and with whom",
     "With - in front the rights are taken away.", NULL, "share.list", "address --mailbox=", NULL},
    {"share", "with", "ADDRESS", "List what others share with an account",
     "By themselves, and by the groups that it is in.", NULL, "share.with", "address", NULL},
    {"quota", "get", "ADDRESS", "Show what an account uses and may use",
     "Resources are those of RFC 9208: STORAGE and ANNOTATION-STORAGE in bytes, MESSAGE, MAILBOX. "
     "A limit of 0 is none.",
     NULL, "quota.get", "address", NULL},
    {"quota", "set", "ADDRESS RESOURCE LIMIT", "Limit what an account may use",
     "LIMIT may have K, M, G or T behind it; 0 takes the limit away.", NULL, "quota.set",
     "address resource limit", NULL},
    {"outgoing", "list", "[ADDRESS...]", "List mail on its way out",
     "What scripts of accounts redirect, answer and notify of, and the mail server has not taken "
     "yet: a line for each recipient, with the reply to the last attempt. Without ADDRESS of all "
     "accounts.",
     NULL, "outgoing.list", "address...", NULL},
    {"outgoing", "retry", "ADDRESS MESSAGE", "Try at once to send a message on its way out",
     "MESSAGE is the number that outgoing list shows.", NULL, "outgoing.retry", "address message",
     "due now"},
    {"outgoing", "delete", "ADDRESS MESSAGE", "Remove a message on its way out, unsent", "", NULL,
     "outgoing.delete", "address message", "deleted"},
    {"status", NULL, "", "Show the running server: processes, confinement, counters",
     "What each process may do is read back from the kernel, not from the configuration.",
     verb_status},
    {"config", "check", "", "Check the configuration file",
     "Prints every problem with file and line.", verb_config_check},
    {"config", "show", "", "Show every option with its value, default and meaning", "",
     verb_config_show},
    {"sieve", "check", "FILE", "Check a Sieve script",
     "Prints every error and warning with line and column. Needs no server.", verb_sieve_check},
    {"sieve", "run",
     "FILE MESSAGE [--from ADDRESS] [--to ADDRESS] [--messages] [--imap-cause CAUSE] "
     "[--imap-mailbox MAILBOX] "
     "[--imap-user USER] [--imap-email ADDRESS] [--flags FLAGS] [--changed-flags FLAGS]",
     "Show what a Sieve script would do with a message",
     "Prints each test with its result and each action with the script's line, and behind => what "
     "would be done; nothing is. With --messages also the message as each action takes it. --from "
     "and --to are the envelope. With --imap-cause (APPEND, COPY "
     "or FLAG) it is run as for an IMAP event: MESSAGE is in MAILBOX with these FLAGS, of which "
     "--changed-flags have been changed; FLAGS are names with blanks between them. Needs no "
     "server: scripts to be "
     "included are looked for beside FILE, as NAME or NAME.sieve, and mailboxes, annotations and "
     "lists are taken for not there. Exit status 1: the script has an error, also at run time.",
     verb_sieve_run},
    {"sieve", "list", "[ADDRESS | --domain DOMAIN | --global]", "List Sieve scripts",
     "Those of an account, and which of them is active; without ADDRESS those of the "
     "administrator, "
     "with their domain or (all), and where they run: before the users', after them, for IMAP "
     "events, or included by their name.",
     verb_sieve_list},
    {"sieve", "get", "ADDRESS NAME | --domain DOMAIN|--global --before|--after|--event|NAME",
     "Print a Sieve script", "As it was put.", verb_sieve_get},
    {"sieve", "put",
     "[--activate] ADDRESS NAME FILE | --domain DOMAIN|--global --before|--after|--event|NAME FILE",
     "Store a Sieve script",
     "FILE may be - for standard input. It is checked; one with an error is not stored, and each "
     "error and warning is printed with line and column. An account's script runs when it is "
     "active. Scripts of the administrator run at once: those --before, then the user's, then "
     "those "
     "--after, as long as each keeps the message, around them those of --global; those for an "
     "--event when an IMAP client appends or copies messages or changes flags; or, with a NAME, "
     "where another includes them with :global.",
     verb_sieve_put},
    {"sieve", "delete", "ADDRESS NAME | --domain DOMAIN|--global --before|--after|--event|NAME",
     "Remove a Sieve script", "But an account's active one, which is to be deactivated before.",
     verb_sieve_delete},
    {"sieve", "activate", "ADDRESS NAME | --domain DOMAIN|--global --before|--after|--event",
     "Have a Sieve script run",
     "Of an account it is the only one then. With --global --before, when there is no such script, "
     "the one comes back that is there from the beginning, which files what a header calls spam "
     "into "
     "the mailbox for it.",
     verb_sieve_activate},
    {"sieve", "deactivate", "ADDRESS | --domain DOMAIN|--global --before|--after|--event",
     "Have a Sieve script not run", "It is kept. Of an account, whichever is active.",
     verb_sieve_deactivate},
    {"manual", NULL, "PAGE", "Print a manual page in troff: chapar.1 or chapar.conf.5",
     "The pages are made from the tables that the program itself goes by.", verb_manual},
    {NULL},
};

int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("chapar: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_FAILED;
}

int complain_error(const char *what, int error, const char *detail)
{
    if (detail && *detail)
        complain("%s: %s: %s", what, error_text(error), detail);
    else
        complain("%s: %s", what, error_text(error));
    if (error == ERROR_NOT_FOUND)
        return EXIT_MISSING;
    if (error == ERROR_EXISTS)
        return EXIT_EXISTS;
    return error_is_temporary(error) ? EXIT_TEMPORARY : EXIT_FAILED;
}

const struct verb *find_verb(const char *noun, const char *name)
{
    for (const struct verb *verb = verbs; verb->noun; verb++)
        if (strcmp(verb->noun, noun) == 0 &&
            (!verb->name || (name && strcmp(verb->name, name) == 0)))
            return verb;
    return NULL;
}

static void remove_arguments(struct invocation *invocation, int index, int count)
{
    for (int i = index; i + count <= invocation->count; i++)
        invocation->arguments[i] = invocation->arguments[i + count];
    invocation->count -= count;
}

/* Options end at "--": what is behind it is another command's. */
const char *take_option(struct invocation *invocation, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < invocation->count; i++) {
        char *argument = invocation->arguments[i];
        if (strcmp(argument, "--") == 0)
            break;
        if (strncmp(argument, name, length) != 0)
            continue;
        if (argument[length] == '=') {
            remove_arguments(invocation, i, 1);
            return argument + length + 1;
        }
        if (argument[length] == '\0' && i + 1 < invocation->count) {
            char *value = invocation->arguments[i + 1];
            remove_arguments(invocation, i, 2);
            return value;
        }
    }
    return NULL;
}

bool take_switch(struct invocation *invocation, const char *name)
{
    for (int i = 0; i < invocation->count && strcmp(invocation->arguments[i], "--") != 0; i++) {
        if (strcmp(invocation->arguments[i], name) == 0) {
            remove_arguments(invocation, i, 1);
            return true;
        }
    }
    return false;
}

static void print_verb_usage(FILE *file, const struct verb *verb)
{
    fprintf(file, "chapar [-c FILE] [--json] %s%s%s %s\n", verb->noun, verb->name ? " " : "",
            verb->name ? verb->name : "", verb->arguments);
}

bool arguments_finish(struct invocation *invocation, const struct verb *verb, int count)
{
    for (int i = 0; i < invocation->count; i++) {
        if (invocation->arguments[i][0] == '-' && invocation->arguments[i][1]) {
            complain("%s: no such option here, or its value is missing", invocation->arguments[i]);
            print_verb_usage(stderr, verb);
            return false;
        }
    }
    if (invocation->count == count)
        return true;
    complain("expected %d argument%s, got %d", count, count == 1 ? "" : "s", invocation->count);
    print_verb_usage(stderr, verb);
    return false;
}

int load_config(const struct invocation *invocation, struct config **config)
{
    struct buffer problems;
    buffer_init(&problems, 1 << 20);
    int error = config_read(invocation->config_path, config, &problems);
    if (error)
        fwrite(problems.data, 1, problems.size, stderr);
    buffer_release(&problems);
    return error == ERROR_NOT_FOUND ? EXIT_MISSING : error ? EXIT_FAILED : EXIT_DONE;
}

int print_json(json_t *value)
{
    int failed = !value || json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0;
    putchar('\n');
    json_decref(value);
    return failed ? EXIT_FAILED : EXIT_DONE;
}

static void print_usage(FILE *file)
{
    fputs("chapar: the administrator's command of the Chapar mail server\n\nusage:\n", file);
    for (const struct verb *verb = verbs; verb->noun; verb++) {
        fprintf(file, "  chapar %s%s%s %s\n      %s\n", verb->noun, verb->name ? " " : "",
                verb->name ? verb->name : "", verb->arguments, verb->summary);
    }
    fprintf(file,
            "\noptions:\n  -c FILE    the configuration (default %s)\n"
            "  --json     results as JSON\n  --help     this, or a verb's own help\n"
            "  --version\n",
            default_config);
}

static int print_help(const struct verb *verb)
{
    print_verb_usage(stdout, verb);
    printf("\n%s.\n%s%s", verb->summary, verb->help, *verb->help ? "\n" : "");
    return EXIT_DONE;
}

static int run_verb(struct invocation *invocation, bool help)
{
    if (invocation->count == 0) {
        print_usage(help ? stdout : stderr);
        return help ? EXIT_DONE : EXIT_USAGE;
    }
    const char *noun = invocation->arguments[0];
    const struct verb *verb = find_verb(noun, invocation->arguments[1]);
    if (!verb) {
        complain("%s%s%s: no such command; chapar --help lists them", noun,
                 invocation->count > 1 ? " " : "",
                 invocation->count > 1 ? invocation->arguments[1] : "");
        return EXIT_USAGE;
    }
    if (help)
        return print_help(verb);
    remove_arguments(invocation, 0, verb->name ? 2 : 1);
    return verb->run ? verb->run(invocation) : call_run(invocation, verb);
}

int main(int count, char **arguments)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    struct invocation invocation = {
        .config_path = default_config, .arguments = arguments + 1, .count = count - 1};
    if (take_switch(&invocation, "--version")) {
        puts("chapar " CHAPAR_VERSION);
        return EXIT_DONE;
    }
    const char *path = take_option(&invocation, "-c");
    if (path)
        invocation.config_path = path;
    invocation.json = take_switch(&invocation, "--json");
    invocation.yes = take_switch(&invocation, "--yes");
    bool help = take_switch(&invocation, "--help");
    int status = run_verb(&invocation, help);
    if (fflush(stdout) != 0 && status == EXIT_DONE)
        return complain("standard output cannot be written");
    return status;
}
