/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_patch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define MAX_LABEL 63

enum { NO_SCHEDULE = 1, NO_EXECUTE = 2, OTHER_EFFECT = 4 };

static bool is_ours(const json_t *taint)
{
	const char *key = json_string_value(json_object_get(taint, "key"));

	return key && strcmp(key, KUBE_PATCH_TAINT) == 0;
}

static int add_taint(json_t *list, const char *effect)
{
	json_t *t = json_pack("{s:s,s:s,s:s}", "key", KUBE_PATCH_TAINT, "value", "true", "effect",
			      effect);

	return t && json_array_append_new(list, t) == 0 ? 0 : -ENOMEM;
}

/* Everybody else's taints stay as they are, in their order. */
static int wanted_list(const json_t *now, enum kube_want want, json_t **ret)
{
	json_t *list = json_array();
	size_t i;
	json_t *t;
	int r = list ? 0 : -ENOMEM;

	json_array_foreach (now, i, t)
		if (r >= 0 && !is_ours(t))
			r = json_array_append(list, t) == 0 ? 0 : -ENOMEM;
	if (r >= 0 && want >= KUBE_HOLD)
		r = add_taint(list, "NoSchedule");
	if (r >= 0 && want == KUBE_QUARANTINE)
		r = add_taint(list, "NoExecute");
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

/* timeAdded is the API's own; what counts is which of ours are there. */
static unsigned int ours(const json_t *list)
{
	unsigned int bits = 0;
	size_t i;
	json_t *t;

	json_array_foreach (list, i, t) {
		const char *effect = json_string_value(json_object_get(t, "effect"));

		if (!is_ours(t))
			continue;
		if (effect && strcmp(effect, "NoSchedule") == 0)
			bits |= NO_SCHEDULE;
		else if (effect && strcmp(effect, "NoExecute") == 0)
			bits |= NO_EXECUTE;
		else
			bits |= OTHER_EFFECT;
	}
	return bits;
}

static unsigned int wanted_bits(enum kube_want want)
{
	if (want == KUBE_QUARANTINE)
		return NO_SCHEDULE | NO_EXECUTE;
	return want == KUBE_HOLD ? NO_SCHEDULE : 0;
}

/* The uid too: between GET and PATCH the object may have become another machine's. */
static int put_patch(const char *uid, json_t *now, json_t *wanted, struct buf *ret)
{
	CLEANUP_FREE char *text = NULL;
	json_t *patch;

	/* An absent list is tested as null: nobody may have made one meanwhile. */
	patch = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:O},{s:s,s:s,s:O}]", "op", "test", "path",
			  "/metadata/uid", "value", uid, "op", "test", "path", "/spec/taints",
			  "value", now, "op", "add", "path", "/spec/taints", "value", wanted);
	text = patch ? json_dumps(patch, JSON_COMPACT) : NULL;
	json_decref(patch);
	if (!text)
		return -ENOMEM;
	buf_puts(ret, text);
	return buf_status(ret);
}

/*
 * The boot id in the object is the kubelet's word, so it counts only until the object was once seen to be the attested machine's: from then
 * on it is known by its uid, and a kubelet that tells another boot id escapes nothing.
 */
static int judge(const json_t *o, const struct kube_job *j, struct kube_seen *seen,
		 struct why *ret_why)
{
	const json_t *info = json_object_get(json_object_get(o, "status"), "nodeInfo");
	const char *uid = json_string_value(json_object_get(json_object_get(o, "metadata"), "uid")),
		   *boot = json_string_value(json_object_get(info, "bootID"));

	*seen = (struct kube_seen){.certain = false};
	if (!uid || !uid[0] || strlen(uid) >= sizeof(seen->uid))
		return why_set(ret_why, -EBADMSG, "the Node object has no uid");
	snprintf(seen->uid, sizeof(seen->uid), "%s", uid);
	if (j->uid[0] && strcmp(j->uid, uid) == 0) {
		seen->certain = true;
		return 0;
	}
	if (!j->boot_id[0] || !boot || !boot[0])
		return 0;
	seen->certain = strcmp(boot, j->boot_id) == 0;
	seen->other = !seen->certain;
	if (seen->other)
		why_set(ret_why, -EXDEV,
			"node %.100s: its bootID is %.40s, the attested machine's %.40s", j->node,
			boot, j->boot_id);
	return seen->other && j->want != KUBE_FREE ? -EXDEV : 0;
}

int kube_patch_make(const void *node, size_t size, const struct kube_job *j, struct buf *ret,
		    struct kube_seen *ret_seen, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(jsonl_decref_p) json_t *wanted = NULL;
	json_t *spec, *now;
	json_error_t error;
	int r;

	if (size > KUBE_PATCH_MAX_NODE)
		return why_set(ret_why, -EBADMSG, "Node object is longer than %u bytes",
			       KUBE_PATCH_MAX_NODE);
	/* Not ours: floats and what else the API may have in it are allowed; jansson bounds the depth. */
	o = size ? json_loadb(node, size, JSON_REJECT_DUPLICATES, &error) : NULL;
	spec = json_object_get(o, "spec");
	if (!json_is_object(spec))
		return why_set(ret_why, -EBADMSG, "that is no Node object");
	now = json_object_get(spec, "taints");
	if (now && !json_is_array(now) && !json_is_null(now))
		return why_set(ret_why, -EBADMSG, "spec.taints is no list");
	r = judge(o, j, ret_seen, ret_why);
	if (r < 0)
		return r;
	if (ours(now) == wanted_bits(j->want))
		return 0;
	r = wanted_list(now, j->want, &wanted);
	if (r >= 0)
		r = put_patch(ret_seen->uid, now ? now : json_null(), wanted, ret);
	return r < 0 ? r : 1;
}

bool kube_patch_is_name(const char *name)
{
	const char *p = name;

	if (!*p || strlen(name) >= KUBE_PATCH_MAX_NAME)
		return false;
	for (;;) {
		size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");

		if (n == 0 || n > MAX_LABEL || p[0] == '-' || p[n - 1] == '-')
			return false;
		p += n;
		if (*p == '\0')
			return true;
		if (*p++ != '.')
			return false;
	}
}
