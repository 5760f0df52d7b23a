/* SPDX-License-Identifier: Apache-2.0 */
/* test_mounts.c: mountinfo lines, good and broken, and what a changed table has to say about watched paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "mountinfo.h"

#include "../../userspace/agent/mounts.h"

static void good_lines_are_read(void **state)
{
	const char *text = "36 35 98:0 /mnt1 /etc/my\\040conf\\134x rw,noatime master:1 "
			   "propagate_from:2 - ext3 /dev/root rw,errors=continue";
	struct mountinfo_entry e;
	struct why why = {""};

	(void)state;
	assert_int_equal(mountinfo_parse(text, strlen(text), &e, &why), 0);
	assert_int_equal(e.id, 36);
	assert_int_equal(e.parent_id, 35);
	assert_int_equal(e.major, 98);
	assert_int_equal(e.minor, 0);
	assert_string_equal(e.root, "/mnt1");
	assert_string_equal(e.point, "/etc/my conf\\x");
	assert_string_equal(e.fstype, "ext3");
	assert_string_equal(e.source, "/dev/root");
	text = "41 25 0:23 / /mnt rw - tmpfs  rw";
	assert_int_equal(mountinfo_parse(text, strlen(text), &e, &why), 0);
	assert_string_equal(e.source, "none");
}

/* As long as mount(2) lets whoever mounts make them: a tenant's NFS export, a FUSE file system's own name. */
static void long_words_are_cut(void **state)
{
	static char text[16384], words[8192];
	struct mountinfo_entry e;
	struct why why = {""};

	(void)state;
	memset(words, 'a', sizeof(words) - 1);
	snprintf(text, sizeof(text), "41 25 0:23 / /mnt rw - nfs %.4095s rw", words);
	assert_int_equal(mountinfo_parse(text, strlen(text), &e, &why), 0);
	assert_int_equal(strlen(e.source), 4095);
	assert_int_equal(e.super_size, 2);
	snprintf(text, sizeof(text), "41 25 0:23 / /mnt rw - fuse.%.4090s \\040%.8000s x=y", words,
		 words);
	assert_int_equal(mountinfo_parse(text, strlen(text), &e, &why), 0);
	assert_int_equal(strlen(e.fstype), sizeof(e.fstype) - 1);
	assert_int_equal(strncmp(e.fstype, "fuse.a", 6), 0);
	assert_int_equal(strlen(e.source), 4095);
	assert_int_equal(strncmp(e.source, " a", 2), 0);
	assert_int_equal(strncmp(e.super, "x=y", e.super_size), 0);
	/* Not a broken one. */
	snprintf(text, sizeof(text), "41 25 0:23 / /mnt rw - nfs %.5000s\\09 rw", words);
	assert_int_equal(mountinfo_parse(text, strlen(text), &e, &why), -EBADMSG);
}

static void broken_lines_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"x 35 98:0 / / rw - ext4 /dev/a rw",
		"36",
		"36 35 98 / / rw - ext4 /dev/a rw",
		"36 35 98:0",
		"36 35 98:0 / / rw ext4 /dev/a rw",
		"36 35 98:0 / / rw -",
		"36 35 98:0 / / rw - ext4",
		"99999999999999999999 35 98:0 / / rw - ext4 /dev/a rw",
		"36 35 98:0 /\\04 / rw - ext4 /dev/a rw",
		"36 35 98:0 /\\777 / rw - ext4 /dev/a rw",
		"36 35 98:0 /\\000 / rw - ext4 /dev/a rw",
		"36 35 98:0 /a\\",
	};
	char big[6000];
	struct mountinfo_entry e;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why.text[0] = '\0';
		if (mountinfo_parse(rows[i], strlen(rows[i]), &e, &why) != -EBADMSG || !why.text[0])
			fail_msg("\"%s\" was taken", rows[i]);
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "36 35 98:0 /", 12);
	assert_int_equal(mountinfo_parse(big, sizeof(big), &e, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "root has more than"));
}

struct bench {
	char keys[32][256], founds[32][256], ops[32][16];
	enum plumb_type types[32];
	uint32_t n, wanted;
	uint64_t lost;
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_true(b->n < 32);
	snprintf(b->keys[b->n], sizeof(b->keys[0]), "%s", l->key);
	snprintf(b->founds[b->n], sizeof(b->founds[0]), "%s", l->found);
	snprintf(b->ops[b->n], sizeof(b->ops[0]), "%s", l->op ? l->op : "");
	b->types[b->n++] = l->type;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->lost += n;
}

static void on_want(void *ctx)
{
	((struct bench *)ctx)->wanted++;
}

static void write_table(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

#define ROOT "25 1 254:0 / / rw - ext4 /dev/vda rw\n"
#define ELSEWHERE "30 25 0:30 / /var/lib/x rw - tmpfs tmpfs rw\n"
#define OVER "31 25 0:31 / /watched/dir rw - tmpfs evil rw\n"
#define OVER_AGAIN "32 31 254:0 /home/x /watched/dir rw - ext4 /dev/vda rw\n"
#define BELOW "33 25 0:33 / /watched/dir/sub rw - tmpfs sub rw\n"

static void mounts_over_watched_paths_are_told(void **state)
{
	char path[] = "/tmp/plumb-test-mounts-XXXXXX";
	const char *watched[] = {"/watched/dir"};
	struct bench b = {.n = 0};
	const struct measure_sink sink = {&b, on_line, NULL, on_lost};
	struct event_base *base = event_base_new();
	struct file_set *files = NULL;
	struct hash_cache *cache = NULL;
	struct mounts *m = NULL;
	struct why why = {""};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(hash_cache_open(16, 0, &cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = watched,
								  .n_paths = 1,
								  .hash_cache = cache,
								  .clock = clock_system()},
				       &sink, &files, &why),
			 0);
	assert_int_equal(file_set_on_want(files, on_want, &b), 0);
	write_table(path, ROOT ELSEWHERE);
	assert_int_equal(mounts_open(base,
				     &(struct mounts_options){
					     .files = files, .clock = clock_system(), .path = path},
				     &sink, &m, &why),
			 0);
	/* The mount that carries it is a claim; the one elsewhere is nobody's business. */
	assert_int_equal(b.n, 1);
	assert_int_equal(b.types[0], PLUMB_TYPE_CLAIM);
	assert_string_equal(b.keys[0], "mount:/");
	assert_string_equal(b.founds[0], "ext4 /dev/vda /");
	assert_int_equal(b.wanted, 0);

	write_table(path, ROOT ELSEWHERE OVER BELOW);
	assert_int_equal(mounts_check(m), 2);
	assert_int_equal(b.types[1], PLUMB_TYPE_MOUNT);
	assert_string_equal(b.keys[1], "mount:/watched/dir");
	assert_string_equal(b.founds[1], "tmpfs evil /");
	assert_string_equal(b.ops[1], "mount");
	assert_string_equal(b.keys[2], "mount:/watched/dir/sub");
	assert_int_equal(b.wanted, 1);
	assert_int_equal(mounts_check(m), 0); /* told once */

	write_table(path, ROOT ELSEWHERE OVER OVER_AGAIN);
	assert_int_equal(mounts_check(m), 2);
	assert_string_equal(b.founds[3], "ext4 /dev/vda /home/x");
	assert_string_equal(b.keys[4], "mount:/watched/dir/sub");
	assert_string_equal(b.founds[4], "absent");
	assert_string_equal(b.ops[4], "umount");

	write_table(path,
		    ROOT ELSEWHERE OVER); /* the upper one goes: the lower one is what is there */
	assert_int_equal(mounts_check(m), 1);
	assert_string_equal(b.founds[5], "tmpfs evil /");
	assert_string_equal(b.ops[5], "umount");
	assert_int_equal(b.lost, 0);
	write_table(path, ROOT OVER "garbage\n");
	assert_int_equal(mounts_check(m), 0);
	assert_int_equal(b.lost, 1);

	mounts_free(m);

	/* At the start that on top is what is there. */
	write_table(path, ROOT OVER OVER_AGAIN);
	b.n = 0;
	assert_int_equal(mounts_open(base,
				     &(struct mounts_options){
					     .files = files, .clock = clock_system(), .path = path},
				     &sink, &m, &why),
			 0);
	assert_int_equal(b.n, 2);
	assert_string_equal(b.keys[1], "mount:/watched/dir");
	assert_string_equal(b.founds[1], "ext4 /dev/vda /home/x");
	mounts_free(m);
	file_set_free(files);
	hash_cache_free(cache);
	event_base_free(base);
	unlink(path);
}

static void own_table_is_read(void **state)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	struct mountinfo_entry e;
	struct why why = {""};
	char *text = NULL;
	size_t room = 0;
	ssize_t n;

	(void)state;
	assert_non_null(f);
	for (n = getline(&text, &room, f); n > 0; n = getline(&text, &room, f)) {
		if (mountinfo_parse(text, (size_t)n - 1, &e, &why) != 0)
			fail_msg("%s: %s", text, why.text);
	}
	free(text);
	fclose(f);
}

/* In a mount namespace of its own, so that nothing is mounted for anybody else. */
static void real_mount_wakes_us(void **state)
{
	char top[] = "/tmp/plumb-test-mount-XXXXXX";
	const char *watched[] = {top};
	struct bench b = {.n = 0};
	const struct measure_sink sink = {&b, on_line, NULL, on_lost};
	struct event_base *base = event_base_new();
	struct file_set *files = NULL;
	struct hash_cache *cache = NULL;
	struct mounts *m = NULL;
	struct why why = {""};
	struct timeval tv = {1, 0};
	uint32_t before;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("# no mount namespace of its own: %s\n", strerror(errno));
		event_base_free(base);
		skip();
	}
	assert_non_null(mkdtemp(top));
	assert_int_equal(hash_cache_open(16, 0, &cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = watched,
								  .n_paths = 1,
								  .hash_cache = cache,
								  .clock = clock_system()},
				       &sink, &files, &why),
			 0);
	assert_int_equal(
		mounts_open(base, &(struct mounts_options){.files = files, .clock = clock_system()},
			    &sink, &m, &why),
		0);
	before = b.n;
	assert_int_equal(mount("evil", top, "tmpfs", 0, NULL), 0);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	assert_int_equal(b.n, before + 1);
	assert_string_equal(b.founds[before], "tmpfs evil /");
	assert_int_equal(umount(top), 0);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	assert_int_equal(b.n, before + 2);
	assert_string_equal(b.founds[before + 1], "absent");
	mounts_free(m);
	file_set_free(files);
	hash_cache_free(cache);
	event_base_free(base);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines_are_read),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(broken_lines_are_refused),
		cmocka_unit_test(mounts_over_watched_paths_are_told),
		cmocka_unit_test(own_table_is_read),
		cmocka_unit_test(real_mount_wakes_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
