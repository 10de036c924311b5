/*
 * chapar init: from an empty directory to a server that can be started.
 */
#include "base/error.h"
#include "cli/backend_priv.h"
#include "cli/certificate_priv.h"
#include "ipc/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORT_OFFSET_MAXIMUM = 60000 };

/* What init was asked for, and what follows from it. */
struct plan {
    char directory[PATH_MAX]; /* absolute */
    const char *domain, *account, *hostname, *listen, *certificate, *key;
    const char *pool, *user;    /* of a Ceph cluster; NULL: the data is on this machine */
    char ceph_config[PATH_MAX]; /* absolute; empty: Ceph's own place */
    long ports;
    char login_user[32], auth_user[32], session_user[32], send_user[32];
};

/* --- the users --- */

/* As root, the packaged users if they are there; otherwise numbers out of the range that Debian
 * and systemd leave to services (61184 to 65519), so that the separation holds without them. */
static void choose_user(const char *name, unsigned number, char user[32])
{
    uid_t uid;
    gid_t gid;
    if (confine_user(name, &uid, &gid) == 0)
        snprintf(user, 32, "%s", name);
    else
        snprintf(user, 32, "#%u", number);
}

static void choose_users(struct plan *plan)
{
    choose_user("chapar-login", 61190, plan->login_user);
    choose_user("chapar-auth", 61191, plan->auth_user);
    choose_user("chapar", 61192, plan->session_user);
    choose_user("chapar-send", 61193, plan->send_user);
}

/* --- the directories --- */

/* Mode and owner are set by descriptor: root may work in a directory of somebody else's, who could
 * put a link in the new one's place. */
static int make_directory(const char *path, mode_t mode, const char *owner)
{
    uid_t uid = (uid_t)-1; /* as it is */
    gid_t gid = (gid_t)-1;
    int error = owner && getuid() == 0 ? confine_user(owner, &uid, &gid) : 0;
    if (error)
        return error;
    if (mkdir(path, mode) < 0)
        return error_from_errno(errno);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return error_from_errno(errno);
    if (fchmod(directory, mode) < 0 || fchown(directory, uid, gid) < 0)
        error = error_from_errno(errno);
    close(directory);
    return error;
}

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return false;
    int entries = 0;
    while (readdir(directory))
        entries++;
    closedir(directory);
    return entries <= 2; /* "." and ".." */
}

static int make_root(const char *path)
{
    if (mkdir(path, 0755) == 0 || (errno == EEXIST && is_empty(path)))
        return 0;
    return errno == EEXIST ? ERROR_EXISTS : error_from_errno(errno);
}

static int make_directories(const struct plan *plan)
{
    static const char *const names[] = {"data", "data/mail", "data/auth", "data/empty", "tls"};
    const char *owners[] = {NULL, plan->session_user, plan->auth_user, NULL, NULL};
    const mode_t modes[] = {0711, 0700, 0700, 0755, 0700};
    int error = make_root(plan->directory);
    for (size_t i = 0; !error && i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof(path), "%s/%s", plan->directory, names[i]);
        error = make_directory(path, modes[i], owners[i]);
    }
    return error;
}

/* --- the configuration --- */

static void put_listener(FILE *file, const struct plan *plan, const char *name, long port)
{
    if (plan->listen)
        fprintf(file, strchr(plan->listen, ':') ? "%s = {\"[%s]:%ld\"}\n" : "%s = {\"%s:%ld\"}\n",
                name, plan->listen, port + plan->ports);
    else if (access("/proc/net/if_inet6", R_OK) == 0)
        fprintf(file, "%s = {\"0.0.0.0:%ld\", \"[::]:%ld\"}\n", name, port + plan->ports,
                port + plan->ports);
    else
        fprintf(file, "%s = {\"0.0.0.0:%ld\"}\n", name, port + plan->ports);
}

static void put_config(FILE *file, const struct plan *plan)
{
    fprintf(file,
            "# Chapar's configuration: chapar.conf(5); \"chapar config show\" lists every option.\n"
            "\nhostname = \"%s\"\ndefault_domain = \"%s\"\ndata_directory = \"data\"\n\n",
            plan->hostname, plan->domain);
    put_listener(file, plan, "imap_listen", 143);
    put_listener(file, plan, "imaps_listen", 993);
    put_listener(file, plan, "pop3_listen", 110);
    put_listener(file, plan, "pop3s_listen", 995);
    put_listener(file, plan, "sieve_listen", 4190);
    fprintf(file,
            "lmtp_listen = {\"127.0.0.1:%ld\", \"unix:lmtp.sock\"}\n"
            "mta_listen = {\"127.0.0.1:%ld\"}\n\n",
            24 + plan->ports, 26 + plan->ports);
    fprintf(file, "tls_certificate = \"%s\"\ntls_key = \"%s\"\n",
            plan->certificate ? plan->certificate : "tls/certificate.pem",
            plan->key ? plan->key : "tls/key.pem");
    if (plan->pool)
        fprintf(file, "\nengine = \"rados\"\nrados_pool = \"%s\"\n", plan->pool);
    if (plan->pool && *plan->ceph_config)
        fprintf(file, "rados_config = \"%s\"\n", plan->ceph_config);
    if (plan->pool && plan->user)
        fprintf(file, "rados_user = \"%s\"\n", plan->user);
    if (getuid() == 0)
        fprintf(file,
                "\nlogin_user = \"%s\"\nauth_user = \"%s\"\nsession_user = \"%s\"\n"
                "send_user = \"%s\"\n",
                plan->login_user, plan->auth_user, plan->session_user, plan->send_user);
}

static int write_config(const struct plan *plan, const char *path)
{
    FILE *file = fopen(path, "wx");
    if (!file)
        return error_from_errno(errno);
    put_config(file, plan);
    bool failed = ferror(file) != 0;
    return fclose(file) != 0 || failed ? ERROR_IO : 0;
}

static int make_certificate(const struct plan *plan)
{
    char certificate[PATH_MAX + 32], key[PATH_MAX + 32];
    if (plan->certificate)
        return 0;
    snprintf(certificate, sizeof(certificate), "%s/tls/certificate.pem", plan->directory);
    snprintf(key, sizeof(key), "%s/tls/key.pem", plan->directory);
    return certificate_create(plan->hostname, certificate, key);
}

/* --- the domain and the first account --- */

static int ignore_row(const struct admin_field *fields, size_t count, void *arg)
{
    (void)fields, (void)count, (void)arg;
    return 0;
}

static int make_domain(struct backend *backend, const struct plan *plan)
{
    const struct admin_argument argument = {SLICE("domain"), slice_from_string(plan->domain)};
    const struct answer answer = {.row = ignore_row};
    return backend->operations->call(backend, "domain.add", &argument, 1, &answer);
}

static int make_account(struct backend *backend, const struct plan *plan, struct slice password)
{
    struct account_info account;
    int error = call_account(backend, "account.add", plan->account, &account);
    return error ? error : backend->operations->password_set(backend, &account, password);
}

static int fill(const struct plan *plan, const struct config *config, struct slice password)
{
    struct backend *backend = NULL;
    int status = EXIT_DONE, error = backend_offline_open(config, &backend);
    if (error)
        return complain_error(plan->directory, error, NULL);
    error = make_domain(backend, plan);
    if (error == ERROR_EXISTS && plan->pool)
        error = 0; /* another node has made it */
    if (error)
        status = complain_error(plan->domain, error, backend->detail);
    else if (plan->account && (error = make_account(backend, plan, password)))
        status = complain_error(plan->account, error, backend->detail);
    backend_close(&backend);
    return status;
}

/* --- what to do next --- */

static void print_next_steps(const struct plan *plan)
{
    const char *account = plan->account ? plan->account : "NAME";
    printf("Made a server for %s in %s\n\n"
           "Start it:    chapard -c %s/chapar.conf\n"
           "IMAP:        port %ld with STARTTLS, port %ld with TLS; user %s%s%s\n"
           "ManageSieve: port %ld with STARTTLS\n"
           "Deliver:     LMTP to 127.0.0.1:%ld or unix:%s/data/lmtp.sock\n",
           plan->domain, plan->directory, plan->directory, 143 + plan->ports, 993 + plan->ports,
           account, strchr(account, '@') ? "" : "@", strchr(account, '@') ? "" : plan->domain,
           4190 + plan->ports, 24 + plan->ports, plan->directory);
    /* Not the Unix socket: Debian's lmtp service changes its root, and the socket is the server's
     * own user's until lmtp_socket_group is set. */
    printf("In Postfix:  virtual_mailbox_domains = %s\n"
           "             virtual_transport = lmtp:inet:127.0.0.1:%ld\n"
           "             virtual_mailbox_maps = socketmap:inet:127.0.0.1:%ld:recipients\n"
           "             smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:%ld\n"
           "In the DNS:  %s. MX 10 %s.\n"
           "             _imaps._tcp.%s. SRV 0 1 %ld %s.\n"
           "             _sieve._tcp.%s. SRV 0 1 %ld %s.\n"
           "Accounts:    chapar -c %s/chapar.conf account add ADDRESS\n"
           "A mail server on another machine: lmtp_remote_listen and lmtp_accounts in "
           "chapar.conf(5);\n"
           "             lmtp_tls_security_level and lmtp_sasl_password_maps in its Postfix\n",
           plan->domain, 24 + plan->ports, 26 + plan->ports, 26 + plan->ports, plan->domain,
           plan->hostname, plan->domain, 993 + plan->ports, plan->hostname, plan->domain,
           4190 + plan->ports, plan->hostname, plan->directory);
}

/* --- all of it --- */

static bool is_name(const char *text)
{
    if (!text || !*text || strlen(text) > 253)
        return false;
    for (const char *p = text; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '.' || *p == '-'))
            return false;
    return text[0] != '.' && text[0] != '-';
}

static int absolute(const char *path, char absolute_path[PATH_MAX])
{
    char here[PATH_MAX];
    if (path[0] == '/')
        return snprintf(absolute_path, PATH_MAX, "%s", path) < PATH_MAX ? 0 : ERROR_LIMIT;
    if (!getcwd(here, sizeof(here)))
        return error_from_errno(errno);
    return snprintf(absolute_path, PATH_MAX, "%s/%s", here, path) < PATH_MAX ? 0 : ERROR_LIMIT;
}

static bool is_plain(const char *text)
{
    return !strpbrk(text, "\"\\\n");
}

/* --engine rados with --pool, and what goes with it. */
static int take_engine(struct invocation *invocation, struct plan *plan)
{
    const char *engine = take_option(invocation, "--engine");
    const char *config = take_option(invocation, "--ceph-config");
    plan->pool = take_option(invocation, "--pool");
    plan->user = take_option(invocation, "--ceph-user");
    bool rados = engine && strcmp(engine, "rados") == 0;
    if (engine && !rados && strcmp(engine, "sqlite") != 0)
        return complain("--engine takes sqlite or rados"), EXIT_USAGE;
    if (rados != !!plan->pool || (!rados && (plan->user || config)))
        return complain("--engine rados and --pool go together; --ceph-config and --ceph-user are "
                        "for them"),
               EXIT_USAGE;
    if (!rados)
        return EXIT_DONE;
    if (!is_plain(plan->pool) || (plan->user && !is_plain(plan->user)) ||
        (config && !is_plain(config)))
        return complain("neither quotes nor backslashes are possible in names of the cluster"),
               EXIT_USAGE;
    if (config && absolute(config, plan->ceph_config))
        return complain("%s: the path is too long", config);
    return EXIT_DONE;
}

static int make_plan(struct invocation *invocation, struct plan *plan)
{
    const char *ports = take_option(invocation, "--ports");
    plan->domain = take_option(invocation, "--domain");
    plan->account = take_option(invocation, "--account");
    plan->hostname = take_option(invocation, "--hostname");
    plan->listen = take_option(invocation, "--listen");
    plan->certificate = take_option(invocation, "--certificate");
    plan->key = take_option(invocation, "--key");
    int status = take_engine(invocation, plan);
    if (status)
        return status;
    if (!arguments_finish(invocation, find_verb("init", NULL), 1))
        return EXIT_USAGE;
    if (!is_name(plan->domain))
        return complain("--domain is needed, such as example.org"), EXIT_USAGE;
    if (plan->hostname && !is_name(plan->hostname))
        return complain("--hostname %s is no host name", plan->hostname), EXIT_USAGE;
    if (!plan->certificate != !plan->key)
        return complain("--certificate and --key go together"), EXIT_USAGE;
    char *end = NULL;
    plan->ports = ports ? strtol(ports, &end, 10) : 0;
    if (ports && (end == ports || *end || plan->ports < 0 || plan->ports > PORT_OFFSET_MAXIMUM))
        return complain("--ports takes a number from 0 to %d", PORT_OFFSET_MAXIMUM), EXIT_USAGE;
    if (!plan->hostname)
        plan->hostname = plan->domain;
    if (absolute(invocation->arguments[0], plan->directory))
        return complain("%s: the path is too long", invocation->arguments[0]);
    choose_users(plan);
    return EXIT_DONE;
}

static int carry_out(const struct plan *plan, struct slice password)
{
    char path[PATH_MAX + 16];
    struct config *config = NULL;
    snprintf(path, sizeof(path), "%s/chapar.conf", plan->directory);
    int error = make_directories(plan);
    if (error == ERROR_EXISTS)
        return complain_error(plan->directory, error, "and is not empty");
    if (!error)
        error = make_certificate(plan);
    if (!error)
        error = write_config(plan, path);
    if (error)
        return complain_error(plan->directory, error, NULL);
    struct invocation reading = {.config_path = path};
    int status = load_config(&reading, &config);
    if (!status)
        status = fill(plan, config, password);
    config_free(&config);
    return status;
}

int verb_init(struct invocation *invocation)
{
    struct plan plan = {0};
    struct buffer password;
    buffer_init(&password, 1);
    int status = make_plan(invocation, &plan);
    if (!status && plan.account)
        status = password_read(plan.account, &password);
    if (status)
        return status;
    status = carry_out(&plan, buffer_slice(&password));
    password_wipe(&password);
    if (!status && !invocation->json)
        print_next_steps(&plan);
    if (!status && invocation->json)
        status =
            print_json(json_pack("{s:s, s:s}", "directory", plan.directory, "domain", plan.domain));
    return status;
}
