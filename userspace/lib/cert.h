/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cert.h: X.509 for mutual TLS: our CA, certificates for server, nodes and operators, and who a peer is.
 * In: keys, requests, peers' certificates. Out: PEM, identities. Errors as in sign.h; -EPERM: a certificate that is not for this.
 */
#ifndef PLUMB_CERT_H
#define PLUMB_CERT_H

#include <openssl/types.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "buf.h"
#include "digest.h"
#include "sign.h"
#include "why.h"

#define CERT_MAX_NAME 128
#define CERT_MAX_SPKI 128

enum cert_kind { CERT_CA = 1, CERT_SERVER = 2, CERT_NODE = 3, CERT_OPERATOR = 4 };

/* What is in the subject: CN = name; O = "plumb"; OU = ca | server | node | operator:<role>. */
struct cert_request {
	enum cert_kind kind;
	const char *name;		/* node id, operator's name, server's host name; at most 127 bytes of [A-Za-z0-9._@-] */
	enum plumb_role role;		/* operators */
	const char *const *hosts;	/* server: DNS names and IP addresses for the SAN */
	uint32_t n_hosts;
	uint64_t not_before_s;		/* Unix seconds */
	uint64_t life_s;
};

struct cert_identity {
	enum cert_kind kind;
	char name[CERT_MAX_NAME];
	enum plumb_role role;
	struct digest key_id;		/* SHA-256 of the SPKI */
	uint8_t spki[CERT_MAX_SPKI];	/* the key itself, when it is of EC or Ed25519 */
	size_t spki_size;		/* 0: it is larger */
	uint64_t not_before_s;		/* Unix seconds */
	uint64_t not_after_s;		/* 0: it has no end that can be read, and TLS takes it from nobody */
};

/* ca_cert_pem and ca_key NULL: self-signed (the CA itself). Appends PEM. */
int cert_issue(const struct cert_request *q, const struct sign_key *subject, const char *ca_cert_pem,
	       const struct sign_key *ca_key, struct buf *ret_pem, struct why *ret_why);
/* A PKCS#10 request (node enrolment, operators): made, and read with its own signature checked. */
int cert_csr_make(const struct sign_key *key, const char *name, struct buf *ret_pem);
int cert_csr_key(const char *pem, size_t size, struct sign_key **ret, struct why *ret_why);
/* -EPERM: it asks for more than a certificate for a key: for extensions, or to be something in our O and OU. None of it would be given. */
int cert_csr_is_plain(const char *pem, size_t size, struct why *ret_why);
/* Who is this? Only meaningful for a certificate that TLS has verified against our CA. */
int cert_identity(X509 *cert, struct cert_identity *ret, struct why *ret_why);
int cert_identity_pem(const char *pem, size_t size, struct cert_identity *ret, struct why *ret_why);
int cert_fingerprint_pem(const char *pem, size_t size, struct digest *ret, struct why *ret_why);	/* SHA-256 of the DER */

#endif
