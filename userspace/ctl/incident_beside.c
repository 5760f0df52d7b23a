/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_beside.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fsio.h"
#include "ledger_dir.h"
#include "ledger_ima.h"
#include "print.h"

#define MAX_FILE (256u << 20)

static int join(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void incident_beside_left_out(const char *path, int error)
{
	print_note("%s %s: it is left out", path,
		   error == -EBADMSG ? "is no plain file"
		   : error == -EFBIG ? "is too large"
				     : strerror(-error));
}

int incident_beside_read(const char *path, uint64_t max, struct buf *ret)
{
	int r = fsio_read_plain(fsio_system(), path, max, ret);

	if (r != -EBADMSG)
		return r < 0 ? r : 1;
	incident_beside_left_out(path, r);
	return 0;
}

static int write_file(const char *to, const char *name, const struct buf *b)
{
	char path[PATH_MAX];
	int r = join(to, name, path);

	return r < 0 ? r : fsio_replace_file(fsio_system(), path, b->data, b->size, 0600);
}

/* Signatures over what is not here prove nothing here. */
int incident_beside_notes(const char *from, const char *to, uint64_t first, uint64_t last)
{
	CLEANUP(buf_done) struct buf all = {0}, some = {0};
	char path[PATH_MAX];
	const char *at, *stop, *end;
	int r = join(from, "notes", path);

	if (r >= 0)
		r = incident_beside_read(path, MAX_FILE, &all);
	if (r <= 0)
		return r == -ENOENT ? 0 : r;
	at = (const char *)all.data;
	stop = at + all.size;
	for (; at < stop; at = end + 1) {
		struct ledger_note n;

		end = memchr(at, '\n', (size_t)(stop - at));
		if (!end)
			break;
		/* One that cannot be read stays: the check says so. */
		if (ledger_dir_note_read(at, (size_t)(end - at), &n, NULL) < 0 ||
		    (n.size > first && n.size <= last))
			buf_put(&some, at, (size_t)(end - at) + 1);
	}
	r = buf_status(&some);
	return r < 0 || some.size == 0 ? r : write_file(to, "notes", &some);
}

/* IMA's lists are cut as well: incident_ima.h. */
static bool is_of_the_lines(const char *name)
{
	return name[0] == '.' || strcmp(name, "tiles") == 0 || strcmp(name, "notes") == 0 ||
	       strcmp(name, LEDGER_IMA_DIR) == 0 || strncmp(name, "events-", 7) == 0;
}

/* One floor deep: what else is kept beside the lines lies in directories of its own. */
static int copy_all(const char *from, const char *to, bool deeper)
{
	DIR *d = opendir(from);
	int r = d ? 0 : -errno;

	for (struct dirent *e = d ? readdir(d) : NULL; e && r >= 0; e = readdir(d)) {
		CLEANUP(buf_done) struct buf b = {0};
		char path[PATH_MAX], into[PATH_MAX];
		struct stat st;

		if (is_of_the_lines(e->d_name))
			continue;
		r = join(from, e->d_name, path);
		if (r < 0 || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && deeper) {
			r = join(to, e->d_name, into);
			if (r >= 0)
				r = fsio_mkdir_all(fsio_system(), into, 0700);
			if (r >= 0)
				r = copy_all(path, into, false);
		} else if (!S_ISDIR(st.st_mode)) {
			r = incident_beside_read(path, MAX_FILE, &b);
			if (r > 0)
				r = write_file(to, e->d_name, &b);
		}
	}
	if (d)
		closedir(d);
	return r;
}

int incident_beside_copy(const char *from, const char *to)
{
	return copy_all(from, to, true);
}
