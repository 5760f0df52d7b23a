/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_tls.h: who the webhook's server is to the API server, and who must ask. In: certificate and key in PEM, a CA for clients or
 * none. Out: a TLS context; another certificate for it while it serves.
 */
#ifndef PLUMB_ADMISSION_TLS_H
#define PLUMB_ADMISSION_TLS_H

#include "why.h"
#include <openssl/types.h>

int admission_tls_open(const char *client_ca_pem, SSL_CTX **ret,
		       struct why *ret_why); /* client_ca_pem NULL: nobody is asked */
/* Certificate first, what it is signed by after it. Nothing changes when they do not fit one another: -EKEYREJECTED. */
int admission_tls_show(SSL_CTX *ctx, const char *cert_pem, const char *key_pem,
		       struct why *ret_why);

#endif
