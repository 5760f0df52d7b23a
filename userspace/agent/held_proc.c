/* SPDX-License-Identifier: Apache-2.0 */
#include "held_proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#define MS 1000000ull
#define STACK_SIZE (256u << 10)
#define RESTS 64 /* processes that are remembered; of more, the oldest is asked again too early */
#define FRESH_NS (1000 * MS) /* what nobody took by then tells how it was, not how it is */
#define CHUNK 16384
#define KEPT_ROOM (1u << 20) /* bytes for texts that a thread keeps from one to the next */

enum state { IDLE, ASKED, DONE, LEFT };
enum kind { TEXT, DESCRIPTOR, FDS };

/* A thread and what it was asked. The answer is the thread's alone while it is ASKED or LEFT; all else is guarded by the lock. */
struct reader {
	struct held_proc *h;
	enum state state;
	uint32_t pid;
	char path[320];
	enum kind kind;
	size_t max; /* of an answer */
	uint64_t asked_ns, done_ns;
	int r; /* the descriptor, or how the text came */
	struct buf text;
};

/* One that let itself be waited for. */
struct rest {
	uint32_t pid, times;
	uint64_t until_ns, at_ns;
};

struct held_proc {
	uint64_t wait_ns, patience_ns, rest_ns;
	struct rest rests[RESTS]; /* the loop's */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t asked, done;
	struct reader *readers[HELD_PROC_MAX]; /* NULL: no thread */
	uint32_t n_refs; /* the owner and each thread */
	bool stop;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int read_text(const char *path, size_t max, struct buf *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *room;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n != 0 && ret->size <= max) {
		room = buf_room(ret, CHUNK);
		if (!room)
			return buf_status(ret);
		n = read(fd, room, CHUNK);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_grew(ret, (size_t)n);
	}
	return ret->size > max ? -EFBIG : 0;
}

static void look_at_fd(int dir, const char *name, struct buf *ret)
{
	struct statx st;
	struct held_proc_fd fd = {.fd = (uint32_t)strtoul(name, NULL, 10)};

	if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &st) < 0)
		return;
	fd.mode = st.stx_mode & S_IFMT;
	if (!S_ISREG(fd.mode) && !S_ISBLK(fd.mode) && !S_ISCHR(fd.mode))
		return;
	fd.ino = st.stx_ino;
	fd.dev = st.stx_dev_major << 20 | st.stx_dev_minor;
	fd.rdev = st.stx_rdev_major << 20 | st.stx_rdev_minor;
	buf_put(ret, &fd, sizeof(fd));
}

static int list_fds(const char *path, size_t max, struct buf *ret)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return -errno;
	while (ret->size <= max && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_fd(dirfd(d), e->d_name, ret);
	closedir(d);
	return ret->size > max ? -EFBIG : buf_status(ret);
}

static void look(struct reader *j)
{
	buf_clear(&j->text);
	if (j->kind == TEXT)
		j->r = read_text(j->path, j->max, &j->text);
	else if (j->kind == FDS)
		j->r = list_fds(j->path, j->max, &j->text);
	else
		j->r = open(j->path, O_PATH | O_CLOEXEC);
	if (j->kind == DESCRIPTOR && j->r < 0)
		j->r = -errno;
}

/* What was asked, and nobody takes. */
static void discard(struct reader *j)
{
	if (j->kind == DESCRIPTOR && j->r >= 0)
		close(j->r);
	j->r = -ENODATA;
	j->state = IDLE;
}

/* With the lock held, which is let go; the last one out frees all. */
static void leave(struct held_proc *h)
{
	bool last = --h->n_refs == 0;

	pthread_mutex_unlock(&h->lock);
	if (!last)
		return;
	pthread_cond_destroy(&h->asked);
	pthread_cond_destroy(&h->done);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static void forget(struct held_proc *h, struct reader *j)
{
	for (uint32_t i = 0; i < HELD_PROC_MAX; i++)
		if (h->readers[i] == j)
			h->readers[i] = NULL;
	if (j->state != IDLE)
		discard(j);
	buf_done(&j->text);
	free(j);
}

/* One that was left ends as soon as it may: whoever asks next makes another. */
static void *work(void *arg)
{
	struct reader *j = arg;
	struct held_proc *h = j->h;

	pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		if (j->state != ASKED) {
			pthread_cond_wait(&h->asked, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		look(j);
		pthread_mutex_lock(&h->lock);
		if (j->state == LEFT)
			break;
		j->state = DONE;
		j->done_ns = now_ns();
		pthread_cond_broadcast(&h->done);
	}
	forget(h, j);
	leave(h);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct reader *j)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, work, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* With the lock held. NULL: no more of them. */
static struct reader *new_reader(struct held_proc *h, struct reader **place)
{
	struct reader *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->h = h;
	if (start_thread(j) < 0) {
		free(j);
		return NULL;
	}
	h->n_refs++;
	*place = j;
	return j;
}

/* With the lock held. NULL: all of them wait for somebody. */
static struct reader *free_reader(struct held_proc *h, uint64_t now)
{
	struct reader **place = NULL;

	for (uint32_t i = 0; i < HELD_PROC_MAX; i++) {
		struct reader *j = h->readers[i];

		if (j && j->state == DONE && now - j->done_ns > FRESH_NS)
			discard(j);
		if (j && j->state == IDLE)
			return j;
		if (!j && !place)
			place = &h->readers[i];
	}
	return place ? new_reader(h, place) : NULL;
}

static struct rest *rest_of(struct held_proc *h, uint32_t pid)
{
	for (uint32_t i = 0; i < RESTS; i++)
		if (h->rests[i].pid == pid)
			return &h->rests[i];
	return NULL;
}

static bool rests(struct held_proc *h, uint32_t pid, uint64_t now)
{
	const struct rest *s = rest_of(h, pid);

	return s && now < s->until_ns;
}

static void note_rest(struct held_proc *h, uint32_t pid, uint64_t now)
{
	struct rest *s = rest_of(h, pid);

	if (!s) {
		s = &h->rests[0];
		for (uint32_t i = 1; i < RESTS; i++)
			if (h->rests[i].at_ns < s->at_ns)
				s = &h->rests[i];
		*s = (struct rest){.pid = pid};
	}
	s->at_ns = now;
	s->until_ns = now + (h->rest_ns << s->times);
	if (s->times < HELD_PROC_REST_MAX)
		s->times++;
}

/* Whoever gives one thing and holds the next is no better than before. */
static void note_given(struct held_proc *h, uint32_t pid)
{
	struct rest *s = rest_of(h, pid);

	if (s && now_ns() > s->until_ns + h->rest_ns)
		*s = (struct rest){0};
}

/* With the lock held: may this process be asked something else than what it is asked? */
static int may_ask(struct held_proc *h, uint32_t pid, uint64_t now)
{
	for (uint32_t i = 0; i < HELD_PROC_MAX; i++) {
		const struct reader *j = h->readers[i];

		if (!j || j->pid != pid)
			continue;
		if (j->state == LEFT)
			return -ETIMEDOUT;
		if (j->state == ASKED)
			return now - j->asked_ns < h->patience_ns ? -EINPROGRESS : -ETIMEDOUT;
	}
	return rests(h, pid, now) ? -ETIMEDOUT : 0;
}

static struct reader *same(struct held_proc *h, uint32_t pid, const char *path, enum kind kind,
			   uint64_t now)
{
	for (uint32_t i = 0; i < HELD_PROC_MAX; i++) {
		struct reader *j = h->readers[i];

		if (j &&
		    (j->state == ASKED || (j->state == DONE && now - j->done_ns <= FRESH_NS)) &&
		    j->pid == pid && j->kind == kind && strcmp(j->path, path) == 0)
			return j;
	}
	return NULL;
}

/* With the lock held: until it is done, or this call has waited long enough. -EINPROGRESS, -ETIMEDOUT. */
static int wait_for(struct held_proc *h, struct reader *j)
{
	uint64_t until = now_ns() + h->wait_ns, now;
	const struct timespec end = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	int r = 0;

	while (j->state == ASKED && r == 0)
		r = pthread_cond_timedwait(&h->done, &h->lock, &end);
	if (j->state == DONE)
		return 0;
	now = now_ns();
	if (now - j->asked_ns < h->patience_ns)
		return -EINPROGRESS;
	j->state = LEFT;
	note_rest(h, j->pid, now);
	return -ETIMEDOUT;
}

/* With the lock held. 0: *ret has the answer. */
static int ask(struct held_proc *h, const struct held_proc_want *w, enum kind kind,
	       struct reader **ret)
{
	uint64_t now = now_ns();
	char path[sizeof((*ret)->path)];
	struct reader *j;
	int r;

	if (snprintf(path, sizeof(path), "%s/%u/%s", w->proc ? w->proc : "/proc", w->pid,
		     w->name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	j = same(h, w->pid, path, kind, now);
	if (!j) {
		r = may_ask(h, w->pid, now);
		if (r < 0)
			return r;
		j = free_reader(h, now);
		if (!j)
			return -EBUSY;
		memcpy(j->path, path, sizeof(path));
		j->pid = w->pid;
		j->kind = kind;
		j->max = w->max;
		j->asked_ns = now;
		j->state = ASKED;
		pthread_cond_broadcast(&h->asked);
	}
	*ret = j;
	return wait_for(h, j);
}

static int take(struct held_proc *h, const struct held_proc_want *w, enum kind kind,
		struct buf *ret)
{
	struct reader *j = NULL;
	int r;

	pthread_mutex_lock(&h->lock);
	r = ask(h, w, kind, &j);
	if (r == 0) {
		r = j->r;
		if (r == 0 && j->text.size > 0)
			buf_put(ret, j->text.data, j->text.size);
		if (j->text.room > KEPT_ROOM)
			buf_done(&j->text);
		j->state = IDLE;
		note_given(h, w->pid);
	}
	pthread_mutex_unlock(&h->lock);
	return r < 0 ? r : buf_status(ret);
}

int held_proc_text(struct held_proc *h, const struct held_proc_want *w, struct buf *ret)
{
	return take(h, w, TEXT, ret);
}

int held_proc_fds(struct held_proc *h, const struct held_proc_want *w, struct buf *ret)
{
	return take(h, w, FDS, ret);
}

/* The flags that it was opened with, octal in the line "flags:". */
bool held_proc_fd_writes(const char *proc, uint32_t pid, uint32_t fd)
{
	char path[600], text[512] = "";
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "%.400s/%u/fdinfo/%u", proc ? proc : "/proc", pid, fd);
	CLEANUP_CLOSE int info = open(path, O_RDONLY | O_CLOEXEC);

	if (info < 0)
		return errno != ENOENT;
	n = read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	at = strstr(text, "flags:");
	return !at || (strtoul(at + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
}

int held_proc_path(struct held_proc *h, const struct held_proc_want *w)
{
	struct reader *j = NULL;
	int r;

	pthread_mutex_lock(&h->lock);
	r = ask(h, w, DESCRIPTOR, &j);
	if (r == 0) {
		r = j->r;
		j->state = IDLE;
		note_given(h, w->pid);
	}
	pthread_mutex_unlock(&h->lock);
	return r;
}

const char *held_proc_why(int r)
{
	return r == -ETIMEDOUT ? "a process keeps its memory locked"
	       : r == -EBUSY   ? "too many processes keep their memory locked"
			       : NULL;
}

static int init_sync(struct held_proc *h)
{
	pthread_condattr_t attr;
	int r = pthread_mutex_init(&h->lock, NULL);

	if (r != 0)
		return -r;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&h->asked, NULL);
	if (r == 0) {
		r = pthread_cond_init(&h->done, &attr);
		if (r != 0)
			pthread_cond_destroy(&h->asked);
	}
	pthread_condattr_destroy(&attr);
	if (r != 0)
		pthread_mutex_destroy(&h->lock);
	return -r;
}

int held_proc_open(const struct held_proc_options *o, struct held_proc **ret)
{
	const struct held_proc_options defaults = {0};
	struct held_proc *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	o = o ? o : &defaults;
	h->wait_ns = (o->wait_us ? o->wait_us : 2000) * 1000ull;
	h->patience_ns = (o->patience_ms ? o->patience_ms : 5000) * MS;
	h->rest_ns = (o->rest_ms ? o->rest_ms : 30000) * MS;
	h->n_refs = 1;
	r = init_sync(h);
	if (r < 0)
		free(h);
	else
		*ret = h;
	return r;
}

struct held_proc *held_proc_free(struct held_proc *h)
{
	if (!h)
		return NULL;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_broadcast(&h->asked);
	leave(h);
	return NULL;
}
