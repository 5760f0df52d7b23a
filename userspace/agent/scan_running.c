/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_running.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "container_path.h"
#include "hash_pieces.h"
#include "served.h"

#define PATH_KEPT 1000 /* bytes of a path in a key: its end */
#define KEY_SIZE (PATH_KEPT + 128)

/* Mounts have numbers that are the whole kernel's. */
struct seen_mount {
	uint64_t id;
	enum served_kind kind;
};

struct scan_running {
	struct claims_source s;
	struct hash_cache *cache;
	DIR *dir; /* /proc; NULL: not begun */
	struct stat root;
	char own[16]; /* this process's number; empty: not known */
	bool own_elsewhere; /* it came from other mounts than it is in now (host_view.h), and its program lies there */
	int put;
	struct hash_pieces *pieces; /* of the program at work, which is large */
	char exe[PATH_MAX], key[KEY_SIZE]; /* the program at work */
	int link; /* to it, of O_PATH; negative: none, -errno of why */
	struct seen_mount mounts[SCAN_RUNNING_MOUNTS];
	uint32_t n_mounts;
};

int scan_running_open(const struct claims_source *s, struct hash_cache *cache,
		      struct scan_running **ret)
{
	struct scan_running *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->s = *s;
	r->cache = cache;
	r->link = -1;
	*ret = r;
	return 0;
}

static void drop_link(struct scan_running *r)
{
	if (r->link >= 0)
		close(r->link);
	r->link = -1;
}

struct scan_running *scan_running_free(struct scan_running *r)
{
	if (!r)
		return NULL;
	hash_pieces_free(r->pieces);
	drop_link(r);
	if (r->dir)
		closedir(r->dir);
	free(r);
	return NULL;
}

/* Its file from here on, whatever the process executes meanwhile: name, mount and bytes are of one. */
static void open_link(struct scan_running *r)
{
	drop_link(r);
	r->link = open(r->exe, O_PATH | O_CLOEXEC);
	if (r->link < 0)
		r->link = -errno;
}

static int kind_of(struct scan_running *r, const char *pid, uint64_t id)
{
	int kind;

	for (uint32_t i = 0; i < r->n_mounts; i++)
		if (r->mounts[i].id == id)
			return (int)r->mounts[i].kind;
	kind = served_mount(r->s.proc, pid, id);
	if (kind >= 0 && r->n_mounts < SCAN_RUNNING_MOUNTS)
		r->mounts[r->n_mounts++] = (struct seen_mount){id, (enum served_kind)kind};
	return kind;
}

/* Where r->link's file lies: enum served_kind or -errno. */
static int lies_on(struct scan_running *r, const char *pid)
{
	uint64_t mount = 0;
	int error = r->link < 0 ? r->link : served_mount_of(r->link, &mount);

	return error < 0 ? error : kind_of(r, pid, mount);
}

static bool is_own(const struct scan_running *r, const char *pid)
{
	return r->own[0] && strcmp(pid, r->own) == 0;
}

/* 0: it may be read; -EREMOTE: it may not. Our own program is read already, or we were not here. */
static int may_read(struct scan_running *r, const char *pid)
{
	int kind = lies_on(r, pid);

	if (kind < 0)
		return kind;
	return kind == SERVED_BY_NOBODY || (kind == SERVED_NOT_LISTED && is_own(r, pid)) ? 0
											 : -EREMOTE;
}

/* "", or who else's root the path is seen from. */
static void whose(struct scan_running *r, const char *pid, char ret[96])
{
	CLEANUP(buf_done) struct buf text = {0};
	char name[PATH_MAX], path[CONTAINER_PATH_MAX];
	struct container_path c = {.id = ""};

	ret[0] = '\0';
	snprintf(path, sizeof(path), "%.20s/root", pid);
	if (claims_source_path(&r->s, CLAIMS_PROC, path, name, sizeof(name)) == 0 &&
	    served_is(name, r->root.st_dev, r->root.st_ino) == 1 &&
	    !(r->own_elsewhere && is_own(r, pid)))
		return;
	snprintf(name, sizeof(name), "%.20s/cgroup", pid);
	if (claims_source_read(&r->s, CLAIMS_PROC, name, CONTAINER_PATH_FILE_MAX, &text) >= 0 &&
	    container_path_choose((const char *)text.data, text.size, path) == 0)
		container_path_parse(path, &c);
	if (c.id[0])
		snprintf(ret, 96, "container:%s:", c.id);
	else
		snprintf(ret, 96, "elsewhere:");
}

/* 1: it is a program, r->link and r->key are of it; 0: none (a thread of the kernel's, or it ended). */
static int name_it(struct scan_running *r, const char *pid)
{
	char name[64], path[PATH_MAX], who[96];
	const char *end = path;
	ssize_t n;

	snprintf(name, sizeof(name), "%.20s/exe", pid);
	if (claims_source_path(&r->s, CLAIMS_PROC, name, r->exe, sizeof(r->exe)) < 0)
		return 0;
	open_link(r);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", r->link);
	n = readlink(r->link < 0 ? r->exe : name, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	if (n > PATH_KEPT)
		end = path + n - PATH_KEPT;
	whose(r, pid, who);
	snprintf(r->key, sizeof(r->key), "running:%s%s%.*s", who, end == path ? "" : "...",
		 PATH_KEPT, end);
	return 1;
}

static int put_value(struct scan_running *r, int error, const struct digest *d)
{
	CLEANUP(buf_done) struct buf value = {0};
	int put;

	if (error == -ENOENT || error == -ESRCH) /* ended meanwhile */
		return 0;
	if (error == -EREMOTE)
		buf_printf(&value, "unmeasured " SERVED_WHY);
	else if (error < 0)
		buf_printf(&value, "unmeasured %s", strerrorname_np(-error));
	else
		(void)claims_exec_value(d, &value);
	if (buf_status(&value) < 0 || !value.data)
		return -ENOMEM;
	put = claims_source_put_text(&r->s, r->key, (const char *)value.data);
	if (put < 0)
		return put;
	r->put += put;
	return 0;
}

/* Small, or read by now: the cache has it, or it is read at once. */
static int measure(struct scan_running *r)
{
	CLEANUP_CLOSE int fd = served_open(r->link);
	struct digest d;
	struct stat st;
	int error = fd < 0 ? fd : hash_cache_fd(r->cache, fd, &d, &st);

	return put_value(r, error < 0 ? error : 0, &d);
}

static int open_pieces(struct scan_running *r)
{
	int fd = served_open(r->link);

	return fd < 0 ? fd : hash_pieces_open_fd(r->cache, fd, false, &r->pieces);
}

static int go_on(struct scan_running *r)
{
	int more = hash_pieces_step(r->pieces);

	if (more == 1)
		return 1;
	r->pieces = hash_pieces_free(r->pieces);
	more = more < 0 ? put_value(r, more, NULL) : measure(r);
	return more < 0 ? more : 1;
}

static int begin(struct scan_running *r)
{
	char name[PATH_MAX];
	ssize_t n;

	if (claims_source_path(&r->s, CLAIMS_PROC, "self/root", name, sizeof(name)) < 0 ||
	    stat(name, &r->root) < 0)
		return -errno;
	if (claims_source_path(&r->s, CLAIMS_PROC, "self", name, sizeof(name)) == 0) {
		n = readlink(name, r->own, sizeof(r->own) - 1);
		r->own[n > 0 ? n : 0] = '\0';
	}
	if (claims_source_path(&r->s, CLAIMS_PROC, "self/exe", r->exe, sizeof(r->exe)) == 0) {
		open_link(r);
		r->own_elsewhere = lies_on(r, "self") == SERVED_NOT_LISTED;
	}
	r->dir = opendir(r->s.proc ? r->s.proc : "/proc");
	return r->dir ? 0 : -errno;
}

int scan_running_step(struct scan_running *r, int *ret_put)
{
	struct dirent *e;
	int error;

	if (r->pieces)
		return go_on(r);
	error = r->dir ? 0 : begin(r);
	if (error < 0)
		return error;
	do
		e = readdir(r->dir);
	while (e && (e->d_name[0] < '1' || e->d_name[0] > '9'));
	if (!e) {
		*ret_put = r->put;
		return 0;
	}
	if (name_it(r, e->d_name) == 0)
		return 1;
	error = may_read(r, e->d_name);
	if (error == 0)
		error = open_pieces(r);
	if (error >= 0 && r->pieces)
		return 1;
	error = error < 0 ? put_value(r, error, NULL) : measure(r);
	return error < 0 ? error : 1;
}
