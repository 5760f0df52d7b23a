/* SPDX-License-Identifier: Apache-2.0 */
#include "inaccessible.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

#define RUN "/run"

static const char *const names[] = {RUN "/systemd/inaccessible/dir",
				    RUN "/systemd/inaccessible/reg"};

const char *inaccessible_at(uint32_t i)
{
	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

bool inaccessible_is(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	return false;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	bool empty = d != NULL;
	struct dirent *e;

	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (d)
		closedir(d);
	return empty;
}

/* As systemd makes them: nobody but root can even look, and he finds nothing. What else lies there was put there by somebody. */
static bool holds_nothing(const char *root, const char *path, struct stat *ret)
{
	char real[PATH_MAX];

	if (!inaccessible_is(path))
		return false;
	if (snprintf(real, sizeof(real), "%s%s", root ? root : "", path) >= (int)sizeof(real) ||
	    lstat(real, ret) < 0 || ret->st_mode & ALLPERMS || ret->st_uid != 0)
		return false;
	return S_ISDIR(ret->st_mode)   ? is_empty(real)
	       : S_ISREG(ret->st_mode) ? ret->st_size == 0
				       : false;
}

bool inaccessible_path(const char *root, const char *path)
{
	struct stat st;

	return holds_nothing(root, path, &st);
}

bool inaccessible_mount(const char *root, dev_t dev, const char *inside)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), RUN "%s", inside) < (int)sizeof(path) &&
	       holds_nothing(root, path, &st) && st.st_dev == dev;
}

/* Since systemd 254 it is the second one. */
bool inaccessible_same(const char *root, const char *source, const char *path)
{
	static const char *const roots[] = {RUN "/systemd/unit-root", RUN "/systemd/mount-rootfs"};
	char real[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		size_t n = strlen(roots[i]);

		if (strncmp(source, roots[i], n) == 0 &&
		    (strcmp(source + n, path) == 0 || (!source[n] && strcmp(path, "/") == 0)))
			return snprintf(real, sizeof(real), "%s%s", root ? root : "", roots[i]) <
				       (int)sizeof(real) &&
			       is_empty(real);
	}
	return false;
}
