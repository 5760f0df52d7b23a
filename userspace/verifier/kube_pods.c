/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_pods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "kube_json.h"
#include "kube_patch.h"

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static bool is_daemon(const json_t *meta)
{
	size_t i;
	json_t *o;

	json_array_foreach (json_object_get(meta, "ownerReferences"), i, o)
		if (strcmp(text(o, "kind"), "DaemonSet") == 0 &&
		    json_is_true(json_object_get(o, "controller")))
			return true;
	return false;
}

static bool can_leave(const json_t *pod)
{
	const json_t *meta = json_object_get(pod, "metadata");
	const char *phase = text(json_object_get(pod, "status"), "phase");

	return !json_object_get(json_object_get(meta, "annotations"),
				"kubernetes.io/config.mirror") &&
	       !is_daemon(meta) && !json_is_string(json_object_get(meta, "deletionTimestamp")) &&
	       strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0;
}

static bool is_uid(const char *uid)
{
	return *uid && strspn(uid, "0123456789abcdef-") == strlen(uid);
}

int kube_pods_read(const void *list, size_t size, struct kube_pods *pods, struct buf *ret_more,
		   struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const json_t *items;
	size_t i;
	json_t *pod;

	if (!kube_json_fits(list, size))
		return why_set(ret_why, -E2BIG, "a list of pods with too many values");
	o = size <= KUBE_PODS_MAX_PAGE ? kube_json_load(list, size, 0) : NULL;
	items = json_object_get(o, "items");
	if (!json_is_array(items) || kube_json_more(o, ret_more) < 0)
		return why_set(ret_why, -EBADMSG, "that is no list of pods");
	if (!pods->all)
		pods->all = calloc(KUBE_PODS_MAX, sizeof(*pods->all));
	if (!pods->all)
		return -ENOMEM;
	json_array_foreach (items, i, pod) {
		const json_t *meta = json_object_get(pod, "metadata");
		const char *space = text(meta, "namespace"), *name = text(meta, "name"),
			   *uid = text(meta, "uid");
		struct kube_pod *p = &pods->all[pods->n];

		if (pods->n == KUBE_PODS_MAX)
			break;
		if (!can_leave(pod) || !kube_patch_is_name(name) || !kube_patch_is_name(space) ||
		    strlen(space) >= sizeof(p->namespace) || !is_uid(uid) ||
		    strlen(uid) >= sizeof(p->uid))
			continue;
		snprintf(p->namespace, sizeof(p->namespace), "%s", space);
		snprintf(p->name, sizeof(p->name), "%s", name);
		snprintf(p->uid, sizeof(p->uid), "%s", uid);
		pods->n++;
	}
	return 0;
}

void kube_pods_done(struct kube_pods *p)
{
	free(p->all);
	*p = (struct kube_pods){.n = 0};
}

static void put_preconditions(struct jsonl *j, const struct kube_pod *p)
{
	jsonl_object(j, "preconditions");
	jsonl_str(j, "uid", p->uid);
	jsonl_close(j);
}

int kube_pods_eviction(const struct kube_pod *p, const char *version, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "apiVersion", version);
	jsonl_str(&j, "kind", "Eviction");
	jsonl_object(&j, "metadata");
	jsonl_str(&j, "name", p->name);
	jsonl_str(&j, "namespace", p->namespace);
	jsonl_close(&j);
	jsonl_object(&j, "deleteOptions");
	put_preconditions(&j, p);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

int kube_pods_delete(const struct kube_pod *p, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "apiVersion", "v1");
	jsonl_str(&j, "kind", "DeleteOptions");
	put_preconditions(&j, p);
	jsonl_end(&j);
	return buf_status(ret);
}

const char *kube_pods_policy(const void *group, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	size_t i;
	json_t *v;

	o = kube_json_load(group, size, 0);
	json_array_foreach (json_object_get(o, "versions"), i, v)
		if (strcmp(text(v, "version"), "v1") == 0)
			return "policy/v1";
	return "policy/v1beta1";
}
