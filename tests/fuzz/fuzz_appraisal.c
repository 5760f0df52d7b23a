/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appraisal.h"
#include "node_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verifier_fixture v;
static struct node_fixture n;
static size_t lines_before;
static struct merkle tree_before;

static void clean_up(void)
{
	node_fixture_done(&n);
	verifier_fixture_done(&v);
}

static void set_up(void)
{
	verifier_fixture_open(&v);
	node_fixture_open(&n, &v, 1);
	node_fixture_baseline(&n);
	verifier_fixture_rules(&v, 1,
			       "[" NODE_FIXTURE_RULE("F", "{\"key\":{\"prefix\":\"file:\"}}",
						     "armed", "claim", "0") "]");
	if (node_fixture_evidence(&n) != PLUMB_RESULT_ACCEPTED)
		abort();
	atexit(clean_up);
	lines_before = n.lines.size;
	tree_before = n.tree;
}

/* The input's lines go on with a ledger; its tree and its signatures are as they should be. Nothing is committed. */
static void appraise(bool provisional, bool event_signed)
{
	struct buf body = {0};
	struct evidence *e = calloc(1, sizeof(*e));
	const struct quote_info q = {.reset_count = fake_tpm_clock(n.tpm)->reset_count,
				     .restart_count = fake_tpm_clock(n.tpm)->restart_count,
				     .clock_ms = UINT64_MAX};
	struct store_node row = verifier_fixture_node(&v, n.record.node);
	struct appraisal_in in = {.t = {.v = &v.v},
				  .documents = v.documents,
				  .evidence = e,
				  .quote = provisional ? NULL : &q,
				  .event_signed = event_signed};
	uint64_t was = row.frontier.size;
	enum plumb_result result = 0;
	bool changed = false;
	struct why why = {""};
	int r;

	node_fixture_body(&n, was, provisional, event_signed, &body);
	if (!e || evidence_parse(body.data, body.size, e, &why) < 0)
		abort();
	if (v.ops.begin(v.store.ctx) < 0)
		abort();
	r = appraisal_run(&in, &row, &result, &changed, &why);
	/* Our own rooms do not fail for what a node says. */
	if (r < 0 && r != -EBADMSG)
		__builtin_trap();
	if (r >= 0 && result == PLUMB_RESULT_ACCEPTED &&
	    (provisional || row.base_size != n.tree.size || row.frontier.size != n.tree.size))
		__builtin_trap();
	if (r >= 0 && result == PLUMB_RESULT_STORED && !event_signed && row.frontier.size != was)
		__builtin_trap();
	v.ops.rollback(v.store.ctx);
	evidence_done(e);
	free(e);
	store_node_done(&row);
	buf_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *lf;
	struct digest pcr;
	char *line;

	if (!v.intake)
		set_up();
	for (int i = 0; at < end && i < 1000; i++, at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			lf = end;
		line = strndup(at, (size_t)(lf - at));
		if (!line)
			abort();
		if (strlen(line) <= WIRE_MAX_LINE)
			node_fixture_raw(&n, line);
		free(line);
	}
	if (n.tree.size > tree_before.size) {
		appraise(true, false);
		appraise(true, true);
		pcr = fake_tpm_pcrs(n.tpm)->values[15];
		node_fixture_extend(&n);
		appraise(false, true);
		fake_tpm_pcrs(n.tpm)->values[15] = pcr;
		buf_cut(&n.anchors, n.anchors_kept);
	}
	n.tree = tree_before;
	buf_cut(&n.lines, lines_before);
	return 0;
}
