/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h: the next version of a baseline, in which drift that is all right is expected. In: a baseline file, drift from the verifier
 * (hostile). Out: a document with a higher version that nobody has signed yet, and what it changes. Pure but for the files.
 */
#ifndef PLUMB_ACCEPT_H
#define PLUMB_ACCEPT_H

#include <stdint.h>
#include "why.h"

#define ACCEPT_MAX_ENTRIES 100000u

struct accept;

struct accept_drift {			/* borrowed */
	const char *scope, *key, *found;
	const char *finding;		/* "" for a measurement */
};

/* before NULL: it was not listed. */
struct accept_change {
	const char *scope, *key, *before, *now;
};

struct accept_options {
	const char *from, *to;		/* files; to is replaced when all of it was written */
	uint64_t above;			/* the version is above this, and above that of `from` */
	void (*changed)(void *ctx, const struct accept_change *c);
	void *ctx;
};

int accept_open(struct accept **ret);
struct accept *accept_free(struct accept *a);
/* -EINVAL: a finding, or something that was not measured or not told whole, is no thing to be expected; why says so. */
int accept_add(struct accept *a, const struct accept_drift *d, struct why *ret_why);
/*
 * Once. Name, scopes and closed prefixes of `from` stay. -EBADMSG: it is no baseline. -EINVAL: two values for one key, or a scope that it does
 * not judge. -EALREADY: it expects all of this as it is; nothing was written.
 */
int accept_write(struct accept *a, const struct accept_options *o, uint64_t *ret_version, struct why *ret_why);

#endif
