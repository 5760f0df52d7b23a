/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_ledger against a transcription of the model's check(), over many short histories of an honest agent and of root:
 * both must come to the same result and the same row. The transcription knows rows of lines where the code has hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "appraise_ledger.h"
#include "ledger_node.h"

#define K 24
#define LINES 10
#define HISTORIES 30000
#define STEPS 24
#define IS_JUNK (-1)

/* A checkpoint is the row of its lines; a register, the row of checkpoints since it was zero. */
struct row {
	int size; /* IS_JUNK: no checkpoint */
	char lines[LINES + 1];
};

struct message {
	bool evidence, is_signed;
	struct row h, p[K];
	int n, f; /* entries of the register; place of the last foreign record, 0: none */
	uint32_t rc, sc;
};

struct model {
	struct row H, pv, bp[K];
	int bn;
	uint32_t brc, bsc;
	bool forked, has_pv;
	bool anew; /* an incarnation was before this one */
};

static bool prefix(const struct row *a, const struct row *b)
{
	return a->size >= 0 && b->size >= a->size &&
	       strncmp(a->lines, b->lines, (size_t)a->size) == 0;
}

static bool same_row(const struct row *a, const struct row *b)
{
	return a->size == b->size && (a->size < 0 || prefix(a, b));
}

enum { STALE, GOOD = 1, UNANCH = 2, FOREIGN_R = 4, FORK = 8, REJECT = 16, STORED = 32 };

static int check_provisional(const struct model *d, const struct message *m)
{
	if (prefix(&m->h, &d->H))
		return STALE;
	if (!prefix(&d->H, &m->h))
		return FORK;
	if (!d->has_pv || prefix(&d->pv, &m->h))
		return STORED;
	return prefix(&m->h, &d->pv) ? STALE : FORK;
}

static int model_check(const struct model *d, const struct message *m)
{
	bool same = m->rc == d->brc && m->sc == d->bsc, cont = m->n >= d->bn, ok = m->n > 0;
	int fr, st, r;

	if (d->forked)
		return FORK;
	if (!m->evidence)
		return check_provisional(d, m);
	for (int i = 0; i < d->bn && cont; i++)
		cont = same_row(&m->p[i], &d->bp[i]);
	if (m->rc < d->brc || (m->rc == d->brc && m->sc < d->bsc) || (same && !cont))
		return STALE;
	fr = same || (m->rc == d->brc && cont) ? d->bn : 0;
	st = m->f > fr ? m->f : fr;
	if (ok)
		ok = same_row(&m->p[m->n - 1], &m->h) && m->n > m->f;
	for (int i = st; i < m->n; i++)
		ok = ok && prefix(&m->p[i], &m->h);
	if (!ok)
		return REJECT;
	if (!prefix(&d->H, &m->h))
		return prefix(&m->h, &d->H) ? STALE : FORK;
	if (d->has_pv && !prefix(&d->pv, &m->h))
		return prefix(&m->h, &d->pv) ? STALE : FORK;
	r = (same && !(d->anew && d->bn == 0) ? 0 : UNANCH) | (m->f > fr ? FOREIGN_R : 0);
	return r ? r : GOOD;
}

static void model_commit(struct model *d, const struct message *m, int r)
{
	if (r == FORK) {
		d->forked = true;
	} else if (r == STORED) {
		d->pv = m->h;
		d->has_pv = true;
	} else if (r & (GOOD | UNANCH | FOREIGN_R)) {
		d->H = m->h;
		d->has_pv = false;
		d->bn = m->n;
		d->brc = m->rc;
		d->bsc = m->sc;
		memcpy(d->bp, m->p, sizeof(d->bp));
	}
}

/* The verifier's store at some time, to be put back. */
struct copy {
	bool is_there;
	struct model d;
	struct store_node row;
	char stored[LINES + 1];
};

struct world {
	uint64_t seed;
	struct row L, reg[K];
	int n, f;
	uint32_t rc, sc;
	struct model d;
	struct store_node row;
	char stored[LINES + 1];
	struct copy copy;
	int enrolled, put_back; /* how often */
	int counts[64]; /* how often each result came */
	int below; /* and how often the code could not look below its base */
};

static uint32_t chance(struct world *w, uint32_t n)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->seed >> 33) % n;
}

static void to_node(const struct message *m, struct ledger_node *n)
{
	struct checkpoint c;

	*n = (struct ledger_node){.reset = m->rc, .restart = m->sc};
	for (int i = 0; i < m->h.size; i++)
		ledger_node_add(n, (char[]){m->h.lines[i], 0});
	/* What was extended before the last foreign record need not be told; what came after it cannot be told unless it is known. */
	if (m->f == 0)
		ledger_node_epoch(n, LEDGER_BASE_ZERO);
	for (int i = 0; i < m->n; i++) {
		struct ledger_node other = {.n_lines = 0};

		for (int k = 0; k < m->p[i].size; k++)
			ledger_node_add(&other, (char[]){m->p[i].lines[k], 0});
		c = ledger_node_head(&other, (uint64_t)(m->p[i].size < 0 ? 0 : m->p[i].size));
		if (m->p[i].size == IS_JUNK)
			ledger_node_junk(n);
		else
			ledger_node_extend(n, &c, i >= m->f);
		if (i + 1 == m->f)
			ledger_node_foreign(n);
	}
}

static int stored_lines(void *ctx, uint64_t from, uint64_t to, appraise_ledger_line_fn fn,
			void *fn_ctx)
{
	struct world *w = ctx;
	int r = 0;

	for (uint64_t i = from; i < to && r == 0; i++)
		r = fn(fn_ctx, i, &w->stored[i], 1);
	return r;
}

static int code_check(struct world *w, const struct message *m)
{
	static const int of[] = {[PLUMB_RESULT_STORED] = STORED,
				 [PLUMB_RESULT_SEND_AGAIN] = STALE,
				 [PLUMB_RESULT_REFUSED] = REJECT,
				 [PLUMB_RESULT_FORKED] = FORK};
	struct appraise_ledger out;
	struct buf text = {0};
	struct ledger_node n;
	struct quote_info q;
	struct evidence e;
	struct why why;
	struct appraise_ledger_in in = {.evidence = &e,
					.quote = m->evidence ? &q : NULL,
					.event_signed = m->is_signed,
					.origin = LEDGER_NODE_ORIGIN,
					.lines = stored_lines,
					.ctx = w};
	int r;

	to_node(m, &n);
	ledger_node_evidence(&n, 0, !m->evidence, &e, &q, &text);
	assert_int_equal(appraise_ledger(&in, &w->row, &out, &why), 0);
	for (uint64_t i = out.new_from; i < out.new_to; i++)
		w->stored[i] = m->h.lines[i];
	evidence_done(&e);
	buf_done(&text);
	ledger_node_done(&n);
	if (out.result != PLUMB_RESULT_ACCEPTED)
		return of[out.result];
	r = (out.findings & 1u << PLUMB_FINDING_UNANCHORED ? UNANCH : 0) |
	    (out.findings & 1u << PLUMB_FINDING_FOREIGN ? FOREIGN_R : 0);
	return r ? r : GOOD;
}

/*
 * The code has no lines below the quote base, so what is shorter than that is never compared: it is asked for again where the
 * model refuses it or calls it a fork. And a register filled anew with heads smaller than the base is refused where the model still compares them.
 */
static bool below_base(const struct world *w, const struct message *m, int model, int code)
{
	bool small = false;

	if ((model == FORK || model == REJECT) && code == STALE &&
	    m->h.size < (int)w->row.base_size)
		return true;
	for (int i = 0; i < m->n; i++)
		small = small || (m->p[i].size >= 0 && m->p[i].size < (int)w->row.base_size);
	return small && code == REJECT && m->evidence;
}

static void deliver(struct world *w, const struct message *m)
{
	struct store_node before = w->row;
	int model = model_check(&w->d, m), code = code_check(w, m);

	w->counts[model]++;
	if (code != model && below_base(w, m, model, code)) {
		w->below++;
		assert_memory_equal(&before, &w->row, sizeof(before));
		return;
	}
	if (code != model)
		print_error("model %d, code %d: %d lines, %d in the register, foreign at %d\n",
			    model, code, m->h.size, m->n, m->f);
	assert_int_equal(code, model);
	model_commit(&w->d, m, model);
	assert_int_equal(w->row.forked, w->d.forked);
	assert_int_equal(w->row.head_size, w->d.H.size);
	assert_int_equal(w->row.prov_size, w->d.has_pv ? w->d.pv.size : 0);
}

static void send(struct world *w, struct message *late)
{
	struct message m = {.evidence = chance(w, 3) > 0, .is_signed = true, .h = w->L};

	if (m.evidence) {
		memcpy(m.p, w->reg, sizeof(m.p));
		m.n = w->n;
		/* Root may say that somebody else extended, wherever he likes. */
		m.f = chance(w, 6) == 0 && w->n > 0 ? (int)chance(w, (uint32_t)w->n) + 1 : w->f;
		m.rc = w->rc;
		m.sc = w->sc;
	}
	if (m.h.size == 0)
		return;
	if (chance(w, 8) == 0)
		*late = m;
	else
		deliver(w, &m);
}

static void extend(struct world *w, struct row r)
{
	if (w->n < K)
		w->reg[w->n++] = r;
}

static void zero(struct world *w)
{
	w->n = w->f = 0;
}

/* As enrolment leaves the row: what the register holds is another history's, and nothing of it is the verifier's to compare. */
static void enrol_anew(struct world *w)
{
	w->enrolled++;
	w->L.size = 0;
	for (int i = 0; i < w->n; i++)
		w->reg[i].size = IS_JUNK;
	w->f = w->n;
	w->row = (struct store_node){
		.incarnation = w->row.incarnation + 1, .base_reset = w->rc, .base_restart = w->sc};
	w->d = (struct model){.brc = w->rc, .bsc = w->sc, .anew = true};
	w->copy.is_there = false;
}

static void copy_or_put_back(struct world *w)
{
	struct copy *c = &w->copy;

	if (!c->is_there) {
		c->d = w->d;
		c->row = w->row;
		memcpy(c->stored, w->stored, sizeof(c->stored));
		c->is_there = true;
		return;
	}
	w->put_back++;
	w->d = c->d;
	w->row = c->row;
	memcpy(w->stored, c->stored, sizeof(w->stored));
	c->is_there = false;
}

static void step(struct world *w, struct message *late)
{
	switch (chance(w, 26)) {
	case 24:
		if (chance(w, 3) == 0) {
			enrol_anew(w);
			late->h.size = 0; /* its incarnation is looked at before */
		}
		break;
	case 25:
		copy_or_put_back(w);
		break;
	case 0:
		w->rc++;
		w->sc = 0;
		zero(w);
		break;
	case 1:
		w->sc++;
		zero(w);
		break;
	case 2:
		w->sc++;
		break;
	case 3:
		extend(w, (struct row){IS_JUNK, ""});
		if (chance(w, 3) > 0)
			w->f = w->n;
		break;
	case 4:
		if (w->L.size > 0)
			w->L.size--;
		break;
	case 5:
		if (w->n > 0 && w->reg[chance(w, (uint32_t)w->n)].size > 0)
			extend(w, w->reg[chance(w, (uint32_t)w->n)]);
		break;
	case 6:
		if (late->h.size > 0)
			deliver(w, late);
		late->h.size = 0;
		break;
	case 7 ... 11:
		if (w->L.size < LINES)
			w->L.lines[w->L.size++] = "NDX"[chance(w, 8) == 0 ? 2 : chance(w, 2)];
		break;
	case 12 ... 16:
		if (w->L.size > 0)
			extend(w, w->L);
		break;
	default:
		send(w, late);
	}
}

static void test_same_as_the_model(void **state)
{
	struct world w = {.seed = 20261124};

	(void)state;
	for (int i = 0; i < HISTORIES; i++) {
		struct message late = {.n = 0};

		w.L.size = 0;
		zero(&w);
		w.rc = w.sc = 0;
		memset(&w.d, 0, sizeof(w.d));
		memset(&w.row, 0, sizeof(w.row));
		w.row.incarnation = 1;
		w.copy.is_there = false;
		for (int k = 0; k < STEPS; k++)
			step(&w, &late);
	}
	/* The histories must have met every result, or this shows nothing. */
	for (size_t r = 0; r < 7; r++) {
		static const int all[] = {STALE, GOOD, UNANCH, FOREIGN_R, FORK, REJECT, STORED};

		print_message("# result %d: %d times\n", all[r], w.counts[all[r]]);
		assert_true(w.counts[all[r]] > 200);
	}
	print_message("# below the base: %d times\n", w.below);
	assert_true(w.counts[UNANCH | FOREIGN_R] > 20);
	assert_true(w.enrolled > 1000 && w.put_back > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
