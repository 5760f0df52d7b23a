/* SPDX-License-Identifier: Apache-2.0 */
#include "strict_held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs_lives.h"
#include "hash_cache.h"
#include "served.h"

#define PIECE (1u << 20)
#define ASKED_MS 60000 /* the agent writes it down and has it extended, or never will */

enum state {
	FREE = 0,
	SETTLING, /* changed a moment ago: a change in the same tick would not show in its change time */
	READING,
	TELLING, /* measured; the agent's socket did not take it yet */
	ASKED, /* the agent has it */
};

/* A file's content at one time, as far as its inode tells. */
struct version {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec ctime;
};

struct held_file {
	enum state state;
	bool written; /* perhaps, since it was begun to be read */
	struct version version;
	uint32_t id, pid, tries;
	int fd, error;
	uint64_t asked_ms, unit;
	off_t at;
	struct digest_stream *stream; /* NULL: nothing is read yet */
	struct digest digest;
};

struct hold {
	int fd; /* -1: the place is free */
	uint32_t pid, file;
	uint64_t since_ms, unit;
};

struct timeout {
	uint32_t pid, waited_ms, n;
	bool allowed;
	char *path;
};

struct strict_held {
	struct strict_door door;
	uint32_t wait_ms, last_id;
	bool closed;
	uint32_t
		turn; /* files are read in turns, so that a small one does not wait for a large one */
	struct held_file files[STRICT_FILES];
	struct hold holds[STRICT_HOLDS];
	struct timeout timeouts[STRICT_TOLD];
	uint32_t n_timeouts, n_untold, n_holds;
	struct version known[STRICT_KNOWN];
	struct fs_lives *lives;
	struct strict_msg msg;
	uint8_t piece[PIECE];
};

/* What is mounted there next may have other bytes under the same times. */
static void on_gone(void *ctx, dev_t dev)
{
	struct strict_held *h = ctx;

	for (uint32_t i = 0; i < STRICT_KNOWN; i++)
		if (h->known[i].dev == dev)
			h->known[i] = (struct version){.ino = 0};
}

int strict_held_open(uint32_t wait_ms, bool closed, const struct strict_door *door,
		     struct strict_held **ret)
{
	struct strict_held *h = calloc(1, sizeof(*h));

	if (!h || fs_lives_open(0, on_gone, h, &h->lives) < 0) {
		free(h);
		return -ENOMEM;
	}
	h->door = *door;
	h->wait_ms = wait_ms;
	h->closed = closed;
	for (uint32_t i = 0; i < STRICT_HOLDS; i++)
		h->holds[i].fd = -1;
	*ret = h;
	return 0;
}

static void answer(struct strict_held *h, int fd, bool allow)
{
	h->door.answer(h->door.ctx, fd, allow);
	close(fd);
}

static void path_of(int fd, char ret[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
}

static int version_of(int fd, struct version *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (struct version){st.st_dev, st.st_ino, st.st_size, st.st_ctim};
	return 0;
}

static bool same_inode(const struct version *a, const struct version *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

static bool same_version(const struct version *a, const struct version *b)
{
	return same_inode(a, b) && a->size == b->size && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/*
 * Has somebody got it open for writing, or mapped so? The kernel gives no lease then; it is given back at once. Who is not let look (CAP_LEASE, for
 * another's file) hears of it when that one closes the file. An overlay counts those alone who have not closed it.
 */
static bool may_be_written(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static struct version *known_place(struct strict_held *h, const struct version *v)
{
	uint64_t x = ((uint64_t)v->ino ^ (uint64_t)v->dev << 40) * 0x9e3779b97f4a7c15ull;

	return &h->known[x >> 32 & (STRICT_KNOWN - 1)];
}

static void forget(struct strict_held *h, const struct version *v)
{
	struct version *known = known_place(h, v);

	if (same_inode(known, v))
		*known = (struct version){.ino = 0};
}

/* Has the last change been so long ago that the next one will show? A clock that was set back is no reason to wait for ever. */
static int unsettled_ms(const struct version *v)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (int64_t)(now.tv_sec - v->ctime.tv_sec) * 1000 +
	     (now.tv_nsec - v->ctime.tv_nsec) / 1000000;
	return ms >= 0 && ms < STRICT_SETTLE_MS ? (int)(STRICT_SETTLE_MS - ms) : 0;
}

static void remember_timeout(struct strict_held *h, int fd, uint32_t pid, uint64_t waited_ms)
{
	char path[PATH_MAX];
	struct timeout *t = &h->timeouts[h->n_timeouts];

	path_of(fd, path);
	if (h->n_timeouts == STRICT_TOLD) {
		h->n_untold++;
		return;
	}
	*t = (struct timeout){
		.pid = pid, .waited_ms = (uint32_t)waited_ms, .n = 1, .allowed = !h->closed};
	t->path = strdup(path);
	if (t->path)
		h->n_timeouts++;
	else
		h->n_untold++;
}

static void give_up(struct strict_held *h, int fd, uint32_t pid, uint64_t waited_ms)
{
	remember_timeout(h, fd, pid, waited_ms);
	answer(h, fd, !h->closed);
}

static void drop_file(struct strict_held *h, uint32_t i)
{
	digest_stream_free(h->files[i].stream);
	close(h->files[i].fd);
	h->files[i] = (struct held_file){.state = FREE};
}

static void release(struct strict_held *h, uint32_t file)
{
	for (uint32_t i = 0; h->n_holds > 0 && i < STRICT_HOLDS; i++) {
		if (h->holds[i].fd < 0 || h->holds[i].file != file)
			continue;
		answer(h, h->holds[i].fd, true);
		h->holds[i].fd = -1;
		h->n_holds--;
	}
}

static int find_file(const struct strict_held *h, const struct version *v)
{
	for (uint32_t i = 0; i < STRICT_FILES; i++)
		if (h->files[i].state != FREE && same_inode(&h->files[i].version, v))
			return (int)i;
	return -ENOENT;
}

/* fd borrowed: the file has a descriptor of its own, for who waits may be gone before it is read. */
static int add_file(struct strict_held *h, int fd, const struct version *v, uint32_t pid,
		    uint64_t unit)
{
	uint32_t n = 0;
	int own;

	for (uint32_t i = 0; i < STRICT_FILES; i++)
		n += h->files[i].state != FREE && h->files[i].unit == unit;
	if (n >= STRICT_FILES / STRICT_QUOTA)
		return -ENOSPC;

	for (uint32_t i = 0; i < STRICT_FILES; i++) {
		if (h->files[i].state != FREE)
			continue;
		own = dup(fd);
		if (own < 0)
			return -errno;
		h->files[i] = (struct held_file){.state = SETTLING,
						 .version = *v,
						 .id = ++h->last_id,
						 .pid = pid,
						 .unit = unit,
						 .fd = own};
		return (int)i;
	}
	return -ENOSPC;
}

/* Known, and nobody changed it: its mark was lost with its inode, or could not be set. */
static bool is_known(struct strict_held *h, int fd, const struct version *v)
{
	struct version now;

	fs_lives_read(h->lives);
	if (!same_version(known_place(h, v), v) || unsettled_ms(v))
		return false;
	if (may_be_written(fd)) {
		forget(h, v);
		return false;
	}
	h->door.ignore(h->door.ctx, fd);
	return version_of(fd, &now) == 0 && same_version(&now, v);
}

static bool has_room(const struct strict_held *h, uint64_t unit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < STRICT_HOLDS; i++)
		n += h->holds[i].fd >= 0 && h->holds[i].unit == unit;
	return h->n_holds < STRICT_HOLDS && n < STRICT_HOLDS / STRICT_QUOTA;
}

void strict_held_event(struct strict_held *h, int fd, uint32_t pid, uint64_t unit, uint64_t now_ms)
{
	struct version v;
	int file;

	if (version_of(fd, &v) < 0 || is_known(h, fd, &v)) {
		answer(h, fd, true);
		return;
	}
	file = find_file(h, &v);
	if (file < 0)
		file = add_file(h, fd, &v, pid, unit);
	else if (!h->files[file].pid)
		h->files[file].pid = pid;
	for (uint32_t i = 0; file >= 0 && has_room(h, unit) && i < STRICT_HOLDS; i++) {
		if (h->holds[i].fd >= 0)
			continue;
		h->holds[i] = (struct hold){fd, pid, (uint32_t)file, now_ms, unit};
		h->n_holds++;
		return;
	}
	give_up(h, fd, pid, 0);
}

void strict_held_closed(struct strict_held *h, int fd)
{
	struct version v;
	int file;

	h->door.unignore(h->door.ctx, fd);
	if (version_of(fd, &v) == 0) {
		forget(h, &v);
		file = find_file(h, &v);
		if (file >= 0)
			h->files[file].written = true;
	}
	close(fd);
}

void strict_held_program(struct strict_held *h, int fd)
{
	struct version v;

	if (version_of(fd, &v) == 0 && !is_known(h, fd, &v) && find_file(h, &v) < 0)
		add_file(h, fd, &v, 0, 0);
	close(fd);
}

static void measure_anew(struct strict_held *h, uint32_t i)
{
	struct held_file *f = &h->files[i];

	f->stream = digest_stream_free(f->stream);
	f->state = SETTLING;
	f->written = false;
	f->at = 0;
	f->error = version_of(f->fd, &f->version);
	if (f->error == 0 && ++f->tries >= STRICT_TRIES)
		f->error = -ESTALE;
	if (f->error < 0)
		f->state = TELLING;
	f->id = ++h->last_id;
}

void strict_held_anchored(struct strict_held *h, uint32_t id)
{
	for (uint32_t i = 0; i < STRICT_FILES; i++) {
		struct held_file *f = &h->files[i];
		struct version now;

		if (f->state != ASKED || f->id != id)
			continue;
		/*
		 * The mark first: a change after it takes it away, a change before it shows in the inode. Who can write to it can change it
		 * without either: it is held again the next time.
		 */
		if (f->error == 0) {
			h->door.ignore(h->door.ctx, f->fd);
			if (version_of(f->fd, &now) < 0 || f->written ||
			    !same_version(&now, &f->version)) {
				measure_anew(h, i);
				return;
			}
			if (fs_lives_hold(h->lives, f->fd, now.dev) == 0)
				*known_place(h, &now) = now;
			if (may_be_written(f->fd)) {
				h->door.unignore(h->door.ctx, f->fd);
				forget(h, &now);
			}
		}
		release(h, i);
		drop_file(h, i);
		return;
	}
}

static void measured(struct strict_held *h, uint32_t i, int error)
{
	struct held_file *f = &h->files[i];
	struct version now;

	if (error == 0)
		error = digest_stream_end(f->stream, &f->digest);
	if (error == 0 && (version_of(f->fd, &now) < 0 || !same_version(&now, &f->version))) {
		measure_anew(h, i);
		return;
	}
	f->error = error;
	f->state = TELLING;
}

static void read_piece(struct strict_held *h, uint32_t i)
{
	struct held_file *f = &h->files[i];
	ssize_t n;
	int r;

	if (!f->stream) {
		r = served_file_system(f->fd);
		if (r == 0 && (uint64_t)f->version.size > HASH_CACHE_FILE_MAX)
			r = -EFBIG;
		if (r == 0)
			r = digest_stream_open(&f->stream);
		if (r < 0) {
			measured(h, i, r);
			return;
		}
	}
	n = pread(f->fd, h->piece, sizeof(h->piece), f->at);
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		measured(h, i, n < 0 ? -errno : 0);
		return;
	}
	r = digest_stream_add(f->stream, h->piece, (size_t)n);
	f->at += n;
	if (r < 0)
		measured(h, i, r);
	else if ((uint64_t)f->at > HASH_CACHE_FILE_MAX)
		measured(h, i, -EFBIG);
}

static bool tell_measured(struct strict_held *h, struct held_file *f, uint64_t now_ms)
{
	struct strict_msg *m = &h->msg;

	memset(m, 0, offsetof(struct strict_msg, path));
	m->kind = STRICT_MEASURED;
	m->id = f->id;
	m->pid = f->pid;
	m->error = f->error;
	m->digest = f->digest;
	path_of(f->fd, m->path);
	if (h->door.send(h->door.ctx, m) < 0)
		return false;
	f->state = ASKED;
	f->asked_ms = now_ms;
	return true;
}

static bool tell_timeout(struct strict_held *h)
{
	struct timeout *t = &h->timeouts[0];
	struct strict_msg *m = &h->msg;

	memset(m, 0, offsetof(struct strict_msg, path));
	m->kind = STRICT_TIMEOUT;
	m->pid = t->pid;
	m->waited_ms = t->waited_ms;
	m->allowed = t->allowed;
	m->n = t->n + h->n_untold;
	snprintf(m->path, sizeof(m->path), "%s", t->path);
	if (h->door.send(h->door.ctx, m) < 0)
		return false;
	h->n_untold = 0;
	free(t->path);
	memmove(t, t + 1, --h->n_timeouts * sizeof(*t));
	return true;
}

static void end_waits(struct strict_held *h, uint64_t now_ms)
{
	for (uint32_t i = 0; h->n_holds > 0 && i < STRICT_HOLDS; i++) {
		struct hold *w = &h->holds[i];

		if (w->fd < 0 || now_ms < w->since_ms + h->wait_ms)
			continue;
		h->n_holds--;
		give_up(h, w->fd, w->pid, now_ms - w->since_ms);
		w->fd = -1;
	}
}

static bool is_waited_for(const struct strict_held *h, uint32_t file)
{
	for (uint32_t i = 0; h->n_holds > 0 && i < STRICT_HOLDS; i++)
		if (h->holds[i].fd >= 0 && h->holds[i].file == file)
			return true;
	return false;
}

/* What the agent could not write down takes no place for ever. */
static void forget_old(struct strict_held *h, uint64_t now_ms)
{
	for (uint32_t i = 0; i < STRICT_FILES; i++)
		if (h->files[i].state == ASKED && now_ms > h->files[i].asked_ms + ASKED_MS &&
		    !is_waited_for(h, i))
			drop_file(h, i);
}

/* The next of which a piece is read, each in its turn, those first that somebody waits for. -1: none. */
static int next_to_read(const struct strict_held *h)
{
	int found = -1;

	for (uint32_t k = 0; k < STRICT_FILES; k++) {
		uint32_t i = (h->turn + k) % STRICT_FILES;
		const struct held_file *f = &h->files[i];

		if (f->state != READING && (f->state != SETTLING || unsettled_ms(&f->version)))
			continue;
		if (f->pid)
			return (int)i;
		if (found < 0)
			found = (int)i;
	}
	return found;
}

bool strict_held_work(struct strict_held *h, uint64_t now_ms)
{
	int i;

	end_waits(h, now_ms);
	forget_old(h, now_ms);
	while (h->n_timeouts > 0 && tell_timeout(h))
		;
	for (i = 0; i < (int)STRICT_FILES; i++)
		if (h->files[i].state == TELLING && !tell_measured(h, &h->files[i], now_ms))
			break;
	i = next_to_read(h);
	if (i < 0)
		return false;
	h->turn = (uint32_t)i + 1;
	h->files[i].state = READING;
	read_piece(h, (uint32_t)i);
	return true;
}

int strict_held_next_ms(const struct strict_held *h, uint64_t now_ms)
{
	int64_t next = -1;

	for (uint32_t i = 0; h->n_holds > 0 && i < STRICT_HOLDS; i++) {
		int64_t left = (int64_t)(h->holds[i].since_ms + h->wait_ms) - (int64_t)now_ms;

		if (h->holds[i].fd >= 0 && (next < 0 || left < next))
			next = left > 0 ? left : 0;
	}
	for (uint32_t i = 0; i < STRICT_FILES; i++) {
		int64_t left = h->files[i].state == SETTLING  ? unsettled_ms(&h->files[i].version)
			       : h->files[i].state == READING ? 0
							      : -1;

		if (left >= 0 && (next < 0 || left < next))
			next = left;
	}
	return (int)next;
}

uint32_t strict_held_n_files(const struct strict_held *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < STRICT_FILES; i++)
		n += h->files[i].state != FREE;
	return n;
}

bool strict_held_wants_to_send(const struct strict_held *h)
{
	for (uint32_t i = 0; i < STRICT_FILES; i++)
		if (h->files[i].state == TELLING)
			return true;
	return h->n_timeouts > 0;
}

struct strict_held *strict_held_free(struct strict_held *h)
{
	if (!h)
		return NULL;
	for (uint32_t i = 0; i < STRICT_HOLDS; i++)
		if (h->holds[i].fd >= 0)
			answer(h, h->holds[i].fd, true);
	for (uint32_t i = 0; i < STRICT_FILES; i++)
		if (h->files[i].state != FREE)
			drop_file(h, i);
	for (uint32_t i = 0; i < h->n_timeouts; i++)
		free(h->timeouts[i].path);
	fs_lives_free(h->lives);
	free(h);
	return NULL;
}
