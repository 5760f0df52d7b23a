/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define READ_SIZE 65536
#define DIR_MASK                                                                                \
	(FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | \
	 FAN_MOVED_TO | FAN_DELETE_SELF | FAN_MOVE_SELF | FAN_ONDIR | FAN_EVENT_ON_CHILD)

/* A marked directory, found again by the handle that its events carry. */
struct marked {
	char *path;
	size_t handle_size; /* of struct file_handle with its bytes */
	uint8_t handle[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

struct watch {
	int fd;
	struct event *event;
	struct file_set *files;
	struct proctab *proctab;
	struct measure_sink sink;
	uint32_t max, n, room, n_unmarked;
	struct marked *marked;
};

static int mark(struct watch *w, const char *path)
{
	struct marked *m;
	struct file_handle *h;
	int mount;

	if (w->n == w->room) {
		uint32_t room = w->room ? 2 * w->room : 64;
		struct marked *more =
			w->n < w->max ? realloc(w->marked, room * sizeof(*more)) : NULL;

		if (!more)
			return -ENOSPC;
		w->marked = more;
		w->room = room;
	}
	m = &w->marked[w->n];
	h = (struct file_handle *)m->handle;
	h->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, path, h, &mount, 0) < 0)
		return -errno;
	if (fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR | FAN_MARK_DONT_FOLLOW, DIR_MASK,
			  AT_FDCWD, path) < 0)
		return -errno;
	m->path = strdup(path);
	if (!m->path)
		return -ENOMEM;
	m->handle_size = sizeof(*h) + h->handle_bytes;
	w->n++;
	return 0;
}

static const struct marked *find(const struct watch *w, const void *handle, size_t size)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->marked[i].handle_size == size &&
		    memcmp(w->marked[i].handle, handle, size) == 0)
			return &w->marked[i];
	return NULL;
}

static void mark_or_count(struct watch *w, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	if (mark(w, path) < 0)
		w->n_unmarked++;
}

/* Every directory in the set, and the directory of each configured path, so that a rename over it is seen. */
static int mark_all(struct watch *w)
{
	for (uint32_t i = 0; i < file_set_n(w->files); i++)
		mark_or_count(w, file_set_path_at(w->files, i));
	for (uint32_t i = 0; i < file_set_n_roots(w->files); i++) {
		char parent[PATH_MAX];
		char *slash;

		snprintf(parent, sizeof(parent), "%s", file_set_root_at(w->files, i));
		slash = strrchr(parent, '/');
		if (!slash)
			continue;
		*(slash == parent ? slash + 1 : slash) = 0;
		mark_or_count(w, parent);
	}
	return w->n > 0 ? 0 : -ENOENT;
}

static const char *op_of(uint64_t mask)
{
	if (mask & FAN_MOVED_TO)
		return "moved_to";
	if (mask & FAN_MOVED_FROM)
		return "moved_from";
	if (mask & FAN_CREATE)
		return "create";
	if (mask & (FAN_DELETE | FAN_DELETE_SELF))
		return "delete";
	if (mask & (FAN_MODIFY | FAN_CLOSE_WRITE))
		return "write";
	return "attr";
}

static void look(struct watch *w, const char *path, uint64_t mask, pid_t pid)
{
	struct line_actor actor = {.known = false};
	struct file_set_deed deed = {.src = "fanotify", .op = op_of(mask), .actor = &actor};
	char scope[CGROUPS_SCOPE_SIZE];

	if (!file_set_covers(w->files, path))
		return;
	proctab_actor(w->proctab, (uint32_t)pid, 0, &actor);
	proctab_scope(w->proctab, (uint32_t)pid, 0, scope);
	if (mask & FAN_ONDIR && mask & (FAN_CREATE | FAN_MOVED_TO)) {
		uint32_t from = file_set_n(w->files);

		file_set_discover(w->files, path);
		for (uint32_t i = from; i < file_set_n(w->files); i++) {
			mark_or_count(w, file_set_path_at(w->files, i));
			file_set_check(w->files, file_set_path_at(w->files, i), &deed);
		}
	}
	file_set_check(w->files, path, &deed);
}

static void look_at(struct watch *w, const struct marked *m, const char *name, uint64_t mask,
		    pid_t pid)
{
	char path[PATH_MAX];
	int n;

	if (strcmp(name, ".") == 0)
		n = snprintf(path, sizeof(path), "%s", m->path);
	else
		n = snprintf(path, sizeof(path), "%s%s%s", m->path,
			     strcmp(m->path, "/") == 0 ? "" : "/", name);
	if (n >= (int)sizeof(path))
		w->sink.lost(w->sink.ctx, "fanotify", 1, "a path that is too long");
	else
		look(w, path, mask, pid);
}

/* Every record between p and end; its place in the buffer need not be aligned, so what is read is copied first. */
static void take_infos(struct watch *w, uint64_t mask, pid_t pid, const uint8_t *p,
		       const uint8_t *end)
{
	while (end - p >= (ptrdiff_t)sizeof(struct fanotify_event_info_header)) {
		struct fanotify_event_info_fid info;
		struct file_handle h;
		struct fanotify_event_info_header hdr;
		const struct marked *m;
		const char *name;
		size_t handle;

		memcpy(&hdr, p, sizeof(hdr));
		if (hdr.len < sizeof(info) + sizeof(h) || hdr.len > end - p)
			return;
		memcpy(&info, p, sizeof(info));
		memcpy(&h, p + sizeof(info), sizeof(h));
		if (h.handle_bytes > hdr.len - sizeof(info) - sizeof(h))
			return;
		handle = sizeof(h) + h.handle_bytes;
		name = (const char *)p + sizeof(info) + handle;
		m = hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME
			    ? find(w, p + sizeof(info), handle)
			    : NULL;
		if (m && memchr(name, 0, hdr.len - sizeof(info) - handle))
			look_at(w, m, name, mask, pid);
		p += hdr.len;
	}
}

/* Takes the first event in the buffer; its size, 0 when it is not whole or of another version. */
static size_t take_event(struct watch *w, const uint8_t *data, size_t size)
{
	struct fanotify_event_metadata e;

	if (size < sizeof(e))
		return 0;
	memcpy(&e, data, sizeof(e));
	if (e.vers != FANOTIFY_METADATA_VERSION || e.metadata_len < sizeof(e) ||
	    e.event_len < e.metadata_len || e.event_len > size)
		return 0;
	if (e.mask & FAN_Q_OVERFLOW) {
		w->sink.lost(w->sink.ctx, "fanotify", 1,
			     "queue overflow; all files are read again");
		file_set_want_scan(w->files);
	} else {
		take_infos(w, e.mask, e.pid, data + e.metadata_len, data + e.event_len);
	}
	return e.event_len;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	uint8_t data[READ_SIZE];
	struct watch *w = ctx;
	ssize_t n = read(fd, data, sizeof(data));
	size_t at = 0, took;

	(void)what;
	while (n > 0 && at < (size_t)n) {
		took = take_event(w, data + at, (size_t)n - at);
		if (took == 0) {
			w->sink.lost(w->sink.ctx, "fanotify", 1,
				     "an event that is malformed; all files are read again");
			file_set_want_scan(w->files);
			return;
		}
		at += took;
	}
}

int watch_open(struct event_base *base, const struct watch_options *o,
	       const struct measure_sink *sink, struct watch **ret, struct why *ret_why)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	w->files = o->files;
	w->proctab = o->proctab;
	w->sink = *sink;
	w->max = o->max ? o->max : WATCH_MAX;
	w->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME,
			      O_RDONLY);
	if (w->fd < 0)
		r = why_set(ret_why, -errno, "fanotify: %s", strerror(errno));
	if (r >= 0 && mark_all(w) < 0)
		r = why_set(ret_why, -ENOTSUP,
			    "fanotify: no directory of the watched files can be marked");
	if (r >= 0) {
		w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, on_readable, w);
		r = w->event && event_add(w->event, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0) {
		watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	if (w->event)
		event_free(w->event);
	if (w->fd >= 0)
		close(w->fd);
	for (uint32_t i = 0; i < w->n; i++)
		free(w->marked[i].path);
	free(w->marked);
	free(w);
	return NULL;
}

uint32_t watch_n_marks(const struct watch *w)
{
	return w->n;
}

uint32_t watch_n_unmarked(const struct watch *w)
{
	return w->n_unmarked;
}
