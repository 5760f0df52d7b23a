/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan may settle, over real evidence: what happened, and not what still is, nor what was found since it was looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "bootlog_reading.h"
#include "fsio.h"
#include "remedy_fixture.h"

#define RULE REMEDY_FIXTURE_RULE
#define EXEC REMEDY_FIXTURE_EXEC
#define PLAN REMEDY_FIXTURE_PLAN
#define BOOT_LOG "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"

/* What holds it happens again while it is looked at: no release by itself, however good what comes after it is. */
static void test_attest_finds_it_again(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	node_fixture_exec(&p->n, "/usr/bin/new");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_STUCK);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_STUCK);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	/* Once more, by a person: what it said of the first order is nothing to the second. */
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_evidence(p);
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
}

/* A state that is still bad is not settled by a plan. */
static void test_attest_is_not_blind(void **state)
{
	struct remedy_fixture *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       RULE("{\"key\":{\"prefix\":\"file:\"}}",
				    PLAN("\"files\"", "\"files\",\"attest\",\"release\"")));
	node_fixture_file(&p->n, "/etc/a", "reg two");
	remedy_fixture_pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	remedy_fixture_let(p);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_FILES, REMEDY_RUNS);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_FILES, REMEDY_RUNS);
	assert_int_equal(remedy_fixture_says(p, "attest", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
}

/* Registers that a boot log does not come to, which is told once: until another boot comes to them, nothing frees the node by itself. */
static void boot_badly(struct remedy_fixture *p, const struct buf *log, const char *rule)
{
	fake_tpm_pcrs(p->n.tpm)->values[4].bytes[0] ^= 1;
	p->n.boot_log = (struct buf_view){log->data, log->size};
	remedy_fixture_quarantine(p, rule);
	assert_true(node_fixture_is_open(&p->n, "finding:boot_mismatch"));
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
}

static void measure(struct remedy_fixture *p, const struct buf *log)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};

	assert_int_equal(bootlog_reading_open(log->data, log->size, &g, &why), 0);
	for (size_t i = 0; i < 15; i++)
		memcpy(fake_tpm_pcrs(p->n.tpm)->values[i].bytes, bootlog_reading_pcrs(g)->values[i],
		       DIGEST_SIZE);
	bootlog_reading_free(g);
}

static void test_boot_still_bad(void **state)
{
	struct remedy_fixture *p = *state;
	struct buf log = {0};

	assert_int_equal(fsio_read_file(fsio_system(), BOOT_LOG, 1 << 20, &log), 0);
	measure(p, &log);
	boot_badly(p, &log,
		   RULE("{\"finding\":\"boot_mismatch\"}", PLAN("", "\"attest\",\"release\"")));
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	/* Nor when the log is sent no more. */
	p->n.boot_log = (struct buf_view){NULL, 0};
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	p->n.boot_log = (struct buf_view){log.data, log.size};
	measure(p, &log);
	remedy_fixture_evidence(p);
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
	assert_false(node_fixture_is_open(&p->n, "finding:boot_mismatch"));
	buf_done(&log);
}

/* A person may free it all the same, and knows what he frees. */
static void test_person_frees_what_is_bad(void **state)
{
	struct remedy_fixture *p = *state;
	struct buf log = {0};

	assert_int_equal(fsio_read_file(fsio_system(), BOOT_LOG, 1 << 20, &log), 0);
	measure(p, &log);
	boot_badly(p, &log,
		   RULE("{\"finding\":\"boot_mismatch\"}", PLAN("", "\"attest\",\"release\"")));
	assert_int_equal(remedy_fixture_says(p, "skip", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_RELEASE, REMEDY_WAITS);
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_APPROVER), 0);
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
	remedy_fixture_evidence(p);
	assert_false(node_fixture_is_open(&p->n, "finding:boot_mismatch"));
	buf_done(&log);
}

/* Attested, and held back by the brakes: what is found before they open stops it. */
static void test_found_before_the_release(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_pause(p, "{}");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_RELEASE, REMEDY_WAITS);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_RELEASE, REMEDY_WAITS);
	node_fixture_exec(&p->n, "/usr/bin/new");
	remedy_fixture_evidence(p);
	remedy_fixture_pause(p, "");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_RELEASE, REMEDY_STUCK);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	assert_int_equal(remedy_fixture_says(p, "attest", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
}

/* A scan that it has only begun, and a later order that was done, say nothing of it. */
static void test_scan_only_begun(void **state)
{
	struct remedy_fixture *p = *state;
	char begun[96];

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	snprintf(begun, sizeof(begun), "\"number\":%llu,\"result\":\"begun\"",
		 (unsigned long long)remedy_fixture_last_order(p));
	node_fixture_record(&p->n, "order", begun);
	node_fixture_record(&p->n, "order", "\"number\":99,\"result\":\"done\"");
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
}

/* A clock that goes back while it is looked at, and one that was set back while nobody was there: neither finds again what was found, or hides it. */
static void clock_goes_back(struct remedy_fixture *p, bool start)
{
	if (!start) {
		verifier_fixture_jump(&p->v, -3600);
		remedy_fixture_pass(p, 1000);
		return;
	}
	remedy_desk_free(p->remedy);
	contain_free(p->contain);
	verifier_fixture_stop(&p->v);
	verifier_fixture_jump(&p->v, -3600);
	verifier_fixture_start(&p->v);
	remedy_fixture_open_desk(p);
	remedy_fixture_tick(p);
}

static void attest_over_jump(struct remedy_fixture *p, bool start, bool again)
{
	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	remedy_fixture_evidence(p);
	clock_goes_back(p, start);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	if (again)
		node_fixture_exec(&p->n, "/usr/bin/new");
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	clock_goes_back(p, start);
	if (again) {
		remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_STUCK);
		return;
	}
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_evidence(p);
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
}

static void test_jump(void **state)
{
	attest_over_jump(*state, false, false);
}

static void test_jump_and_again(void **state)
{
	attest_over_jump(*state, false, true);
}

static void test_start_behind(void **state)
{
	attest_over_jump(*state, true, false);
}

static void test_start_behind_and_again(void **state)
{
	attest_over_jump(*state, true, true);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, remedy_fixture_open, remedy_fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_attest_finds_it_again),
		TEST(test_attest_is_not_blind),
		TEST(test_boot_still_bad),
		TEST(test_person_frees_what_is_bad),
		TEST(test_found_before_the_release),
		TEST(test_scan_only_begun),
		TEST(test_jump),
		TEST(test_jump_and_again),
		TEST(test_start_behind),
		TEST(test_start_behind_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
