/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate_selector.h: which nodes are meant: "worker-*", "label=worker-*,kube!=n7,state=trusted". In: text. Out: does a node agree? Pure.
 */
#ifndef PLUMB_GATE_SELECTOR_H
#define PLUMB_GATE_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include "why.h"

#define GATE_SELECTOR_MAX 16	/* conditions; all must hold */

struct gate_selector {
	struct gate_condition {
		const char *key;	/* static: label, id, kube, state */
		char value[256];	/* with * and ? and [] as in a shell */
		bool unequal;
	} conditions[GATE_SELECTOR_MAX];
	unsigned int n;
};

int gate_selector_parse(const char *text, struct gate_selector *ret, struct why *ret_why);	/* "": all nodes */
bool gate_selector_names_state(const struct gate_selector *s);
/* What a node is called; state NULL: it is not known, and conditions on it do not hold. */
bool gate_selector_agrees(const struct gate_selector *s, const char *label, const char *id, const char *kube, const char *state);

#endif
