/* SPDX-License-Identifier: Apache-2.0 */
/* cover.c: mounts that cover a watched name, in the old way and in the new. */
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deed.h"

int mount(const char *source, const char *target, const char *fstype, unsigned long flags,
	  const void *data);
int umount2(const char *target, int flags);

#define BIND 4096 /* MS_BIND: sys/mount.h and linux/mount.h do not go together */

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

static int bind(char **argv)
{
	return done(mount(argv[0], argv[1], NULL, BIND, NULL));
}

static int cover(char **argv)
{
	return done(mount("cover", argv[0], "tmpfs", 0, NULL));
}

static int move(char **argv)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, argv[0], OPEN_TREE_CLONE), r;

	if (fd < 0)
		return -errno;
	r = done(syscall(SYS_move_mount, fd, "", AT_FDCWD, argv[1], MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	return r;
}

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200 /* since 6.5 */
#endif

/* SOURCE POINT: below what is mounted there, which is taken off then: nothing is mounted over anything. */
static int beneath(char **argv)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, argv[0], OPEN_TREE_CLONE), r;

	if (fd < 0)
		return -errno;
	r = done(syscall(SYS_move_mount, fd, "", AT_FDCWD, argv[1],
			 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH));
	close(fd);
	return r < 0 ? r : done(umount2(argv[1], 2)); /* MNT_DETACH */
}

/* A file system that is made and set up by descriptors, and has no name until it is there. */
static int cover_by_fd(char **argv)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", 0), fd, r;

	if (fs < 0)
		return -errno;
	r = done(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	fd = r < 0 ? r : (int)syscall(SYS_fsmount, fs, 0, 0);
	if (fd < 0)
		return r < 0 ? r : -errno;
	return done(syscall(SYS_move_mount, fd, "", AT_FDCWD, argv[0], MOVE_MOUNT_F_EMPTY_PATH));
}

/* What is mounted there may be written to no more, or again. */
static int other_flags(char **argv)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOEXEC};

	return done(syscall(SYS_mount_setattr, AT_FDCWD, argv[0], 0, &attr, sizeof(attr)));
}

static int take_off(char **argv)
{
	return done(umount2(argv[0], 0));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"bind", bind, 2},	       {"new", cover, 1},
					    {"move", move, 2},	       {"umount", take_off, 1},
					    {"by_fd", cover_by_fd, 1}, {"setattr", other_flags, 1},
					    {"beneath", beneath, 2}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
