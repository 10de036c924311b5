/*
 * Preparing a password: the OpaqueString profile (RFC 8265 section 4.2), so that the same
 * password typed on two machines is the same bytes.
 */
#ifndef CREDENTIALS_PASSWORD_PRIV_H
#define CREDENTIALS_PASSWORD_PRIV_H

#include "credentials/credentials.h"

struct prepared_password {
    char bytes[CREDENTIALS_PASSWORD_MAXIMUM];
    size_t size;
    size_t characters; /* code points */
};

/* ASCII is taken as it is; anything else goes through ICU: spaces become U+0020, NFC, and what
 * the FreeformClass (RFC 8264 section 4.3) does not permit is refused. The characters that need
 * a context (joiners) are refused too. ERROR_SYNTAX; ERROR_LIMIT for more than
 * CREDENTIALS_PASSWORD_MAXIMUM bytes, before or after. The caller wipes *prepared. */
int password_prepare(struct slice password, struct prepared_password *prepared);

#endif
