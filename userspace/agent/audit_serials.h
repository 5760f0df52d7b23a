/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_serials.h: which numbers of audit events did not come. Pure.
 * In: serial numbers as they come in. Out: how many were passed over for good.
 *
 * The kernel gives each event a number and writes its records afterwards, on several CPUs at once: so they come in some disorder, and one that is
 * missing is given up only when AUDIT_SERIALS_WINDOW newer ones have come, or when its time is over.
 */
#ifndef PLUMB_AUDIT_SERIALS_H
#define PLUMB_AUDIT_SERIALS_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_SERIALS_WINDOW 1024

struct audit_serials {		/* zeros to begin with */
	bool known;
	uint32_t top;		/* highest so far */
	uint32_t missing;	/* in the window */
	uint64_t seen[AUDIT_SERIALS_WINDOW / 64];	/* by number modulo window */
};

uint32_t audit_serials_take(struct audit_serials *s, uint32_t serial);	/* number of those given up */
uint32_t audit_serials_give_up(struct audit_serials *s, uint32_t up_to);	/* all that are missing up to this one */

#endif
