/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a ledger, as a node sends them, through the whole derivation; twice, the state of the first stored between. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "appraise_drift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_item(void *ctx, const struct appraise_drift_item *i)
{
	(void)ctx;
	if (!i->key || !i->found || !i->expected || !i->scope || !i->judgement)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct appraise_drift_in in = {.lines = {data, size}, .item = on_item};
	struct appraise_drift_state s = {.restart_used = 0}, again;
	struct buf b = {0};
	struct why why;

	for (size_t i = 0; i < size; i++)
		in.n += data[i] == '\n';
	if (appraise_drift(&in, &s, &why) == 0) {
		if (appraise_drift_state_write(&s, &b) < 0 ||
		    appraise_drift_state_parse(b.data, b.size, &again) < 0)
			abort();
		(void)appraise_drift(&in, &again, &why);
		appraise_drift_state_done(&again);
	}
	appraise_drift_state_done(&s);
	buf_done(&b);
	return 0;
}
