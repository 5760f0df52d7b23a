/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "fsio.h"
#include "jsonl.h"
#include "served.h"
#include "snapshot_sockets.h"

#define MAX_SMALL 65536u /* of a status, a cgroup file */
#define ARGS_TRIES \
	5 /* of as long as held_proc waits; more than HELD_PROC_MAX that let us wait get none */
#define MAX_FDS 256 /* sockets that are told of a process */
#define ROOM_LEFT (256u << 10) /* for what comes after the processes, and after the sockets */
#define FILE_MAX_BYTES (16u << 20)

enum part { PROCESSES, SOCKETS, MODULES, MOUNTS };
static const char *const part_names[] = {"processes", "sockets", "modules", "mounts"};

struct taking {
	struct snapshot *s;
	struct jsonl j;
	struct buf *b;
	uint64_t netns[SNAPSHOT_MAX_NETNS]; /* whose sockets are to be listed, by their inode */
	uint32_t netns_pid[SNAPSHOT_MAX_NETNS];
	uint32_t n_netns;
	uint64_t own_mount; /* that programs lie on: served_check() */
};

static const char *proc_of(const struct snapshot *s)
{
	return s->proc ? s->proc : "/proc";
}

static bool has_room(const struct taking *t, size_t left)
{
	return buf_status(t->b) >= 0 && t->b->size + left < SNAPSHOT_MAX;
}

static int read_proc(const struct taking *t, uint32_t pid, const char *name, struct buf *ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u/%s", proc_of(t->s), pid, name);
	return fsio_read_file(fsio_system(), path, MAX_SMALL, ret);
}

static void put_link(struct taking *t, uint32_t pid, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%u/%s", proc_of(t->s), pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	if (n < 0)
		jsonl_null(&t->j, name);
	else
		jsonl_path(&t->j, name, target);
}

/* comm may hold anything, a bracket and a blank as well: what counts comes behind the last bracket. */
static int put_stat(struct taking *t, uint32_t pid, uint64_t *ret_start)
{
	CLEANUP(buf_done) struct buf b = {0};
	unsigned int ppid;
	uint64_t ticks;
	char *open, *close, state;
	int r = read_proc(t, pid, "stat", &b);

	if (r < 0 || b.size == 0)
		return -ESRCH;
	open = strchr((char *)b.data, '(');
	close = strrchr((char *)b.data, ')');
	if (!open || !close || close < open ||
	    sscanf(close + 1,
		   " %c %u %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &state, &ppid, &ticks) != 3)
		return -EBADMSG;
	*ret_start = ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	jsonl_object(&t->j, NULL);
	jsonl_uint(&t->j, "pid", pid);
	jsonl_uint(&t->j, "ppid", ppid);
	jsonl_uint(&t->j, "start", *ret_start);
	jsonl_strn(&t->j, "comm", open + 1, (size_t)(close - open - 1));
	jsonl_strn(&t->j, "state", &state, 1);
	return 0;
}

static void put_uids(struct taking *t, uint32_t pid)
{
	CLEANUP(buf_done) struct buf b = {0};
	unsigned int uid, euid;
	const char *at;

	if (read_proc(t, pid, "status", &b) < 0 || b.size == 0)
		return;
	at = strstr((char *)b.data, "\nUid:");
	if (!at || sscanf(at + 5, "%u %u", &uid, &euid) != 2)
		return;
	jsonl_uint(&t->j, "uid", uid);
	jsonl_uint(&t->j, "euid", euid);
}

static void put_cgroup(struct taking *t, uint32_t pid)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *at;

	if (read_proc(t, pid, "cgroup", &b) < 0 || b.size == 0)
		return;
	at = strstr((char *)b.data, "0::");
	if (at)
		jsonl_strn(&t->j, "cgroup", at + 3, strcspn(at + 3, "\n"));
}

static void put_digest(struct taking *t, uint32_t pid)
{
	char path[PATH_MAX], hex[DIGEST_HEX_SIZE];
	struct digest d;
	struct stat st;

	if (!t->s->hashes)
		return;
	snprintf(path, sizeof(path), "%s/%u/exe", proc_of(t->s), pid);
	CLEANUP_CLOSE int link = open(path, O_PATH | O_CLOEXEC);

	if (link < 0 || served_check(t->s->proc, pid, link, &t->own_mount) < 0 ||
	    fstat(link, &st) < 0 || !hash_cache_knows(t->s->hashes, &st))
		return;
	CLEANUP_CLOSE int fd = served_open(link);

	if (fd >= 0 && hash_cache_fd(t->s->hashes, fd, &d, &st) >= 0) {
		digest_hex(&d, hex);
		jsonl_str(&t->j, "sha256", hex);
	}
}

/* A node is held up by no process that keeps its arguments, nor by all of them together. */
static int read_args(const struct taking *t, uint32_t pid, struct buf *ret)
{
	const struct held_proc_want want = {t->s->proc, pid, "cmdline", MAX_SMALL};
	int r = -EINPROGRESS;

	for (uint32_t i = 0; i < ARGS_TRIES && r == -EINPROGRESS; i++)
		r = held_proc_text(t->s->held, &want, ret);
	return r;
}

static void put_args(struct taking *t, uint32_t pid)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct plumb_args args = {.size = 0};
	int r;

	if (!t->s->redact || !t->s->held)
		return;
	r = read_args(t, pid, &b);
	if (r == -EINPROGRESS || held_proc_why(r)) {
		jsonl_null(&t->j, "args");
		jsonl_str(&t->j, "args_why", held_proc_why(r) ? held_proc_why(r) : strerror(-r));
	}
	if (r < 0)
		return;
	args.size = (uint32_t)b.size;
	args.kept = (uint16_t)(b.size < sizeof(args.text) ? b.size : sizeof(args.text));
	if (args.kept > 0)
		memcpy(args.text, b.data, args.kept);
	/* Members of its own making. */
	buf_puts(t->b, ",");
	(void)redact_args(t->s->redact, &args, t->b);
}

static void note_netns(struct taking *t, uint32_t pid)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%u/ns/net", proc_of(t->s), pid);
	if (stat(path, &st) < 0)
		return;
	jsonl_uint(&t->j, "net_ns", st.st_ino);
	for (uint32_t i = 0; i < t->n_netns; i++)
		if (t->netns[i] == st.st_ino)
			return;
	if (t->n_netns == SNAPSHOT_MAX_NETNS) {
		t->s->cut[SOCKETS] = true;
		return;
	}
	t->netns[t->n_netns] = st.st_ino;
	t->netns_pid[t->n_netns++] = pid;
}

static void put_fds(struct taking *t, uint32_t pid)
{
	char path[PATH_MAX], target[64];
	struct dirent *e;
	uint64_t inode;
	uint32_t n = 0;
	ssize_t size;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%u/fd", proc_of(t->s), pid);
	d = opendir(path);
	jsonl_array(&t->j, "sockets");
	while (d && n < MAX_FDS && (e = readdir(d))) {
		size = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[size < 0 ? 0 : size] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
			continue;
		jsonl_uint(&t->j, NULL, inode & INT64_MAX);
		n++;
	}
	jsonl_close(&t->j);
	if (d)
		closedir(d);
}

static void put_process(struct taking *t, uint32_t pid)
{
	uint64_t start;

	if (put_stat(t, pid, &start) < 0)
		return;
	put_uids(t, pid);
	put_link(t, pid, "exe");
	put_digest(t, pid);
	put_cgroup(t, pid);
	note_netns(t, pid);
	put_fds(t, pid);
	put_args(t, pid);
	jsonl_close(&t->j);
	t->s->n_processes++;
}

static void put_processes(struct taking *t)
{
	DIR *d = opendir(proc_of(t->s));
	struct dirent *e;
	unsigned long pid;
	char *end;

	jsonl_array(&t->j, "processes");
	while (d && (e = readdir(d))) {
		pid = strtoul(e->d_name, &end, 10);
		if (*end || pid == 0 || pid > UINT32_MAX)
			continue;
		if (t->s->n_processes == SNAPSHOT_MAX_PROCESSES || !has_room(t, 2 * ROOM_LEFT)) {
			t->s->cut[PROCESSES] = true;
			break;
		}
		put_process(t, (uint32_t)pid);
	}
	if (d)
		closedir(d);
	jsonl_close(&t->j);
}

static void put_socket(struct taking *t, const char *kind, uint64_t netns, const char *line)
{
	struct snapshot_socket s;

	if (snapshot_sockets_line(line, &s) < 0)
		return;
	if (t->s->n_sockets == SNAPSHOT_MAX_SOCKETS || !has_room(t, ROOM_LEFT)) {
		t->s->cut[SOCKETS] = true;
		return;
	}
	jsonl_object(&t->j, NULL);
	jsonl_str(&t->j, "kind", kind);
	jsonl_str(&t->j, "local", s.local);
	jsonl_str(&t->j, "remote", s.remote);
	jsonl_uint(&t->j, "state", s.state);
	jsonl_uint(&t->j, "uid", s.uid);
	jsonl_uint(&t->j, "inode", s.inode & INT64_MAX);
	jsonl_uint(&t->j, "net_ns", netns);
	jsonl_close(&t->j);
	t->s->n_sockets++;
}

/* Each line of a file of /proc, without its LF. */
static void each_line(const char *path, void (*fn)(struct taking *t, const void *ctx, char *line),
		      struct taking *t, const void *ctx)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0, bytes = 0;
	FILE *f = fopen(path, "re");
	ssize_t n;

	while (f && bytes < FILE_MAX_BYTES && (n = getline(&line, &room, f)) > 0) {
		bytes += (size_t)n;
		line[strcspn(line, "\n")] = '\0';
		fn(t, ctx, line);
	}
	if (f)
		fclose(f);
}

struct socket_file {
	const char *kind;
	uint64_t netns;
};

static void on_socket(struct taking *t, const void *ctx, char *line)
{
	const struct socket_file *f = ctx;

	put_socket(t, f->kind, f->netns, line);
}

static void put_sockets(struct taking *t)
{
	static const char *const kinds[] = {"tcp", "tcp6", "udp", "udp6", "raw", "raw6"};
	char path[PATH_MAX];

	jsonl_array(&t->j, "sockets");
	for (uint32_t i = 0; i < t->n_netns; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			const struct socket_file f = {kinds[k], t->netns[i]};

			snprintf(path, sizeof(path), "%s/%u/net/%s", proc_of(t->s), t->netns_pid[i],
				 kinds[k]);
			each_line(path, on_socket, t, &f);
		}
	jsonl_close(&t->j);
}

struct counted {
	enum part part;
	uint32_t *n;
};

static void on_text(struct taking *t, const void *ctx, char *line)
{
	const struct counted *c = ctx;

	/* Where a module lies in memory helps nobody but an attacker. */
	if (c->part == MODULES && strstr(line, " 0x"))
		*strstr(line, " 0x") = '\0';
	if (*c->n == SNAPSHOT_MAX_LINES || !has_room(t, 8192)) {
		t->s->cut[c->part] = true;
		return;
	}
	jsonl_str(&t->j, NULL, line);
	++*c->n;
}

static void put_texts(struct taking *t, enum part part, const char *name, uint32_t *n)
{
	const struct counted c = {part, n};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", proc_of(t->s), name);
	jsonl_array(&t->j, part_names[part]);
	each_line(path, on_text, t, &c);
	jsonl_close(&t->j);
}

static void put_heading(struct taking *t)
{
	char taken[CLOCK_TEXT_SIZE];

	clock_text(t->s->utc_ns, taken);
	jsonl_uint(&t->j, "v", 1);
	jsonl_uint(&t->j, "number", t->s->number);
	jsonl_str(&t->j, "taken", taken);
	jsonl_str(&t->j, "boot", t->s->boot ? t->s->boot : "");
	jsonl_uint(&t->j, "ledger_lines", t->s->lines);
}

int snapshot_take(struct snapshot *s, struct buf *ret)
{
	struct taking *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->s = s;
	t->b = ret;
	ret->max = SNAPSHOT_MAX + ROOM_LEFT;
	s->n_processes = s->n_sockets = s->n_modules = s->n_mounts = 0;
	memset(s->cut, 0, sizeof(s->cut));
	jsonl_begin(&t->j, ret);
	put_heading(t);
	put_processes(t);
	put_sockets(t);
	put_texts(t, MODULES, "modules", &s->n_modules);
	put_texts(t, MOUNTS, "self/mountinfo", &s->n_mounts);
	jsonl_array(&t->j, "cut");
	for (size_t i = 0; i < ARRAY_SIZE(part_names); i++)
		if (s->cut[i])
			jsonl_str(&t->j, NULL, part_names[i]);
	jsonl_close(&t->j);
	jsonl_end(&t->j);
	buf_puts(ret, "\n");
	r = buf_status(ret);
	free(t);
	return r;
}
