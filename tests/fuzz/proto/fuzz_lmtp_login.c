/*
 * LMTP's engine before login. Whatever it hands over, the engine of delivery goes on from.
 */
#include "login.h"

static void set_up(struct login_caller *caller, const struct login_options *options, bool tls)
{
    lmtp_login_init(&caller->login.lmtp, options, tls);
}

static void check_granted(const struct login_caller *caller)
{
    struct lmtp lmtp;
    struct buffer output;
    buffer_init(&output, LMTP_REPLY_MAXIMUM);
    lmtp_init(&lmtp, "mail.example.test", &(struct lmtp_limits){1000, 10});
    if (lmtp_resume(&lmtp, buffer_slice(&caller->login.engine.exchange.tag), &output) ||
        buffer_error(&output))
        abort();
    lmtp_release(&lmtp);
    buffer_release(&output);
}
