/* SPDX-License-Identifier: Apache-2.0 */
/* test_appraise_replay.c: a register that was not zero when the agent began, and the log that explains it. test_appraise_ledger has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "appraise_replay.h"
#include "ledger_node.h"

#define MACHINE "machine-id:0123456789abcdef0123456789abcdef"

struct world {
	struct ledger_node n;
	char log[512];
	int fail;
	unsigned int n_asked;
};

static int on_measured(void *ctx, struct buf_view *ret)
{
	struct world *w = ctx;

	w->n_asked++;
	*ret = (struct buf_view){(const uint8_t *)w->log, strlen(w->log)};
	return w->fail;
}

/* systemd has measured the machine's id; then the agent began, said `base`, and extended its head. */
static void begin(struct world *w, enum ledger_base base)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	struct buf_view parts[] = {{w->n.pcr.bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	memset(w, 0, sizeof(*w));
	assert_int_equal(digest_sha256(MACHINE, strlen(MACHINE), &d), 0);
	assert_int_equal(digest_sha256_parts(parts, 2, &w->n.pcr), 0);
	digest_hex(&d, hex);
	snprintf(w->log, sizeof(w->log),
		 "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],"
		 "\"content_type\":\"systemd\",\"content\":{\"string\":\"" MACHINE
		 "\",\"eventType\":\"machine-id\"}}\n",
		 hex);
	ledger_node_epoch(&w->n, base);
	ledger_node_add(&w->n, "N");
	ledger_node_extend_head(&w->n);
}

static int replay(struct world *w, bool may, bool must, uint8_t base, struct appraise_replay *ret)
{
	const struct appraise_replay_in in = {.anchors = {w->n.anchors.data, w->n.anchors.size},
					      .origin = LEDGER_NODE_ORIGIN,
					      .pcr_index = 15,
					      .quoted = w->n.pcr,
					      .may_continue = may,
					      .must_continue = must,
					      .base = {{base}},
					      .measured = on_measured,
					      .ctx = w};
	struct why why = {""};

	return appraise_replay(&in, ret, &why);
}

static void a_log_explains_a_base(void **state)
{
	struct appraise_replay out;
	struct world w;

	(void)state;
	begin(&w, LEDGER_BASE_LOG);
	assert_int_equal(replay(&w, false, false, 9, &out), 0);
	assert_true(out.replays && !out.foreign && !out.continues);
	assert_int_equal(out.n_marks, 1);
	assert_int_equal(w.n_asked, 1);
	appraise_replay_done(&out);
	ledger_node_done(&w.n);
	/* What does not ask for it is not explained by it. */
	begin(&w, LEDGER_BASE_UNPROVEN);
	assert_int_equal(replay(&w, false, false, 9, &out), 0);
	assert_true(out.replays && out.foreign);
	assert_int_equal(w.n_asked, 0);
	appraise_replay_done(&out);
	ledger_node_done(&w.n);
}

/* The agent says that a log explains it. That is not taken over: no log, another, one that is of something else. */
static void the_agents_word_explains_nothing(void **state)
{
	struct appraise_replay out;
	struct world w;

	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&w, LEDGER_BASE_LOG);
		if (i == 0)
			w.fail = -ENOENT;
		if (i == 1)
			w.log[0] = 0;
		if (i == 2)
			*strstr(w.log, "0123") = '9';
		assert_int_equal(replay(&w, false, false, 9, &out), 0);
		assert_true(out.replays && out.foreign);
		appraise_replay_done(&out);
		ledger_node_done(&w.n);
	}
	begin(&w, LEDGER_BASE_LOG);
	w.fail = -EIO;
	assert_int_equal(replay(&w, false, false, 9, &out), -EIO);
	ledger_node_done(&w.n);
}

/* Within one boot it starts nothing anew: root would cut what was extended before. */
static void nothing_begins_anew_within_a_boot(void **state)
{
	struct appraise_replay out;
	struct world w;

	(void)state;
	begin(&w, LEDGER_BASE_LOG);
	assert_int_equal(replay(&w, true, true, 9, &out), 0);
	assert_false(out.replays);
	appraise_replay_done(&out);
	/* The first evidence after an enrolment has the counts of it, and nothing was quoted before. */
	assert_int_equal(replay(&w, true, true, 0, &out), 0);
	assert_true(out.replays && !out.foreign);
	appraise_replay_done(&out);
	ledger_node_done(&w.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_explains_a_base),
		cmocka_unit_test(the_agents_word_explains_nothing),
		cmocka_unit_test(nothing_begins_anew_within_a_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
