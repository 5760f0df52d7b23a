/* SPDX-License-Identifier: Apache-2.0 */
/* Which layer a program on an overlay is of: by mountinfo as kernels write it, and on a real overlay, where what cannot be shown is unknown. */
#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "overlay_layer.h"
#include "scratch.h"

#define DEV 39u /* 0:39 */

static const char two[] =
	"1 0 0:39 / / rw,relatime - overlay overlay "
	"rw,lowerdir=/l/b:/l/a,upperdir=/u/1,workdir=/w\n"
	"2 1 0:5 / /proc rw - proc proc rw\n"
	"3 1 0:40 / /mnt rw shared:7 - overlay none rw,lowerdir=/l/z,upperdir=/u/2,workdir=/w\n";

static int find(const char *text, uint32_t dev, const char *path, struct overlay_layer_place *p)
{
	return overlay_layer_find(text, strlen(text), dev, path, p);
}

static const char *lower(const struct overlay_layer_place *p, uint32_t i)
{
	const char *at = (const char *)p->lowers.data;

	assert_true(i < p->n_lowers);
	while (i--)
		at += strlen(at) + 1;
	return at;
}

static void test_mountinfo(void **state)
{
	struct overlay_layer_place p;

	(void)state;
	assert_int_equal(find(two, DEV, "/usr/bin/app", &p), 0);
	assert_string_equal(p.upper, "/u/1");
	assert_string_equal(p.inside, "usr/bin/app");
	assert_int_equal(p.n_lowers, 2);
	assert_string_equal(lower(&p, 0), "/l/b");
	assert_string_equal(lower(&p, 1), "/l/a");
	buf_done(&p.lowers);
	assert_int_equal(find(two, DEV + 1, "/mnt/x", &p), 0);
	assert_string_equal(p.upper, "/u/2");
	assert_string_equal(p.inside, "x");
	buf_done(&p.lowers);
	/* Another device's, and a name that only begins like the mount's. */
	assert_int_equal(find(two, DEV + 2, "/mnt/x", &p), -ENOENT);
	assert_int_equal(find(two, DEV + 1, "/mntx", &p), -ENOENT);
	assert_int_equal(find(two, DEV + 1, "/mnt", &p), -ENOENT);
	assert_int_equal(find(two, 5, "/proc/x", &p), -ENOENT);
	/* Only a part of it is mounted. */
	assert_int_equal(find("1 0 0:39 /srv /data rw - overlay o rw,lowerdir=/l,upperdir=/u\n",
			      DEV, "/data/app", &p),
			 0);
	assert_string_equal(p.inside, "srv/app");
	buf_done(&p.lowers);
}

static void test_options(void **state)
{
	struct overlay_layer_place p;

	(void)state;
	/* Names with a comma, a blank and a colon in them; layers given one at a time. */
	assert_int_equal(find("1 0 0:39 / / rw - overlay o rw,lowerdir=/a\\134:b:/c\\040d:/e\\054f,"
			      "upperdir=/u\\040p,workdir=/w\n",
			      DEV, "/x", &p),
			 0);
	assert_string_equal(p.upper, "/u p");
	assert_int_equal(p.n_lowers, 3);
	assert_string_equal(lower(&p, 0), "/a:b");
	assert_string_equal(lower(&p, 1), "/c d");
	assert_string_equal(lower(&p, 2), "/e,f");
	buf_done(&p.lowers);
	assert_int_equal(
		find("1 0 0:39 / / rw - overlay o rw,lowerdir+=/a:b,lowerdir+=/c\n", DEV, "/x", &p),
		0);
	assert_string_equal(p.upper, "");
	assert_int_equal(p.n_lowers, 2);
	assert_string_equal(lower(&p, 0), "/a:b");
	buf_done(&p.lowers);
	/* From where the mounter stood then: nobody knows where. */
	assert_int_equal(
		find("1 0 0:39 / / rw - overlay o rw,lowerdir=l,upperdir=u\n", DEV, "/x", &p), 0);
	assert_string_equal(p.upper, "");
	buf_done(&p.lowers);
}

static void test_twins(void **state)
{
	struct overlay_layer_place p;
	struct buf many = {0};
	char long_upper[OVERLAY_LAYER_PATH + 128];

	(void)state;
	/* Cut short it is never another overlay's. */
	for (size_t cut = 0; cut < sizeof(two) - 1; cut++) {
		if (overlay_layer_find(two, cut, DEV, "/usr/bin/app", &p) < 0)
			continue;
		assert_true(strncmp("/u/1", p.upper, strlen(p.upper)) == 0);
		buf_done(&p.lowers);
	}
	assert_int_equal(find("1 0 0:39 / / rw - overlay o rw,upperdir=/u\\000x\n", DEV, "/x", &p),
			 -EBADMSG);
	assert_int_equal(find("1 0 0:39 / /\\000 rw - overlay o rw\n", DEV, "/x", &p), -EBADMSG);
	assert_int_equal(find("nothing\n", DEV, "/x", &p), -EBADMSG);
	memset(long_upper, 'u', sizeof(long_upper));
	memcpy(long_upper, "1 0 0:39 / / rw - overlay o rw,upperdir=/", 41);
	long_upper[sizeof(long_upper) - 1] = 0;
	assert_int_equal(find(long_upper, DEV, "/x", &p), -EBADMSG);
	buf_puts(&many, "1 0 0:39 / / rw - overlay o rw,lowerdir=");
	for (int i = 0; i <= OVERLAY_LAYER_MAX; i++)
		buf_puts(&many, "/l:");
	buf_puts(&many, "\n");
	assert_int_equal(find((char *)many.data, DEV, "/x", &p), -E2BIG);
	buf_done(&many);
}

/* A record as the kernel makes one of a file. */
static struct plumb_event_exec record(const char *top, const char *path)
{
	struct plumb_event_exec e = {.task = {.pid = (uint32_t)getpid(), .mnt_ns = 77}};
	struct stat st;

	(void)top;
	snprintf(e.path, sizeof(e.path), "%s", path);
	assert_int_equal(stat(path, &st), 0);
	e.file = (struct plumb_file){
		.ino = st.st_ino,
		.file_size = (uint64_t)st.st_size,
		.ctime_ns =
			(uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec,
		.fs_magic = OVERLAYFS_SUPER_MAGIC,
	};
	/* Of a directory it is the overlay's own. */
	snprintf(e.path, sizeof(e.path), "%s/m", top);
	assert_int_equal(stat(e.path, &st), 0);
	e.file.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	snprintf(e.path, sizeof(e.path), "%s", path);
	return e;
}

static void test_real(void **state)
{
	char top[] = "/tmp/plumb-test-overlay-XXXXXX", options[512], path[128];
	struct plumb_event_exec app, fresh, changed, gone;
	struct overlay_layer *o = NULL;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	assert_non_null(mkdtemp(top));
	scratch_run("/",
		    "cd %s && mkdir -p l1/bin l2/bin u w m && cp /bin/true l2/bin/app && cp "
		    "/bin/true l2/bin/old && "
		    "cp /bin/false l1/bin/other",
		    top);
	snprintf(options, sizeof(options), "lowerdir=%s/l1:%s/l2,upperdir=%s/u,workdir=%s/w", top,
		 top, top, top);
	snprintf(path, sizeof(path), "%s/m", top);
	if (mount("overlay", path, "overlay", 0, options) < 0) {
		scratch_run("/", "rm -rf %s", top);
		skip();
	}
	scratch_run("/", "cd %s/m/bin && cp /bin/true new && cp /bin/true gone && echo >>old", top);
	/* Our own root: process 1's does not have this mount namespace, but the layers are plain directories there, too. */
	assert_int_equal(overlay_layer_open("/", &o), 0);
	snprintf(path, sizeof(path), "%s/m/bin/app", top);
	app = record(top, path);
	assert_string_equal(overlay_layer_of(o, &app), "image");
	snprintf(path, sizeof(path), "%s/m/bin/other", top);
	fresh = record(top, path);
	assert_string_equal(overlay_layer_of(o, &fresh), "image");
	snprintf(path, sizeof(path), "%s/m/bin/new", top);
	fresh = record(top, path);
	assert_string_equal(overlay_layer_of(o, &fresh), "upper");
	/* Copied up when it was changed. */
	snprintf(path, sizeof(path), "%s/m/bin/old", top);
	changed = record(top, path);
	assert_string_equal(overlay_layer_of(o, &changed), "upper");
	/* One that has gone meanwhile, or is another by now, is not said to be of the image. */
	snprintf(path, sizeof(path), "%s/m/bin/gone", top);
	gone = record(top, path);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(overlay_layer_of(o, &gone), "unknown");
	changed.file.ctime_ns++;
	assert_string_equal(overlay_layer_of(o, &changed), "unknown");
	/* Known by what the kernel saw; the process may be gone. */
	app.task.pid = 4194303;
	assert_string_equal(overlay_layer_of(o, &app), "image");
	fresh.task.pid = 4194303;
	fresh.file.ino ^= 1;
	assert_string_equal(overlay_layer_of(o, &fresh), "upper");
	fresh.file.ino ^= 2;
	fresh.task.mnt_ns = 78;
	assert_string_equal(overlay_layer_of(o, &fresh), "unknown");
	fresh.task.mnt_ns = 77;
	fresh.event.flags = PLUMB_EVENT_PATH_CUT;
	assert_string_equal(overlay_layer_of(o, &fresh), "unknown");
	fresh.file.fs_magic = EXT4_SUPER_MAGIC;
	assert_null(overlay_layer_of(o, &fresh));
	overlay_layer_free(o);
	snprintf(path, sizeof(path), "%s/m", top);
	assert_int_equal(umount(path), 0);
	scratch_run("/", "rm -rf %s", top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
