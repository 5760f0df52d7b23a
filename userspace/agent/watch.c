/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "marks.h"

#define READ_SIZE 65536
#define READS_A_TURN 16
#define PENDING_MAX \
	4096 /* paths that settle; half full: all are looked at before more events are read */
#define LINKS_MAX 16 /* names of one inode that are looked at; the rest comes with the rescan */

#define FILE_MASK (FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF)
#define NAMES_MASK (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR)
#define DIR_MASK (FILE_MASK | NAMES_MASK | FAN_EVENT_ON_CHILD)

struct pending {
	char *path;
	char *other; /* the other end of a move */
	uint64_t mask;
	int32_t pid;
};

struct watch {
	struct watch_options o;
	struct measure_sink sink;
	struct marks *marks;
	int fd;
	bool renames; /* the kernel tells both ends of a move in one event (5.17) */
	struct event *event, *timer, *remark;
	uint32_t n_unmarked;
	struct pending pending[PENDING_MAX];
	uint32_t n_pending;
	_Alignas(8) uint8_t data[READ_SIZE];
};

/* What one event names. Strings lie in the event. */
struct named {
	struct marks_fid self, dir, old_dir, new_dir;
	const char *name, *old_name, *new_name;
};

static void tell_loss(struct watch *w, const char *what)
{
	log_warning("sensor=fanotify lost=unknown what=\"%s\" next=\"all files are measured anew\"",
		    what);
	w->sink.lost(w->sink.ctx, "fanotify", 1, what);
	file_set_want_scan(w->o.files);
}

static void mark(struct watch *w, const char *path, bool names_only)
{
	uint64_t mask = names_only ? NAMES_MASK : FILE_MASK;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) && !names_only)
		mask = DIR_MASK;
	if (S_ISDIR(st.st_mode) && w->renames)
		mask |= FAN_RENAME;
	r = marks_add(w->marks, path, mask);
	/* A file that went meanwhile has told so to its directory's mark. */
	if (r < 0 && r != -ENOENT) {
		if (w->n_unmarked++ == 0)
			log_warning("sensor=fanotify unmarked=\"%s\" error=%s next=\"only the "
				    "rescan sees it\"",
				    path, strerrorname_np(-r));
	}
}

static void mark_ancestors(struct watch *w, const char *root)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s", root);
	for (slash = strrchr(path, '/'); slash && path[1]; slash = strrchr(path, '/')) {
		slash[slash == path] = '\0';
		if (!file_set_covers(w->o.files, path))
			mark(w, path, true);
	}
}

/* From the top down: a directory is marked before what lies in it, so that nothing is exchanged unseen. */
static void mark_all(struct watch *w)
{
	for (uint32_t i = 0; i < file_set_n_roots(w->o.files); i++)
		mark_ancestors(w, file_set_root_at(w->o.files, i));
	for (uint32_t i = 0; i < file_set_n(w->o.files); i++)
		mark(w, file_set_path_at(w->o.files, i), false);
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

static bool below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static void check(struct watch *w, const char *path, const struct file_set_deed *deed)
{
	int r = file_set_check(w->o.files, path, deed);

	if (r < 0 && r != -ENOENT)
		tell_loss(w, "a file that changed could not be measured");
}

/* A directory came: what is in it was there before its mark was. */
static void dir_came(struct watch *w, const char *path, const struct file_set_deed *deed)
{
	uint32_t n = file_set_n(w->o.files);

	if (file_set_discover(w->o.files, path) == -ENOSPC)
		tell_loss(w, "a new directory does not fit into the set of files");
	for (uint32_t i = 0; i < file_set_n(w->o.files); i++) {
		const char *member = file_set_path_at(w->o.files, i);

		if (strcmp(member, path) == 0 || (i < n && !below(member, path)))
			continue;
		mark(w, member, false);
		check(w, member, deed);
	}
}

/* A directory went, and all that lay in it. The kernel does not tell those one by one. */
static void dir_went(struct watch *w, const char *path, const struct file_set_deed *deed)
{
	for (uint32_t i = 0; i < file_set_n(w->o.files); i++) {
		const char *member = file_set_path_at(w->o.files, i);

		if (strcmp(member, path) != 0 && below(member, path))
			check(w, member, deed);
	}
}

static void look(struct watch *w, const struct pending *p)
{
	char scope[CGROUPS_SCOPE_SIZE];
	struct line_actor actor;
	struct file_set_deed deed = {
		.src = "fanotify",
		.op = op_of(p->mask),
		.other = p->other,
		.scope = scope,
		.actor = &actor,
	};
	bool came = p->mask & (FAN_CREATE | FAN_MOVED_TO);
	bool went = p->mask & (FAN_DELETE | FAN_MOVED_FROM);

	/* A watched path lies below: another tree has taken its place. */
	if (!file_set_covers(w->o.files, p->path)) {
		if (file_set_touches(w->o.files, p->path) && (came || went)) {
			file_set_want_scan(w->o.files); /* and that marks anew */
		}
		return;
	}
	/* The baseline of the node judges its files, whoever changes them: the scope is the file's. */
	snprintf(scope, sizeof(scope), "host");
	(void)proctab_actor(w->o.proctab, (uint32_t)p->pid, 0, &actor);
	if (went && (p->mask & FAN_ONDIR)) {
		marks_drop_below(w->marks, p->path);
		dir_went(w, p->path, &deed);
	} else if (went)
		marks_drop(w->marks, p->path);
	if (came)
		mark(w, p->path, false);
	check(w, p->path, &deed);
	if (came && (p->mask & FAN_ONDIR))
		dir_came(w, p->path, &deed);
}

static void look_at_all(struct watch *w)
{
	/* Looking may not add to the list, but be safe against it: each is taken off first. */
	uint32_t n = w->n_pending;

	w->n_pending = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct pending p = w->pending[i];

		look(w, &p);
		free(p.path);
		free(p.other);
	}
}

static void on_settled(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	look_at_all(ctx);
}

/* Notes an event of path; those of one path and one process come together, until it is quiet for a moment. */
static void note(struct watch *w, const char *path, const char *other, uint64_t mask, int32_t pid)
{
	uint32_t ms = w->o.settle_ms ? w->o.settle_ms : 20;
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct pending *p;

	if (!file_set_touches(w->o.files, path))
		return;
	/* Only with the last one: an order of several processes' deeds on a path is kept. */
	for (uint32_t i = w->n_pending; i > 0; i--) {
		p = &w->pending[i - 1];
		if (strcmp(p->path, path) != 0)
			continue;
		if (p->pid != pid || other || ((p->mask ^ mask) & FAN_ONDIR))
			break;
		p->mask |= mask;
		return;
	}
	if (w->n_pending == PENDING_MAX) { /* not looked at here: the caller holds borrowed paths */
		tell_loss(w, "more paths change at once than can be kept");
		return;
	}
	p = &w->pending[w->n_pending];
	*p = (struct pending){
		.path = strdup(path),
		.other = other ? strdup(other) : NULL,
		.mask = mask,
		.pid = pid,
	};
	if (!p->path) {
		free(p->other);
		tell_loss(w, "out of memory");
		return;
	}
	if (w->n_pending++ == 0)
		event_add(w->timer, &tv);
}

/* Takes one record apart. false: it does not fit into what is left, or its parts not into it. */
static bool take_info(const uint8_t *p, size_t left, struct named *ret)
{
	const size_t head = sizeof(struct fanotify_event_info_fid) + sizeof(struct file_handle);
	struct fanotify_event_info_fid info;
	struct file_handle handle;
	struct marks_fid fid;
	const char *name = NULL;

	memcpy(&info.hdr, p, sizeof(info.hdr));
	if (info.hdr.len < sizeof(info.hdr) || info.hdr.len > left)
		return false;
	if (info.hdr.len < head)
		return true; /* another kind of record, such as a pidfd */
	memcpy(&handle, p + sizeof(struct fanotify_event_info_fid), sizeof(handle));
	if (handle.handle_bytes > info.hdr.len - head)
		return false;
	fid = (struct marks_fid){
		.fsid = p + offsetof(struct fanotify_event_info_fid, fsid),
		.fsid_size = sizeof(info.fsid),
		.type = handle.handle_type,
		.handle = p + head,
		.size = handle.handle_bytes,
	};
	if (head + handle.handle_bytes < info.hdr.len) {
		name = (const char *)p + head + handle.handle_bytes;
		if (!memchr(name, '\0', info.hdr.len - head - handle.handle_bytes))
			return false;
	}
	switch (info.hdr.info_type) {
	case FAN_EVENT_INFO_TYPE_FID:
		ret->self = fid;
		break;
	case FAN_EVENT_INFO_TYPE_DFID:
	case FAN_EVENT_INFO_TYPE_DFID_NAME:
		ret->dir = fid;
		ret->name = name;
		break;
	case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
		ret->old_dir = fid;
		ret->old_name = name;
		break;
	case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
		ret->new_dir = fid;
		ret->new_name = name;
		break;
	default:
		break;
	}
	return true;
}

/* "." is the directory itself. */
static bool path_of(struct watch *w, const struct marks_fid *dir, const char *name,
		    char ret[PATH_MAX])
{
	const char *path;

	if (!dir->fsid || marks_paths(w->marks, dir, &path, 1) == 0)
		return false;
	if (!name || strcmp(name, ".") == 0)
		return snprintf(ret, PATH_MAX, "%s", path) < PATH_MAX;
	return snprintf(ret, PATH_MAX, "%s/%s", path[1] ? path : "", name) < PATH_MAX;
}

static void note_rename(struct watch *w, const struct named *n, uint64_t on_dir, int32_t pid)
{
	char from[PATH_MAX], to[PATH_MAX];
	bool have_from = path_of(w, &n->old_dir, n->old_name, from);
	bool have_to = path_of(w, &n->new_dir, n->new_name, to);

	if (have_from)
		note(w, from, have_to ? to : NULL, FAN_MOVED_FROM | on_dir, pid);
	if (have_to)
		note(w, to, have_from ? from : NULL, FAN_MOVED_TO | on_dir, pid);
}

/* The name it was done by, and all names of the inode: a hard link's content changes with its twin's. */
static void note_named(struct watch *w, const struct named *n, uint64_t mask, int32_t pid)
{
	const uint64_t content = mask & (FILE_MASK | FAN_ONDIR);
	const char *paths[LINKS_MAX];
	char path[PATH_MAX];
	bool have = path_of(w, &n->dir, n->name, path);
	uint32_t n_paths = n->self.fsid ? marks_paths(w->marks, &n->self, paths, LINKS_MAX) : 0;

	for (uint32_t i = 0; i < n_paths && (content & FILE_MASK); i++) {
		if (!have || strcmp(paths[i], path) != 0)
			note(w, paths[i], NULL, content, pid);
	}
	if (have)
		note(w, path, NULL, mask, pid);
}

static void take_event(struct watch *w, const struct fanotify_event_metadata *e, const uint8_t *at)
{
	size_t left = e->event_len - e->metadata_len;
	struct named named = {0};

	if (e->mask & FAN_Q_OVERFLOW) {
		tell_loss(w, "queue overflow");
		return;
	}
	while (left >= sizeof(struct fanotify_event_info_header)) {
		struct fanotify_event_info_header h;

		if (!take_info(at, left, &named)) {
			tell_loss(w, "an event that cannot be read");
			return;
		}
		memcpy(&h, at, sizeof(h));
		at += h.len;
		left -= h.len;
	}
	if (e->mask & FAN_RENAME)
		note_rename(w, &named, e->mask & FAN_ONDIR, e->pid);
	/* Both ends of a move come in the event above where the kernel has it; else each for itself. */
	else if (!w->renames || !(e->mask & (FAN_MOVED_FROM | FAN_MOVED_TO)) ||
		 (e->mask & ~(FAN_MOVE | FAN_ONDIR)))
		note_named(w, &named, w->renames ? e->mask & ~(uint64_t)FAN_MOVE : e->mask, e->pid);
}

static void take_events(struct watch *w, size_t size)
{
	struct fanotify_event_metadata e;

	for (size_t at = 0; size - at >= sizeof(e); at += e.event_len) {
		memcpy(&e, w->data + at, sizeof(e));
		if (e.vers != FANOTIFY_METADATA_VERSION || e.metadata_len < sizeof(e) ||
		    e.event_len < e.metadata_len || e.event_len > size - at) {
			tell_loss(w, "an event that cannot be read");
			return;
		}
		take_event(w, &e, w->data + at + e.metadata_len);
	}
}

static void on_events(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *w = ctx;

	(void)what;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n;

		if (w->n_pending > PENDING_MAX / 2)
			look_at_all(w);
		n = read(fd, w->data, sizeof(w->data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			tell_loss(w, "events cannot be read");
		if (n <= 0)
			return;
		take_events(w, (size_t)n);
	}
}

/* Events were lost, or something was mounted: what stands at the watched paths now may have no mark. */
static void on_remark(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *w = ctx;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < file_set_n_roots(w->o.files); i++)
		(void)file_set_discover(w->o.files, file_set_root_at(w->o.files, i));
	mark_all(w);
}

static void on_want(void *ctx)
{
	const struct timeval soon = {0, 50000};
	struct watch *w = ctx;

	if (!evtimer_pending(w->remark, NULL))
		event_add(w->remark, &soon);
}

/* Does this kernel know FAN_RENAME? Tried on a path that will be marked anyway. */
static bool knows_renames(int fd)
{
	bool known = fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_RENAME | FAN_ONDIR,
				   AT_FDCWD, "/") == 0;

	if (known)
		(void)fanotify_mark(fd, FAN_MARK_REMOVE, FAN_RENAME | FAN_ONDIR, AT_FDCWD, "/");
	return known;
}

static int start(struct watch *w, struct event_base *base, struct why *ret_why)
{
	int r;

	w->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS |
				      FAN_REPORT_FID | FAN_REPORT_DFID_NAME,
			      O_RDONLY | O_LARGEFILE);
	if (w->fd < 0)
		return why_set(ret_why, errno == EINVAL ? -ENOTSUP : -errno, "fanotify: %s",
			       strerror(errno));
	w->renames = knows_renames(w->fd);
	r = marks_open(w->fd, w->o.max ? w->o.max : WATCH_MAX, &w->marks);
	if (r < 0)
		return r;
	mark_all(w);
	if (marks_n(w->marks) == 0)
		return why_set(ret_why, -ENOTSUP,
			       "fanotify: none of the watched files can be marked");
	w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, on_events, w);
	w->timer = evtimer_new(base, on_settled, w);
	w->remark = evtimer_new(base, on_remark, w);
	if (!w->event || !w->timer || !w->remark || event_add(w->event, NULL) < 0)
		return -ENOMEM;
	return file_set_on_want(w->o.files, on_want, w);
}

int watch_open(struct event_base *base, const struct watch_options *o,
	       const struct measure_sink *sink, struct watch **ret, struct why *ret_why)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->sink = *sink;
	r = start(w, base, ret_why);
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
	if (w->timer)
		event_free(w->timer);
	if (w->remark)
		event_free(w->remark);
	(void)file_set_on_want(w->o.files, NULL, w);
	if (w->fd >= 0)
		close(w->fd);
	for (uint32_t i = 0; i < w->n_pending; i++) {
		free(w->pending[i].path);
		free(w->pending[i].other);
	}
	marks_free(w->marks);
	free(w);
	return NULL;
}

uint32_t watch_n_marks(const struct watch *w)
{
	return marks_n(w->marks);
}

uint32_t watch_n_unmarked(const struct watch *w)
{
	return w->n_unmarked;
}
