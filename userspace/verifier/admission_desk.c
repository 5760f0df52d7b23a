/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_desk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission_node.h"
#include "jsonl.h"
#include "log.h"

#define MAX_TOLERANT 4096u /* pods of DaemonSets on their way to a node: bound within seconds */
#define MAX_UID 64

struct admission_desk {
	struct bound_nodes *nodes;
	struct admission_rules rules;
	char tolerant[MAX_TOLERANT][MAX_UID]; /* a ring: the oldest goes */
	uint32_t next_tolerant;
	_Atomic uint64_t asked[ADMISSION_N_SUBJECTS], refused, would_refuse, broken;
};

static int find_node(void *ctx, const char *name, struct node_state *ret)
{
	struct admission_desk *d = ctx;
	struct bound_node n;
	int r = bound_nodes_find(d->nodes, name, &n);

	if (r >= 0)
		*ret = n.state;
	return r;
}

static bool is_tolerant(void *ctx, const char *uid)
{
	const struct admission_desk *d = ctx;

	for (uint32_t i = 0; i < MAX_TOLERANT; i++)
		if (strcmp(d->tolerant[i], uid) == 0)
			return true;
	return false;
}

static void keep_tolerant(void *ctx, const char *uid)
{
	struct admission_desk *d = ctx;

	if (strlen(uid) >= MAX_UID || is_tolerant(ctx, uid))
		return;
	snprintf(d->tolerant[d->next_tolerant], MAX_UID, "%s", uid);
	d->next_tolerant = (d->next_tolerant + 1) % MAX_TOLERANT;
}

static const char *subject_name(enum admission_subject s)
{
	static const char *const names[] = {"other", "pod", "binding", "node", "pod change"};

	return names[s];
}

static void account(struct admission_desk *d, const struct admission_told *t)
{
	atomic_fetch_add(&d->asked[t->subject], 1);
	if (t->tainted)
		log_info("admission=%s of=node name=\"%s\" user=\"%s\" reason=\"it registers "
			 "without " ADMISSION_NODE_STARTUP "\"",
			 d->rules.dry_run ? "would_be_tainted" : "tainted", t->name, t->user);
	if (!t->refused)
		return;
	atomic_fetch_add(d->rules.dry_run ? &d->would_refuse : &d->refused, 1);
	log_notice("admission=%s of=%s namespace=\"%s\" name=\"%s\" node=\"%s\" user=\"%s\" "
		   "reason=\"%s\"",
		   d->rules.dry_run ? "would_be_refused" : "refused", subject_name(t->subject),
		   t->namespace, t->name, t->node, t->user, t->reason);
}

int admission_desk_answer(struct admission_desk *d, const void *body, size_t size, struct buf *ret)
{
	const struct admission_world w = {
		.node = find_node, .tolerant = keep_tolerant, .is_tolerant = is_tolerant, .ctx = d};
	struct admission_told told;
	struct why why = {""};
	struct jsonl j;
	uint64_t n;
	int r = admission_review(body, size, &d->rules, &w, ret, &told, &why);

	if (r >= 0) {
		account(d, &told);
		return 200;
	}
	n = atomic_fetch_add(&d->broken, 1) + 1;
	/* Anybody may send it: the log is not to be filled with it. */
	if ((n & (n - 1)) == 0)
		log_warning("admission=unanswered n=%llu error=\"%s\" next=\"the API server "
			    "does what failurePolicy says\"",
			    (unsigned long long)n, why.text[0] ? why.text : strerror(-r));
	buf_clear(ret);
	jsonl_begin(&j, ret);
	jsonl_str(&j, "error", why.text);
	jsonl_end(&j);
	return r == -EBADMSG ? 400 : 500;
}

void admission_desk_counts(const struct admission_desk *d, struct admission_counts *ret)
{
	for (int i = 0; i < ADMISSION_N_SUBJECTS; i++)
		ret->asked[i] = atomic_load(&d->asked[i]);
	ret->refused = atomic_load(&d->refused);
	ret->would_refuse = atomic_load(&d->would_refuse);
	ret->broken = atomic_load(&d->broken);
}

int admission_desk_open(struct bound_nodes *nodes, const struct admission_rules *rules,
			struct admission_desk **ret)
{
	struct admission_desk *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->nodes = nodes;
	d->rules = *rules;
	*ret = d;
	return 0;
}

struct admission_desk *admission_desk_free(struct admission_desk *d)
{
	free(d);
	return NULL;
}
