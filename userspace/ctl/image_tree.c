/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tree.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "cleanup.h"

#define NONE UINT32_MAX
#define ROOT 0u

/*
 * Nothing is ever removed: a node is there when no cut on the way to it is above the layer that last wrote it. So a layer costs what
 * it says, whatever it hides.
 */
struct node {
	uint32_t parent, next; /* next of the same bucket */
	uint32_t layer; /* that last wrote it, or something below it */
	uint32_t cut; /* it and all below it of layers before this one are hidden */
	uint64_t name; /* in the texts */
	uint64_t target;
	struct image_tree_file file;
};

struct image_tree {
	struct node *nodes;
	uint32_t n, room, layer;
	uint32_t *buckets, n_buckets;
	struct buf texts;
};

static const char *text_at(const struct image_tree *t, uint64_t at)
{
	return (const char *)t->texts.data + at;
}

static int put_text(struct image_tree *t, const char *text, size_t size, uint64_t *ret)
{
	*ret = t->texts.size;
	buf_put(&t->texts, text, size);
	buf_put(&t->texts, "", 1);
	return buf_status(&t->texts);
}

static uint32_t bucket_of(const struct image_tree *t, uint32_t parent, const char *name,
			  size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ parent;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3ull;
	return (uint32_t)((hash ^ hash >> 32) % t->n_buckets);
}

static uint32_t look_up(const struct image_tree *t, uint32_t parent, const char *name, size_t size)
{
	for (uint32_t i = t->buckets[bucket_of(t, parent, name, size)]; i != NONE;
	     i = t->nodes[i].next) {
		const char *text = text_at(t, t->nodes[i].name);

		if (t->nodes[i].parent == parent && strncmp(text, name, size) == 0 && !text[size])
			return i;
	}
	return NONE;
}

static int grow(struct image_tree *t)
{
	uint32_t room = t->room ? t->room * 2 : 1024;
	struct node *nodes = reallocarray(t->nodes, room, sizeof(*nodes));
	uint32_t *buckets;

	if (!nodes)
		return -ENOMEM;
	t->nodes = nodes;
	buckets = reallocarray(t->buckets, room, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	t->buckets = buckets;
	t->n_buckets = t->room = room;
	for (uint32_t i = 0; i < room; i++)
		buckets[i] = NONE;
	for (uint32_t i = 1; i < t->n; i++) {
		const char *name = text_at(t, nodes[i].name);
		uint32_t b = bucket_of(t, nodes[i].parent, name, strlen(name));

		nodes[i].next = buckets[b];
		buckets[b] = i;
	}
	return 0;
}

/* The node of that name, made if there is none: then it is nothing (mode 0) yet. */
static int take_node(struct image_tree *t, uint32_t parent, const char *name, size_t size,
		     uint32_t *ret)
{
	uint32_t i = look_up(t, parent, name, size), b;
	uint64_t at;
	int r;

	if (i != NONE) {
		*ret = i;
		return 0;
	}
	if (t->n == IMAGE_TREE_MAX)
		return -E2BIG;
	r = t->n == t->room ? grow(t) : 0;
	if (r >= 0)
		r = put_text(t, name, size, &at);
	if (r < 0)
		return r;
	b = bucket_of(t, parent, name, size);
	t->nodes[t->n] = (struct node){.parent = parent, .next = t->buckets[b], .name = at};
	t->buckets[b] = t->n;
	*ret = t->n++;
	return 0;
}

int image_tree_open(struct image_tree **ret)
{
	struct image_tree *t = calloc(1, sizeof(*t));
	uint64_t at;
	int r = t ? grow(t) : -ENOMEM;

	if (r >= 0)
		r = put_text(t, "", 0, &at);
	if (r < 0) {
		image_tree_free(t);
		return r;
	}
	t->nodes[t->n++] = (struct node){.parent = ROOT, .next = NONE, .file.mode = S_IFDIR | 0755};
	*ret = t;
	return 0;
}

struct image_tree *image_tree_free(struct image_tree *t)
{
	if (!t)
		return NULL;
	free(t->nodes);
	free(t->buckets);
	buf_done(&t->texts);
	free(t);
	return NULL;
}

void image_tree_layer(struct image_tree *t)
{
	t->layer++;
}

/* Is there something, and is it what the layers leave? */
static bool is_there(const struct image_tree *t, uint32_t i)
{
	uint32_t layer = t->nodes[i].layer;

	if (t->nodes[i].file.mode == 0)
		return false;
	if (i == ROOT)
		return true;
	for (uint32_t n = i;; n = t->nodes[n].parent) {
		if (t->nodes[n].cut > layer || (n != i && !S_ISDIR(t->nodes[n].file.mode)))
			return false;
		if (n == ROOT)
			return true;
	}
}

/* Following a path. */

struct way {
	struct image_tree *t;
	uint32_t n_links;
	bool make; /* directories that are not there */
};

static int follow_path(struct way *w, uint32_t from, const char *path, bool last, uint32_t *ret);

/* What lies behind a node on the way: its target's node, when it is a link. */
static int behind(struct way *w, uint32_t dir, uint32_t *at)
{
	CLEANUP_FREE char *target = NULL;

	if (!is_there(w->t, *at) || !S_ISLNK(w->t->nodes[*at].file.mode))
		return 0;
	if (++w->n_links > IMAGE_TREE_MAX_LINKS)
		return -ELOOP;
	/* The texts move while directories are made. */
	target = strdup(text_at(w->t, w->t->nodes[*at].target));
	if (!target)
		return -ENOMEM;
	return follow_path(w, target[0] == '/' ? ROOT : dir, target, true, at);
}

static int make_directory(struct image_tree *t, uint32_t i)
{
	struct node *n = &t->nodes[i];

	if (is_there(t, i) && S_ISDIR(n->file.mode)) {
		n->layer = t->layer;
		return 0;
	}
	n->file = (struct image_tree_file){.mode = S_IFDIR | 0755};
	n->layer = n->cut = t->layer;
	return 0;
}

/* One part of a path. dir: where it is looked for, then where it leads. */
static int step(struct way *w, const char *name, size_t size, bool through, uint32_t *dir)
{
	struct image_tree *t = w->t;
	uint32_t at;
	int r;

	if (size == 0 || (size == 1 && name[0] == '.'))
		return 0;
	if (size == 2 && memcmp(name, "..", 2) == 0) {
		*dir = t->nodes[*dir].parent; /* the root's is the root */
		return 0;
	}
	if (size > NAME_MAX)
		return -ENAMETOOLONG;
	at = look_up(t, *dir, name, size);
	if (w->make) {
		r = take_node(t, *dir, name, size, &at);
		if (r < 0)
			return r;
	}
	if (at == NONE || (!w->make && !is_there(t, at)))
		return -ENOENT;
	r = through ? behind(w, *dir, &at) : 0;
	if (r < 0)
		return r;
	if (w->make)
		r = make_directory(t, at);
	*dir = at;
	return r;
}

static int follow_path(struct way *w, uint32_t from, const char *path, bool last, uint32_t *ret)
{
	uint32_t dir = from;

	while (*path) {
		size_t size = strcspn(path, "/");
		size_t more = strspn(path + size, "/");
		int r = step(w, path, size, last || path[size + more], &dir);

		if (r < 0)
			return r;
		path += size + more;
	}
	*ret = dir;
	return 0;
}

/* Layers. */

static int refuse(const char *path, int error, const char *what, struct why *ret_why)
{
	return why_set(ret_why, error, "%.200s: %s", path, what);
}

/* Without slashes and dots around it; what leads upwards is refused, for runtimes do not agree on it. */
static int plain(const char *path, char ret[PATH_MAX], struct why *ret_why)
{
	size_t n = 0;

	for (const char *at = path; *at;) {
		size_t size = strcspn(at, "/");

		if (size == 2 && memcmp(at, "..", 2) == 0)
			return refuse(path, -EBADMSG, "leads upwards", ret_why);
		if (size > 0 && !(size == 1 && *at == '.')) {
			if (size > NAME_MAX || n + size + 2 > PATH_MAX)
				return refuse(path, -ENAMETOOLONG, "is too long", ret_why);
			if (n > 0)
				ret[n++] = '/';
			memcpy(ret + n, at, size);
			n += size;
		}
		at += size + (at[size] == '/');
	}
	ret[n] = 0;
	return 0;
}

static int put_file(struct image_tree *t, uint32_t at, const struct image_tree_file *f,
		    uint64_t target)
{
	struct node *n = &t->nodes[at];
	bool still = is_there(t, at) && S_ISDIR(n->file.mode) && S_ISDIR(f->mode);

	/* A directory over a directory leaves what is in it; anything else hides what was there. */
	if (!still)
		n->cut = t->layer;
	n->file = *f;
	n->target = target;
	n->layer = t->layer;
	return 0;
}

/* ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq" all that they have in this directory. */
static int whiteout(struct image_tree *t, uint32_t dir, const char *name)
{
	uint32_t at;

	if (strcmp(name, ".wh..wh..opq") == 0) {
		t->nodes[dir].cut = t->layer;
		return 0;
	}
	if (strncmp(name, ".wh..wh.", 8) == 0)
		return 0; /* aufs' own */
	at = look_up(t, dir, name + 4, strlen(name + 4));
	if (at != NONE)
		t->nodes[at].cut = t->layer;
	return 0;
}

static int link_hard(struct image_tree *t, uint32_t at, const struct archive_reader_entry *e,
		     struct why *ret_why)
{
	struct way w = {.t = t};
	char to[PATH_MAX];
	uint32_t found = ROOT;
	struct image_tree_file f;
	int r = plain(e->hard_link, to, ret_why);

	if (r < 0)
		return r;
	r = follow_path(&w, ROOT, to, false, &found);
	if (r < 0 || S_ISDIR(t->nodes[found].file.mode))
		return refuse(e->path, -EBADMSG, "a hard link to what is not there", ret_why);
	f = t->nodes[found].file;
	return put_file(t, at, &f, t->nodes[found].target);
}

static int put_entry(struct image_tree *t, uint32_t dir, const char *name,
		     const struct archive_reader_entry *e, const struct digest *digest)
{
	struct image_tree_file f = {.mode = e->mode, .uid = e->uid, .gid = e->gid};
	uint64_t target = 0;
	uint32_t at;
	int r = take_node(t, dir, name, strlen(name), &at);

	if (r >= 0 && S_ISLNK(e->mode))
		r = strlen(e->target) >= PATH_MAX
			    ? -ENAMETOOLONG
			    : put_text(t, e->target, strlen(e->target), &target);
	if (r < 0)
		return r;
	if (S_ISREG(e->mode)) {
		f.size = e->size;
		f.digest = *digest;
	}
	return put_file(t, at, &f, target);
}

int image_tree_add(struct image_tree *t, const struct archive_reader_entry *e,
		   const struct digest *digest, struct why *ret_why)
{
	struct way w = {.t = t, .make = true};
	char path[PATH_MAX], *name;
	uint32_t dir = ROOT, at;
	int r = plain(e->path, path, ret_why);

	if (r < 0 || !*path)
		return r; /* the root itself */
	name = strrchr(path, '/');
	if (name) {
		*name++ = 0;
		r = follow_path(&w, ROOT, path, true, &dir);
	} else {
		name = path;
	}
	if (r >= 0 && strncmp(name, ".wh.", 4) == 0)
		return whiteout(t, dir, name);
	if (r >= 0 && e->hard_link) {
		r = take_node(t, dir, name, strlen(name), &at);
		return r < 0 ? refuse(e->path, r, strerror(-r), ret_why)
			     : link_hard(t, at, e, ret_why);
	}
	if (r >= 0)
		r = put_entry(t, dir, name, e, digest);
	return r < 0 ? refuse(e->path, r,
			      r == -E2BIG ? "more files than one image may have" : strerror(-r),
			      ret_why)
		     : 0;
}

/* Asking. */

static int locate(struct image_tree *t, const char *path, int follow, uint32_t *ret)
{
	struct way w = {.t = t};

	return follow_path(&w, ROOT, path, follow, ret);
}

static struct image_tree_file file_of(const struct image_tree *t, uint32_t i)
{
	struct image_tree_file f = t->nodes[i].file;

	f.target = S_ISLNK(f.mode) ? text_at(t, t->nodes[i].target) : NULL;
	return f;
}

int image_tree_find(struct image_tree *t, const char *path, int follow, struct image_tree_file *ret)
{
	uint32_t at;
	int r = locate(t, path, follow, &at);

	if (r >= 0)
		*ret = file_of(t, at);
	return r;
}

/* From its end to its start. 0: it does not lie below top. */
static int path_of(const struct image_tree *t, uint32_t i, uint32_t top, char ret[PATH_MAX],
		   const char **ret_start)
{
	size_t at = PATH_MAX - 1;
	bool below = top == ROOT;

	ret[at] = 0;
	for (; i != ROOT; i = t->nodes[i].parent) {
		const char *name = text_at(t, t->nodes[i].name);
		size_t size = strlen(name);

		below |= i == top;
		if (size + 1 > at)
			return -ENAMETOOLONG;
		at -= size + 1;
		ret[at] = '/';
		memcpy(ret + at + 1, name, size);
	}
	if (!ret[at])
		ret[--at] = '/';
	*ret_start = ret + at;
	return below;
}

int image_tree_each(struct image_tree *t, const char *path, int follow,
		    int (*fn)(void *ctx, const char *path, const struct image_tree_file *f),
		    void *ctx)
{
	uint32_t top;
	int r = locate(t, path, follow, &top);

	for (uint32_t i = 0; i < t->n && r == 0; i++) {
		struct image_tree_file f;
		const char *name;
		char room[PATH_MAX];

		if (!is_there(t, i))
			continue;
		r = path_of(t, i, top, room, &name);
		if (r <= 0)
			continue;
		f = file_of(t, i);
		r = fn(ctx, name, &f);
	}
	return r;
}
