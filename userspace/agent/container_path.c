/* SPDX-License-Identifier: Apache-2.0 */
#include "container_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ID 64
#define UID_LONG 36
#define UID_SHORT 32
#define OWNER_DEPTH 2

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static size_t n_hex(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && is_hex(text[n]))
		n++;
	return n;
}

/*
 * The id within one component: "docker-<id>.scope", "cri-containerd-<id>.scope", "crio-<id>", "libpod-payload-<id>",
 * "<slice>:cri-containerd:<id>", or the bare id (cgroupfs driver). "…conmon-<id>" is the monitor outside, a program of the host.
 */
static const char *id_in(const char *component, size_t size)
{
	const char *id;

	if (size > 6 && memcmp(component + size - 6, ".scope", 6) == 0)
		size -= 6;
	if (size < ID)
		return NULL;
	id = component + size - ID;
	if (n_hex(id, ID) != ID)
		return NULL;
	if (size == ID)
		return id;
	if (id[-1] != '-' && id[-1] != ':')
		return NULL;
	return size > ID + 7 && memcmp(id - 7, "conmon-", 7) == 0 ? NULL : id;
}

/* 36 characters with - or, in systemd's names, _ between the groups; or 32 digits. Its size, 0: it is none. */
static size_t uid_size(const char *text, size_t size)
{
	for (size_t i = 0; i < UID_LONG && size >= UID_LONG; i++) {
		bool between = i == 8 || i == 13 || i == 18 || i == 23;

		if (between ? text[i] != '-' && text[i] != '_' : !is_hex(text[i]))
			break;
		if (i + 1 == UID_LONG)
			return UID_LONG;
	}
	return n_hex(text, size) == UID_SHORT ? UID_SHORT : 0;
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice", and the latter with ":cri-containerd:<id>" behind it. */
static bool pod_in(const char *component, size_t size, char ret[37])
{
	for (size_t i = 0; i + 3 + UID_SHORT <= size; i++) {
		const char *uid = component + i + 3;
		size_t left = size - i - 3, n;

		if (memcmp(component + i, "pod", 3) != 0 || (i > 0 && component[i - 1] != '-'))
			continue;
		n = uid_size(uid, left);
		if (n == 0)
			continue;
		left -= n;
		if (left != 0 && !(left >= 6 && memcmp(uid + n, ".slice", 6) == 0 &&
				   (left == 6 || uid[n + 6] == ':')))
			continue;
		memcpy(ret, uid, n);
		ret[n] = 0;
		for (char *p = ret; *p; p++)
			*p = *p == '_' ? '-' : *p;
		return true;
	}
	return false;
}

void container_path_parse(const char *path, struct container_path *ret)
{
	*ret = (struct container_path){.id = ""};
	if (!path || strnlen(path, CONTAINER_PATH_MAX) == CONTAINER_PATH_MAX)
		return;
	/* The innermost counts: a container in a container's cgroup is judged as itself, a pod of a node in a container as its own. */
	for (const char *at = path; *at;) {
		size_t size = strcspn(at, "/");
		const char *id = id_in(at, size);

		if (id) {
			memcpy(ret->id, id, ID);
			ret->id[ID] = 0;
		}
		pod_in(at, size, ret->pod);
		at += size + (at[size] == '/');
	}
}

static bool begins(const char *text, size_t size, const char *prefix)
{
	return size >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* Whoever runs containers of his own calls them as he likes: below a user's slice no name counts. run-r12ab.scope: whoever it was, once more. */
size_t container_path_owner(const char *path)
{
	const char *at = path, *owner = path;
	char pod[37];

	for (int depth = 1; *at; depth++) {
		const char *name = at + (*at == '/');
		size_t size = strcspn(name, "/");

		at = name + size;
		if (id_in(name, size) || pod_in(name, size, pod))
			return (size_t)(at - path);
		if (depth <= OWNER_DEPTH)
			owner = begins(name, size, "run-") ? name + 4 : at;
		if (begins(name, size, "user-"))
			break;
	}
	return (size_t)(owner - path);
}

/* "<number>:<controllers>:<path>": names may have colons in them, and controllers may be "name=…" or, in v2, nothing. */
struct hierarchy {
	const char *controllers, *path;
	size_t controllers_size, path_size;
	bool v2;
};

static int split(const char *line, size_t size, struct hierarchy *ret)
{
	const char *first = memchr(line, ':', size), *second;

	if (!first || strspn(line, "0123456789") != (size_t)(first - line) || first == line)
		return -EBADMSG;
	first++;
	second = memchr(first, ':', size - (size_t)(first - line));
	if (!second || second + 1 == line + size || second[1] != '/')
		return -EBADMSG;
	*ret = (struct hierarchy){
		.controllers = first,
		.path = second + 1,
		.controllers_size = (size_t)(second - first),
		.path_size = size - (size_t)(second + 1 - line),
	};
	ret->v2 = ret->controllers_size == 0;
	return ret->path_size >= CONTAINER_PATH_MAX || memchr(ret->path, 0, ret->path_size)
		       ? -EBADMSG
		       : 0;
}

static int rank(const struct hierarchy *h, const char *path)
{
	static const char systemd[] = "name=systemd";
	struct container_path c;

	container_path_parse(path, &c);
	if (c.id[0])
		return 4;
	if (strcmp(path, "/") == 0)
		return 1;
	if (h->v2)
		return 3;
	return h->controllers_size == strlen(systemd) &&
			       memcmp(h->controllers, systemd, strlen(systemd)) == 0
		       ? 2
		       : 1;
}

int container_path_choose(const char *text, size_t size, char ret[CONTAINER_PATH_MAX])
{
	char path[CONTAINER_PATH_MAX];
	int best = 0;

	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		struct hierarchy h;
		int r;

		/* The kernel ends each line; one without its end was cut off. */
		r = end ? split(text + at, (size_t)(end - text) - at, &h) : -EBADMSG;
		if (r < 0)
			return r;
		memcpy(path, h.path, h.path_size);
		path[h.path_size] = 0;
		r = rank(&h, path);
		if (r > best) {
			best = r;
			memcpy(ret, path, h.path_size + 1);
		}
		at = (size_t)(end - text) + 1;
	}
	return best ? 0 : -ENOENT;
}
