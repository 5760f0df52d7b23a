/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents.h: the policy in force and the baselines, as approvers signed them. In: DSSE bundles and baseline files (foreign).
 * Out: an open policy with what was armed applied to it; mapped baselines by digest. The store keeps them; one thread.
 */
#ifndef PLUMB_DOCUMENTS_H
#define PLUMB_DOCUMENTS_H

#include "baseline.h"
#include "policy.h"
#include "verifier.h"
#include "why.h"

struct documents;

/* Opens what the store has. -EBADMSG, -EKEYREJECTED: what lies there is no longer believed. */
int documents_open(const struct verifier *v, struct documents **ret, struct why *ret_why);
struct documents *documents_free(struct documents *d);
/* After a rollback: the policy and what is armed are again what the store says. */
int documents_reload(struct documents *d, struct why *ret_why);

/* In force; NULL: none yet. Borrowed until the next put or arm. */
const struct policy *documents_policy(const struct documents *d);
/* Of the bundle as it was signed, before anything was armed. */
const struct digest *documents_policy_digest(const struct documents *d);
/*
 * A signed bundle (WIRE_DSSE_POLICY) by an approver who is not revoked. -EKEYREJECTED, -EBADMSG; -ESTALE: not newer than the newest of
 * its name (that one's bytes again are accepted). What was armed or disarmed by id stays so where the rule still exists.
 */
int documents_put_policy(struct documents *d, const void *envelope, size_t size, struct why *ret_why);
/* Verifies as put does and opens it with the same arming; nothing changes. Caller frees. */
int documents_try_policy(struct documents *d, const void *envelope, size_t size, struct policy **ret, struct why *ret_why);
/* rules: ids with commas between, or "all". -ENOENT names the id that is none. */
int documents_arm(struct documents *d, const char *rules, bool arm, struct why *ret_why);

/* A signed baseline by an approver: kept as a file and known from then on. -ESTALE: not the newest of that name (that one again is accepted). */
int documents_put_baseline(struct documents *d, const void *data, size_t size, struct baseline_info *ret, struct why *ret_why);
/* The one that new nodes get: the newest that was given to all. -ENOENT. */
int documents_default_baseline(void *documents, struct digest *ret_document, uint64_t *ret_version);
int documents_set_default(struct documents *d, const struct digest *document);
/* Mapped when first asked for; borrowed until another is asked for. -ENOENT. */
int documents_baseline(struct documents *d, const struct digest *document, const struct baseline **ret, struct why *ret_why);
int documents_read_baseline(struct documents *d, const struct digest *document, struct buf *ret);	/* the file's bytes */
int documents_each_baseline(struct documents *d, int (*fn)(void *ctx, const struct baseline_info *i), void *ctx);

#endif
