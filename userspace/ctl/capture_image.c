/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "capture_walk.h"

struct taking {
	struct capture_set *set;
	enum capture_set_kind kind;
	const char *path;
	struct why *why;
};

static int take(void *ctx, const char *path, const struct image_tree_file *f)
{
	const struct taking *k = ctx;
	const struct stat st = {
		.st_mode = f->mode, .st_uid = f->uid, .st_gid = f->gid, .st_size = (off_t)f->size};
	size_t n = strlen(k->path);

	if (k->kind == CAPTURE_SET_EXEC && !(S_ISREG(f->mode) && (f->mode & 0111)))
		return 0;
	if (k->kind == CAPTURE_SET_CODE && !S_ISREG(f->mode))
		return 0;
	if (k->kind == CAPTURE_SET_FILE && n > 1 && strncmp(path, k->path, n) != 0)
		return why_set(k->why, -EINVAL, "%.100s: is %.100s in the image: name it so",
			       k->path, path);
	return capture_set_add_hashed(k->set, k->kind, path, &st, f->target, &f->digest);
}

static int fail(const char *path, int error, struct why *ret_why)
{
	return why_set(ret_why, error, "%.200s: %s", path, strerror(-error));
}

static int take_digests(struct taking *k, struct image_tree *t)
{
	struct image_tree_file f;
	int r = image_tree_find(t, k->path, true, &f);
	bool exec = k->kind == CAPTURE_SET_EXEC;

	if (r < 0)
		return fail(k->path, r, k->why);
	if (!S_ISDIR(f.mode) && !(S_ISREG(f.mode) && (!exec || (f.mode & 0111))))
		return why_set(k->why, -EINVAL, "%.200s: neither directory nor %s", k->path,
			       exec ? "executable" : "file");
	r = image_tree_each(t, k->path, true, take, k);
	return r < 0 ? fail(k->path, r, k->why) : 0;
}

int capture_image_exec(struct capture_set *set, struct image_tree *t, const char *path,
		       struct why *ret_why)
{
	struct taking k = {set, CAPTURE_SET_EXEC, path, ret_why};

	return take_digests(&k, t);
}

int capture_image_code(struct capture_set *set, struct image_tree *t, const char *path,
		       struct why *ret_why)
{
	struct taking k = {set, CAPTURE_SET_CODE, path, ret_why};

	return take_digests(&k, t);
}

int capture_image_file(struct capture_set *set, struct image_tree *t, const char *path,
		       bool *ret_directory, struct why *ret_why)
{
	struct taking k = {set, CAPTURE_SET_FILE, path, ret_why};
	struct image_tree_file f;
	struct why why = {""};
	int r = capture_walk_plain(path, ret_why);

	*ret_directory = false;
	if (r < 0)
		return r;
	r = image_tree_find(t, path, false, &f);
	if (r == -ENOENT)
		return capture_set_add_absent(set, path);
	if (r < 0)
		return fail(path, r, ret_why);
	*ret_directory = S_ISDIR(f.mode);
	k.why = &why;
	r = image_tree_each(t, path, false, take, &k);
	if (r < 0 && why.text[0])
		return why_set(ret_why, r, "%s", why.text);
	return r < 0 ? fail(path, r, ret_why) : 0;
}
