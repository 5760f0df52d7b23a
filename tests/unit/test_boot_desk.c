/* SPDX-License-Identifier: Apache-2.0 */
/* A node with the boot log of a real machine, from its evidence to its cases: what is as expected, what is not, and every way of not telling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "boot_desk.h"
#include "boot_files.h"
#include "bootlog_reading.h"
#include "cleanup.h"
#include "fsio.h"
#include "node_fixture.h"

#define KEYLIME "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"
#define LOG_FINDING "finding:boot_log"
#define MISMATCH "finding:boot_mismatch"
#define EVENT "finding:boot_event"
#define EVENTS 128

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct buf log;
	size_t at[EVENTS]; /* of its events */
	uint32_t n_events;
};

/* The node's firmware measures what the log says. */
static void measure(struct place *p)
{
	struct quote_pcrs *pcrs = fake_tpm_pcrs(p->n.tpm);
	struct bootlog_reading *g = NULL;
	struct bootlog_event e;
	struct bootlog b;
	struct why why = {""};

	assert_int_equal(bootlog_reading_open(p->log.data, p->log.size, &g, &why), 0);
	for (size_t i = 0; i < 15; i++)
		memcpy(pcrs->values[i].bytes, bootlog_reading_pcrs(g)->values[i], DIGEST_SIZE);
	bootlog_reading_free(g);
	assert_int_equal(bootlog_open(p->log.data, p->log.size, 0, &b, &why), 0);
	while (bootlog_next(&b, &e, &why) > 0)
		p->at[e.number] = e.at;
	p->n_events = b.n - 1;
	p->at[p->n_events + 1] = p->log.size;
}

static void with_log(struct place *p)
{
	p->n.boot_log = (struct buf_view){p->log.data, p->log.size};
}

static int put_entry(void *ctx, const char *key, const char *value)
{
	buf_printf(ctx, "{\"s\":\"host\",\"k\":\"%s\",\"x\":\"%s\"}\n", key, value);
	return 0;
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A baseline that lists what this log tells, but for `without`, and `more`. */
static void expect_log(struct place *p, uint64_t version, const char *without, const char *more)
{
	CLEANUP(buf_done) struct buf lines = {0}, sorted = {0}, file = {0};
	struct bootlog_reading *g = NULL;
	struct baseline_info info;
	struct why why = {""};
	char *at[64], *save = NULL;
	size_t n = 0;

	assert_int_equal(bootlog_reading_open(p->log.data, p->log.size, &g, &why), 0);
	assert_int_equal(bootlog_reading_claims(g, put_entry, &lines), 0);
	bootlog_reading_free(g);
	for (char *l = strtok_r((char *)lines.data, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save))
		if (!without || !strstr(l, without))
			at[n++] = l;
	if (more[0])
		at[n++] = (char *)more;
	qsort(at, n, sizeof(at[0]), by_line);
	for (size_t i = 0; i < n; i++)
		buf_printf(&sorted, "%s%s", at[i], at[i] == more ? "" : "\n");
	verifier_fixture_baseline("boot", version, (char *)sorted.data, p->v.approver, &file);
	if (verifier_fixture_put_baseline(&p->v, &file, &info, &why) < 0)
		fail_msg("%s", why.text);
	node_fixture_assign(&p->n, &info);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(fsio_read_file(fsio_system(), KEYLIME, 1 << 20, &p->log), 0);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	buf_done(&p->log);
	free(p);
	return 0;
}

static void accepted(struct place *p, const char *shown)
{
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	if (strcmp(p->n.answer.state, shown) != 0) {
		struct store_node row = verifier_fixture_node(&p->v, p->n.record.node);

		fail_msg("%s, not %s: %s", p->n.answer.state, shown, row.cause);
	}
}

static bool has(struct place *p, const char *key)
{
	return node_fixture_is_open(&p->n, key);
}

static bool has_any(struct place *p)
{
	return has(p, LOG_FINDING) || has(p, MISMATCH) || has(p, EVENT);
}

static void found(struct place *p, const char *key, const char *text)
{
	struct store_case *k = node_fixture_case(&p->n, key);

	if (k->id == 0 || k->closed_ns)
		fail_msg("%s is not open", key);
	if (!strstr(k->found, text))
		fail_msg("%s: %s", key, k->found);
}

/* As the registers are, and as the baseline says: nothing is to be told. */
static void a_good_boot_is_good(void **state)
{
	struct place *p = *state;
	struct digest held, is;
	struct store_node row;

	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	assert_false(has_any(p));
	assert_int_equal(digest_sha256(p->log.data, p->log.size, &is), 0);
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(boot_desk_held(&p->v.v, &row, &held), 0);
	assert_true(digest_equal(&held, &is));
	assert_int_equal(row.findings, 0);
	store_node_done(&row);
	/* From then on it is not sent. */
	p->n.boot_log_kept = true;
	accepted(p, "trusted");
	assert_true(digest_equal(&p->n.held, &is));
	assert_false(has_any(p));
}

static void a_machine_that_measures_nothing_has_no_finding(void **state)
{
	struct place *p = *state;

	expect_log(p, 1, "measured:", "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg one\"}\n");
	accepted(p, "trusted");
	assert_false(has_any(p));
}

/* It is reported, never good, and goes when the log comes. */
static void a_missing_log_cannot_be_attested(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	found(p, LOG_FINDING,
	      "PCR 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14 were extended, and the node has no log of it");
	accepted(p, "trusted");
	with_log(p);
	accepted(p, "trusted");
	assert_false(has_any(p));
	p->n.boot_log = (struct buf_view){NULL, 0};
	accepted(p, "trusted");
	assert_true(has(p, LOG_FINDING));
}

/* An agent of before is bound to a log that it does not send. */
static void a_log_that_is_not_sent_cannot_be_attested(void **state)
{
	struct place *p = *state;

	measure(p);
	with_log(p);
	p->n.boot_log_kept = true;
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	found(p, LOG_FINDING, "was not sent");
	p->n.boot_log_kept = false;
	accepted(p, "trusted");
	assert_false(has_any(p));
}

/* Whole events are missing: the registers hold more than it says. */
static void a_cut_log_does_not_agree(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, NULL, "");
	buf_cut(&p->log, p->at[93]);
	with_log(p);
	accepted(p, "degraded");
	found(p, MISMATCH, "PCR 4: its ");
	found(p, MISMATCH, "nor do PCR 5, 8, 9");
	assert_false(has(p, "measured:kernel"));
	p->n.boot_log = (struct buf_view){NULL, 0}; /* to send none settles nothing */
	accepted(p, "degraded");
	assert_true(has(p, MISMATCH));
}

static void a_log_cut_within_an_event_is_none(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, NULL, "");
	buf_cut(&p->log, p->log.size - 3);
	with_log(p);
	accepted(p, "trusted");
	found(p, LOG_FINDING, "event 98 at byte ");
	/* The same bytes are the same finding, and are not asked for again. */
	p->n.boot_log_kept = true;
	accepted(p, "trusted");
	assert_true(has(p, LOG_FINDING));
}

/* Two events of one register for one another. */
static void a_reordered_log_does_not_agree(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_done) struct buf other = {0};

	measure(p);
	expect_log(p, 1, NULL, "");
	buf_put(&other, p->log.data, p->at[94]);
	buf_put(&other, p->log.data + p->at[95], p->at[96] - p->at[95]);
	buf_put(&other, p->log.data + p->at[94], p->at[95] - p->at[94]);
	buf_put(&other, p->log.data + p->at[96], p->log.size - p->at[96]);
	assert_int_equal(other.size, p->log.size);
	p->n.boot_log = (struct buf_view){other.data, other.size};
	accepted(p, "degraded");
	found(p, MISMATCH, "PCR 8: its 52 events, 38 to 95, do not come to the quote's");
}

/* The registers agree, for types are in none; the list of what is revoked is hidden that way. */
static void a_retyped_event_is_told(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, "measured:oddities", "");
	p->log.data[p->at[8] + 4] = 1;
	p->log.data[p->at[8] + 7] = 0;
	with_log(p);
	accepted(p, "degraded");
	found(p, EVENT,
	      "event 8 at byte 11801: PCR 7, type 0x1: nothing of this type belongs there");
	found(p, "measured:secure_boot", "unknown PCR 7 is not in order");
	found(p, "measured:dbx", "absent");
}

/* What is odd on this machine and listed by its baseline is no finding; any other oddity is drift. */
static void a_listed_oddity_is_expected(void **state)
{
	struct place *p = *state;

	measure(p);
	p->log.data[p->at[1] + 4] = 0x99;
	with_log(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	assert_false(has_any(p));
	p->log.data[p->at[1] + 4] = 0x98;
	accepted(p, "degraded");
	found(p, "measured:oddities", "type 0x98: an unknown type");
	assert_false(has(p, EVENT));
}

/* Another command line, as GRUB measures it: both texts and both digests. */
static void change_cmdline(struct place *p)
{
	static const struct {
		uint32_t event;
		const char *prefix;
	} texts[] = {{91, "grub_cmd: "}, {94, "kernel_cmdline: "}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint8_t *at = p->log.data + p->at[texts[i].event];
		size_t size = p->at[texts[i].event + 1] - p->at[texts[i].event],
		       head = 12 + 2 + 32 + 4;
		uint8_t *quiet = memmem(at, size, "quiet", 5);
		struct digest d;

		assert_non_null(quiet);
		memcpy(quiet, "debug", 5);
		head += strlen(texts[i].prefix);
		assert_int_equal(digest_sha256(at + head, size - head - 1, &d), 0);
		memcpy(at + 14, d.bytes, DIGEST_SIZE);
	}
}

static void a_changed_command_line_is_named(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, NULL, "");
	with_log(p);
	accepted(p, "trusted");
	node_fixture_reboot(&p->n);
	change_cmdline(p);
	measure(p);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	found(p, "measured:cmdline", " debug console=tty0");
	assert_non_null(strstr(node_fixture_case(&p->n, "measured:cmdline")->expected,
			       " quiet console=tty0"));
	assert_false(has_any(p));
	assert_false(has(p, "measured:kernel"));
	assert_false(has(p, "measured:secure_boot"));
}

/* What is listed and was not there, and what is there under a closed prefix and is not listed. */
static void what_is_listed_must_be_there(void **state)
{
	struct place *p = *state;

	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "{\"s\":\"host\",\"k\":\"measured:app:9\",\"x\":\"sha256:00\"}\n");
	accepted(p, "degraded");
	found(p, "measured:app:9", "absent");
	assert_false(has(p, "measured:app:1"));
}

/* Another baseline judges the log that there is. */
static void another_baseline_judges_anew(void **state)
{
	struct place *p = *state;

	measure(p);
	with_log(p);
	expect_log(p, 1, "measured:secure_boot",
		   "{\"s\":\"host\",\"k\":\"measured:secure_boot\",\"x\":\"off\"}\n");
	accepted(p, "degraded");
	found(p, "measured:secure_boot", "on");
	expect_log(p, 2, NULL, "");
	p->n.boot_log_kept = true;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(has_any(p));
}

/* The same log after a register moved on: somebody extended it since, and no log says so. */
static void a_register_that_moves_is_told(void **state)
{
	struct place *p = *state;

	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	fake_tpm_pcrs(p->n.tpm)->values[7].bytes[0] ^= 1;
	accepted(p, "degraded");
	found(p, MISMATCH, "PCR 7: its ");
	fake_tpm_pcrs(p->n.tpm)->values[7].bytes[0] ^= 1;
	accepted(p, "trusted");
	assert_false(has_any(p));
}

/* Another boot, whose log did not come yet, is not judged by the one of before. */
static void the_log_of_before_is_not_of_this_boot(void **state)
{
	struct place *p = *state;

	measure(p);
	expect_log(p, 1, NULL, "");
	with_log(p);
	accepted(p, "trusted");
	node_fixture_reboot(&p->n);
	change_cmdline(p);
	measure(p);
	p->n.boot_log_kept = true;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	found(p, LOG_FINDING, "was not sent");
	assert_false(has(p, MISMATCH));
	p->n.boot_log_kept = false;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	found(p, "measured:cmdline", " debug ");
	assert_false(has_any(p));
}

/* A case that a reboot releases: with a boot of which nothing is known it stays, with a good one it goes. */
static void a_good_boot_alone_releases(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       "[" NODE_FIXTURE_RULE("touched", "{\"type\":\"file\"}", "report",
						     "reboot", "0") "]");
	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	node_fixture_measure(&p->n, PLUMB_TYPE_FILE, "file:/etc/x", "reg one", PLUMB_JUDGE_DRIFT,
			     "absent");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(has(p, "file:/etc/x"));
	node_fixture_reboot(&p->n);
	measure(p);
	p->n.boot_log = (struct buf_view){NULL, 0};
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(has(p, "file:/etc/x"));
	with_log(p);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(has(p, "file:/etc/x"));
}

static void people_see_it(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_done) struct buf text = {0};
	struct store_node row;
	struct jsonl j;

	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	row = verifier_fixture_node(&p->v, p->n.record.node);
	jsonl_begin(&j, &text);
	assert_int_equal(boot_desk_view(&p->v.v, &row, &j), 0);
	jsonl_end(&j);
	assert_non_null(strstr(
		(char *)text.data,
		"\"finding\":\"\",\"found\":\"\",\"claims\":{\"measured:secure_boot\":\"on\""));
	buf_clear(&text);
	fake_tpm_pcrs(p->n.tpm)->values[0].bytes[0] ^= 1;
	accepted(p, "degraded");
	jsonl_begin(&j, &text);
	assert_int_equal(boot_desk_view(&p->v.v, &row, &j), 0);
	jsonl_end(&j);
	assert_non_null(
		strstr((char *)text.data, "\"finding\":\"boot_mismatch\",\"found\":\"PCR 0: "));
	assert_non_null(strstr((char *)text.data, "\"claims\":{}"));
	store_node_done(&row);
}

static void extend(struct place *p, uint32_t pcr, const char *text)
{
	struct digest *value = &fake_tpm_pcrs(p->n.tpm)->values[pcr], d;
	struct buf_view parts[] = {{value->bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	assert_int_equal(digest_sha256_parts(parts, 2, value), 0);
}

static int count_files(void *ctx, enum boot_file what, const void *data, size_t size)
{
	uint32_t *n = ctx;

	(void)data;
	assert_true(size > 0);
	n[what]++;
	return 0;
}

static void files(struct place *p, uint32_t logs, uint32_t measured)
{
	uint32_t n[3] = {0};

	assert_int_equal(boot_files_each(&p->v.store, p->n.record.node, p->n.record.incarnation,
					 count_files, n),
			 0);
	assert_int_equal(n[BOOT_FILE_LOG], logs);
	assert_int_equal(n[BOOT_FILE_MEASURED], measured);
}

/* systemd goes on in registers of the firmware's: a mismatch until its log comes, and it comes because the verifier asks. */
static void what_systemd_measures_is_no_mismatch(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_done) struct buf measured = {0};
	struct digest held, is;
	struct store_node row;

	measure(p);
	with_log(p);
	expect_log(p, 1, NULL, "");
	extend(p, 7, "os-separator");
	accepted(p, "degraded");
	found(p, MISMATCH, "PCR 7: ");
	files(p, 0, 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/measurelog/systemd", 1 << 20, &measured),
		0);
	p->n.measure_log = (struct buf_view){measured.data, measured.size};
	accepted(p, "trusted");
	assert_false(has_any(p));
	files(p, 1, 1);
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(boot_desk_measured_held(&p->v.v, &row, &held), 0);
	assert_int_equal(digest_sha256(measured.data, measured.size, &is), 0);
	assert_true(digest_equal(&held, &is));
	store_node_done(&row);
	accepted(p, "trusted");
	assert_true(digest_equal(&p->n.held_measured, &is));
	files(p, 1, 1);
}

/* What a verdict says of the boot is what stands in the row's own state. */
static void a_verdict_says_how_it_booted(void **state)
{
	struct place *p = *state;
	struct boot_desk_told told;
	struct store_node row;

	accepted(p, "degraded");
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(boot_desk_told(&p->v.v, &row, &told), 0);
	assert_false(told.proven);
	assert_string_equal(told.finding, "");
	measure(p);
	accepted(p, "degraded");
	assert_int_equal(boot_desk_told(&p->v.v, &row, &told), 0);
	assert_false(told.proven);
	assert_string_equal(told.finding, "boot_log");
	/* The log alone: nobody said how it should have booted. */
	with_log(p);
	accepted(p, "degraded");
	assert_int_equal(boot_desk_told(&p->v.v, &row, &told), 0);
	assert_false(told.proven);
	assert_string_equal(told.secure_boot, "on");
	expect_log(p, 1, NULL, "");
	accepted(p, "trusted");
	assert_int_equal(boot_desk_told(&p->v.v, &row, &told), 0);
	assert_true(told.proven);
	assert_string_equal(told.finding, "");
	fake_tpm_pcrs(p->n.tpm)->values[0].bytes[0] ^= 1;
	accepted(p, "degraded");
	assert_int_equal(boot_desk_told(&p->v.v, &row, &told), 0);
	assert_false(told.proven);
	assert_string_equal(told.finding, "boot_mismatch");
	assert_string_equal(told.secure_boot, "");
	store_node_done(&row);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_boot_is_good),
		T(a_machine_that_measures_nothing_has_no_finding),
		T(a_missing_log_cannot_be_attested),
		T(a_log_that_is_not_sent_cannot_be_attested),
		T(a_cut_log_does_not_agree),
		T(a_log_cut_within_an_event_is_none),
		T(a_reordered_log_does_not_agree),
		T(a_retyped_event_is_told),
		T(a_listed_oddity_is_expected),
		T(a_changed_command_line_is_named),
		T(what_is_listed_must_be_there),
		T(another_baseline_judges_anew),
		T(a_register_that_moves_is_told),
		T(the_log_of_before_is_not_of_this_boot),
		T(a_good_boot_alone_releases),
		T(people_see_it),
		T(what_systemd_measures_is_no_mismatch),
		T(a_verdict_says_how_it_booted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
