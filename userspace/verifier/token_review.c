/* SPDX-License-Identifier: Apache-2.0 */
#include "token_review.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "kube_json.h"
#include "kube_patch.h"

#define EXTRA "authentication.kubernetes.io/"

int token_review_body(const char *token, const char *audience, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "apiVersion", "authentication.k8s.io/v1");
	jsonl_str(&j, "kind", "TokenReview");
	jsonl_object(&j, "spec");
	jsonl_str(&j, "token", token);
	jsonl_array(&j, "audiences");
	jsonl_str(&j, NULL, audience);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static bool is_uid(const char *uid)
{
	return *uid && strlen(uid) < KUBE_FACTS_MAX_UID &&
	       strspn(uid, "0123456789abcdef-") == strlen(uid);
}

/* One text, or "": what is there twice says nothing. */
static const char *extra(const json_t *user, const char *key)
{
	const json_t *list = json_object_get(json_object_get(user, "extra"), key);
	const char *t =
		json_array_size(list) == 1 ? json_string_value(json_array_get(list, 0)) : NULL;

	return t ? t : "";
}

static bool has_audience(const json_t *status, const char *audience)
{
	size_t i;
	json_t *a;

	json_array_foreach (json_object_get(status, "audiences"), i, a)
		if (json_is_string(a) && strcmp(json_string_value(a), audience) == 0)
			return true;
	return false;
}

static int read_pod_of(const json_t *user, struct token_review *ret, struct why *ret_why)
{
	const char *pod = extra(user, EXTRA "pod-name"), *uid = extra(user, EXTRA "pod-uid");
	const char *node = extra(user, EXTRA "node-name"),
		   *node_uid = extra(user, EXTRA "node-uid");

	if (!kube_patch_is_name(pod) || !is_uid(uid))
		return why_set(ret_why, -EKEYREJECTED, "the token is bound to no pod");
	if (node[0] && !kube_patch_is_name(node))
		return why_set(ret_why, -EKEYREJECTED, "the token's node has no name");
	*ret = (struct token_review){.pod = ""};
	snprintf(ret->pod, sizeof(ret->pod), "%s", pod);
	snprintf(ret->pod_uid, sizeof(ret->pod_uid), "%s", uid);
	snprintf(ret->node, sizeof(ret->node), "%s", node);
	snprintf(ret->node_uid, sizeof(ret->node_uid), "%s",
		 node[0] && is_uid(node_uid) ? node_uid : "");
	return 0;
}

int token_review_read(const void *data, size_t size, const struct token_review_wants *w,
		      struct token_review *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const json_t *status, *user;
	char account[600];

	o = size <= TOKEN_REVIEW_MAX ? kube_json_load(data, size, JSON_REJECT_DUPLICATES) : NULL;
	status = json_object_get(o, "status");
	if (strcmp(text(o, "kind"), "TokenReview") != 0 || !json_is_object(status))
		return why_set(ret_why, -EBADMSG, "the API's answer is no TokenReview");
	user = json_object_get(status, "user");
	if (!json_is_true(json_object_get(status, "authenticated")))
		return why_set(ret_why, -EKEYREJECTED,
			       "the API does not know the token, or its time is over, or it is "
			       "for another audience: %.100s",
			       text(status, "error"));
	if (!has_audience(status, w->audience))
		return why_set(ret_why, -EKEYREJECTED, "the token is not for audience %.100s",
			       w->audience);
	snprintf(account, sizeof(account), "system:serviceaccount:%s:%s", w->namespace, w->account);
	if (strcmp(text(user, "username"), account) != 0)
		return why_set(ret_why, -EKEYREJECTED, "the token is %.100s's, and not %.100s's",
			       text(user, "username"), account);
	return read_pod_of(user, ret, ret_why);
}

int token_review_pod(const void *data, size_t size, const struct token_review_wants *w,
		     struct token_review *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const json_t *meta, *spec;

	o = size <= TOKEN_REVIEW_MAX ? kube_json_load(data, size, JSON_REJECT_DUPLICATES) : NULL;
	meta = json_object_get(o, "metadata");
	spec = json_object_get(o, "spec");
	if (!json_is_object(meta) || !json_is_object(spec))
		return why_set(ret_why, -EBADMSG, "the API's answer is no Pod");
	if (strcmp(text(meta, "uid"), ret->pod_uid) != 0 ||
	    strcmp(text(meta, "name"), ret->pod) != 0 ||
	    strcmp(text(meta, "namespace"), w->namespace) != 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "the pod %.100s is another one than the token's", ret->pod);
	if (strcmp(text(spec, "serviceAccountName"), w->account) != 0)
		return why_set(ret_why, -EKEYREJECTED, "the pod %.100s has another account",
			       ret->pod);
	if (!kube_patch_is_name(text(spec, "nodeName")))
		return why_set(ret_why, -EKEYREJECTED, "the pod %.100s is on no node", ret->pod);
	snprintf(ret->node, sizeof(ret->node), "%s", text(spec, "nodeName"));
	return 0;
}
