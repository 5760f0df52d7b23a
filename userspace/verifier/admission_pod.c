/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_pod.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kube_patch.h"

#define KUBELET "system:node:"
#define MIRROR "kubernetes.io/config.mirror"

/* As the controller manager runs: with an account for each controller, or with one for all. */
static const char *const daemonset_controllers[] = {
	"system:serviceaccount:kube-system:daemon-set-controller",
	"system:kube-controller-manager",
};

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static const char *user_of(const json_t *request)
{
	return text_at(json_object_get(request, "userInfo"), "username");
}

static bool tolerates(const json_t *t, const char *effect)
{
	const char *key = text_at(t, "key"), *op = text_at(t, "operator"),
		   *own = text_at(t, "effect");
	bool exists = strcmp(op, "Exists") == 0;

	if (own[0] && strcmp(own, effect) != 0)
		return false;
	if (!key[0])
		return exists;
	/* The value is what kube_patch puts there. */
	return strcmp(key, KUBE_PATCH_TAINT) == 0 &&
	       (exists || strcmp(text_at(t, "value"), "true") == 0);
}

bool admission_pod_tolerates(const json_t *tolerations)
{
	static const char *const effects[] = {"NoSchedule", "NoExecute"};

	for (size_t e = 0; e < ARRAY_SIZE(effects); e++) {
		bool found = false;
		size_t i;
		json_t *t;

		json_array_foreach (tolerations, i, t)
			found |= tolerates(t, effects[e]);
		if (!found)
			return false;
	}
	return true;
}

/* Nobody but the controller is believed when an owner is named: whoever makes pods may write any owner. */
static bool is_of_daemonset(const json_t *request, const json_t *pod)
{
	const json_t *owners = json_object_get(json_object_get(pod, "metadata"), "ownerReferences");
	const char *user = user_of(request);
	bool controller = false;
	size_t i;
	json_t *o;

	for (size_t k = 0; k < ARRAY_SIZE(daemonset_controllers); k++)
		controller |= strcmp(user, daemonset_controllers[k]) == 0;
	json_array_foreach (owners, i, o)
		if (controller && json_is_true(json_object_get(o, "controller")) &&
		    strcmp(text_at(o, "kind"), "DaemonSet") == 0)
			return true;
	return false;
}

/* It runs already, whatever is answered: without its mirror it would only not be seen. */
static bool is_mirror(const json_t *request, const json_t *pod, const char *node)
{
	const char *user = user_of(request);
	const json_t *annotations =
		json_object_get(json_object_get(pod, "metadata"), "annotations");

	return strncmp(user, KUBELET, strlen(KUBELET)) == 0 &&
	       strcmp(user + strlen(KUBELET), node) == 0 && json_object_get(annotations, MIRROR);
}

static bool is_exempt(const json_t *request, const struct admission_rules *rules)
{
	const char *namespace = text_at(request, "namespace");

	for (uint32_t i = 0; i < rules->n_exempt; i++)
		if (strcmp(rules->exempt[i], namespace) == 0)
			return true;
	return false;
}

/* NULL: it may take work. What contains a node always counts; the rest is the operator's choice, for "could not tell" is not "bad". */
static const char *state_why_not(const struct node_state *s, const struct admission_rules *rules)
{
	if (s->forked)
		return "told two stories (its ledger is forked)";
	if (s->life == PLUMB_LIFE_REVOKED)
		return "is revoked";
	switch (s->containment) {
	case PLUMB_CONTAIN_QUARANTINED:
		return "is quarantined";
	case PLUMB_CONTAIN_REMEDIATING:
		return "is being remediated";
	case PLUMB_CONTAIN_HELD:
		return "is held";
	default:
		break;
	}
	if (s->life == PLUMB_LIFE_PROVISIONING || s->appraisal == PLUMB_APPRAISAL_NONE)
		return "has no verdict yet";
	if (s->appraisal != PLUMB_APPRAISAL_TRUSTED && !rules->allow_degraded)
		return "is degraded";
	if (s->freshness == PLUMB_FRESHNESS_SILENT && !rules->allow_silent)
		return "is silent";
	return NULL;
}

static int judge(const char *node, const struct admission_rules *rules,
		 const struct admission_world *w, struct why *ret_why)
{
	struct node_state s;
	const char *why_not;
	int r = w->node(w->ctx, node, &s);

	if (r == -ENOENT) {
		if (rules->allow_unknown)
			return 0;
		return why_set(ret_why, -EPERM,
			       "node %.120s is not attested: plumbctl node bind says which it is",
			       node);
	}
	if (r < 0)
		return why_set(ret_why, -EPERM, "node %.120s: its state could not be read", node);
	why_not = state_why_not(&s, rules);
	if (!why_not)
		return 0;
	return why_set(ret_why, -EPERM, "node %.120s %s: plumbctl node explain tells why", node,
		       why_not);
}

bool admission_pod_is_exempt(const json_t *request, const struct admission_rules *rules)
{
	const json_t *pod = json_object_get(request, "object");

	return is_exempt(request, rules) ||
	       is_mirror(request, pod, text_at(json_object_get(pod, "spec"), "nodeName"));
}

int admission_pod(const json_t *request, const struct admission_rules *rules,
		  const struct admission_world *w, char ret_node[254], struct why *ret_why)
{
	const json_t *pod = json_object_get(request, "object"),
		     *spec = json_object_get(pod, "spec");
	const char *node = text_at(spec, "nodeName"),
		   *uid = text_at(json_object_get(pod, "metadata"), "uid");
	bool daemon = is_of_daemonset(request, pod) &&
		      admission_pod_tolerates(json_object_get(spec, "tolerations"));

	snprintf(ret_node, 254, "%s", node);
	if (daemon && uid[0] && !json_is_true(json_object_get(request, "dryRun")))
		w->tolerant(w->ctx, uid);
	/* Without a node the scheduler finds one, and the binding is asked for. */
	if (!node[0] || daemon || is_exempt(request, rules) || is_mirror(request, pod, node))
		return 0;
	return judge(node, rules, w, ret_why);
}

int admission_pod_binding(const json_t *request, const struct admission_rules *rules,
			  const struct admission_world *w, char ret_node[254], struct why *ret_why)
{
	const json_t *binding = json_object_get(request, "object");
	const char *node = text_at(json_object_get(binding, "target"), "name"),
		   *uid = text_at(json_object_get(binding, "metadata"), "uid");
	int r;

	snprintf(ret_node, 254, "%s", node);
	if (is_exempt(request, rules))
		return 0;
	if (!node[0])
		return why_set(ret_why, -EPERM, "the binding names no node");
	r = judge(node, rules, w, ret_why);
	return r < 0 && uid[0] && w->is_tolerant(w->ctx, uid) ? 0 : r;
}
