/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook.h"

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

static void put_time(struct jsonl *j, const char *key, uint64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	if (ns == 0) {
		jsonl_null(j, key);
		return;
	}
	clock_text(ns, text);
	jsonl_str(j, key, text);
}

int webhook_body(const struct webhook_transition *t, const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_uint(&j, "id", t->log_seq);
	jsonl_str(&j, "node", t->node->id);
	jsonl_str(&j, "label", t->node->label);
	jsonl_str(&j, "kube_name", t->node->kube_name);
	jsonl_str(&j, "from", t->from);
	jsonl_str(&j, "to", t->to);
	jsonl_str(&j, "cause", t->cause);
	jsonl_str(&j, "rule", t->rule);
	jsonl_str(&j, "key", t->key);
	jsonl_str(&j, "expected", t->expected);
	jsonl_str(&j, "found", t->found);
	jsonl_str(&j, "who", t->who);
	jsonl_uint(&j, "line", t->ledger_line);
	jsonl_uint(&j, "log_line", t->log_seq);
	jsonl_bool(&j, "provisional", t->provisional);
	put_time(&j, "at", t->at_ns);
	put_time(&j, "event_at", t->event_ns);
	jsonl_str(&j, "verdict", t->verdict_jwt);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : dsse_sign(WIRE_DSSE_WEBHOOK, b.data, b.size, &key, 1, ret);
}
