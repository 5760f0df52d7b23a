/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_writes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"

#define UEVENT_SIZE 4096
#define DEPTH 6 /* a volume on a mirror on partitions of disks */

struct node {
	dev_t dev;
	int wd; /* -1: none, or nothing to be looked at: no block device */
	bool written; /* since it was synced */
	bool due; /* is to be told, or told again */
	bool exchanged; /* and waits for its turn */
	char path[PATH_MAX];
};

/* What the timer waits for. */
enum stage { SETTLING, SYNCING, LATE };

struct raw_writes {
	struct raw_writes_options o;
	struct event *event, *timer, *exchanges;
	enum stage stage;
	int fd;
	uint32_t n;
	struct node *nodes[RAW_WRITES_MAX];
};

static int read_line_of(const char *path, const char *key, char *ret, size_t room)
{
	char text[UEVENT_SIZE];
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *at, *end;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	at = strstr(text, key);
	if (!at || (at != text && at[-1] != '\n'))
		return -ENOENT;
	at += strlen(key);
	end = strchrnul(at, '\n');
	*end = '\0';
	return snprintf(ret, room, "%s", at) < (int)room ? 0 : -ENAMETOOLONG;
}

static bool is_known(const struct raw_writes *w, dev_t dev)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->nodes[i]->dev == dev)
			return true;
	return false;
}

/* DEVNAME is below /dev, whoever named it; a name with .. is none of the kernel's. */
static void add(struct raw_writes *w, const char *uevent, dev_t dev)
{
	struct node *n;
	char name[256];

	if (w->n == RAW_WRITES_MAX || is_known(w, dev))
		return;
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	n->dev = dev;
	n->wd = -1;
	w->nodes[w->n++] = n;
	if (read_line_of(uevent, "DEVNAME=", name, sizeof(name)) < 0 || strstr(name, "..") ||
	    snprintf(n->path, sizeof(n->path), "%s/%s", w->o.dev, name) >= (int)sizeof(n->path))
		return;
	n->wd = inotify_add_watch(w->fd, n->path, IN_CLOSE_WRITE);
}

static int number_of(const char *uevent, const char *key, unsigned int *ret)
{
	char text[32];
	int r = read_line_of(uevent, key, text, sizeof(text));

	return r < 0 ? r : sscanf(text, "%u", ret) == 1 ? 0 : -EBADMSG;
}

/* A device as sysfs has it; the disk that it is a part of is the directory above; what a mapped one rests on are its slaves. */
static void look_at(struct raw_writes *w, const char *dir, int depth)
{
	char path[PATH_MAX];
	unsigned int a, b;
	DIR *slaves;

	if (snprintf(path, sizeof(path), "%s/uevent", dir) >= (int)sizeof(path) || depth == 0 ||
	    number_of(path, "MAJOR=", &a) < 0 || number_of(path, "MINOR=", &b) < 0)
		return;
	add(w, path, makedev(a, b));
	if (snprintf(path, sizeof(path), "%s/..", dir) < (int)sizeof(path))
		look_at(w, path, depth - 1);
	if (snprintf(path, sizeof(path), "%s/slaves", dir) >= (int)sizeof(path))
		return;
	slaves = opendir(path);
	for (struct dirent *e = slaves ? readdir(slaves) : NULL; e; e = readdir(slaves))
		if (e->d_name[0] != '.' && snprintf(path, sizeof(path), "%s/slaves/%s", dir,
						    e->d_name) < (int)sizeof(path))
			look_at(w, path, depth - 1);
	if (slaves)
		closedir(slaves);
}

void raw_writes_again(struct raw_writes *w)
{
	char dir[PATH_MAX];
	struct stat st;

	/* What is watched below a path lies on the same file system. One without a device has a major of 0. */
	for (uint32_t i = 0; i < file_set_n_roots(w->o.files); i++) {
		if (lstat(file_set_root_at(w->o.files, i), &st) < 0 || major(st.st_dev) == 0)
			continue;
		snprintf(dir, sizeof(dir), "%s/%u:%u", w->o.sys, major(st.st_dev),
			 minor(st.st_dev));
		if (!is_known(w, st.st_dev))
			look_at(w, dir, DEPTH);
	}
}

static void again_in(struct raw_writes *w, enum stage stage, uint32_t ms)
{
	const struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	w->stage = stage;
	event_add(w->timer, &tv);
}

/*
 * What was written lies in memory, and is not what the file system reads: to the disk with it. Begun, not waited for: it may be the half
 * of a disk.
 */
static bool begin_sync(struct raw_writes *w)
{
	bool any = false;

	for (uint32_t i = 0; i < w->n; i++) {
		struct node *n = w->nodes[i];

		if (!n->written)
			continue;
		n->written = false;
		n->due = any = true;
		CLEANUP_CLOSE int node = open(n->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (node >= 0)
			(void)sync_file_range(node, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	return any;
}

static void tell(struct raw_writes *w, bool last)
{
	for (uint32_t i = 0; i < w->n; i++) {
		if (!w->nodes[i]->due)
			continue;
		w->nodes[i]->due = !last;
		w->o.written(w->o.ctx, w->nodes[i]->path);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct raw_writes *w = ctx;
	enum stage stage = w->stage;

	(void)fd;
	(void)what;
	if (stage != SETTLING)
		tell(w, stage == LATE);
	if (begin_sync(w))
		again_in(w, SYNCING, w->o.sync_ms);
	else if (stage == SYNCING)
		again_in(w, LATE, w->o.late_ms);
}

/* Who writes all the time puts nothing off. */
static void note_written(struct raw_writes *w, struct node *n)
{
	n->written = true;
	if (!evtimer_pending(w->timer, NULL) || w->stage == LATE)
		again_in(w, SETTLING, w->o.settle_ms);
}

static bool is_node(const struct node *n, uint32_t dev)
{
	return n->dev == makedev(dev >> 20, dev & 0xfffff);
}

void raw_writes_opened(struct raw_writes *w, uint32_t dev)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (is_node(w->nodes[i], dev))
			note_written(w, w->nodes[i]);
}

static void take_exchanges(struct raw_writes *w)
{
	const struct timeval tv = {w->o.exchange_ms / 1000, w->o.exchange_ms % 1000 * 1000};
	bool any = false;

	for (uint32_t i = 0; i < w->n; i++) {
		if (!w->nodes[i]->exchanged)
			continue;
		w->nodes[i]->exchanged = false;
		note_written(w, w->nodes[i]);
		any = true;
	}
	if (any)
		event_add(w->exchanges, &tv);
}

static void on_exchanges(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	take_exchanges(ctx);
}

void raw_writes_exchanged(struct raw_writes *w, uint32_t dev)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (dev == 0 || is_node(w->nodes[i], dev))
			w->nodes[i]->exchanged = true;
	if (!evtimer_pending(w->exchanges, NULL))
		take_exchanges(w);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	_Alignas(struct inotify_event) uint8_t data[4096];
	struct raw_writes *w = ctx;
	ssize_t n = read(fd, data, sizeof(data));
	struct inotify_event e;

	(void)what;
	for (ssize_t at = 0; n - at >= (ssize_t)sizeof(e); at += (ssize_t)(sizeof(e) + e.len)) {
		memcpy(&e, data + at, sizeof(e));
		for (uint32_t i = 0; i < w->n; i++) {
			/* Beyond the queue's end anybody may have been written to. */
			bool is = (e.mask & IN_Q_OVERFLOW) ? w->nodes[i]->wd >= 0
							   : w->nodes[i]->wd == e.wd;

			if (!is || !(e.mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW)))
				continue;
			note_written(w, w->nodes[i]);
		}
	}
}

int raw_writes_open(struct event_base *base, const struct raw_writes_options *o,
		    struct raw_writes **ret, struct why *ret_why)
{
	struct raw_writes *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->o.sys = o->sys ? o->sys : "/sys/dev/block";
	w->o.dev = o->dev ? o->dev : "/dev";
	w->o.settle_ms = o->settle_ms ? o->settle_ms : 200;
	w->o.sync_ms = o->sync_ms ? o->sync_ms : 1000;
	w->o.late_ms = o->late_ms ? o->late_ms : 30000;
	w->o.exchange_ms = o->exchange_ms ? o->exchange_ms : 60000;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd >= 0) {
		w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, on_event, w);
		w->timer = evtimer_new(base, on_timer, w);
		w->exchanges = evtimer_new(base, on_exchanges, w);
	}
	if (!w->event || !w->timer || !w->exchanges || event_add(w->event, NULL) < 0) {
		raw_writes_free(w);
		return why_set(ret_why, -ENOMEM, "no inotify for block devices");
	}
	raw_writes_again(w);
	if (raw_writes_n(w) == 0) {
		raw_writes_free(w);
		return why_set(ret_why, -ENODEV,
			       "no watched file lies on a block device that has a node");
	}
	*ret = w;
	return 0;
}

struct raw_writes *raw_writes_free(struct raw_writes *w)
{
	if (!w)
		return NULL;
	if (w->event)
		event_free(w->event);
	if (w->timer)
		event_free(w->timer);
	if (w->exchanges)
		event_free(w->exchanges);
	if (w->fd >= 0)
		close(w->fd);
	for (uint32_t i = 0; i < w->n; i++)
		free(w->nodes[i]);
	free(w);
	return NULL;
}

uint32_t raw_writes_n(const struct raw_writes *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		n += w->nodes[i]->wd >= 0;
	return n;
}
