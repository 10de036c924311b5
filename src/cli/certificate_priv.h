/*
 * A self-signed certificate for a first start.
 */
#ifndef CLI_CERTIFICATE_PRIV_H
#define CLI_CERTIFICATE_PRIV_H

/* Makes a P-256 key and a certificate for hostname, localhost and 127.0.0.1, valid ten years, as
 * PEM files of mode 0600 that must not exist yet. ERROR_EXISTS, ERROR_DENIED, ERROR_SPACE,
 * ERROR_IO, ERROR_MEMORY. */
int certificate_create(const char *hostname, const char *certificate_path, const char *key_path);

#endif
