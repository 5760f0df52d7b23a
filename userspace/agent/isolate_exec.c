/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define SCOPE "host"
#define PREFIX "exec:sha256:"
#define OVERLAYFS 0x794c7630u
#define OWN "/proc/self/exe"
#define PINS 64 /* file systems; what lies on more is not let run */

/* A file that is read before it may run. Borrowed texts, of the baseline. */
struct todo {
	const char *path, *key;
};

/* A file system that cannot be unmounted: under the same times there would be other bytes when it is mounted again. */
struct pin {
	dev_t dev;
	int fd;
	uint32_t round; /* of the newest version there */
};

struct isolate_exec {
	struct isolate_exec_options o;
	struct event *timer;
	const struct baseline *baseline; /* that the lists were made of */
	struct todo *todo;
	uint32_t n_todo, room, at, n_put; /* n_put: of them, that may run */
	uint32_t n_listed, n_pins;
	struct pin pins[PINS];
	uint32_t round; /* of filling the lists: what was there before stays until the new is in */
	bool alone[2]; /* digests, files: none of other rounds is there any more */
	bool on, by_file; /* by_file: the kernel takes no digests here */
	int failed; /* of filling the lists */
};

static int change(struct isolate_exec *e, const struct loader_isolate_change *c)
{
	return e->o.change ? e->o.change(e->o.ctx, c) : loader_isolate(e->o.loader, c);
}

static const struct loader_program *program_at(const struct isolate_exec *e, uint32_t i)
{
	return e->o.program ? e->o.program(e->o.ctx, i) : loader_program_at(e->o.loader, i);
}

static const struct loader_program *program_named(const struct isolate_exec *e, const char *name)
{
	const struct loader_program *p;

	for (uint32_t i = 0; (p = program_at(e, i)); i++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

/* But for those of this round; 0: none. */
static void unpin(struct isolate_exec *e, uint32_t round)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n_pins; i++)
		if (e->pins[i].round == round)
			e->pins[n++] = e->pins[i];
		else
			close(e->pins[i].fd);
	e->n_pins = n;
}

static int prune(struct isolate_exec *e, enum loader_isolate_what what)
{
	const struct loader_isolate_change c = {.what = what, .round = e->round};
	int r = change(e, &c);

	e->alone[what == LOADER_ISOLATE_PRUNE_FILES] = true;
	if (r >= 0 && what == LOADER_ISOLATE_PRUNE_FILES)
		unpin(e, e->round);
	return r;
}

/* Where the new have no room beside the old, these go first. */
static int put(struct isolate_exec *e, struct loader_isolate_change *c)
{
	bool is_file = c->what == LOADER_ISOLATE_FILE;
	int r;

	c->round = e->round;
	r = change(e, c);
	if (r != -E2BIG || e->alone[is_file])
		return r;
	r = prune(e, is_file ? LOADER_ISOLATE_PRUNE_FILES : LOADER_ISOLATE_PRUNE_DIGESTS);
	return r < 0 ? r : change(e, c);
}

static int put_file(struct isolate_exec *e, const struct stat *st)
{
	struct loader_isolate_change c = {
		.what = LOADER_ISOLATE_FILE,
		.file = {.ino = st->st_ino, .dev = major(st->st_dev) << 20 | minor(st->st_dev)},
		.version = {.ctime_ns = (uint64_t)st->st_ctim.tv_sec * 1000000000 +
					(uint64_t)st->st_ctim.tv_nsec,
			    .file_size = (uint64_t)st->st_size},
	};

	return put(e, &c);
}

/* Whoever releases this node offline runs it. */
static int put_own(struct isolate_exec *e)
{
	struct stat st;

	return stat(OWN, &st) < 0 ? -errno : put_file(e, &st);
}

static int add_todo(struct isolate_exec *e, const char *path, const char *key)
{
	struct todo *more;

	if (e->n_todo == LOADER_ISOLATE_MAX_FILES)
		return -E2BIG;
	if (e->n_todo == e->room) {
		e->room = e->room ? e->room * 2 : 256;
		more = realloc(e->todo, e->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		e->todo = more;
	}
	e->todo[e->n_todo++] = (struct todo){path, key};
	return 0;
}

static bool is_wanted_by_file(const struct isolate_exec *e, const char *path)
{
	struct statfs fs;

	return path[0] == '/' &&
	       (e->by_file || (statfs(path, &fs) == 0 && (uint32_t)fs.f_type == OVERLAYFS));
}

static int on_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct isolate_exec *e = ctx;
	struct loader_isolate_change c = {.what = LOADER_ISOLATE_DIGEST};
	struct digest d;
	int r = 0;

	if (strcmp(scope, SCOPE) != 0 || strncmp(key, PREFIX, sizeof(PREFIX) - 1) != 0 ||
	    digest_from_hex(key + sizeof(PREFIX) - 1, &d) < 0)
		return 0;
	e->n_listed++;
	c.digest = d.bytes;
	if (!e->by_file)
		r = put(e, &c);
	if (r >= 0 && is_wanted_by_file(e, expected))
		r = add_todo(e, expected, key);
	/* What has no room is not let run. */
	e->failed = r < 0 ? r : e->failed;
	return 0;
}

static bool pin(struct isolate_exec *e, int fd, dev_t dev)
{
	int own;

	for (uint32_t i = 0; i < e->n_pins; i++)
		if (e->pins[i].dev == dev) {
			e->pins[i].round = e->round;
			return true;
		}
	if (e->n_pins == PINS && !e->alone[1])
		(void)prune(e, LOADER_ISOLATE_PRUNE_FILES);
	own = e->n_pins < PINS ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (own < 0)
		return false;
	e->pins[e->n_pins++] = (struct pin){dev, own, e->round};
	return true;
}

/*
 * A change after this has another time, and where it lies stays mounted: nothing else need be remembered of it. One that changed within the tick could
 * change again under the same time.
 */
static bool let_run(struct isolate_exec *e, int fd, const struct stat *st)
{
	return hash_cache_settled(fd, st) && pin(e, fd, st->st_dev) && put_file(e, st) >= 0;
}

/* Nothing can be run that is not there; all else that is refused for this should not have to be guessed. */
static void tell_unread(const struct todo *t, int error)
{
	if (error != -ENOENT && error != -ENOTDIR)
		log_error("isolation exec=unlisted path=%s why=\"%s\"", t->path,
			  error == -EISDIR ? "not a regular file" : strerror(-error));
}

/* The very bytes that are listed for it. */
static uint64_t read_one(struct isolate_exec *e, const struct todo *t)
{
	CLEANUP_CLOSE int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char key[sizeof(PREFIX) + DIGEST_HEX_SIZE] = PREFIX;
	struct digest d;
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0)
		r = S_ISREG(st.st_mode) ? hash_cache_fd_sure(e->o.hashes, fd, &d, &st) : -EISDIR;
	if (r < 0) {
		tell_unread(t, r);
		return 0;
	}
	digest_hex(&d, key + sizeof(PREFIX) - 1);
	if (strcmp(key, t->key) != 0)
		return (uint64_t)st.st_size;
	if (let_run(e, fd, &st))
		e->n_put++;
	else
		log_error("isolation exec=unlisted path=%s", t->path);
	return (uint64_t)st.st_size;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval soon = {0, 2000};
	struct isolate_exec *e = ctx;
	uint64_t bytes = 0;

	(void)fd;
	(void)what;
	/* Its texts are the baseline's. */
	if (!e->on || e->o.baseline(e->o.ctx) != e->baseline)
		return;
	while (e->at < e->n_todo && bytes < ISOLATE_EXEC_SLICE)
		bytes += 4096 + read_one(e, &e->todo[e->at++]);
	if (e->at < e->n_todo)
		event_add(e->timer, &soon);
	else if (e->n_todo > 0 && prune(e, LOADER_ISOLATE_PRUNE_FILES) >= 0)
		log_notice("isolation exec=listed files=%u", e->n_put);
}

static int check_programs(const struct isolate_exec *e, struct why *ret_why)
{
	static const char *const names[] = {"plumb_bprm_check", "plumb_kernel_read",
					    "plumb_kernel_load", "plumb_bpf"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct loader_program *p = program_named(e, names[i]);

		if (p && p->attached && p->lsm)
			continue;
		r = why_set(ret_why, -ENOTSUP, "%s: %.120s", names[i],
			    p && p->absent_why[0] ? p->absent_why : "not in this kernel");
		/* Without this one nothing of it is to be had. */
		if (i == 0)
			return -ENOSYS;
	}
	return r;
}

/* Never off meanwhile, and no list empty: a module would get in between, and what may run would be refused. */
static int fill(struct isolate_exec *e, struct why *ret_why)
{
	const struct loader_program *p = program_named(e, "plumb_bprm_check");
	int r;

	e->n_todo = e->at = e->n_put = e->n_listed = 0;
	e->failed = 0;
	e->baseline = e->o.baseline(e->o.ctx);
	if (!e->baseline)
		return why_set(ret_why, -ENOENT, "no baseline says what may run");
	e->by_file = p && p->stands_in;
	e->round++;
	e->alone[0] = e->alone[1] = false;
	r = put_own(e);
	if (r >= 0)
		r = baseline_each(e->baseline, on_entry, e);
	if (r >= 0)
		r = prune(e, LOADER_ISOLATE_PRUNE_DIGESTS);
	/* Else once they are read. */
	if (r >= 0 && e->n_todo == 0)
		r = prune(e, LOADER_ISOLATE_PRUNE_FILES);
	if (r < 0)
		return why_set(ret_why, r, "the kernel's lists: %s", strerror(-r));
	if (e->n_listed == 0)
		return why_set(ret_why, -ENOENT, "the baseline lists no program of the host");
	return 0;
}

int isolate_exec_begin(void *ctx, struct isolate_state *s, struct why *ret_why)
{
	const struct loader_isolate_change on = {.what = LOADER_ISOLATE_ON};
	const struct timeval now = {0, 0};
	struct isolate_exec *e = ctx;
	int r, missing;

	(void)s;
	if (e->o.forbidden)
		return why_set(ret_why, -EPERM, "%s", e->o.forbidden);
	if (!e->o.loader && !e->o.change)
		return why_set(ret_why, -ENOTSUP, "there are no kernel programs");
	missing = check_programs(e, ret_why);
	if (missing == -ENOSYS)
		return -ENOTSUP;
	r = fill(e, ret_why);
	if (r >= 0)
		r = change(e, &on);
	if (r < 0)
		return ret_why->text[0]
			       ? r
			       : why_set(ret_why, r, "the kernel's lists: %s", strerror(-r));
	e->on = true;
	event_add(e->timer, &now);
	if (e->failed < 0)
		return why_set(ret_why, e->failed,
			       "it is in force, but not all that the baseline lists has room: %s",
			       strerror(-e->failed));
	return missing;
}

int isolate_exec_end(void *ctx, const struct isolate_state *s, struct why *ret_why)
{
	const struct loader_isolate_change off = {.what = LOADER_ISOLATE_OFF};
	struct isolate_exec *e = ctx;

	(void)s;
	(void)ret_why;
	/* Where it could never be in force there is nothing to be ended. */
	if (e->on)
		(void)change(e, &off);
	unpin(e, 0);
	e->on = false;
	event_del(e->timer);
	return 0;
}

void isolate_exec_again(struct isolate_exec *e)
{
	const struct loader_isolate_change on = {.what = LOADER_ISOLATE_ON};
	const struct timeval now = {0, 0};
	struct why why = {""};

	if (!e || !e->on || e->o.baseline(e->o.ctx) == e->baseline)
		return;
	if (fill(e, &why) < 0)
		log_error("isolation exec=unlisted error=\"%s\" next=\"%s\"", why.text,
			  e->alone[0] ? "nothing but the agent may run"
				      : "what was listed before still runs");
	(void)change(e, &on);
	event_add(e->timer, &now);
}

int isolate_exec_open(struct event_base *base, const struct isolate_exec_options *o,
		      struct isolate_exec **ret)
{
	struct isolate_exec *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->o = *o;
	e->timer = evtimer_new(base, on_timer, e);
	if (!e->timer) {
		free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

struct isolate_exec *isolate_exec_free(struct isolate_exec *e)
{
	if (!e)
		return NULL;
	event_free(e->timer);
	unpin(e, 0);
	free(e->todo);
	free(e);
	return NULL;
}
