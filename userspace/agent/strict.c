/* SPDX-License-Identifier: Apache-2.0 */
#include "strict.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "log.h"
#include "strict_held.h"

#define ASKED_MAX (STRICT_FILES * 4) /* the keeper never has more open */
#define A_TURN 16
#define END_MS 1000

/* Written down; to be let run when the PCR covers so many lines. */
struct asked {
	uint32_t id; /* 0: the place is free */
	uint64_t size;
};

struct strict {
	struct strict_parts parts;
	pid_t pid;
	int fd;
	uint32_t wait_ms;
	struct event *readable, *ping;
	uint64_t anchored;
	uint32_t unanswered; /* pings since the keeper was last heard of */
	bool attached, killed;
	struct asked asked[ASKED_MAX];
	struct strict_msg msg;
};

int strict_open(const struct strict_keeper_options *o, struct strict **ret, struct why *ret_why)
{
	pid_t pid;
	int fd, r = strict_keeper_start(o, &pid, &fd, ret_why);

	return r < 0 ? r : strict_adopt(pid, fd, o->wait_ms, ret);
}

int strict_adopt(pid_t keeper, int fd, uint32_t wait_ms, struct strict **ret)
{
	struct strict *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->wait_ms = wait_ms;
	s->pid = keeper;
	s->fd = fd;
	*ret = s;
	return 0;
}

static int say(struct strict *s, uint32_t kind, uint32_t id)
{
	struct strict_msg m;

	memset(&m, 0, offsetof(struct strict_msg, path) + 1);
	m.kind = kind;
	m.id = id;
	return send(s->fd, &m, offsetof(struct strict_msg, path) + 1, MSG_DONTWAIT | MSG_NOSIGNAL) <
			       0
		       ? -errno
		       : 0;
}

/* An answer that the socket does not take now goes with the next anchor, or the next ping. */
static void let_run(struct strict *s)
{
	for (uint32_t i = 0; i < ASKED_MAX; i++) {
		struct asked *a = &s->asked[i];

		if (a->id && a->size <= s->anchored && say(s, STRICT_ANCHORED, a->id) == 0)
			a->id = 0;
	}
}

static void gone(struct strict *s, const char *why)
{
	event_del(s->readable);
	/* A read that a disk does not answer ends with it, and the kernel frees who waits; but where the kernel itself waits in it, it goes on waiting. */
	kill(s->pid, SIGKILL);
	s->unanswered = 0;
	s->killed = true;
	if (s->attached)
		log_error("strict=ended why=\"%s\" next=\"nobody is held any more once its keeper, "
			  "which was killed, is gone; it is a claim in the ledger\" "
			  "cure=\"restart plumbd\"",
			  why);
	s->attached = false;
	s->parts.state(s->parts.ctx, false, why);
}

/* Killed is not gone: until then whoever it holds waits. */
static void look_for_end(struct strict *s)
{
	if (waitpid(s->pid, NULL, WNOHANG) != 0) {
		event_del(s->ping);
		log_notice("strict=gone pid=%d next=\"nobody is held any more\"", (int)s->pid);
	} else if (++s->unanswered == STRICT_STUCK_PINGS) {
		log_error("strict=stuck pid=%d next=\"whoever it holds waits until the kernel is "
			  "done with it\" cure=\"see what /proc/%d/stack waits for: a disk, a "
			  "server of files; end that\"",
			  (int)s->pid, (int)s->pid);
		s->parts.state(s->parts.ctx, false, STRICT_STUCK);
	}
}

static uint32_t mnt_ns_of(uint32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	return stat(path, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static const char *why_unmeasured(int error)
{
	switch (error) {
	case -EREMOTE:
		return "the file system is not the kernel's own";
	case -EFBIG:
		return "too large";
	case -ESTALE:
		return "it changes while it is read";
	default:
		return strerrorname_np(-error);
	}
}

struct place {
	char path[CONTAINER_PATH_MAX], scope[CGROUPS_SCOPE_SIZE];
	struct container_path container;
};

/*
 * Whoever is held may have been forked elsewhere and moved: the record that tells the table so is its exec's, which comes after, so it is asked
 * itself. With cgroup v1 those of the host's mount namespace are the host's, as in the table.
 */
static void find_place(uint32_t pid, uint32_t mnt_ns, struct place *p, struct line_actor *a)
{
	bool root = cgroups_v2_path(pid, p->path) == 0 && strcmp(p->path, "/") == 0;

	if (!(root && mnt_ns == cgroups_host_mnt_ns()) && cgroups_path_of_pid(pid, p->path) < 0)
		return;
	container_path_parse(p->path, &p->container);
	a->cgroup = p->path;
	a->container = p->container.id[0] ? p->container.id : NULL;
	a->pod = p->container.pod[0] ? p->container.pod : NULL;
	snprintf(p->scope, sizeof(p->scope), "%s%s", a->container ? "container:" : "host",
		 p->container.id);
}

/* found, hash_src and key are set. 0, or -errno: there is no line. */
static int write_line(struct strict *s, const struct strict_msg *m, struct line *l,
		      uint64_t *ret_size)
{
	char key[PATH_MAX + 16];
	uint32_t mnt_ns = m->pid ? mnt_ns_of(m->pid) : 0;
	struct place place;

	if (s->parts.first)
		s->parts.first(s->parts.ctx);
	snprintf(key, sizeof(key), "exec:%s", m->path);
	l->type = PLUMB_TYPE_EXEC;
	l->src = "fanotify";
	l->op = "strict";
	l->key = key;
	l->utc_ns = clock_utc_ns(s->parts.clock);
	l->boot_ns = clock_boot_ns(s->parts.clock);
	l->scope = "host";
	if (m->pid) {
		l->has_actor = true;
		(void)proctab_actor(s->parts.proctab, m->pid, 0, &l->actor);
		proctab_scope(s->parts.proctab, m->pid, 0, place.scope);
		find_place(m->pid, mnt_ns, &place, &l->actor);
		if (s->parts.images)
			images_scope(s->parts.images, mnt_ns, place.scope);
		l->scope = place.scope;
	}
	return ledger_writer_before(s->parts.writer, l, ret_size);
}

static void on_measured(struct strict *s, const struct strict_msg *m)
{
	CLEANUP(buf_done) struct buf found = {0};
	struct line l = {.hash_src = "user"};
	uint64_t size = 0;
	int r;

	if (m->error == 0) {
		r = claims_exec_value(&m->digest, &found);
	} else {
		l.hash_src = "none";
		buf_printf(&found, "unmeasured %s", why_unmeasured(m->error));
		r = buf_status(&found);
	}
	l.found = (const char *)found.data;
	if (r >= 0)
		r = write_line(s, m, &l, &size);
	log_debug("strict=held path=%s pid=%u size=%" PRIu64, m->path, m->pid, size);
	/* Not written, not let run: who waits for it is not waited for any longer than the bound. */
	for (uint32_t i = 0; r >= 0 && i < ASKED_MAX; i++) {
		if (s->asked[i].id)
			continue;
		s->asked[i] = (struct asked){m->id, size};
		break;
	}
	let_run(s);
}

static void on_timeout(struct strict *s, const struct strict_msg *m)
{
	char found[128];
	struct line l = {.hash_src = "none", .found = found};
	uint64_t size;

	snprintf(found, sizeof(found), "unmeasured strict: %s after %u ms, %u in all",
		 m->allowed ? "run" : "refused", m->waited_ms, m->n);
	log_warning("strict=time_out path=%s pid=%u waited_ms=%u n=%u next=\"%s\"", m->path, m->pid,
		    m->waited_ms, m->n, m->allowed ? "it runs" : "it is refused");
	(void)write_line(s, m, &l, &size);
}

int strict_check(const void *data, size_t size, struct why *ret_why)
{
	const struct strict_msg *m = data;
	const size_t head = offsetof(struct strict_msg, path);

	if (size <= head || size > sizeof(*m))
		return why_set(ret_why, -EBADMSG, "a message of %zu bytes", size);
	if (m->kind < STRICT_READY || m->kind > STRICT_PONG)
		return why_set(ret_why, -EBADMSG, "a message of kind %u", m->kind);
	if (m->path[size - head - 1] != '\0' || strlen(m->path) != size - head - 1)
		return why_set(ret_why, -EBADMSG, "a path that does not end where it should");
	if (m->error > 0)
		return why_set(ret_why, -EBADMSG, "error %d", m->error);
	return 0;
}

static void on_ready(struct strict *s, const struct strict_msg *m)
{
	char why[PATH_MAX + 64];

	if (m->error < 0) {
		snprintf(why, sizeof(why), "%.200s: %s", m->path, strerror(-m->error));
		gone(s, why);
		return;
	}
	log_notice("strict=ready file_systems=%u", m->n);
	s->attached = true;
	s->parts.state(s->parts.ctx, true, "");
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct strict *s = ctx;
	struct why why = {""};

	(void)what;
	for (int i = 0; i < A_TURN; i++) {
		ssize_t n = recv(fd, &s->msg, sizeof(s->msg), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			gone(s, "its keeper ended");
			return;
		}
		if (strict_check(&s->msg, (size_t)n, &why) < 0) {
			gone(s, why.text);
			return;
		}
		s->unanswered = 0;
		if (s->msg.kind == STRICT_READY)
			on_ready(s, &s->msg);
		else if (s->msg.kind == STRICT_MEASURED)
			on_measured(s, &s->msg);
		else if (s->msg.kind == STRICT_TIMEOUT)
			on_timeout(s, &s->msg);
	}
}

/* Pings are counted, not seconds: an agent that was stopped has not asked. */
static void on_ping(evutil_socket_t fd, short what, void *ctx)
{
	struct strict *s = ctx;

	(void)fd;
	(void)what;
	if (s->killed) {
		look_for_end(s);
		return;
	}
	let_run(s);
	if (s->unanswered++ > (s->wait_ms + STRICT_HUNG_MS) / STRICT_PING_MS) {
		gone(s, "its keeper did not answer");
		return;
	}
	(void)say(s, STRICT_PING, 0);
}

int strict_go(struct strict *s, struct event_base *base, const struct strict_parts *parts)
{
	const struct timeval every = {STRICT_PING_MS / 1000, STRICT_PING_MS % 1000 * 1000};

	s->parts = *parts;
	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->ping = event_new(base, -1, EV_PERSIST, on_ping, s);
	if (!s->readable || !s->ping || event_add(s->readable, NULL) < 0 ||
	    event_add(s->ping, &every) < 0)
		return -ENOMEM;
	return say(s, STRICT_GO, 0);
}

void strict_anchored(struct strict *s, const struct checkpoint *head)
{
	s->anchored = head->size;
	let_run(s);
}

int strict_begin(struct strict **s, struct event_base *base, const struct strict_parts *parts,
		 bool has_tpm, const char *absent)
{
	if (*s && !has_tpm) {
		*s = strict_free(*s);
		absent = "there is no TPM in which a measurement could be waited for";
	}
	if (*s)
		return strict_go(*s, base, parts);
	if (absent) {
		log_error("strict=absent why=\"%s\" next=\"nothing is held; it is a claim in the "
			  "ledger\"",
			  absent);
		parts->state(parts->ctx, false, absent);
	}
	return 0;
}

struct strict *strict_free(struct strict *s)
{
	const struct timespec tick = {0, 10000000};
	int left = END_MS / 10;

	if (!s)
		return NULL;
	if (s->readable)
		event_free(s->readable);
	if (s->ping)
		event_free(s->ping);
	close(s->fd);
	while (waitpid(s->pid, NULL, WNOHANG) == 0 && left-- > 0)
		nanosleep(&tick, NULL);
	if (left < 0)
		kill(s->pid, SIGKILL);
	free(s);
	return NULL;
}
