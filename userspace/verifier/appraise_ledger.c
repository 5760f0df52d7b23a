/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "appraise_replay.h"
#include "cleanup.h"
#include "merkle.h"

#define BIT(finding) (1u << (finding))

/*
 * Two trees over the same lines up to the row's base: `ours` is what is stored, `theirs` what the evidence's checkpoint claims.
 * A later head grows out of an earlier one exactly when the one tree at the other's size is the other.
 */
struct check {
	const struct appraise_ledger_in *in;
	const struct store_node *row;
	struct appraise_ledger *out;
	struct why *why;
	uint64_t stored; /* number of lines stored: cosigned or binding provisional */
	struct merkle ours, theirs; /* ours: as far as it was needed */
	struct digest
		ours_at_head; /* root of ours at the checkpoint's size, when that is no more than stored */
	struct digest theirs_at_stored; /* the other way round */
	struct appraise_replay replay; /* its marks sorted by size once the tree is walked */
	uint32_t at_mark;
	bool mark_differs;
	uint64_t differing; /* size of the mark that differs */
	const char *sent; /* the line that comes next where known ones were sent again */
	uint64_t n_same;
};

static int give(struct check *c, enum plumb_result result)
{
	c->out->result = result;
	return 0;
}

#define GIVE(c, result, ...) (why_set((c)->why, 0, __VA_ARGS__), give(c, result))

/* Every root that is in the register must be the root of that prefix of the evidence's ledger. */
static int check_marks(struct check *c)
{
	const struct merkle *t = &c->theirs;
	struct digest root;
	int r;

	while (c->at_mark < c->replay.n_marks && c->replay.marks[c->at_mark].size <= t->size) {
		const struct appraise_replay_mark *m = &c->replay.marks[c->at_mark++];

		/* Smaller than the quote base: the register was filled anew, and not with heads that grew out of what was quoted. */
		r = merkle_root(t, &root);
		if (r < 0)
			return r;
		if (!c->mark_differs && (m->size != t->size || !digest_equal(&root, &m->root))) {
			c->mark_differs = true;
			c->differing = m->size;
		}
	}
	return 0;
}

static int add_theirs(struct check *c, const char *line, size_t size)
{
	struct digest leaf;
	int r = merkle_leaf(line, size, &leaf);

	if (r >= 0)
		r = merkle_add(&c->theirs, &leaf);
	if (r >= 0 && c->theirs.size == c->stored)
		r = merkle_root(&c->theirs, &c->theirs_at_stored);
	return r < 0 ? r : check_marks(c);
}

static int on_stored(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct check *c = ctx;
	uint64_t head = c->in->evidence->checkpoint.size;
	struct digest leaf;
	int r;

	if (seq != c->ours.size)
		return -EIO;
	r = merkle_leaf(line, size, &leaf);
	if (r >= 0)
		r = merkle_add(&c->ours, &leaf);
	if (r >= 0 && c->ours.size == head)
		r = merkle_root(&c->ours, &c->ours_at_head);
	if (r >= 0 && seq < c->in->evidence->from)
		r = add_theirs(c, line, size);
	return r < 0 ? r : 0;
}

/* Lines of the evidence; those below skip are known and confirmed. */
static int walk_evidence(struct check *c, uint64_t skip)
{
	const struct evidence *e = c->in->evidence;
	const char *at = (const char *)e->lines.data, *end = at + e->lines.size, *lf;
	int r = 0;

	for (uint64_t seq = e->from; seq < e->checkpoint.size && r >= 0; seq++, at = lf + 1) {
		lf = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!lf)
			return -EINVAL;
		if (seq >= skip)
			r = add_theirs(c, at, (size_t)(lf - at));
	}
	return r;
}

static int walk(struct check *c)
{
	const struct evidence *e = c->in->evidence;
	uint64_t base = c->row->base_size, head = e->checkpoint.size;
	uint64_t to = head < c->stored ? head : e->from;
	int r;

	c->theirs = c->ours = c->row->base_frontier;
	r = merkle_root(&c->theirs, &c->theirs_at_stored);
	c->ours_at_head = c->theirs_at_stored;
	if (r >= 0)
		r = check_marks(c);
	if (r >= 0 && to > base)
		r = c->in->lines(c->in->ctx, base, to, on_stored, c);
	if (r >= 0 && to > base && c->ours.size != to)
		r = -EIO;
	return r < 0 ? r : walk_evidence(c, base);
}

static bool marks_fit(const struct check *c)
{
	return !c->mark_differs && c->at_mark == c->replay.n_marks;
}

/* The whole ledger is in the evidence: are its checkpoint, and what was extended, at all of these lines? */
static int is_of_own_lines(const struct check *c, bool *ret)
{
	struct check own = {.in = c->in, .stored = UINT64_MAX, .replay = c->replay};
	struct digest root;
	int r;

	merkle_init(&own.theirs);
	r = check_marks(&own);
	if (r >= 0)
		r = walk_evidence(&own, 0);
	if (r >= 0)
		r = merkle_root(&own.theirs, &root);
	if (r >= 0)
		*ret = marks_fit(&own) && digest_equal(&root, &c->in->evidence->checkpoint.root);
	return r;
}

/*
 * A head that does not grow out of what is stored, or the other way round. When only the new lines came, that they are another
 * history's is what the quote or the event key vouches for.
 */
static int conflict(struct check *c)
{
	const struct evidence *e = c->in->evidence;
	uint64_t size = e->checkpoint.size;
	bool own = true;
	int r = e->from == 0 ? is_of_own_lines(c, &own) : 0;

	if (r < 0)
		return r;
	if (!own)
		return GIVE(c, PLUMB_RESULT_REFUSED,
			    "checkpoint %" PRIu64
			    ", or one extended before it, is not of the lines that came with it",
			    size);
	/* Whoever has a stolen client key and no TPM must not be able to fork a node. */
	if (e->provisional && !c->in->event_signed)
		return GIVE(c, PLUMB_RESULT_REFUSED,
			    "checkpoint %" PRIu64 " does not fit the %" PRIu64
			    " lines stored, and the event key did not sign it",
			    size, c->stored);
	return GIVE(c, PLUMB_RESULT_FORKED,
		    "checkpoint %" PRIu64 " and the %" PRIu64 " lines stored are of two histories",
		    size, c->stored);
}

static int on_confirmed(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct check *c = ctx;
	const char *end = (const char *)c->in->evidence->lines.data + c->in->evidence->lines.size;
	const char *lf = c->sent < end ? memchr(c->sent, '\n', (size_t)(end - c->sent)) : NULL;

	if (!lf)
		return -EINVAL;
	if (seq == c->in->evidence->from + c->n_same && (size_t)(lf - c->sent) == size &&
	    memcmp(c->sent, line, size) == 0)
		c->n_same++;
	c->sent = lf + 1;
	return 0;
}

/* What was confirmed is not taken from the evidence, so it would not matter what is sent for it; but whoever sends something else lies. */
static int check_confirmed(struct check *c)
{
	const struct evidence *e = c->in->evidence;
	uint64_t base = c->row->base_size;
	int r;

	if (e->from >= base)
		return 1;
	c->sent = (const char *)e->lines.data;
	r = c->in->lines(c->in->ctx, e->from, base, on_confirmed, c);
	if (r < 0)
		return r;
	if (e->from + c->n_same == base)
		return 1;
	return GIVE(c, PLUMB_RESULT_REFUSED, "line %" PRIu64 " is not the one that was confirmed",
		    e->from + c->n_same);
}

/* 1: the evidence's head grows out of what is stored. 0: the result is given. */
static int compare(struct check *c)
{
	const struct checkpoint *head = &c->in->evidence->checkpoint;
	uint64_t from = c->in->evidence->from;
	struct digest stored_root, root;
	int r;

	if (head->size < c->row->base_size)
		return GIVE(c, PLUMB_RESULT_SEND_AGAIN,
			    "%" PRIu64 " lines are fewer than the %" PRIu64 " that were confirmed",
			    head->size, c->row->base_size);
	if (from > c->stored)
		return GIVE(c, PLUMB_RESULT_SEND_AGAIN,
			    "lines from %" PRIu64 " to %" PRIu64 " are missing", c->stored, from);
	r = walk(c);
	if (r >= 0)
		r = merkle_root(&c->theirs, &root);
	if (r >= 0)
		r = merkle_root(&c->row->frontier, &stored_root);
	if (r < 0)
		return r;
	if (!digest_equal(&root, &head->root))
		return conflict(c);
	if (!marks_fit(c))
		return GIVE(c, PLUMB_RESULT_REFUSED,
			    "anchors: checkpoint %" PRIu64
			    " was extended and is not of the ledger that came with it",
			    c->mark_differs ? c->differing : c->replay.marks[c->at_mark].size);
	if (head->size >= c->stored)
		return digest_equal(&c->theirs_at_stored, &stored_root) ? check_confirmed(c)
									: conflict(c);
	if (!digest_equal(&c->ours_at_head, &head->root))
		return conflict(c);
	return GIVE(c, PLUMB_RESULT_SEND_AGAIN,
		    "%" PRIu64 " lines are fewer than the %" PRIu64 " that are stored", head->size,
		    c->stored);
}

static void store_head(struct check *c, struct store_node *row)
{
	c->out->new_from = c->stored;
	c->out->new_to = c->in->evidence->checkpoint.size;
	row->frontier = c->theirs;
}

static int check_provisional(struct check *c, struct store_node *row)
{
	const struct checkpoint *head = &c->in->evidence->checkpoint;
	int r = compare(c);

	if (r <= 0)
		return r;
	if (head->size <= row->head_size)
		return GIVE(c, PLUMB_RESULT_SEND_AGAIN, "nothing is new in it");
	c->out->result = PLUMB_RESULT_STORED;
	c->out->binding = c->in->event_signed;
	if (!c->out->binding)
		return 0;
	/* The time runs from the first that was not confirmed. */
	if (row->prov_size == 0)
		row->prov_since_ns = c->in->now_ns;
	row->prov_size = head->size;
	row->prov_root = head->root;
	row->prov_binding = true;
	store_head(c, row);
	return 0;
}

/* By what the quote is older than the last one; NULL: it is not. */
static const char *older_by(const struct store_node *row, const struct quote_info *q)
{
	if (q->reset_count != row->base_reset)
		return q->reset_count < row->base_reset ? "reset count" : NULL;
	if (q->restart_count != row->base_restart)
		return q->restart_count < row->base_restart ? "restart count" : NULL;
	return row->has_base && q->clock_ms < row->base_clock_ms ? "clock" : NULL;
}

static int compare_marks(const void *a, const void *b)
{
	const struct appraise_replay_mark *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* 1: the register holds this ledger, its head last. 0: the result is given. */
static int check_register(struct check *c)
{
	const struct evidence *e = c->in->evidence;
	const struct quote_info *q = c->in->quote;
	const struct store_node *row = c->row;
	struct appraise_replay_in in = {
		.anchors = {e->anchors.data, e->anchors.size},
		.origin = c->in->origin,
		.pcr_index = e->pcr_index,
		.quoted = e->pcrs.values[e->pcr_index % QUOTE_N_PCRS],
		.may_continue = q->reset_count == row->base_reset,
		.base = row->base_pcr,
		.measured = c->in->measured,
		.ctx = c->in->ctx,
	};
	uint64_t last_size = row->base_size;
	struct digest last;
	int r = merkle_root(&row->base_frontier, &last);

	if (r < 0)
		return r;
	in.must_continue = in.may_continue && q->restart_count == row->base_restart;
	if (e->pcr_index >= QUOTE_N_PCRS || !(e->pcrs.mask & 1u << e->pcr_index))
		return GIVE(c, PLUMB_RESULT_REFUSED, "PCR %u is not among those quoted",
			    e->pcr_index);
	r = appraise_replay(&in, &c->replay, c->why);
	if (r < 0)
		return r;
	if (!c->replay.replays)
		return give(c, PLUMB_RESULT_REFUSED);
	c->why->text[0] = 0;
	if (c->replay.n_marks > 0) {
		last_size = c->replay.marks[c->replay.n_marks - 1].size;
		last = c->replay.marks[c->replay.n_marks - 1].root;
	}
	if ((c->replay.n_marks == 0 && (!c->replay.continues || !row->has_base)) ||
	    last_size != e->checkpoint.size || !digest_equal(&last, &e->checkpoint.root))
		return GIVE(c, PLUMB_RESULT_REFUSED,
			    "anchors: the last checkpoint extended is not the head, %" PRIu64,
			    e->checkpoint.size);
	if (c->replay.n_marks > 0)
		qsort(c->replay.marks, c->replay.n_marks, sizeof(*c->replay.marks), compare_marks);
	return 1;
}

/* All that the next check rests on changes in one row. */
static void accept(struct check *c, struct store_node *row)
{
	const struct evidence *e = c->in->evidence;
	const struct quote_info *q = c->in->quote;

	c->out->result = PLUMB_RESULT_ACCEPTED;
	c->out->interval_from = row->base_size;
	c->out->interval_to = e->checkpoint.size;
	c->out->announced = row->leaving_until_ns != 0;
	/* The interval of the first of a later incarnation reaches back into the one before, whose end no quote shows any more. */
	c->out->anew = !row->has_base && row->incarnation > 1;
	if (q->reset_count != row->base_reset || q->restart_count != row->base_restart ||
	    c->out->anew)
		c->out->findings |= BIT(PLUMB_FINDING_UNANCHORED);
	if (c->replay.foreign)
		c->out->findings |= BIT(PLUMB_FINDING_FOREIGN);
	store_head(c, row);
	row->head_size = row->base_size = e->checkpoint.size;
	row->head_root = e->checkpoint.root;
	row->base_frontier = c->theirs;
	row->prov_size = row->prov_since_ns = 0;
	row->prov_root = (struct digest){{0}};
	row->prov_binding = false;
	row->has_base = true;
	row->base_pcr = e->pcrs.values[e->pcr_index];
	row->base_reset = q->reset_count;
	row->base_restart = q->restart_count;
	row->base_clock_ms = q->clock_ms;
	row->findings = c->out->findings;
}

static int check_evidence(struct check *c, struct store_node *row)
{
	const char *older = older_by(row, c->in->quote);
	int r;

	if (older)
		return GIVE(c, PLUMB_RESULT_SEND_AGAIN,
			    "the quote is older than the last that was accepted, by its %s", older);
	r = check_register(c);
	if (r > 0)
		r = compare(c);
	if (r > 0)
		accept(c, row);
	return r < 0 ? r : 0;
}

/* What the row itself says must hold, or nothing can be checked against it. */
static bool is_whole(const struct store_node *row)
{
	uint64_t stored = row->prov_size > row->head_size ? row->prov_size : row->head_size;

	return row->frontier.size == stored && row->base_frontier.size == row->base_size &&
	       row->base_size <= row->head_size;
}

int appraise_ledger(const struct appraise_ledger_in *in, struct store_node *row,
		    struct appraise_ledger *ret, struct why *ret_why)
{
	struct appraise_ledger out = {.findings = 0};
	struct why why = {""};
	struct check c = {
		.in = in, .row = row, .out = &out, .why = &why, .stored = row->frontier.size};
	const struct evidence *e = in->evidence;
	int r;

	if (!is_whole(row) || e->provisional != (in->quote == NULL) ||
	    e->checkpoint.size - e->from != e->n_lines || e->checkpoint.size < e->from)
		return why_set(ret_why, -EINVAL, "row or evidence of node %s is not whole",
			       row->id);
	if (row->forked)
		r = GIVE(&c, PLUMB_RESULT_FORKED,
			 "this incarnation has two histories: enrol the node anew");
	else if (strcmp(e->checkpoint.origin, in->origin) != 0)
		r = GIVE(&c, PLUMB_RESULT_REFUSED, "checkpoint is of %s, not of %s",
			 e->checkpoint.origin, in->origin);
	else
		r = e->provisional ? check_provisional(&c, row) : check_evidence(&c, row);
	appraise_replay_done(&c.replay);
	if (r < 0)
		return why_set(ret_why, r, "the ledger of node %s could not be checked: %s",
			       row->id, strerror(-r));
	if (out.result == PLUMB_RESULT_FORKED) {
		out.findings = BIT(PLUMB_FINDING_FORK);
		row->forked = true;
		row->findings |= out.findings;
	}
	if (ret_why)
		*ret_why = why;
	*ret = out;
	return 0;
}
