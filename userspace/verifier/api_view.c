/* SPDX-License-Identifier: Apache-2.0 */
#include "api_view.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraisal_ima.h"
#include "boot_desk.h"
#include "cleanup.h"
#include "contain_book.h"
#include "image_desk.h"
#include "jsonl.h"
#include "node.h"
#include "remedy_view.h"

#define MAX_GROUPS 1000u
#define MAX_GROUP_CASES STORE_MAX_LIST

static void put_time(struct jsonl *j, const char *key, uint64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	if (ns == 0) {
		jsonl_null(j, key);
		return;
	}
	clock_text(ns, text);
	jsonl_str(j, key, text);
}

static void put_findings(struct jsonl *j, uint32_t bits)
{
	jsonl_array(j, "findings");
	for (uint32_t f = 1; f < 32; f++)
		if (bits & 1u << f && terms_finding_name((enum plumb_finding)f))
			jsonl_str(j, NULL, terms_finding_name((enum plumb_finding)f));
	jsonl_close(j);
}

static int count_case(void *ctx, const struct store_case *k)
{
	(void)k;
	++*(uint64_t *)ctx;
	return 0;
}

static int put_node(struct jsonl *j, const struct verifier *v, const struct store_node *n)
{
	static const struct digest none;
	const struct node_state s = {n->life, n->appraisal, n->freshness, n->containment,
				     n->forked};
	uint64_t open = 0;
	int r = v->store->ops->case_each(v->store->ctx, n->id, true, count_case, &open);

	if (r < 0)
		return r;
	jsonl_str(j, "id", n->id);
	jsonl_str(j, "label", n->label);
	jsonl_str(j, "kube_name", n->kube_name);
	jsonl_uint(j, "incarnation", n->incarnation);
	jsonl_str(j, "state", node_shown(&s));
	put_time(j, "since", n->state_since_ns);
	jsonl_str(j, "cause", n->cause);
	jsonl_str(j, "life", terms_life_name(n->life));
	jsonl_str(j, "appraisal", terms_appraisal_name(n->appraisal));
	jsonl_str(j, "freshness", terms_freshness_name(n->freshness));
	jsonl_str(j, "containment", terms_containment_name(n->containment));
	jsonl_str(j, "held_back", brakes_text(contain_book_held(v->store, n)));
	jsonl_uint(j, "size", n->frontier.size);
	jsonl_uint(j, "confirmed", n->has_base ? n->base_size : 0);
	jsonl_uint(j, "provisional", n->prov_size);
	put_time(j, "last_evidence", n->last_evidence_ns);
	put_time(j, "deadline", n->deadline_ns);
	put_time(j, "leaving_until", n->leaving_until_ns);
	if (digest_equal(&n->baseline, &none)) {
		jsonl_null(j, "baseline");
	} else {
		jsonl_object(j, "baseline");
		jsonl_hex(j, "sha256", n->baseline.bytes, DIGEST_SIZE);
		jsonl_uint(j, "version", n->baseline_version);
		jsonl_close(j);
	}
	put_findings(j, n->findings);
	jsonl_uint(j, "open_cases", open);
	jsonl_str(j, "boot_id", n->boot_id);
	return 0;
}

struct listing {
	const struct verifier *v;
	struct jsonl *j;
	uint32_t n;
	bool more; /* than a list may have: it says so */
	const struct policy *policy;
};

/* Only when it is so: a list that is whole has no such member. */
static void put_more(struct jsonl *j, const struct listing *l)
{
	if (l->more)
		jsonl_bool(j, "more", true);
}

static int on_node(void *ctx, const struct store_node *n)
{
	struct listing *l = ctx;
	int r;

	if (l->n++ >= STORE_MAX_LIST) {
		l->more = true;
		return 1;
	}
	jsonl_object(l->j, NULL);
	r = put_node(l->j, l->v, n);
	jsonl_close(l->j);
	return r < 0 ? r : buf_status(l->j->buf);
}

int api_view_nodes(const struct verifier *v, struct buf *ret)
{
	struct jsonl j;
	struct listing l = {.v = v, .j = &j};
	int r;

	jsonl_begin(&j, ret);
	jsonl_array(&j, "nodes");
	r = v->store->ops->node_each(v->store->ctx, on_node, &l);
	jsonl_close(&j);
	put_more(&j, &l);
	jsonl_end(&j);
	return r < 0 ? r : buf_status(ret);
}

static const char *title_of(const struct policy *p, const char *id)
{
	for (uint32_t i = 0; p && i < policy_n_rules(p); i++)
		if (strcmp(policy_rule(p, i)->id, id) == 0)
			return policy_rule(p, i)->title;
	return "";
}

static void put_undo(struct jsonl *j, const struct store_case *k)
{
	char text[128];

	snprintf(text, sizeof(text), "plumbctl drift acknowledge %" PRIu64 " --reason=…", k->id);
	jsonl_str(j, "undo", k->closed_ns ? "" : text);
}

static int on_case(void *ctx, const struct store_case *k)
{
	struct listing *l = ctx;
	struct jsonl *j = l->j;

	if (l->n++ >= STORE_MAX_LIST) {
		l->more = true;
		return 1;
	}
	jsonl_object(j, NULL);
	jsonl_uint(j, "id", k->id);
	jsonl_str(j, "node", k->node);
	jsonl_str(j, "rule", k->rule);
	jsonl_str(j, "title", title_of(l->policy, k->rule));
	jsonl_str(j, "mode", k->armed ? "armed" : "report");
	jsonl_str(j, "action", terms_action_name(k->action));
	jsonl_str(j, "severity", terms_severity_name(k->severity));
	jsonl_str(j, "scope", k->scope);
	jsonl_str(j, "key", k->key);
	jsonl_str(j, "expected", k->expected);
	jsonl_str(j, "found", k->found);
	jsonl_str(j, "who", k->who);
	jsonl_str(j, "type", k->finding ? "" : terms_type_name(k->type));
	jsonl_str(j, "finding", k->finding ? terms_finding_name(k->finding) : "");
	jsonl_bool(j, "provisional", k->provisional);
	jsonl_uint(j, "first_line", k->first_seq);
	jsonl_uint(j, "last_line", k->last_seq);
	jsonl_uint(j, "count", k->count);
	put_time(j, "opened", k->opened_ns);
	put_time(j, "last", k->last_ns);
	put_time(j, "closed", k->closed_ns);
	/* Only what will ask for something by then: the grace of its rule. */
	if (k->armed && k->grace_ms && !k->closed_ns)
		put_time(j, "acts", k->opened_ns + k->grace_ms * 1000000);
	jsonl_str(j, "closed_why", k->closed_why);
	jsonl_str(j, "release", policy_release_name((enum policy_release)k->release));
	put_undo(j, k);
	jsonl_close(j);
	return buf_status(j->buf);
}

static int on_closed_case(void *ctx, const struct store_case *k)
{
	return k->closed_ns ? on_case(ctx, k) : 0;
}

int api_view_node(const struct verifier *v, const struct documents *d, const struct store_node *n,
		  struct buf *ret)
{
	CLEANUP(buf_done) struct buf jwt = {0};
	const struct store *s = v->store;
	struct jsonl j;
	struct listing l = {.v = v, .j = &j, .policy = documents_policy(d)};
	int r;

	jsonl_begin(&j, ret);
	r = put_node(&j, v, n);
	if (r >= 0)
		r = boot_desk_view(v, n, &j);
	if (r >= 0)
		r = appraisal_ima_view(v, n, &j);
	if (r >= 0)
		r = image_desk_view(v, n, &j);
	if (r >= 0)
		r = remedy_view_put(s, n, &j);
	jsonl_array(&j, "cases");
	if (r >= 0)
		r = s->ops->case_each(s->ctx, n->id, true, on_case, &l);
	if (r >= 0)
		r = s->ops->case_each(s->ctx, n->id, false, on_closed_case, &l);
	jsonl_close(&j);
	put_more(&j, &l);
	if (r >= 0)
		r = s->ops->blob_get(s->ctx, "verdict", n->id, &jwt);
	if (r == -ENOENT)
		r = 0;
	jsonl_strn(&j, "verdict", jwt.size ? (char *)jwt.data : "", jwt.size);
	jsonl_end(&j);
	return r < 0 ? r : buf_status(ret);
}

/* Drift of one kind: the same key but for numbers, by the same program. */
struct group {
	char pattern[512], exe[256];
	struct store_case *worst;
	uint64_t count, first_ns, last_ns, *cases;
	uint32_t n_cases, max_cases, n_nodes;
	bool more;
	char last_node[65];
};

struct groups {
	struct group *g;
	uint32_t n, max;
	const struct verifier *v;
	bool open_only, more;
};

/* Runs of eight and more hex digits differ from one time to the next: a star for each. */
static void make_pattern(const char *key, char *ret, size_t size)
{
	size_t at = 0;

	while (*key && at + 2 < size) {
		size_t run = strspn(key, "0123456789abcdef");

		if (run >= 8) {
			ret[at++] = '*';
			key += run;
		} else {
			for (size_t i = 0; i < (run ? run : 1) && at + 2 < size; i++)
				ret[at++] = *key++;
		}
	}
	ret[at] = 0;
}

/* "uid 0, /usr/bin/x (x/123)" → the program. At the last " (": no name of a process makes its program look like another, shorter one. */
static void exe_of(const char *who, char *ret, size_t size)
{
	const char *from = strstr(who, ", "), *to = NULL;

	for (const char *at = from; at && (at = strstr(at + 2, " (")) != NULL;)
		to = at;
	if (!to || to == from + 2) {
		snprintf(ret, size, "%s", "unknown");
		return;
	}
	snprintf(ret, size, "%.*s", (int)(to - from - 2), from + 2);
}

static int new_group(struct groups *all, const struct store_case *k, struct group **ret)
{
	struct group *more;

	if (all->n == all->max) {
		all->max = all->max ? all->max * 2 : 16;
		more = realloc(all->g, all->max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		all->g = more;
	}
	*ret = &all->g[all->n];
	memset(*ret, 0, sizeof(**ret));
	(*ret)->worst = malloc(sizeof(*k));
	if (!(*ret)->worst)
		return -ENOMEM;
	*(*ret)->worst = *k;
	(*ret)->first_ns = k->opened_ns;
	all->n++;
	return 0;
}

/* All of them: whoever accepts or acknowledges a group means each. */
static int add_to_group(struct group *g, uint64_t id)
{
	uint64_t *more;

	if (g->n_cases == MAX_GROUP_CASES) {
		g->more = true;
		return 0;
	}
	if (g->n_cases == g->max_cases) {
		g->max_cases = g->max_cases ? g->max_cases * 2 : 4;
		more = realloc(g->cases, g->max_cases * sizeof(*more));
		if (!more)
			return -ENOMEM;
		g->cases = more;
	}
	g->cases[g->n_cases++] = id;
	return 0;
}

static int on_group(void *ctx, const struct store_case *k)
{
	struct groups *all = ctx;
	char pattern[512], exe[256];
	struct group *g = NULL;
	int r;

	make_pattern(k->key, pattern, sizeof(pattern));
	exe_of(k->who, exe, sizeof(exe));
	for (uint32_t i = 0; i < all->n && !g; i++)
		if (strcmp(all->g[i].pattern, pattern) == 0 && strcmp(all->g[i].exe, exe) == 0)
			g = &all->g[i];
	if (!g && all->n >= MAX_GROUPS) {
		all->more = true;
		return 0;
	}
	r = g ? 0 : new_group(all, k, &g);
	if (r < 0)
		return r;
	memcpy(g->pattern, pattern, sizeof(pattern));
	memcpy(g->exe, exe, sizeof(exe));
	if (k->severity > g->worst->severity)
		*g->worst = *k;
	if (strcmp(g->last_node, k->node) != 0)
		g->n_nodes++;
	memcpy(g->last_node, k->node, sizeof(g->last_node));
	r = add_to_group(g, k->id);
	if (r < 0)
		return r;
	g->count += k->count;
	if (k->opened_ns < g->first_ns)
		g->first_ns = k->opened_ns;
	if (k->last_ns > g->last_ns)
		g->last_ns = k->last_ns;
	return 0;
}

static int by_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->worst->severity != y->worst->severity)
		return x->worst->severity > y->worst->severity ? -1 : 1;
	return x->count > y->count ? -1 : x->count < y->count;
}

static void put_group(struct jsonl *j, const struct group *g)
{
	char name[800];

	snprintf(name, sizeof(name), "%s|%s", g->pattern, g->exe);
	jsonl_object(j, NULL);
	jsonl_str(j, "group", name);
	jsonl_str(j, "key", g->pattern);
	jsonl_str(j, "exe", g->exe);
	jsonl_str(j, "rule", g->worst->rule);
	jsonl_str(j, "severity", terms_severity_name(g->worst->severity));
	jsonl_uint(j, "nodes", g->n_nodes);
	jsonl_uint(j, "count", g->count);
	jsonl_array(j, "cases");
	for (uint32_t i = 0; i < g->n_cases; i++)
		jsonl_uint(j, NULL, g->cases[i]);
	jsonl_close(j);
	if (g->more)
		jsonl_bool(j, "more", true);
	jsonl_str(j, "expected", g->worst->expected);
	jsonl_str(j, "found", g->worst->found);
	put_time(j, "first", g->first_ns);
	put_time(j, "last", g->last_ns);
	jsonl_close(j);
}

/* Node by node, so that each is counted once in a group. */
static int on_group_node(void *ctx, const struct store_node *n)
{
	struct groups *all = ctx;
	const struct store *s = all->v->store;

	return s->ops->case_each(s->ctx, n->id, all->open_only, on_group, all);
}

int api_view_summary(const struct verifier *v, const char *node, bool open_only, struct buf *ret)
{
	struct groups all = {.v = v, .open_only = open_only};
	const struct store *s = v->store;
	struct jsonl j;
	int r = node[0] ? s->ops->case_each(s->ctx, node, open_only, on_group, &all)
			: s->ops->node_each(s->ctx, on_group_node, &all);

	if (r >= 0 && all.n > 0)
		qsort(all.g, all.n, sizeof(*all.g), by_count);
	jsonl_begin(&j, ret);
	jsonl_array(&j, "groups");
	for (uint32_t i = 0; i < all.n; i++) {
		if (r >= 0)
			put_group(&j, &all.g[i]);
		free(all.g[i].worst);
		free(all.g[i].cases);
	}
	jsonl_close(&j);
	if (all.more)
		jsonl_bool(&j, "more", true);
	jsonl_end(&j);
	free(all.g);
	return r < 0 ? r : buf_status(ret);
}

struct using
{
	const struct digest *document;
	uint64_t n;
};

static int on_using(void *ctx, const struct store_node *n)
{
	struct using *u = ctx;

	u->n += digest_equal(&n->baseline, u->document) && !node_is_gone(n->life);
	return 0;
}

static int on_baseline(void *ctx, const struct baseline_info *i)
{
	struct listing *l = ctx;
	struct using u = {.document = &i->document};
	int r = l->v->store->ops->node_each(l->v->store->ctx, on_using, &u);

	if (r < 0)
		return r;
	jsonl_object(l->j, NULL);
	jsonl_str(l->j, "name", i->name);
	jsonl_uint(l->j, "version", i->version);
	jsonl_hex(l->j, "sha256", i->document.bytes, DIGEST_SIZE);
	jsonl_str(l->j, "signer", i->signer);
	jsonl_uint(l->j, "count", i->count);
	put_time(l->j, "created", i->created_ns);
	jsonl_uint(l->j, "nodes", u.n);
	jsonl_close(l->j);
	return 0;
}

int api_view_baselines(const struct verifier *v, struct documents *d, struct buf *ret)
{
	struct jsonl j;
	struct listing l = {.v = v, .j = &j};
	int r;

	jsonl_begin(&j, ret);
	jsonl_array(&j, "baselines");
	r = documents_each_baseline(d, on_baseline, &l);
	jsonl_close(&j);
	jsonl_end(&j);
	return r < 0 ? r : buf_status(ret);
}

struct counting {
	const char *rule;
	uint64_t n;
};

static int on_counting(void *ctx, const struct store_case *k)
{
	struct counting *c = ctx;

	c->n += strcmp(k->rule, c->rule) == 0;
	return 0;
}

int api_view_policy(const struct verifier *v, const struct documents *d, struct buf *ret)
{
	const struct policy *p = documents_policy(d);
	struct jsonl j;
	int r = 0;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "name", p ? policy_name(p) : "");
	jsonl_uint(&j, "version", p ? policy_version(p) : 0);
	jsonl_hex(&j, "digest", documents_policy_digest(d)->bytes, DIGEST_SIZE);
	jsonl_array(&j, "rules");
	for (uint32_t i = 0; p && r >= 0 && i < policy_n_rules(p); i++) {
		const struct policy_rule *rule = policy_rule(p, i);
		struct counting c = {.rule = rule->id};

		r = v->store->ops->case_each(v->store->ctx, NULL, true, on_counting, &c);
		jsonl_object(&j, NULL);
		jsonl_str(&j, "id", rule->id);
		jsonl_str(&j, "title", rule->title);
		jsonl_str(&j, "mode", policy_mode_name(rule->mode));
		jsonl_str(&j, "action", terms_action_name(rule->action));
		jsonl_str(&j, "severity", terms_severity_name(rule->severity));
		jsonl_uint(&j, "open", c.n);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return r < 0 ? r : buf_status(ret);
}
