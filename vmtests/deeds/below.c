/* SPDX-License-Identifier: Apache-2.0 */
/* below.c: what is done to a file, or to all files of a file system, without a write to it: by commands, and by a device that is made of it. */
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "deed.h"

#define EXT4_SWAP_BOOT 0x6611
#define EXT4_MOVE_EXT 0xc028660f
#define SETTLED_S 12 /* after an open nobody looks again by then */
#define BLOCK 4096

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

/* FILE: takes the bytes of the boot loader's inode, which has none yet, long after it was opened. */
static int swap_boot(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	sleep(SETTLED_S);
	r = done(ioctl(fd, EXT4_SWAP_BOOT));
	deed_stamp();
	/* Who closes it is told as well. */
	sleep(3);
	close(fd);
	return r;
}

struct move_ext {
	uint32_t reserved, donor;
	uint64_t from, to, blocks, moved;
};

/* MINE FILE: FILE gets MINE's blocks, long after it was opened, by a command that MINE is asked. Both have been on the disk for long. */
static int move_blocks(char **argv)
{
	int mine = open(argv[0], O_RDWR | O_CLOEXEC), fd = open(argv[1], O_RDWR | O_CLOEXEC), r;
	struct move_ext m = {.donor = (uint32_t)fd, .blocks = 4};

	if (mine < 0 || fd < 0 || fsync(mine) < 0 || fsync(fd) < 0)
		return -errno;
	sleep(SETTLED_S);
	r = done(ioctl(mine, EXT4_MOVE_EXT, &m));
	if (r == 0 && m.moved != m.blocks)
		r = -EIO;
	deed_stamp();
	sleep(5);
	close(fd);
	close(mine);
	return r;
}

/* DIRECTORY: whoever writes there waits for a second. */
static int freeze(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = done(ioctl(fd, FIFREEZE, 0));
	if (r == 0) {
		sleep(1);
		r = done(ioctl(fd, FITHAW, 0));
	}
	close(fd);
	return r;
}

/* As a 32-bit program does, which has another way into the kernel. */
static int freeze_32(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long r;

	if (fd < 0)
		return -errno;
	r = deed_ioctl_32(fd, FIFREEZE, 0);
	if (r == 0) {
		sleep(1);
		r = deed_ioctl_32(fd, FITHAW, 0);
	}
	close(fd);
	return (int)r;
}

/* Nobody may, who is nobody. */
static int freeze_denied(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0 || setresuid(65534, 65534, 65534) < 0)
		return -errno;
	r = ioctl(fd, FIFREEZE, 0) < 0 && errno == EPERM ? 0 : -EEXIST;
	close(fd);
	return r;
}

static int loop_of(int file)
{
	struct loop_config config = {.fd = (uint32_t)file,
				     .info = {.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR}};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop, n;
	char path[64];

	n = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	if (control >= 0)
		close(control);
	if (n < 0)
		return -errno;
	snprintf(path, sizeof(path), "/dev/loop%d", n);
	loop = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	return loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0 ? -errno : loop;
}

/* FILE: becomes a disk, and long after that the disk is written to. The kernel's own thread writes to the file, past all that sees writes. */
static int loop_write(char **argv)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), loop = -1, r;

	if (fd < 0)
		return -errno;
	memset(block, '#', BLOCK);
	r = ftruncate(fd, 16 * BLOCK);
	loop = r < 0 ? -errno : loop_of(fd);
	close(fd);
	if (loop < 0)
		return loop;
	sleep(SETTLED_S);
	r = write(loop, block, BLOCK) == BLOCK ? 0 : -errno;
	deed_stamp();
	sleep(3);
	close(loop);
	return r;
}

/* FILE OLD NEW: where OLD is in FILE there is NEW afterwards, of the same length. */
static int patch(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), r = -ENOENT;
	struct stat st;
	char *all, *at;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	all = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (all == MAP_FAILED)
		return -errno;
	at = memmem(all, (size_t)st.st_size, argv[1], strlen(argv[1]));
	if (at && strlen(argv[1]) == strlen(argv[2])) {
		memcpy(at, argv[2], strlen(argv[2]));
		r = done(msync(all, (size_t)st.st_size, MS_SYNC));
	}
	munmap(all, (size_t)st.st_size);
	return r;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"swap_boot", swap_boot, 1},   {"freeze", freeze, 1},
		{"freeze_32", freeze_32, 1},   {"freeze_denied", freeze_denied, 1},
		{"loop_write", loop_write, 1}, {"move_blocks", move_blocks, 2},
		{"patch", patch, 3},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
