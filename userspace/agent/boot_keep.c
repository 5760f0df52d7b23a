/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"

/* Of the other files of its kind. */
struct others {
	uint32_t n;
	uint64_t bytes;
	char oldest[PATH_MAX];
	struct timespec at;
};

static void add(struct others *o, const char *path, const struct stat *st)
{
	if (o->n == 0 || st->st_mtim.tv_sec < o->at.tv_sec ||
	    (st->st_mtim.tv_sec == o->at.tv_sec && st->st_mtim.tv_nsec < o->at.tv_nsec)) {
		o->at = st->st_mtim;
		snprintf(o->oldest, sizeof(o->oldest), "%s", path);
	}
	o->n++;
	o->bytes += (uint64_t)st->st_size;
}

static int look(const char *ledger_dir, enum ledger_boot_file what, const struct digest *own,
		struct others *ret)
{
	char path[PATH_MAX];
	struct dirent *e;
	struct stat st;
	int r = 0;
	DIR *d;

	*ret = (struct others){.n = 0};
	if (snprintf(path, sizeof(path), "%s/" LEDGER_BOOT_DIR, ledger_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	d = opendir(path);
	if (!d)
		return -errno;
	while (r >= 0 && (e = readdir(d)) != NULL) {
		enum ledger_boot_file of;
		struct digest name;

		if (ledger_boot_name(e->d_name, &of, &name) < 0 || of != what ||
		    digest_equal(&name, own))
			continue;
		r = ledger_boot_path(ledger_dir, what, &name, path);
		if (r >= 0 && stat(path, &st) == 0)
			add(ret, path, &st);
	}
	closedir(d);
	return r;
}

static int make_room(const struct fsio *io, const char *ledger_dir, enum ledger_boot_file what,
		     const struct digest *own, size_t size)
{
	struct others o;
	int r = look(ledger_dir, what, own, &o);

	while (r >= 0 && o.n > 0 &&
	       (o.n >= LEDGER_BOOT_MAX || o.bytes + size > LEDGER_BOOT_MAX_BYTES)) {
		r = fsio_unlink(io, o.oldest);
		if (r >= 0)
			r = look(ledger_dir, what, own, &o);
	}
	return r;
}

int boot_keep(const struct fsio *io, const char *ledger_dir, enum ledger_boot_file what,
	      const struct buf *data)
{
	CLEANUP(buf_done) struct buf before = {0};
	char path[PATH_MAX];
	struct digest d, is;
	int r;

	if (data->size == 0)
		return 0;
	if (data->size > LEDGER_BOOT_MAX_BYTES)
		return -EFBIG;
	if (snprintf(path, sizeof(path), "%s/" LEDGER_BOOT_DIR, ledger_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = fsio_mkdir_all(io, path, 0700);
	if (r >= 0)
		r = digest_sha256(data->data, data->size, &d);
	if (r >= 0)
		r = ledger_boot_path(ledger_dir, what, &d, path);
	if (r < 0)
		return r;
	/* As it was at a boot before; its time says that it is needed again. */
	r = fsio_read_file(io, path, LEDGER_BOOT_MAX_BYTES, &before);
	if (r >= 0 && digest_sha256(before.data, before.size, &is) >= 0 && digest_equal(&is, &d))
		return utimensat(AT_FDCWD, path, NULL, 0) < 0 ? -errno : 0;
	r = make_room(io, ledger_dir, what, &d, data->size);
	return r < 0 ? r : fsio_replace_file(io, path, data->data, data->size, 0600);
}
