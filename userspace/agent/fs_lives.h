/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_lives.h: which file systems have lived on since something on them was remembered. Who mounts one again finds the same device, inode, size and
 * times there, and may have changed the bytes between. In: open files that are to be remembered. Out: a call for each device that may be another
 * file system by now. A watch of inotify on up to four of its files says so, and keeps no file system from being unmounted.
 */
#ifndef PLUMB_FS_LIVES_H
#define PLUMB_FS_LIVES_H

#include <stdint.h>
#include <sys/types.h>

#define FS_LIVES_MAX 1024u	/* file systems, when max is 0; of one more another is given up, and told as gone */
#define FS_LIVES_FILES 4u	/* that are watched of one: a watch ends with its file */

struct fs_lives;

/* May be called from within fs_lives_read() and fs_lives_hold(); of another device than that of the file that is held. */
typedef void (*fs_lives_gone)(void *ctx, dev_t dev);

/* Without inotify it opens all the same: then only what lies on the agent's own root can be held. */
int fs_lives_open(uint32_t max, fs_lives_gone gone, void *ctx, struct fs_lives **ret);
struct fs_lives *fs_lives_free(struct fs_lives *l);
/*
 * dev: fd's. From now until it is told as gone, this is one file system; while fd is open it cannot be another. -errno: nobody would say so, and
 * nothing about its files may be remembered.
 */
int fs_lives_hold(struct fs_lives *l, int fd, dev_t dev);
/* Before anything that is remembered is believed: the kernel says of an unmount before the device can be mounted again. */
void fs_lives_read(struct fs_lives *l);
int fs_lives_error(const struct fs_lives *l);	/* 0, or the -errno for which the last one that was to be held was not */
uint32_t fs_lives_n(const struct fs_lives *l);

#endif
