/* SPDX-License-Identifier: Apache-2.0 */
/* A directory through an archive and back; and archives that somebody else made: what was not signed for is not written, and nothing elsewhere. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "incident_files.h"
#include "scratch.h"

static struct sign_key *key;
static char dir[SCRATCH_SIZE], from[96], to[96], file[96];
static struct incident_manifest m;
static struct buf envelope;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	scratch_open(dir, "files");
	snprintf(from, sizeof(from), "%s/from", dir);
	snprintf(to, sizeof(to), "%s/to", dir);
	snprintf(file, sizeof(file), "%s/one.tar.zst", dir);
	scratch_run(dir, "mkdir -p from/ledger to && printf hello >from/a.txt && printf x "
			 ">from/ledger/anchors && "
			 ": >from/ledger/notes");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	incident_manifest_done(&m);
	buf_done(&envelope);
	sign_key_free(key);
	scratch_done(dir);
	return 0;
}

static void sign(void)
{
	struct why why = {""};

	incident_manifest_done(&m);
	buf_clear(&envelope);
	m = (struct incident_manifest){.to_ns = 1, .made_ns = 1};
	if (incident_files_list(from, &m, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(incident_manifest_sign(&m, key, &envelope), 0);
}

static int unpack(const char *path, struct why *why)
{
	const struct sign_key *one = key;
	struct incident_manifest back;
	int fd = open(path, O_RDONLY), r;

	assert_true(fd >= 0);
	scratch_run(dir, "rm -rf to && mkdir to");
	why->text[0] = 0;
	r = incident_files_unpack(fd, to, &one, 1, &back, why);
	close(fd);
	if (r >= 0)
		incident_manifest_done(&back);
	return r;
}

static void test_there_and_back(void **state)
{
	struct why why = {""};
	struct stat st;

	(void)state;
	sign();
	assert_int_equal(m.n_files, 3);
	assert_int_equal(incident_files_pack(from, &m, &envelope, file, &why), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unpack(file, &why), 0);
	scratch_run(dir, "diff -r from to");
	/* A signed size that the file does not have any more is no archive. */
	scratch_run(dir, "mv one.tar.zst old && printf hell >from/a.txt");
	incident_files_pack(from, &m, &envelope, file, &why);
	assert_int_equal(unpack(file, &why), -EBADMSG);
	scratch_run(dir, "printf hello >from/a.txt");
}

static void test_what_may_not_be_in_one(void **state)
{
	struct why why = {""};

	(void)state;
	scratch_run(dir, "ln -s /etc/passwd from/link");
	assert_int_equal(incident_files_list(from, &m, &why), -EINVAL);
	scratch_run(dir, "rm from/link && touch from/.hidden");
	assert_int_equal(incident_files_list(from, &m, &why), -EINVAL);
	scratch_run(dir, "rm from/.hidden");
}

/* An archive of these entries; type 0: a plain file. */
struct entry {
	const char *name, *data;
	unsigned int type;
	const char *link;
};

static int of_entries(const struct entry *e, size_t n, struct why *why)
{
	struct archive *a = archive_write_new();

	archive_write_set_format_pax_restricted(a);
	assert_int_equal(archive_write_open_filename(a, file), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *h = archive_entry_new();
		bool manifest = strcmp(e[i].name, INCIDENT_MANIFEST_NAME) == 0 && !e[i].data;
		const void *data = manifest ? envelope.data : (const void *)e[i].data;
		size_t size = manifest ? envelope.size : data ? strlen(data) : 0;

		archive_entry_set_pathname(h, e[i].name);
		archive_entry_set_filetype(h, e[i].type ? e[i].type : AE_IFREG);
		archive_entry_set_perm(h, 0644);
		archive_entry_set_size(h, (la_int64_t)size);
		if (e[i].type == AE_IFLNK)
			archive_entry_set_symlink(h, e[i].link);
		else if (e[i].link)
			archive_entry_set_hardlink(h, e[i].link);
		assert_int_equal(archive_write_header(a, h), ARCHIVE_OK);
		if (size > 0)
			archive_write_data(a, data, size);
		archive_entry_free(h);
	}
	archive_write_free(a);
	return unpack(file, why);
}

#define REFUSED(words, ...)                                              \
	do {                                                             \
		const struct entry e_[] = {__VA_ARGS__};                 \
		int r_ = of_entries(e_, sizeof(e_) / sizeof(*e_), &why); \
		if (r_ != -EBADMSG || !strstr(why.text, words))          \
			fail_msg("%d %s", r_, why.text);                 \
	} while (0)

#define MANIFEST                                      \
	{                                             \
		INCIDENT_MANIFEST_NAME, NULL, 0, NULL \
	}

static void test_others_archives(void **state)
{
	const struct entry good[] = {MANIFEST,
				     {"a.txt", "hello", 0, NULL},
				     {"ledger/anchors", "x", 0, NULL},
				     {"ledger/notes", "", 0, NULL}};
	struct why why = {""};

	(void)state;
	sign();
	assert_int_equal(of_entries(good, 4, &why), 0);
	REFUSED("another entry where manifest", {"x", NULL, AE_IFDIR, NULL});
	REFUSED("another entry", {"a.txt", "hello", 0, NULL}, MANIFEST);
	REFUSED("ends before a.txt", MANIFEST);
	REFUSED("size that was signed", MANIFEST, {"a.txt", "hell", 0, NULL});
	REFUSED("size that was signed", MANIFEST, {"a.txt", "hello!", 0, NULL});
	REFUSED("not what was signed", MANIFEST, {"a.txt", "hallo", 0, NULL});
	REFUSED("another entry", MANIFEST, {"../a.txt", "hello", 0, NULL});
	REFUSED("another entry", MANIFEST, {"/a.txt", "hello", 0, NULL});
	REFUSED("another entry", MANIFEST, {"a.txt", NULL, AE_IFLNK, "/etc/passwd"});
	REFUSED("another entry", MANIFEST, {"a.txt", NULL, 0, "/etc/passwd"});
	REFUSED("another entry", MANIFEST, {"a.txt", NULL, AE_IFIFO, NULL});
	REFUSED("more entries", MANIFEST, {"a.txt", "hello", 0, NULL},
		{"ledger/anchors", "x", 0, NULL}, {"ledger/notes", "", 0, NULL},
		{"more", "x", 0, NULL});
	REFUSED("", {INCIDENT_MANIFEST_NAME, "{}", 0, NULL});
}

/* A file whose name is also a directory's: whoever signs it cannot make it be written through. */
static void test_a_file_and_a_directory(void **state)
{
	const struct entry e[] = {MANIFEST, {"a.txt", "hello", 0, NULL}, {"a.txt/b", "x", 0, NULL}};
	struct why why = {""};

	(void)state;
	sign();
	strcpy(m.files[1].name, "a.txt/b");
	m.n_files = 2;
	buf_clear(&envelope);
	assert_int_equal(incident_manifest_sign(&m, key, &envelope), 0);
	assert_true(of_entries(e, 3, &why) < 0);
	assert_non_null(strstr(why.text, "a.txt/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_what_may_not_be_in_one),
		cmocka_unit_test(test_others_archives),
		cmocka_unit_test(test_a_file_and_a_directory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
