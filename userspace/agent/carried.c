/* SPDX-License-Identifier: Apache-2.0 */
#include "carried.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "buf.h"
#include "claims_source.h"
#include "cleanup.h"
#include "mountinfo.h"

#define CARRIED_DEPTH 5 /* disk, partition, md, dm, dm */
#define CARRIED_TRIES 256 /* devices that are looked at for one */
#define MAJOR(dev) ((dev) >> 20)
#define MINOR(dev) ((dev)&0xfffffu)

struct search {
	const struct carried_source *s;
	struct buf mounts, swaps;
	struct mountinfo_entry entry;
	uint32_t tries;
	struct carried *ret;
};

static void name_of(const struct carried_source *s, const char *kind, uint32_t dev, char ret[64])
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/dev/%s/%u:%u", s->sys, kind, MAJOR(dev), MINOR(dev));
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	slash = strrchr(target, '/');
	if (slash && strlen(slash + 1) < 64)
		snprintf(ret, 64, "%.63s", slash + 1);
	else
		snprintf(ret, 64, "%u:%u", MAJOR(dev), MINOR(dev));
}

void carried_character(const struct carried_source *s, uint32_t dev, char ret[64])
{
	name_of(s, "char", dev, ret);
}

static bool is_device(const char *path, uint32_t dev)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
	       major(st.st_rdev) == MAJOR(dev) && minor(st.st_rdev) == MINOR(dev);
}

/* btrfs and the like have a device number of their own (major 0): there the source tells. */
static int is_mounted(struct search *q, uint32_t dev)
{
	const char *at = (const char *)q->mounts.data, *end = at ? at + q->mounts.size : at;
	struct why why;
	int r = 0;

	while (at < end && r >= 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf ? lf : end) - at);

		r = mountinfo_parse(at, n, &q->entry, &why);
		if (r >= 0 && ((q->entry.major == MAJOR(dev) && q->entry.minor == MINOR(dev)) ||
			       (q->entry.major == 0 && is_device(q->entry.source, dev)))) {
			snprintf(q->ret->what, sizeof(q->ret->what), "%.255s", q->entry.point);
			return 1;
		}
		at = lf ? lf + 1 : end;
	}
	return r;
}

/* "/dev/sda2   partition   …", after a line of titles; a kernel without swap has no such file. */
static int is_swap(struct search *q, uint32_t dev)
{
	char *at = (char *)q->swaps.data;

	while (at && *at) {
		size_t n = strcspn(at, " \t\n");
		char *next = strchr(at, '\n');
		char path[PATH_MAX];

		if (n < sizeof(path)) {
			snprintf(path, sizeof(path), "%.*s", (int)n, at);
			if (is_device(path, dev)) {
				snprintf(q->ret->what, sizeof(q->ret->what), "swap");
				return 1;
			}
		}
		at = next ? next + 1 : NULL;
	}
	return 0;
}

static int look(struct search *q, uint32_t dev, int depth);

/* Those below dir that have a "dev" of their own; of a disk's directory only its partitions. */
static int look_below(struct search *q, const char *dir, bool partitions, int depth)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (e = readdir(d); e && r == 0; e = readdir(d)) {
		CLEANUP_FREE char *path = NULL;
		unsigned maj, min;
		FILE *f;

		if (e->d_name[0] == '.' || asprintf(&path, "%s/%s/partition", dir, e->d_name) < 0)
			continue;
		if (partitions && access(path, F_OK) < 0)
			continue;
		memcpy(path + strlen(path) - strlen("partition"), "dev", 4);
		f = fopen(path, "re");
		if (f && fscanf(f, "%u:%u", &maj, &min) == 2)
			r = look(q, maj << 20 | (min & 0xfffffu), depth - 1);
		if (f)
			fclose(f);
	}
	closedir(d);
	return r;
}

static int look(struct search *q, uint32_t dev, int depth)
{
	char path[PATH_MAX];
	int r = is_mounted(q, dev);

	if (r == 0)
		r = is_swap(q, dev);
	if (r != 0 || depth == 0)
		return r;
	if (q->tries++ >= CARRIED_TRIES)
		return -E2BIG;
	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", q->s->sys, MAJOR(dev), MINOR(dev));
	r = look_below(q, path, true, depth);
	if (r != 0)
		return r;
	snprintf(path, sizeof(path), "%s/dev/block/%u:%u/holders", q->s->sys, MAJOR(dev),
		 MINOR(dev));
	return look_below(q, path, false, depth);
}

int carried_by(const struct carried_source *s, uint32_t dev, struct carried *ret)
{
	const struct claims_source source = {.proc = s->proc};
	CLEANUP_FREE struct search *q = calloc(1, sizeof(*q));
	int r;

	*ret = (struct carried){.name = ""};
	name_of(s, "block", dev, ret->name);
	if (!q)
		return -ENOMEM;
	q->s = s;
	q->ret = ret;
	r = claims_source_read(&source, CLAIMS_PROC, "self/mountinfo", MOUNTINFO_MAX_SIZE,
			       &q->mounts);
	if (r >= 0)
		r = claims_source_read(&source, CLAIMS_PROC, "swaps", MOUNTINFO_MAX_SIZE,
				       &q->swaps);
	if (r >= 0 || r == -ENOENT) {
		buf_put(&q->swaps, "", 1); /* ended as text */
		r = buf_status(&q->swaps);
	}
	if (r >= 0)
		r = look(q, dev, CARRIED_DEPTH);
	buf_done(&q->mounts);
	buf_done(&q->swaps);
	return r;
}
