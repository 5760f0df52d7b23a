/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_sig.h: signatures that stand in IMA's list, against keys that an operator gave: security.ima of version 2 and 3 (RSA PKCS #1 v1.5, ECDSA)
 * and those that are appended to a file (PKCS #7). In: PEM files, entries. Out: a verdict each. What was checked once is kept, within a bound.
 * Not thread-safe.
 */
#ifndef PLUMB_IMA_SIG_H
#define PLUMB_IMA_SIG_H

#include "digest.h"
#include "fsio.h"
#include "imalog.h"
#include "why.h"

#define IMA_SIG_MAX_KEYS 64u
#define IMA_SIG_KEPT 131072u	/* entries whose verdict is kept: 40 bytes each */

enum ima_sig_verdict {
	IMA_SIG_NONE = 0,	/* the entry has no signature */
	IMA_SIG_GOOD = 1,
	IMA_SIG_BAD = 2,	/* a given key's, and false; or no signature of a form that is known */
	IMA_SIG_STRANGER = 3,	/* of a key that was not given */
};
const char *ima_sig_name(enum ima_sig_verdict v);	/* for people; static */

struct ima_sig;

/* Each file: certificates or public keys, as many as it has. -EINVAL: one has none, or what cannot be read; why names it. */
int ima_sig_open(const struct fsio *io, const char *const *paths, uint32_t n_paths, struct ima_sig **ret, struct why *ret_why);
struct ima_sig *ima_sig_free(struct ima_sig *s);
uint32_t ima_sig_n_keys(const struct ima_sig *s);
/* data: SHA-256 of the entry's template data (ima_fold_entry); by it the verdict is kept. 0; < 0: could not check. */
int ima_sig_check(struct ima_sig *s, const struct imalog_entry *e, const struct digest *data, enum ima_sig_verdict *ret);

#endif
