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
#include "incident_manifest.h"
#include "ledger_boot.h"
#include "ledger_dir.h"
#include "ledger_ima.h"
#include "print.h"

#define MAX_FILE (256u << 20)
/* Of all but the lines, notes and lists: an archive has room for them (incident_manifest.h), whatever root puts there. */
#define MAX_FILES 1024u
#define MAX_BYTES (512u << 20)
#define MAX_TOLD 16u

struct copying {
	const char *from, *to;
	uint32_t n_files, n_left;
	uint32_t bytes;
};

static int join(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void incident_beside_left_out(const char *path, int error)
{
	print_note("%s %s: it is left out", path,
		   error == -EBADMSG  ? "is no plain file"
		   : error == -EFBIG  ? "is too large"
		   : error == -EINVAL ? "has a name that may not be in an archive"
				      : "is one file more than there is room for");
}

int incident_beside_read(const char *path, uint64_t max, struct buf *ret)
{
	int r = fsio_read_plain(fsio_system(), path, max, ret);

	if (r != -EBADMSG && r != -EFBIG)
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

static void leave_out(struct copying *c, const char *path, int error)
{
	if (c->n_left++ < MAX_TOLD)
		incident_beside_left_out(path, error);
}

static bool may_be_called(const char *name)
{
	char whole[PATH_MAX];

	return snprintf(whole, sizeof(whole), "ledger/%s", name) < PATH_MAX &&
	       incident_manifest_name_is_good(whole);
}

/* name: below the directory. < 0: ours. */
static int copy_file(struct copying *c, const char *name)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	uint32_t room = MAX_BYTES - c->bytes;
	int r = join(c->from, name, path);

	if (r >= 0 && !may_be_called(name))
		r = -EINVAL;
	if (r >= 0 && c->n_files == MAX_FILES)
		r = -ENOSPC;
	if (r >= 0)
		r = fsio_read_plain(fsio_system(), path, room < MAX_FILE ? room : MAX_FILE, &b);
	if (r == -EINVAL || r == -ENOSPC || r == -EBADMSG || r == -EFBIG) {
		leave_out(c, path, r);
		return 0;
	}
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	c->n_files++;
	c->bytes += (uint32_t)b.size;
	return write_file(c->to, name, &b);
}

static int copy_folder(struct copying *c, const char *folder)
{
	char path[PATH_MAX], name[PATH_MAX];
	int r = join(c->to, folder, path);
	DIR *d = NULL;

	if (r >= 0 && !may_be_called(folder))
		r = -EINVAL;
	if (r >= 0)
		r = fsio_mkdir_all(fsio_system(), path, 0700);
	if (r >= 0)
		r = join(c->from, folder, path);
	if (r >= 0) {
		d = opendir(path);
		r = d ? 0 : -errno;
	}
	if (r == -EINVAL)
		leave_out(c, path, r);
	for (struct dirent *e = d ? readdir(d) : NULL; e && r >= 0; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = join(folder, e->d_name, name);
		if (r >= 0)
			r = copy_file(c, name);
	}
	if (d)
		closedir(d);
	return r == -EINVAL || r == -ENOENT ? 0 : r;
}

/* What is known comes first, whatever else has room. IMA's lists are cut as well: incident_ima.h. */
static const char *const first[] = {"record.json", "anchors", LEDGER_BOOT_DIR};

static bool is_taken(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (strcmp(name, first[i]) == 0)
			return true;
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "tiles") == 0 ||
	       strcmp(name, "notes") == 0 || strcmp(name, LEDGER_IMA_DIR) == 0 ||
	       strncmp(name, "events-", 7) == 0;
}

/* One floor deep: what else is kept beside the lines lies in directories of its own. */
static int copy_one(struct copying *c, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int r = join(c->from, name, path);

	if (r < 0 || lstat(path, &st) < 0)
		return r;
	return S_ISDIR(st.st_mode) ? copy_folder(c, name) : copy_file(c, name);
}

int incident_beside_copy(const char *from, const char *to)
{
	struct copying c = {.from = from, .to = to};
	DIR *d = opendir(from);
	int r = d ? 0 : -errno;

	for (size_t i = 0; i < ARRAY_SIZE(first) && r >= 0; i++)
		r = copy_one(&c, first[i]);
	for (struct dirent *e = d ? readdir(d) : NULL; e && r >= 0; e = readdir(d))
		if (!is_taken(e->d_name))
			r = copy_one(&c, e->d_name);
	if (d)
		closedir(d);
	if (c.n_left > MAX_TOLD)
		print_note("%s: %u more files are left out", from, c.n_left - MAX_TOLD);
	return r;
}
