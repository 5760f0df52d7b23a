/* SPDX-License-Identifier: Apache-2.0 */
/* test_ima_keep.c: IMA's list as it grows, kept beside the ledger and sealed by lines; over restarts, on a full disk, and where somebody wrote it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fakes/agent_fixture.h"
#include "../fakes/fault_fsio.h"
#include "../fakes/ima_maker.h"
#include "../fakes/power_fsio.h"
#include "../fakes/scratch.h"
#include "cleanup.h"
#include "ima_keep.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_ima.h"

static struct agent_fixture f;
static struct ima_maker ima;
static struct ima_keep *k;
static char kernel[SCRATCH_SIZE];
static struct ima_keep_options o;
static const uint8_t boot_id[16] = {0xab};
static uint8_t boot_of_now[16];

static void kernel_has(uint32_t entries)
{
	struct buf_view v = ima_maker_from(&ima, 0, entries);
	char path[128];
	FILE *out;

	/* The kernel's file stays the same one. */
	snprintf(path, sizeof(path), "%s/binary_runtime_measurements", kernel);
	out = fopen(path, "r+");
	out = out ? out : fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(v.data, 1, v.size, out), v.size);
	assert_int_equal(fclose(out), 0);
}

static void open_keep(void)
{
	struct why why = {""};

	o.writer = f.writer;
	o.ledger_dir = f.ledger;
	assert_int_equal(ima_keep_open(f.base, &o, &k, &why), 0);
	assert_non_null(k);
}

static int set_up(void **state)
{
	(void)state;
	agent_fixture_init(&f);
	agent_fixture_start(&f);
	scratch_open(kernel, "ima_keep");
	ima_maker_open(&ima);
	for (uint32_t i = 0; i < 5000; i++)
		ima_maker_file(&ima, "/usr/bin/some-program", (uint8_t)i, NULL);
	o = (struct ima_keep_options){.io = fsio_system(), .boot_id = boot_id, .dir = kernel};
	kernel_has(10);
	open_keep();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	k = ima_keep_free(k);
	ima_maker_done(&ima);
	scratch_done(kernel);
	agent_fixture_stop(&f);
	agent_fixture_done(&f);
	return 0;
}

static void quoted(uint32_t at)
{
	ima_keep_quoted(k, &ima.pcr[at]);
}

static uint32_t lines(const char *with)
{
	assert_int_equal(ledger_sync(ledger_writer_ledger(f.writer)), 0);
	return agent_fixture_count(&f, "\"type\":\"ima\"", with);
}

static void until_idle(void)
{
	const struct timeval tv = {0, 30000};

	event_base_loopexit(f.base, &tv);
	event_base_dispatch(f.base);
}

/* What lies there is what the kernel has, to the byte, and some line says so. */
static void is_kept(uint32_t entries, uint32_t files)
{
	CLEANUP_FREE struct ledger_ima_file *list = NULL;
	struct buf_view v = ima_maker_from(&ima, 0, entries);
	struct ledger_ima_reader *in = NULL;
	struct imalog_entry e;
	char text[128], hex[DIGEST_HEX_SIZE];
	struct digest d, is;
	struct why why = {""};
	uint32_t n = 0;
	int r;

	assert_int_equal(ledger_ima_list(f.ledger, &list, &n), 0);
	assert_int_equal(n, files);
	assert_int_equal(ledger_ima_open(fsio_system(), f.ledger, list[n - 1].name, &in), 0);
	while ((r = ledger_ima_next(in, &e, &why)) > 0 && ledger_ima_count(in) < entries)
		;
	assert_int_equal(ledger_ima_count(in), entries);
	assert_int_equal(ledger_ima_digest(in, &is), 0);
	ledger_ima_free(in);
	assert_int_equal(digest_sha256(v.data, v.size, &d), 0);
	assert_true(digest_equal(&is, &d));
	digest_hex(&d, hex);
	snprintf(text, sizeof(text), "\"entries\":%u,\"bytes\":%zu,\"sha256\":\"%s\"", entries,
		 v.size, hex);
	assert_true(lines(text) > 0);
}

static void a_list_is_kept_as_it_grows(void **state)
{
	(void)state;
	assert_int_equal(ima_keep_read(k), 10);
	assert_int_equal(lines(""), 0);
	kernel_has(12);
	quoted(11);
	is_kept(12, 1);
	assert_int_equal(lines(""), 1);
	/* Nothing is new: no line. The register moved: a line. */
	quoted(11);
	assert_int_equal(lines(""), 1);
	quoted(12);
	assert_int_equal(lines(""), 2);
	kernel_has(5000);
	assert_int_equal(ima_keep_read(k), 5000);
	quoted(5000);
	is_kept(5000, 1);
	assert_int_equal(lines(""), 3);
}

static void a_start_goes_on_with_the_file(void **state)
{
	(void)state;
	quoted(10);
	k = ima_keep_free(k);
	/* A crash in the middle of an entry. */
	scratch_run(f.ledger, "head -c 7 \"%s\"/binary_runtime_measurements >>ima/*.list", kernel);
	kernel_has(20);
	open_keep();
	quoted(20);
	is_kept(20, 1);
	k = ima_keep_free(k);
	scratch_run(f.ledger, "truncate -s -33 ima/*.list");
	open_keep();
	quoted(20);
	is_kept(20, 1);
}

static void a_file_that_somebody_wrote_stays(void **state)
{
	(void)state;
	quoted(10);
	k = ima_keep_free(k);
	scratch_run(f.ledger, "printf X | dd of=$(echo ima/*.list) bs=1 seek=100 conv=notrunc "
			      "status=none");
	agent_fixture_measure(&f, PLUMB_TYPE_FILE, "file:/a", "absent");
	open_keep();
	quoted(10);
	is_kept(10, 2);
	scratch_run(f.ledger, "test $(grep -c X ima/*.list | grep -c :1) -ge 1");
}

/* A line says that the list was read to its end. */
static void what_cannot_be_read_is_not_sealed(void **state)
{
	(void)state;
	quoted(10);
	assert_int_equal(lines(""), 1);
	scratch_run(kernel,
		    "head -c 100 /dev/zero | tr '\\0' '\\377' >>binary_runtime_measurements");
	quoted(15);
	assert_int_equal(lines(""), 1);
	kernel_has(20);
	k = ima_keep_free(k);
	open_keep();
	quoted(20);
	is_kept(20, 1);
}

static void a_long_list_is_read_in_pieces(void **state)
{
	(void)state;
	k = ima_keep_free(k);
	o.piece = 1;
	kernel_has(5000);
	open_keep();
	assert_in_range(ima_keep_read(k), 100, 4999);
	quoted(5000);
	assert_int_equal(lines(""), 0); /* a line says that all was read: not yet */
	until_idle();
	is_kept(5000, 1);
	assert_int_equal(lines(""), 1);
}

static void a_list_has_a_bound(void **state)
{
	(void)state;
	quoted(10);
	k = ima_keep_free(k);
	o.max = 2000;
	kernel_has(5000);
	open_keep();
	quoted(5000);
	assert_int_equal(lines("\"full\":true"), 1);
	quoted(5000);
	assert_int_equal(lines("\"full\":true"), 1);
	scratch_run(f.ledger, "test $(stat -c %%s ima/*.list) -le 2000");
}

static void lists_of_boots_before_are_packed(void **state)
{
	static const uint8_t next[16] = {0xac};

	(void)state;
	quoted(10);
	k = ima_keep_free(k);
	o.boot_id = next;
	agent_fixture_measure(&f, PLUMB_TYPE_FILE, "file:/a", "absent");
	open_keep();
	until_idle();
	scratch_run(f.ledger, "test $(ls ima/*.zst | wc -l) = 1 -a $(ls ima/*.list | wc -l) = 0");
	quoted(10);
	scratch_run(f.ledger, "test $(ls ima/*.zst | wc -l) = 1 -a $(ls ima/*.list | wc -l) = 1");
	is_kept(10, 2);
}

/* What the disk has no room for is read again: the kernel has it. */
static void a_full_disk_loses_nothing(void **state)
{
	struct fault_fsio fault;

	(void)state;
	k = ima_keep_free(k);
	fault_fsio_init(&fault, -1, true, -ENOSPC);
	o.io = &fault.io;
	open_keep();
	for (uint32_t i = 0; i < 24; i++) {
		fault.half = i % 2;
		fault.left = i / 2;
		kernel_has(500 + 100 * i);
		quoted(500 + 100 * i);
		/* Whatever is sealed is there. */
		fault.left = -1;
	}
	kernel_has(3000);
	quoted(3000);
	is_kept(3000, 1);
	k = ima_keep_free(k);
}

/* Of this boot: each line's entries are there, and no other ones. */
static int is_there(void *ctx, uint64_t seq, const char *line, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *obj = NULL;
	struct ledger_ima_reader *in = NULL;
	struct ledger_ima_file file;
	struct ledger_ima_seal s;
	struct imalog_entry e;
	struct digest d;
	struct why why = {""};
	char boot[LEDGER_IMA_BOOT_SIZE];
	bool packed;

	(void)seq;
	snprintf(boot, sizeof(boot), "%02x%030x", boot_of_now[0], 0);
	if (!memmem(line, size, "\"type\":\"ima\"", 12))
		return 0;
	assert_int_equal(jsonl_parse(line, size, 65535, &obj, &why), 0);
	assert_int_equal(ledger_ima_seal_read(obj, &s, &why), 0);
	assert_int_equal(ledger_ima_name_read(s.list, &file, &packed), 0);
	if (strcmp(file.boot, boot) != 0)
		return 0;
	++*(uint32_t *)ctx;
	assert_int_equal(ledger_ima_open(fsio_system(), f.ledger, s.list, &in), 0);
	while (ledger_ima_count(in) < s.entries)
		assert_int_equal(ledger_ima_next(in, &e, &why), 1);
	assert_int_equal(ledger_ima_digest(in, &d), 0);
	assert_true(digest_equal(&d, &s.sha256));
	ledger_ima_free(in);
	return 0;
}

/* Wherever the power is cut: a line that is there has its entries there. Lines are on a disk of their own here, which loses nothing. */
static void a_power_cut_leaves_what_was_sealed(void **state)
{
	static struct power_fsio power;
	struct fault_fsio fault;
	struct why why = {""};
	uint32_t found = 0;

	(void)state;
	k = ima_keep_free(k);
	o.boot_id = boot_of_now;
	for (int32_t n = 0; n < 36; n++) {
		boot_of_now[0] = (uint8_t)(n + 1);
		fault_fsio_init(&fault, n / 3 * 2, n % 2, -EIO);
		power_fsio_init(&power, &fault.io);
		o.io = &power.io;
		open_keep();
		for (uint32_t i = 1; i < 6; i++) {
			kernel_has(i * 200);
			quoted(i * 200);
		}
		k = ima_keep_free(k);
		power_fsio_cut(&power, (enum power_cut)(n % 3));
		power_fsio_done(&power);
		assert_int_equal(ledger_sync(ledger_writer_ledger(f.writer)), 0);
		assert_int_equal(
			ledger_check_each(fsio_system(), f.ledger, 0, is_there, &found, &why), 0);
		scratch_run(kernel, "rm binary_runtime_measurements");
		kernel_has(10);
	}
	assert_true(found > 36);
	/* The next start goes on with what is there. */
	o.io = fsio_system();
	kernel_has(3000);
	open_keep();
	quoted(3000);
	assert_true(lines("\"entries\":3000,") == 1);
}

static void without_a_list_nothing_is_done(void **state)
{
	struct ima_keep *none = (void *)&o;
	struct why why = {""};

	(void)state;
	o.dir = "/nowhere";
	assert_int_equal(ima_keep_open(f.base, &o, &none, &why), 0);
	assert_null(none);
	assert_int_equal(ima_keep_read(none), 0);
	ima_keep_quoted(none, &ima.pcr[0]);
	ima_keep_free(none);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_list_is_kept_as_it_grows),	       T(a_start_goes_on_with_the_file),
		T(a_file_that_somebody_wrote_stays),   T(what_cannot_be_read_is_not_sealed),
		T(a_long_list_is_read_in_pieces),      T(a_list_has_a_bound),
		T(lists_of_boots_before_are_packed),   T(a_full_disk_loses_nothing),
		T(a_power_cut_leaves_what_was_sealed), T(without_a_list_nothing_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
