/*
 * What of Sieve a ManageSieve server announces (RFC 5804 section 1.7). Constants alone: who uses
 * them links nothing of the engine, so chapar-login, which greets strangers, may.
 */
#ifndef SIEVE_CAPABILITY_H
#define SIEVE_CAPABILITY_H

/* URI schemes of notify (RFC 5435 section 3), separated by spaces. */
#define SIEVE_NOTIFY_METHODS "mailto"

/* The names of all extensions as `require` has them, separated by spaces: 1024 bytes at most, so
 * that it fits a quoted string (RFC 5804 section 4). */
const char *sieve_extension_list(void);

#endif
