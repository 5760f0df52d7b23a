/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_pod.h: may this pod, or this binding of one, go to the node that it names? In: the parsed request, rules, what is known of
 * nodes. Out: yes, or no with a sentence. Pure but for the callbacks.
 */
#ifndef PLUMB_ADMISSION_POD_H
#define PLUMB_ADMISSION_POD_H

#include "image_checks.h"
#include "node.h"
#include "why.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct admission_rules { /* all borrowed */
	bool allow_unknown; /* nodes that no attested machine is bound to */
	bool allow_degraded; /* and those that nothing contains but whose last verdict is not good */
	bool allow_silent;
	bool dry_run; /* say what would be refused, and allow it */
	bool startup_taint; /* a new Node that comes without is given it */
	const char *const *exempt; /* namespaces */
	uint32_t n_exempt;
	bool image_digests; /* images of pods must be named by digest */
	struct image_checks *images; /* and signed, by what it knows; NULL: signatures are not asked for */
	bool allow_unchecked; /* those of which nothing is known yet */
};

struct admission_world {
	/* 0 and the state; -ENOENT: nothing is bound to that name; others: could not tell. */
	int (*node)(void *ctx, const char *name, struct node_state *ret);
	/* A pod of a DaemonSet that tolerates our taints was created; was it? A Binding tells the pod's uid alone. */
	void (*tolerant)(void *ctx, const char *uid);
	bool (*is_tolerant)(void *ctx, const char *uid);
	void *ctx;
};

/* All of these: 0 allowed, -EPERM with the sentence for whoever asked. ret_node: the node that is meant; "" none. */
int admission_pod(const json_t *request, const struct admission_rules *rules,
		  const struct admission_world *w, char ret_node[254], struct why *ret_why);
int admission_pod_binding(const json_t *request, const struct admission_rules *rules,
			  const struct admission_world *w, char ret_node[254], struct why *ret_why);
/* Of a namespace that is exempt, or the mirror of what its own kubelet runs already. */
bool admission_pod_is_exempt(const json_t *request, const struct admission_rules *rules);
/* Does this list of tolerations cover all that we put on a quarantined node? */
bool admission_pod_tolerates(const json_t *tolerations);

#endif
