/* SPDX-License-Identifier: Apache-2.0 */
/* Real marks: an event's inode is found by its handle, and is called an overlay's layer only when it was marked as one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "marks.h"

#define MASK (FAN_CREATE | FAN_DELETE | FAN_ONDIR)

struct place {
	char top[64], own[96], other[96], layer[96];
	int fd;
	struct marks *marks;
};

/* As an event names what lies at path. */
struct inode {
	_Alignas(struct file_handle) uint8_t room[sizeof(struct file_handle) + 128];
	struct statfs fs;
};

static struct marks_fid fid_of(const char *path, struct inode *i)
{
	struct file_handle *h = (struct file_handle *)i->room;
	int mount;

	h->handle_bytes = 128;
	assert_int_equal(name_to_handle_at(AT_FDCWD, path, h, &mount, 0), 0);
	assert_int_equal(statfs(path, &i->fs), 0);
	return (struct marks_fid){&i->fs.f_fsid, sizeof(i->fs.f_fsid), h->handle_type, h->f_handle,
				  h->handle_bytes};
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK | FAN_CLOEXEC,
			      O_RDONLY);
	if (p->fd < 0) {
		free(p);
		*state = NULL;
		return 0;
	}
	strcpy(p->top, "/tmp/plumb-test-marks-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->own, sizeof(p->own), "%s/own", p->top);
	snprintf(p->other, sizeof(p->other), "%s/other", p->top);
	snprintf(p->layer, sizeof(p->layer), "%s/layer", p->top);
	assert_int_equal(mkdir(p->own, 0755) | mkdir(p->other, 0755) | mkdir(p->layer, 0755), 0);
	assert_int_equal(marks_open(p->fd, 3, &p->marks), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	if (!p)
		return 0;
	rmdir(p->own);
	rmdir(p->other);
	rmdir(p->layer);
	rmdir(p->top);
	marks_free(p->marks);
	close(p->fd);
	free(p);
	return 0;
}

#define NEEDS_FANOTIFY(state)   \
	do {                    \
		if (!*(state))  \
			skip(); \
	} while (0)

static void finds(struct place *p, const char *inode, const char *path, bool layer)
{
	const char *paths[4];
	struct inode room;
	struct marks_fid f = fid_of(inode, &room);
	bool is_layer = !layer;

	assert_int_equal(marks_paths(p->marks, &f, paths, 4, &is_layer), path ? 1 : 0);
	if (path)
		assert_string_equal(paths[0], path);
	assert_true(is_layer == layer);
}

/* That there is a layer makes nothing else one. */
static void test_layer(void **state)
{
	struct place *p = *state;
	int fd;

	NEEDS_FANOTIFY(state);
	fd = open(p->layer, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(marks_add(p->marks, p->own, MASK), 0);
	finds(p, p->own, p->own, false);
	finds(p, p->layer, NULL, false);
	assert_int_equal(marks_add_layer(p->marks, p->other, fd, 1, MASK), 0);
	finds(p, p->layer, p->other, true);
	finds(p, p->own, p->own, false);
	finds(p, p->other, NULL, false);
	marks_drop(p->marks, p->other);
	finds(p, p->layer, NULL, false);
	finds(p, p->own, p->own, false);
	close(fd);
}

static void test_bounds(void **state)
{
	struct place *p = *state;
	int fd;

	NEEDS_FANOTIFY(state);
	fd = open(p->layer, O_PATH | O_CLOEXEC);
	assert_int_equal(marks_add_layer(p->marks, p->other, fd, MARKS_LAYERS, MASK), -EINVAL);
	assert_int_equal(marks_add_layer(p->marks, p->other, fd, 0, MASK), 0);
	assert_int_equal(marks_add(p->marks, p->own, MASK), 0);
	assert_int_equal(marks_add(p->marks, p->other, MASK), 0);
	assert_int_equal(marks_n(p->marks), 3);
	assert_int_equal(marks_add(p->marks, p->top, MASK), -ENOSPC);
	/* What is marked anew is no more than there was. */
	assert_int_equal(marks_add(p->marks, p->own, MASK), 0);
	marks_drop_below(p->marks, p->top);
	assert_int_equal(marks_n(p->marks), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
