/* SPDX-License-Identifier: Apache-2.0 */
/* test_appraise_boot.c: what one evidence leaves to the next, and a log that is asked for only when it must be. test_boot_desk has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraise_boot.h"
#include "bootlog_reading.h"
#include "fsio.h"

struct world {
	struct buf log;
	struct quote_pcrs pcrs;
	struct appraise_boot_in in;
	struct appraise_boot_state state;
	struct buf measured;
	unsigned int n_asked, n_items, n_found;
	enum plumb_finding last;
	int fail;
};

static int on_log(void *ctx, struct buf_view *ret)
{
	struct world *w = ctx;

	w->n_asked++;
	*ret = (struct buf_view){w->log.data, w->log.size};
	return w->fail;
}

static int on_measured(void *ctx, struct buf_view *ret)
{
	struct world *w = ctx;

	*ret = (struct buf_view){w->measured.data, w->measured.size};
	return w->measured.size ? 0 : -ENOENT;
}

static int on_item(void *ctx, const struct appraise_drift_item *i)
{
	struct world *w = ctx;

	/* Without a baseline nothing is judged, and nothing good. */
	assert_int_equal(i->judgement, PLUMB_JUDGE_UNJUDGED);
	assert_int_equal(i->seq, 7);
	w->n_items++;
	return 0;
}

static int on_found(void *ctx, enum plumb_finding f, const char *expected, const char *text)
{
	struct world *w = ctx;

	assert_true(expected[0] && text[0]);
	w->last = f;
	w->n_found++;
	return 0;
}

static void open_world(struct world *w)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};

	memset(w, 0, sizeof(*w));
	assert_int_equal(fsio_read_file(fsio_system(),
					"tests/data/bootlog/tpm2-tools_event-moklisttrusted.bin",
					1 << 20, &w->log),
			 0);
	assert_int_equal(bootlog_reading_open(w->log.data, w->log.size, &g, &why), 0);
	w->pcrs.mask = 0xc7ff;
	for (size_t i = 0; i < 15; i++)
		memcpy(w->pcrs.values[i].bytes, bootlog_reading_pcrs(g)->values[i], DIGEST_SIZE);
	bootlog_reading_free(g);
	w->in = (struct appraise_boot_in){.pcrs = &w->pcrs,
					  .log = on_log,
					  .measured = on_measured,
					  .seq = 7,
					  .item = on_item,
					  .found = on_found,
					  .ctx = w};
	assert_int_equal(digest_sha256(w->log.data, w->log.size, &w->in.bound), 0);
}

static void a_log_is_read_once(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.n_asked, 1);
	assert_true(w.n_items > 15);
	assert_int_equal(w.n_found, 0);
	assert_false(w.state.good);
	/* Another baseline, another reading. */
	w.in.document.bytes[0] = 1;
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.n_asked, 2);
	/* IMA's register and the ledger's own are not the log's. */
	w.pcrs.values[10].bytes[0] ^= 1;
	w.pcrs.values[15].bytes[0] ^= 1;
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.n_asked, 2);
	assert_int_equal(w.n_found, 0);
	buf_done(&w.log);
}

/* Each of those that are looked at. */
static void each_register_counts(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (uint32_t i = 0; i < 16; i++) {
		struct appraise_boot_state s = {.finding = 0};
		bool counts = APPRAISE_BOOT_PCRS & 1u << i;

		w.pcrs.values[i].bytes[31] ^= 1;
		w.n_found = 0;
		assert_int_equal(appraise_boot(&w.in, &s), 0);
		assert_int_equal(s.finding, counts ? PLUMB_FINDING_BOOT_MISMATCH : 0);
		assert_int_equal(w.n_found, counts);
		w.pcrs.values[i].bytes[31] ^= 1;
	}
	buf_done(&w.log);
}

/* A quote that leaves a register out proves nothing of what the log says that it holds: neither the first, nor after one that had it. */
static void each_register_must_be_quoted(void **state)
{
	char left_out[32];
	struct world w;

	(void)state;
	open_world(&w);
	for (uint32_t i = 0; i < 16; i++) {
		bool counts = APPRAISE_BOOT_PCRS & 1u << i;

		snprintf(left_out, sizeof(left_out), "PCR %u are not quoted", i);
		for (int settled = 0; settled < 2; settled++) {
			struct appraise_boot_state s = {.finding = 0};

			if (settled)
				assert_int_equal(appraise_boot(&w.in, &s), 0);
			w.n_found = w.n_items = 0;
			w.pcrs.mask &= ~(1u << i);
			assert_int_equal(appraise_boot(&w.in, &s), 0);
			assert_int_equal(s.finding, counts ? PLUMB_FINDING_BOOT_MISMATCH : 0);
			assert_int_equal(w.n_found, counts);
			assert_int_equal(strncmp(s.text, left_out, strlen(left_out)) == 0, counts);
			if (counts)
				assert_true(w.n_items == 0 && !s.good && !s.judged && !s.read &&
					    !s.secure_boot[0]);
			w.pcrs.mask |= 1u << i;
			assert_int_equal(appraise_boot(&w.in, &s), 0);
			assert_int_equal(s.finding, 0);
		}
	}
	buf_done(&w.log);
}

/* "Could not check" is an error, and changes nothing. */
static void what_cannot_be_read_is_an_error(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	w.fail = -EIO;
	assert_int_equal(appraise_boot(&w.in, &w.state), -EIO);
	assert_int_equal(w.state.finding, 0);
	w.fail = -ENOENT;
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.last, PLUMB_FINDING_BOOT_LOG);
	/* It stands, and is told once. */
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.state.finding, PLUMB_FINDING_BOOT_LOG);
	assert_int_equal(w.n_found, 1);
	buf_done(&w.log);
}

static void extend(struct digest *pcr, const char *text)
{
	struct digest d;
	struct buf_view parts[] = {{pcr->bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	assert_int_equal(digest_sha256_parts(parts, 2, pcr), 0);
}

/* systemd goes on in the firmware's registers: its log leads there, and no other does. */
static void what_systemd_measures_is_explained(void **state)
{
	static const char separator[] = "os-separator";
	struct world w;

	(void)state;
	open_world(&w);
	extend(&w.pcrs.values[4], separator);
	extend(&w.pcrs.values[7], separator);
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.state.finding, PLUMB_FINDING_BOOT_MISMATCH);
	assert_string_equal(w.state.secure_boot, "");
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/measurelog/systemd", 1 << 20,
					&w.measured),
			 0);
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.state.finding, 0);
	assert_true(w.state.secure_boot[0] != 0);
	/* Settled, until a register moves again: then by a record that is there, or by nothing that anybody tells. */
	w.n_asked = 0;
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.n_asked, 0);
	extend(&w.pcrs.values[5], separator);
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.n_asked, 1);
	assert_int_equal(w.state.finding, 0);
	extend(&w.pcrs.values[5], separator);
	assert_int_equal(appraise_boot(&w.in, &w.state), 0);
	assert_int_equal(w.state.finding, PLUMB_FINDING_BOOT_MISMATCH);
	assert_non_null(strstr(w.state.text, "has 1 records of PCR 5"));
	buf_done(&w.measured);
	buf_done(&w.log);
}

static void state_is_kept_to_the_byte(void **state)
{
	struct appraise_boot_state s = {.finding = PLUMB_FINDING_BOOT_EVENT,
					.text = "event 3",
					.read = true,
					.judged = true,
					.secure_boot = "on",
					.good = true},
				   again;
	struct buf b = {0};
	struct digest d;

	(void)state;
	memset(s.log.bytes, 1, DIGEST_SIZE);
	memset(s.baseline.bytes, 2, DIGEST_SIZE);
	memset(s.values[15].bytes, 3, DIGEST_SIZE);
	memset(s.held[15].bytes, 4, DIGEST_SIZE);
	assert_int_equal(appraise_boot_state_write(&s, &b), 0);
	assert_int_equal(appraise_boot_state_parse(b.data, b.size, &again), 0);
	assert_true(digest_equal(&again.log, &s.log) &&
		    digest_equal(&again.baseline, &s.baseline) &&
		    digest_equal(&again.values[15], &s.values[15]));
	assert_int_equal(again.finding, s.finding);
	assert_string_equal(again.text, "event 3");
	assert_true(again.read && again.good && again.judged && !again.old);
	assert_string_equal(again.secure_boot, "on");
	assert_true(digest_equal(&again.held[15], &s.held[15]));
	assert_int_equal(appraise_boot_state_log(b.data, b.size, &d), 0);
	assert_true(digest_equal(&d, &s.log));
	for (size_t i = 0; i < b.size; i++)
		assert_int_equal(appraise_boot_state_parse(b.data, i, &again), -EBADMSG);
	/* What the release before kept: less, and it is read again. */
	b.data[0] = 1;
	assert_int_equal(appraise_boot_state_parse(b.data, b.size, &again), -EBADMSG);
	assert_int_equal(
		appraise_boot_state_parse(b.data, b.size - 1 - 64 - 16 * DIGEST_SIZE, &again), 0);
	assert_true(again.old && again.good && !again.judged);
	assert_int_equal(appraise_boot_state_log(b.data, b.size, &d), 0);
	b.data[0] = 2;
	buf_put_u8(&b, 0);
	assert_int_equal(appraise_boot_state_parse(b.data, b.size, &again), -EBADMSG);
	b.data[0]++;
	assert_int_equal(appraise_boot_state_log(b.data, b.size, &d), -EBADMSG);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_is_read_once),
		cmocka_unit_test(each_register_counts),
		cmocka_unit_test(each_register_must_be_quoted),
		cmocka_unit_test(what_cannot_be_read_is_an_error),
		cmocka_unit_test(what_systemd_measures_is_explained),
		cmocka_unit_test(state_is_kept_to_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
