/* SPDX-License-Identifier: Apache-2.0 */
#include "epoch_line.h"

#include "jsonl.h"

int epoch_line_members(const struct epoch_seen *now, const struct epoch_ruling *rule,
		       struct buf *ret)
{
	struct jsonl j = {.buf = ret};

	jsonl_str(&j, "move", epoch_move_name(rule->move));
	jsonl_str(&j, "base", epoch_base_name(rule->base));
	/* Which log explains it; or, where there is one, what stands in its way. */
	if (rule->base == LEDGER_BASE_LOG)
		jsonl_hex(&j, "measure_log", now->measure_log.bytes, DIGEST_SIZE);
	if (rule->base == LEDGER_BASE_UNPROVEN && now->unexplained[0])
		jsonl_str(&j, "base_why", now->unexplained);
	jsonl_uint(&j, "pcr_index", now->pcr_index);
	jsonl_uint(&j, "reset", now->reset_count);
	jsonl_uint(&j, "restart", now->restart_count);
	jsonl_hex(&j, "pcr", now->pcr.bytes, DIGEST_SIZE);
	jsonl_bool(&j, "foreign", rule->foreign);
	if (rule->foreign)
		jsonl_hex(&j, "pcr_expected", rule->expected.bytes, DIGEST_SIZE);
	return buf_status(ret);
}
