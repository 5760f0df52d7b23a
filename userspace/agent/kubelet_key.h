/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubelet_key.h: proves to the verifier which key this node's kubelet has: each time that one of its files holds another key, the key signs
 * for this ledger, and that becomes a line. In: files of the kubelet (root's alone), looked at every few seconds. Out: `kubelet_key` lines.
 */
#ifndef PLUMB_KUBELET_KEY_H
#define PLUMB_KUBELET_KEY_H

#include <event2/event.h>
#include "ledger_writer.h"

#define KUBELET_KEY_LOOK_MS 2000u

struct kubelet_key;

struct kubelet_key_options {		/* borrowed */
	struct ledger_writer *writer;
	const char *origin;
	const char *file;		/* "auto": where kubelets keep them below root; NULL: nothing is opened */
	const char *root;		/* NULL: "/" */
	uint32_t look_ms;		/* 0: KUBELET_KEY_LOOK_MS */
	void (*told)(void *ctx);	/* a line was written: the verifier is to hear of it */
	void *ctx;
};

/* 0 and *ret NULL when there is no file. */
int kubelet_key_open(struct event_base *base, const struct kubelet_key_options *o, struct kubelet_key **ret);
struct kubelet_key *kubelet_key_free(struct kubelet_key *k);

#endif
