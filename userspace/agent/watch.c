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

#include "cleanup.h"
#include "log.h"
#include "marks.h"
#include "overlay_below.h"

_Static_assert(MARKS_LAYERS == OVERLAY_BELOW_LAYERS, "the layers that are given are told apart");

#define READ_SIZE 65536
#define READS_A_TURN 16
#define LINKS_MAX 16 /* names of one inode that are looked at; the rest comes with the rescan */

#define FILE_MASK (FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF)
#define NAMES_MASK (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR)
#define DIR_MASK (FILE_MASK | NAMES_MASK | FAN_EVENT_ON_CHILD)

struct watch {
	struct watch_options o;
	struct marks *marks;
	struct overlay_below *below;
	int fd;
	bool renames; /* the kernel tells both ends of a move in one event (5.17) */
	struct event *event, *remark;
	uint32_t n_unmarked;
	_Alignas(8) uint8_t data[READ_SIZE];
};

/* What one event names. Strings lie in the event. */
struct named {
	struct marks_fid self, dir, old_dir, new_dir;
	const char *name, *old_name, *new_name;
};

static void tell_loss(struct watch *w, const char *what)
{
	changes_lost(w->o.changes, "fanotify", 1, what);
}

/* A file that went meanwhile has told so to its directory's mark. */
static void tell_unmarked(struct watch *w, const char *path, int r)
{
	if (r < 0 && r != -ENOENT && w->n_unmarked++ == 0)
		log_warning("sensor=fanotify unmarked=\"%s\" error=%s next=\"only the rescan sees "
			    "it\"",
			    path, strerrorname_np(-r));
}

struct layered {
	struct watch *w;
	const char *path;
	uint64_t mask;
};

static void mark_layer(void *ctx, int fd, uint32_t layer)
{
	const struct layered *l = ctx;

	tell_unmarked(l->w, l->path, marks_add_layer(l->w->marks, l->path, fd, layer, l->mask));
}

static void mark(struct watch *w, const char *path, bool names_only)
{
	uint64_t mask = names_only ? NAMES_MASK : FILE_MASK;
	struct layered l = {.w = w, .path = path};
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) && !names_only)
		mask = DIR_MASK;
	if (S_ISDIR(st.st_mode) && w->renames)
		mask |= FAN_RENAME;
	l.mask = mask;
	tell_unmarked(w, path, marks_add(w->marks, path, mask));
	/* Whoever writes past the overlay writes to these; before 6.6 they are all that can be marked. */
	(void)overlay_below_each(w->below, path, mark_layer, &l);
}

static void mark_came(void *ctx, const char *path)
{
	mark(ctx, path, false);
}

static void drop_gone(void *ctx, const char *path, bool below)
{
	struct watch *w = ctx;

	if (below)
		marks_drop_below(w->marks, path);
	else
		marks_drop(w->marks, path);
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
	int r = overlay_below_read(w->below);

	if (r < 0)
		log_warning(
			"sensor=fanotify mountinfo=unreadable error=\"%s\" next=\"what is written "
			"past an overlay is found by the rescan\"",
			strerror(-r));
	for (uint32_t i = 0; i < file_set_n_roots(w->o.files); i++)
		mark_ancestors(w, file_set_root_at(w->o.files, i));
	for (uint32_t i = 0; i < file_set_n(w->o.files); i++)
		mark(w, file_set_path_at(w->o.files, i), false);
}

static uint32_t what_of(uint64_t mask)
{
	static const struct {
		uint64_t mask;
		uint32_t what;
	} known[] = {
		{FAN_MOVED_TO, CHANGES_MOVED_TO},
		{FAN_MOVED_FROM, CHANGES_MOVED_FROM},
		{FAN_CREATE, CHANGES_CREATE},
		{FAN_DELETE | FAN_DELETE_SELF, CHANGES_DELETE},
		{FAN_MODIFY | FAN_CLOSE_WRITE, CHANGES_WRITE},
		{FAN_ATTRIB | FAN_MOVE_SELF, CHANGES_ATTR},
		{FAN_ONDIR, CHANGES_ON_DIR},
	};
	uint32_t what = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		what |= mask & known[i].mask ? known[i].what : 0;
	return what;
}

/* layer: said of an overlay's layer. */
static void note(struct watch *w, const char *path, const char *other, uint64_t mask, int32_t pid,
		 bool layer)
{
	const struct changes_note n = {
		.src = "fanotify",
		.path = path,
		.other = other,
		.what = what_of(mask) | (layer ? CHANGES_LAYER : 0),
		.pid = (uint32_t)pid,
	};

	changes_note(w->o.changes, &n);
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
		    char ret[PATH_MAX], bool *ret_layer)
{
	const char *path;

	*ret_layer = false;
	if (!dir->fsid || marks_paths(w->marks, dir, &path, 1, ret_layer) == 0)
		return false;
	if (!name || strcmp(name, ".") == 0)
		return snprintf(ret, PATH_MAX, "%s", path) < PATH_MAX;
	return snprintf(ret, PATH_MAX, "%s/%s", path[1] ? path : "", name) < PATH_MAX;
}

static void note_rename(struct watch *w, const struct named *n, uint64_t on_dir, int32_t pid)
{
	char from[PATH_MAX], to[PATH_MAX];
	bool from_layer, to_layer;
	bool have_from = path_of(w, &n->old_dir, n->old_name, from, &from_layer);
	bool have_to = path_of(w, &n->new_dir, n->new_name, to, &to_layer);

	if (have_from)
		note(w, from, have_to ? to : NULL, FAN_MOVED_FROM | on_dir, pid, from_layer);
	if (have_to)
		note(w, to, have_from ? from : NULL, FAN_MOVED_TO | on_dir, pid, to_layer);
}

/* The name it was done by, and all names of the inode: a hard link's content changes with its twin's. */
static void note_named(struct watch *w, const struct named *n, uint64_t mask, int32_t pid)
{
	const uint64_t content = mask & (FILE_MASK | FAN_ONDIR);
	const char *paths[LINKS_MAX];
	char path[PATH_MAX];
	bool in_layer, of_layer = false;
	bool have = path_of(w, &n->dir, n->name, path, &in_layer);
	uint32_t n_paths =
		n->self.fsid ? marks_paths(w->marks, &n->self, paths, LINKS_MAX, &of_layer) : 0;

	for (uint32_t i = 0; i < n_paths && (content & FILE_MASK); i++) {
		if (!have || strcmp(paths[i], path) != 0)
			note(w, paths[i], NULL, content, pid, of_layer);
	}
	if (have)
		note(w, path, NULL, mask, pid, in_layer);
}

static void take_event(struct watch *w, const struct fanotify_event_metadata *e, const uint8_t *at)
{
	size_t left = e->event_len - e->metadata_len;
	struct named named = {0};

	if (e->mask & FAN_Q_OVERFLOW) {
		/* The kernel does not say how many. */
		changes_lost(w->o.changes, "fanotify", 0,
			     "queue overflow: all watched files are looked at again");
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

		if (changes_is_half_full(w->o.changes))
			changes_look(w->o.changes);
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

void watch_hear(struct watch *w)
{
	on_events(w->fd, EV_READ, w);
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
	const struct changes_marker marker = {mark_came, drop_gone, w};
	int r;

	w->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS |
				      FAN_REPORT_FID | FAN_REPORT_DFID_NAME,
			      O_RDONLY | O_LARGEFILE);
	if (w->fd < 0)
		return why_set(ret_why, errno == EINVAL ? -ENOTSUP : -errno, "fanotify: %s",
			       strerror(errno));
	w->renames = knows_renames(w->fd);
	r = marks_open(w->fd, w->o.max ? w->o.max : WATCH_MAX, &w->marks);
	if (r >= 0)
		r = overlay_below_open(w->o.mountinfo, NULL, &w->below);
	if (r < 0)
		return r;
	mark_all(w);
	if (marks_n(w->marks) == 0)
		return why_set(ret_why, -ENOTSUP,
			       "fanotify: none of the watched files can be marked");
	w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, on_events, w);
	w->remark = evtimer_new(base, on_remark, w);
	if (!w->event || !w->remark || event_add(w->event, NULL) < 0)
		return -ENOMEM;
	r = changes_add_marker(w->o.changes, &marker);
	return r < 0 ? r : file_set_on_want(w->o.files, on_want, w);
}

int watch_open(struct event_base *base, const struct watch_options *o, struct watch **ret,
	       struct why *ret_why)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->o = *o;
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
	if (w->remark)
		event_free(w->remark);
	(void)file_set_on_want(w->o.files, NULL, w);
	changes_remove_marker(w->o.changes, w);
	if (w->fd >= 0)
		close(w->fd);
	marks_free(w->marks);
	overlay_below_free(w->below);
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
