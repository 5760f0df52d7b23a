/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h: the next version of a baseline, in which drift that is all right is expected. In: a baseline file, drift. Out: a document with
 * version + 1 that nobody has signed yet. Pure but for the files.
 */
#ifndef PLUMB_ACCEPT_H
#define PLUMB_ACCEPT_H

#include <stdint.h>
#include "why.h"

struct accept;

struct accept_drift {			/* borrowed */
	const char *scope, *key, *found;
	const char *finding;		/* "" for a measurement */
};

int accept_open(struct accept **ret);
struct accept *accept_free(struct accept *a);
/* -EINVAL: a finding, or something that was not measured, is no thing to be expected; why says so. */
int accept_add(struct accept *a, const struct accept_drift *d, struct why *ret_why);
/* -EBADMSG: `from` is no baseline. Its name, scopes and closed prefixes stay. */
int accept_write(struct accept *a, const char *from, const char *to, uint64_t *ret_version, struct why *ret_why);

#endif
