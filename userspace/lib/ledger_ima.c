/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_ima.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_zst.h"

#define DIGITS 20
#define BOOT 32
#define ENDING ".list"
#define PACKED ".zst"
#define MAX_READ (16 * LEDGER_IMA_MAX_FILES)
#define WINDOW (512u << 10)
/* More than any entry has: its fixed parts, a template's name, data. */
#define LARGEST (IMALOG_MAX_DATA + IMALOG_MAX_TEMPLATE + 4096u)

int ledger_ima_name(uint64_t start, const uint8_t boot_id[16], char ret[LEDGER_IMA_NAME_SIZE])
{
	int n = snprintf(ret, LEDGER_IMA_NAME_SIZE, "%020" PRIu64 "-", start);

	if (n != DIGITS + 1)
		return -EINVAL;
	for (int i = 0; i < 16; i++)
		n += snprintf(ret + n, LEDGER_IMA_NAME_SIZE - (size_t)n, "%02x", boot_id[i]);
	snprintf(ret + n, LEDGER_IMA_NAME_SIZE - (size_t)n, ENDING);
	return 0;
}

int ledger_ima_name_read(const char *name, struct ledger_ima_file *ret, bool *ret_packed)
{
	struct ledger_ima_file f = {.start = 0};
	size_t n = strspn(name, "0123456789");

	if (n != DIGITS || name[n] != '-' || strspn(name + n + 1, "0123456789abcdef") != BOOT ||
	    strncmp(name + n + 1 + BOOT, ENDING, strlen(ENDING)) != 0)
		return -ENOENT;
	memcpy(f.name, name, LEDGER_IMA_NAME_SIZE - 1);
	memcpy(f.boot, name + n + 1, BOOT);
	errno = 0;
	f.start = strtoull(name, NULL, 10);
	name += LEDGER_IMA_NAME_SIZE - 1;
	if (errno || f.start > INT64_MAX || (*name && strcmp(name, PACKED) != 0))
		return -ENOENT;
	*ret = f;
	*ret_packed = *name;
	return 0;
}

int ledger_ima_path(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/" LEDGER_IMA_DIR "%s%s", dir, *name ? "/" : "", name) <
			       PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ledger_ima_file *)a)->name,
		      ((const struct ledger_ima_file *)b)->name);
}

static int take_name(const char *dir, const char *name, struct ledger_ima_file *files, uint32_t *n)
{
	struct ledger_ima_file f, *to = NULL;
	char path[PATH_MAX];
	struct stat st;
	bool packed;
	int r;

	if (ledger_ima_name_read(name, &f, &packed) < 0)
		return 0;
	for (uint32_t i = 0; i < *n; i++)
		if (strcmp(files[i].name, f.name) == 0)
			to = &files[i];
	if (!to && *n == MAX_READ)
		return -E2BIG;
	if (!to) {
		to = &files[(*n)++];
		*to = f;
	}
	*(packed ? &to->packed : &to->plain) = true;
	r = ledger_ima_path(dir, name, path);
	if (r >= 0 && lstat(path, &st) == 0)
		to->size += (uint64_t)st.st_size;
	return r;
}

int ledger_ima_list(const char *dir, struct ledger_ima_file **ret, uint32_t *ret_n)
{
	struct ledger_ima_file *files;
	char path[PATH_MAX];
	struct dirent *e;
	uint32_t n = 0;
	int r = ledger_ima_path(dir, "", path);
	DIR *d;

	*ret = NULL;
	*ret_n = 0;
	if (r < 0)
		return r;
	d = opendir(path);
	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	files = calloc(MAX_READ, sizeof(*files));
	if (!files)
		r = -ENOMEM;
	while (r >= 0 && (e = readdir(d)) != NULL)
		r = take_name(dir, e->d_name, files, &n);
	closedir(d);
	if (r < 0 || n == 0) {
		free(files);
		return r < 0 ? r : 0;
	}
	qsort(files, n, sizeof(*files), by_name);
	*ret = files;
	*ret_n = n;
	return 0;
}

static int drop(const struct fsio *io, const char *dir, const struct ledger_ima_file *f)
{
	char path[PATH_MAX], packed[PATH_MAX];
	int r = ledger_ima_path(dir, f->name, path);

	if (r < 0 || snprintf(packed, sizeof(packed), "%s" PACKED, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (f->packed)
		r = fsio_unlink(io, packed);
	if (r >= 0 && f->plain)
		r = fsio_unlink(io, path);
	return r;
}

int ledger_ima_prune(const struct fsio *io, const char *dir, uint64_t first)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	uint32_t n = 0;
	int r = ledger_ima_list(dir, &files, &n);

	for (uint32_t i = 0; r >= 0 && i + 1 < n && files[i + 1].start <= first; i++)
		r = drop(io, dir, &files[i]);
	return r;
}

int ledger_ima_seal_write(const struct ledger_ima_seal *s, struct buf *ret)
{
	struct jsonl j = {.buf = ret};

	jsonl_str(&j, "list", s->list);
	jsonl_uint(&j, "entries", s->entries);
	jsonl_uint(&j, "bytes", s->bytes);
	jsonl_hex(&j, "sha256", s->sha256.bytes, DIGEST_SIZE);
	if (s->full)
		jsonl_bool(&j, "full", true);
	return buf_status(ret);
}

int ledger_ima_seal_read(const json_t *line, struct ledger_ima_seal *ret, struct why *ret_why)
{
	struct ledger_ima_seal s = {.full = false};
	struct ledger_ima_file f;
	bool packed = false;
	int r = jsonl_get_text(line, "list", s.list, sizeof(s.list), ret_why);

	if (r >= 0 && (ledger_ima_name_read(s.list, &f, &packed) < 0 || packed))
		r = why_set(ret_why, -EBADMSG, "\"list\" is no name of a list");
	if (r >= 0)
		r = jsonl_get_uint(line, "entries", INT64_MAX, &s.entries, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(line, "bytes", LEDGER_IMA_MAX_BYTES, &s.bytes, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(line, "sha256", s.sha256.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0 && json_object_get(line, "full"))
		r = jsonl_get_bool(line, "full", &s.full, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = s;
	return 0;
}

struct ledger_ima_sum {
	EVP_MD_CTX *all, *copy;
};

int ledger_ima_sum_open(struct ledger_ima_sum **ret)
{
	struct ledger_ima_sum *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->all = EVP_MD_CTX_new();
	s->copy = EVP_MD_CTX_new();
	if (!s->all || !s->copy || EVP_DigestInit_ex(s->all, EVP_sha256(), NULL) != 1) {
		ledger_ima_sum_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int ledger_ima_sum_add(struct ledger_ima_sum *s, const void *data, size_t size)
{
	return EVP_DigestUpdate(s->all, data, size) == 1 ? 0 : -EIO;
}

int ledger_ima_sum_now(const struct ledger_ima_sum *s, struct digest *ret)
{
	return EVP_MD_CTX_copy_ex(s->copy, s->all) == 1 &&
			       EVP_DigestFinal_ex(s->copy, ret->bytes, NULL) == 1
		       ? 0
		       : -EIO;
}

struct ledger_ima_sum *ledger_ima_sum_free(struct ledger_ima_sum *s)
{
	if (!s)
		return NULL;
	EVP_MD_CTX_free(s->all);
	EVP_MD_CTX_free(s->copy);
	free(s);
	return NULL;
}

struct ledger_ima_reader {
	const struct fsio *io;
	int fd;
	struct ledger_zst_reader *zst; /* NULL: it is plain */
	struct ledger_ima_sum *sum;
	uint64_t read, given, n; /* bytes from the file, and those of the n entries given */
	bool end; /* of the file */
	size_t size, at, last; /* of what is in data; the last entry begins at last */
	uint8_t data[WINDOW];
};

int ledger_ima_open(const struct fsio *io, const char *dir, const char *name,
		    struct ledger_ima_reader **ret)
{
	struct ledger_ima_reader *r = calloc(1, sizeof(*r));
	char path[PATH_MAX], packed[PATH_MAX];
	int e;

	if (!r)
		return -ENOMEM;
	r->io = io;
	r->fd = -1;
	e = ledger_ima_path(dir, name, path);
	if (e >= 0 && snprintf(packed, sizeof(packed), "%s" PACKED, path) >= PATH_MAX)
		e = -ENAMETOOLONG;
	if (e >= 0)
		e = r->fd = fsio_open_plain(io, path);
	if (e == -ENOENT) {
		e = r->fd = fsio_open_plain(io, packed);
		if (e >= 0)
			e = ledger_zst_reader_open(io, r->fd, &r->zst);
	}
	if (e >= 0)
		e = ledger_ima_sum_open(&r->sum);
	if (e < 0) {
		ledger_ima_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct ledger_ima_reader *ledger_ima_free(struct ledger_ima_reader *r)
{
	if (!r)
		return NULL;
	ledger_zst_reader_free(r->zst);
	ledger_ima_sum_free(r->sum);
	if (r->fd >= 0)
		fsio_close(r->io, r->fd);
	free(r);
	return NULL;
}

/* So much that any entry is whole, unless the file ends. */
static int refill(struct ledger_ima_reader *r, struct why *ret_why)
{
	size_t n = 0, room;
	int e;

	if (r->end || r->size - r->at >= LARGEST)
		return 0;
	memmove(r->data, r->data + r->at, r->size - r->at);
	r->size -= r->at;
	r->at = r->last = 0;
	room = WINDOW - r->size;
	e = r->zst ? ledger_zst_reader_read(r->zst, r->data + r->size, room, &n)
		   : fsio_read_full(r->io, r->fd, r->data + r->size, room, r->read, &n);
	if (e < 0)
		return why_set(ret_why, e, "IMA list: after byte %" PRIu64 " it %s", r->read,
			       e == -EBADMSG ? "is damaged" : "cannot be read");
	r->size += n;
	r->read += n;
	r->end = n < room;
	return r->read > LEDGER_IMA_MAX_BYTES
		       ? why_set(ret_why, -EFBIG, "IMA list: it has more than %u bytes",
				 LEDGER_IMA_MAX_BYTES)
		       : 0;
}

/* Broken, or only not all there. */
static int why_not(const struct ledger_ima_reader *r, struct why *ret_why)
{
	size_t size = 0;
	uint64_t n = 0;

	return imalog_whole(r->data + r->at, r->size - r->at, LEDGER_IMA_DIGEST, SIZE_MAX, &size,
			    &n, ret_why) < 0
		       ? -EBADMSG
		       : why_set(ret_why, -ENODATA, "IMA list: it ends within entry %" PRIu64,
				 r->n);
}

int ledger_ima_next(struct ledger_ima_reader *r, struct imalog_entry *ret, struct why *ret_why)
{
	struct buf_reader at;
	int e = refill(r, ret_why);

	if (e < 0)
		return e;
	at = buf_reader_of(r->data + r->at, r->size - r->at);
	e = imalog_next(&at, LEDGER_IMA_DIGEST, ret, ret_why);
	if (e <= 0)
		return e < 0 ? why_not(r, ret_why) : 0;
	e = ledger_ima_sum_add(r->sum, r->data + r->at, at.at);
	if (e < 0)
		return e;
	r->last = r->at;
	r->at += at.at;
	r->given += at.at;
	r->n++;
	return 1;
}

uint64_t ledger_ima_count(const struct ledger_ima_reader *r)
{
	return r->n;
}

uint64_t ledger_ima_bytes(const struct ledger_ima_reader *r)
{
	return r->given;
}

int ledger_ima_digest(const struct ledger_ima_reader *r, struct digest *ret)
{
	return ledger_ima_sum_now(r->sum, ret);
}

struct buf_view ledger_ima_last(const struct ledger_ima_reader *r)
{
	return (struct buf_view){r->data + r->last, r->at - r->last};
}
