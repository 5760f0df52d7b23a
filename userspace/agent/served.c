/* SPDX-License-Identifier: Apache-2.0 */
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"

bool served_magic(uint32_t fs_magic)
{
	static const uint32_t served[] = {
		0x65735546, /* FUSE, virtiofs */
		0x6969, /* NFS */
		0x01021997, /* 9p */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		if (fs_magic == served[i])
			return true;
	return false;
}

int served_file_system(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return served_magic((uint32_t)fs.f_type) ? -EREMOTE : 0;
}

/* autofs: whoever looks up a name there waits for its daemon. */
static bool is_served(const char *fstype)
{
	static const char *const served[] = {"fuse", "virtiofs", "nfs",	 "9p",	  "cifs",
					     "smb3", "afs",	 "ceph", "autofs"};

	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		if (strncmp(fstype, served[i], strlen(served[i])) == 0)
			return true;
	return false;
}

/* "36 35 98:0 /root /point rw shared:1 - ext4 /dev/sda1 rw": blanks in names are escaped. */
static enum served_kind kind_of_line(const char *line, uint64_t mount)
{
	const char *dash;
	char *end;

	if (strtoull(line, &end, 10) != mount || *end != ' ')
		return SERVED_NOT_LISTED;
	dash = strstr(end, " - ");
	return !dash || is_served(dash + 3) ? SERVED_BY_SOMEBODY : SERVED_BY_NOBODY;
}

int served_mount(const char *proc, const char *pid, uint64_t mount)
{
	enum served_kind kind = SERVED_NOT_LISTED;
	CLEANUP_FREE char *line = NULL;
	size_t room = 0, n = 0;
	char path[512];
	int r = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%.400s/%.20s/mountinfo", proc ? proc : "/proc", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (r == 0 && kind == SERVED_NOT_LISTED) {
		ssize_t size = getline(&line, &room, f);

		if (size < 0) {
			r = ferror(f) ? -errno : 0;
			break;
		}
		n += (size_t)size;
		r = n > SERVED_MOUNTINFO_MAX ? -EFBIG : 0;
		kind = kind_of_line(line, mount);
	}
	fclose(f);
	return r < 0 ? r : (int)kind;
}

/* Not statx(): some file systems ask their server whatever the flags say. */
int served_mount_of(int fd, uint64_t *ret_mount)
{
	char path[64], text[256] = "";
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CLEANUP_CLOSE int info = open(path, O_RDONLY | O_CLOEXEC);

	if (info < 0)
		return -errno;
	n = read(info, text, sizeof(text) - 1);
	at = n > 0 ? strstr(text, "mnt_id:") : NULL;
	if (!at)
		return n < 0 ? -errno : -ENODATA;
	*ret_mount = strtoull(at + strlen("mnt_id:"), NULL, 10);
	return 0;
}

/* What memfd_create() and the like give lies on a mount that no table has. */
static bool is_memory(const struct statx *st)
{
	CLEANUP_CLOSE int fd = memfd_create("device", MFD_CLOEXEC);
	struct statx ours;

	return fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &ours) == 0 &&
	       st->stx_dev_major == ours.stx_dev_major && st->stx_dev_minor == ours.stx_dev_minor;
}

/*
 * A chrooted process's table has its root's mount no more, and runtimes run from mounts that are in no table at all. Who serves files has no part
 * in the kernel's flags of an inode, which ext4, xfs, btrfs, tmpfs (6.1) and what lies over them say that they have.
 */
static bool is_kernels_own(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes_mask & STATX_ATTR_IMMUTABLE || is_memory(&st));
}

static int kind_of(const char *proc, uint32_t pid, uint64_t mount, int fd)
{
	char name[16];
	int kind;

	snprintf(name, sizeof(name), "%u", pid);
	kind = served_mount(proc, name, mount);
	if (kind == SERVED_NOT_LISTED || kind == -ENOENT || kind == -ESRCH || kind == -EINVAL)
		kind = served_mount(proc, "self", mount);
	return kind == SERVED_NOT_LISTED && is_kernels_own(fd) ? (int)SERVED_BY_NOBODY : kind;
}

int served_find(const char *proc, uint32_t pid, int fd)
{
	uint64_t mount = 0;
	int r = served_mount_of(fd, &mount);

	return r < 0 ? r : kind_of(proc, pid, mount, fd);
}

int served_check(const char *proc, uint32_t pid, int fd, uint64_t *own)
{
	uint64_t mount = 0;
	int kind, r = served_mount_of(fd, &mount);

	if (r < 0 || (own && mount == *own))
		return r;
	kind = kind_of(proc, pid, mount, fd);
	if (kind == SERVED_BY_NOBODY && own)
		*own = mount;
	if (kind < 0)
		return kind;
	return kind == SERVED_BY_NOBODY ? 0 : -EREMOTE;
}

int served_is(const char *path, uint64_t dev, uint64_t ino)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st) < 0)
		return -errno;
	return makedev(st.stx_dev_major, st.stx_dev_minor) == dev && st.stx_ino == ino;
}

int served_open(int fd)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return r < 0 ? -errno : r;
}
