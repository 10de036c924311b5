/* ManageSieve's engine before login. */
#include "login.h"

static void set_up(struct login_caller *caller, const struct login_options *options, bool tls)
{
    managesieve_login_init(&caller->login.managesieve, options, tls);
}

static void check_granted(const struct login_caller *caller)
{
    (void)caller;
}
