/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"

#define CGROUPS_DEPTH 24
#define CGROUPS_PATH 4096
#define CGROUPS_BUCKETS 4096
#define CGROUPS_MISSED 64 /* a power of two */
#define CGROUPS_MISSES 64 /* as often an id that a walk did not find is not walked for again */
#define CGROUPS_SHARE 10 /* a tenth of the time is walked */
#define CGROUPS_BURST_NS 1000000000ull /* and a tenth of this at once */
#define MAGIC_CGROUP2 0x63677270
#define FILEID_KERNFS 0xfe /* a handle that is the id alone (5.5) */

struct cgroup_entry {
	uint64_t id;
	char *path;
	uint32_t next; /* place + 1 of the next in the chain, 0: end */
};

struct missed {
	uint64_t id;
	uint32_t left;
};

struct cgroups {
	char *root; /* NULL: no cgroup2 here */
	int root_fd; /* -1 */
	bool by_handle; /* the kernel itself finds one by its id */
	bool v1;
	struct cgroup_entry entries[CGROUPS_MAX];
	uint32_t buckets[CGROUPS_BUCKETS];
	uint32_t n;
	uint32_t oldest; /* the next place to be used again, once all are */
	struct missed missed[CGROUPS_MISSED];
	uint64_t wanted; /* what is walked for */
	uint32_t n_put; /* by this walk: it is not to push out what it has found itself */
	uint64_t walked_until_ns, n_walks;
};

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint32_t bucket_of(uint64_t id)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15ull) >> 52) % CGROUPS_BUCKETS;
}

static struct cgroup_entry *find(struct cgroups *c, uint64_t id)
{
	for (uint32_t i = c->buckets[bucket_of(id)]; i; i = c->entries[i - 1].next) {
		if (c->entries[i - 1].id == id)
			return &c->entries[i - 1];
	}
	return NULL;
}

static void unlink_entry(struct cgroups *c, uint32_t place)
{
	uint32_t *at = &c->buckets[bucket_of(c->entries[place].id)];

	while (*at && *at != place + 1)
		at = &c->entries[*at - 1].next;
	if (*at)
		*at = c->entries[place].next;
	free(c->entries[place].path);
	c->entries[place].path = NULL;
}

static int remember(struct cgroups *c, uint64_t id, const char *path)
{
	struct cgroup_entry *e = find(c, id);
	uint32_t place, b = bucket_of(id);
	char *copy;

	if ((e && strcmp(e->path, path) == 0) || (c->n_put >= CGROUPS_MAX && id != c->wanted))
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	if (e) {
		free(e->path);
		e->path = copy;
		return 0;
	}
	c->n_put++;
	if (c->n < CGROUPS_MAX) {
		place = c->n++;
	} else {
		place = c->oldest;
		c->oldest = (c->oldest + 1) % CGROUPS_MAX;
		unlink_entry(c, place);
	}
	c->entries[place] = (struct cgroup_entry){.id = id, .path = copy, .next = c->buckets[b]};
	c->buckets[b] = place + 1;
	return 0;
}

/* An id is the inode number of the directory. Remembers all on the way: the next question is likely about a neighbour. */
static void walk(struct cgroups *c, int dir_fd, char *path, uint32_t depth)
{
	size_t end = strlen(path);
	struct stat st;
	DIR *dir;

	if (fstat(dir_fd, &st) == 0)
		remember(c, st.st_ino, end ? path : "/");
	dir = fdopendir(dir_fd); /* takes dir_fd */
	if (!dir) {
		close(dir_fd);
		return;
	}
	for (struct dirent *e = readdir(dir); e && depth < CGROUPS_DEPTH; e = readdir(dir)) {
		int fd;

		if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
		    end + strlen(e->d_name) + 2 > CGROUPS_PATH)
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		snprintf(path + end, CGROUPS_PATH - end, "/%s", e->d_name);
		walk(c, fd, path, depth + 1);
		path[end] = '\0';
	}
	closedir(dir);
}

static int find_root(char **ret)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *text = NULL;
	size_t room = 0;
	int r = -ENOENT;

	if (!f)
		return -errno;
	while (r == -ENOENT && getline(&text, &room, f) > 0) {
		char point[512];

		if (strstr(text, " - cgroup2 ") &&
		    sscanf(text, "%*u %*u %*s %*s %511s", point) == 1) {
			*ret = strdup(point);
			r = *ret ? 0 : -ENOMEM;
		}
	}
	fclose(f);
	return r;
}

/* A line of a hierarchy other than v2's: workloads may be there, and v2's ids then say nothing of them. */
static bool find_v1(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	CLEANUP_FREE char *text = NULL;
	size_t room = 0;
	bool found = false;

	while (f && !found && getline(&text, &room, f) > 0)
		found = strncmp(text, "0::", 3) != 0;
	if (f)
		fclose(f);
	return found;
}

/* Does the kernel find the root by its id? Not everywhere: it takes CAP_DAC_READ_SEARCH in the first user namespace. */
static int open_id(const struct cgroups *c, uint64_t id)
{
	struct {
		struct file_handle h;
		uint64_t id;
	} of = {.h = {.handle_bytes = sizeof(of.id), .handle_type = FILEID_KERNFS}, .id = id};
	int fd;

	memcpy(of.h.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(c->root_fd, &of.h, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool finds_by_handle(const struct cgroups *c)
{
	CLEANUP_CLOSE int fd = -1;
	struct statfs fs;
	struct stat st;

	if (c->root_fd < 0 || fstatfs(c->root_fd, &fs) < 0 || fs.f_type != MAGIC_CGROUP2 ||
	    fstat(c->root_fd, &st) < 0)
		return false;
	fd = open_id(c, st.st_ino);
	return fd >= 0;
}

int cgroups_open(const char *root, struct cgroups **ret, struct why *ret_why)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->root_fd = -1;
	if (root) {
		c->root = strdup(root);
		r = c->root ? 0 : -ENOMEM;
	} else {
		r = find_root(&c->root);
	}
	if (r == -ENOMEM) {
		cgroups_free(c);
		return r;
	}
	c->v1 = find_v1();
	c->root_fd = c->root ? open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	c->by_handle = finds_by_handle(c);
	*ret = c;
	return r < 0 ? why_set(ret_why, -ENOENT, "cgroup2 is mounted nowhere") : 0;
}

struct cgroups *cgroups_free(struct cgroups *c)
{
	if (!c)
		return NULL;
	for (uint32_t i = 0; i < c->n; i++)
		free(c->entries[i].path);
	if (c->root_fd >= 0)
		close(c->root_fd);
	free(c->root);
	free(c);
	return NULL;
}

/* The path below the mount. One that is gone has none, and what lies above the mount (a cgroup namespace) neither. */
static void look_up(struct cgroups *c, uint64_t id)
{
	CLEANUP_CLOSE int fd = open_id(c, id);
	char at[64], path[CGROUPS_PATH];
	size_t above = strlen(c->root);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return;
	snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	n = readlink(at, path, sizeof(path) - 1);
	if (n < (ssize_t)above)
		return;
	path[n] = '\0';
	if (strncmp(path, c->root, above) == 0 && (path[above] == '/' || path[above] == '\0') &&
	    stat(path, &st) == 0 && st.st_ino == id)
		remember(c, id, path[above] ? path + above : "/");
}

/* A group that is gone would cost a walk for each of its events. */
static void look_everywhere(struct cgroups *c, uint64_t id)
{
	struct missed *missed = &c->missed[id & (CGROUPS_MISSED - 1)];
	uint64_t before = monotonic_ns();
	char path[CGROUPS_PATH] = "";
	int fd;

	if (missed->id == id && missed->left > 0) {
		missed->left--;
		return;
	}
	if (before < c->walked_until_ns)
		return;
	if (before > CGROUPS_BURST_NS && c->walked_until_ns < before - CGROUPS_BURST_NS)
		c->walked_until_ns = before - CGROUPS_BURST_NS;
	fd = open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	c->n_walks++;
	c->n_put = 0;
	c->wanted = id;
	walk(c, fd, path, 0);
	c->walked_until_ns += CGROUPS_SHARE * (monotonic_ns() - before);
	if (!find(c, id))
		*missed = (struct missed){id, CGROUPS_MISSES};
}

const char *cgroups_path(struct cgroups *c, uint64_t id)
{
	struct cgroup_entry *e;

	if (id == 0 || !c->root)
		return NULL;
	e = find(c, id);
	if (!e) {
		if (c->by_handle)
			look_up(c, id);
		else
			look_everywhere(c, id);
		e = find(c, id);
	}
	return e ? e->path : NULL;
}

uint64_t cgroups_n_walks(const struct cgroups *c)
{
	return c->n_walks;
}

bool cgroups_has_v1(const struct cgroups *c)
{
	return c->v1;
}

const char *cgroups_root(const struct cgroups *c)
{
	return c->root;
}

int cgroups_v2_path(uint32_t pid, char ret[CONTAINER_PATH_MAX])
{
	CLEANUP(buf_done) struct buf text = {0};
	char name[64];
	const char *at;
	size_t n;
	int r;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", pid);
	r = fsio_read_file(fsio_system(), name, CONTAINER_PATH_FILE_MAX, &text);
	if (r < 0)
		return r;
	at = text.size > 0 ? strstr((const char *)text.data, "0::/") : NULL;
	if (!at || (at != (const char *)text.data && at[-1] != '\n'))
		return -ENOENT;
	n = strcspn(at + 3, "\n");
	if (n >= CONTAINER_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, at + 3, n);
	ret[n] = '\0';
	return 0;
}

int cgroups_path_of_pid(uint32_t pid, char ret[CONTAINER_PATH_MAX])
{
	CLEANUP(buf_done) struct buf text = {0};
	char name[64];
	int r;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", pid);
	r = fsio_read_file(fsio_system(), name, CONTAINER_PATH_FILE_MAX, &text);
	return r < 0 ? r : container_path_choose((const char *)text.data, text.size, ret);
}

uint32_t cgroups_host_mnt_ns(void)
{
	static const char *const links[] = {"/proc/1/ns/mnt", "/proc/self/ns/mnt"};

	/* The agent's own, where process 1 may not be looked at. */
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		char text[64];
		uint32_t ns;
		ssize_t n = readlink(links[i], text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = 0;
		if (sscanf(text, "mnt:[%u]", &ns) == 1)
			return ns;
	}
	return 0;
}
