/* SPDX-License-Identifier: Apache-2.0 */
#include "image_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_reader.h"
#include "capture_root.h"
#include "cleanup.h"

#define MAX_HOPS 4u /* docker save names a layer that two images share by a link */
#define MAX_INDEXES 4u

/* Where the pieces lie: a directory, or a tar. */
struct store {
	const char *path;
	int fd;
	bool directory;
};

/* A piece, open at its first byte. */
struct piece {
	int fd; /* of its own; -1 */
	struct archive_reader *around, *bytes;
};

static void close_piece(struct piece *p)
{
	archive_reader_free(p->bytes);
	archive_reader_free(p->around);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct piece){.fd = -1};
}

/* "./a//b" and "/a/b" are "a/b". */
static const char *plain(const char *name)
{
	while (*name == '/' || (name[0] == '.' && name[1] == '/'))
		name++;
	return name;
}

static int open_file(const struct store *s, const char *name, struct piece *p, struct why *ret_why)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "/%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	p->fd = capture_root_at(s->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (p->fd < 0)
		return p->fd;
	if (fstat(p->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return why_set(ret_why, -EBADMSG, "%.200s: no plain file", name);
	return archive_reader_open(p->fd, ARCHIVE_READER_BYTES, &p->bytes, ret_why);
}

/* Where a link in the archive leads, from where it lies: "a/layer.tar" -> "../b.tar" is "b.tar". */
static int resolve(const char *name, const char *target, char ret[IMAGE_LAYOUT_MAX_NAME])
{
	size_t n = 0;
	const char *slash = strrchr(name, '/');

	if (*target != '/' && slash) {
		n = (size_t)(slash - name);
		memcpy(ret, name, n);
	}
	for (const char *at = target; *at;) {
		size_t size = strcspn(at, "/");

		if (size == 2 && memcmp(at, "..", 2) == 0) {
			while (n > 0 && ret[n - 1] != '/')
				n--;
			n -= n > 0;
		} else if (size > 0 && !(size == 1 && *at == '.')) {
			if (n + size + 2 > IMAGE_LAYOUT_MAX_NAME)
				return -ENAMETOOLONG;
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

/* Stands at the entry of that name; 1: it is a link, whose target is then in name. */
static int seek(const struct store *s, char name[IMAGE_LAYOUT_MAX_NAME], struct piece *p,
		struct why *ret_why)
{
	struct archive_reader_entry e;
	int r;

	if (lseek(s->fd, 0, SEEK_SET) < 0)
		return -errno;
	r = archive_reader_open(s->fd, ARCHIVE_READER_TAR, &p->around, ret_why);
	if (r < 0)
		return r;
	do
		r = archive_reader_next(p->around, &e, ret_why);
	while (r > 0 && strcmp(plain(e.path), name) != 0);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (e.hard_link || S_ISLNK(e.mode)) {
		char to[IMAGE_LAYOUT_MAX_NAME];

		r = resolve(e.hard_link ? "" : name, e.hard_link ? e.hard_link : e.target, to);
		if (r >= 0)
			memcpy(name, to, sizeof(to));
		return r < 0 ? r : 1;
	}
	return S_ISREG(e.mode) ? 0 : why_set(ret_why, -EBADMSG, "%.200s: no plain file", name);
}

static int open_member(const struct store *s, const char *wanted, struct piece *p,
		       struct why *ret_why)
{
	char name[IMAGE_LAYOUT_MAX_NAME];

	if (snprintf(name, sizeof(name), "%s", wanted) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	for (uint32_t i = 0; i < MAX_HOPS; i++) {
		int r = seek(s, name, p, ret_why);

		if (r == 0)
			return archive_reader_open_in(p->around, ARCHIVE_READER_BYTES, NULL,
						      &p->bytes, ret_why);
		close_piece(p);
		if (r < 0)
			return r;
	}
	return -ELOOP;
}

/* 1, 0 when there is not a byte in it; -ENOENT. */
static int open_piece(const struct store *s, const char *name, struct piece *p, struct why *ret_why)
{
	struct archive_reader_entry e;
	int r;

	*p = (struct piece){.fd = -1};
	name = plain(name);
	r = s->directory ? open_file(s, name, p, ret_why) : open_member(s, name, p, ret_why);
	if (r >= 0)
		r = archive_reader_next(p->bytes, &e, ret_why);
	if (r < 0)
		close_piece(p);
	return r;
}

/* Documents. */

static int read_piece(const struct store *s, const char *name, struct buf *ret, struct why *ret_why)
{
	struct piece p;
	uint8_t chunk[16384];
	size_t n = 1;
	int r = open_piece(s, name, &p, ret_why);

	if (r < 0)
		return r;
	while (r > 0 && n > 0) {
		if (archive_reader_read(p.bytes, chunk, sizeof(chunk), &n, ret_why) < 0)
			r = -EBADMSG;
		else if (ret->size + n > IMAGE_LAYOUT_MAX_SIZE)
			r = why_set(ret_why, -EFBIG, "%.200s: has more than %u bytes", name,
				    IMAGE_LAYOUT_MAX_SIZE);
		else
			buf_put(ret, chunk, n);
	}
	close_piece(&p);
	return r < 0 ? r : buf_status(ret);
}

static void name_of(const char *digest, char ret[IMAGE_LAYOUT_MAX_NAME])
{
	snprintf(ret, IMAGE_LAYOUT_MAX_NAME, "blobs/sha256/%s", digest + strlen("sha256:"));
}

static void text_of(const struct digest *d, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(d, hex);
	snprintf(ret, IMAGE_LAYOUT_DIGEST_SIZE, "sha256:%s", hex);
}

/* A document, and its digest. */
static int read_layout(const struct store *s, const char *name, struct image_layout *ret,
		       char ret_digest[IMAGE_LAYOUT_DIGEST_SIZE], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	struct digest d;
	int r = read_piece(s, name, &b, &why);

	if (r >= 0)
		r = digest_sha256(b.data ? (const void *)b.data : "", b.size, &d);
	if (r >= 0) {
		text_of(&d, ret_digest);
		r = image_layout_parse(b.data ? (const void *)b.data : "", b.size, NULL, ret, &why);
	}
	return r < 0 ? why_set(ret_why, r, "%.100s: %.150s", name,
			       why.text[0] ? why.text : strerror(-r))
		     : 0;
}

static int read_blob(const struct store *s, const char *digest, struct image_layout *ret,
		     struct why *ret_why)
{
	char name[IMAGE_LAYOUT_MAX_NAME], found[IMAGE_LAYOUT_DIGEST_SIZE] = "";
	int r;

	name_of(digest, name);
	r = read_layout(s, name, ret, found, ret_why);
	if (r >= 0 && strcmp(found, digest) != 0) {
		buf_done(&ret->layers);
		return why_set(ret_why, -EBADMSG, "%s: is not what its name says", name);
	}
	return r;
}

/* Layers. */

static int hash_entry(struct archive_reader *tar, struct digest_stream *stream, uint64_t *ret_size,
		      struct digest *ret, struct why *ret_why)
{
	uint8_t chunk[65536];
	size_t n = 1;
	int r = 0;

	*ret_size = 0;
	while (n > 0 && r >= 0) {
		r = archive_reader_read(tar, chunk, sizeof(chunk), &n, ret_why);
		if (r >= 0)
			r = digest_stream_add(stream, chunk, n);
		*ret_size += n;
	}
	return r < 0 ? r : digest_stream_end(stream, ret);
}

static int add_all(struct archive_reader *tar, struct image_tree *t, struct why *ret_why)
{
	struct digest_stream *stream = NULL;
	int r = digest_stream_open(&stream), more = 1;

	image_tree_layer(t);
	while (r >= 0 && more > 0) {
		struct archive_reader_entry e;
		struct digest d;

		more = r = archive_reader_next(tar, &e, ret_why);
		if (r <= 0)
			break;
		if (S_ISREG(e.mode)) {
			/* What is read counts, not what the header says. Its texts are gone with the bytes, so they are kept. */
			CLEANUP_FREE char *path = strdup(e.path);

			r = path ? hash_entry(tar, stream, &e.size, &d, ret_why) : -ENOMEM;
			e.path = path;
			if (r >= 0)
				r = image_tree_add(t, &e, &d, ret_why);
			continue;
		}
		r = image_tree_add(t, &e, NULL, ret_why);
	}
	digest_stream_free(stream);
	return r;
}

/* diff_id: SHA-256 of the layer's tar, unpacked. */
static int add_layer(const struct store *s, const char *name, const char *diff_id,
		     struct image_tree *t, struct why *ret_why)
{
	char found[IMAGE_LAYOUT_DIGEST_SIZE];
	struct digest_stream *stream = NULL;
	struct archive_reader *tar = NULL;
	struct why why = {""};
	struct digest d;
	struct piece p;
	int r = open_piece(s, name, &p, &why);

	if (r < 0)
		return why_set(ret_why, r, "layer %.100s: %.150s", name,
			       why.text[0] ? why.text : strerror(-r));
	r = digest_stream_open(&stream);
	if (r >= 0)
		r = archive_reader_open_in(p.bytes, ARCHIVE_READER_TAR, stream, &tar, &why);
	if (r >= 0)
		r = add_all(tar, t, &why);
	if (r >= 0)
		r = archive_reader_rest(tar, &why);
	if (r >= 0)
		r = digest_stream_end(stream, &d);
	if (r >= 0) {
		text_of(&d, found);
		if (strcmp(found, diff_id) != 0)
			r = why_set(&why, -EBADMSG, "is not what the image's configuration says");
	}
	archive_reader_free(tar);
	close_piece(&p);
	digest_stream_free(stream);
	return r < 0 ? why_set(ret_why, r, "layer %.100s: %.150s", name,
			       why.text[0] ? why.text : strerror(-r))
		     : 0;
}

static int add_layers(const struct store *s, const struct image_layout *files,
		      const struct image_layout *config, struct image_tree *t, struct why *ret_why)
{
	int r = 0;

	if (config->kind != IMAGE_LAYOUT_CONFIG || files->n_layers != config->n_layers)
		return why_set(ret_why, -EBADMSG,
			       "the image's configuration is not that of its layers");
	for (uint32_t i = 0; i < files->n_layers && r >= 0; i++) {
		const char *layer = image_layout_layer(files, i);
		char name[IMAGE_LAYOUT_MAX_NAME];

		if (files->kind == IMAGE_LAYOUT_MANIFEST)
			name_of(layer, name);
		else
			snprintf(name, sizeof(name), "%s", layer);
		r = add_layer(s, name, image_layout_layer(config, i), t, ret_why);
	}
	return r;
}

/* Images. */

static int open_oci(const struct store *s, struct image_tree *t, struct image_source_info *info,
		    struct why *ret_why)
{
	struct image_layout l = {.kind = 0}, config = {.kind = 0};
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];
	int r = read_layout(s, "index.json", &l, digest, ret_why);

	for (uint32_t i = 0; r >= 0 && l.kind == IMAGE_LAYOUT_INDEX && i < MAX_INDEXES; i++) {
		/* The outermost is the layout's own, not the image's. */
		if (i > 0)
			snprintf(info->index, sizeof(info->index), "%s", info->manifest);
		snprintf(info->manifest, sizeof(info->manifest), "%.71s", l.next);
		buf_done(&l.layers);
		r = read_blob(s, info->manifest, &l, ret_why);
	}
	if (r >= 0 && l.kind != IMAGE_LAYOUT_MANIFEST)
		r = why_set(ret_why, -EBADMSG, "index.json leads to no manifest of an image");
	if (r >= 0) {
		snprintf(info->config, sizeof(info->config), "%.71s", l.next);
		r = read_blob(s, info->config, &config, ret_why);
	}
	if (r >= 0)
		r = add_layers(s, &l, &config, t, ret_why);
	buf_done(&l.layers);
	buf_done(&config.layers);
	return r;
}

static int open_docker(const struct store *s, struct image_tree *t, struct image_source_info *info,
		       struct why *ret_why)
{
	struct image_layout l = {.kind = 0}, config = {.kind = 0};
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];
	int r = read_layout(s, "manifest.json", &l, digest, ret_why);

	if (r >= 0 && l.kind != IMAGE_LAYOUT_DOCKER)
		r = why_set(ret_why, -EBADMSG, "manifest.json is not that of docker save");
	if (r >= 0)
		r = read_layout(s, l.next, &config, info->config, ret_why);
	if (r >= 0)
		r = add_layers(s, &l, &config, t, ret_why);
	buf_done(&l.layers);
	buf_done(&config.layers);
	return r;
}

/* A tar that is no image: all of it is the root file system. */
static int open_rootfs(const struct store *s, struct image_tree *t, struct why *ret_why)
{
	struct archive_reader *tar = NULL;
	int r = lseek(s->fd, 0, SEEK_SET) < 0 ? -errno : 0;

	if (r >= 0)
		r = archive_reader_open(s->fd, ARCHIVE_READER_TAR, &tar, ret_why);
	if (r >= 0)
		r = add_all(tar, t, ret_why);
	archive_reader_free(tar);
	return r;
}

/* 1: it has one of that name; 0: none. */
static int has(const struct store *s, const char *name, struct why *ret_why)
{
	struct piece p;
	int r = open_piece(s, name, &p, ret_why);

	if (r < 0)
		return r == -ENOENT || (s->directory && r == -EBADMSG) ? 0 : r;
	close_piece(&p);
	return 1;
}

static int open_any(const struct store *s, struct image_tree *t, struct image_source_info *info,
		    struct why *ret_why)
{
	int oci = has(s, "oci-layout", ret_why), docker;

	if (oci < 0)
		return oci;
	if (oci)
		return open_oci(s, t, info, ret_why);
	docker = has(s, "manifest.json", ret_why);
	if (docker < 0)
		return docker;
	if (docker)
		return open_docker(s, t, info, ret_why);
	return s->directory ? -EISDIR : open_rootfs(s, t, ret_why);
}

int image_source_open(const char *path, struct image_tree **ret, struct image_source_info *ret_info,
		      struct why *ret_why)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct store s = {.path = path, .fd = fd};
	struct image_source_info info = {.config = ""};
	struct image_tree *t = NULL;
	struct why why = {""};
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r >= 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		r = why_set(&why, -EINVAL, "is neither a file nor a directory");
	if (r >= 0)
		r = image_tree_open(&t);
	if (r >= 0) {
		s.directory = S_ISDIR(st.st_mode);
		r = open_any(&s, t, &info, &why);
	}
	if (r < 0)
		t = image_tree_free(t);
	if (r < 0 && r != -EISDIR)
		return why_set(ret_why, r, "%.100s: %.350s", path,
			       why.text[0] ? why.text : strerror(-r));
	*ret = t;
	*ret_info = info;
	return 0;
}
