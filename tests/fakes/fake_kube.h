/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_kube.h: the part of a Kubernetes API server that our deeds need, on the test's own loop: nodes and Events, answered as
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
	bool cordoned;
	const char *raw;			/* its body instead; NULL: as it is here */
	const char *zone;			/* its label; NULL: none */
	const char *words;			/* of the 500 that each patch of its taints gets; NULL: none */
};

struct fake_kube {
	struct fake_http *http;
	struct fake_kube_node nodes[FAKE_KUBE_MAX];
	int fail_get, fail_patch;	/* statuses instead of an answer; 0: none */
	int conflicts;			/* so many PATCHes find that somebody was faster */
	unsigned int n_get, n_patch;		/* of single nodes; patches of taints */
	int fail_list, fail_watch, fail_shown, fail_status;
	unsigned int n_policy;			/* asked before pods are listed the first time */
	char list_path[512];
	unsigned int n_list, n_watch, n_shown, n_status, n_events;
	const char *watched;			/* lines that the next watch has; NULL: none */
	bool mute_watch;			/* it is never answered */
	unsigned int mute_list;			/* nor is the list of that number, nor those after it; 0: all are */
	char watch_path[512], shown[4096], status[2048], event[2048];	/* bodies of the last patch of labels and annotations, of a status, of an Event */
	char token[64];			/* Authorization of the last request; "": none */
	char patch_query[64];		/* of the last PATCH */
	const char *raw;		/* the body of each 200 to a GET instead; NULL: the node */
	const char *raw_list;		/* that of each list in pages of 100 */
};

void fake_kube_open(struct fake_kube *k, struct event_base *base, const char *chain_pem, const char *key_pem);
void fake_kube_done(struct fake_kube *k);
/* taints: JSON list, or NULL. */
void fake_kube_node(struct fake_kube *k, unsigned int i, const char *name, const char *uid, const char *boot_id, const char *taints);
/* "key:effect …" in order. */
const char *fake_kube_taints(const struct fake_kube *k, unsigned int i, char ret[512]);

#endif
