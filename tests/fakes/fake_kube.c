/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *reason_of(int status)
{
	switch (status) {
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "NotFound";
	case 409:
		return "Conflict";
	case 422:
		return "Invalid";
	}
	return "InternalError";
}

/* words NULL: those of the status. */
static void say_failure(struct fake_http_answer *a, int status, const char *verb, const char *words)
{
	char body[512], message[256];

	snprintf(message, sizeof(message), "%s", words ? words : reason_of(status));
	if (status == 403)
		snprintf(message, sizeof(message),
			 "nodes is forbidden: User cannot %s resource \\\"nodes\\\" in API group "
			 "\\\"\\\" at the cluster scope",
			 verb);
	if (status == 422)
		snprintf(message, sizeof(message),
			 "the server rejected our request due to an error in our request");
	snprintf(body, sizeof(body),
		 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
		 "\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",\"code\":%d}",
		 message, reason_of(status), status);
	fake_http_say(a, status, body);
}

static void say_status(struct fake_http_answer *a, int status, const char *verb)
{
	say_failure(a, status, verb, NULL);
}

static json_t *object_of(const struct fake_kube_node *n)
{
	json_t *o =
		json_pack("{s:s,s:s,s:{s:s,s:s,s:s},s:{s:s,s:b},s:{s:{s:s}}}", "kind", "Node",
			  "apiVersion", "v1", "metadata", "name", n->name, "uid", n->uid,
			  "resourceVersion", "307", "spec", "podCIDR", "10.0.0.0/24",
			  "unschedulable", n->cordoned, "status", "nodeInfo", "bootID", n->boot_id);

	if (n->zone)
		json_object_set_new(json_object_get(o, "metadata"), "labels",
				    json_pack("{s:s}", "topology.kubernetes.io/zone", n->zone));
	if (n->taints)
		json_object_set(json_object_get(o, "spec"), "taints", n->taints);
	return o;
}

/* A null in the patch stands for an absent value too, as the real one has it. */
static json_t *at(const struct fake_kube_node *n, const char *path)
{
	if (strcmp(path, "/metadata/uid") == 0)
		return json_string(n->uid);
	if (strcmp(path, "/spec/taints") == 0)
		return n->taints ? json_deep_copy(n->taints) : json_null();
	return NULL;
}

static bool holds(const struct fake_kube_node *n, const json_t *op)
{
	json_t *there = at(n, json_string_value(json_object_get(op, "path")));
	bool same = there && json_equal(there, json_object_get(op, "value"));

	json_decref(there);
	return same;
}

static void race(struct fake_kube *k, struct fake_kube_node *n)
{
	char key[32];

	snprintf(key, sizeof(key), "racer%d", k->conflicts--);
	if (!n->taints)
		n->taints = json_array();
	json_array_append_new(n->taints,
			      json_pack("{s:s,s:s}", "key", key, "effect", "NoSchedule"));
}

/* What is only shown: kept as it came. */
static bool is_shown(const json_t *ops)
{
	const json_t *last = json_array_get(ops, json_array_size(ops) - 1);
	const char *path = json_string_value(json_object_get(last, "path"));

	return path && strncmp(path, "/metadata/", 10) == 0;
}

static int patch(struct fake_kube *k, struct fake_kube_node *n, const struct fake_http_request *q)
{
	json_t *ops = json_loads(q->body, 0, NULL), *op;
	int status = 200;
	size_t i;

	if (is_shown(ops)) {
		snprintf(k->shown, sizeof(k->shown), "%s", q->body);
		k->n_shown++;
		json_decref(ops);
		return k->fail_shown ? k->fail_shown : 200;
	}
	k->n_patch++;
	if (k->fail_patch || n->words) {
		json_decref(ops);
		return n->words ? 500 : k->fail_patch;
	}
	if (k->conflicts > 0)
		race(k, n);
	if (!json_is_array(ops))
		status = 400;
	json_array_foreach (ops, i, op) {
		const char *what = json_string_value(json_object_get(op, "op"));

		if (status != 200)
			break;
		if (strcmp(what, "test") == 0 && !holds(n, op))
			status = 422;
		if (strcmp(json_string_value(json_object_get(op, "path")), "/spec/unschedulable") ==
		    0)
			n->cordoned = strcmp(what, "add") == 0;
		else if (strcmp(what, "add") != 0)
			continue;
		else if (status != 200)
			break;
		if (strcmp(json_string_value(json_object_get(op, "path")), "/spec/taints") != 0)
			continue;
		json_decref(n->taints);
		n->taints = json_deep_copy(json_object_get(op, "value"));
		/* An empty list is not stored. */
		if (json_array_size(n->taints) == 0) {
			json_decref(n->taints);
			n->taints = NULL;
		}
	}
	json_decref(ops);
	return status;
}

static struct fake_kube_node *find(struct fake_kube *k, const char *path)
{
	static const char prefix[] = "/api/v1/nodes/";
	size_t size = strcspn(path, "?") - strlen(prefix);

	for (unsigned int i = 0; i < FAKE_KUBE_MAX; i++)
		if (k->nodes[i].name[0] && strncmp(path, prefix, strlen(prefix)) == 0 &&
		    strlen(k->nodes[i].name) == size &&
		    strncmp(path + strlen(prefix), k->nodes[i].name, size) == 0)
			return &k->nodes[i];
	return NULL;
}

static void say_node(struct fake_kube *k, struct fake_kube_node *n, struct fake_http_answer *a)
{
	json_t *o = object_of(n);
	char *text = json_dumps(o, 0);

	fake_http_say(a, 200, n->raw ? n->raw : k->raw ? k->raw : text);
	json_decref(o);
	free(text);
}

/* A list of all; a watch that ends at once, after the lines that the test put there. */
static bool say_nodes(struct fake_kube *k, const struct fake_http_request *q,
		      struct fake_http_answer *a)
{
	json_t *o;
	char *text;

	if (strcmp(q->method, "GET") != 0 || strncmp(q->path, "/api/v1/nodes?", 14) != 0)
		return false;
	if (strstr(q->path, "watch=1")) {
		k->n_watch++;
		snprintf(k->watch_path, sizeof(k->watch_path), "%s", q->path);
		if (k->mute_watch)
			a->silent = true;
		else
			fake_http_say(a, k->fail_watch ? k->fail_watch : 200,
				      k->watched ? k->watched : "");
		k->watched = NULL;
		return true;
	}
	k->n_list++;
	snprintf(k->list_path, sizeof(k->list_path), "%s", q->path);
	if (k->mute_list && k->n_list >= k->mute_list) {
		a->silent = true;
		return true;
	}
	if (k->fail_list) {
		say_status(a, k->fail_list, "list");
		return true;
	}
	o = json_pack("{s:{s:s},s:[]}", "metadata", "resourceVersion", "307", "items");
	for (unsigned int i = 0; i < FAKE_KUBE_MAX; i++)
		if (k->nodes[i].name[0])
			json_array_append_new(json_object_get(o, "items"), object_of(&k->nodes[i]));
	text = json_dumps(o, 0);
	fake_http_say(a, 200, k->raw_list && strstr(q->path, "limit=100") ? k->raw_list : text);
	json_decref(o);
	free(text);
	return true;
}

static bool say_rest(struct fake_kube *k, const struct fake_http_request *q,
		     struct fake_http_answer *a)
{
	if (say_nodes(k, q, a))
		return true;
	if (strncmp(q->path, "/apis/events.k8s.io/v1/namespaces/default/events", 48) == 0) {
		k->n_events++;
		snprintf(k->event, sizeof(k->event), "%s", q->body);
		fake_http_say(a, 201, "{}");
		return true;
	}
	if (strcmp(q->path, "/apis/policy") == 0) {
		k->n_policy++;
		say_status(a, 503, "get");
		return true;
	}
	if (strcmp(q->method, "PATCH") != 0 || !strstr(q->path, "/status?"))
		return false;
	k->n_status++;
	snprintf(k->status, sizeof(k->status), "%s", q->body);
	if (k->fail_status)
		say_status(a, k->fail_status, "patch");
	else
		fake_http_say(a, 200, "{}");
	return true;
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct fake_kube *k = ctx;
	struct fake_kube_node *n = find(k, q->path);
	bool is_get = strcmp(q->method, "GET") == 0;
	char type[64] = "";
	int status = is_get ? k->fail_get : 0;

	if (say_rest(k, q, a))
		return;
	k->n_get += is_get;
	k->token[0] = 0;
	fake_http_header(q, "Authorization", k->token, sizeof(k->token));
	if (!is_get)
		snprintf(k->patch_query, sizeof(k->patch_query), "%s",
			 q->path + strcspn(q->path, "?"));
	if (!is_get && (!fake_http_header(q, "Content-Type", type, sizeof(type)) ||
			strcmp(type, "application/json-patch+json") != 0))
		status = 415;
	if (status == 0 && !n)
		status = 404;
	if (status == 0 && !is_get)
		status = patch(k, n, q);
	if (status == 0 || status == 200)
		say_node(k, n, a);
	else
		say_failure(a, status, is_get ? "get" : "patch",
			    n && status == 500 && !is_get ? n->words : NULL);
}

void fake_kube_open(struct fake_kube *k, struct event_base *base, const char *chain_pem,
		    const char *key_pem)
{
	*k = (struct fake_kube){.http = NULL};
	k->http = fake_http_open(base, chain_pem, key_pem, on_request, k);
}

void fake_kube_done(struct fake_kube *k)
{
	fake_http_free(k->http);
	for (unsigned int i = 0; i < FAKE_KUBE_MAX; i++)
		json_decref(k->nodes[i].taints);
	*k = (struct fake_kube){.http = NULL};
}

void fake_kube_node(struct fake_kube *k, unsigned int i, const char *name, const char *uid,
		    const char *boot_id, const char *taints)
{
	struct fake_kube_node *n = &k->nodes[i];

	json_decref(n->taints);
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->uid, sizeof(n->uid), "%s", uid);
	snprintf(n->boot_id, sizeof(n->boot_id), "%s", boot_id);
	n->cordoned = false;
	n->taints = taints ? json_loads(taints, 0, NULL) : NULL;
}

const char *fake_kube_taints(const struct fake_kube *k, unsigned int i, char ret[512])
{
	size_t at_taint;
	json_t *t;

	ret[0] = 0;
	json_array_foreach (k->nodes[i].taints, at_taint, t)
		snprintf(ret + strlen(ret), 512 - strlen(ret), "%s%s:%s", at_taint ? " " : "",
			 json_string_value(json_object_get(t, "key")),
			 json_string_value(json_object_get(t, "effect")));
	return ret;
}
