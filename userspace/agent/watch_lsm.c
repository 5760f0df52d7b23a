/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "inaccessible.h"
#include "log.h"

#define LINKS_MAX 16 /* names of one inode that are looked at; the rest comes with the rescan */
#define CANARIES 5
#define MOUNTERS_MAX 16
#define MOUNTER_NS \
	30000000000ull /* a mount that has not come by then, on a busy node, has failed */
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

struct mounter {
	char point[PATH_MAX];
	uint32_t pid;
	uint64_t start_ns, boot_ns;
	bool umount;
};

struct watch_lsm {
	struct watch_lsm_options o;
	struct measure_sink sink;
	struct inode_marks *marks;
	struct event *remark, *timer;
	uint64_t failures_told;
	uint64_t n_late; /* that marked_late() was called for */
	uint64_t dropped; /* that a scan was wanted for */
	uint64_t canary_ino; /* 0: none is awaited */
	bool canary_seen;
	uint32_t mnt_ns;
	struct mounter mounters[MOUNTERS_MAX]; /* a ring */
	uint32_t n_mounters;
};

/* CHANGES_LAYER or nothing. */
static uint32_t layer_of(const struct watch_lsm *w, uint32_t dev, uint64_t ino)
{
	return inode_marks_is_layer(w->marks, dev, ino) ? CHANGES_LAYER : 0;
}

/* Names that one record names. */
struct named {
	char path[PATH_MAX], other[PATH_MAX]; /* "" unknown */
};

static bool name_path(const struct watch_lsm *w, uint32_t dev, uint64_t ino, const char *name,
		      char ret[PATH_MAX])
{
	const char *dir;

	ret[0] = '\0';
	if (ino == 0 || name[0] == '\0' || inode_marks_paths(w->marks, dev, ino, &dir, 1) == 0)
		return false;
	return snprintf(ret, PATH_MAX, "%s/%s", dir[1] ? dir : "", name) < PATH_MAX;
}

static void note(struct watch_lsm *w, const struct plumb_event_file *e, const char *path,
		 const char *other, uint32_t what)
{
	const struct changes_note n = {
		.src = "lsm",
		.path = path,
		.other = other && other[0] ? other : NULL,
		.what = what | CHANGES_BEFORE,
		.pid = e->task.pid,
		.start_ns = e->task.start_ns,
		.boot_ns = e->event.boottime_ns,
	};

	changes_note(w->o.changes, &n);
}

/* All names of the inode, a hard link's content changes with its twin's, and the one that it was done by. */
static void note_inode(struct watch_lsm *w, const struct plumb_event_file *e, const char *by,
		       uint32_t what)
{
	const char *paths[LINKS_MAX];
	char copies[LINKS_MAX][PATH_MAX];
	uint32_t n = inode_marks_paths(w->marks, e->file.dev, e->file.ino, paths, LINKS_MAX);

	/* Noting may look at what settles, and that moves the table. */
	for (uint32_t i = 0; i < n; i++)
		snprintf(copies[i], sizeof(copies[i]), "%s", paths[i]);
	if (S_ISDIR(e->file.mode))
		what |= CHANGES_ON_DIR;
	for (uint32_t i = 0; i < n; i++) {
		note(w, e, copies[i], NULL, what);
		if (strcmp(copies[i], by) == 0)
			by = "";
	}
	if (by[0])
		note(w, e, by, NULL, what);
}

static uint32_t what_of(const struct plumb_event_file *e)
{
	switch (e->op) {
	case PLUMB_FILE_OPEN_WRITE:
	case PLUMB_FILE_WRITE:
	case PLUMB_FILE_MMAP:
		return CHANGES_WRITE;
	case PLUMB_FILE_IOCTL:
		return CHANGES_WRITE | CHANGES_ATTR;
	case PLUMB_FILE_CREATE:
	case PLUMB_FILE_MKNOD:
	case PLUMB_FILE_SYMLINK:
	case PLUMB_FILE_LINK:
		return CHANGES_CREATE;
	case PLUMB_FILE_MKDIR:
		return CHANGES_CREATE | CHANGES_ON_DIR;
	case PLUMB_FILE_UNLINK:
		return CHANGES_DELETE;
	case PLUMB_FILE_RMDIR:
		return CHANGES_DELETE | CHANGES_ON_DIR;
	default:
		return CHANGES_ATTR;
	}
}

static void take_rename(struct watch_lsm *w, const struct plumb_event_file *e)
{
	uint32_t on_dir = S_ISDIR(e->file.mode) ? CHANGES_ON_DIR : 0;
	struct named n;
	bool from = name_path(w, e->dir_dev, e->dir_ino, e->name, n.path);
	bool to = name_path(w, e->other_dir_dev, e->other_dir_ino, e->other_name, n.other);

	if (from)
		note(w, e, n.path, n.other,
		     CHANGES_MOVED_FROM | on_dir | layer_of(w, e->dir_dev, e->dir_ino));
	if (to)
		note(w, e, n.other, n.path,
		     CHANGES_MOVED_TO | on_dir | layer_of(w, e->other_dir_dev, e->other_dir_ino));
	/* A watched file's directory that is not marked as such, or a name that could not be read. */
	if (!from && !to)
		file_set_want_scan(w->o.files);
}

struct mountns_deed {
	const struct plumb_event *event;
	const struct plumb_task *task;
	const char *op;
	bool numbered; /* the line has the record's number */
};

static void tell_mountns(struct watch_lsm *w, const struct mountns_deed *d, const char *path,
			 const struct buf *raw)
{
	CLEANUP(buf_done) struct buf value = {0};
	char key[LINE_MAX_KEY];
	struct line l = {
		.utc_ns = clock_utc_ns(w->o.clock),
		.boot_ns = d->event->boottime_ns,
		.src = "lsm",
		.has_kernel = d->numbered,
		.ksess = d->event->ksess,
		.cpu = d->event->cpu,
		.kseq = d->event->kseq,
		.type = PLUMB_TYPE_MOUNT,
		.scope = "host",
		.key = key,
		.op = d->op,
		.has_actor = true,
	};

	if (buf_status(raw) < 0 ||
	    claims_text_value((const char *)raw->data, raw->size, &value) < 0 ||
	    buf_status(&value) < 0) {
		changes_lost(w->o.changes, "lsm", 1, "a mount could not be put into words");
		return;
	}
	snprintf(key, sizeof(key), "mountns:%s", path);
	l.found = (const char *)value.data;
	(void)proctab_actor(w->o.proctab, d->task->pid, d->task->start_ns, &l.actor);
	w->sink.measurement(w->sink.ctx, &l);
	if (w->o.told)
		w->o.told(w->o.ctx, key, l.found);
}

static const char *inaccessible_of(const struct watch_lsm *w, uint32_t dev, uint64_t ino)
{
	const char *paths[LINKS_MAX];
	uint32_t n = ino ? inode_marks_paths(w->marks, dev, ino, paths, LINKS_MAX) : 0;

	for (uint32_t i = 0; i < n; i++)
		if (inaccessible_is(paths[i]))
			return paths[i];
	return NULL;
}

/* What services have in place of a path that is taken from them was to hold nothing: whatever is put into it, all of those see. */
static void tell_filled(struct watch_lsm *w, const struct plumb_event_file *e, uint32_t what)
{
	bool renamed = e->op == PLUMB_FILE_RENAME;
	const char *name = renamed ? e->other_name : what & CHANGES_CREATE ? e->name : "";
	const struct mountns_deed deed = {&e->event, &e->task,
					  renamed		  ? "moved_to"
					  : what & CHANGES_CREATE ? "create"
								  : "write",
					  false};
	CLEANUP(buf_done) struct buf raw = {0};
	const char *path = NULL;

	if (renamed)
		path = inaccessible_of(w, e->other_dir_dev, e->other_dir_ino);
	else if (what & CHANGES_CREATE)
		path = inaccessible_of(w, e->dir_dev, e->dir_ino);
	else if (what & CHANGES_WRITE)
		path = inaccessible_of(w, e->file.dev, e->file.ino);
	if (!path)
		return;
	buf_printf(&raw, "filled %s", name);
	tell_mountns(w, &deed, path, &raw);
}

/* A directory above what is watched, and no more. */
static bool hardly_watched(uint32_t mark)
{
	return !(mark & ~(PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES));
}

static void take_file(struct watch_lsm *w, const struct plumb_event_file *e)
{
	uint32_t what = what_of(e);
	struct named n;
	bool have;

	if (w->canary_ino && e->file.ino == w->canary_ino && e->task.pid == (uint32_t)getpid()) {
		w->canary_seen = true;
		return;
	}
	tell_filled(w, e, what);
	if (e->op == PLUMB_FILE_RENAME) {
		take_rename(w, e);
		return;
	}
	have = name_path(w, e->dir_dev, e->dir_ino, e->name, n.path);
	/* A name was not to be read (lockdown), so which one of the directory's it is is not known. */
	if (!have && e->name[0] == '\0' && e->dir_ino != 0 && (what & ~(uint32_t)CHANGES_WRITE) &&
	    !(e->mark & PLUMB_MARK_NAMES && hardly_watched(e->mark)))
		file_set_want_scan(w->o.files);
	if (what & CHANGES_WRITE && layer_of(w, e->file.dev, e->file.ino))
		what |= CHANGES_BELOW;
	if (what & (CHANGES_WRITE | CHANGES_ATTR))
		note_inode(w, e, have ? n.path : "", what);
	else if (have)
		note(w, e, n.path, NULL, what | layer_of(w, e->dir_dev, e->dir_ino));
	/* Another name of it, perhaps elsewhere: it can be written to by that one. */
	if (e->op == PLUMB_FILE_LINK)
		note_inode(w, e, "", CHANGES_ATTR);
}

static void remember_mounter(struct watch_lsm *w, const struct plumb_event_mount *e,
			     const char *point)
{
	struct mounter *m = &w->mounters[w->n_mounters++ % MOUNTERS_MAX];

	snprintf(m->point, sizeof(m->point), "%s", point);
	m->pid = e->task.pid;
	m->start_ns = e->task.start_ns;
	m->boot_ns = e->event.boottime_ns;
	m->umount = e->op == PLUMB_MOUNT_UMOUNT;
}

/*
 * Service managers give a service mounts of its own: the path on itself, with other flags. That shows the same files. And who leaves a
 * tree behind takes the mounts above our paths away from himself alone; so does who moves a tree of his own to his root: a service's, a
 * container's that has no pivot_root(2).
 */
static bool hides_nothing(const struct plumb_event_mount *e, const char *path)
{
	if (e->op == PLUMB_MOUNT_UMOUNT)
		return hardly_watched(e->mark) || inaccessible_is(path);
	if (strcmp(path, "/") == 0 && (e->op == PLUMB_MOUNT_MOVE || (e->flags & MS_MOVE)))
		return true;
	if (e->op != PLUMB_MOUNT_MOUNT)
		return false;
	return (e->flags & (MS_REMOUNT | PROPAGATION)) ||
	       ((e->flags & MS_BIND) && strcmp(e->source, path) == 0);
}

/* Process 1's program, or its helper (since systemd 254), in no container. */
static bool by_first(struct watch_lsm *w, const struct plumb_task *t)
{
	char exe[PATH_MAX];
	struct line_actor a;
	size_t n;

	if (proctab_actor(w->o.proctab, t->pid, t->start_ns, &a) < 0 || !a.exe || a.container)
		return false;
	snprintf(exe, sizeof(exe), "%s", a.exe);
	if (proctab_actor(w->o.proctab, 1, 0, &a) < 0 || !a.exe)
		return false;
	n = strlen(a.exe);
	return strncmp(exe, a.exe, n) == 0 && (exe[n] == '\0' || strcmp(exe + n, "-executor") == 0);
}

/*
 * A service is kept from a path, or from writing to it. The text is as he says who mounts, who may have another /run: only the first process
 * is believed, whose is ours. What his mounts show in truth the scan looks at.
 */
static bool shuts_off(struct watch_lsm *w, const struct plumb_event_mount *e, const char *path)
{
	return e->op == PLUMB_MOUNT_MOUNT && (e->flags & MS_BIND) &&
	       (inaccessible_path(w->o.root, e->source) ||
		inaccessible_same(w->o.root, e->source, path)) &&
	       by_first(w, &e->task);
}

/* first: the line that has the record's number; one record may cover several watched paths, and a number stands once in a ledger. */
static void tell_elsewhere(struct watch_lsm *w, const struct plumb_event_mount *e, const char *path,
			   bool first)
{
	CLEANUP(buf_done) struct buf raw = {0};
	const struct mountns_deed deed = {&e->event, &e->task,
					  e->op == PLUMB_MOUNT_UMOUNT ? "umount" : "mount", first};

	if (e->op == PLUMB_MOUNT_UMOUNT)
		buf_printf(&raw, "absent");
	else if (e->op == PLUMB_MOUNT_MOVE)
		buf_printf(&raw, "moved");
	else
		buf_printf(&raw, "%s %s", e->fstype[0] ? e->fstype : "none",
			   e->source[0] ? e->source : "none");
	tell_mountns(w, &deed, path, &raw);
}

static void take_mount(struct watch_lsm *w, const struct plumb_event_mount *e)
{
	const char *paths[LINKS_MAX];
	uint32_t n = inode_marks_paths(w->marks, e->file.dev, e->file.ino, paths, LINKS_MAX);
	bool first = true;

	for (uint32_t i = 0; i < n; i++) {
		if (e->task.mnt_ns == w->mnt_ns) {
			remember_mounter(w, e, paths[i]);
			/* What stands there then is to be marked. */
			if (inaccessible_is(paths[i]))
				file_set_want_scan(w->o.files);
		} else if (!hides_nothing(e, paths[i]) && !shuts_off(w, e, paths[i])) {
			tell_elsewhere(w, e, paths[i], first);
			first = false;
		}
	}
}

void watch_lsm_take(struct watch_lsm *w, const union event_record *r)
{
	if (r->event.kind == PLUMB_KIND_FILE) {
		proctab_seen(w->o.proctab, &r->file.task);
		take_file(w, &r->file);
	} else if (r->event.kind == PLUMB_KIND_MOUNT) {
		proctab_seen(w->o.proctab, &r->mount.task);
		take_mount(w, &r->mount);
	}
}

int watch_lsm_mounter(struct watch_lsm *w, const char *point, bool umount, struct line_actor *ret)
{
	uint64_t now;

	w->o.flush(w->o.ctx);
	now = clock_boot_ns(w->o.clock);
	for (uint32_t i = 0; i < MOUNTERS_MAX && i < w->n_mounters; i++) {
		const struct mounter *m = &w->mounters[(w->n_mounters - 1 - i) % MOUNTERS_MAX];

		if (m->umount != umount || strcmp(m->point, point) != 0 ||
		    m->boot_ns + MOUNTER_NS < now)
			continue;
		return proctab_actor(w->o.proctab, m->pid, m->start_ns, ret);
	}
	return -ENOENT;
}

/* Most of what is marked anew had its mark already, and whoever has it open was told: it came to a marked directory. */
static void tell_late(struct watch_lsm *w)
{
	uint64_t n = inode_marks_n_late(w->marks);

	if (n == w->n_late)
		return;
	w->n_late = n;
	if (w->o.marked_late)
		w->o.marked_late(w->o.ctx);
}

static void on_remark(evutil_socket_t fd, short what, void *ctx)
{
	struct watch_lsm *w = ctx;

	(void)fd;
	(void)what;
	/* What waits is about the inodes that the paths had. */
	w->o.flush(w->o.ctx);
	if (w->o.discover)
		for (uint32_t i = 0; i < file_set_n_roots(w->o.files); i++)
			(void)file_set_discover(w->o.files, file_set_root_at(w->o.files, i));
	inode_marks_all(w->marks);
	/* And what came meanwhile may be, too. */
	w->o.flush(w->o.ctx);
	inode_marks_forget_former(w->marks);
	tell_late(w);
}

static void on_want(void *ctx)
{
	const struct timeval soon = {0, 60000}; /* after the one who looks for new files */
	struct watch_lsm *w = ctx;

	if (!evtimer_pending(w->remark, NULL))
		event_add(w->remark, &soon);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct watch_lsm *w = ctx;
	uint64_t failed = w->o.marks_failed(w->o.ctx);
	uint64_t dropped = w->o.dropped ? w->o.dropped(w->o.ctx) : 0;

	(void)fd;
	(void)what;
	if (failed > w->failures_told)
		changes_lost(w->o.changes, "lsm", failed - w->failures_told,
			     "the kernel had no memory for a mark");
	w->failures_told = failed;
	/* That they were lost is told by the counters. Where fanotify is not, nobody else says what changed. */
	if (dropped > w->dropped)
		file_set_want_scan(w->o.files);
	w->dropped = dropped;
	w->o.flush(w->o.ctx);
	inode_marks_forget_former(w->marks);
}

static void mark_came(void *ctx, const char *path)
{
	struct watch_lsm *w = ctx;

	(void)inode_marks_add(w->marks, path);
	tell_late(w);
}

static void drop_gone(void *ctx, const char *path, bool below)
{
	struct watch_lsm *w = ctx;

	if (below)
		inode_marks_drop_below(w->marks, path);
	else
		inode_marks_drop(w->marks, path);
}

/* A file of our own that has no name anywhere: opened for writing, its record must come. */
static int run_canary(struct watch_lsm *w, struct why *ret_why)
{
	CLEANUP_CLOSE int fd = memfd_create("plumb-canary", MFD_CLOEXEC);
	char path[64];
	struct stat st;
	int r, again = -1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return why_set(ret_why, -errno, "no file to try the marks on: %s", strerror(errno));
	r = w->o.mark(w->o.ctx, fd, PLUMB_MARK_FILE);
	if (r < 0)
		return why_set(ret_why, r, "inodes cannot be marked: %s", strerror(-r));
	w->canary_ino = st.st_ino;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* On a busy node one turn may not empty the ring. */
	for (int i = 0; i < CANARIES && !w->canary_seen; i++) {
		again = open(path, O_WRONLY | O_CLOEXEC);
		if (again < 0)
			break;
		close(again);
		w->o.flush(w->o.ctx);
	}
	w->canary_ino = 0;
	if (again < 0)
		return why_set(ret_why, -EIO, "the file to try the marks on cannot be opened");
	return w->canary_seen ? 0
			      : why_set(ret_why, -ENODATA,
					"loaded, never fires: an open of a marked file was not "
					"seen");
}

static int start(struct watch_lsm *w, struct event_base *base, struct why *ret_why)
{
	const struct inode_marks_options marks = {.files = w->o.files,
						  .mark = w->o.mark,
						  .ctx = w->o.ctx,
						  .max = w->o.max,
						  .root = w->o.root};
	const struct changes_marker marker = {mark_came, drop_gone, w};
	const struct timeval every = {5, 0};
	struct stat st;
	int r;

	if (stat("/proc/self/ns/mnt", &st) == 0)
		w->mnt_ns = (uint32_t)st.st_ino;
	w->remark = evtimer_new(base, on_remark, w);
	w->timer = event_new(base, -1, EV_PERSIST, on_timer, w);
	if (!w->remark || !w->timer || event_add(w->timer, &every) < 0)
		return -ENOMEM;
	r = inode_marks_open(&marks, &w->marks);
	if (r < 0)
		return r;
	r = run_canary(w, ret_why);
	if (r < 0)
		return r;
	inode_marks_all(w->marks);
	w->n_late = inode_marks_n_late(w->marks); /* whoever opens us looks at all */
	if (inode_marks_n(w->marks) == 0)
		return why_set(ret_why, -ENOTSUP, "none of the watched files can be marked");
	r = changes_add_marker(w->o.changes, &marker);
	return r < 0 ? r : file_set_on_want(w->o.files, on_want, w);
}

int watch_lsm_open(struct event_base *base, const struct watch_lsm_options *o,
		   const struct measure_sink *sink, struct watch_lsm **ret, struct why *ret_why)
{
	struct watch_lsm *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->sink = *sink;
	*ret = w;
	r = start(w, base, ret_why);
	if (r < 0)
		*ret = watch_lsm_free(w);
	return r;
}

struct watch_lsm *watch_lsm_free(struct watch_lsm *w)
{
	if (!w)
		return NULL;
	changes_remove_marker(w->o.changes, w);
	(void)file_set_on_want(w->o.files, NULL, w);
	if (w->remark)
		event_free(w->remark);
	if (w->timer)
		event_free(w->timer);
	inode_marks_free(w->marks);
	free(w);
	return NULL;
}

const struct inode_marks *watch_lsm_marks(const struct watch_lsm *w)
{
	return w->marks;
}
