/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_quote.h"

#include <inttypes.h>

/* The runtime PCR that a TPM signed must be one that the anchors replay to, at that checkpoint, and that stood there with those counts. */
static bool replays_to(const struct ledger_replay *replay, uint8_t pcr_index,
		       const struct ledger_vouch_quote *q)
{
	for (uint32_t i = replay->n_extends; i-- > 0;) {
		const struct ledger_replay_extend *e = &replay->extends[i];

		if (e->done && e->size == q->checkpoint.size &&
		    digest_equal(&e->root, &q->checkpoint.root) && digest_equal(&e->pcr, &q->pcr) &&
		    e->pcr_index == pcr_index && e->reset_count == q->reset_count &&
		    e->restart_count <= q->restart_count && q->restart_count <= e->last_restart)
			return true;
	}
	return false;
}

int ledger_quote_check(const struct ledger_vouch *v, const struct ledger_replay *replay,
		       const struct ledger_quote_beside *beside, uint64_t seq, const json_t *line,
		       uint64_t *ret_size, struct why *ret_why)
{
	const struct ledger_boots_one *boot = NULL;
	struct ledger_vouch_quote q;
	struct why why = {""};
	int r;

	if (ledger_vouch_quote(v, line, &q, &why) < 0)
		return why_set(ret_why, 1, "its quote does not hold: %.200s", why.text);
	if (!replays_to(replay, ledger_vouch_record(v)->pcr_index, &q))
		return why_set(ret_why, 1,
			       "its quote does not hold: the anchors do not replay to its PCR at "
			       "%" PRIu64 " with its reset and restart counts",
			       q.checkpoint.size);
	*ret_size = q.checkpoint.size;
	r = ledger_imas_quote(beside->imas, seq, json_string_value(json_object_get(line, "boot")),
			      q.reset_count, &q.pcrs, q.ima_cursor);
	if (r < 0)
		return r;
	r = ledger_boots_quote(beside->boots, seq, q.reset_count, &q.pcrs, &q.boot_log, &boot);
	if (r <= 0 || !boot || boot->result != LEDGER_BOOT_BAD)
		return r < 0 ? r : 0;
	return why_set(ret_why, 1, "what was booted: %.230s", boot->why);
}
