/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "ima_list.h"
#include "ledger_ima.h"
#include "ledger_read.h"
#include "ledger_zst.h"
#include "log.h"

#define PIECE (8u << 20)
#define AT_ONCE (256u << 10) /* of the kernel's list; more than any entry has */
#define PACK_PIECE (1u << 20)

struct ima_keep {
	struct ima_keep_options o;
	struct ima_list *list;
	struct event *more; /* there is more to read, or to pack */
	struct ledger_ima_sum *sum;
	char name[LEDGER_IMA_NAME_SIZE],
		changed[LEDGER_IMA_NAME_SIZE]; /* changed: not ours any more */
	int fd; /* -1: the file could not be made yet */
	uint64_t size; /* of the file as it was found: what is below is compared, not written */
	uint64_t entries, bytes; /* that are read, and in the file */
	uint64_t sealed; /* entries */
	bool is_sealed, full_is_sealed, behind, full,
		wanted; /* wanted: a line, as soon as all is read */
	struct digest pcr; /* of the quote before */
	int told; /* the error that was last told; 0: none */
	struct ledger_zst_job *job;
};

/* The same cause once. */
static void tell(struct ima_keep *k, int r, const char *why)
{
	if (r < 0 && r != k->told)
		log_error("ima_list=unkept error=\"%s\" next=\"read again with the next quote\"",
			  why && why[0] ? why : strerror(-r));
	k->told = r < 0 ? r : 0;
}

static void go_on(struct ima_keep *k)
{
	const struct timeval now = {0, 0};

	event_add(k->more, &now);
}

/* The oldest go where there would be more than the bounds; never the newest. */
static int make_room(const struct ima_keep *k)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	uint64_t bytes = 0;
	uint32_t n = 0, i = 0;
	int r = ledger_ima_list(k->o.ledger_dir, &files, &n);

	for (uint32_t j = 0; r >= 0 && j < n; j++)
		bytes += files[j].size;
	for (; r >= 0 && i + 1 < n && (n - i >= LEDGER_IMA_MAX_FILES || bytes > LEDGER_IMA_MAX_ALL);
	     i++) {
		log_notice("ima_list=gone list=%s bytes=%llu why=\"there are newer ones\"",
			   files[i].name, (unsigned long long)files[i].size);
		r = ledger_ima_prune(k->o.io, k->o.ledger_dir, files[i + 1].start);
		bytes -= files[i].size;
	}
	return r;
}

/* What a failed attempt left of it is compared as any file is. */
static int open_new(struct ima_keep *k, const char *dir, const char *path)
{
	struct stat st;
	int r;

	k->fd = fsio_open(k->o.io, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (k->fd < 0)
		return k->fd;
	r = fstat(k->fd, &st) < 0 ? -errno : fsio_sync_dir(k->o.io, dir);
	if (r >= 0) {
		k->size = (uint64_t)st.st_size;
		return 0;
	}
	/* A name that may be gone after a power cut is none. */
	fsio_close(k->o.io, k->fd);
	k->fd = -1;
	return r;
}

static int make_file(struct ima_keep *k)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int r = ledger_ima_path(k->o.ledger_dir, "", dir);

	if (r >= 0)
		r = make_room(k);
	if (r >= 0)
		r = fsio_mkdir_all(k->o.io, dir, 0700);
	if (r >= 0)
		r = ledger_ima_name(ledger_writer_size(k->o.writer), k->o.boot_id, k->name);
	/* The next quote's line makes it another one. */
	if (r >= 0 && strcmp(k->name, k->changed) == 0)
		r = -EEXIST;
	if (r >= 0)
		r = ledger_ima_path(k->o.ledger_dir, k->name, path);
	return r < 0 ? r : open_new(k, dir, path);
}

/* Of this boot, from a start before. */
static int find_file(struct ima_keep *k)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	char own[LEDGER_IMA_NAME_SIZE], path[PATH_MAX];
	const struct ledger_ima_file *f = NULL;
	uint32_t n = 0;
	int r = ledger_ima_name(0, k->o.boot_id, own);

	if (r >= 0)
		r = ledger_ima_list(k->o.ledger_dir, &files, &n);
	for (uint32_t i = 0; r >= 0 && i < n; i++)
		if (files[i].plain && strcmp(files[i].name + 20, own + 20) == 0)
			f = &files[i];
	if (r < 0 || !f)
		return r;
	r = ledger_ima_path(k->o.ledger_dir, f->name, path);
	if (r >= 0)
		r = k->fd = fsio_open(k->o.io, path, O_RDWR | O_NOFOLLOW, 0);
	if (r < 0)
		return r;
	memcpy(k->name, f->name, sizeof(k->name));
	k->size = f->size;
	return 0;
}

/* The file is not what the kernel has: somebody wrote it. It stays as it is, for whoever looks into it, and another is begun. */
static int begin_anew(struct ima_keep *k)
{
	struct why why = {""};
	int r;

	log_error("ima_list=changed list=%s next=\"it stays, and another is begun\"", k->name);
	memcpy(k->changed, k->name, sizeof(k->changed));
	fsio_close(k->o.io, k->fd);
	k->fd = -1;
	k->entries = k->bytes = k->size = 0;
	k->is_sealed = false;
	k->sum = ledger_ima_sum_free(k->sum);
	r = ledger_ima_sum_open(&k->sum);
	return r < 0 ? r : ima_list_seek(k->list, 0, &why);
}

/* 1: what of v lies below the file's end is there; 0: it has other bytes. */
static int compare(const struct ima_keep *k, const struct buf_view *v)
{
	size_t want = k->bytes >= k->size	     ? 0
		      : k->size - k->bytes < v->size ? (size_t)(k->size - k->bytes)
						     : v->size;
	CLEANUP_FREE uint8_t *is = want ? malloc(want) : NULL;
	size_t n = 0;
	int r = want && !is ? -ENOMEM : 0;

	if (r >= 0 && want)
		r = fsio_read_full(k->o.io, k->fd, is, want, k->bytes, &n);
	return r < 0 ? r : n == want && (want == 0 || memcmp(is, v->data, want) == 0);
}

static int write_piece(struct ima_keep *k, const struct buf_view *v)
{
	size_t there = k->bytes < k->size ? (size_t)(k->size - k->bytes) : 0;
	int r = 0;

	if (there < v->size)
		r = fsio_write_all(k->o.io, k->fd, v->data + there, v->size - there,
				   k->bytes + there);
	/* So that there is no half of an entry; if not even that goes, the next writing is at the same place. */
	if (r < 0)
		fsio_truncate(k->o.io, k->fd, k->bytes + there);
	return r < 0 ? r : ledger_ima_sum_add(k->sum, v->data, v->size);
}

/* Entries of the kernel's list: 1: taken; 0: there is no more now. */
static int take(struct ima_keep *k, size_t *ret_bytes, struct why *ret_why)
{
	struct buf_view v = {NULL, 0};
	uint64_t from = 0, n = 0;
	int r = ima_list_next(k->list, AT_ONCE, &v, &from, &n, ret_why);

	if (r < 0 || n == 0)
		return r;
	if (k->bytes + v.size > k->o.max) {
		if (!k->full)
			log_warning("ima_list=full list=%s next=\"its later entries are not kept\"",
				    k->name);
		k->full = true;
		return 0;
	}
	if (k->fd < 0)
		r = make_file(k);
	if (r >= 0)
		r = compare(k, &v);
	if (r == 0)
		return begin_anew(k) < 0 ? -EIO : 1;
	if (r > 0)
		r = write_piece(k, &v);
	if (r < 0)
		return r;
	k->bytes += v.size;
	k->entries = from + n;
	k->size = k->size > k->bytes ? k->size : k->bytes;
	ima_list_taken(k->list, k->entries);
	*ret_bytes += v.size;
	return 1;
}

static void seal(struct ima_keep *k)
{
	CLEANUP(buf_done) struct buf members = {0};
	struct ledger_ima_seal s = {.entries = k->entries, .bytes = k->bytes, .full = k->full};
	int r = k->fd < 0 ? 0 : fsio_sync(k->o.io, k->fd);

	if (k->fd < 0)
		return;
	memcpy(s.list, k->name, sizeof(s.list));
	if (r >= 0)
		r = ledger_ima_sum_now(k->sum, &s.sha256);
	if (r >= 0)
		r = ledger_ima_seal_write(&s, &members);
	if (r >= 0)
		r = ledger_writer_record(k->o.writer, PLUMB_TYPE_IMA, "agent",
					 (char *)members.data);
	tell(k, r, NULL);
	if (r < 0)
		return;
	k->sealed = k->entries;
	k->is_sealed = true;
	k->full_is_sealed = k->full;
	k->wanted = false;
}

/* On disk before the line that seals it. */
static void read_on(struct ima_keep *k)
{
	struct why why = {""};
	size_t bytes = 0;
	int r = 1;

	while (r > 0 && bytes < k->o.piece)
		r = take(k, &bytes, &why);
	tell(k, r, why.text);
	k->behind = r > 0;
	if (r > 0)
		go_on(k);
	else if (r == 0 && k->wanted)
		seal(k);
}

uint64_t ima_keep_read(struct ima_keep *k)
{
	if (!k)
		return 0;
	read_on(k);
	return k->entries;
}

void ima_keep_quoted(struct ima_keep *k, const struct digest *pcr10)
{
	bool moved;

	if (!k)
		return;
	/* A register that moved without the list is news as well: the line says that the list was read on after it. */
	moved = !digest_equal(&k->pcr, pcr10);
	k->pcr = *pcr10;
	k->wanted = k->wanted || moved;
	read_on(k);
	if (!k->behind && k->told == 0 &&
	    (!k->is_sealed || k->sealed != k->entries || k->full != k->full_is_sealed))
		seal(k);
}

/* One list of a boot before after the other. 1: one is at work. */
static int pack_next(struct ima_keep *k)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	char own[LEDGER_IMA_NAME_SIZE], path[PATH_MAX], dir[PATH_MAX];
	uint32_t n = 0;
	int r = ledger_ima_name(0, k->o.boot_id, own);

	if (r >= 0)
		r = ledger_ima_path(k->o.ledger_dir, "", dir);
	if (r >= 0)
		r = ledger_ima_list(k->o.ledger_dir, &files, &n);
	for (uint32_t i = 0; r >= 0 && i < n; i++) {
		if (!files[i].plain || strcmp(files[i].name + 20, own + 20) == 0)
			continue;
		r = ledger_ima_path(k->o.ledger_dir, files[i].name, path);
		if (r >= 0)
			r = ledger_zst_begin(k->o.io, dir, path, &k->job);
		return r < 0 ? r : 1;
	}
	return r;
}

static void pack(struct ima_keep *k)
{
	bool at_work = k->job != NULL;
	int r = at_work ? ledger_zst_step(k->job, PACK_PIECE) : pack_next(k);

	if (at_work && r != 0)
		k->job = ledger_zst_free(k->job);
	/* A piece was packed, one list is done, or the next one was begun. */
	if (r > 0 || (at_work && r == 0))
		go_on(k);
	if (r < 0)
		log_warning("ima_list=unpacked error=\"%s\" next=\"tried again at the next start\"",
			    strerror(-r));
}

static void on_more(evutil_socket_t fd, short what, void *ctx)
{
	struct ima_keep *k = ctx;

	(void)fd;
	(void)what;
	if (k->behind)
		read_on(k);
	else
		pack(k);
}

/* Lists of boots whose lines are all gone. */
static int prune(const struct ima_keep *k)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct why why = {""};
	uint32_t n = 0;
	int r = ledger_read_list(k->o.ledger_dir, &firsts, &n, &why);

	return r < 0 || n == 0 ? r : ledger_ima_prune(k->o.io, k->o.ledger_dir, firsts[0]);
}

int ima_keep_open(struct event_base *base, const struct ima_keep_options *o, struct ima_keep **ret,
		  struct why *ret_why)
{
	struct ima_keep *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->o = *o;
	k->fd = -1;
	k->o.piece = o->piece ? o->piece : PIECE;
	k->o.max = o->max ? o->max : LEDGER_IMA_MAX_BYTES;
	r = ima_list_open(o->dir, IMA_LIST_OTHER, &k->list, ret_why);
	if (r >= 0)
		r = ledger_ima_sum_open(&k->sum);
	if (r >= 0)
		k->more = event_new(base, -1, 0, on_more, k);
	if (r >= 0 && !k->more)
		r = -ENOMEM;
	if (r < 0) {
		ima_keep_free(k);
		*ret = NULL;
		return r == -ENOENT ? 0 : r;
	}
	/* What is wrong with the disk shows again where it is written, and does not stop an agent. */
	r = prune(k);
	if (r >= 0)
		r = find_file(k);
	tell(k, r, NULL);
	go_on(k);
	*ret = k;
	return 0;
}

struct ima_keep *ima_keep_free(struct ima_keep *k)
{
	if (!k)
		return NULL;
	ledger_zst_free(k->job);
	if (k->more)
		event_free(k->more);
	if (k->fd >= 0)
		fsio_close(k->o.io, k->fd);
	ledger_ima_sum_free(k->sum);
	ima_list_free(k->list);
	free(k);
	return NULL;
}
