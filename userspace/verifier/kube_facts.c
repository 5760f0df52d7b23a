/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_facts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static void fit(char *ret, size_t size, const char *t)
{
	snprintf(ret, size, "%s", strlen(t) < size ? t : "");
}

/* A startup taint may have any effect that keeps pods away; with PreferNoSchedule they come all the same. */
unsigned int kube_facts_taint(const json_t *taint)
{
	const char *key = text(taint, "key"), *effect = text(taint, "effect");
	bool hold = strcmp(effect, "NoSchedule") == 0, execute = strcmp(effect, "NoExecute") == 0;

	if (strcmp(key, KUBE_FACTS_UNATTESTED) == 0)
		return hold || execute ? KUBE_TAINT_UNATTESTED : KUBE_TAINT_SOFT;
	if (strcmp(key, KUBE_FACTS_QUARANTINED) != 0)
		return 0;
	if (hold)
		return KUBE_TAINT_HOLD;
	return execute ? KUBE_TAINT_EXECUTE : KUBE_TAINT_ODD;
}

/* timeAdded is the API's own; what counts is which of ours are there. */
unsigned int kube_facts_taints(const json_t *list)
{
	unsigned int bits = 0;
	size_t i;
	json_t *t;

	json_array_foreach (list, i, t)
		bits |= kube_facts_taint(t);
	return bits;
}

static bool is_starting(const json_t *taints)
{
	size_t i;
	json_t *t;

	json_array_foreach (taints, i, t)
		if (strcmp(text(t, "key"), KUBE_FACTS_STARTING) == 0)
			return true;
	return false;
}

uint32_t kube_facts_hash(uint32_t seed, const char *t)
{
	uint32_t h = seed ? seed : 2166136261u;

	if (!*t)
		return seed;
	for (; *t; t++)
		h = (h ^ (unsigned char)*t) * 16777619u;
	return h ? h : 1;
}

static uint32_t hash_condition(const json_t *status)
{
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(status, "conditions"), i, c)
		if (strcmp(text(c, "type"), KUBE_FACTS_CONDITION) == 0)
			return kube_facts_hash(
				kube_facts_hash(kube_facts_hash(0, text(c, "status")),
						text(c, "reason")),
				text(c, "message"));
	return 0;
}

static bool is_ready(const json_t *status)
{
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(status, "conditions"), i, c)
		if (strcmp(text(c, "type"), "Ready") == 0)
			return strcmp(text(c, "status"), "True") == 0;
	return false;
}

int kube_facts_read(const json_t *node, struct kube_facts *ret, struct why *ret_why)
{
	const json_t *meta = json_object_get(node, "metadata"),
		     *spec = json_object_get(node, "spec"),
		     *status = json_object_get(node, "status"),
		     *labels = json_object_get(meta, "labels"),
		     *taints = json_object_get(spec, "taints");
	struct kube_facts f = {.taints = 0};

	if (!json_is_object(spec))
		return why_set(ret_why, -EBADMSG, "that is no Node object");
	if (taints && !json_is_array(taints) && !json_is_null(taints))
		return why_set(ret_why, -EBADMSG, "spec.taints is no list");
	fit(f.uid, sizeof(f.uid), text(meta, "uid"));
	if (!f.uid[0])
		return why_set(ret_why, -EBADMSG, "the Node object has no uid");
	fit(f.name, sizeof(f.name), text(meta, "name"));
	fit(f.version, sizeof(f.version), text(meta, "resourceVersion"));
	fit(f.boot_id, sizeof(f.boot_id), text(json_object_get(status, "nodeInfo"), "bootID"));
	fit(f.zone, sizeof(f.zone), text(labels, "topology.kubernetes.io/zone"));
	f.taints = kube_facts_taints(taints);
	f.control_plane = json_object_get(labels, "node-role.kubernetes.io/control-plane") ||
			  json_object_get(labels, "node-role.kubernetes.io/master");
	f.ready = is_ready(status);
	f.starting = is_starting(taints);
	f.cordoned = json_is_true(json_object_get(spec, "unschedulable"));
	f.label = kube_facts_hash(0, text(labels, KUBE_FACTS_LABEL));
	f.verdict =
		kube_facts_hash(0, text(json_object_get(meta, "annotations"), KUBE_FACTS_VERDICT));
	f.condition = hash_condition(status);
	*ret = f;
	return 0;
}
