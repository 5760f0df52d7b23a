/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_reader.h"
#include "archive_writer.h"
#include "cleanup.h"
#include "fsio.h"

#define CHUNK 65536

DEFINE_CLEANUP(struct archive_reader *, archive_reader_free);
DEFINE_CLEANUP(struct digest_stream *, digest_stream_free);

static int join(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int incident_files_scratch(char ret_dir[64])
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || !*tmp || snprintf(ret_dir, 64, "%s/plumb-incident-XXXXXX", tmp) >= 64)
		snprintf(ret_dir, 64, "/tmp/plumb-incident-XXXXXX");
	if (mkdtemp(ret_dir))
		return 0;
	ret_dir[0] = 0;
	return -errno;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void incident_files_remove(const char *dir)
{
	if (dir[0])
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int incident_files_read(const char *dir, const char *name, size_t max, struct buf *ret)
{
	char path[PATH_MAX];
	int r = join(dir, name, path);

	return r < 0 ? r : fsio_read_file(fsio_system(), path, max, ret);
}

static int list_one(const FTSENT *e, size_t prefix, struct incident_manifest *m,
		    struct why *ret_why)
{
	CLEANUP_CLOSE int fd = -1;
	struct incident_file *f = &m->files[m->n_files];
	const char *name = e->fts_path + prefix;
	int r;

	if (m->n_files == INCIDENT_MAX_FILES)
		return why_set(ret_why, -E2BIG, "more than %u files", INCIDENT_MAX_FILES);
	if (e->fts_info != FTS_F || !incident_manifest_name_is_good(name))
		return why_set(ret_why, -EINVAL, "%.200s: may not be in an archive", e->fts_path);
	fd = open(e->fts_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return why_set(ret_why, -errno, "%.200s: %s", e->fts_path, strerror(errno));
	snprintf(f->name, sizeof(f->name), "%s", name);
	r = digest_fd(fd, INCIDENT_MAX_BYTES, &f->sha256, &f->size);
	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", e->fts_path, strerror(-r));
	m->n_files++;
	return 0;
}

int incident_files_list(const char *dir, struct incident_manifest *m, struct why *ret_why)
{
	char *const paths[] = {(char *)dir, NULL};
	FTS *t = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;
	int r = 0;

	free(m->files);
	m->n_files = 0;
	m->files = calloc(INCIDENT_MAX_FILES, sizeof(*m->files));
	if (!t || !m->files) {
		if (t)
			fts_close(t);
		return why_set(ret_why, -errno, "%.200s: %s", dir, strerror(errno));
	}
	for (e = fts_read(t); e && r >= 0; e = fts_read(t)) {
		if (e->fts_info == FTS_D || e->fts_info == FTS_DP)
			continue;
		r = list_one(e, strlen(dir) + 1, m, ret_why);
		if (r < 0)
			break;
	}
	fts_close(t);
	return r;
}

int incident_files_pack(const char *dir, const struct incident_manifest *m,
			const struct buf *envelope, const char *path, struct why *ret_why)
{
	struct archive_writer *w = NULL;
	char from[PATH_MAX];
	int r = archive_writer_open(path, m->made_ns, &w, ret_why);

	if (r < 0)
		return r;
	r = archive_writer_bytes(w, INCIDENT_MANIFEST_NAME, envelope->data, envelope->size,
				 ret_why);
	for (uint32_t i = 0; r >= 0 && i < m->n_files; i++) {
		r = join(dir, m->files[i].name, from);
		if (r >= 0)
			r = archive_writer_file(w, m->files[i].name, from, ret_why);
	}
	if (r >= 0)
		return archive_writer_commit(w, ret_why);
	archive_writer_abandon(w);
	return r;
}

/* Nothing but a plain file of that name: no links, no devices, no directories. */
static int next_entry(struct archive_reader *a, const char *name, uint64_t *ret_size,
		      struct why *ret_why)
{
	struct archive_reader_entry e;
	int r = archive_reader_next(a, &e, ret_why);

	if (r < 0)
		return r;
	if (r == 0)
		return why_set(ret_why, -EBADMSG, "the archive ends before %.160s", name);
	if (strcmp(e.path, name) != 0 || !S_ISREG(e.mode))
		return why_set(ret_why, -EBADMSG,
			       "the archive has another entry where %.160s belongs", name);
	*ret_size = e.size;
	return 0;
}

static int read_manifest(struct archive_reader *a, struct buf *ret, struct why *ret_why)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t said;
	size_t n = 1;
	int r = chunk ? next_entry(a, INCIDENT_MANIFEST_NAME, &said, ret_why) : -ENOMEM;

	ret->max = INCIDENT_MANIFEST_MAX;
	while (r >= 0 && n > 0) {
		r = archive_reader_read(a, chunk, CHUNK, &n, ret_why);
		if (r < 0)
			break;
		buf_put(ret, chunk, n);
		if (buf_status(ret) < 0)
			r = why_set(ret_why, -EFBIG, "%s: more than %u bytes",
				    INCIDENT_MANIFEST_NAME, INCIDENT_MANIFEST_MAX);
	}
	return r;
}

/* Exactly the bytes that were signed for; not one more is written. */
static int take_bytes(struct archive_reader *a, const struct incident_file *f, int to,
		      struct why *ret_why)
{
	CLEANUP(digest_stream_free_p) struct digest_stream *s = NULL;
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t size = 0;
	struct digest is;
	size_t n = 1;
	int r = chunk ? digest_stream_open(&s) : -ENOMEM;

	while (r >= 0 && n > 0) {
		r = archive_reader_read(a, chunk, CHUNK, &n, ret_why);
		if (r < 0)
			return r;
		if (size + n > f->size) {
			size += n;
			break;
		}
		r = digest_stream_add(s, chunk, n);
		if (r >= 0)
			r = fsio_write_all(fsio_system(), to, chunk, n, size);
		size += n;
	}
	if (r >= 0)
		r = digest_stream_end(s, &is);
	if (r < 0)
		return why_set(ret_why, r, "%.160s: %s", f->name, strerror(-r));
	if (size != f->size)
		return why_set(ret_why, -EBADMSG, "%.160s: has not the size that was signed",
			       f->name);
	return digest_equal(&is, &f->sha256)
		       ? 0
		       : why_set(ret_why, -EBADMSG, "%.160s: is not what was signed", f->name);
}

static int make_parents(const char *dir, const char *name)
{
	char path[PATH_MAX], *slash;
	int r = join(dir, name, path);

	slash = r < 0 ? NULL : strrchr(path, '/');
	if (!slash)
		return r;
	*slash = 0;
	return fsio_mkdir_all(fsio_system(), path, 0700);
}

static int take_file(struct archive_reader *a, const struct incident_file *f, const char *dir,
		     struct why *ret_why)
{
	CLEANUP_CLOSE int to = -1;
	char path[PATH_MAX];
	uint64_t said;
	int r = next_entry(a, f->name, &said, ret_why);

	if (r < 0)
		return r;
	r = make_parents(dir, f->name);
	if (r >= 0)
		r = join(dir, f->name, path);
	if (r >= 0) {
		to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = to < 0 ? -errno : 0;
	}
	/* A name that is also another's directory. */
	if (r < 0)
		return why_set(ret_why, r == -ENOTDIR || r == -EEXIST ? -EBADMSG : r, "%.160s: %s",
			       f->name, strerror(-r));
	return take_bytes(a, f, to, ret_why);
}

int incident_files_unpack(int fd, const char *dir, const struct sign_key *const *keys,
			  uint32_t n_keys, struct incident_manifest *ret, struct why *ret_why)
{
	CLEANUP(archive_reader_free_p) struct archive_reader *a = NULL;
	CLEANUP(buf_done) struct buf envelope = {0};
	struct incident_manifest m = {.files = NULL};
	struct archive_reader_entry more;
	int r = archive_reader_open(fd, ARCHIVE_READER_TAR, &a, ret_why);

	if (r >= 0)
		r = read_manifest(a, &envelope, ret_why);
	if (r >= 0)
		r = incident_manifest_open(envelope.data, envelope.size, keys, n_keys, &m, ret_why);
	for (uint32_t i = 0; r >= 0 && i < m.n_files; i++)
		r = take_file(a, &m.files[i], dir, ret_why);
	if (r >= 0)
		r = archive_reader_next(a, &more, ret_why);
	if (r > 0)
		r = why_set(ret_why, -EBADMSG, "the archive has more entries than were signed");
	if (r < 0) {
		incident_manifest_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}
