/* SPDX-License-Identifier: Apache-2.0 */
#include "quote_line.h"

#include <stdio.h>

#include "cleanup.h"
#include "ima_fold.h"
#include "jsonl.h"

int quote_line_write(struct ledger_writer *w, const struct quote_line *q)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	char text[CHECKPOINT_MAX_TEXT], name[8];
	size_t size;
	int r = checkpoint_text(q->head, text, &size);

	if (r < 0)
		return r;
	jsonl_base64(&j, "nonce", q->nonce, DIGEST_SIZE);
	jsonl_str(&j, "checkpoint", text);
	jsonl_uint(&j, "size", q->head->size);
	jsonl_base64(&j, "attest", q->job->attest.data, q->job->attest.size);
	jsonl_base64(&j, "sig", q->job->sig.data, q->job->sig.size);
	jsonl_uint(&j, "pcr_index", q->pcr_index);
	jsonl_object(&j, "pcrs");
	for (uint32_t i = 0; i < QUOTE_N_PCRS; i++) {
		if (!(q->job->pcrs.mask & 1u << i))
			continue;
		snprintf(name, sizeof(name), "%u", i);
		jsonl_hex(&j, name, q->job->pcrs.values[i].bytes, DIGEST_SIZE);
	}
	jsonl_close(&j);
	jsonl_hex(&j, "boot_log", q->boot_log.bytes, DIGEST_SIZE);
	jsonl_uint(&j, "ima_cursor", q->ima_cursor);
	jsonl_uint(&j, "baseline", q->baseline_version);
	jsonl_uint(&j, "order", q->last_order);
	jsonl_hex(&j, "client_key", q->client_key.bytes, DIGEST_SIZE);
	r = buf_status(&b);
	if (r >= 0)
		r = ledger_writer_record(w, PLUMB_TYPE_QUOTE, "tpm", (char *)b.data);
	/* What the quoted register has, the list has by now. */
	ima_keep_quoted(q->ima_keep, &q->job->pcrs.values[IMA_FOLD_PCR]);
	return r;
}
