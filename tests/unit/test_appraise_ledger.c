/* SPDX-License-Identifier: Apache-2.0 */
/* The witness's check, against the traces by which the model checker broke wrong readings of the design, by their names; and broken twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "appraise_ledger.h"
#include "ledger_node.h"

#define UNANCHORED (1u << PLUMB_FINDING_UNANCHORED)
#define FOREIGN (1u << PLUMB_FINDING_FOREIGN)
#define FORK (1u << PLUMB_FINDING_FORK)
#define SIGNED true
#define UNSIGNED false

struct world {
	struct ledger_node n;
	struct store_node row;
	char stored[LEDGER_NODE_MAX][64];
	uint64_t n_stored;
	struct appraise_ledger out;
	struct why why;
	int fail; /* what reading lines comes to */
	uint64_t lowest; /* line that was asked for */
	int64_t from; /* of the next evidence; -1: what the verifier has not */
	struct buf *spoilt; /* anchors to send in place of the node's */
	bool bad_origin, bad_root, bad_pcr_index;
	int64_t bad_line; /* in the text that is sent, and not in the tree; -1: none */
};

static int stored_lines(void *ctx, uint64_t from, uint64_t to, appraise_ledger_line_fn fn,
			void *fn_ctx)
{
	struct world *w = ctx;
	int r = w->fail;

	if (from < w->lowest)
		w->lowest = from;
	for (uint64_t i = from; i < to && r == 0; i++) {
		assert_true(i < w->n_stored);
		r = fn(fn_ctx, i, w->stored[i], strlen(w->stored[i]));
	}
	return r;
}

static void spoil(struct world *w, struct evidence *e)
{
	if (w->bad_origin)
		snprintf(e->checkpoint.origin, sizeof(e->checkpoint.origin), "other/node/aa/1");
	if (w->bad_root)
		e->checkpoint.root.bytes[5] ^= 1;
	if (w->bad_pcr_index)
		e->pcr_index = 14;
	if (w->bad_line >= 0) {
		uint8_t *at = (uint8_t *)e->lines.data;

		for (int64_t i = (int64_t)e->from; i < w->bad_line; i++)
			at = (uint8_t *)strchr((char *)at, '\n') + 1;
		*at ^= 1;
	}
	if (w->spoilt) {
		buf_clear(&e->anchors);
		buf_put(&e->anchors, w->spoilt->data, w->spoilt->size);
	}
}

/* Sends what the node has now; commits what became of it. */
static int take(struct world *w, bool provisional, bool is_signed)
{
	struct buf text = {0};
	struct quote_info q;
	struct evidence e;
	struct appraise_ledger_in in = {
		.evidence = &e,
		.quote = provisional ? NULL : &q,
		.event_signed = is_signed,
		.origin = LEDGER_NODE_ORIGIN,
		.now_ns = 1000 + w->n.clock_ms,
		.lines = stored_lines,
		.ctx = w,
	};
	struct store_node before = w->row;
	uint64_t from = w->row.frontier.size < w->n.n_lines ? w->row.frontier.size : w->n.n_lines;
	int r;

	if (w->from >= 0)
		from = (uint64_t)w->from;
	ledger_node_evidence(&w->n, from, provisional, &e, &q, &text);
	spoil(w, &e);
	w->lowest = UINT64_MAX;
	memset(&w->out, 0, sizeof(w->out));
	r = appraise_ledger(&in, &w->row, &w->out, &w->why);
	/* Confirmed lines are read only where the evidence has them again. */
	assert_true(w->lowest >= before.base_size || w->lowest >= from);
	if (r < 0 || w->out.result == PLUMB_RESULT_SEND_AGAIN ||
	    w->out.result == PLUMB_RESULT_REFUSED ||
	    (w->out.result == PLUMB_RESULT_STORED && !w->out.binding))
		assert_memory_equal(&before, &w->row, sizeof(before));
	if (r >= 0 && w->out.result != PLUMB_RESULT_ACCEPTED &&
	    w->out.result != PLUMB_RESULT_STORED)
		assert_true(w->why.text[0] != 0);
	for (uint64_t i = w->out.new_from; r >= 0 && i < w->out.new_to; i++) {
		assert_int_equal(i, w->n_stored);
		snprintf(w->stored[w->n_stored++], 64, "%s", w->n.lines[i]);
	}
	evidence_done(&e);
	buf_done(&text);
	return r < 0 ? r : (int)w->out.result;
}

#define ACCEPTED(w, wanted)                                                      \
	do {                                                                     \
		assert_int_equal(take(w, false, SIGNED), PLUMB_RESULT_ACCEPTED); \
		assert_int_equal((w)->out.findings, wanted);                     \
		assert_int_equal((w)->row.findings, wanted);                     \
		assert_int_equal((w)->row.head_size, (w)->n.n_lines);            \
		assert_int_equal((w)->n_stored, (w)->n.n_lines);                 \
		assert_string_equal((w)->why.text, "");                          \
	} while (0)
#define GIVES(w, wanted) assert_int_equal(take(w, false, SIGNED), PLUMB_RESULT_##wanted)
#define PROVISIONAL(w, is_signed, wanted) \
	assert_int_equal(take(w, true, is_signed), PLUMB_RESULT_##wanted)

/* An enrolled node with three lines; its first evidence was accepted. */
static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->from = w->bad_line = -1;
	w->n.reset = w->row.base_reset = 7;
	snprintf(w->row.id, sizeof(w->row.id), "aa");
	merkle_init(&w->row.frontier);
	merkle_init(&w->row.base_frontier);
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	for (int i = 0; i < 3; i++)
		ledger_node_add(&w->n, "N");
	ledger_node_extend_head(&w->n);
	ACCEPTED(w, 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ledger_node_done(&w->n);
	free(w);
	return 0;
}

static void add(struct world *w, const char *line)
{
	ledger_node_add(&w->n, line);
	ledger_node_extend_head(&w->n);
}

static void reboot(struct world *w)
{
	w->n.reset++;
	w->n.restart = 0;
	ledger_node_zero(&w->n);
}

static void test_honest(void **state)
{
	struct world *w = *state;

	assert_true(w->row.has_base);
	assert_int_equal(w->row.base_size, 3);
	for (int i = 0; i < 5; i++) {
		add(w, "N");
		add(w, "D");
		ACCEPTED(w, 0);
	}
	/* The records may also begin behind the base, and lines before the head. */
	buf_clear(&w->n.anchors);
	add(w, "N");
	w->from = 2;
	ACCEPTED(w, 0);
	assert_memory_equal(&w->row.base_pcr, &w->n.pcr, 32);
}

static void test_provisional_confirmed(void **state)
{
	struct world *w = *state;

	add(w, "D");
	PROVISIONAL(w, SIGNED, STORED);
	assert_true(w->out.binding);
	assert_int_equal(w->row.prov_size, 4);
	assert_int_equal(w->row.head_size, 3);
	assert_int_equal(w->n_stored, 4);
	PROVISIONAL(w, SIGNED, STORED); /* sent again: its answer was lost */
	add(w, "D");
	PROVISIONAL(w, SIGNED, STORED);
	/* The time runs from the first. */
	assert_int_equal(w->row.prov_since_ns, 1002);
	ACCEPTED(w, 0);
	assert_int_equal(w->row.prov_size, 0);
	assert_int_equal(w->row.prov_since_ns, 0);
	PROVISIONAL(w, SIGNED, SEND_AGAIN);
}

/* D extended, not sent; reset; root cuts the ledger to the cosigned size and writes the boot line there. */
static void test_COUNT_LINES(void **state)
{
	struct world *w = *state;

	add(w, "D");
	reboot(w);
	w->n.n_lines = 3;
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	add(w, "boot");
	ACCEPTED(w, UNANCHORED);
	assert_int_equal(w->out.interval_from, 3);
	assert_int_equal(w->out.interval_to, 4);
	assert_false(w->out.announced);
	/* Also with no line in it at all. */
	add(w, "D");
	reboot(w);
	w->n.n_lines = 4;
	buf_clear(&w->n.anchors);
	ledger_node_extend_head(&w->n);
	ACCEPTED(w, UNANCHORED);
	assert_int_equal(w->out.interval_from, 4);
	assert_int_equal(w->out.interval_to, 4);
	add(w, "N");
	ACCEPTED(w, 0);
}

/* The last evidence announced the shutdown; then D extended; reset; root cuts D. */
static void test_CLEAN_EXEMPT(void **state)
{
	struct world *w = *state;

	w->row.leaving_until_ns = 99;
	add(w, "D");
	reboot(w);
	w->n.n_lines = 3;
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	add(w, "boot");
	ACCEPTED(w, UNANCHORED);
	assert_true(w->out.announced);
}

/* Shutdown(STATE) + Startup(CLEAR) zeroes the register with the reset count kept; root extends the old digests again. */
static void test_RESUME_OK(void **state)
{
	struct world *w = *state;
	struct checkpoint old = ledger_node_head(&w->n, 3);

	add(w, "D");
	ledger_node_zero(&w->n);
	w->n.restart++;
	w->n.n_lines = 3;
	buf_clear(&w->n.anchors);
	ledger_node_extend(&w->n, &old, true);
	assert_memory_equal(&w->n.pcr, &w->row.base_pcr, 32);
	add(w, "X");
	ACCEPTED(w, UNANCHORED);
	/* A true suspend cannot be told from it. */
	w->n.restart++;
	ledger_node_epoch(&w->n, LEDGER_BASE_CONTINUES);
	add(w, "N");
	ACCEPTED(w, UNANCHORED);
}

/* Root kills, cuts D, writes `foreign` with the present value, extends his own head. */
static void test_FOREIGN_OK(void **state)
{
	static const enum ledger_base bases[] = {LEDGER_BASE_UNPROVEN, LEDGER_BASE_LOG};
	struct world *w = *state;

	add(w, "D");
	w->n.n_lines = 3;
	buf_clear(&w->n.anchors);
	ledger_node_foreign(&w->n);
	GIVES(w, REFUSED); /* n > f: nothing of his own after it */
	add(w, "X");
	ACCEPTED(w, FOREIGN);
	assert_int_equal(w->out.interval_from, 3);
	/* The same with an epoch record; no log is replayed here, so it proves nothing. */
	for (int i = 0; i < 2; i++) {
		add(w, "D");
		w->n.n_lines--;
		buf_clear(&w->n.anchors);
		ledger_node_epoch(&w->n, bases[i]);
		add(w, "X");
		ACCEPTED(w, FOREIGN);
	}
	add(w, "N");
	ACCEPTED(w, 0);
}

/* Root keeps D's extend record, replaces D's line, extends a longer head. */
static void test_LAST_ONLY(void **state)
{
	struct world *w = *state;

	add(w, "D");
	snprintf(w->n.lines[3], 64, "X");
	add(w, "X");
	GIVES(w, REFUSED);
	assert_non_null(strstr(w->why.text, "checkpoint 4"));
	/* Without its record the value does not replay; nor does an epoch record help while the counts are the same. */
	buf_clear(&w->n.anchors);
	add(w, "X");
	GIVES(w, REFUSED);
	ledger_node_epoch(&w->n, LEDGER_BASE_CONTINUES);
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	add(w, "X");
	GIVES(w, REFUSED);
	assert_non_null(strstr(w->why.text, "replay"));
}

/* Nor can a ledger be swapped for one whose register was extended from zero in a boot with other counts. */
static void test_dropped_extend_of_this_boot(void **state)
{
	struct world *w = *state;

	reboot(w);
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	add(w, "boot");
	add(w, "D");
	w->n.n_lines = 4;
	buf_clear(&w->n.anchors);
	ledger_node_epoch(&w->n, LEDGER_BASE_ZERO);
	add(w, "X");
	GIVES(w, REFUSED);
}

/* D was stored provisionally: evidence without it, shorter or of another history. */
static void test_PROV_SHORT(void **state)
{
	struct world *w = *state;

	add(w, "N");
	add(w, "D");
	PROVISIONAL(w, SIGNED, STORED);
	w->n.n_lines = 4;
	buf_clear(&w->n.anchors);
	ledger_node_foreign(&w->n);
	ledger_node_extend_head(&w->n);
	GIVES(w, SEND_AGAIN);
	PROVISIONAL(w, SIGNED, SEND_AGAIN);
	assert_int_equal(w->row.prov_size, 5);
	add(w, "X");
	/* With the lines that lead there, and without them. */
	w->from = 3;
	GIVES(w, FORKED);
	assert_true(w->row.forked);
	assert_int_equal(w->row.findings & FORK, FORK);
	w->row.forked = false;
	w->row.findings = 0;
	w->from = -1;
	GIVES(w, FORKED);
	w->row.forked = false;
	w->row.findings = 0;
	/* Shorter, and of another history as well. */
	w->n.n_lines = 3;
	buf_clear(&w->n.anchors);
	ledger_node_foreign(&w->n);
	add(w, "X");
	w->from = 3;
	GIVES(w, FORKED);
	w->row.forked = false;
	PROVISIONAL(w, SIGNED, FORKED);
}

/* The witness accepts the same size with the same root: a lost answer. */
static void test_STRICT(void **state)
{
	struct world *w = *state;

	ACCEPTED(w, 0);
	assert_int_equal(w->out.new_from, w->out.new_to);
	buf_clear(&w->n.anchors);
	ACCEPTED(w, 0);
	PROVISIONAL(w, SIGNED, SEND_AGAIN);
}

/* A foreign extend beside a pending one: the agent extends the head again after it. */
static void test_PEND_DONE(void **state)
{
	struct world *w = *state;
	struct ledger_anchor pending = {.kind = LEDGER_ANCHOR_EXTEND};
	struct checkpoint head;

	ledger_node_add(&w->n, "N");
	head = ledger_node_head(&w->n, 4);
	pending.extend.size = head.size;
	pending.extend.root = head.root;
	ledger_node_record(&w->n, &pending);
	ledger_node_junk(&w->n);
	GIVES(w, REFUSED);
	ledger_node_foreign(&w->n);
	GIVES(w, REFUSED);
	ledger_node_extend_head(&w->n);
	ACCEPTED(w, FOREIGN);
	add(w, "N");
	ACCEPTED(w, 0);
}

/* Recovery that cuts a batch whose provisional was stored is a fork, and looks like one. */
static void test_PEND_DROP(void **state)
{
	struct world *w = *state;

	ledger_node_add(&w->n, "D");
	PROVISIONAL(w, SIGNED, STORED);
	w->n.n_lines = 3;
	add(w, "gap");
	GIVES(w, FORKED);
	GIVES(w, FORKED);
	PROVISIONAL(w, UNSIGNED, FORKED);
}

/* Someone with the client key and without the TPM sends false heads: the node goes on. */
static void test_THIEF(void **state)
{
	struct world *w = *state;

	ledger_node_add(&w->n, "X");
	PROVISIONAL(w, UNSIGNED, STORED);
	assert_false(w->out.binding);
	snprintf(w->n.lines[1], 64, "X");
	PROVISIONAL(w, UNSIGNED, REFUSED);
	w->from = 0;
	PROVISIONAL(w, UNSIGNED, REFUSED);
	snprintf(w->n.lines[1], 64, "N");
	w->n.n_lines = 3;
	w->from = -1;
	add(w, "N");
	ACCEPTED(w, 0);
}

/* An older quote that comes late, and counts that fell, change nothing. */
static void test_older_quotes(void **state)
{
	struct world *w = *state;

	add(w, "N");
	ACCEPTED(w, 0);
	w->n.clock_ms--;
	GIVES(w, SEND_AGAIN);
	w->n.clock_ms++;
	w->n.reset--;
	GIVES(w, SEND_AGAIN);
	w->n.reset++;
	w->n.restart = 4;
	ACCEPTED(w, UNANCHORED);
	w->n.restart = 3;
	w->n.clock_ms++;
	GIVES(w, SEND_AGAIN);
}

static void test_history_changed(void **state)
{
	struct world *w = *state;

	add(w, "N");
	ACCEPTED(w, 0);
	snprintf(w->n.lines[1], 64, "X");
	add(w, "N");
	/* The whole ledger or only what is new: the histories differ either way. */
	w->from = 0;
	GIVES(w, FORKED);
	w->row.forked = false;
	w->row.findings = 0;
	w->from = -1;
	GIVES(w, FORKED);
	w->row.forked = false;
	PROVISIONAL(w, SIGNED, FORKED);
	w->row.forked = false;
	w->n.n_lines = 2;
	buf_clear(&w->n.anchors);
	ledger_node_foreign(&w->n);
	ledger_node_extend_head(&w->n);
	GIVES(w, SEND_AGAIN);
}

static void test_missing_lines(void **state)
{
	struct world *w = *state;

	add(w, "N");
	add(w, "N");
	w->from = 4;
	GIVES(w, SEND_AGAIN);
	assert_non_null(strstr(w->why.text, "from 3 to 4"));
	w->from = -1;
	ACCEPTED(w, 0);
}

/* Whoever sends lines again that were confirmed sends those, or lies. */
static void test_confirmed_lines_again(void **state)
{
	struct world *w = *state;

	add(w, "N");
	for (int i = 0; i < 9; i++) {
		w->from = i / 3, w->bad_line = i % 3;
		if (w->bad_line < w->from)
			continue;
		GIVES(w, REFUSED);
		assert_int_equal(strtol(strstr(w->why.text, "line ") + 5, NULL, 10), w->bad_line);
		PROVISIONAL(w, SIGNED, REFUSED);
	}
	w->bad_line = -1, w->from = 1;
	ACCEPTED(w, 0);
}

static void test_broken_twins(void **state)
{
	struct world *w = *state;
	struct buf b = {0};

	add(w, "N");
	w->bad_origin = true;
	GIVES(w, REFUSED);
	w->bad_origin = false, w->bad_pcr_index = true;
	GIVES(w, REFUSED);
	w->bad_pcr_index = false, w->bad_root = true;
	GIVES(w, REFUSED);
	w->from = 0;
	GIVES(w, REFUSED);
	PROVISIONAL(w, SIGNED, REFUSED); /* what came is not what was signed */
	w->bad_root = false;
	w->from = -1;
	w->spoilt = &b;
	for (size_t cut = 0; cut < w->n.anchors.size; cut++) {
		buf_clear(&b);
		if (cut > 0)
			buf_put(&b, w->n.anchors.data, cut);
		GIVES(w, REFUSED);
	}
	for (size_t i = 0; i < w->n.anchors.size; i++) {
		buf_clear(&b);
		buf_put(&b, w->n.anchors.data, w->n.anchors.size);
		b.data[i] ^= 4;
		GIVES(w, REFUSED);
	}
	w->spoilt = NULL;
	ACCEPTED(w, 0);
	buf_done(&b);
}

/* "Could not check" changes nothing and is no result. */
static void test_could_not_check(void **state)
{
	struct world *w = *state;

	add(w, "D");
	PROVISIONAL(w, SIGNED, STORED);
	add(w, "N");
	w->fail = -EIO;
	assert_int_equal(take(w, false, SIGNED), -EIO);
	w->fail = 0;
	w->row.frontier.size++;
	assert_int_equal(take(w, false, SIGNED), -EINVAL);
	w->row.frontier.size--;
	ACCEPTED(w, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_honest),
					   TEST(test_provisional_confirmed),
					   TEST(test_COUNT_LINES),
					   TEST(test_CLEAN_EXEMPT),
					   TEST(test_RESUME_OK),
					   TEST(test_FOREIGN_OK),
					   TEST(test_LAST_ONLY),
					   TEST(test_dropped_extend_of_this_boot),
					   TEST(test_PROV_SHORT),
					   TEST(test_STRICT),
					   TEST(test_PEND_DONE),
					   TEST(test_PEND_DROP),
					   TEST(test_THIEF),
					   TEST(test_older_quotes),
					   TEST(test_history_changed),
					   TEST(test_missing_lines),
					   TEST(test_broken_twins),
					   TEST(test_could_not_check),
					   TEST(test_confirmed_lines_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
