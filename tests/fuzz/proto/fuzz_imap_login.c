/* IMAP's engine before login. */
#include "login.h"

static void set_up(struct login_caller *caller, const struct login_options *options, bool tls)
{
    imap_login_init(&caller->login.imap, options, tls);
}

static void check_granted(const struct login_caller *caller)
{
    (void)caller;
}
