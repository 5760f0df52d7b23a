/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ledger_suspend.c: an extend and its quote with other counts between them, as a suspend, a reboot or a crash leaves the anchors: what the register
 * held under the counts of the quote is good, all else is not. Run as "test_ledger_suspend make DIR STEPS" it writes such a directory, with list it
 * tells the stories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_check.h"
#include "ledger_fixture.h"
#include "scratch.h"

/* A letter a step: see step(). */
static const struct {
	const char *steps;
	bool good;
} stories[] = {
	{"bdq", true}, /* nothing happens */
	{"bsdq", true}, /* the extend failed, and was made again after a suspend */
	{"bdsq", true}, /* its answer was lost, and the suspend is found with it */
	{"bdqsq", true}, /* quoted before and after */
	{"bssdssqsq", true}, /* more than one */
	{"brdq", true}, /* a crash behind the epoch of a reboot: the next start extends it first */
	{"bdSq", false}, /* nobody looked: the quote has counts that no epoch has */
	{"bsdSq", false},
	{"bdosq", false}, /* the epoch goes on from what came since, not from what is quoted */
	{"bdfsq", false},
	{"bdrq", false}, /* the register began anew */
};

struct story {
	struct ledger_fixture f;
	struct checkpoint head;
};

static void anchor(struct story *s, const struct ledger_anchor *a)
{
	assert_true(ledger_anchor(s->f.ledger, a) >= 0);
}

static void begin(struct story *s)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};

	assert_true(ledger_sync(s->f.ledger) >= 0);
	assert_true(ledger_head(s->f.ledger, &s->head) >= 0);
	a.extend.size = s->head.size;
	a.extend.root = s->head.root;
	anchor(s, &a);
}

static void finish(struct story *s, struct digest *pcr)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_DONE};
	struct digest d;

	assert_true(checkpoint_digest(&s->head, &d) >= 0);
	assert_true(checkpoint_fold(pcr, &d) >= 0);
	a.done.pcr = *pcr;
	anchor(s, &a);
}

static void epoch(struct story *s, enum ledger_base base, const struct digest *found)
{
	const struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH,
					.epoch = {.reset_count = s->f.reset_count,
						  .restart_count = s->f.restart_count,
						  .pcr_index = 15,
						  .base = base,
						  .found = *found}};

	anchor(s, &a);
}

static void step(struct story *s, char what, struct digest *is)
{
	struct ledger_anchor foreign = {.kind = LEDGER_ANCHOR_FOREIGN, .foreign.expected = *is};

	switch (what) {
	case 'b': /* the extend record */
		begin(s);
		break;
	case 'd': /* extended, with its record */
		finish(s, is);
		s->f.pcr = *is;
		break;
	case 'o': /* the same head once more; quotes are of what was there before */
		begin(s);
		finish(s, is);
		break;
	case 'f': /* somebody else extends */
		memset(is, 0xee, sizeof(*is));
		foreign.foreign.found = *is;
		anchor(s, &foreign);
		break;
	case 's': /* a suspend, and its epoch */
		s->f.restart_count++;
		epoch(s, LEDGER_BASE_CONTINUES, is);
		break;
	case 'S': /* a suspend that no epoch tells of */
		s->f.restart_count++;
		break;
	case 'r':
		s->f.reset_count++;
		memset(is, 0, sizeof(*is));
		epoch(s, LEDGER_BASE_ZERO, is);
		break;
	case 'q':
		assert_true(ledger_fixture_attest(&s->f, &s->head) >= 0);
		break;
	default:
		fail();
	}
}

static void make(const char *dir, const char *steps)
{
	struct digest is = {{0}};
	struct story s;

	ledger_fixture_open(&s.f, NULL, dir, 0);
	for (; *steps; steps++)
		step(&s, *steps, &is);
	assert_true(ledger_sync(s.f.ledger) >= 0);
	assert_true(ledger_fixture_notes(&s.f) >= 0);
	ledger_fixture_done(&s.f);
}

static void test_stories(void **state)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));

	(void)state;
	assert_non_null(report);
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		char dir[SCRATCH_SIZE];
		struct why why = {""};

		scratch_open(dir, "suspend");
		make(dir, stories[i].steps);
		assert_int_equal(ledger_check(fsio_system(), dir, NULL, report, &why), 0);
		if (ledger_check_result(report) !=
		    (stories[i].good ? LEDGER_CHECK_GOOD : LEDGER_CHECK_BAD))
			fail_msg("%s: %s: %s", stories[i].steps,
				 ledger_check_result_name(ledger_check_result(report)),
				 report->problems[0].text);
		if (!stories[i].good)
			assert_non_null(
				strstr(report->problems[0].text, "the anchors do not replay to"));
		scratch_done(dir);
	}
	free(report);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories)};

	/* Tells the stories, and what a checker must say of each. */
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
			printf("%s %s\n", stories[i].steps, stories[i].good ? "good" : "bad");
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "make") == 0) {
		make(argv[2], argv[3]);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
