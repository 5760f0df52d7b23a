/* SPDX-License-Identifier: Apache-2.0 */
/* test_bootlog.c: boot logs of real machines against the registers that they came to, in all banks; and their broken twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/bootlog.h"
#include "../../userspace/lib/bootlog_replay.h"
#include "../../userspace/lib/cleanup.h"
#include "../../userspace/lib/digest.h"
#include "../../userspace/lib/fsio.h"

#define KEYLIME "keylime_binary_bios_measurements-secureboot"

static void load(const char *name, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/data/bootlog/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, BOOTLOG_MAX, ret), 0);
}

static const struct bootlog_pcrs *bank_of(const struct bootlog_pcrs *banks, uint32_t n,
					  const char *name)
{
	static const struct {
		const char *name;
		uint16_t alg;
	} names[] = {{"sha1", BOOTLOG_SHA1},
		     {"sha256", BOOTLOG_SHA256},
		     {"sha384", BOOTLOG_SHA384},
		     {"sha512", BOOTLOG_SHA512}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (uint32_t k = 0; k < n && strcmp(names[i].name, name) == 0; k++)
			if (banks[k].alg == names[i].alg)
				return &banks[k];
	return NULL;
}

/* Each line of expected is met, and no register has a value that no line has. */
static void real_logs_are_replayed(void **state)
{
	struct bootlog_pcrs *banks = calloc(BOOTLOG_MAX_BANKS, sizeof(*banks));
	char file[96], bank[16], hex[160], last[96] = "", got[160];
	unsigned int pcr, lines = 0, files = 0, extended = 0;
	uint32_t n = 0;
	FILE *f = fopen("tests/data/bootlog/expected", "r");

	(void)state;
	assert_non_null(f);
	assert_non_null(banks);
	while (fscanf(f, "%95s %15s %u %159s", file, bank, &pcr, hex) == 4) {
		const struct bootlog_pcrs *k;

		if (strcmp(file, last) != 0) {
			CLEANUP(buf_done) struct buf b = {0};
			struct why why = {""};

			load(file, &b);
			if (bootlog_replay_all(b.data, b.size, 0, banks, &n, &why) < 0)
				fail_msg("%s: %s", file, why.text);
			for (uint32_t i = 0; i < n; i++)
				extended += (unsigned int)__builtin_popcount(banks[i].mask);
			strcpy(last, file);
			files++;
		}
		k = bank_of(banks, n, bank);
		assert_non_null(k);
		digest_bytes_hex(k->values[pcr], k->size, got);
		if (strcmp(got, hex) != 0)
			fail_msg("%s: %s PCR %u is %s, not %s", file, bank, pcr, got, hex);
		lines++;
	}
	fclose(f);
	free(banks);
	assert_int_equal(files, 19);
	assert_int_equal(lines, extended);
	assert_true(lines > 300);
}

static int read_all(const void *data, size_t size, unsigned int flags, uint32_t *ret_n,
		    struct why *ret_why)
{
	struct bootlog b;
	struct bootlog_event e;
	int r = bootlog_open(data, size, flags, &b, ret_why);

	*ret_n = 0;
	while (r >= 0 && (r = bootlog_next(&b, &e, ret_why)) > 0)
		++*ret_n;
	return r;
}

static void what_is_none_is_refused_by_name(void **state)
{
	static const struct {
		const char *name, *why;
	} logs[] = {
		{"keylime_binary_bios_measurements-bogus", "event 0 at byte 0: PCR"},
		{"keylime_binary_bios_measurements-empty", "it is empty"},
		{"go-eventlog_short_no_action_eventlog", "neither a header nor a measurement"},
		{"tpm2-tools_specid-vendordata.bin",
		 "the vendor's part is not of the size it says"},
		{"tpm2-tools_event-uefivar.bin",
		 "event 1 at byte 77: 2 digests, and the header has 4"},
		{"ibmtss_p511.log", "event 43 at byte 20783: 1 digests, and the header has 2"},
		{"go-eventlog_cos-113-intel-tdx.cut", "the header is of PCR 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		CLEANUP(buf_done) struct buf b = {0};
		struct why why = {""};
		uint32_t n;

		load(logs[i].name, &b);
		assert_int_equal(read_all(b.data, b.size, 0, &n, &why), -EBADMSG);
		if (!strstr(why.text, logs[i].why))
			fail_msg("%s: %s", logs[i].name, why.text);
	}
}

/* Firmware tells things that it measured into no register. What says that it was measured is of one that there is. */
static void only_what_was_not_measured_is_of_no_register(void **state)
{
	enum { AT = 57808 };
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	uint32_t n;

	(void)state;
	load("ibmtss_ideapad1.log", &b);
	assert_int_equal(read_all(b.data, b.size, 0, &n, &why), 0);
	b.data[AT]--;
	assert_int_equal(read_all(b.data, b.size, 0, &n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "event 39 at byte 57808: PCR 4294967294"));
	b.data[AT]++;
	b.data[AT + 4] = BOOTLOG_SEPARATOR;
	assert_int_equal(read_all(b.data, b.size, 0, &n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "event 39 at byte 57808: PCR 4294967295"));
}

/* Cut at each byte: an end between two events is one, and any other is told. */
static void a_cut_log_is_told(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	uint32_t n, ends = 0, last = 0;

	(void)state;
	load("tpm2-tools_event-bootorder.bin", &b);
	for (size_t size = 1; size <= b.size; size++) {
		uint8_t *copy = malloc(size);
		struct why why = {""};
		int r;

		assert_non_null(copy);
		memcpy(copy, b.data, size);
		r = read_all(copy, size, 0, &n, &why);
		free(copy);
		if (r == 0) {
			assert_true(n == last || n == last + 1);
			ends++;
			last = n;
		} else {
			assert_int_equal(r, -EBADMSG);
			assert_non_null(strstr(why.text, "boot log: event "));
		}
	}
	assert_int_equal(last, 103);
	assert_int_equal(ends, 104);
}

/* One byte of it changed, and what is said then. */
static void refused_with(const struct buf *good, size_t at, uint8_t v, const char *text)
{
	struct why why = {""};
	uint8_t old = good->data[at];
	uint32_t n;

	good->data[at] = v;
	assert_int_equal(read_all(good->data, good->size, 0, &n, &why), -EBADMSG);
	if (!strstr(why.text, text))
		fail_msg("byte %zu: %s", at, why.text);
	good->data[at] = old;
}

static void headers_are_strict(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	uint32_t n;

	(void)state;
	load("tpm2-tools_event-bootorder.bin", &b);
	assert_int_equal(read_all(b.data, b.size, 0, &n, &why), 0);
	refused_with(&b, 0, 1, "the header is of PCR 1 or has a digest");
	refused_with(&b, 8, 1, "or has a digest");
	refused_with(
		&b, 4, 5,
		"event 2 at byte 69"); /* a measurement of the old form, and nothing after it fits */
	refused_with(&b, 46, '2', "neither a header nor a measurement");
	refused_with(&b, 53, 3, "version 3.");
	refused_with(&b, 55, 4, "words of 4");
	refused_with(&b, 56, 0, "0 algorithms");
	refused_with(&b, 56, 9, "9 algorithms");
	refused_with(&b, 56, 1, "the vendor's part");
	refused_with(&b, 62, 32, "algorithm 0x4 has digests of 32 bytes");
	refused_with(&b, 64, 4, "algorithm 0x4 has digests of 32 bytes");
	refused_with(&b, 68, 1, "the vendor's part");
	/* The first event: PCR, digests' number, algorithms, size. */
	refused_with(&b, 69, 24, "event 1 at byte 69: PCR 24");
	refused_with(&b, 77, 1, "1 digests, and the header has 2");
	refused_with(&b, 81, 0xc, "algorithm 0xc, which the header lacks");
	refused_with(&b, 81 + 22, 4, "two digests of algorithm 0x4");
	refused_with(&b, 81 + 22 + 34 + 3, 1, "at most 1048576 are allowed");
}

/* A byte behind the vendor's part is nobody's. */
static void the_header_ends_where_it_says(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, longer = {0};
	struct why why = {""};
	uint32_t n;

	(void)state;
	load("tpm2-tools_event-bootorder.bin", &b);
	buf_put(&longer, b.data, 69);
	buf_put_u8(&longer, 0);
	buf_put(&longer, b.data + 69, b.size - 69);
	longer.data[28]++;
	assert_int_equal(read_all(longer.data, longer.size, 0, &n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "the vendor's part is not of the size it says"));
	longer.data[68] = 1;
	assert_int_equal(read_all(longer.data, longer.size, 0, &n, &why), 0);
	assert_int_equal(n, 103);
}

static void bounds_are_told(void **state)
{
	static uint8_t big[BOOTLOG_MAX + 1];
	struct why why = {""};
	uint32_t n;

	(void)state;
	assert_int_equal(read_all(big, sizeof(big), 0, &n, &why), -E2BIG);
	assert_non_null(strstr(why.text, "at most 4194304 are allowed"));
	/* Events of the old form, of 32 bytes each: more than there may be. */
	for (size_t i = 0; i < BOOTLOG_MAX / 32; i++)
		big[i * 32 + 4] = 1;
	assert_int_equal(read_all(big, BOOTLOG_MAX, 0, &n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "more than 16384 events"));
}

/* Only where the caller lets it, and only the same byte to the end. */
static void padding_is_an_option(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	size_t size;
	uint32_t n;

	(void)state;
	load("tpm2-tools_event-bootorder.bin", &b);
	size = b.size;
	for (int fill = 0; fill <= 0xff; fill += 0xff) {
		buf_cut(&b, size);
		for (int i = 0; i < 100; i++)
			buf_put_u8(&b, (uint8_t)fill);
		assert_int_equal(read_all(b.data, b.size, 0, &n, &why), -EBADMSG);
		assert_int_equal(read_all(b.data, b.size, BOOTLOG_PADDING, &n, &why), 0);
		assert_int_equal(n, 103);
		b.data[size + 50] = 1;
		assert_int_equal(read_all(b.data, b.size, BOOTLOG_PADDING, &n, &why), -EBADMSG);
	}
}

static void replay_one(const struct buf *b, struct bootlog_pcrs *ret, int want, const char *text)
{
	struct bootlog_pcrs *banks = calloc(BOOTLOG_MAX_BANKS, sizeof(*banks));
	struct why why = {""};
	uint32_t n = 0;

	assert_non_null(banks);
	assert_int_equal(bootlog_replay_all(b->data, b->size, 0, banks, &n, &why), want);
	if (want < 0 && !strstr(why.text, text))
		fail_msg("%s", why.text);
	if (want >= 0)
		*ret = banks[n - 1];
	free(banks);
}

/* The locality is the register's first value; what says it otherwise, twice or too late is no log. */
static void localities_are_strict(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, twice = {0};
	struct bootlog_pcrs three, zero;
	size_t at, size, locality;
	uint8_t *name;

	(void)state;
	load("go-eventlog_glinux-alex.bin", &b);
	name = memmem(b.data, b.size, "StartupLocality", 15);
	assert_non_null(name);
	locality = (size_t)(name - b.data) + 16;
	at = 69;
	size = locality + 1 - at;
	replay_one(&b, &three, 0, "");
	b.data[locality] = 0;
	replay_one(&b, &zero, 0, "");
	assert_memory_not_equal(three.values[0], zero.values[0], 32);
	assert_memory_equal(three.values[1], zero.values[1], 32);
	b.data[locality] = 2;
	replay_one(&b, NULL, -EBADMSG, "StartupLocality 2");
	b.data[locality] = 3;
	b.data[at] = 1;
	replay_one(&b, NULL, -EBADMSG, "StartupLocality of PCR 1");
	b.data[at] = 0;
	/* Once more behind itself, and once more at the end. */
	buf_put(&twice, b.data, at + size);
	buf_put(&twice, b.data + at, b.size - at);
	replay_one(&twice, NULL, -EBADMSG, "event 2 at byte");
	buf_clear(&twice);
	buf_put(&twice, b.data, at);
	buf_put(&twice, b.data + at + size, b.size - at - size);
	buf_put(&twice, b.data + at, size);
	replay_one(&twice, NULL, -EBADMSG, "after PCR 0 was extended");
}

static void explain(const struct buf *b, size_t size, uint32_t pcr, const uint8_t *value,
		    const char *text)
{
	struct why why = {""};

	assert_int_equal(bootlog_replay_explain(b->data, size, 0, pcr, value, &why), 0);
	if (!strstr(why.text, text))
		fail_msg("%s", why.text);
}

static void what_does_not_agree_is_named(void **state)
{
	static const uint8_t zeros[32];
	CLEANUP(buf_done) struct buf b = {0}, shorter = {0};
	struct bootlog_pcrs all, less;
	struct bootlog l;
	struct bootlog_event e = {.at = 0};

	(void)state;
	load(KEYLIME, &b);
	replay_one(&b, &all, 0, "");
	assert_int_equal(all.n[8], 52);
	assert_int_equal(all.first[8], 38);
	assert_int_equal(all.last[8], 95);
	explain(&b, b.size, 8, zeros,
		"PCR 8: events 38 to 95 say that they were measured, and nothing was");
	explain(&b, b.size, 8, all.values[7],
		"PCR 8: its 52 events, 38 to 95, do not come to the quote's 2f96e1f1");
	explain(&b, b.size, 10, all.values[7], "PCR 10: no event is of it");
	assert_int_equal(bootlog_open(b.data, b.size, 0, &l, NULL), 0);
	for (int i = 0; i < 95; i++)
		assert_int_equal(bootlog_next(&l, &e, NULL), 1);
	assert_int_equal(e.pcr, 8);
	buf_put(&shorter, b.data, e.at);
	replay_one(&shorter, &less, 0, "");
	explain(&b, b.size, 8, less.values[8],
		"PCR 8: the quote has what it was after event 94, and events up to 95");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_logs_are_replayed),
		cmocka_unit_test(what_is_none_is_refused_by_name),
		cmocka_unit_test(only_what_was_not_measured_is_of_no_register),
		cmocka_unit_test(a_cut_log_is_told),
		cmocka_unit_test(headers_are_strict),
		cmocka_unit_test(the_header_ends_where_it_says),
		cmocka_unit_test(bounds_are_told),
		cmocka_unit_test(padding_is_an_option),
		cmocka_unit_test(localities_are_strict),
		cmocka_unit_test(what_does_not_agree_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
