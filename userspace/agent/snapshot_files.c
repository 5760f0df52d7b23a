/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

static int is_ours(const struct dirent *e)
{
	return strlen(e->d_name) == 25 && strspn(e->d_name, "0123456789") == 20 &&
	       strcmp(e->d_name + 20, ".json") == 0;
}

/* By name is by age. */
static void prune(const struct fsio *io, const char *dir)
{
	struct dirent **names;
	char path[PATH_MAX];
	int n = scandir(dir, &names, is_ours, alphasort);

	for (int i = 0; i < n; i++) {
		if (i + (int)SNAPSHOT_FILES_KEPT < n &&
		    snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name) <
			    (int)sizeof(path))
			(void)fsio_unlink(io, path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int snapshot_files_keep(const struct fsio *io, const char *state_dir, uint64_t line,
			const struct buf *b, char ret_name[SNAPSHOT_FILES_NAME], struct digest *ret)
{
	char dir[PATH_MAX - 64], path[PATH_MAX], name[SNAPSHOT_FILES_NAME];
	struct digest d;
	int r = snprintf(dir, sizeof(dir), "%s/" SNAPSHOT_FILES_DIR, state_dir) < (int)sizeof(dir)
			? fsio_mkdir_all(io, dir, 0700)
			: -ENAMETOOLONG;

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%020" PRIu64 ".json", line);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r = digest_sha256(b->data, b->size, &d);
	if (r >= 0)
		r = fsio_replace_file(io, path, b->data, b->size, 0600);
	if (r < 0)
		return r;
	prune(io, dir);
	memcpy(ret_name, name, sizeof(name));
	*ret = d;
	return 0;
}
