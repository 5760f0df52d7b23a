/* SPDX-License-Identifier: Apache-2.0 */
#include "file_texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "line_secrets.h"
#include "text_diff.h"

#define BUCKETS 1024

/* Why a file has no text to compare with. */
enum lack { LACK_NONE, LACK_NOT_TEXT, LACK_TOO_LONG, LACK_NO_ROOM, LACK_CHANGING };

struct kept {
	struct kept *next;
	char *data;
	uint32_t size;
	enum lack lack;
	struct digest digest;
	char path[];
};

struct file_texts {
	char **paths;
	uint32_t n_paths, max_bytes, n_bytes;
	const struct redact *redact;
	struct kept *buckets[BUCKETS];
};

static struct kept **place_of(struct file_texts *t, const char *path)
{
	uint32_t h = 2166136261u;
	struct kept **at;

	for (const char *p = path; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	at = &t->buckets[h % BUCKETS];
	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

static uint32_t room_of(const struct kept *k)
{
	return (uint32_t)(sizeof(*k) + strlen(k->path) + 1) + k->size;
}

static void drop(struct file_texts *t, struct kept **at)
{
	struct kept *k = *at;

	if (!k)
		return;
	*at = k->next;
	t->n_bytes -= room_of(k);
	if (k->data)
		explicit_bzero(k->data, k->size);
	free(k->data);
	free(k);
}

int file_texts_open(const struct file_texts_options *o, struct file_texts **ret)
{
	struct file_texts *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max_bytes = o->max_bytes ? o->max_bytes : FILE_TEXTS_MAX_BYTES;
	t->redact = o->redact;
	t->paths = calloc(o->n_paths + 1, sizeof(*t->paths));
	for (uint32_t i = 0; t->paths && i < o->n_paths; i++) {
		t->paths[i] = strdup(o->paths[i]);
		if (!t->paths[i])
			break;
		t->n_paths++;
	}
	if (t->n_paths < o->n_paths || !t->paths) {
		file_texts_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

struct file_texts *file_texts_free(struct file_texts *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		while (t->buckets[i])
			drop(t, &t->buckets[i]);
	for (uint32_t i = 0; i < t->n_paths; i++)
		free(t->paths[i]);
	free(t->paths);
	free(t);
	return NULL;
}

bool file_texts_wants(const struct file_texts *t, const char *path, const struct stat *st)
{
	for (uint32_t i = 0; i < t->n_paths; i++) {
		size_t n = strlen(t->paths[i]);

		if (strncmp(path, t->paths[i], n) != 0)
			continue;
		if (path[n] == '\0')
			return true;
		if ((path[n] == '/' || n == 1) && (st->st_mode & S_IROTH))
			return true;
	}
	return false;
}

/* Reads it and looks whether these are the bytes that were measured. */
static enum lack read_text(int fd, const struct digest *digest, struct buf *ret)
{
	CLEANUP_FREE char *data = malloc(TEXT_DIFF_MAX_SIZE + 1);
	struct digest is;
	size_t size = 0;
	ssize_t n;

	if (!data)
		return LACK_NO_ROOM;
	do {
		n = pread(fd, data + size, TEXT_DIFF_MAX_SIZE + 1 - size, (off_t)size);
		size += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && size <= TEXT_DIFF_MAX_SIZE) || (n < 0 && errno == EINTR));
	if (n < 0)
		return LACK_CHANGING;
	if (size > TEXT_DIFF_MAX_SIZE)
		return LACK_TOO_LONG;
	if (digest_sha256(data, size, &is) < 0 || !digest_equal(&is, digest))
		return LACK_CHANGING;
	if (!text_diff_is_text(data, size))
		return LACK_NOT_TEXT;
	buf_put(ret, data, size);
	return buf_status(ret) < 0 ? LACK_NO_ROOM : LACK_NONE;
}

static void say(enum lack lack, struct buf *ret)
{
	static const char *const why[] = {
		[LACK_NONE] = "too different",
		[LACK_NOT_TEXT] = "not text",
		[LACK_TOO_LONG] = "too long",
		[LACK_NO_ROOM] = "no text kept",
		[LACK_CHANGING] = "changed while it was read",
	};

	buf_printf(ret, "none: %s", why[lack]);
}

/* First what a person named, then what looks like a secret. */
static void write_line(void *ctx, const char *line, size_t size, struct buf *ret)
{
	CLEANUP(buf_done) struct buf left = {0};
	const struct file_texts *t = ctx;

	if (t->redact)
		redact_line(t->redact, line, size, &left);
	else
		buf_put(&left, line, size);
	if (buf_status(&left) == 0)
		line_secrets_hide((const char *)left.data, left.size, ret);
	else
		buf_puts(ret, REDACT_HIDDEN);
}

static int compare(struct file_texts *t, const struct kept *before, const struct buf *now,
		   struct buf *ret)
{
	const struct text_diff_writer writer = {write_line, t};
	const struct buf_view a = {(const uint8_t *)before->data, before->size};
	const struct buf_view b = {now->data, now->size};
	CLEANUP(buf_done) struct buf lines;
	int r;

	buf_init(&lines, 64u << 10);
	r = text_diff(&a, &b, &writer, &lines);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || lines.size > FILE_TEXTS_MAX_DIFF)
		say(r == -EFBIG ? LACK_TOO_LONG : LACK_NONE, ret);
	else
		buf_put(ret, lines.data, lines.size);
	return buf_status(ret);
}

/* Takes what is in text. */
static int keep(struct file_texts *t, const char *path, const struct digest *digest, enum lack lack,
		struct buf *text)
{
	size_t n = strlen(path) + 1;
	struct kept *k = calloc(1, sizeof(*k) + n), **at = place_of(t, path);

	if (!k)
		return -ENOMEM;
	memcpy(k->path, path, n);
	drop(t, at);
	/* A file without a text has a place of its own all the same: that there was one before is said. */
	if (t->n_bytes + room_of(k) > t->max_bytes) {
		free(k);
		return 0;
	}
	if (lack == LACK_NONE && t->n_bytes + room_of(k) + text->size > t->max_bytes)
		lack = LACK_NO_ROOM;
	k->lack = lack;
	k->digest = *digest;
	if (lack == LACK_NONE) {
		k->size = (uint32_t)text->size;
		k->data = buf_take(text);
	}
	t->n_bytes += room_of(k);
	k->next = *at;
	*at = k;
	return 0;
}

int file_texts_take(struct file_texts *t, const char *path, int fd, const struct digest *digest,
		    bool was_absent, struct buf *ret)
{
	static const struct kept nothing = {.lack = LACK_NONE};
	CLEANUP(buf_done) struct buf text = {0};
	const struct kept *before = *place_of(t, path);
	enum lack lack;
	int r = 0;

	if (before && digest_equal(&before->digest, digest) && before->lack == LACK_NONE)
		return 0;
	lack = read_text(fd, digest, &text);
	if (!before && was_absent)
		before = &nothing;
	if (before && !digest_equal(&before->digest, digest)) {
		if (lack == LACK_NONE && before->lack == LACK_NONE)
			r = compare(t, before, &text, ret);
		else
			say(lack != LACK_NONE ? lack : before->lack, ret);
	}
	return r < 0 ? r : keep(t, path, digest, lack, &text);
}

int file_texts_gone(struct file_texts *t, const char *path, struct buf *ret)
{
	struct kept **at = place_of(t, path);
	const struct buf nothing = {0};
	int r = 0;

	if (*at && (*at)->lack == LACK_NONE)
		r = compare(t, *at, &nothing, ret);
	drop(t, at);
	return r;
}

void file_texts_forget(struct file_texts *t, const char *path)
{
	drop(t, place_of(t, path));
}

uint32_t file_texts_n_bytes(const struct file_texts *t)
{
	return t->n_bytes;
}
