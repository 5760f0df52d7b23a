/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_self_quote.c: quotes of a node's own while the machine is suspended around an extend. Whatever became of the extend, the ledger that comes of it
 * holds against the node's own record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "agent_fixture.h"
#include "ledger_check.h"
#include "self_quote.h"

/* What happens to the next extend; used up on the TPM's thread, looked at when that is idle. */
static struct {
	const struct tpm_ops *inner;
	struct fake_tpm *tpm;
	enum { AS_EVER, NOT_DONE, UNANSWERED } next;
} chip;

static int extend(void *ctx, uint32_t index, const struct digest *digest)
{
	int what = chip.next, r = 0;

	chip.next = AS_EVER;
	if (what != NOT_DONE)
		r = chip.inner->pcr_extend(ctx, index, digest);
	if (what == AS_EVER)
		return r;
	fake_tpm_clock(chip.tpm)->restart_count++;
	return -EIO;
}

struct bench {
	struct agent_fixture f;
	struct self_quote *quote;
	struct tpm_ops ops;
	unsigned int n;
};

static void on_anchored(void *ctx)
{
	struct bench *b = ctx;

	if (b->quote)
		self_quote_anchored(b->quote);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct self_quote_options o = {.interval_ms = 0};
	struct tpm *door;

	assert_non_null(b);
	agent_fixture_init(&b->f);
	door = fake_tpm_door(b->f.tpm);
	chip.inner = door->ops;
	chip.tpm = b->f.tpm;
	chip.next = AS_EVER;
	b->ops = *door->ops;
	b->ops.pcr_extend = extend;
	door->ops = &b->ops;
	b->f.anchored = on_anchored;
	b->f.ctx = b;
	agent_fixture_start(&b->f);
	o.queue = b->f.queue;
	o.writer = b->f.writer;
	o.identity = &b->f.identity;
	assert_int_equal(self_quote_open(b->f.base, &o, &b->quote), 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	b->f.queue = tpm_queue_free(b->f.queue);
	b->quote = self_quote_free(b->quote);
	agent_fixture_done(&b->f);
	free(b);
	return 0;
}

static bool is_quiet(void *ctx)
{
	struct bench *b = ctx;

	return self_quote_is_idle(b->quote) && commit_is_idle(ledger_writer_commit(b->f.writer));
}

/* It has something to extend first. */
static void quote(struct bench *b)
{
	agent_fixture_measure(&b->f, PLUMB_TYPE_CLAIM, "boot:cmdline", b->n++ % 2 ? "on" : "off");
	self_quote_now(b->quote);
	agent_fixture_until(&b->f, is_quiet, b, "quoted");
}

static void check(struct bench *b, uint64_t n_quotes, uint64_t n_epochs)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct why why = {""};

	assert_non_null(report);
	assert_int_equal(ledger_check(fsio_system(), b->f.ledger, NULL, report, &why), 0);
	for (uint32_t i = 0; i < report->n_problems; i++)
		print_message("# %s\n", report->problems[i].text);
	assert_int_equal(ledger_check_result(report), LEDGER_CHECK_GOOD);
	assert_int_equal(report->n_quotes, n_quotes);
	assert_int_equal(report->n_epochs, n_epochs);
	assert_int_equal(report->n_foreign, 0);
	free(report);
}

/* The extend record is of the epoch before, the register moved in the next one. */
static void test_suspend_before_an_extend(void **state)
{
	struct bench *b = *state;

	quote(b);
	chip.next = NOT_DONE;
	quote(b);
	assert_int_equal(chip.next, AS_EVER);
	check(b, 2, 2);
	quote(b);
	check(b, 3, 2);
}

/* The register moved before the suspend, and is quoted after it. */
static void test_suspend_after_an_extend(void **state)
{
	struct bench *b = *state;

	quote(b);
	chip.next = UNANSWERED;
	quote(b);
	assert_int_equal(chip.next, AS_EVER);
	check(b, 2, 2);
	quote(b);
	check(b, 3, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_suspend_before_an_extend),
		T(test_suspend_after_an_extend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
