/*
 * LMTP before login, for mail servers on other machines (RFC 2033): LHLO, STARTTLS (RFC 3207), AUTH
 * (RFC 4954), NOOP, RSET, QUIT. Everything else is for who may deliver: 530 5.7.0.
 *
 * The whole engine that reads strangers' bytes (proto/sasl/login.h). Who has logged in is handed
 * over with the exchange's tag, from which lmtp_resume (engine.h) goes on: "AUTH name", with the
 * name that LHLO gave, since the client need not say it again (RFC 4954 section 4). The session
 * answers the AUTH.
 *
 * A client that may deliver without logging in (login_options.trusted) is handed over when it says
 * LHLO over TLS, by an exchange of the mechanism EXTERNAL (RFC 4422 appendix A), which nobody can
 * ask for: what it is known by is its address. The tag is "LHLO name", and the session answers the
 * LHLO. When it is refused after all, it is as any other client from then on.
 *
 * Memory: LMTP_LOGIN_LINE_MAXIMUM for a line, as much for a response, LMTP_ADDRESS_MAXIMUM for the
 * name, LMTP_TAG_MAXIMUM.
 */
#ifndef PROTO_LMTP_LOGIN_H
#define PROTO_LMTP_LOGIN_H

#include "proto/lmtp/engine.h"
#include "proto/sasl/login_lines.h"

enum {
    LMTP_LOGIN_LINE_MAXIMUM = 4096, /* bytes of a line without its end; responses of the mechanisms
                                       there are need less (RFC 4954 section 4) */
    LMTP_LOGIN_OUTPUT_MAXIMUM = 4096,
};

struct lmtp_login {
    struct login_lines lines; /* with the name of LHLO */
};

/* Refusals are 535 5.7.8 or 454 4.7.0. Released by login_engine_release. */
void lmtp_login_init(struct lmtp_login *login, const struct login_options *options, bool tls);

#endif
