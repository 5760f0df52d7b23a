/* SPDX-License-Identifier: Apache-2.0 */
#include "admission.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "admission_image.h"
#include "admission_node.h"
#include "cleanup.h"
#include "digest.h"
#include "jsonl.h"
#include "kube_json.h"

#define GROUP_VERSION "admission.k8s.io/v1"
#define KIND "AdmissionReview"

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* The core group alone: another group's "pods" are none of ours. */
static enum admission_subject subject_of(const json_t *request)
{
	const json_t *resource = json_object_get(request, "resource");
	const char *what = text_at(resource, "resource"), *sub = text_at(request, "subResource"),
		   *operation = text_at(request, "operation");
	bool create = strcmp(operation, "CREATE") == 0;

	if (text_at(resource, "group")[0])
		return ADMISSION_OTHER;
	if (strcmp(what, "nodes") == 0 && (!sub[0] || strcmp(sub, "status") == 0))
		return ADMISSION_NODE;
	if (strcmp(what, "pods") == 0 && create && !sub[0])
		return ADMISSION_POD;
	if (strcmp(what, "pods") == 0 && strcmp(operation, "UPDATE") == 0 &&
	    (!sub[0] || strcmp(sub, "ephemeralcontainers") == 0))
		return ADMISSION_POD_CHANGE;
	/* There is an older door to the same thing: POST …/bindings. */
	if (create && ((strcmp(what, "pods") == 0 && strcmp(sub, "binding") == 0) ||
		       (strcmp(what, "bindings") == 0 && !sub[0])))
		return ADMISSION_BINDING;
	return ADMISSION_OTHER;
}

static int judge(const json_t *request, const struct admission_rules *rules,
		 const struct admission_world *w, struct admission_told *told, struct why *ret_why)
{
	int r;

	switch (told->subject) {
	case ADMISSION_POD:
		r = admission_pod(request, rules, w, told->node, ret_why);
		return r < 0 ? r : admission_image(request, rules, ret_why);
	case ADMISSION_POD_CHANGE:
		return admission_image(request, rules, ret_why);
	case ADMISSION_BINDING:
		return admission_pod_binding(request, rules, w, told->node, ret_why);
	case ADMISSION_NODE:
		snprintf(told->node, sizeof(told->node), "%s", text_at(request, "name"));
		return admission_node(request, ret_why);
	default:
		return 0;
	}
}

static int put_answer(const char *uid, const struct admission_told *told, bool dry_run,
		      const struct buf *patch, struct buf *ret)
{
	CLEANUP(buf_done) struct buf coded = {0};
	char text[400];
	struct jsonl j;

	digest_base64(&coded, patch->data, patch->size);
	if (buf_status(&coded) < 0)
		return buf_status(&coded);
	snprintf(text, sizeof(text), "plumbline: %s%s",
		 !dry_run	 ? ""
		 : told->refused ? "would be refused: "
				 : "would be given the taint " ADMISSION_NODE_STARTUP,
		 told->reason);
	jsonl_begin(&j, ret);
	jsonl_str(&j, "apiVersion", GROUP_VERSION);
	jsonl_str(&j, "kind", KIND);
	jsonl_object(&j, "response");
	jsonl_str(&j, "uid", uid);
	jsonl_bool(&j, "allowed", !told->refused || dry_run);
	if ((told->refused || told->tainted) && dry_run) {
		jsonl_array(&j, "warnings");
		jsonl_str(&j, NULL, text);
		jsonl_close(&j);
	} else if (told->refused) {
		jsonl_object(&j, "status");
		jsonl_uint(&j, "code", 403);
		jsonl_str(&j, "reason", "Forbidden");
		jsonl_str(&j, "message", text);
		jsonl_close(&j);
	} else if (told->tainted) {
		jsonl_str(&j, "patchType", "JSONPatch");
		jsonl_str(&j, "patch", (char *)coded.data);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

static int open_review(const void *review, size_t size, json_t **ret, const json_t **ret_request,
		       struct why *ret_why)
{
	json_t *o;
	const json_t *request;
	const char *uid;

	if (size > ADMISSION_MAX_BODY)
		return why_set(ret_why, -EBADMSG, "the review is longer than %u bytes",
			       ADMISSION_MAX_BODY);
	/* Objects of others: floats are allowed in them, and keys that are there twice (see kube_json.h). */
	o = kube_json_load(review, size, 0);
	if (!o)
		return why_set(ret_why, -EBADMSG, "the review is no JSON");
	request = json_object_get(o, "request");
	uid = text_at(request, "uid");
	if (strcmp(text_at(o, "kind"), KIND) != 0 ||
	    strcmp(text_at(o, "apiVersion"), GROUP_VERSION) != 0) {
		json_decref(o);
		return why_set(ret_why, -EBADMSG, "that is no " KIND " of " GROUP_VERSION);
	}
	if (!uid[0] || strlen(uid) > ADMISSION_MAX_UID) {
		json_decref(o);
		return why_set(ret_why, -EBADMSG, "request.uid is missing or too long");
	}
	*ret = o;
	*ret_request = request;
	return 0;
}

int admission_review(const void *review, size_t size, const struct admission_rules *rules,
		     const struct admission_world *w, struct buf *ret,
		     struct admission_told *ret_told, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf patch = {0};
	struct admission_told told = {.refused = false};
	const json_t *request = NULL;
	struct why why = {""};
	int r = open_review(review, size, &o, &request, ret_why);

	if (r < 0)
		return r;
	told.subject = subject_of(request);
	snprintf(told.namespace, sizeof(told.namespace), "%s", text_at(request, "namespace"));
	snprintf(told.name, sizeof(told.name), "%s", text_at(request, "name"));
	snprintf(told.user, sizeof(told.user), "%s",
		 text_at(json_object_get(request, "userInfo"), "username"));
	told.refused = judge(request, rules, w, &told, &why) < 0;
	snprintf(told.reason, sizeof(told.reason), "%s", told.refused ? why.text : "");
	if (!told.refused && told.subject == ADMISSION_NODE && rules->startup_taint)
		r = admission_node_taint(request, &patch);
	told.tainted = r > 0;
	if (r >= 0)
		r = put_answer(text_at(request, "uid"), &told, rules->dry_run, &patch, ret);
	if (r >= 0)
		*ret_told = told;
	return r;
}
