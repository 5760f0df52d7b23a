/* SPDX-License-Identifier: Apache-2.0 */
/* What an overlay has a path from: on a real one, with two lower layers, as its files are copied up, hidden and taken away. */
#include <errno.h>
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
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "overlay_below.h"
#include "scratch.h"

struct bench {
	char top[64], root[96];
	struct overlay_below *below;
	char seen[OVERLAY_BELOW_LAYERS][256]; /* where each layer's file lies */
	uint32_t n;
};

static void on_layer(void *ctx, int fd, uint32_t layer)
{
	struct bench *b = ctx;
	char proc[64];
	ssize_t n;

	assert_true(layer == b->n && layer < OVERLAY_BELOW_LAYERS);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = readlink(proc, b->seen[layer], sizeof(b->seen[layer]) - 1);
	assert_true(n > 0);
	b->seen[layer][n] = '\0';
	b->n++;
}

/* "u l1": the layers that have m/<name>, the topmost first. */
static const char *layers(struct bench *b, const char *name)
{
	static char ret[256];
	size_t top = strlen(b->top);
	char path[256];
	uint32_t n;

	snprintf(path, sizeof(path), "%s/m%s%s", b->top, name[0] ? "/" : "", name);
	b->n = 0;
	n = overlay_below_each(b->below, path, on_layer, b);
	assert_int_equal(n, b->n);
	ret[0] = '\0';
	for (uint32_t i = 0; i < b->n; i++) {
		const char *at = b->seen[i] + top + 1, *end = strchr(at, '/');
		size_t size = end ? (size_t)(end - at) : strlen(at);

		assert_int_equal(strncmp(b->seen[i], b->top, top), 0);
		assert_string_equal(end ? end + 1 : "", name);
		snprintf(ret + strlen(ret), sizeof(ret) - strlen(ret), "%s%.*s", i ? " " : "",
			 (int)size, at);
	}
	return ret;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char options[512], path[128];

	assert_non_null(b);
	*state = b;
	strcpy(b->top, "/tmp/plumb-test-below-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->root, sizeof(b->root), "%s/root", b->top);
	assert_int_equal(overlay_below_open(NULL, b->root, &b->below), 0);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 0;
	scratch_run(
		"/",
		"cd %s && mkdir -p l1/d l2/d/deep u w m && echo 1 >l1/d/one && "
		"echo 2 >l2/d/two && echo 2 >l2/d/one && echo 3 >l2/d/deep/three && "
		"echo 4 >l2/d/gone && ln -s two l2/d/link && echo 5 >l1/d/mid && mkdir l2/d/mid",
		b->top);
	snprintf(options, sizeof(options), "lowerdir=%s/l1:%s/l2,upperdir=%s/u,workdir=%s/w",
		 b->top, b->top, b->top, b->top);
	snprintf(path, sizeof(path), "%s/m", b->top);
	if (mount("overlay", path, "overlay", 0, options) < 0)
		scratch_run("/", "rm -rf %s/m", b->top);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char path[128];

	overlay_below_free(b->below);
	snprintf(path, sizeof(path), "%s/m", b->top);
	(void)umount2(path, MNT_DETACH);
	scratch_run("/", "rm -rf %s", b->top);
	free(b);
	return 0;
}

static void has_overlay(struct bench *b)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/m/d", b->top);
	if (access(path, F_OK) < 0)
		skip(); /* it takes root and overlayfs */
	assert_int_equal(overlay_below_read(b->below), 1);
}

static void files_are_of_one_layer_and_directories_of_all(void **state)
{
	struct bench *b = *state;

	has_overlay(b);
	assert_string_equal(layers(b, ""), "u l1 l2");
	assert_string_equal(layers(b, "d"), "l1 l2");
	assert_string_equal(layers(b, "d/one"), "l1");
	assert_string_equal(layers(b, "d/two"), "l2");
	assert_string_equal(layers(b, "d/deep"), "l2");
	assert_string_equal(layers(b, "d/link"), "l2");
	assert_string_equal(layers(b, "d/none"), "");
}

static void what_is_written_is_copied_up(void **state)
{
	struct bench *b = *state;

	has_overlay(b);
	scratch_run("/",
		    "cd %s/m/d && echo more >>two && echo new >new && rm gone mid && "
		    "mkdir gone mid",
		    b->top);
	assert_string_equal(layers(b, "d"), "u l1 l2");
	assert_string_equal(layers(b, "d/two"), "u");
	assert_string_equal(layers(b, "d/one"), "l1");
	assert_string_equal(layers(b, "d/new"), "u");
	/* What was a file below is hidden by the directory. */
	assert_string_equal(layers(b, "d/gone"), "u");
	assert_string_equal(layers(b, "d/mid"), "u");
}

/* A link in a layer that was not there when it was mounted leads nowhere. */
static void a_link_in_a_layer_is_not_followed(void **state)
{
	struct bench *b = *state;

	has_overlay(b);
	assert_string_equal(layers(b, "d/deep/three"), "l2");
	scratch_run("/", "cd %s && mv l2/d/deep l2/d/was && ln -s was l2/d/deep", b->top);
	assert_string_equal(layers(b, "d/deep/three"), "");
}

/* Layers that only process 1 has a path to, and such that nobody has one to. */
static void a_layer_may_have_no_path_here(void **state)
{
	struct bench *b = *state;
	char options[512], path[128], low[128];
	const char *point = NULL;
	int n = 0;

	has_overlay(b);
	snprintf(path, sizeof(path), "%s/m/d", b->top);
	assert_true(overlay_below_reaches(b->below, path));
	assert_true(overlay_below_reaches(b->below, "/proc/self/status"));
	snprintf(path, sizeof(path), "%s/there", b->top);
	snprintf(low, sizeof(low), "%s/far", b->top);
	scratch_run("/",
		    "mkdir -p %s %s/low %s/top && echo 1 >%s/low/one && mkdir -p %s%s && "
		    "cp -r %s/low %s/top %s%s",
		    path, low, low, low, b->root, low, low, low, b->root, low);
	snprintf(options, sizeof(options), "lowerdir=%s/low:%s/top", low, low);
	assert_int_equal(mount("overlay", path, "overlay", 0, options), 0);
	assert_int_equal(mount("none", low, "tmpfs", 0, NULL), 0);
	assert_int_equal(overlay_below_read(b->below), 1);
	b->n = 0;
	assert_int_equal(overlay_below_each(b->below, path, on_layer, b), 2);
	assert_true(overlay_below_reaches(b->below, path));
	assert_int_equal(umount(low), 0);
	scratch_run("/", "mv %s/top %s/gone && rm -r %s", low, low, b->root);
	assert_false(overlay_below_reaches(b->below, path));
	b->n = 0;
	assert_int_equal(overlay_below_each(b->below, path, on_layer, b), 1);
	while ((point = overlay_below_point(b->below, point)))
		n += strncmp(point, b->top, strlen(b->top)) == 0;
	assert_int_equal(n, 2);
	(void)umount2(path, MNT_DETACH);
}

/* "u/d/one l1/d/one": where the layers have it, the topmost first. */
static const char *places(struct bench *b, const char *name)
{
	static char ret[1024];
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	b->n = 0;
	overlay_below_each(b->below, path, on_layer, b);
	ret[0] = '\0';
	for (uint32_t i = 0; i < b->n; i++)
		snprintf(ret + strlen(ret), sizeof(ret) - strlen(ret), "%s%s", i ? " " : "",
			 b->seen[i] + strlen(b->top) + 1);
	return ret;
}

static void mount_with(struct bench *b, const char *options)
{
	char all[640], path[128];

	has_overlay(b);
	scratch_run("/", "cd %s && mkdir u2 w2 m2 && echo 6 >l2/d/deep/four", b->top);
	snprintf(all, sizeof(all), "lowerdir=%s/l1:%s/l2,upperdir=%s/u2,workdir=%s/w2,%s", b->top,
		 b->top, b->top, b->top, options);
	snprintf(path, sizeof(path), "%s/m2", b->top);
	if (mount("overlay", path, "overlay", 0, all) < 0)
		skip(); /* a kernel without it */
	assert_int_equal(overlay_below_read(b->below), 1);
}

static void unmount(struct bench *b)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/m2", b->top);
	(void)umount2(path, MNT_DETACH);
}

static void what_is_copied_up_without_its_bytes_is_below_too(void **state)
{
	struct bench *b = *state;

	mount_with(b, "metacopy=on,redirect_dir=on");
	assert_string_equal(places(b, "m2/d/one"), "l1/d/one");
	scratch_run("/", "cd %s/m2/d && chmod 700 one two && echo more >>two && mv one moved",
		    b->top);
	assert_string_equal(places(b, "m2/d/moved"), "u2/d/moved l1/d/one");
	assert_string_equal(places(b, "m2/d/two"), "u2/d/two");
	unmount(b);
}

static void what_is_renamed_has_its_old_path_below(void **state)
{
	struct bench *b = *state;

	mount_with(b, "redirect_dir=on");
	scratch_run("/", "cd %s/m2 && mv d/deep d/here && mkdir e && mv d/here e/there && mv d f",
		    b->top);
	assert_string_equal(places(b, "m2/f/two"), "l2/d/two");
	assert_string_equal(places(b, "m2/f/one"), "l1/d/one");
	assert_string_equal(places(b, "m2/e/there/four"), "l2/d/deep/four");
	assert_string_equal(places(b, "m2/e/there"), "u2/e/there l2/d/deep");
	unmount(b);
}

/* Whoever may write to a file may give it such a name, where root has mounted it: the overlay does not heed it, nor may we. */
static void what_others_say_is_not_heeded(void **state)
{
	struct bench *b = *state;
	char path[128];

	mount_with(b, "metacopy=on");
	scratch_run("/", "cd %s/m2/d && echo more >>one", b->top);
	snprintf(path, sizeof(path), "%s/u2/d", b->top);
	if (setxattr(path, "user.overlay.redirect", "/none", 5, 0) < 0)
		skip();
	snprintf(path, sizeof(path), "%s/u2/d/one", b->top);
	assert_int_equal(setxattr(path, "user.overlay.metacopy", "", 0, 0), 0);
	assert_string_equal(places(b, "m2/d/one"), "u2/d/one");
	assert_string_equal(places(b, "m2/d/two"), "l2/d/two");
	unmount(b);
}

static void elsewhere_nothing_lies_below(void **state)
{
	struct bench *b = *state;
	struct overlay_below *none = NULL;
	char path[128];

	(void)overlay_below_read(b->below);
	b->n = 0;
	assert_int_equal(overlay_below_each(b->below, "/proc/self/status", on_layer, b), 0);
	assert_int_equal(overlay_below_each(b->below, "/nonexistent", on_layer, b), 0);
	scratch_run("/", "echo '1 0 0:5 / /proc rw - proc proc rw' >%s/mountinfo", b->top);
	snprintf(path, sizeof(path), "%s/mountinfo", b->top);
	assert_int_equal(overlay_below_open(path, NULL, &none), 0);
	assert_int_equal(overlay_below_read(none), 0);
	snprintf(path, sizeof(path), "%s/m/d", b->top);
	assert_int_equal(overlay_below_each(none, path, on_layer, b), 0);
	scratch_run("/", "rm %s/mountinfo", b->top);
	assert_int_equal(overlay_below_read(none), -ENOENT);
	overlay_below_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_copied_up_without_its_bytes_is_below_too,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_renamed_has_its_old_path_below, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_others_say_is_not_heeded, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_of_one_layer_and_directories_of_all,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_is_copied_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_in_a_layer_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_layer_may_have_no_path_here, setup, teardown),
		cmocka_unit_test_setup_teardown(elsewhere_nothing_lies_below, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
