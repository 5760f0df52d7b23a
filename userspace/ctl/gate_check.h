/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate_check.h: may work go to these nodes? In: the verifier's list of nodes, or a signed EAR and the keys that are believed (both
 * foreign), a selector, how old they may be. Out: good, not good, or could not tell, of each and of all. Pure.
 */
#ifndef PLUMB_GATE_CHECK_H
#define PLUMB_GATE_CHECK_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "gate_selector.h"
#include "print.h"

struct gate_found {
	enum print_exit result;		/* good, not good, unknown */
	char label[254], id[65];	/* cut to what fits */
	char why[256];			/* "" when good */
};

struct gate_terms {
	const struct gate_selector *selector;	/* borrowed */
	uint64_t max_age_s, now_ns;
	const char *parts; /* of an EAR, that must be affirmed, with commas: of the others none may be bad; NULL: all, and the whole */
};

/* nodes: an array. Calls fn for each that is selected. The worst of all; none is selected: unknown. */
enum print_exit gate_check_nodes(const json_t *nodes, const struct gate_terms *t, void (*fn)(void *ctx, const struct gate_found *f), void *ctx);
void gate_check_ear(const void *jwt, size_t size, const void *jwks, size_t jwks_size, const struct gate_terms *t,
		    struct gate_found *ret);
/* not good, then unknown, then good */
enum print_exit gate_check_worse(enum print_exit a, enum print_exit b);

#endif
