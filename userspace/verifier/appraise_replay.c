/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint.h"
#include "ledger_dir.h"
#include "measurelog.h"
#include "plumb/wire.h"

#define MAX_MARKS (WIRE_MAX_ANCHORS / 32)

struct fold {
	const struct appraise_replay_in *in;
	struct appraise_replay *out;
	bool from_base;
	struct digest value;
	struct checkpoint pending;
	bool has_pending;
	bool broken_off; /* nothing of its own was extended since the last break */
};

/*
 * What was extended before this point is no longer what the register's value rests on. The base's own value needs no
 * explanation, whoever names it: a quote had it, and the rest is folded from there.
 */
static void start(struct fold *f, const struct digest *value, bool foreign)
{
	bool is_base = f->from_base && digest_equal(value, &f->in->base);

	f->value = *value;
	f->out->continues = is_base;
	f->out->foreign = foreign && !is_base;
	f->out->n_marks = 0;
	f->broken_off = foreign;
}

static int add_mark(struct appraise_replay *out, const struct checkpoint *c)
{
	struct appraise_replay_mark *more;
	uint32_t n = out->n_marks;

	if (n >= MAX_MARKS)
		return -E2BIG;
	/* Doubles whenever the number is a power of two. */
	if ((n & (n - 1)) == 0) {
		more = realloc(out->marks, (n ? n * 2ul : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		out->marks = more;
	}
	out->marks[out->n_marks++] = (struct appraise_replay_mark){c->size, c->root};
	return 0;
}

/*
 * What the agent says of the log is not taken over: 1 when the records lead here, too, from an empty register to the value that it found.
 */
static int is_explained(const struct fold *f, const struct digest *found)
{
	const struct digest zero = {{0}};
	struct buf_view log;
	struct why why;
	int r = f->in->measured ? f->in->measured(f->in->ctx, &log) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return measurelog_leads(log.data, log.size, f->in->pcr_index, &zero, found, &why);
}

/*
 * An epoch record says what the agent found when it started. That the register was zero is believed where the counts allow it,
 * since a value that was not zero cannot be replayed from there; so is a value that a log explains. Everything else that it did not
 * fold itself is unproven.
 */
static int on_epoch(struct fold *f, const struct ledger_anchor *a, struct why *ret_why)
{
	const struct digest zero = {{0}};
	int r;

	if (a->epoch.pcr_index != f->in->pcr_index)
		return why_set(ret_why, -EBADMSG, "anchors: an epoch of PCR %u, not of %u",
			       a->epoch.pcr_index, f->in->pcr_index);
	if (a->epoch.base == LEDGER_BASE_LOG) {
		r = is_explained(f, &a->epoch.found);
		if (r < 0)
			return r == -EBADMSG ? -EIO : r;
		/* Within one boot nothing begins anew, but what goes on from an empty register is what systemd did. */
		if (r == 0 || !f->in->must_continue || digest_equal(&f->value, &zero))
			start(f, &a->epoch.found, r == 0);
	} else if (a->epoch.base == LEDGER_BASE_UNPROVEN)
		start(f, &a->epoch.found, true);
	else if (a->epoch.base == LEDGER_BASE_ZERO && !f->in->must_continue)
		start(f, &zero, false);
	return 0;
}

static int on_done(struct fold *f, const struct digest *said, struct why *ret_why)
{
	struct digest d;
	int r;

	if (!f->has_pending)
		return why_set(ret_why, -EBADMSG, "anchors: a done record without an extend");
	f->has_pending = f->broken_off = false;
	r = checkpoint_digest(&f->pending, &d);
	if (r >= 0)
		r = checkpoint_fold(&f->value, &d);
	if (r < 0)
		return r;
	/* The records may begin before the base. */
	if (f->from_base && digest_equal(said, &f->in->base)) {
		start(f, said, false);
		return 0;
	}
	return add_mark(f->out, &f->pending);
}

static int fold_one(struct fold *f, const struct ledger_anchor *a, struct why *ret_why)
{
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		return on_epoch(f, a, ret_why);
	case LEDGER_ANCHOR_EXTEND:
		/* One without its done never reached the register, or is extended anew after it. */
		f->pending.size = a->extend.size;
		f->pending.root = a->extend.root;
		f->has_pending = true;
		return 0;
	case LEDGER_ANCHOR_DONE:
		return on_done(f, &a->done.pcr, ret_why);
	case LEDGER_ANCHOR_FOREIGN:
		/* `expected` proves nothing. */
		start(f, &a->foreign.found, true);
		return 0;
	}
	return -EBADMSG;
}

static int replay_from(const struct appraise_replay_in *in, bool from_base,
		       struct appraise_replay *out, struct why *ret_why)
{
	struct buf_reader reader = buf_reader_of(in->anchors.data, in->anchors.size);
	struct fold f = {.in = in, .out = out, .from_base = from_base};
	const struct digest zero = {{0}};
	struct ledger_anchor a;
	int r;

	start(&f, from_base ? &in->base : &zero, false);
	snprintf(f.pending.origin, sizeof(f.pending.origin), "%s", in->origin);
	while ((r = ledger_dir_anchor_read(&reader, &a, ret_why)) > 0) {
		r = fold_one(&f, &a, ret_why);
		if (r < 0)
			break;
	}
	/* What cannot be read as records is the evidence's fault, not ours: it does not replay. */
	if (r == -EBADMSG || r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	out->replays = digest_equal(&f.value, &in->quoted) && !f.broken_off;
	if (f.broken_off)
		why_set(ret_why, 0, "anchors: nothing was extended after what is foreign");
	else if (!out->replays)
		why_set(ret_why, 0, "anchors: do not replay to the quoted value of PCR %u",
			in->pcr_index);
	return 0;
}

int appraise_replay(const struct appraise_replay_in *in, struct appraise_replay *ret,
		    struct why *ret_why)
{
	struct appraise_replay out = {.replays = false};
	int r = 0;

	if (in->may_continue || in->must_continue)
		r = replay_from(in, true, &out, ret_why);
	if (r >= 0 && !out.replays && !in->must_continue)
		r = replay_from(in, false, &out, ret_why);
	if (r < 0) {
		appraise_replay_done(&out);
		return r;
	}
	*ret = out;
	return 0;
}

void appraise_replay_done(struct appraise_replay *r)
{
	free(r->marks);
	*r = (struct appraise_replay){.replays = false};
}
