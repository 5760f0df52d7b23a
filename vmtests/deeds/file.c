/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: ways to change a watched file or a name in a watched directory. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "deed.h"

static int done(int r)
{
	return r < 0 ? -errno : 0;
}

static int write_with(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644), r;

	if (fd < 0)
		return -errno;
	r = done((int)write(fd, "changed\n", 8));
	close(fd);
	return r;
}

static int write_path(char **argv)
{
	return write_with(argv[0], O_WRONLY);
}

static int create(char **argv)
{
	return write_with(argv[0], O_WRONLY | O_CREAT | O_EXCL);
}

static int truncate_by_open(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int truncate_by_path(char **argv)
{
	return done(truncate(argv[0], 1));
}

static int rename_to(char **argv)
{
	return done(rename(argv[0], argv[1]));
}

static int exchange(char **argv)
{
	return done(
		(int)syscall(SYS_renameat2, AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_EXCHANGE));
}

static int link_to(char **argv)
{
	return done(link(argv[0], argv[1]));
}

static int remove_name(char **argv)
{
	return done(unlink(argv[0]));
}

static int symlink_to(char **argv)
{
	return done(symlink(argv[0], argv[1]));
}

static int make_dir(char **argv)
{
	return done(mkdir(argv[0], 0755));
}

/* DIRECTORY NAME: no name until it is whole. */
static int tmpfile_link(char **argv)
{
	char proc[64];
	int fd = open(argv[0], O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644), r;

	if (fd < 0)
		return -errno;
	r = done((int)write(fd, "whole\n", 6));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (r == 0)
		r = done(linkat(AT_FDCWD, proc, AT_FDCWD, argv[1], AT_SYMLINK_FOLLOW));
	close(fd);
	return r;
}

static int change_mode(char **argv)
{
	return done(chmod(argv[0], 04755));
}

static int change_owner(char **argv)
{
	return done(chown(argv[0], 65534, 65534));
}

static int set_xattr(char **argv)
{
	return done(setxattr(argv[0], "trusted.deed", "1", 1, 0));
}

/* Shared memory of no file: the kernel's programs are asked about a file that is none. */
static int share(char **argv)
{
	char *at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	if (at == MAP_FAILED)
		return -errno;
	*at = '#';
	return done(munmap(at, 1));
}

/* Changes a byte in a shared mapping: no write(2) anywhere. */
static int store(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), r;
	char *at;

	if (fd < 0)
		return -errno;
	at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		r = -errno;
		close(fd);
		return r;
	}
	*at = '#';
	r = done(msync(at, 1, MS_SYNC));
	munmap(at, 1);
	close(fd);
	return r;
}

/* FILE IN: what a process does that has it mapped for a long time: it stores when something comes through the pipe IN. */
static int store_later(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), in;
	char c, *at;

	if (fd < 0)
		return -errno;
	at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	*(volatile char *)at =
		*at; /* the page is writable from now on: no fault, no time changes when it is stored to */
	in = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (in < 0 || read(in, &c, 1) != 1)
		return -EIO;
	*at = '#';
	pause();
	return 0;
}

/* FILE DEVICE: another first byte in the block that it lies in, by way of the device. */
static int write_raw(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), disk, block = 0, size = 0, r = 0;
	off_t at;

	if (fd < 0 || fsync(fd) < 0 || ioctl(fd, FIBMAP, &block) < 0 ||
	    ioctl(fd, FIGETBSZ, &size) < 0 || block == 0)
		return fd >= 0 && block == 0 ? -ENXIO : -errno;
	close(fd);
	disk = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (disk < 0)
		return -errno;
	at = (off_t)block * size;
	if (pwrite(disk, "#", 1, at) != 1)
		r = -errno;
	close(disk);
	return r;
}

/* FILE COUNT: opened for writing so often, without a write. */
static int flood(char **argv)
{
	for (int i = atoi(argv[1]); i > 0; i--) {
		int fd = open(argv[0], O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		close(fd);
	}
	return 0;
}

static int set_capability(char **argv)
{
	const unsigned char net_raw[20] = {1, 0, 0, 2, 0, 0x20};

	return done(setxattr(argv[0], "security.capability", net_raw, sizeof(net_raw), 0));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"write", write_path, 1},
		{"create", create, 1},
		{"trunc", truncate_by_open, 1},
		{"truncate", truncate_by_path, 1},
		{"rename", rename_to, 2},
		{"exchange", exchange, 2},
		{"link", link_to, 2},
		{"unlink", remove_name, 1},
		{"symlink", symlink_to, 2},
		{"mkdir", make_dir, 1},
		{"tmpfile", tmpfile_link, 2},
		{"chmod", change_mode, 1},
		{"chown", change_owner, 1},
		{"setxattr", set_xattr, 1},
		{"store", store, 1},
		{"share", share, 0},
		{"mapped", store_later, 2},
		{"raw", write_raw, 2},
		{"setcap", set_capability, 1},
		{"flood", flood, 2},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
