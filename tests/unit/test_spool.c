/* SPDX-License-Identifier: Apache-2.0 */
/* The bound on what the verifier has not got: drift is written all the same, the rest is counted, told, and told again when there is room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "agent_fixture.h"
#include "spool.h"

#define KNOWN "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_counts(void **state)
{
	struct spool s = {.max = 1000};

	(void)state;
	assert_true(spool_takes(&s, false, 1));
	spool_written(&s, 1000);
	assert_true(spool_takes(&s, false, 1));
	spool_written(&s, 1);
	assert_false(spool_takes(&s, false, 1));
	assert_true(spool_takes(&s, true, 1));
	assert_int_equal(s.dropped, 1);
	assert_true(s.forgot);
	/* Half of ten lines, then all; never below nothing, whatever the verifier says. */
	spool_sent(&s, 5, 10);
	assert_int_equal(s.unsent, 501);
	assert_true(spool_takes(&s, false, 1));
	spool_sent(&s, 4, 10);
	assert_int_equal(s.unsent, 501);
	spool_sent(&s, 10, 10);
	assert_int_equal(s.unsent, 0);
	spool_written(&s, 10);
	spool_sent(&s, UINT64_MAX, 11);
	assert_int_equal(s.unsent, 0);
	spool_written(&s, 10);
	spool_sent(&s, 12, 13);
	assert_true(s.unsent <= 10);
	s = (struct spool){.max = 0};
	spool_written(&s, UINT64_MAX / 2);
	assert_true(spool_takes(&s, false, 1));
	/* A line that is bad in itself is not asked for again. */
	spool_refused(&s, -EINVAL);
	spool_refused(&s, -EMSGSIZE);
	assert_false(s.forgot);
	spool_refused(&s, -ENOBUFS);
	assert_true(s.forgot);
	assert_int_equal(s.dropped, 3);
}

/* Who was quiet when another filled the spool may still write, up to his share; nobody may for ever. */
static void test_shares(void **state)
{
	struct spool s = {.max = 1 << 20};
	uint64_t written = 0;

	(void)state;
	for (int i = 0; spool_takes(&s, false, 7); i++) {
		spool_written(&s, 1000);
		assert_true(i < 2000);
	}
	assert_true(s.unsent >= s.max);
	assert_true(spool_takes(&s, false, 8));
	spool_written(&s, 1000);
	assert_false(spool_takes(&s, false, 7));
	for (uint64_t unit = 0; unit < 1000; unit++)
		for (int i = 0; i < 100 && spool_takes(&s, false, unit); i++) {
			spool_written(&s, 1000);
			written += 1000;
		}
	assert_true(written <= s.max / SPOOL_RESERVE + 1000 * SPOOL_SHARES);
	assert_false(spool_takes(&s, false, 8));
	spool_sent(&s, 99, 100); /* room again, and all shares with it */
	assert_true(spool_takes(&s, false, 7));
	assert_int_equal(s.shares[8], 0);
}

static bool has_again(void *ctx)
{
	return ((struct agent_fixture *)ctx)->n_again > 0;
}

static void claim(struct agent_fixture *f, unsigned int i)
{
	char key[64];

	snprintf(key, sizeof(key), "boot:claim%u", i);
	agent_fixture_measure(f, PLUMB_TYPE_CLAIM, key, "some value of a claim");
}

static uint32_t count(struct agent_fixture *f, const char *one, const char *two)
{
	assert_int_equal(ledger_sync(ledger_writer_ledger(f->writer)), 0);
	return agent_fixture_count(f, one, two);
}

/* A drift that was written meanwhile told how many were lost: what they were is asked for all the same when there is room. */
static void test_told_before(void **state)
{
	struct agent_fixture f;

	(void)state;
	agent_fixture_init(&f);
	f.max_unsent = 8000;
	agent_fixture_start(&f);
	for (unsigned int i = 0; i < 200; i++)
		claim(&f, i);
	agent_fixture_drift(&f, "/tmp/drift");
	assert_int_equal(count(&f, "\"type\":\"lost\"", "\"of\":\"ledger\",\"n\":1"), 1);
	assert_int_equal(f.n_again, 0);
	ledger_writer_sent(f.writer, ledger_writer_size(f.writer));
	agent_fixture_until(&f, has_again, &f, "asked for again");
	assert_int_equal(count(&f, "\"type\":\"lost\"", ""), 1);
	/* Once. */
	claim(&f, 1000);
	ledger_writer_sent(f.writer, ledger_writer_size(f.writer));
	event_base_loop(f.base, EVLOOP_NONBLOCK);
	assert_int_equal(f.n_again, 1);
	agent_fixture_done(&f);
}

static void test_writer(void **state)
{
	struct agent_fixture f;

	(void)state;
	agent_fixture_init(&f);
	f.max_unsent = 8000;
	agent_fixture_start(&f);
	for (unsigned int i = 0; i < 200; i++)
		claim(&f, i);
	assert_true(count(&f, "\"type\":\"claim\"", "") < 60);
	assert_int_equal(count(&f, "\"type\":\"lost\"", ""), 0);
	/* Known and allowed: not written, and not taken for written. */
	agent_fixture_measure(&f, PLUMB_TYPE_EXEC, "exec:/usr/bin/true", KNOWN);
	agent_fixture_drift(&f, "/tmp/drift");
	assert_int_equal(count(&f, "exec:/tmp/drift", "drift"), 1);
	assert_int_equal(count(&f, "\"type\":\"lost\"", "\"of\":\"ledger\",\"n\":1"), 1);
	assert_int_equal(f.n_again, 0);
	claim(&f, 999);
	assert_int_equal(count(&f, "boot:claim999", ""), 0);
	/* It was sent: what was not written is told at once, and asked for again. */
	ledger_writer_sent(f.writer, ledger_writer_size(f.writer));
	assert_int_equal(count(&f, "\"type\":\"lost\"", "\"of\":\"ledger\",\"n\":1,"), 1);
	agent_fixture_until(&f, has_again, &f, "asked for again");
	claim(&f, 999);
	assert_int_equal(count(&f, "boot:claim999", ""), 1);
	agent_fixture_measure(&f, PLUMB_TYPE_EXEC, "exec:/usr/bin/true", KNOWN);
	agent_fixture_measure(&f, PLUMB_TYPE_EXEC, "exec:/usr/bin/true", KNOWN);
	assert_int_equal(count(&f, "exec:/usr/bin/true", ""), 1);
	agent_fixture_done(&f);
}

/* What the ledger did not take was not seen: twice refused is twice counted. */
static void test_refused(void **state)
{
	struct agent_fixture f;
	char *key = malloc(70001);

	(void)state;
	memset(key, 'x', 70000);
	key[70000] = 0;
	memcpy(key, "exec:/", 6);
	agent_fixture_init(&f);
	agent_fixture_start(&f);
	agent_fixture_measure(&f, PLUMB_TYPE_EXEC, key, KNOWN);
	agent_fixture_measure(&f, PLUMB_TYPE_EXEC, key, KNOWN);
	claim(&f, 1);
	assert_int_equal(count(&f, "\"type\":\"lost\"", "\"of\":\"ledger\",\"n\":1,"), 2);
	/* Bad in itself: it is not asked for again, when the loop comes to that. */
	event_base_loop(f.base, EVLOOP_NONBLOCK);
	assert_int_equal(f.n_again, 0);
	agent_fixture_done(&f);
	free(key);
}

/* The bound is of what lies on the disk, not of what one run wrote. */
static void test_restart(void **state)
{
	struct agent_fixture f;

	(void)state;
	agent_fixture_init(&f);
	agent_fixture_start(&f);
	for (unsigned int i = 0; i < 200; i++)
		claim(&f, i);
	agent_fixture_stop(&f);
	f.max_unsent = 8000;
	agent_fixture_start(&f);
	claim(&f, 500); /* its share of a small spool */
	claim(&f, 1000);
	assert_int_equal(count(&f, "boot:claim1000", ""), 0);
	/* What came before the last quote was sent. */
	assert_int_equal(ledger_writer_record(f.writer, PLUMB_TYPE_QUOTE, "tpm", "\"size\":1"), 0);
	agent_fixture_stop(&f);
	agent_fixture_start(&f);
	claim(&f, 1001);
	assert_int_equal(count(&f, "boot:claim1001", ""), 1);
	agent_fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	cmocka_unit_test(test_shares),
		cmocka_unit_test(test_writer),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_restart), cmocka_unit_test(test_told_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
