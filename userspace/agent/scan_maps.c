/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_maps.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "hash_pieces.h"
#include "held_proc.h"
#include "served.h"

#define DELETED " (deleted)"
#define SEEN_SIZE 4096 /* files that this pass has done; a power of two */
#define PATH_SIZE 4096

struct scan_maps {
	struct claims_source s;
	struct record_line_tables t;
	struct measure_sink sink;
	DIR *dir; /* NULL: not begun */
	char pid[24]; /* whose maps are at work; "": none */
	bool asked; /* for its maps, which did not come yet */
	bool waits; /* what this step asked for did not come yet */
	struct buf text;
	size_t at; /* in text */
	uint32_t n_maps, mnt_ns;
	struct hash_pieces *pieces; /* the file of the mapping at text + at */
	int file; /* it; -1: none */
	uint64_t bytes_before;
	uint32_t memory_dev, huge_dev; /* of files that stand for memory; 0: none */
	uint64_t own; /* a mount that this step found to be served by nobody; 0: none */
	bool memory_told; /* of this process */
	const char *blind; /* why not all was looked at; NULL: all was */
	uint64_t seen[SEEN_SIZE]; /* hashes of (mount namespace, device, inode); 0: free */
};

static const char *hex(const char *at, const char *end, uint64_t *ret)
{
	const char *start = at;

	for (*ret = 0; at < end && isxdigit((unsigned char)*at) && at - start < 16; at++)
		*ret = *ret << 4 |
		       (uint64_t)(isdigit((unsigned char)*at) ? *at - '0'
							      : (*at | 0x20) - 'a' + 10);
	return at > start ? at : NULL;
}

static const char *decimal(const char *at, const char *end, uint64_t *ret)
{
	const char *start = at;

	for (*ret = 0; at < end && isdigit((unsigned char)*at) && at - start < 19; at++)
		*ret = *ret * 10 + (uint64_t)(*at - '0');
	return at > start ? at : NULL;
}

static const char *character(const char *at, const char *end, char c)
{
	return at && at < end && *at == c ? at + 1 : NULL;
}

static bool is_kernels_own(const struct scan_maps_entry *e)
{
	static const char *const names[] = {"[vdso]", "[vsyscall]", "[uprobes]", "[vvar]"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (e->ino == 0 && e->path_size == strlen(names[i]) &&
		    memcmp(e->path, names[i], e->path_size) == 0)
			return true;
	return false;
}

/* "7f0a1000-7f0a2000 r-xp 00001000 08:01 131090                     /usr/lib/x.so" */
int scan_maps_parse(const char *line, size_t size, struct scan_maps_entry *ret)
{
	const char *at = line, *end = line + size, *flags;
	struct scan_maps_entry e = {.path = ""};
	uint64_t offset, major, minor;

	at = hex(at, end, &e.from);
	at = character(at, end, '-');
	at = at ? hex(at, end, &e.to) : NULL;
	at = character(at, end, ' ');
	flags = at;
	if (!at || end - at < 5 || at[4] != ' ')
		return -EBADMSG;
	at = hex(at + 5, end, &offset);
	at = character(at, end, ' ');
	at = at ? hex(at, end, &major) : NULL;
	at = character(at, end, ':');
	at = at ? hex(at, end, &minor) : NULL;
	at = character(at, end, ' ');
	at = at ? decimal(at, end, &e.ino) : NULL;
	if (!at || e.from >= e.to || major > 0xfff || minor > 0xfffff)
		return -EBADMSG;
	while (at < end && *at == ' ')
		at++;
	e.dev = (uint32_t)(major << 20 | minor);
	e.shared = flags[3] == 's';
	e.path = at;
	e.path_size = (size_t)(end - at);
	if (e.ino && e.path_size > strlen(DELETED) &&
	    memcmp(end - strlen(DELETED), DELETED, strlen(DELETED)) == 0)
		e.path_size -= strlen(DELETED);
	*ret = e;
	return flags[2] == 'x' && !is_kernels_own(&e);
}

/* Where what memfd_create() gives lies, as shared memory of no file does, and System V's. 0: the kernel gives none. */
static uint32_t memory_dev(unsigned flags)
{
	CLEANUP_CLOSE int fd = memfd_create("device", MFD_CLOEXEC | flags);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? major(st.st_dev) << 20 | minor(st.st_dev) : 0;
}

/* As the kernel programs have it: what is mapped twice by a memfd is no file, what a loader maps of one is. */
static bool is_memory(const struct scan_maps *m, const struct scan_maps_entry *e)
{
	return e->ino == 0 || (e->shared && m->memory_dev && e->dev == m->memory_dev) ||
	       (m->huge_dev && e->dev == m->huge_dev);
}

int scan_maps_open(const struct claims_source *s, const struct record_line_tables *t,
		   const struct measure_sink *sink, struct scan_maps **ret)
{
	struct scan_maps *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->s = *s;
	m->t = *t;
	m->sink = *sink;
	m->file = -1;
	m->bytes_before = hash_cache_n_bytes(t->hash_cache);
	m->memory_dev = memory_dev(0);
	m->huge_dev = memory_dev(MFD_HUGETLB);
	*ret = m;
	return 0;
}

struct scan_maps *scan_maps_free(struct scan_maps *m)
{
	if (!m)
		return NULL;
	hash_pieces_free(m->pieces);
	if (m->file >= 0)
		close(m->file);
	buf_done(&m->text);
	if (m->dir)
		closedir(m->dir);
	free(m);
	return NULL;
}

static void proc_path(const struct scan_maps *m, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%.200s/%s/%s", m->s.proc ? m->s.proc : "/proc", m->pid, name);
}

static uint32_t mnt_ns_of(const struct scan_maps *m)
{
	char path[320];
	struct stat st;

	proc_path(m, "ns/mnt", path, sizeof(path));
	return stat(path, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static uint32_t pid_of(const struct scan_maps *m)
{
	return (uint32_t)strtoul(m->pid, NULL, 10);
}

static void tell(struct scan_maps *m, const char *key, const char *found, const char *hash_src)
{
	uint32_t pid = pid_of(m);
	char scope[CGROUPS_SCOPE_SIZE];
	struct line l = {.boot_ns = clock_boot_ns(m->t.clock),
			 .src = "scan",
			 .type = PLUMB_TYPE_CODE,
			 .op = "map",
			 .key = key,
			 .found = found,
			 .hash_src = hash_src,
			 .has_actor = true,
			 .scope = scope};

	(void)proctab_actor(m->t.proctab, pid, 0, &l.actor);
	proctab_scope(m->t.proctab, pid, 0, scope);
	if (m->t.images)
		images_scope(m->t.images, m->mnt_ns, scope);
	m->sink.measurement(m->sink.ctx, &l);
}

static void tell_memory(struct scan_maps *m, const char *what, const char *found)
{
	char path[320], exe[PATH_SIZE] = "unknown", key[PATH_SIZE + 32];
	ssize_t n;

	proc_path(m, "exe", path, sizeof(path));
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return; /* it is gone, or has no program of its own */
	exe[n] = '\0';
	snprintf(key, sizeof(key), "memory:%s:%s", what, exe);
	tell(m, key, found, NULL);
}

/* Nothing more is asked of this process in this pass; who it is, a line says. */
static void give_up(struct scan_maps *m, int r)
{
	m->blind = held_proc_why(r);
	tell_memory(m, "locked", "unmeasured its maps do not come");
	m->pid[0] = '\0';
}

/* Told once a pass for each mount namespace; whether a line is written of it the ledger's writer knows. A place that is taken: looked at again. */
static uint64_t *seen_place(struct scan_maps *m, const struct scan_maps_entry *e, uint64_t *ret)
{
	uint64_t h = ((uint64_t)m->mnt_ns << 32 ^ e->dev) * 0x9e3779b97f4a7c15ull;

	h = (h ^ e->ino) * 0x9e3779b97f4a7c15ull;
	*ret = h ? h : 1;
	return &m->seen[h >> 52 & (SEEN_SIZE - 1)];
}

/* -EREMOTE: somebody serves it. As of held_proc.h: the process keeps it. */
static int open_mapped(struct scan_maps *m, const struct scan_maps_entry *e)
{
	struct held_proc_want want = {.proc = m->s.proc, .pid = pid_of(m)};
	char name[HELD_PROC_NAME];
	int r;

	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, e->from, e->to);
	want.name = name;
	CLEANUP_CLOSE int link = held_proc_path(proctab_held(m->t.proctab), &want);

	r = link < 0 ? link : served_check(m->s.proc, want.pid, link, &m->own);
	return r < 0 ? r : served_open(link);
}

/* 1: it is large, and is read a piece at a time from now on. */
static int begin_pieces(struct scan_maps *m, int fd, const struct stat *st)
{
	int own;

	if (st->st_size < (off_t)HASH_PIECES_MIN || hash_cache_knows(m->t.hash_cache, st))
		return 0;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own >= 0 && hash_pieces_open_fd(m->t.hash_cache, own, false, &m->pieces) == 1;
}

static void tell_file(struct scan_maps *m, const struct scan_maps_entry *e, int fd)
{
	CLEANUP(buf_done) struct buf found = {0};
	char key[PATH_SIZE + 16];
	struct digest d;
	struct stat st;
	int r = fd < 0 ? fd : hash_cache_fd(m->t.hash_cache, fd, &d, &st);

	snprintf(key, sizeof(key), "code:%.*s",
		 (int)(e->path_size < PATH_SIZE ? e->path_size : PATH_SIZE), e->path);
	if (r >= 0)
		r = claims_exec_value(&d, &found);
	else if (r == -EREMOTE)
		buf_printf(&found, "unmeasured " SERVED_WHY);
	else
		buf_printf(&found, "unmeasured %s", strerrorname_np(-r));
	if (buf_status(&found) == 0 && found.data)
		tell(m, key, (const char *)found.data, r >= 0 ? "user" : "none");
	else
		m->blind = "ENOMEM";
}

/* 1: the same mapping again in the next step. */
static int take_file(struct scan_maps *m, const struct scan_maps_entry *e)
{
	uint64_t id, *seen = seen_place(m, e, &id);
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	if (*seen == id)
		return 0;
	fd = open_mapped(m, e);
	m->waits = fd == -EINPROGRESS;
	if (m->waits)
		return 1;
	if (held_proc_why(fd)) {
		give_up(m, fd);
		return 1;
	}
	*seen = id;
	if (fd == -ENOENT || fd == -ESRCH) /* it is mapped no more */
		return 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && !hash_cache_knows(m->t.hash_cache, &st)) {
		if (hash_cache_n_bytes(m->t.hash_cache) - m->bytes_before > SCAN_MAPS_BYTES) {
			m->blind = "more to read than one pass does";
			return 0;
		}
		if (begin_pieces(m, fd, &st)) {
			m->file = fd;
			fd = -1;
			return 1;
		}
	}
	tell_file(m, e, fd);
	return 0;
}

/* The line at m->at, and its size without LF. */
static const char *line_at(const struct scan_maps *m, size_t *ret_size)
{
	const char *line = (const char *)m->text.data + m->at;
	const char *lf = memchr(line, '\n', m->text.size - m->at);

	*ret_size = lf ? (size_t)(lf - line) : m->text.size - m->at;
	return line;
}

static void next_line(struct scan_maps *m, size_t size)
{
	m->at += size + 1;
	if (m->at >= m->text.size || m->n_maps > SCAN_MAPS_ONE_MAX) {
		if (m->at < m->text.size)
			m->blind = "a process with too many mappings";
		m->pid[0] = '\0';
	}
}

static void step_maps(struct scan_maps *m)
{
	struct scan_maps_entry e;
	size_t size;
	const char *line = line_at(m, &size);
	int r = scan_maps_parse(line, size, &e);

	if (r < 0)
		m->blind = "a line of maps that cannot be read";
	if (r == 1) {
		bool memory = is_memory(m, &e);

		if (memory && !m->memory_told) {
			m->memory_told = true;
			tell_memory(m, "anonymous", "executable");
		} else if (!memory && take_file(m, &e) == 1) {
			return;
		}
	}
	m->n_maps += r == 1;
	next_line(m, size);
}

/* A large file was read: what came out is in the cache. */
static void step_pieces(struct scan_maps *m)
{
	struct scan_maps_entry e;
	size_t size;
	const char *line = line_at(m, &size);
	int r = hash_pieces_step(m->pieces);

	if (r == 1)
		return;
	m->pieces = hash_pieces_free(m->pieces);
	if (r < 0)
		m->blind = "a file that changed while it was read";
	else if (scan_maps_parse(line, size, &e) == 1)
		tell_file(m, &e, m->file);
	close(m->file);
	m->file = -1;
	next_line(m, size);
}

/* Ended, or a kernel thread, it has no maps. */
static void ask_for_maps(struct scan_maps *m)
{
	const struct held_proc_want want = {m->s.proc, pid_of(m), "maps", SCAN_MAPS_TEXT_MAX};
	int r = held_proc_text(proctab_held(m->t.proctab), &want, &m->text);

	m->waits = r == -EINPROGRESS;
	if (m->waits)
		return;
	m->asked = false;
	if (held_proc_why(r)) {
		give_up(m, r);
		return;
	}
	if (r < 0 && r != -ENOENT && r != -ESRCH)
		m->blind = r == -EFBIG ? "a process with too many mappings" : strerrorname_np(-r);
	if (r < 0 || m->text.size == 0)
		m->pid[0] = '\0';
}

/* 1: there is one more process; 0: there are no more. */
static int next_process(struct scan_maps *m)
{
	struct dirent *e;

	if (!m->dir) {
		m->dir = opendir(m->s.proc ? m->s.proc : "/proc");
		if (!m->dir)
			return -errno;
	}
	do {
		errno = 0;
		e = readdir(m->dir);
		if (!e)
			return -errno;
	} while (e->d_name[strspn(e->d_name, "0123456789")] || strlen(e->d_name) > 20);
	snprintf(m->pid, sizeof(m->pid), "%.20s", e->d_name);
	m->asked = true;
	buf_clear(&m->text);
	m->at = 0;
	m->n_maps = 0;
	m->memory_told = false;
	m->mnt_ns = mnt_ns_of(m);
	return 1;
}

static int tell_whole(const struct scan_maps *m)
{
	return m->blind ? claims_source_put_unknown(&m->s, "kernel:executable_maps", m->blind)
			: claims_source_put_text(&m->s, "kernel:executable_maps", "listed");
}

int scan_maps_step(struct scan_maps *m, int *ret_put)
{
	int r;

	m->own = 0;
	m->waits = false;
	if (m->pieces) {
		step_pieces(m);
		return 1;
	}
	if (!m->pid[0]) {
		r = next_process(m);
		if (r <= 0) {
			*ret_put = r == 0 ? tell_whole(m) : *ret_put;
			return r;
		}
	}
	if (m->asked)
		ask_for_maps(m);
	for (uint32_t i = 0; m->pid[0] && !m->asked && !m->waits && !m->pieces && i < 16; i++)
		step_maps(m);
	return 1;
}
