/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_tls.h: who the server must be, and who we are to it. In: a CA in PEM, or the fingerprint that its chain must end in; our certificate
 * and key. Out: a libcurl handle that takes no other server. For fetch alone.
 */
#ifndef PLUMB_FETCH_TLS_H
#define PLUMB_FETCH_TLS_H

#include <curl/curl.h>
#include <stdbool.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

struct fetch_tls {
	struct buf ca, cert, key;
	struct digest pin;
	bool pinned;
};

/* All copied; each may be NULL. */
int fetch_tls_open(struct fetch_tls *t, const char *ca_pem, const char *cert_pem, const char *key_pem, const struct digest *ca_pin,
		   struct why *ret_why);
int fetch_tls_renew(struct fetch_tls *t, const char *cert_pem);	/* another certificate for the same key */
void fetch_tls_done(struct fetch_tls *t);
void fetch_tls_set(struct fetch_tls *t, CURL *e);	/* borrows t until e is gone */

#endif
