/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_lives.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define READS_MAX 4096 /* of 256 events: more than the kernel lets wait */

struct life {
	dev_t dev;
	uint32_t n;
	int wds[FS_LIVES_FILES];
};

struct fs_lives {
	fs_lives_gone gone;
	void *ctx;
	int inotify, error;
	int root; /* keeps the agent's own root mounted, whatever becomes of the process's */
	dev_t root_dev;
	uint32_t max, n, oldest;
	struct life lives[];
};

int fs_lives_open(uint32_t max, fs_lives_gone gone, void *ctx, struct fs_lives **ret)
{
	struct fs_lives *l;
	struct stat st;

	max = max ? max : FS_LIVES_MAX;
	l = calloc(1, sizeof(*l) + max * sizeof(l->lives[0]));
	if (!l)
		return -ENOMEM;
	l->max = max;
	l->gone = gone;
	l->ctx = ctx;
	l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	l->error = l->inotify < 0 ? -errno : 0;
	l->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root >= 0 && fstat(l->root, &st) == 0)
		l->root_dev = st.st_dev;
	*ret = l;
	return 0;
}

struct fs_lives *fs_lives_free(struct fs_lives *l)
{
	if (!l)
		return NULL;
	if (l->inotify >= 0)
		close(l->inotify);
	if (l->root >= 0)
		close(l->root);
	free(l);
	return NULL;
}

static struct life *find(struct fs_lives *l, dev_t dev)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->lives[i].dev == dev)
			return &l->lives[i];
	return NULL;
}

/* Numbers of watches do not come again, so one that went by itself is nobody else's. */
static void end(struct fs_lives *l, struct life *of)
{
	dev_t dev = of->dev;

	for (uint32_t i = 0; i < of->n; i++)
		(void)inotify_rm_watch(l->inotify, of->wds[i]);
	*of = l->lives[--l->n];
	l->gone(l->ctx, dev);
}

static void end_all(struct fs_lives *l)
{
	while (l->n > 0)
		end(l, &l->lives[l->n - 1]);
}

static bool drop_watch(struct life *of, int wd)
{
	for (uint32_t i = 0; i < of->n; i++) {
		if (of->wds[i] != wd)
			continue;
		of->wds[i] = of->wds[--of->n];
		return true;
	}
	return false;
}

/* A file of an overlay gets another device when it is copied up, so that its watch may be of two. */
static void take(struct fs_lives *l, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW) {
		end_all(l);
		return;
	}
	if (!(e->mask & (IN_UNMOUNT | IN_IGNORED)))
		return;
	for (uint32_t i = l->n; i-- > 0;)
		if (drop_watch(&l->lives[i], e->wd) && (l->lives[i].n == 0 || e->mask & IN_UNMOUNT))
			end(l, &l->lives[i]);
}

/* 1: there may be more. */
static int read_some(struct fs_lives *l)
{
	_Alignas(struct inotify_event) uint8_t data[4096];
	ssize_t at, n = read(l->inotify, data, sizeof(data));
	struct inotify_event e;

	if (n <= 0)
		return n == 0 ? -EIO : errno == EINTR ? 1 : errno == EAGAIN ? 0 : -errno;
	for (at = 0; n - at >= (ssize_t)sizeof(e); at += (ssize_t)(sizeof(e) + e.len)) {
		memcpy(&e, data + at, sizeof(e));
		take(l, &e);
	}
	return at == n ? 1 : -EBADMSG;
}

void fs_lives_read(struct fs_lives *l)
{
	int r = 1;

	if (l->inotify < 0)
		return;
	for (int i = 0; r == 1 && i < READS_MAX; i++)
		r = read_some(l);
	if (r == 0)
		return;
	/* What waits there cannot be heard. */
	end_all(l);
	l->error = r < 0 ? r : -EOVERFLOW;
	close(l->inotify);
	l->inotify = -1;
}

static struct life *add(struct fs_lives *l, dev_t dev)
{
	if (l->n == l->max)
		end(l, &l->lives[l->oldest++ % l->n]);
	l->lives[l->n] = (struct life){.dev = dev};
	return &l->lives[l->n++];
}

static bool has_watch(const struct life *of, int wd)
{
	for (uint32_t i = 0; i < of->n; i++)
		if (of->wds[i] == wd)
			return true;
	return false;
}

int fs_lives_hold(struct fs_lives *l, int fd, dev_t dev)
{
	struct life *of = find(l, dev);
	char proc[64];
	int wd;

	if ((l->root >= 0 && dev == l->root_dev) || (of && of->n == FS_LIVES_FILES))
		return 0;
	if (l->inotify < 0)
		return l->error;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(l->inotify, proc, IN_DELETE_SELF);
	if (wd < 0) {
		l->error = of ? l->error : -errno;
		return of ? 0 : l->error;
	}
	of = of ? of : add(l, dev);
	if (!has_watch(of, wd))
		of->wds[of->n++] = wd;
	l->error = 0;
	return 0;
}

int fs_lives_error(const struct fs_lives *l)
{
	return l->error;
}

uint32_t fs_lives_n(const struct fs_lives *l)
{
	return l->n;
}
