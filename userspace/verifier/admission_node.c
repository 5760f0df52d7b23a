/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_node.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define KUBELET "system:node:"
#define RESTRICTED "node-restriction.kubernetes.io/plumbline"

static const json_t *at(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

bool admission_node_is_ours(const char *key)
{
	const char *slash = strchr(key, '/');
	size_t size = slash ? (size_t)(slash - key) : 0, own = strlen(ADMISSION_NODE_DOMAIN);

	if (strncmp(key, RESTRICTED, strlen(RESTRICTED)) == 0)
		return true;
	return size >= own && memcmp(slash - own, ADMISSION_NODE_DOMAIN, own) == 0 &&
	       (size == own || slash[-(long)own - 1] == '.');
}

/* The first key of ours that is not the same in both; NULL: none. */
static const char *changed_key(const json_t *before, const json_t *after)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)before, key, value)
		if (admission_node_is_ours(key) && !json_equal(value, json_object_get(after, key)))
			return key;
	json_object_foreach ((json_t *)after, key, value)
		if (admission_node_is_ours(key) && !json_object_get(before, key))
			return key;
	return NULL;
}

static const json_t *find(const json_t *list, const char *name, const char *value,
			  const char *effect)
{
	size_t i;
	json_t *o;

	json_array_foreach (list, i, o)
		if (strcmp(text_at(o, name), value) == 0 &&
		    (!effect || strcmp(text_at(o, "effect"), effect) == 0))
			return o;
	return NULL;
}

static const char *lost_taint(const json_t *before, const json_t *after)
{
	size_t i;
	json_t *o;

	json_array_foreach (before, i, o) {
		const char *key = text_at(o, "key");

		if (admission_node_is_ours(key) && !find(after, "key", key, text_at(o, "effect")))
			return key;
	}
	return NULL;
}

/* A heartbeat's time may change in one of ours; what it says may not. */
static const char *changed_condition(const json_t *before, const json_t *after)
{
	const json_t *lists[] = {before, after};

	for (int k = 0; k < 2; k++) {
		size_t i;
		json_t *o;

		json_array_foreach (lists[k], i, o) {
			const char *type = text_at(o, "type");
			const json_t *other = find(lists[1 - k], "type", type, NULL);

			if (admission_node_is_ours(type) &&
			    (!other ||
			     strcmp(text_at(o, "status"), text_at(other, "status")) != 0 ||
			     strcmp(text_at(o, "reason"), text_at(other, "reason")) != 0))
				return type;
		}
	}
	return NULL;
}

static int refuse(const char *user, const char *what, const char *key, struct why *ret_why)
{
	return why_set(ret_why, -EPERM, "%.60s may not change %s %.80s: it is Plumbline's", user,
		       what, key);
}

static int judge_change(const json_t *before, const json_t *after, const char *user,
			struct why *ret_why)
{
	static const char *const maps[] = {"labels", "annotations"};
	const char *key;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		key = changed_key(at(before, "metadata", maps[i]), at(after, "metadata", maps[i]));
		if (key)
			return refuse(user, i == 0 ? "the label" : "the annotation", key, ret_why);
	}
	key = lost_taint(at(before, "spec", "taints"), at(after, "spec", "taints"));
	if (key)
		return refuse(user, "the taint", key, ret_why);
	key = changed_condition(at(before, "status", "conditions"),
				at(after, "status", "conditions"));
	return key ? refuse(user, "the condition", key, ret_why) : 0;
}

static bool is_of_kubelet(const json_t *request, const char *operation)
{
	const char *user = text_at(json_object_get(request, "userInfo"), "username");

	return strncmp(user, KUBELET, strlen(KUBELET)) == 0 &&
	       strcmp(text_at(request, "operation"), operation) == 0;
}

int admission_node(const json_t *request, struct why *ret_why)
{
	const char *user = text_at(json_object_get(request, "userInfo"), "username");
	bool create = is_of_kubelet(request, "CREATE");

	if (!create && !is_of_kubelet(request, "UPDATE"))
		return 0;
	/* Of a new one there is no oldObject: whatever of ours is in it was put there by the kubelet. */
	return judge_change(create ? NULL : json_object_get(request, "oldObject"),
			    json_object_get(request, "object"), user, ret_why);
}

static void put_taint(struct jsonl *j, const char *key)
{
	jsonl_object(j, key);
	jsonl_str(j, "key", ADMISSION_NODE_STARTUP);
	jsonl_str(j, "effect", "NoSchedule");
	jsonl_close(j);
}

static void put_taints(struct jsonl *j, const char *key)
{
	jsonl_array(j, key);
	put_taint(j, NULL);
	jsonl_close(j);
}

/* To what there is of them: a patch of a member whose parent is missing fails, and the node comes without. */
static void put_op(struct jsonl *j, const json_t *spec)
{
	jsonl_str(j, "op", "add");
	if (!json_is_object(spec)) {
		jsonl_str(j, "path", "/spec");
		jsonl_object(j, "value");
		put_taints(j, "taints");
		jsonl_close(j);
	} else if (!json_is_array(json_object_get(spec, "taints"))) {
		jsonl_str(j, "path", "/spec/taints");
		put_taints(j, "value");
	} else {
		jsonl_str(j, "path", "/spec/taints/-");
		put_taint(j, "value");
	}
}

/* One that keeps pods away; with PreferNoSchedule they come all the same. */
static bool has_startup(const json_t *taints)
{
	return find(taints, "key", ADMISSION_NODE_STARTUP, "NoSchedule") ||
	       find(taints, "key", ADMISSION_NODE_STARTUP, "NoExecute");
}

int admission_node_taint(const json_t *request, struct buf *ret)
{
	const json_t *spec = at(request, "object", "spec");
	struct jsonl j;

	if (!is_of_kubelet(request, "CREATE") || has_startup(json_object_get(spec, "taints")))
		return 0;
	buf_puts(ret, "[");
	jsonl_begin(&j, ret);
	put_op(&j, spec);
	jsonl_end(&j);
	buf_puts(ret, "]");
	return buf_status(ret) < 0 ? buf_status(ret) : 1;
}
