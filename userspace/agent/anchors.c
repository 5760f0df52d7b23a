/* SPDX-License-Identifier: Apache-2.0 */
#include "anchors.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int check_root(struct ledger *l, uint64_t size, const struct digest *root)
{
	struct digest have;
	int r;

	if (size > ledger_next_seq(l))
		return -EBADMSG;
	r = ledger_root_at(l, size, &have);
	if (r < 0)
		return r;
	return digest_equal(&have, root) ? 0 : -EBADMSG;
}

static int fold_pending(struct anchors *a)
{
	struct digest d, fold = a->st.fold;
	int r = checkpoint_digest(&a->pending, &d);

	if (r >= 0)
		r = checkpoint_fold(&fold, &d);
	if (r >= 0)
		a->st.fold_pending = fold;
	return r;
}

int anchors_open(struct ledger *l, const struct ledger_recovery *found, struct anchors *ret,
		 struct why *ret_why)
{
	int r = 0;

	*ret = (struct anchors){.ledger = l, .st = *found};
	/* Recovery keeps the last extend record's head here, whether it is still pending or not. */
	if (found->pending_size > 0)
		r = check_root(l, found->pending_size, &found->pending_root);
	if (r >= 0)
		r = ledger_head(l, &ret->pending);
	if (r < 0)
		return why_set(ret_why, r,
			       "anchors: checkpoint %" PRIu64 " was extended, but %s; keep the "
			       "directory for whoever looks into it, and start with a new one",
			       found->pending_size,
			       r == -EBADMSG ? "its lines are not in the ledger" : strerror(-r));
	ret->pending.size = found->pending_size;
	ret->pending.root = found->pending_root;
	return 0;
}

int anchors_extend(struct anchors *a)
{
	struct ledger_anchor record = {.kind = LEDGER_ANCHOR_EXTEND};
	struct checkpoint before = a->pending;
	int r = ledger_head(a->ledger, &a->pending);

	record.extend.size = a->pending.size;
	record.extend.root = a->pending.root;
	if (r >= 0)
		r = fold_pending(a);
	if (r >= 0)
		r = ledger_anchor(a->ledger, &record);
	if (r < 0) {
		a->pending = before;
		return r;
	}
	a->st.has_pending = true;
	a->st.pending_size = record.extend.size;
	a->st.pending_root = record.extend.root;
	return 0;
}

int anchors_done(struct anchors *a)
{
	const struct ledger_anchor record = {.kind = LEDGER_ANCHOR_DONE,
					     .done.pcr = a->st.fold_pending};
	int r = ledger_anchor(a->ledger, &record);

	if (r < 0)
		return r;
	a->st.fold = a->st.fold_pending;
	a->st.anchored_size = a->st.pending_size;
	a->st.has_pending = false;
	a->head = a->pending;
	return 0;
}

static int write_foreign(struct anchors *a, const struct epoch_seen *now,
			 const struct epoch_ruling *rule)
{
	const struct ledger_anchor record = {.kind = LEDGER_ANCHOR_FOREIGN,
					     .foreign = {rule->expected, now->pcr}};
	int r = ledger_anchor(a->ledger, &record);

	if (r >= 0)
		a->st.fold = now->pcr;
	return r;
}

static int write_epoch(struct anchors *a, const struct epoch_seen *now,
		       const struct epoch_ruling *rule)
{
	struct ledger_anchor record = {.kind = LEDGER_ANCHOR_EPOCH};
	int r;

	memcpy(record.epoch.boot_id, now->boot_id, sizeof(record.epoch.boot_id));
	record.epoch.reset_count = now->reset_count;
	record.epoch.restart_count = now->restart_count;
	record.epoch.pcr_index = now->pcr_index;
	record.epoch.base = (uint8_t)rule->base;
	record.epoch.found = now->pcr;
	r = ledger_anchor(a->ledger, &record);
	if (r < 0)
		return r;
	a->st.epoch = record;
	a->st.has_epoch = true;
	if (rule->base != LEDGER_BASE_CONTINUES)
		a->st.fold = now->pcr;
	return 0;
}

int anchors_carry_out(struct anchors *a, const struct epoch_seen *now, struct epoch_ruling *rule,
		      bool force_epoch)
{
	int r = 0;

	if (rule->pending == EPOCH_PENDING_DONE) {
		r = anchors_done(a);
		if (r < 0)
			return r;
		rule->pending = EPOCH_PENDING_NONE;
	}
	if (rule->foreign) {
		r = write_foreign(a, now, rule);
		if (r < 0)
			return r;
		rule->foreign = false;
	}
	if (rule->is_new || force_epoch)
		r = write_epoch(a, now, rule);
	if (r < 0)
		return r;
	rule->is_new = false;
	if (rule->pending == EPOCH_PENDING_HEAD) {
		/* The head goes into the register again, at the same or a larger size; no line is dropped. */
		a->st.has_pending = false;
		a->st.anchored_size = 0;
		a->head.size = 0;
	}
	return a->st.has_pending ? fold_pending(a) : 0;
}

uint64_t anchors_waiting(const struct anchors *a)
{
	return ledger_next_seq(a->ledger) - a->st.anchored_size;
}
