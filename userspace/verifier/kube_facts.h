/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_facts.h: what a Kubernetes Node object says that we look at. In: foreign JSON. Out: bounded plain facts. Pure. All but name, uid and
 * taints is the kubelet's word, who may lie: who uses it says why that does no harm.
 */
#ifndef PLUMB_KUBE_FACTS_H
#define PLUMB_KUBE_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "why.h"

/* Bytes of an object as it is told: etcd takes 1.5 MiB, and the API writes six bytes for one that its owner chose well (\u003c). */
#define KUBE_FACTS_MAX_NODE (16u << 20)
#define KUBE_FACTS_MAX_NAME 254
#define KUBE_FACTS_MAX_UID 64
#define KUBE_FACTS_MAX_BOOT 40
#define KUBE_FACTS_MAX_ZONE 64
#define KUBE_FACTS_MAX_VERSION 64

#define KUBE_FACTS_LABEL "node-restriction.kubernetes.io/plumbline"	/* of a prefix that no kubelet can set */
#define KUBE_FACTS_VERDICT "plumbline.io/verdict"
#define KUBE_FACTS_CONDITION "plumbline.io/Attested"
#define KUBE_FACTS_QUARANTINED "plumbline.io/quarantined"
#define KUBE_FACTS_UNATTESTED "plumbline.io/unattested"
/* A kubelet on a cloud registers with it; the cloud's controller takes it off with the very update that says which zone that is. No kubelet can. */
#define KUBE_FACTS_STARTING "node.cloudprovider.kubernetes.io/uninitialized"

/* ODD: our key with an effect that we never set. SOFT: the startup taint's, which keeps no pod away. */
enum { KUBE_TAINT_HOLD = 1, KUBE_TAINT_EXECUTE = 2, KUBE_TAINT_UNATTESTED = 4, KUBE_TAINT_ODD = 8, KUBE_TAINT_SOFT = 16 };

struct kube_facts {
	char name[KUBE_FACTS_MAX_NAME], uid[KUBE_FACTS_MAX_UID], boot_id[KUBE_FACTS_MAX_BOOT], zone[KUBE_FACTS_MAX_ZONE];
	char version[KUBE_FACTS_MAX_VERSION];	/* resourceVersion */
	unsigned int taints;		/* ours */
	bool control_plane;		/* by a label that no kubelet can set itself */
	bool ready, cordoned, starting;
	/* What we show there, or somebody in our name: hashes of it, 0 when there is none. */
	uint32_t label, verdict, condition;
};

/* -EBADMSG: no Node, or one without a uid. Texts that are too long are left out ("") where they are the kubelet's. */
int kube_facts_read(const json_t *node, struct kube_facts *ret, struct why *ret_why);
unsigned int kube_facts_taints(const json_t *list);
unsigned int kube_facts_taint(const json_t *taint);	/* 0: not ours */
uint32_t kube_facts_hash(uint32_t seed, const char *text);	/* no cryptography: to notice a change. "": seed */

#endif
