/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handed_in.h: documents that operators hand in (baselines, policies), what a policy would do, join tokens. In: bodies, who sent them.
 * Out: HTTP status and JSON; the store changed and a line in the verifier's log. < 0: our own failure, nothing changed.
 */
#ifndef PLUMB_HANDED_IN_H
#define PLUMB_HANDED_IN_H

#include "action_desk.h"

int handed_in_baseline(const struct action_desk *a, const struct cert_identity *who, const char *node, const void *body, size_t size,
		       struct buf *ret);	/* node "": all, and those to come */
int handed_in_policy(const struct action_desk *a, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
/* Empty body: the one in force. As if all its rules were armed. */
int handed_in_preview(const struct action_desk *a, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
int handed_in_token(const struct action_desk *a, const struct cert_identity *who, const void *body, size_t size,
		    const struct digest *ca_fingerprint, struct buf *ret);

#endif
