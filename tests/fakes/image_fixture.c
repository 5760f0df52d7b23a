/* SPDX-License-Identifier: Apache-2.0 */
#include "image_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define IMAGE_SIZE (2u << 20)

static bool mount_it(const struct image_fixture *i)
{
	char point[SCRATCH_SIZE + 8];

	snprintf(point, sizeof(point), "%s/m", i->top);
	return mount(i->device, point, "ext4", MS_NOATIME, NULL) == 0;
}

static bool read_device(struct image_fixture *i)
{
	char name[SCRATCH_SIZE + 8];
	FILE *f;
	int n;

	snprintf(name, sizeof(name), "%s/loop", i->top);
	f = fopen(name, "r");
	if (!f)
		abort();
	n = fscanf(f, "%60s", i->device);
	fclose(f);
	return n == 1;
}

const char *image_fixture_open(struct image_fixture *i)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "no mount namespace of its own";
	if (system("command -v mkfs.ext4 debugfs losetup >/dev/null") != 0)
		return "no mkfs.ext4, debugfs or losetup";
	scratch_open(i->top, "image");
	scratch_run(
		i->top,
		"mkdir m d && printf '%s' >d/program && { cat /bin/true d/program; } >d/true && "
		"chmod 755 d/program d/true && "
		"mkfs.ext4 -q -F -d d image %uK >/dev/null 2>&1 && "
		"for f in program true; do "
		"debugfs -w -R \"set_inode_field /$f ctime 20200101000000\" image "
		"2>/dev/null; done && { losetup -f --show image || true; } >loop 2>/dev/null",
		IMAGE_FIXTURE_BYTES, IMAGE_SIZE >> 10);
	snprintf(i->program, sizeof(i->program), "%s/m/program", i->top);
	snprintf(i->true_path, sizeof(i->true_path), "%s/m/true", i->top);
	if (!read_device(i)) {
		scratch_done(i->top);
		return "no loop device";
	}
	if (mount_it(i))
		return NULL;
	image_fixture_close(i);
	return "no ext4";
}

/* Below the file system: no time changes. */
bool image_fixture_patch(struct image_fixture *i)
{
	char name[SCRATCH_SIZE + 8];
	uint32_t n = 0;
	char *all;
	int fd;

	scratch_run(i->top, "umount m");
	snprintf(name, sizeof(name), "%s/image", i->top);
	fd = open(name, O_RDWR | O_CLOEXEC);
	all = mmap(NULL, IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		abort();
	for (char *at = all; (at = memmem(at, (size_t)(all + IMAGE_SIZE - at), IMAGE_FIXTURE_BYTES,
					  strlen(IMAGE_FIXTURE_BYTES)));
	     n++)
		memcpy(at, IMAGE_FIXTURE_PATCHED, strlen(IMAGE_FIXTURE_PATCHED));
	if (n != 2)
		abort();
	(void)munmap(all, IMAGE_SIZE);
	close(fd);
	return mount_it(i);
}

void image_fixture_close(struct image_fixture *i)
{
	scratch_run(i->top, "umount m 2>/dev/null; losetup -d %s", i->device);
	scratch_done(i->top);
}
