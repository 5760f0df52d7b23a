/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_kube.h: the part of a Kubernetes API server that taints need, on the test's own loop: GET and JSON Patch of nodes, answered as
 * kube-apiserver 1.20 was seen to answer. In: nodes, and what goes wrong. Out: their taints.
 */
#ifndef PLUMB_FAKE_KUBE_H
#define PLUMB_FAKE_KUBE_H

#include <jansson.h>
#include "fake_http.h"

#define FAKE_KUBE_MAX 4

struct fake_kube_node {
	char name[64], uid[40], boot_id[40];	/* name "": there is none */
	json_t *taints;				/* NULL: absent */
};

struct fake_kube {
	struct fake_http *http;
	struct fake_kube_node nodes[FAKE_KUBE_MAX];
	int fail_get, fail_patch;	/* statuses instead of an answer; 0: none */
	int conflicts;			/* so many PATCHes find that somebody was faster */
	unsigned int n_get, n_patch;
	char token[64];			/* Authorization of the last request; "": none */
	char patch_query[64];		/* of the last PATCH */
	const char *raw;		/* the body of each 200 to a GET instead; NULL: the node */
};

void fake_kube_open(struct fake_kube *k, struct event_base *base, const char *chain_pem, const char *key_pem);
void fake_kube_done(struct fake_kube *k);
/* taints: JSON list, or NULL. */
void fake_kube_node(struct fake_kube *k, unsigned int i, const char *name, const char *uid, const char *boot_id, const char *taints);
/* "key:effect …" in order. */
const char *fake_kube_taints(const struct fake_kube *k, unsigned int i, char ret[512]);

#endif
