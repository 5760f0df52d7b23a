/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_patch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "kube_json.h"

#define MAX_LABEL 63
#define STARTUP (KUBE_TAINT_UNATTESTED | KUBE_TAINT_SOFT)

static int add_taint(json_t *list, const char *key, const char *effect)
{
	json_t *t = json_pack("{s:s,s:s,s:s}", "key", key, "value", "true", "effect", effect);

	return t && json_array_append_new(list, t) == 0 ? 0 : -ENOMEM;
}

static unsigned int wanted_bits(const struct kube_job *j, const struct kube_facts *f)
{
	unsigned int bits = f->taints & STARTUP;

	if (j->unattested == KUBE_PUT)
		bits |= KUBE_TAINT_UNATTESTED;
	else if (j->unattested == KUBE_TAKE)
		bits = 0;
	if (j->want >= KUBE_HOLD)
		bits |= KUBE_TAINT_HOLD;
	if (j->want == KUBE_QUARANTINE)
		bits |= KUBE_TAINT_EXECUTE;
	return j->still ? bits & f->taints : bits;
}

/* Everybody else's taints stay as they are, in their order; so do those of the start, whatever their effect, until they go. */
static int wanted_list(const json_t *now, unsigned int bits, json_t **ret)
{
	json_t *list = json_array();
	bool has = false;
	size_t i;
	json_t *t;
	int r = list ? 0 : -ENOMEM;

	json_array_foreach (now, i, t) {
		unsigned int bit = kube_facts_taint(t);

		has |= bit == KUBE_TAINT_UNATTESTED;
		if (r >= 0 && (!bit || (bit & bits & STARTUP)))
			r = json_array_append(list, t) == 0 ? 0 : -ENOMEM;
	}
	if (r >= 0 && (bits & KUBE_TAINT_UNATTESTED) && !has)
		r = add_taint(list, KUBE_FACTS_UNATTESTED, "NoSchedule");
	if (r >= 0 && (bits & KUBE_TAINT_HOLD))
		r = add_taint(list, KUBE_FACTS_QUARANTINED, "NoSchedule");
	if (r >= 0 && (bits & KUBE_TAINT_EXECUTE))
		r = add_taint(list, KUBE_FACTS_QUARANTINED, "NoExecute");
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

/* One operation more; takes value, which may be NULL for `remove`. */
static int add_op(json_t *patch, const char *op, const char *path, json_t *value)
{
	json_t *o = json_pack("{s:s,s:s}", "op", op, "path", path);

	if (!o || (value && json_object_set_new(o, "value", value) != 0) ||
	    json_array_append_new(patch, o) != 0)
		return -ENOMEM;
	return 0;
}

static int put_taints(json_t *patch, json_t *now, unsigned int bits)
{
	json_t *wanted = NULL;
	int r = wanted_list(now, bits, &wanted);

	/* An absent list is tested as null: nobody may have made one meanwhile. */
	if (r >= 0)
		r = add_op(patch, "test", "/spec/taints", now ? json_incref(now) : json_null());
	if (r >= 0)
		r = add_op(patch, "add", "/spec/taints", json_incref(wanted));
	json_decref(wanted);
	return r;
}

/* A member of labels or annotations. Where there is no such object yet, nobody may have made one meanwhile. */
static int put_member(json_t *patch, const json_t *meta, const char *kind, const char *key,
		      const char *wanted)
{
	json_t *all = json_object_get(meta, kind);
	const char *now = json_string_value(json_object_get(all, key));
	const char *slash = strchr(key, '/');
	char parent[64], path[160];
	int r = 0;

	if (!wanted || strcmp(wanted, now ? now : "") == 0)
		return 0;
	snprintf(parent, sizeof(parent), "/metadata/%s", kind);
	snprintf(path, sizeof(path), "%s/%.*s~1%s", parent, (int)(slash - key), key, slash + 1);
	if (!wanted[0])
		return add_op(patch, "remove", path, NULL);
	if (!json_is_object(all))
		r = add_op(patch, "test", parent, json_null());
	if (r >= 0 && !json_is_object(all))
		r = add_op(patch, "add", parent, json_object());
	return r < 0 ? r : add_op(patch, "add", path, json_string(wanted));
}

static int put_cordon(json_t *patch, const struct kube_job *j, struct kube_seen *seen)
{
	if (j->cordon == KUBE_PUT && !seen->facts.cordoned) {
		seen->cordons = true;
		return add_op(patch, "add", "/spec/unschedulable", json_true());
	}
	if (j->cordon == KUBE_TAKE && seen->facts.cordoned)
		return add_op(patch, "remove", "/spec/unschedulable", NULL);
	return 0;
}

static int dump(const json_t *o, struct buf *ret)
{
	CLEANUP_FREE char *text = json_dumps(o, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	buf_puts(ret, text);
	return buf_status(ret);
}

/* The uid is tested too: between GET and PATCH the object may have become another machine's. */
static json_t *begin(const struct kube_seen *seen)
{
	json_t *patch = json_array();

	if (patch && add_op(patch, "test", "/metadata/uid", json_string(seen->facts.uid)) == 0)
		return patch;
	json_decref(patch);
	return NULL;
}

static int end(json_t *patch, int r, struct buf *ret)
{
	if (r >= 0 && json_array_size(patch) > 1)
		r = dump(patch, ret);
	json_decref(patch);
	return r;
}

static int make_taints(const json_t *o, const struct kube_job *j, struct kube_seen *seen,
		       struct buf *ret)
{
	unsigned int bits = wanted_bits(j, &seen->facts);
	json_t *patch = begin(seen);
	int r = patch ? 0 : -ENOMEM;

	if (r >= 0 && bits != seen->facts.taints)
		r = put_taints(patch, json_object_get(json_object_get(o, "spec"), "taints"), bits);
	if (r >= 0)
		r = put_cordon(patch, j, seen);
	return end(patch, r, ret);
}

static int make_shown(const json_t *o, const struct kube_job *j, const struct kube_seen *seen,
		      struct buf *ret)
{
	const json_t *meta = json_object_get(o, "metadata");
	json_t *patch = begin(seen);
	int r = patch ? 0 : -ENOMEM;

	if (r >= 0)
		r = put_member(patch, meta, "labels", KUBE_FACTS_LABEL, j->label);
	if (r >= 0)
		r = put_member(patch, meta, "annotations", KUBE_FACTS_VERDICT, j->verdict);
	return end(patch, r, ret);
}

static const json_t *find_condition(const json_t *o)
{
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(json_object_get(o, "status"), "conditions"), i, c) {
		const char *type = json_string_value(json_object_get(c, "type"));

		if (type && strcmp(type, KUBE_FACTS_CONDITION) == 0)
			return c;
	}
	return NULL;
}

static bool says(const json_t *condition, const char *key, const char *wanted)
{
	const char *now = json_string_value(json_object_get(condition, key));

	return now && strcmp(now, wanted) == 0;
}

/* RFC 3339 in seconds, as the API wants times of conditions. */
static void put_time(uint64_t ns, char ret[CLOCK_TEXT_SIZE])
{
	clock_text(ns, ret);
	snprintf(ret + 19, CLOCK_TEXT_SIZE - 19, "Z");
}

static int make_status(const json_t *o, const struct kube_job *j, struct buf *ret)
{
	const struct kube_condition *c = j->condition;
	const json_t *now = find_condition(o);
	const char *since = json_string_value(json_object_get(now, "lastTransitionTime"));
	char at[CLOCK_TEXT_SIZE];
	json_t *patch;
	int r;

	if (!c || (!c->status[0] && !now) ||
	    (now && says(now, "status", c->status) && says(now, "reason", c->reason) &&
	     says(now, "message", c->message)))
		return 0;
	put_time(j->now_ns, at);
	/* Merged by type: with another kind of patch the list would be replaced. */
	if (!c->status[0])
		patch = json_pack("{s:{s:[{s:s,s:s}]}}", "status", "conditions", "$patch", "delete",
				  "type", KUBE_FACTS_CONDITION);
	else
		patch = json_pack("{s:{s:[{s:s,s:s,s:s,s:s,s:s,s:s}]}}", "status", "conditions",
				  "type", KUBE_FACTS_CONDITION, "status", c->status, "reason",
				  c->reason, "message", c->message, "lastHeartbeatTime", at,
				  "lastTransitionTime",
				  since && says(now, "status", c->status) ? since : at);
	r = patch ? dump(patch, ret) : -ENOMEM;
	json_decref(patch);
	return r;
}

/*
 * The boot id in the object is the kubelet's word, so it counts only until the object was once seen to be the attested machine's: from then
 * on it is known by its uid, and a kubelet that tells another boot id escapes nothing.
 */
static int judge(const struct kube_job *j, struct kube_seen *seen, struct why *ret_why)
{
	const struct kube_facts *f = &seen->facts;

	if (j->uid[0] && strcmp(j->uid, f->uid) == 0) {
		seen->certain = true;
		return 0;
	}
	if (!j->boot_id[0] || !f->boot_id[0])
		return 0;
	seen->certain = strcmp(f->boot_id, j->boot_id) == 0;
	seen->other = !seen->certain;
	if (seen->other)
		why_set(ret_why, -EXDEV,
			"node %.100s: its bootID is %.40s, the attested machine's %.40s", j->node,
			f->boot_id, j->boot_id);
	return seen->other && j->want != KUBE_FREE ? -EXDEV : 0;
}

/* What may be done to an object of which it is not certain whose it is. */
static void restrain(struct kube_job *j, const struct kube_seen *seen)
{
	static const struct kube_condition none = {.status = ""};

	if (seen->certain || j->leave)
		return;
	j->unattested = KUBE_KEEP;
	j->cordon = KUBE_KEEP;
	/* Another machine's has nothing of ours to show. */
	j->label = seen->other && j->label ? "" : NULL;
	j->verdict = seen->other && j->verdict ? "" : NULL;
	j->condition = seen->other && j->condition ? &none : NULL;
}

int kube_patch_make(const void *node, size_t size, const struct kube_job *j,
		    struct kube_patches *ret, struct kube_seen *ret_seen, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct kube_job own = *j;
	int r;

	if (size > KUBE_FACTS_MAX_NODE)
		return why_set(ret_why, -EBADMSG, "Node object is longer than %u bytes",
			       KUBE_FACTS_MAX_NODE);
	*ret_seen = (struct kube_seen){.certain = false};
	/* Not ours: floats, keys that are there twice (see kube_json.h) and what else the API may have in it are allowed; jansson bounds the depth. */
	o = kube_json_load(node, size, 0);
	r = kube_facts_read(o, &ret_seen->facts, ret_why);
	if (r >= 0)
		r = judge(j, ret_seen, ret_why);
	if (r < 0)
		return r;
	restrain(&own, ret_seen);
	r = make_taints(o, &own, ret_seen, &ret->taints);
	if (r >= 0)
		r = make_shown(o, &own, ret_seen, &ret->shown);
	return r < 0 ? r : make_status(o, &own, &ret->status);
}

void kube_patches_done(struct kube_patches *p)
{
	buf_done(&p->taints);
	buf_done(&p->shown);
	buf_done(&p->status);
}

bool kube_patch_is_name(const char *name)
{
	const char *p = name;

	if (!*p || strlen(name) >= KUBE_FACTS_MAX_NAME)
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
