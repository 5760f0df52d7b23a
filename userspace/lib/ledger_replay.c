/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "ledger_dir.h"

struct replay {
	struct ledger_replay r;
	const char *origin;
	ledger_replay_tell_fn tell;
	ledger_replay_explain_fn explain;
	void *ctx;
	size_t at; /* of the record in the file */
	struct digest fold;
	struct ledger_anchor epoch;
	bool has_epoch, has_pending;
	struct ledger_replay_extend pending; /* the last extend, until it is done */
	uint32_t n_done; /* extends up to the last one that was done */
};

static void tell(const struct replay *p, bool bad, const char *text)
{
	char all[256];

	snprintf(all, sizeof(all), "anchors: byte %zu: %s", p->at, text);
	p->tell(p->ctx, bad, all);
}

/* What the PCR is once the pending extend has happened. */
static int fold_pending(const struct replay *p, struct digest *ret)
{
	struct checkpoint c = {.size = p->pending.size, .root = p->pending.root};
	struct digest d;
	int r;

	snprintf(c.origin, sizeof(c.origin), "%s", p->origin);
	r = checkpoint_digest(&c, &d);
	if (r < 0)
		return r;
	*ret = p->fold;
	return checkpoint_fold(ret, &d);
}

/* What was done last still stands in the register when the counts are others. */
static void go_on(const struct replay *p, const struct ledger_anchor *a)
{
	struct ledger_replay_extend *last = p->n_done ? &p->r.extends[p->n_done - 1] : NULL;

	if (last && last->current && digest_equal(&a->epoch.found, &last->pcr) &&
	    a->epoch.pcr_index == last->pcr_index && a->epoch.reset_count == last->reset_count &&
	    a->epoch.restart_count > last->last_restart)
		last->last_restart = a->epoch.restart_count;
}

static int take_epoch(struct replay *p, const struct ledger_anchor *a)
{
	static const struct digest zero;
	bool same = p->has_epoch && p->epoch.epoch.reset_count == a->epoch.reset_count &&
		    p->epoch.epoch.restart_count == a->epoch.restart_count;
	const struct digest *found = &a->epoch.found;
	struct digest after = p->fold;
	int r = p->has_pending ? fold_pending(p, &after) : 0;

	if (r < 0)
		return r;
	if ((a->epoch.base == LEDGER_BASE_ZERO && !digest_equal(found, &zero)) ||
	    (a->epoch.base == LEDGER_BASE_CONTINUES && !digest_equal(found, &p->fold) &&
	     !digest_equal(found, &after)))
		tell(p, true, "the epoch's first PCR value is not what it says");
	if (a->epoch.base == LEDGER_BASE_LOG) {
		r = p->explain ? p->explain(p->ctx, a->epoch.pcr_index, found) : 0;
		if (r < 0)
			return r;
		if (r == 0)
			tell(p, false,
			     "the PCR's first value is said to be explained by a log, and none "
			     "that is here explains it; what was anchored before it proves nothing "
			     "here");
	}
	if (a->epoch.base == LEDGER_BASE_UNPROVEN ||
	    (a->epoch.base != LEDGER_BASE_CONTINUES && same))
		tell(p, false,
		     "the PCR's first value is unproven; what was anchored before it proves "
		     "nothing here");
	if (a->epoch.base == LEDGER_BASE_CONTINUES) {
		go_on(p, a);
	} else {
		p->fold = *found;
		p->r.anchored_size = 0;
		for (uint32_t i = 0; i < p->r.n_extends; i++)
			p->r.extends[i].current = false;
	}
	p->epoch = *a;
	p->has_epoch = true;
	p->r.n_epochs++;
	return ledger_epochs_add(&p->r.epochs, a->epoch.boot_id, a->epoch.reset_count);
}

static int take_extend(struct replay *p, const struct ledger_anchor *a)
{
	struct ledger_replay *r = &p->r;

	if (r->n_extends >= LEDGER_REPLAY_MAX)
		return -E2BIG;
	/* Doubles whenever the number is a power of two. */
	if ((r->n_extends & (r->n_extends - 1)) == 0) {
		size_t n = r->n_extends ? r->n_extends * 2ul : 1;
		void *more = realloc(r->extends, n * sizeof(*r->extends));

		if (!more)
			return -ENOMEM;
		r->extends = more;
	}
	p->pending = (struct ledger_replay_extend){
		.size = a->extend.size,
		.root = a->extend.root,
		.current = true,
	};
	p->has_pending = true;
	r->extends[r->n_extends++] = p->pending;
	return 0;
}

static int take_done(struct replay *p, const struct ledger_anchor *a)
{
	struct ledger_replay_extend *last;
	struct digest after;
	int r = p->has_pending ? fold_pending(p, &after) : 0;

	if (r < 0)
		return r;
	if (!p->has_pending || !digest_equal(&after, &a->done.pcr)) {
		tell(p, true, "the PCR does not replay");
	} else {
		last = &p->r.extends[p->r.n_extends - 1];
		last->done = true;
		last->current = true;
		last->pcr = after;
		/* Begun in one epoch, it may be done in the next one: a quote of it has these counts. */
		last->pcr_index = p->has_epoch ? p->epoch.epoch.pcr_index : 0;
		last->reset_count = p->has_epoch ? p->epoch.epoch.reset_count : 0;
		last->restart_count = p->has_epoch ? p->epoch.epoch.restart_count : 0;
		last->last_restart = last->restart_count;
		p->n_done = p->r.n_extends;
		p->r.anchored_size = last->size;
	}
	p->fold = a->done.pcr;
	p->has_pending = false;
	return 0;
}

static int take(struct replay *p, const struct ledger_anchor *a)
{
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		return take_epoch(p, a);
	case LEDGER_ANCHOR_EXTEND:
		return take_extend(p, a);
	case LEDGER_ANCHOR_DONE:
		return take_done(p, a);
	case LEDGER_ANCHOR_FOREIGN:
		tell(p, false,
		     "somebody else extended the PCR; what was anchored before it proves nothing "
		     "here");
		p->fold = a->foreign.found;
		p->r.n_foreign++;
		return 0;
	}
	return -EBADMSG;
}

int ledger_replay(const void *data, size_t size, const char *origin, ledger_replay_tell_fn tell_fn,
		  ledger_replay_explain_fn explain, void *ctx, struct ledger_replay *ret)
{
	struct replay p = {.origin = origin, .tell = tell_fn, .explain = explain, .ctx = ctx};
	struct buf_reader reader = buf_reader_of(data, size);
	struct ledger_anchor a;
	struct buf_view magic;
	struct why why;
	int r;

	if (buf_read_bytes(&reader, strlen(LEDGER_ANCHORS_MAGIC), &magic) < 0 ||
	    memcmp(magic.data, LEDGER_ANCHORS_MAGIC, magic.size) != 0) {
		tell(&p, true, "does not start with plumb-anchors-v1");
		*ret = p.r;
		return 0;
	}
	do {
		p.at = reader.at;
		r = ledger_dir_anchor_read(&reader, &a, &why);
		if (r < 0) {
			/* At the very end it is what a crash leaves: no more is claimed, so nothing is proved and nothing is bad. */
			p.tell(p.ctx, r != -ENODATA, why.text);
			r = 0;
		} else if (r > 0) {
			r = take(&p, &a);
			r = r < 0 ? r : 1;
		}
	} while (r > 0);
	if (r < 0) {
		ledger_replay_done(&p.r);
		return r;
	}
	*ret = p.r;
	return 0;
}

void ledger_replay_done(struct ledger_replay *r)
{
	free(r->extends);
	ledger_epochs_done(&r->epochs);
	*r = (struct ledger_replay){.extends = NULL};
}
