/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_node.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

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

int admission_node(const json_t *request, bool startup_taint, struct why *ret_why)
{
	const char *user = text_at(json_object_get(request, "userInfo"), "username"),
		   *operation = text_at(request, "operation");
	const json_t *after = json_object_get(request, "object");
	bool create = strcmp(operation, "CREATE") == 0;
	int r;

	if (strncmp(user, KUBELET, strlen(KUBELET)) != 0 ||
	    !(create || strcmp(operation, "UPDATE") == 0))
		return 0;
	/* Of a new one there is no oldObject: whatever of ours is in it was put there by the kubelet. */
	r = judge_change(create ? NULL : json_object_get(request, "oldObject"), after, user,
			 ret_why);
	if (r < 0 || !create || !startup_taint)
		return r;
	if (!find(at(after, "spec", "taints"), "key", ADMISSION_NODE_STARTUP, NULL))
		return why_set(ret_why, -EPERM,
			       "a new node must register with the taint " ADMISSION_NODE_STARTUP
			       " (kubelet --register-with-taints=" ADMISSION_NODE_STARTUP
			       "=:NoSchedule): it is taken off after the first good verdict");
	return 0;
}
