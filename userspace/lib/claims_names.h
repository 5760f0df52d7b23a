/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_names.h: a bounded, sorted set of short texts, which is one claim's value: the order in which the kernel lists things says nothing.
 * In: foreign names. Out: "a,b,c" or "none". Pure.
 */
#ifndef PLUMB_CLAIMS_NAMES_H
#define PLUMB_CLAIMS_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define CLAIMS_NAMES_MAX 65536u	/* names; more are -E2BIG */

/* Zero-initialised is empty. */
struct claims_names {
	char **names;
	uint32_t n, room;
};

int claims_names_add(struct claims_names *l, const char *name, size_t size);	/* copied; runs of blanks as one; nothing left: not added */
void claims_names_sort(struct claims_names *l);		/* and each once; needed before what follows */
bool claims_names_has(const struct claims_names *l, const char *name);
int claims_names_text(const struct claims_names *l, struct buf *ret);
void claims_names_clear(struct claims_names *l);	/* frees; can be used again. Usable with CLEANUP */

/*
 * Lines of text of the kernel as names, without the first `skip` words of each (addresses differ at every boot). Empty lines and those that
 * start with '#' are left out.
 */
int claims_names_lines(struct claims_names *l, const char *text, size_t size, uint32_t skip);

#endif
