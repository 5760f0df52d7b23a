/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts over watched paths in other mount namespaces: a /proc of its own for what is what, and a child in a namespace of its own, with mounts
 * of this test's directory, for the kernel's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "claims_fixture.h"
#include "scan_mntns.h"
#include "served.h"

#define OURS                                                                          \
	"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /srv rw - ext4 /dev/sda2 rw\n" \
	"3 1 8:1 /data /bound rw - ext4 /dev/sda1 rw\n"

/* In the C library's place: whose root was asked about so that its server had to answer. */
static uint32_t n_asked_root;

int stat(const char *restrict path, struct stat *restrict ret)
{
	if (strstr(path, "/13/root"))
		n_asked_root++;
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, ret, 0);
}

struct bench {
	struct claims_fixture f;
	struct hash_cache *cache;
	struct file_set *files;
	bool whole;
};

static void on_line(void *ctx, const struct line *l)
{
	(void)ctx;
	(void)l;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static void watch(struct bench *b, const char *one, const char *two)
{
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	const char *paths[] = {one, two};
	struct why why = {""};

	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 2,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &sink, &b->files, &why),
			 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	claims_fixture_open(&b->f);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	file_set_free(b->files);
	hash_cache_free(b->cache);
	claims_fixture_done(&b->f);
	free(b);
	return 0;
}

/* A process of a /proc of our own: its namespace and its root are files that are links of others. */
static void process(struct bench *b, const char *pid, const char *ns, const char *root,
		    const char *mounts)
{
	char name[64];

	scratch_run(b->f.top,
		    "mkdir -p proc/%s/ns ns root/%s && touch ns/%s && rm -f proc/%s/ns/mnt "
		    "proc/%s/root && ln ns/%s proc/%s/ns/mnt && "
		    "ln -s ../../root/%s proc/%s/root",
		    pid, root, ns, pid, pid, ns, pid, root, pid);
	snprintf(name, sizeof(name), "proc/%s/mountinfo", pid);
	claims_fixture_text(&b->f, name, mounts);
}

static int scan(struct bench *b)
{
	struct scan_mntns *m;
	int r, put = -1;

	assert_int_equal(scan_mntns_open(&b->f.source, b->files, &m), 0);
	do
		r = scan_mntns_step(m, &put);
	while (r == 1);
	b->whole = scan_mntns_is_whole(m);
	scan_mntns_free(m);
	assert_int_equal(r, 0);
	return put;
}

static const char *found(struct bench *b, const char *path)
{
	char key[300];

	snprintf(key, sizeof(key), "mountns:%s", path);
	return claims_fixture_found(&b->f, key);
}

static void test_what_is_what(void **state)
{
	struct bench *b = *state;

	watch(b, "/etc/ssh", "/srv/www");
	process(b, "self", "host", "/", OURS);
	process(b, "1", "host", "/", OURS "9 1 0:9 / /etc/ssh rw - tmpfs none rw\n");
	/* A container: a root of its own. */
	process(b, "20", "container", "c",
		"1 0 0:5 / / rw - overlay overlay rw\n2 1 0:6 / /etc/ssh rw - tmpfs t rw\n");
	/* A service: the same files, read only; and a directory that nobody watches. */
	process(b, "30", "service", "/",
		OURS "4 1 8:1 /etc /etc ro - ext4 /dev/sda1 rw\n5 2 8:2 /www /srv/www ro - ext4 "
		     "/dev/sda2 rw\n"
		     "6 1 0:7 / /tmp rw - tmpfs tmpfs rw\n");
	assert_int_equal(scan(b), 2);
	assert_true(b->whole);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:mount_namespaces"), "listed");
	assert_string_equal(claims_fixture_found(&b->f, "kernel:chroots"), "none");
	assert_int_equal(b->f.n, 2);
	/* Other files: of another file system, of another place of the same, over an ancestor, below. */
	process(b, "40", "evil", "/",
		OURS "4 1 0:9 / /etc rw - tmpfs none rw\n5 1 8:1 /tmp/x /etc/ssh rw - ext4 "
		     "/dev/sda1 rw\n");
	process(b, "41", "evil2", "/", OURS "4 1 0:8 / /etc/ssh rw - tmpfs two rw\n");
	process(b, "42", "evil3", "/", OURS "4 1 8:2 /other /srv/www/a rw - ext4 /dev/sda2 rw\n");
	assert_int_equal(scan(b), 3);
	assert_string_equal(found(b, "/etc"), "tmpfs none /");
	assert_string_equal(found(b, "/etc/ssh"), "ext4 /dev/sda1 /tmp/x,tmpfs two /");
	assert_string_equal(found(b, "/srv/www/a"), "ext4 /dev/sda2 /other");
}

/* What systemd mounts to take a path away shows nobody anything, unless somebody put something there. */
static void test_taken_away(void **state)
{
	struct bench *b = *state;
	char mounts[512];
	struct stat st;

	watch(b, "/etc/ssh", "/srv/www");
	b->f.source.root = b->f.top;
	scratch_run(
		b->f.top,
		"mkdir -p run/systemd/inaccessible/dir && touch run/systemd/inaccessible/reg && "
		"chmod 000 run/systemd/inaccessible/*");
	assert_int_equal(lstat(b->f.top, &st), 0);
	process(b, "self", "host", "/", OURS);
	snprintf(mounts, sizeof(mounts),
		 OURS "4 1 %u:%u /systemd/inaccessible/dir /etc/ssh ro - tmpfs tmpfs rw\n"
		      "5 1 %u:%u /systemd/inaccessible/reg /srv/www ro - tmpfs tmpfs rw\n",
		 major(st.st_dev), minor(st.st_dev), major(st.st_dev), minor(st.st_dev));
	process(b, "30", "service", "/", mounts);
	assert_int_equal(scan(b), 2); /* what is said of each scan */
	assert_int_equal(b->f.n, 2);
	/* The same words, another file system. */
	process(b, "31", "evil", "/",
		OURS "4 1 0:9 /systemd/inaccessible/dir /etc/ssh ro - tmpfs tmpfs rw\n");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "/etc/ssh"), "tmpfs tmpfs /systemd/inaccessible/dir");
	scratch_run(b->f.top, "echo a >run/systemd/inaccessible/reg");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "/srv/www"), "tmpfs tmpfs /systemd/inaccessible/reg");
	scratch_run(b->f.top, "rm -r proc/31 && echo a >run/systemd/inaccessible/dir/sshd_config");
	assert_int_equal(scan(b), 0);
	assert_string_equal(found(b, "/etc/ssh"), "tmpfs tmpfs /systemd/inaccessible/dir");
}

/* A process that was chrooted says nothing about its namespace, and does not hide it from the others that are in it. */
static void test_chroot(void **state)
{
	struct bench *b = *state;

	watch(b, "/etc/ssh", "/srv/www");
	process(b, "self", "host", "/", OURS);
	process(b, "10", "evil", "jail", OURS);
	process(b, "11", "evil", "/", OURS "4 1 0:9 / /etc/ssh rw - tmpfs none rw\n");
	process(b, "12", "evil", "jail", OURS);
	assert_int_equal(scan(b), 3);
	assert_string_equal(found(b, "/etc/ssh"), "tmpfs none /");
	assert_string_equal(claims_fixture_found(&b->f, "kernel:chroots"), "none");
	/* In our own namespace it is one who reads other files than we do. */
	process(b, "13", "host", "jail", OURS);
	process(b, "14", "host", "cell", OURS);
	process(b, "15", "host", "jail", OURS);
	assert_int_equal(scan(b), 1);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:chroots"),
			    "../../root/cell,../../root/jail");
}

/* Whoever has mounts of his own may serve what stands there, and answer when he likes. */
static void test_served(void **state)
{
	struct bench *b = *state;
	char mounts[512];
	struct statx st;

	watch(b, "/plumb-served/file", "/srv/www");
	process(b, "self", "host", "/", OURS);
	scratch_run(b->f.top, "mkdir root/plumb-served && echo a >root/plumb-served/file");
	assert_int_equal(statx(AT_FDCWD, b->f.top, 0, STATX_MNT_ID, &st), 0);
	snprintf(mounts, sizeof(mounts), OURS "%llu 1 0:9 / /plumb-served rw - fuse x rw\n",
		 (unsigned long long)st.stx_mnt_id);
	process(b, "50", "served", "/", mounts);
	assert_true(scan(b) > 0);
	assert_string_equal(found(b, "/plumb-served"), "fuse x /");
	assert_string_equal(found(b, "file:/plumb-served/file"), "unknown " SERVED_WHY);
	snprintf(mounts, sizeof(mounts), OURS "%llu 1 0:9 / /plumb-served rw - tmpfs x rw\n",
		 (unsigned long long)st.stx_mnt_id);
	process(b, "50", "served", "/", mounts);
	assert_true(scan(b) > 0);
	assert_non_null(strstr(found(b, "file:/plumb-served/file"), " 2 sha256:87428fc522803d31"));
}

/* Nor is a root asked about that is on such a file system. */
static void test_root(void **state)
{
	struct bench *b = *state;

	watch(b, "/etc/ssh", "/srv/www");
	process(b, "self", "host", "/", OURS);
	process(b, "13", "host", "jail", OURS);
	n_asked_root = 0;
	(void)scan(b);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:chroots"), "../../root/jail");
	assert_int_equal(n_asked_root, 0);
}

static void test_blind(void **state)
{
	struct bench *b = *state;

	watch(b, "/etc/ssh", "/srv/www");
	process(b, "self", "host", "/", OURS);
	process(b, "10", "odd", "/", OURS "4 1 no mountinfo\n");
	scan(b);
	assert_false(b->whole);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:mount_namespaces"),
			    "unknown EBADMSG");
	/* And the others are looked at: behind the bad line, in other namespaces, and with one in our own table. */
	process(b, "self", "host", "/", "9 1 no mountinfo\n" OURS);
	process(b, "11", "evil", "/",
		OURS "4 1 no mountinfo\n5 1 0:9 / /etc/ssh rw - tmpfs none rw\n"
		     "6 1 8:1 /srv/x /srv/www rw - ext4 /dev/sda1 rw\n");
	scan(b);
	assert_false(b->whole);
	assert_string_equal(found(b, "/etc/ssh"), "tmpfs none /");
	assert_string_equal(found(b, "/srv/www"), "ext4 /dev/sda1 /srv/x");
	process(b, "self", "host", "/", OURS);
	claims_fixture_remove(&b->f, "proc/11/mountinfo");
	/* One that ended is none. */
	claims_fixture_remove(&b->f, "proc/10/mountinfo");
	scan(b);
	assert_true(b->whole);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:mount_namespaces"), "listed");
	claims_fixture_remove(&b->f, "proc/self");
	scan(b);
	assert_false(b->whole);
	assert_string_equal(claims_fixture_found(&b->f, "kernel:mount_namespaces"),
			    "unknown ENOENT");
	assert_string_equal(claims_fixture_found(&b->f, "kernel:chroots"), "unknown ENOENT");
}

/* The kernel's own: a child in a mount namespace of its own puts a directory of this test over another one. */
static pid_t start_child(const char *from, const char *to, int *ret_fd)
{
	int ready[2], hold[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount(from, to, NULL, MS_BIND, NULL) < 0)
			c = 1;
		(void)!write(ready[1], &c, 1);
		(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_true(pid > 0);
	if (read(ready[0], &c, 1) != 1)
		c = 1;
	close(ready[0]);
	*ret_fd = hold[1];
	if (c != 0) {
		close(hold[1]);
		waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

static void test_real(void **state)
{
	struct bench *b = *state;
	char etc[128], evil[128];
	pid_t pid;
	int fd;

	const struct file_set_deed first = {.src = "scan", .op = "rescan"};
	char name[160];

	scratch_run(b->f.top, "mkdir etc evil; echo a >etc/file; echo a >etc/same; "
			      "echo b >evil/file; cp -p etc/same evil/same; echo c >etc/gone");
	snprintf(etc, sizeof(etc), "%s/etc", b->f.top);
	snprintf(evil, sizeof(evil), "%s/evil", b->f.top);
	b->f.source.proc = NULL;
	watch(b, etc, "/nothing/there");
	for (uint32_t i = 0; i < file_set_n(b->files); i++)
		assert_true(file_set_check(b->files, file_set_path_at(b->files, i), &first) >= 0);
	/* On itself it shows what we see. */
	pid = start_child(etc, etc, &fd);
	if (pid < 0)
		skip();
	scan(b);
	assert_string_equal(found(b, etc), "(not put)");
	close(fd);
	waitpid(pid, NULL, 0);
	pid = start_child(evil, etc, &fd);
	assert_true(pid > 0);
	scan(b);
	assert_non_null(strstr(found(b, etc), "/evil"));
	/* What the files are there: the one that is other, and not those that are the same or are not there. */
	snprintf(name, sizeof(name), "file:%s/file", etc);
	assert_non_null(strstr(found(b, name), " 2 sha256:0263829989b6fd954f72baaf2fc64bc2"));
	snprintf(name, sizeof(name), "file:%s/same", etc);
	assert_string_equal(found(b, name), "(not put)");
	snprintf(name, sizeof(name), "file:%s/gone", etc);
	assert_string_equal(found(b, name), "(not put)");
	close(fd);
	waitpid(pid, NULL, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_what_is_what), T(test_taken_away), T(test_chroot),
					   T(test_blind),	 T(test_served),     T(test_root),
					   T(test_real)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
