/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "mountinfo.h"

#define MOUNTS_MAX \
	65536 /* lines of mountinfo that are looked at; a kernel allows 100,000 mounts a namespace */

struct seen {
	char *point;
	char *value; /* "<fstype> <source> <root>" */
	uint32_t id;
	bool still_there;
};

struct mounts {
	struct mounts_options o;
	struct measure_sink sink;
	char *path;
	int fd;
	struct event *event, *timer;
	struct seen *seen;
	uint32_t n, room;
	bool started;
};

static struct seen *find(struct mounts *m, const struct mountinfo_entry *e, const char *value)
{
	for (uint32_t i = 0; i < m->n; i++) {
		if (m->seen[i].id == e->id && strcmp(m->seen[i].point, e->point) == 0 &&
		    strcmp(m->seen[i].value, value) == 0)
			return &m->seen[i];
	}
	return NULL;
}

static void tell(struct mounts *m, const char *point, const char *value, const char *op)
{
	char key[LINE_MAX_KEY];
	struct line l = {
		.utc_ns = clock_utc_ns(m->o.clock),
		.boot_ns = clock_boot_ns(m->o.clock),
		.src = "mountinfo",
		.type = m->started ? PLUMB_TYPE_MOUNT : PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
		.op = m->started ? op : NULL,
		.has_actor = m->started, /* mountinfo itself names nobody */
	};

	if (m->started && m->o.mounter)
		(void)m->o.mounter(m->o.ctx, point, strcmp(op, "umount") == 0, &l.actor);
	snprintf(key, sizeof(key), "mount:%s", point);
	m->sink.measurement(m->sink.ctx, &l);
}

static int add(struct mounts *m, const struct mountinfo_entry *e, const char *value)
{
	struct seen *grown;
	char *point, *copy;

	if (m->n == m->room) {
		grown = reallocarray(m->seen, m->room ? m->room * 2 : 32, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->seen = grown;
		m->room = m->room ? m->room * 2 : 32;
	}
	point = strdup(e->point);
	copy = strdup(value);
	if (!point || !copy) {
		free(point);
		free(copy);
		return -ENOMEM;
	}
	m->seen[m->n++] = (struct seen){
		.point = point,
		.value = copy,
		.id = e->id,
		.still_there = true,
	};
	return 0;
}

/* 1: something new was told, 0: nothing, -errno. */
static int look_at(struct mounts *m, const char *text, size_t size)
{
	struct mountinfo_entry e;
	CLEANUP(buf_done) struct buf value = {0};
	struct why why = {""};
	struct seen *s;
	int r;

	r = mountinfo_parse(text, size, &e, &why);
	if (r < 0) {
		log_error("mounts why=\"%s\" next=\"told as lost\"", why.text);
		m->sink.lost(m->sink.ctx, "mountinfo", 1, why.text);
		return 0;
	}
	if (!file_set_touches(m->o.files, e.point))
		return 0;
	r = mountinfo_value(&e, &value);
	if (r < 0)
		return r;
	s = find(m, &e, (const char *)value.data);
	if (s) {
		s->still_there = true;
		return 0;
	}
	r = add(m, &e, (const char *)value.data);
	if (r < 0)
		return r;
	if (!m->started)
		return 0; /* see tell_first */
	tell(m, e.point, (const char *)value.data, "mount");
	return 1;
}

static void forget(struct mounts *m, uint32_t i)
{
	free(m->seen[i].point);
	free(m->seen[i].value);
	m->seen[i] = m->seen[--m->n];
}

/* What lies there once a mount is gone: the one below it, which its own line named, or none. */
static int tell_gone(struct mounts *m)
{
	int told = 0;

	for (uint32_t i = 0; i < m->n;) {
		const char *left = "absent";

		if (m->seen[i].still_there) {
			i++;
			continue;
		}
		for (uint32_t k = 0; k < m->n; k++) {
			if (m->seen[k].still_there &&
			    strcmp(m->seen[k].point, m->seen[i].point) == 0)
				left = m->seen[k].value;
		}
		tell(m, m->seen[i].point, left, "umount");
		forget(m, i);
		told++;
	}
	return told;
}

/* What is there at the start: of several at one point only that on top, which is all that a baseline lists, too. */
static int tell_first(struct mounts *m)
{
	int told = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		bool hidden = false;

		for (uint32_t k = i + 1; k < m->n && !hidden; k++)
			hidden = strcmp(m->seen[k].point, m->seen[i].point) == 0;
		if (hidden)
			continue;
		tell(m, m->seen[i].point, m->seen[i].value, "mount");
		told++;
	}
	return told;
}

static int read_all(struct mounts *m, struct buf *ret)
{
	uint8_t chunk[16384];
	uint64_t at = 0;
	ssize_t n;

	do {
		n = pread(m->fd, chunk, sizeof(chunk), (off_t)at);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			buf_put(ret, chunk, (size_t)n);
			at += (uint64_t)n;
		}
	} while (n != 0 && buf_status(ret) == 0);
	return buf_status(ret);
}

int mounts_check(struct mounts *m)
{
	CLEANUP(buf_done) struct buf text;
	const char *at, *end;
	uint32_t lines = 0;
	int r, told = 0;

	buf_init(&text, MOUNTINFO_MAX_SIZE);
	r = read_all(m, &text);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < m->n; i++)
		m->seen[i].still_there = false;
	at = (const char *)text.data;
	end = at + text.size;
	while (at && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((stop ? stop : end) - at);

		if (++lines > MOUNTS_MAX)
			return -E2BIG;
		r = look_at(m, at, size);
		if (r < 0)
			return r;
		told += r;
		at += size + 1;
	}
	told += m->started ? tell_gone(m) : tell_first(m);
	if (told > 0 && m->started)
		file_set_want_scan(m->o.files);
	return told;
}

static void check_told(struct mounts *m)
{
	int r = mounts_check(m);

	if (r < 0) {
		log_error("mounts path=%s error=%s next=\"told as lost\"", m->path,
			  strerrorname_np(-r));
		m->sink.lost(m->sink.ctx, "mountinfo", 1, "mountinfo cannot be read");
	}
}

/*
 * mountinfo is always readable; that it changed comes as POLLERR and POLLPRI, once per reader. epoll gives that edge-triggered,
 * so a libevent EV_READ|EV_ET event wakes on it.
 */
static void on_change(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	check_told(ctx);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct mounts *m = ctx;
	struct pollfd p = {.fd = m->fd, .events = POLLPRI};

	(void)fd;
	(void)what;
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLPRI | POLLERR)))
		check_told(m);
}

static int start(struct mounts *m, struct event_base *base, struct why *ret_why)
{
	const struct timeval every = {5, 0};
	struct statfs fs;
	int r;

	m->fd = open(m->path, O_RDONLY | O_CLOEXEC);
	if (m->fd < 0)
		return why_set(ret_why, -errno, "%s: %s", m->path, strerror(errno));
	/* Watched before it is read: a mount in between is then read twice, not missed. */
	m->event = event_new(base, m->fd, EV_READ | EV_ET | EV_PERSIST, on_change, m);
	/* A plain file in place of the kernel's (tests) cannot be polled, and never changes by itself. */
	if (!m->event || (fstatfs(m->fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
			  event_add(m->event, NULL) < 0))
		return -ENOMEM;
	/* In case this libevent does not poll edge-triggered. */
	m->timer = event_new(base, -1, EV_PERSIST, on_timer, m);
	if (!m->timer || event_add(m->timer, &every) < 0)
		return -ENOMEM;
	r = mounts_check(m);
	if (r < 0)
		return why_set(ret_why, r, "%s: %s", m->path, strerror(-r));
	m->started = true;
	return 0;
}

int mounts_open(struct event_base *base, const struct mounts_options *o,
		const struct measure_sink *sink, struct mounts **ret, struct why *ret_why)
{
	struct mounts *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->o = *o;
	m->sink = *sink;
	m->fd = -1;
	m->path = strdup(o->path ? o->path : "/proc/self/mountinfo");
	r = m->path ? start(m, base, ret_why) : -ENOMEM;
	if (r < 0) {
		mounts_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

struct mounts *mounts_free(struct mounts *m)
{
	if (!m)
		return NULL;
	if (m->event)
		event_free(m->event);
	if (m->timer)
		event_free(m->timer);
	if (m->fd >= 0)
		close(m->fd);
	while (m->n > 0)
		forget(m, m->n - 1);
	free(m->seen);
	free(m->path);
	free(m);
	return NULL;
}
