/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_setup.h: makes a verifier (init): CA, keys, certificates, the first operator; and opens all keys for main. In: a directory.
 * Out: files (0600, directories 0700), keys. Says on stdout what was made and what to do next.
 */
#ifndef PLUMB_VERIFIER_SETUP_H
#define PLUMB_VERIFIER_SETUP_H

#include "buf.h"
#include "conf.h"
#include "fsio.h"
#include "sign.h"
#include "why.h"

struct verifier_keys {
	struct sign_key *ca, *verdict, *witness;
	struct sign_key *old_verdict;	/* NULL: none; while the key changes */
	struct buf ca_pem, server_pem, server_key_pem;	/* text; the key is wiped by verifier_keys_done() */
};
void verifier_keys_done(struct verifier_keys *k);

/* -EEXIST: there is one already. */
int verifier_setup_init(const struct fsio *io, const char *dir, const struct conf_list *hosts, const char *listen, const char *operator_name,
			struct why *ret_why);
/* -ENOENT: init was not run. A server certificate that ends within 30 days is issued anew. */
int verifier_setup_keys(const struct fsio *io, const char *dir, const struct conf_list *hosts, struct verifier_keys *ret, struct why *ret_why);
/* 1: it was, server_pem is another one; 0: it is good for longer. -ENODATA: it ends, and for which hosts nobody says. */
int verifier_setup_renew(const struct fsio *io, const char *dir, const struct conf_list *hosts, uint64_t now_s, struct verifier_keys *k,
			 struct why *ret_why);
/*
 * The key that signs verdicts and orders becomes the old one, which goes on to sign orders beside the new one, until finish. -EEXIST: that is
 * under way. -EBUSY: the verifier serves. finish: -ENOENT: there is no old one. Of the witness: another key at once; nodes' records know both.
 */
int verifier_setup_rotate(const struct fsio *io, const char *dir, bool witness, struct why *ret_why);
int verifier_setup_finish(const struct fsio *io, const char *dir, struct why *ret_why);

#endif
