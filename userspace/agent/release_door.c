/* SPDX-License-Identifier: Apache-2.0 */
#include "release_door.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"
#include "log.h"
#include "release_order.h"

#define ENDING ".dsse"
#define ANSWERED ".answer"
#define MAX_AT_ONCE 16 /* the rest with the next turn */
#define STEP_MS 50

struct release_door {
	struct release_door_options o;
	struct event *event;
	int fd; /* inotify */
};

static bool ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n > m && strcmp(name + n - m, ending) == 0;
}

static void answer(const struct release_door *d, const char *name, const char *text)
{
	char path[PATH_MAX];
	int n = (int)(strlen(name) - strlen(ENDING)), r = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%.*s" ANSWERED, d->o.dir, n, name) < PATH_MAX)
		r = fsio_replace_file(fsio_system(), path, text, strlen(text), 0600);
	if (r < 0)
		log_warning("release=unanswered file=%s/%s error=\"%s\"", d->o.dir, name,
			    strerror(-r));
}

/* false: it is there still. */
static bool take(const struct release_door *d, const char *name)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX], text[RELEASE_DOOR_ANSWER] = "";
	int r = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%s", d->o.dir, name) < PATH_MAX)
		r = fsio_read_file(fsio_system(), path, RELEASE_ORDER_MAX, &b);
	if (r == -ENOENT)
		return true;
	if (r < 0)
		snprintf(text, sizeof(text), "refused: %s", strerror(-r));
	else
		d->o.take(d->o.ctx, b.data ? b.data : (const uint8_t *)"", b.size, text);
	/* First it goes: whoever waits for the answer finds none taken twice. */
	r = fsio_unlink(fsio_system(), path);
	answer(d, name, text);
	return r >= 0;
}

/* All that is there: an event says only that there is something. */
static void look(struct release_door *d)
{
	DIR *dir = opendir(d->o.dir);
	struct dirent *e;
	int n = 0;

	if (!dir)
		return;
	while (n < MAX_AT_ONCE && (e = readdir(dir)))
		if (ends_in(e->d_name, ENDING) && take(d, e->d_name))
			n++;
	closedir(dir);
	if (n == MAX_AT_ONCE)
		event_active(d->event, EV_TIMEOUT, 0);
}

/* Our own answers are not: what cannot be taken away, a directory say, would have one after the other. */
static bool is_news(const struct inotify_event *e)
{
	return e->mask & IN_Q_OVERFLOW || (e->len > 0 && ends_in(e->name, ENDING));
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	_Alignas(struct inotify_event) char events[4096];
	bool news = what & EV_TIMEOUT;
	ssize_t n;

	while ((n = read(fd, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(events + at);

			news = news || is_news(e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	if (news)
		look(ctx);
}

int release_door_open(struct event_base *base, const struct release_door_options *o,
		      struct release_door **ret, struct why *ret_why)
{
	struct release_door *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->o = *o;
	d->fd = -1;
	r = fsio_mkdir_all(fsio_system(), o->dir, 0700);
	if (r >= 0) {
		d->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		r = d->fd < 0 ? -errno : 0;
	}
	/* Moved there whole, or written and closed. */
	if (r >= 0 &&
	    inotify_add_watch(d->fd, o->dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
		r = -errno;
	if (r >= 0) {
		d->event = event_new(base, d->fd, EV_READ | EV_PERSIST, on_event, d);
		r = d->event && event_add(d->event, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0) {
		release_door_free(d);
		return why_set(ret_why, r, "%.150s: %s", o->dir, strerror(-r));
	}
	event_active(d->event, EV_TIMEOUT, 0);
	*ret = d;
	return 0;
}

struct release_door *release_door_free(struct release_door *d)
{
	if (!d)
		return NULL;
	if (d->event)
		event_free(d->event);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
	return NULL;
}

static int wait_for(const char *path, unsigned int wait_ms, char ret[RELEASE_DOOR_ANSWER])
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = -ENOENT;

	for (unsigned int ms = 0; r == -ENOENT && ms <= wait_ms; ms += STEP_MS) {
		r = fsio_read_file(fsio_system(), path, RELEASE_DOOR_ANSWER - 1, &b);
		if (r == -ENOENT)
			poll(NULL, 0, STEP_MS);
	}
	if (r < 0)
		return r == -ENOENT ? -ETIMEDOUT : r;
	(void)fsio_unlink(fsio_system(), path);
	snprintf(ret, RELEASE_DOOR_ANSWER, "%.*s", (int)b.size, b.data ? (char *)b.data : "");
	return 0;
}

int release_door_hand(const char *dir, const char *path, unsigned int wait_ms,
		      char ret_answer[RELEASE_DOOR_ANSWER], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	char to[PATH_MAX], back[PATH_MAX];
	int r = fsio_read_file(fsio_system(), path, RELEASE_ORDER_MAX, &b);

	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s", path, strerror(-r));
	if (snprintf(to, sizeof(to), "%s/console-%d" ENDING, dir, (int)getpid()) >= PATH_MAX ||
	    snprintf(back, sizeof(back), "%s/console-%d" ANSWERED, dir, (int)getpid()) >= PATH_MAX)
		return why_set(ret_why, -ENAMETOOLONG, "%.150s: too long", dir);
	(void)unlink(back);
	r = fsio_replace_file(fsio_system(), to, b.data ? b.data : (const uint8_t *)"", b.size,
			      0600);
	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s; does plumbd run?", dir, strerror(-r));
	r = wait_for(back, wait_ms, ret_answer);
	if (r == -ETIMEDOUT)
		(void)unlink(to);
	return r < 0 ? why_set(ret_why, r, "%.150s: nobody took it: does plumbd run?", dir) : 0;
}
