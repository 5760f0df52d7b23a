/* SPDX-License-Identifier: Apache-2.0 */
#include "appraisal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraisal_ima.h"
#include "appraise_ledger.h"
#include "boot_desk.h"
#include "cleanup.h"
#include "drift_state.h"
#include "evidence_keep.h"
#include "image_desk.h"
#include "jsonl.h"
#include "kubelet_keys.h"
#include "node_origin.h"
#include "order_desk.h"

#define MAX_RESTARTS 64
#define MAX_FORGOTTEN_ORDERS 1000000
#define CLOCK_SLACK_NS (60ull * 1000000000)
#define BIT(f) (1u << (f))
#define UNJUDGED BIT(PLUMB_FINDING_NONE) /* in a row's findings: see store.h */

struct run {
	const struct appraisal_in *in;
	const struct verifier *v;
	const struct store *store;
	struct store_node *row;
	struct cases cases;
	struct appraise_ledger ledger;
	uint32_t findings; /* of the lines, bits */
	int item_error; /* what on_item() ended the lines with */
	char boot[37];
	const struct baseline *baseline;
	struct appraise_drift_state state;
	struct image_desk *images;
	struct buf measured; /* log of what systemd measured, once it was needed */
	bool ordered; /* what no quote covers is the stop that an operator announced */
};

static int stored_lines(void *ctx, uint64_t from, uint64_t to, appraise_ledger_line_fn fn,
			void *fn_ctx)
{
	struct run *a = ctx;

	return a->store->ops->lines_each(a->store->ctx, a->row->id, a->row->incarnation, from, to,
					 fn, fn_ctx);
}

static int on_measured(void *ctx, struct buf_view *ret)
{
	struct run *a = ctx;
	int r;

	buf_clear(&a->measured);
	r = boot_desk_measured(a->v, a->row, a->in->evidence, &a->measured);
	*ret = (struct buf_view){a->measured.data, a->measured.size};
	return r;
}

static int check_ledger(struct run *a, struct why *ret_why)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	const struct appraise_ledger_in in = {
		.evidence = a->in->evidence,
		.quote = a->in->quote,
		.event_signed = a->in->event_signed,
		.origin = origin,
		.now_ns = a->cases.now_ns,
		.lines = stored_lines,
		.measured = on_measured,
		.ctx = a,
	};

	int r = node_origin_of(a->v->log_name, a->row, origin);

	/* A row that says nothing is not the evidence's fault. */
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	return appraise_ledger(&in, a->row, &a->ledger, ret_why);
}

/* Of the evidence's lines those that are new. */
static struct buf_view new_lines(const struct run *a)
{
	const struct evidence *e = a->in->evidence;
	const uint8_t *at = e->lines.data, *end = at + e->lines.size;

	for (uint64_t seq = e->from; seq < a->ledger.new_from && at < end; seq++) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));

		at = lf ? lf + 1 : end;
	}
	return (struct buf_view){at, (size_t)(end - at)};
}

static int on_item(void *ctx, const struct appraise_drift_item *i)
{
	struct run *a = ctx;

	if (i->finding)
		a->findings |= BIT(i->finding);
	/* What an unsigned provisional says of itself proves nothing: only drift is worth a case. */
	if (i->finding && !a->cases.bound)
		return 0;
	image_desk_item(a->images, a->state.boot, i); /* kept only with lines that are */
	a->item_error = cases_item(&a->cases, i);
	return a->item_error;
}

/* Its order was not carried out yet, or just in these lines: those before it were judged by another one. */
static int baseline_under_way(struct run *a, struct buf_view lines)
{
	static const char sign[] = "\"type\":\"baseline\"";

	return memmem(lines.data, lines.size, sign, sizeof(sign) - 1)
		       ? 1
		       : order_desk_under_way(a->v, a->row, a->in->evidence->last_order);
}

static int load_state(struct run *a)
{
	int r = image_desk_open(a->v, a->row, &a->images);

	return r < 0 ? r : drift_state_load(a->store, a->row, &a->state);
}

static int save_state(struct run *a)
{
	int r = drift_state_save(a->store, a->row, &a->state);

	return r < 0 ? r : image_desk_keep(a->images, a->baseline);
}

/* What is broken on our side is not the evidence's fault: it must not come out as "this line is none". */
static int own(int r)
{
	return r == -EBADMSG ? -EIO : r;
}

/* -EBADMSG: a line is none. */
static int derive_drift(struct run *a, struct why *ret_why)
{
	struct appraise_drift_restart restarts[MAX_RESTARTS];
	struct buf_view lines = new_lines(a);
	struct appraise_drift_in in = {
		.lines = lines,
		.from = a->ledger.new_from,
		.n = a->ledger.new_to - a->ledger.new_from,
		.baseline = a->baseline,
		.restarts = restarts,
		.now_ns = a->cases.now_ns,
		.slack_ns = a->v->leaving_ms * 1000000,
		.item = on_item,
		.ctx = a,
	};
	int r = order_desk_restarts(a->v, a->row, restarts, MAX_RESTARTS, &in.n_restarts);

	if (r < 0)
		return own(r);
	r = baseline_under_way(a, lines);
	if (r < 0)
		return own(r);
	in.baseline_under_way = r > 0;
	a->cases.from = a->ledger.new_from;
	r = load_state(a);
	if (r < 0)
		return own(r);
	r = appraise_drift(&in, &a->state, ret_why);
	if (a->item_error < 0)
		return own(a->item_error);
	if (r < 0)
		return r;
	a->ordered = a->ledger.findings & BIT(PLUMB_FINDING_UNANCHORED) &&
		     appraise_drift_ordered(&in, &a->state.unanchored_used);
	if (a->state.boot[0])
		memcpy(a->boot, a->state.boot, sizeof(a->boot));
	return own(cases_flood(&a->cases));
}

static int keep_lines(struct run *a)
{
	struct buf_view lines = new_lines(a);
	uint64_t n = a->ledger.new_to - a->ledger.new_from;
	int r = n == 0 ? 0
		       : a->store->ops->lines_put(a->store->ctx, a->row->id, a->row->incarnation,
						  a->ledger.new_from, lines.data, lines.size, n);

	return r < 0 || n == 0 ? r : kubelet_keys_take(a->v, a->row, lines);
}

/* An announcement excuses no one: root can do in the interval what he likes. So it is told all the same, and a rule may look at who announced it. */
static int tell_unanchored(struct run *a, const char *found)
{
	const char *by = a->ordered ? "operator" : a->ledger.announced ? "node" : NULL;
	const struct appraise_drift_item i = {
		.seq = a->ledger.interval_to,
		.utc_ns = a->cases.now_ns,
		.finding = PLUMB_FINDING_UNANCHORED,
		.judgement = PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = "finding:unanchored",
		.expected = "the TPM's counts unchanged",
		.found = found,
		.announced_by = by,
	};

	return cases_item(&a->cases, &i);
}

/* What the ledger's check found, with the interval it is over: also when no line lies in it. */
static int tell_ledger(struct run *a)
{
	const struct appraise_ledger *l = &a->ledger;
	char found[160];
	int r = 0;

	snprintf(found, sizeof(found),
		 "from line %" PRIu64 ", the last that was confirmed, to line %" PRIu64 "%s",
		 l->interval_from, l->interval_to,
		 a->ordered	? "; an operator had announced it"
		 : l->announced ? "; the node had announced it"
				: "");
	if (l->anew)
		snprintf(found, sizeof(found),
			 "from the last line of incarnation %" PRIu64
			 " that was confirmed to line %" PRIu64 " of this one",
			 a->row->incarnation - 1, l->interval_to);
	if (l->findings & BIT(PLUMB_FINDING_UNANCHORED))
		r = tell_unanchored(a, found);
	if (r >= 0 && (l->findings & BIT(PLUMB_FINDING_FOREIGN)))
		r = cases_finding(&a->cases, PLUMB_FINDING_FOREIGN, l->interval_to,
				  "nobody else extends the register", found);
	return r;
}

static int tell_clock(struct run *a)
{
	uint64_t now = a->cases.now_ns, sent = a->in->evidence->sent_ns;
	uint64_t off = now > sent ? now - sent : sent - now;
	char found[96];

	if (off <= CLOCK_SLACK_NS)
		return 0;
	snprintf(found, sizeof(found), "%" PRIu64 " s %s", off / 1000000000,
		 now > sent ? "behind" : "ahead");
	a->findings |= BIT(PLUMB_FINDING_CLOCK);
	return cases_finding(&a->cases, PLUMB_FINDING_CLOCK, a->in->evidence->checkpoint.size,
			     "within 60 s of the verifier's clock", found);
}

/*
 * Orders that this verifier never gave, says the quote: it was put back from an older store. Its next ones must have higher numbers, or
 * the node takes none. A number out of reach is no memory but a lie, and nothing is gained by it: such a node obeys nobody.
 */
static int tell_rollback(struct run *a)
{
	uint64_t seen = a->in->evidence->last_order, given = a->row->last_order;
	char found[128];
	uint32_t missed;
	int r;

	if (seen > given && seen - given > MAX_FORGOTTEN_ORDERS)
		return 0;
	if (seen > given)
		a->row->last_order = seen;
	r = order_desk_missed(a->v, a->row, new_lines(a), a->cases.now_ns, &missed);
	if (r < 0 || (seen <= given && missed == 0))
		return r;
	if (missed > 0)
		snprintf(found, sizeof(found),
			 "the node took other orders by numbers that were given anew: %u given "
			 "again",
			 missed);
	else
		snprintf(found, sizeof(found),
			 "the node has seen order %" PRIu64
			 ", and this verifier's last to it is %" PRIu64,
			 seen, given);
	a->findings |= BIT(PLUMB_FINDING_ROLLBACK);
	return cases_finding(&a->cases, PLUMB_FINDING_ROLLBACK, a->in->evidence->checkpoint.size,
			     "all that was cosigned", found);
}

static int write_head(const struct run *a)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "node", a->row->id);
	jsonl_uint(&j, "incarnation", a->row->incarnation);
	jsonl_uint(&j, "size", a->row->head_size);
	jsonl_hex(&j, "root", a->row->head_root.bytes, DIGEST_SIZE);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(a->v->vlog, PLUMB_TYPE_HEAD, (char *)b.data, &seq);
}

/*
 * A node that has no baseline yet, though it was assigned one, has compared nothing, and told none of its claims to be compared here. One that
 * is on its way from an older to a newer one has: its lines are judged by the newer.
 */
static bool is_judged(const struct run *a)
{
	return a->baseline != NULL && a->in->evidence->baseline_version != 0;
}

static void describe(const struct cases_sum *s, bool judged, char *ret, size_t size)
{
	if (s->cause.id == 0)
		snprintf(ret, size, "%s",
			 !judged	     ? "it does not judge by a baseline yet"
			 : s->verdict.n_open ? "open cases ask for nothing"
					     : "nothing is open");
	else
		snprintf(ret, size, "%.120s%s%.40s", s->cause.key, s->cause.rule[0] ? " by " : "",
			 s->cause.rule);
}

static int decide(struct run *a, bool evidence)
{
	struct cases_sum *s = malloc(sizeof(*s));
	const struct transition_verdict_in in = {.evidence = evidence,
						 .appraise = evidence,
						 .forked = a->row->forked,
						 .quiet = !evidence && a->cases.n_told == 0,
						 .told = a->cases.told,
						 .n_told = a->cases.n_told};
	struct transition_cause c = {.line = a->ledger.new_to};
	char text[200];
	int r = s ? cases_sum(&a->cases, is_judged(a), s) : -ENOMEM;

	if (r >= 0) {
		describe(s, is_judged(a), text, sizeof(text));
		c.text = text;
		c.of = s->cause.id ? &s->cause : NULL;
		r = transition_verdict(&a->in->t, a->row, s, &in, &c);
	}
	free(s);
	return r;
}

static int announce_absence(struct run *a)
{
	const struct transition_cause c = {.text = "it announced that it leaves"};
	int r;

	a->row->leaving_until_ns = 0;
	if (!a->in->evidence->leaving)
		return 0;
	a->row->leaving_until_ns = a->cases.now_ns + a->v->leaving_ms * 1000000;
	a->row->deadline_ns = a->row->leaving_until_ns;
	r = transition_apply(&a->in->t, a->row, NODE_ABSENCE, &c);
	return r < 0 ? r : 0;
}

/* States that no line needs to tell anew: what was quoted says that they go on. */
static uint32_t standing(const struct run *a)
{
	const struct evidence *e = a->in->evidence;
	uint32_t findings = 0;

	if (e->judge_version != PLUMB_JUDGE_VERSION)
		findings |= BIT(PLUMB_FINDING_JUDGE_SKEW);
	if (a->baseline && e->baseline_version != baseline_info(a->baseline)->version)
		findings |= BIT(PLUMB_FINDING_BASELINE);
	/* Without a log that can be read nobody looked: what an earlier one was found to be goes on. */
	if (a->findings & BIT(PLUMB_FINDING_BOOT_LOG))
		findings |= BIT(PLUMB_FINDING_BOOT_MISMATCH) | BIT(PLUMB_FINDING_BOOT_EVENT);
	return findings;
}

/* After the lines are stored. -EBADMSG: the entries are none. */
static int appraise_list(struct run *a, const struct boot_desk_result *boot, struct why *ret_why)
{
	const struct appraisal_ima_in in = {.v = a->v,
					    .cases = &a->cases,
					    .evidence = a->in->evidence,
					    .reset = a->in->quote->reset_count,
					    .boot = a->boot,
					    .at_boot = boot->agrees ? boot->values : NULL,
					    .lines = stored_lines,
					    .ctx = a};

	return appraisal_ima(&in, &a->findings, ret_why);
}

static int appraise_boot_log(struct run *a, struct boot_desk_result *ret)
{
	const struct boot_desk_in in = {.v = a->v,
					.row = a->row,
					.evidence = a->in->evidence,
					.baseline = a->baseline,
					.cases = &a->cases};
	int r = boot_desk_appraise(&in, ret);

	a->findings |= r < 0 ? 0 : ret->findings;
	return r < 0 ? r : cases_flood(&a->cases);
}

static int accept_evidence(struct run *a, bool had_base, struct why *ret_why)
{
	const struct evidence *e = a->in->evidence;
	struct store_node *row = a->row;
	struct cases_accepted accepted;
	struct boot_desk_result boot = {.findings = 0};
	int r = derive_drift(a, ret_why);

	if (r < 0)
		return r;
	r = tell_ledger(a);
	if (r >= 0)
		r = tell_clock(a);
	if (r >= 0)
		r = tell_rollback(a);
	if (r >= 0)
		r = save_state(a);
	if (r >= 0)
		r = keep_lines(a);
	if (r >= 0)
		r = evidence_keep_anchors(a->v, row, e, had_base);
	if (r >= 0)
		r = evidence_keep_notes(a->v, row, e);
	if (r < 0)
		return own(r);
	r = appraise_boot_log(a, &boot);
	if (r < 0)
		return own(r);
	r = appraise_list(a, &boot, ret_why);
	if (r < 0)
		return r;
	row->findings |= a->findings | (is_judged(a) ? 0 : UNJUDGED);
	row->last_evidence_ns = a->cases.now_ns;
	row->deadline_ns = a->cases.now_ns + a->v->silent_after_ms * 1000000;
	row->evidence_digest = a->in->body;
	memcpy(row->last_nonce, e->nonce, sizeof(row->last_nonce));
	memcpy(row->boot_id, a->boot, sizeof(row->boot_id));
	accepted =
		(struct cases_accepted){.from = a->ledger.interval_from,
					.size = row->base_size,
					.findings = a->findings | a->ledger.findings | standing(a),
					.reset = row->base_reset,
					.boot_is_good = boot.good};
	r = cases_accepted(&a->cases, &accepted);
	if (r >= 0 && accepted.findings & BIT(PLUMB_FINDING_BASELINE))
		r = order_desk_again(a->v, row, e->last_order);
	if (r >= 0)
		r = write_head(a);
	if (r >= 0)
		r = decide(a, true);
	return own(r < 0 ? r : announce_absence(a));
}

static int store_provisional(struct run *a, struct why *ret_why)
{
	int r = derive_drift(a, ret_why);

	if (r < 0)
		return r;
	if (a->ledger.binding) {
		r = save_state(a);
		if (r >= 0)
			r = keep_lines(a);
		if (r >= 0)
			r = evidence_keep_notes(a->v, a->row, a->in->evidence);
		if (r >= 0)
			r = cases_bound(&a->cases, a->ledger.new_to);
	}
	return own(r < 0 ? r : decide(a, false));
}

/* Both histories are signed by the TPM's keys: that is proof as it stands, and no quote will ever confirm it. */
static int fork_node(struct run *a, const struct why *why)
{
	struct transition_cause c = {.text = why->text, .line = a->in->evidence->checkpoint.size};
	int r;

	a->cases.provisional = false;
	a->cases.bound = true;
	r = cases_finding(&a->cases, PLUMB_FINDING_FORK, a->in->evidence->checkpoint.size,
			  "one history", why->text);
	/* The ledger's check has latched it; the state table is to see it happen. */
	a->row->forked = false;
	if (r >= 0)
		r = transition_apply(&a->in->t, a->row, NODE_FORK, &c);
	a->row->forked = true;
	return own(r < 0 ? r : decide(a, false));
}

/* A baseline that is assigned and cannot be had is "could not check", never "nothing to judge by". */
static int open_baseline(struct run *a, struct why *ret_why)
{
	static const struct digest none;

	if (digest_equal(&a->row->baseline, &none))
		return 0;
	return own(documents_baseline(a->in->documents, &a->row->baseline, &a->baseline, ret_why));
}

/* The row that evidence changes with: by size of provisional lines new_from may lie before what is stored when it is not binding. */
static int act(struct run *a, bool had_base, bool was_forked, struct why *ret_why)
{
	switch (a->ledger.result) {
	case PLUMB_RESULT_ACCEPTED:
		return accept_evidence(a, had_base, ret_why);
	case PLUMB_RESULT_STORED:
		if (!a->ledger.binding) {
			a->ledger.new_from = a->row->frontier.size;
			a->ledger.new_to = a->in->evidence->checkpoint.size;
		}
		return store_provisional(a, ret_why);
	case PLUMB_RESULT_FORKED:
		return was_forked ? 0 : fork_node(a, ret_why);
	default:
		return 0;
	}
}

int appraisal_run(const struct appraisal_in *in, struct store_node *row,
		  enum plumb_result *ret_result, bool *ret_changed, struct why *ret_why)
{
	struct run a = {
		.in = in,
		.v = in->t.v,
		.store = in->t.v->store,
		.row = row,
		.cases = {.v = in->t.v,
			  .policy = documents_policy(in->documents),
			  .node = row,
			  .provisional = in->quote == NULL,
			  .bound = in->quote != NULL || in->event_signed,
			  .now_ns = clock_utc_ns(in->t.v->clock)},
	};
	bool had_base = row->has_base, was_forked = row->forked;
	struct why why = {""};
	int r;

	memcpy(a.boot, row->boot_id, sizeof(a.boot));
	r = open_baseline(&a, &why);
	if (r >= 0)
		r = own(check_ledger(&a, &why));
	if (r >= 0)
		r = act(&a, had_base, was_forked, &why);
	appraise_drift_state_done(&a.state);
	image_desk_free(a.images);
	buf_done(&a.measured);
	cases_done(&a.cases);
	*ret_why = why;
	if (r < 0)
		return r;
	*ret_result = a.ledger.result;
	*ret_changed = a.ledger.result == PLUMB_RESULT_ACCEPTED ||
		       a.ledger.result == PLUMB_RESULT_STORED ||
		       (a.ledger.result == PLUMB_RESULT_FORKED && !was_forked);
	return 0;
}

int appraisal_derive(const struct transition *t, struct documents *d, struct store_node *row,
		     bool appraise, const struct transition_cause *c)
{
	static const struct digest none;
	struct cases cases = {.v = t->v,
			      .policy = documents_policy(d),
			      .node = row,
			      .now_ns = clock_utc_ns(t->v->clock)};
	const struct transition_verdict_in in = {
		.evidence = appraise, .appraise = appraise, .quiet = true};
	struct cases_sum *s = malloc(sizeof(*s));
	struct transition_cause own = *c;
	char text[200];
	bool judged = !digest_equal(&row->baseline, &none) && !(row->findings & UNJUDGED);
	int r = s ? cases_sum(&cases, judged, s) : -ENOMEM;

	if (r >= 0) {
		describe(s, judged, text, sizeof(text));
		if (!own.text)
			own.text = text;
		own.of = s->cause.id ? &s->cause : NULL;
		r = transition_verdict(t, row, s, &in, &own);
	}
	free(s);
	return r;
}
