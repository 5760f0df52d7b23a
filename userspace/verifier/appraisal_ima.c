/* SPDX-License-Identifier: Apache-2.0 */
#include "appraisal_ima.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "appraise_pcr10.h"
#include "cleanup.h"

#define TABLE_LINES "ima"
#define TABLE_PCR10 "ima_pcr10"

#define FIRST PLUMB_FINDING_IMA
#define KINDS (PLUMB_FINDING_IMA_SIGNATURE - FIRST + 1)
#define MAX_TEXT 700u

/* What was found of one kind is one finding: a case takes one a line of the ledger. */
struct run {
	const struct appraisal_ima_in *in;
	struct buf texts[KINDS];
	uint32_t more[KINDS]; /* that had no room */
	bool stands; /* what was found of the list before */
};

static void run_done(struct run *a)
{
	for (int i = 0; i < KINDS; i++)
		buf_done(&a->texts[i]);
}

/* What is broken on our side is not the evidence's fault. */
static int own(int r)
{
	return r == -EBADMSG ? -EIO : r;
}

static const char *expected(enum plumb_finding f)
{
	switch (f) {
	case PLUMB_FINDING_IMA:
		return "a line for each program that IMA measured";
	case PLUMB_FINDING_IMA_VIOLATION:
		return "nothing is written while IMA measures it";
	case PLUMB_FINDING_IMA_SIGNATURE:
		return "signatures of the given keys";
	default:
		return "the list that PCR 10 was extended with";
	}
}

static int on_pcr10(void *ctx, enum plumb_finding f, const char *text)
{
	struct run *a = ctx;
	struct buf *b = &a->texts[f - FIRST];

	if (b->size + strlen(text) > MAX_TEXT) {
		a->more[f - FIRST]++;
		return 0;
	}
	buf_printf(b, "%s%s", b->size ? "; " : "", text);
	return buf_status(b);
}

static int tell(struct run *a, uint32_t *findings)
{
	int r = 0;

	if (a->stands)
		*findings |= 1u << PLUMB_FINDING_IMA_LIST;
	for (int i = 0; i < KINDS && r >= 0; i++) {
		struct buf *b = &a->texts[i];
		enum plumb_finding f = (enum plumb_finding)(FIRST + i);

		if (b->size == 0)
			continue;
		if (a->more[i] > 0)
			buf_printf(b, "; and %u more", a->more[i]);
		r = buf_status(b);
		if (r >= 0)
			r = cases_finding(a->in->cases, f, a->in->evidence->checkpoint.size,
					  expected(f), (char *)b->data);
		*findings |= 1u << f;
	}
	return r;
}

static int on_lines(void *ctx, const char *text)
{
	return on_pcr10(ctx, PLUMB_FINDING_IMA, text);
}

static int lines_of(void *ctx, uint64_t from, uint64_t to, appraise_ima_line_fn fn, void *fn_ctx)
{
	struct run *a = ctx;

	return a->in->lines(a->in->ctx, from, to, fn, fn_ctx);
}

/* -ENOENT: nothing was left by earlier evidence. */
static int load(const struct verifier *v, const char *table, const char *node, uint64_t incarnation,
		struct buf *ret)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/%" PRIu64, node, incarnation);
	return v->store->ops->blob_get(v->store->ctx, table, name, ret);
}

static int save(const struct run *a, const char *table, const struct buf *b)
{
	const struct store_node *n = a->in->cases->node;
	const struct store *s = a->in->v->store;
	char name[96];

	snprintf(name, sizeof(name), "%s/%" PRIu64, n->id, n->incarnation);
	return s->ops->blob_put(s->ctx, table, name, b->data, b->size);
}

static int replay(struct run *a, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct store_node *n = a->in->cases->node;
	const struct evidence *e = a->in->evidence;
	struct appraise_pcr10_state s = {.n = 0};
	const struct appraise_pcr10_in in = {.sig = a->in->v->ima_sig,
					     .boot = a->in->boot,
					     .reset = a->in->reset,
					     .pcrs = &e->pcrs,
					     .at_boot = a->in->at_boot,
					     .from = e->ima_from,
					     .end = e->ima_end,
					     .after_quote = e->has_ima_end,
					     .entries = {e->ima.data, e->ima.size},
					     .now_ns = a->in->cases->now_ns,
					     .found = on_pcr10,
					     .ctx = a};
	int r = load(a->in->v, TABLE_PCR10, n->id, n->incarnation, &b);

	if (r >= 0)
		r = appraise_pcr10_state_parse(b.data, b.size, &s);
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return own(r);
	r = appraise_pcr10(&in, &s, ret_why);
	a->stands = r >= 0 && appraise_pcr10_stands(&s);
	/* A node that never had a list has nothing to keep. */
	if (r < 0 || (b.size == 0 && s.n == 0 && s.flags == 0))
		return r;
	buf_clear(&b);
	r = appraise_pcr10_state_write(&s, &b);
	return own(r < 0 ? r : save(a, TABLE_PCR10, &b));
}

static int compare(struct run *a, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	CLEANUP(appraise_ima_state_done) struct appraise_ima_state s = {.cursor = 0};
	const struct store_node *n = a->in->cases->node;
	const struct evidence *e = a->in->evidence;
	const struct appraise_ima_in in = {.head = e->checkpoint.size,
					   .from = e->ima_from,
					   .cursor = e->ima_end,
					   .entries = {e->ima.data, e->ima.size},
					   .lines = lines_of,
					   .found = on_lines,
					   .ctx = a};
	int r = load(a->in->v, TABLE_LINES, n->id, n->incarnation, &b);

	/* A node that never had a list has nothing to compare. */
	if (r == -ENOENT && e->ima_end == 0)
		return 0;
	if (r >= 0)
		r = appraise_ima_state_parse(b.data, b.size, &s);
	if (r < 0 && r != -ENOENT)
		return own(r);
	r = appraise_ima(&in, &s, ret_why);
	if (r < 0)
		return r;
	buf_clear(&b);
	r = appraise_ima_state_write(&s, &b);
	return own(r < 0 ? r : save(a, TABLE_LINES, &b));
}

int appraisal_ima(const struct appraisal_ima_in *in, uint32_t *findings, struct why *ret_why)
{
	CLEANUP(run_done) struct run a = {.in = in};
	int r = replay(&a, ret_why);

	if (r >= 0)
		r = compare(&a, ret_why);
	return r < 0 ? r : own(tell(&a, findings));
}

/* How far the list was judged; what it said lies on the node, and the digest of that in its `ima` lines. */
static void put_judged(const struct appraise_pcr10_state *s, struct jsonl *j)
{
	if (s->seen == 0)
		return;
	jsonl_object(j, "ima");
	jsonl_str(j, "boot", s->boot);
	jsonl_uint(j, "proven", s->confirmed);
	jsonl_uint(j, "seen", s->seen);
	/* Of entries that no quote had yet the value is nobody's. */
	if (s->confirmed > 0 && s->confirmed == s->n)
		jsonl_hex(j, "pcr10", s->pcr.bytes, DIGEST_SIZE);
	jsonl_close(j);
}

int appraisal_ima_view(const struct verifier *v, const struct store_node *n, struct jsonl *j)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct appraise_pcr10_state s = {.n = 0};
	int r = load(v, TABLE_PCR10, n->id, n->incarnation, &b);

	if (r >= 0)
		r = appraise_pcr10_state_parse(b.data, b.size, &s);
	if (r < 0)
		return r == -ENOENT ? 0 : own(r);
	put_judged(&s, j);
	if (appraise_pcr10_aggregate_is_unknown(&s))
		jsonl_str(j, "boot_aggregate",
			  "unknown: PCR 0 to 9 are not what they were when the kernel began, and "
			  "no boot log that agrees with the quote says what that was");
	return 0;
}

int appraisal_ima_wanted(const struct verifier *v, const char *node, uint64_t incarnation,
			 char ret_boot[37], uint64_t *ret_from)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct appraise_pcr10_state s = {.n = 0};
	int r = load(v, TABLE_PCR10, node, incarnation, &b);

	if (r >= 0)
		r = appraise_pcr10_state_parse(b.data, b.size, &s);
	if (r < 0 && r != -ENOENT)
		return own(r);
	memcpy(ret_boot, s.boot, sizeof(s.boot));
	*ret_from = appraise_pcr10_wanted(&s, clock_utc_ns(v->clock));
	return 0;
}
