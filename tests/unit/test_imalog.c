/* SPDX-License-Identifier: Apache-2.0 */
/* test_imalog.c: IMA lists of real machines, and their broken twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/fsio.h"
#include "../../userspace/lib/imalog.h"
#include "ima_maker.h"

struct list {
	struct buf bytes;
	size_t digest_size;
};

static void load(struct list *l, const char *name, size_t digest_size)
{
	char path[128];

	memset(l, 0, sizeof(*l));
	l->digest_size = digest_size;
	snprintf(path, sizeof(path), "tests/data/ima/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, &l->bytes), 0);
}

/* The kernel's own digest of the entry is over what was handed out as its data: so nothing is missing, and nothing too much. */
static void check_template_digest(const struct imalog_entry *e)
{
	uint8_t got[64], padded[20 + 256] = {0};
	struct buf_view over = e->data;

	if (e->violation)
		return;
	if (e->template == IMALOG_IMA) {
		memcpy(padded, e->file.bytes.data, 20);
		memcpy(padded + 20, e->name, e->name_size);
		over = (struct buf_view){padded, sizeof(padded)};
	}
	assert_int_equal(EVP_Digest(over.data, over.size, got, NULL,
				    e->template_digest.size == 20 ? EVP_sha1() : EVP_sha256(),
				    NULL),
			 1);
	assert_memory_equal(got, e->template_digest.data, e->template_digest.size);
}

static uint32_t read_all(struct list *l, uint32_t of[5], struct imalog_entry *ret_last, int *ret)
{
	struct buf_reader r = buf_reader_of(l->bytes.data, l->bytes.size);
	struct why why = {""};
	uint32_t n = 0;

	while ((*ret = imalog_next(&r, l->digest_size, ret_last, &why)) > 0) {
		check_template_digest(ret_last);
		assert_false(ret_last->misnamed);
		of[ret_last->template]++;
		n++;
	}
	if (*ret < 0)
		assert_true(why.text[0] != 0);
	return n;
}

static void real_lists_are_read(void **state)
{
	static const struct {
		const char *name;
		size_t digest_size;
		uint32_t n, of[5];
		int ret;
	} lists[] = {
		{"ibmtss_sha1.log", 20, 362, {0, 0, 0, 362, 0}, 0},
		{"ibmtss_sha256.log", 32, 362, {0, 0, 0, 362, 0}, 0},
		{"ibmtss_imatest.log", 20, 17, {0, 1, 1, 3, 12}, 0},
		/* One byte is behind the last entry: told, and all before it is good. */
		{"tpm2-tss_sml-ima-ng-sha1.bin", 20, 6, {0, 0, 6, 0, 0}, -EBADMSG},
		{"tpm2-tss_sml-ima-sha1.bin", 20, 12, {0, 12, 0, 0, 0}, -EBADMSG},
		{"tpm2-tss_sml-ima-ng-sha1-invalidated.bin", 20, 0, {0}, -EBADMSG},
		{"rust-keylime_ascii.head", 20, 0, {0}, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct imalog_entry last;
		struct list l;
		uint32_t of[5] = {0};
		int r;

		load(&l, lists[i].name, lists[i].digest_size);
		assert_int_equal(read_all(&l, of, &last, &r), lists[i].n);
		assert_int_equal(r, lists[i].ret);
		assert_memory_equal(of, lists[i].of, sizeof(of));
		buf_done(&l.bytes);
	}
}

static void an_entry_is_taken_apart(void **state)
{
	struct list l;
	struct buf_reader r;
	struct imalog_entry e;
	struct why why = {""};

	(void)state;
	load(&l, "ibmtss_sha1.log", 20);
	r = buf_reader_of(l.bytes.data, l.bytes.size);
	assert_int_equal(imalog_next(&r, 20, &e, &why), 1);
	assert_int_equal(e.pcr, 10);
	assert_int_equal(e.template, IMALOG_SIG);
	assert_string_equal(e.name, "boot_aggregate");
	assert_string_equal(e.file.algorithm, "sha256");
	assert_true(imalog_is_sha256(&e));
	assert_int_equal(e.file.bytes.data[0], 0x8c);
	assert_int_equal(e.signature.size, 0);
	assert_false(e.violation);
	assert_int_equal(imalog_next(&r, 20, &e, &why), 1);
	assert_string_equal(e.name, "/usr/bin/kmod");
	buf_done(&l.bytes);
}

/* One of nearly every template, as they stand in the list. */
static void every_template_is_taken_apart(void **state)
{
	static const struct {
		const char *template_name, *algorithm, *name;
		size_t signature, buffer, modsig;
		bool verity;
		const char *unsigned_algorithm;
	} all[] = {
		{"d-ng|sig", "sha1", NULL, 0, 0, 0, false, ""},
		{"n-ng|d-ng", "sha1", "boot_aggregate", 0, 0, 0, false, ""},
		{"n-ng|sig|d-ng", "sha1", "boot_aggregate", 0, 0, 0, false, ""},
		{"n-ng|sig", "", "boot_aggregate", 0, 0, 0, false, ""},
		{"n", "", "boot_aggregate", 0, 0, 0, false, ""},
		{"sig", "", NULL, 0, 0, 0, false, ""},
		{"ima", "sha1", "boot_aggregate", 0, 0, 0, false, ""},
		{"ima-ng", "sha1", "boot_aggregate", 0, 0, 0, false, ""},
		{"ima-sig", "sha1", "boot_aggregate", 0, 0, 0, false, ""},
		{"ima-modsig", "sha256",
		 "/usr/lib/modules/5.4.0-rc7+/kernel/drivers/gpu/drm/"
		 "drm_panel_orientation_quirks.ko",
		 0, 0, 0, false, ""},
		{"ima-sig", "sha256", "/usr/lib/systemd/systemd", 265, 0, 0, false, ""},
		{"ima-sig", "sha256", "/usr/lib/systemd/systemd", 80, 0, 0, false, ""},
		{"ima-sigv2", "sha256", "/tmp/lower/lower/lower-file.txt", 0, 0, 0, false, ""},
		{"ima-buf", "sha256", ".builtin_trusted_keys", 0, 1324, 0, false, ""},
		{"evm-sig", "sha256", "/tmp/lower/lower/foo-evmsig-4.txt", 0, 0, 0, false, ""},
		{"ima-ngv2", "sha256", "boot_aggregate", 0, 0, 0, false, ""},
		{"ima-modsig", "sha256", "/boot/vmlinuz-6.1.6-200.fc37.x86_64", 0, 0, 397, false,
		 "sha256"},
	};
	struct list l;
	struct buf_reader r;
	struct imalog_entry e;
	struct why why = {""};

	(void)state;
	load(&l, "ibmtss_imatest.log", 20);
	r = buf_reader_of(l.bytes.data, l.bytes.size);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(imalog_next(&r, 20, &e, &why), 1);
		assert_int_equal(e.template_name.size, strlen(all[i].template_name));
		assert_memory_equal(e.template_name.data, all[i].template_name,
				    e.template_name.size);
		assert_string_equal(e.file.algorithm, all[i].algorithm);
		assert_int_equal(e.name != NULL, all[i].name != NULL);
		assert_int_equal(e.name_size, all[i].name ? strlen(all[i].name) : 0);
		if (e.name)
			assert_memory_equal(e.name, all[i].name, e.name_size);
		assert_int_equal(e.signature.size, all[i].signature);
		assert_int_equal(e.buffer.size, all[i].buffer);
		assert_int_equal(e.modsig.size, all[i].modsig);
		assert_int_equal(e.verity, all[i].verity);
		assert_string_equal(e.unsigned_file.algorithm, all[i].unsigned_algorithm);
	}
	assert_int_equal(imalog_next(&r, 20, &e, &why), 0);
	buf_done(&l.bytes);
}

/* As a reader of the kernel's file meets it: what is cut short is not yet there. */
static void whole_entries_are_told_from_a_piece(void **state)
{
	struct list l;
	struct why why = {""};
	size_t end, before = 0;
	uint64_t n, most = 0;

	(void)state;
	load(&l, "ibmtss_sha1.log", 20);
	for (size_t size = 0; size < 2000; size++) {
		assert_int_equal(imalog_whole(l.bytes.data, size, 20, size, &end, &n, &why), 0);
		assert_true(end <= size && end >= before && n >= most);
		before = end;
		most = n;
	}
	assert_true(most > 10);
	assert_int_equal(imalog_whole(l.bytes.data, l.bytes.size, 20, l.bytes.size, &end, &n, &why),
			 0);
	assert_int_equal(n, 362);
	assert_int_equal(end, l.bytes.size);
	/* And not more than one wants. */
	assert_int_equal(imalog_whole(l.bytes.data, l.bytes.size, 20, 1000, &end, &n, &why), 0);
	assert_in_range(end, 800, 1000);
	l.bytes.data[24] = 0xff; /* the size of the first template's name */
	assert_int_equal(imalog_whole(l.bytes.data, l.bytes.size, 20, 1000, &end, &n, &why),
			 -EBADMSG);
	buf_done(&l.bytes);
}

static int one(const void *data, size_t size, struct why *why)
{
	struct buf_reader r = buf_reader_of(data, size);
	struct imalog_entry e;

	why->text[0] = 0;
	return imalog_next(&r, 20, &e, why);
}

static void broken_twins_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t to;
		const char *why;
	} twins[] = {
		{0, 24, "PCR 24 is none"},
		{24, 200, "a template's name of 200 bytes"},
	};
	struct list l;
	struct why why;
	uint8_t entry[256];
	size_t size;
	uint64_t n;

	(void)state;
	load(&l, "ibmtss_sha1.log", 20);
	assert_int_equal(imalog_whole(l.bytes.data, l.bytes.size, 20, 120, &size, &n, &why), 0);
	assert_int_equal(n, 1);
	memcpy(entry, l.bytes.data, size);
	assert_int_equal(one(entry, size, &why), 1);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		entry[twins[i].at] = twins[i].to;
		assert_int_equal(one(entry, size, &why), -EBADMSG);
		assert_non_null(strstr(why.text, twins[i].why));
		memcpy(entry, l.bytes.data, size);
	}
	entry[38] = 0xff; /* data of 16 MiB */
	assert_int_equal(one(entry, size, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "data of "));
	memcpy(entry, l.bytes.data, size);
	entry[39] = 39; /* the digest's part, a byte shorter */
	assert_int_equal(one(entry, size, &why), -EBADMSG);
	memcpy(entry, l.bytes.data, size);
	entry[35 + 0] += 1; /* a byte behind the last part */
	entry[size] = 0;
	assert_int_equal(one(entry, size + 1, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "not as long as it says"));
	memcpy(entry, l.bytes.data, size);
	entry[size - 5] = 'x'; /* the name's NUL */
	assert_int_equal(one(entry, size, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "a name that no NUL ends"));
	memcpy(entry, l.bytes.data, size);
	entry[49] = 'x'; /* "sha256" and then no colon */
	assert_int_equal(one(entry, size, &why), -EBADMSG);
	memcpy(entry, l.bytes.data, size);
	memcpy(entry + 43, "sha384", 6); /* of 32 bytes */
	assert_int_equal(one(entry, size, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "a sha384 digest of 32 bytes"));
	for (size_t cut = 1; cut < size; cut++) {
		assert_int_equal(one(l.bytes.data, cut, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "cut short at byte 0"));
	}
	assert_int_equal(one(l.bytes.data, 0, &why), 0);
	buf_done(&l.bytes);
}

static bool is_misnamed(const char *template, const struct buf *data)
{
	struct ima_maker *m = calloc(1, sizeof(*m));
	struct imalog_entry e;
	struct buf_reader r;
	struct why why;
	bool misnamed;

	assert_non_null(m);
	ima_maker_open(m);
	ima_maker_raw(m, 10, template, data->data, data->size, false);
	r = buf_reader_of(m->list.data, m->list.size);
	assert_int_equal(imalog_next(&r, 20, &e, &why), 1);
	misnamed = e.misnamed;
	ima_maker_done(m);
	free(m);
	return misnamed;
}

/* A register has an entry's data and not its template's name: under another one a program, or its signature, would not be seen. */
static void another_templates_name_is_told(void **state)
{
	static const uint8_t digest[8 + 32] = "sha256:", evm[] = {5, 2, 4, 0},
					sig[] = {3, 2, 4, 1, 2, 3, 4, 0, 2, 0xaa, 0xbb};
	static const struct {
		const char *name;
		bool hides; /* of a digest, a name and an IMA signature */
	} lies[] = {
		{"ima-sig", false},
		{"d-ng|n-ng|sig", false},
		{"evmsig|n-ng|sig", true},
		{"xattrnames|n-ng|sig", true},
		{"sig|n-ng|sig", true},
		{"modsig|n-ng|sig", true},
		{"d-modsig|n-ng|sig", true},
		{"d-ng|n-ng|evmsig", true},
		{"d-ng|n-ng|xattrvalues", true},
		/* Of what no kernel of ours knows, every field may be where a file was measured. */
		{"zz", true},
		{"ima-ng9", true},
		{"zz|n-ng|sig", true},
		{"d-ng|zz|sig", true},
		{"d-ng|n-ng|zz", true},
		{"d-ng|n-ng|sig|", true},
		{"", true}};
	struct buf data = {0};

	(void)state;
	ima_maker_field(&data, digest, sizeof(digest));
	ima_maker_field(&data, "/bin/x", 7);
	ima_maker_field(&data, sig, sizeof(sig));
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		if (is_misnamed(lies[i].name, &data) != lies[i].hides)
			fail_msg("%s", lies[i].name);
	buf_done(&data);
	/* Beside EVM's own signature an attribute may be IMA's. */
	ima_maker_field(&data, digest, sizeof(digest));
	ima_maker_field(&data, "/bin/x", 7);
	ima_maker_field(&data, evm, sizeof(evm));
	ima_maker_field(&data, "security.ima", 13);
	ima_maker_field(&data, "\13\0\0\0", 4);
	ima_maker_field(&data, sig, sizeof(sig));
	assert_false(is_misnamed("d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues", &data));
	/* Lists that somebody chose for his machine are no lie. */
	buf_done(&data);
	ima_maker_field(&data, digest, sizeof(digest));
	ima_maker_field(&data, "/bin/x", 7);
	ima_maker_field(&data, "\0\0\0\0", 4);
	ima_maker_field(&data, "\355\201", 2);
	assert_false(is_misnamed("d-ng|n-ng|iuid|imode", &data));
	assert_true(is_misnamed("d-ng|n-ng|iuid|zz", &data));
	/* Nor is a template that is not known, where nothing was measured. */
	buf_done(&data);
	ima_maker_field(&data, "/bin/x", 7);
	ima_maker_field(&data, "sha256", 6);
	assert_false(is_misnamed("zz", &data));
	buf_put_u8(&data, 0);
	assert_false(is_misnamed("zz", &data));
	buf_done(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_lists_are_read),
		cmocka_unit_test(an_entry_is_taken_apart),
		cmocka_unit_test(every_template_is_taken_apart),
		cmocka_unit_test(whole_entries_are_told_from_a_piece),
		cmocka_unit_test(broken_twins_are_refused),
		cmocka_unit_test(another_templates_name_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
