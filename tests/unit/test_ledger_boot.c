/* SPDX-License-Identifier: Apache-2.0 */
/* test_ledger_boot.c: what was booted, by files alone: the log of a real machine, and every way in which it is not the one, each with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot_keep.h"
#include "bootlog_reading.h"
#include "ledger_boots.h"

#define REAL "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"
#define OTHER "tests/data/bootlog/tpm2-tools_event-moklisttrusted.bin"
#define SEPARATOR "os-separator"

struct place {
	char dir[64], path[PATH_MAX];
	struct buf log;
	struct digest name;
	struct quote_pcrs pcrs;
	struct ledger_boot b;
	enum ledger_boot_result result;
	struct why why;
	char secure_boot[64];
};

static void load(const char *path, struct buf *ret)
{
	buf_clear(ret);
	assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, ret), 0);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct bootlog_reading *g = NULL;
	struct why why = {""};

	assert_non_null(p);
	strcpy(p->dir, "/tmp/plumb-test-boot-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	load(REAL, &p->log);
	assert_int_equal(bootlog_reading_open(p->log.data, p->log.size, &g, &why), 0);
	p->pcrs.mask = 0xc7ff;
	for (size_t i = 0; i < 15; i++)
		memcpy(p->pcrs.values[i].bytes, bootlog_reading_pcrs(g)->values[i], DIGEST_SIZE);
	bootlog_reading_free(g);
	assert_int_equal(digest_sha256(p->log.data, p->log.size, &p->name), 0);
	assert_int_equal(ledger_boot_path(p->dir, LEDGER_BOOT_LOG, &p->name, p->path), 0);
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &p->log), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[128];

	ledger_boot_done(&p->b);
	buf_done(&p->log);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static int put(void *ctx, const char *key, const char *value)
{
	struct place *p = ctx;

	if (strcmp(key, "measured:secure_boot") == 0)
		snprintf(p->secure_boot, sizeof(p->secure_boot), "%s", value);
	return 0;
}

static void check(struct place *p, enum ledger_boot_result want, const char *why)
{
	ledger_boot_done(&p->b);
	p->b = (struct ledger_boot){.io = fsio_system(), .dir = p->dir};
	p->why.text[0] = p->secure_boot[0] = 0;
	assert_int_equal(ledger_boot_check(&p->b, &p->pcrs, &p->name, put, p, &p->result, &p->why),
			 0);
	if (p->result != want || !strstr(p->why.text, why))
		fail_msg("%s: %s", ledger_boot_result_name(p->result), p->why.text);
	assert_string_equal(p->secure_boot, want == LEDGER_BOOT_GOOD ? "on" : "");
}

static void replace(struct place *p, const void *data, size_t size)
{
	assert_int_equal(fsio_replace_file(fsio_system(), p->path, data, size, 0600), 0);
}

static void a_boot_is_proven_by_its_log(void **state)
{
	struct place *p = *state;

	check(p, LEDGER_BOOT_GOOD, "");
}

static void a_log_that_was_tampered_with_is_refused(void **state)
{
	struct place *p = *state;
	struct buf other = {0};

	/* A digest, a type, a cut within an event, one between two, another machine's. */
	p->log.data[p->log.size / 2] ^= 1;
	replace(p, p->log.data, p->log.size);
	check(p, LEDGER_BOOT_BAD, "is not the one that the quote is bound to: ");
	p->log.data[p->log.size / 2] ^= 1;
	replace(p, p->log.data, p->log.size - 3);
	check(p, LEDGER_BOOT_BAD,
	      "is not the one that the quote is bound to: boot log: event 98 at byte");
	load(OTHER, &other);
	replace(p, other.data, other.size);
	check(p, LEDGER_BOOT_BAD, "bound to: PCR 0: its ");
	replace(p, "", 0);
	check(p, LEDGER_BOOT_BAD, "bound to: boot log: ");
	assert_int_equal(unlink(p->path), 0);
	check(p, LEDGER_BOOT_UNPROVEN, "is absent");
	buf_done(&other);
}

/* Its type is in no register: the quote's digest tells all the same. */
static void what_no_register_covers_is_bound_by_the_quote(void **state)
{
	struct place *p = *state;
	struct bootlog_event e;
	struct bootlog b;
	struct why why;
	size_t at = 0;

	assert_int_equal(bootlog_open(p->log.data, p->log.size, 0, &b, &why), 0);
	while (bootlog_next(&b, &e, &why) > 0)
		at = e.number == 8 ? e.at : at;
	p->log.data[at + 4] = 1;
	p->log.data[at + 7] = 0;
	replace(p, p->log.data, p->log.size);
	check(p, LEDGER_BOOT_BAD,
	      "bound to: the registers agree, so it was changed where none of them covers it");
}

static void a_log_that_the_registers_do_not_have_is_refused(void **state)
{
	struct place *p = *state;

	p->pcrs.values[8].bytes[0] ^= 1;
	check(p, LEDGER_BOOT_BAD, "PCR 8: its ");
	p->pcrs.values[8].bytes[0] ^= 1;
	p->pcrs.mask &= ~(1u << 14);
	check(p, LEDGER_BOOT_UNPROVEN, "does not cover");
	p->pcrs.mask |= 1u << 14;
	memset(&p->name, 0, sizeof(p->name));
	check(p, LEDGER_BOOT_UNPROVEN, "registers were extended, and the node had no log");
	memset(p->pcrs.values, 0, sizeof(p->pcrs.values));
	check(p, LEDGER_BOOT_NOTHING, "nothing was measured");
}

static void extend(struct digest *pcr, const char *text)
{
	struct digest d;
	struct buf_view parts[] = {{pcr->bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	assert_int_equal(digest_sha256_parts(parts, 2, pcr), 0);
}

static void what_systemd_measured_is_explained_by_its_log(void **state)
{
	const struct digest zero = {{0}};
	struct place *p = *state;
	struct digest value = {{0}}, is, other;
	struct buf measured = {0}, nothing = {0};

	extend(&p->pcrs.values[7], SEPARATOR);
	check(p, LEDGER_BOOT_BAD, "PCR 7: its ");
	load("tests/data/measurelog/systemd", &measured);
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_MEASURED, &measured), 0);
	buf_puts(&nothing, "\x1e{}\n");
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_MEASURED, &nothing), 0);
	assert_int_equal(digest_sha256(measured.data, measured.size, &is), 0);
	assert_int_equal(digest_sha256(nothing.data, nothing.size, &other), 0);
	check(p, LEDGER_BOOT_GOOD, "");
	/* Which one it was is known, also afterwards. */
	assert_int_equal(ledger_boot_explains(&p->b, 15, &zero), 1);
	assert_true(ledger_boot_led(&p->b, &is));
	assert_false(ledger_boot_led(&p->b, &other));
	ledger_boot_done(&p->b);
	assert_true(ledger_boot_led(&p->b, &is));
	check(p, LEDGER_BOOT_GOOD, "");
	extend(&value, SEPARATOR);
	assert_int_equal(ledger_boot_explains(&p->b, 15, &value), 0);
	memset(&value, 0, sizeof(value));
	extend(&value, "machine-id:0123456789abcdef0123456789abcdef");
	assert_int_equal(ledger_boot_explains(&p->b, 15, &value), 1);
	assert_int_equal(ledger_boot_explains(&p->b, 14, &value), 0);
	buf_done(&measured);
	buf_done(&nothing);
}

/* Of one log and one set of registers all quotes are one boot. */
static void quotes_of_a_boot_are_one(void **state)
{
	struct place *p = *state;
	struct ledger_boots *b = calloc(1, sizeof(*b));
	const struct ledger_boots_one *one;

	assert_non_null(b);
	b->files = (struct ledger_boot){.io = fsio_system(), .dir = p->dir};
	assert_int_equal(ledger_boots_quote(b, 4, 7, &p->pcrs, &p->name, &one), 1);
	assert_int_equal(one->result, LEDGER_BOOT_GOOD);
	assert_string_equal(one->secure_boot, "on");
	assert_non_null(strstr(one->cmdline, "quiet"));
	/* The ledger's own register moves with each quote. */
	p->pcrs.values[15].bytes[0] ^= 1;
	assert_int_equal(ledger_boots_quote(b, 9, 7, &p->pcrs, &p->name, &one), 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->boots[0].n_quotes, 2);
	assert_int_equal(b->boots[0].last_line, 9);
	for (uint32_t i = 0; i < LEDGER_BOOT_MAX; i++)
		assert_int_equal(ledger_boots_quote(b, 10 + i, 8 + i, &p->pcrs, &p->name, &one), 1);
	assert_int_equal(b->n, LEDGER_BOOT_MAX);
	assert_int_equal(b->more, 1);
	ledger_boot_done(&b->files);
	free(b);
}

/* However many a ledger tells of: the newest is looked at as the first one is. Only what was found bad is told for good. */
static void each_boot_is_checked(void **state)
{
	struct place *p = *state;
	struct ledger_boots *b = calloc(1, sizeof(*b));
	const struct ledger_boots_one *one;
	uint32_t reset = 1;

	assert_non_null(b);
	b->files = (struct ledger_boot){.io = fsio_system(), .dir = p->dir};
	for (; reset <= LEDGER_BOOT_MAX; reset++)
		assert_int_equal(ledger_boots_quote(b, reset, reset, &p->pcrs, &p->name, &one), 1);
	p->pcrs.values[8].bytes[0] ^= 1;
	assert_int_equal(ledger_boots_quote(b, reset, reset, &p->pcrs, &p->name, &one), 1);
	assert_int_equal(one->result, LEDGER_BOOT_BAD);
	assert_int_equal(one->reset_count, reset);
	assert_int_equal(b->boots[0].reset_count, 2);
	p->pcrs.values[8].bytes[0] ^= 1;
	while (reset++ < 3 * LEDGER_BOOT_MAX)
		assert_int_equal(ledger_boots_quote(b, reset, reset, &p->pcrs, &p->name, &one), 1);
	assert_int_equal(b->n, LEDGER_BOOT_MAX);
	assert_int_equal(b->more, 2 * LEDGER_BOOT_MAX);
	assert_int_equal(b->boots[0].result, LEDGER_BOOT_BAD);
	assert_int_equal(b->boots[1].reset_count, 2 * LEDGER_BOOT_MAX + 2);
	assert_ptr_equal(one, &b->boots[LEDGER_BOOT_MAX - 1]);
	/* Where all are bad the newest is still told. */
	p->pcrs.values[8].bytes[0] ^= 1;
	for (; reset <= 5 * LEDGER_BOOT_MAX; reset++) {
		assert_int_equal(ledger_boots_quote(b, reset, reset, &p->pcrs, &p->name, &one), 1);
		assert_int_equal(one->result, LEDGER_BOOT_BAD);
		assert_int_equal(one->reset_count, reset);
	}
	ledger_boot_done(&b->files);
	free(b);
}

static uint32_t count(const char *dir)
{
	char command[160], text[16] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls %s/boot | wc -l", dir);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	return (uint32_t)atoi(text);
}

static void the_oldest_logs_go(void **state)
{
	static const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct place *p = *state;
	struct buf b = {0};

	assert_int_equal(utimensat(AT_FDCWD, p->path, old, 0), 0);
	for (uint32_t i = 1; i < LEDGER_BOOT_MAX; i++) {
		buf_clear(&b);
		buf_printf(&b, "log %u", i);
		assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &b), 0);
		assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &b), 0);
	}
	assert_int_equal(count(p->dir), LEDGER_BOOT_MAX);
	/* That it is needed again makes it young. */
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &p->log), 0);
	buf_puts(&b, " more");
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &b), 0);
	assert_int_equal(count(p->dir), LEDGER_BOOT_MAX);
	assert_int_equal(access(p->path, F_OK), 0);
	assert_int_equal(utimensat(AT_FDCWD, p->path, old, 0), 0);
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_MEASURED, &b), 0);
	assert_int_equal(access(p->path, F_OK), 0);
	buf_puts(&b, " and more");
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &b), 0);
	assert_int_not_equal(access(p->path, F_OK), 0);
	buf_clear(&b);
	assert_int_equal(boot_keep(fsio_system(), p->dir, LEDGER_BOOT_LOG, &b), 0);
	assert_int_equal(count(p->dir), LEDGER_BOOT_MAX + 1);
	buf_done(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_boot_is_proven_by_its_log),
		T(a_log_that_was_tampered_with_is_refused),
		T(what_no_register_covers_is_bound_by_the_quote),
		T(a_log_that_the_registers_do_not_have_is_refused),
		T(what_systemd_measured_is_explained_by_its_log),
		T(quotes_of_a_boot_are_one),
		T(each_boot_is_checked),
		T(the_oldest_logs_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
