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

#include "cleanup.h"
#include "fsio.h"

#define CGROUPS_DEPTH 24
#define CGROUPS_PATH 4096
#define CGROUPS_BUCKETS 4096

struct cgroup_entry {
	uint64_t id;
	char *path;
	uint32_t next; /* place + 1 of the next in the chain, 0: end */
};

struct cgroups {
	char *root; /* NULL: no cgroup2 here */
	bool v1;
	struct cgroup_entry entries[CGROUPS_MAX];
	uint32_t buckets[CGROUPS_BUCKETS];
	uint32_t n;
	uint32_t oldest; /* the next place to be used again, once all are */
	uint64_t missed; /* the id that the last walk did not find: not walked for again at once */
	uint32_t missed_left;
};

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

	if (e && strcmp(e->path, path) == 0)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	if (e) {
		free(e->path);
		e->path = copy;
		return 0;
	}
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

int cgroups_open(const char *root, struct cgroups **ret, struct why *ret_why)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
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
	*ret = c;
	return r < 0 ? why_set(ret_why, -ENOENT, "cgroup2 is mounted nowhere") : 0;
}

struct cgroups *cgroups_free(struct cgroups *c)
{
	if (!c)
		return NULL;
	for (uint32_t i = 0; i < c->n; i++)
		free(c->entries[i].path);
	free(c->root);
	free(c);
	return NULL;
}

const char *cgroups_path(struct cgroups *c, uint64_t id)
{
	struct cgroup_entry *e;
	char path[CGROUPS_PATH] = "";
	int fd;

	if (id == 0 || !c->root)
		return NULL;
	e = find(c, id);
	if (e)
		return e->path;
	/* A group that is gone would cost a walk for each of its events. */
	if (c->missed == id && c->missed_left > 0) {
		c->missed_left--;
		return NULL;
	}
	fd = open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	walk(c, fd, path, 0);
	e = find(c, id);
	if (!e) {
		c->missed = id;
		c->missed_left = 64;
	}
	return e ? e->path : NULL;
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
