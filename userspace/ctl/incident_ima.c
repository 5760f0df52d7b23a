/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_ima.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "incident_beside.h"
#include "ledger_check.h"
#include "ledger_zst.h"
#include "print.h"

#define CHUNK (1u << 20)
#define MAX_ALL (1u << 30) /* of all lists, unpacked: an archive has room for them */

DEFINE_CLEANUP(struct ledger_zst_reader *, ledger_zst_reader_free);

static int unpack(int fd, struct buf *ret, uint64_t max)
{
	CLEANUP(ledger_zst_reader_free_p) struct ledger_zst_reader *z = NULL;
	size_t n = 1;
	int r = ledger_zst_reader_open(fsio_system(), fd, &z);

	while (r >= 0 && n > 0) {
		uint8_t *room = buf_room(ret, CHUNK);

		r = room ? ledger_zst_reader_read(z, room, CHUNK, &n) : buf_status(ret);
		if (r >= 0)
			buf_grew(ret, n);
		if (r >= 0 && ret->size > max)
			r = -EFBIG;
	}
	return r;
}

/* 1; 0: it is left out. Damaged: as far as it can be read, and the check says the rest. */
static int read_packed(const char *path, uint64_t max, struct buf *ret)
{
	CLEANUP_CLOSE int fd = fsio_open_plain(fsio_system(), path);
	int r;

	if (fd == -EBADMSG) {
		incident_beside_left_out(path, fd);
		return 0;
	}
	r = fd < 0 ? fd : unpack(fd, ret, max);
	if (r == -EFBIG) {
		incident_beside_left_out(path, r);
		return 0;
	}
	return r >= 0 || r == -EBADMSG ? 1 : r;
}

static int copy_one(const char *from, const char *to, const struct ledger_ima_file *f,
		    uint64_t *room)
{
	CLEANUP(buf_done) struct buf b = {0};
	uint64_t max = *room < LEDGER_IMA_MAX_BYTES ? *room : LEDGER_IMA_MAX_BYTES;
	char path[PATH_MAX], packed[PATH_MAX];
	int r = ledger_ima_path(from, f->name, path);

	if (r >= 0 && snprintf(packed, sizeof(packed), "%s.zst", path) >= PATH_MAX)
		r = -ENAMETOOLONG;
	if (r >= 0)
		r = f->plain ? incident_beside_read(path, max, &b) : read_packed(packed, max, &b);
	if (r <= 0)
		return r;
	*room -= b.size;
	r = ledger_ima_path(to, f->name, path);
	return r < 0 ? r : fsio_replace_file(fsio_system(), path, b.data, b.size, 0600);
}

static int copy_all(const char *from, const char *to, const struct incident_span *s)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	char path[PATH_MAX];
	uint64_t room = MAX_ALL;
	uint32_t n = 0;
	int r = ledger_ima_list(from, &files, &n);

	if (r == -E2BIG)
		print_note("%s/" LEDGER_IMA_DIR ": more lists than any agent keeps: none is taken",
			   from);
	if (r < 0 || n == 0)
		return r == -E2BIG ? 0 : r;
	r = ledger_ima_path(to, "", path);
	if (r >= 0)
		r = fsio_mkdir_all(fsio_system(), path, 0700);
	for (uint32_t i = 0; i < n && r >= 0; i++)
		if (files[i].start < s->last && (i + 1 == n || files[i + 1].start > s->first))
			r = copy_one(from, to, &files[i], &room);
	return r < 0 ? r : 1;
}

static int shorten(const char *path, uint64_t bytes)
{
	CLEANUP_CLOSE int fd = fsio_open(fsio_system(), path, O_WRONLY, 0);

	return fd < 0 ? fd : fsio_truncate(fsio_system(), fd, bytes);
}

/* What no line and no quote of the part tells of is none of its matter; where not all were looked at nobody knows. */
static int cut_one(const char *to, const struct ledger_imas *m, const struct ledger_ima_file *f)
{
	const struct ledger_imas_one *o = NULL;
	char path[PATH_MAX];
	int r = ledger_ima_path(to, f->name, path);

	for (uint32_t i = 0; i < m->n; i++)
		if (strcmp(m->lists[i].list, f->name) == 0)
			o = &m->lists[i];
	if (r < 0)
		return r;
	if (!o)
		return m->unread ? 0 : fsio_unlink(fsio_system(), path);
	return o->result == LEDGER_BOOT_GOOD ? shorten(path, o->bound_bytes) : 0;
}

int incident_ima_copy(const char *from, const char *to, const struct incident_span *s,
		      struct why *ret_why)
{
	CLEANUP_FREE struct ledger_check_report *report = calloc(1, sizeof(*report));
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	uint32_t n = 0;
	int r;

	if (!report)
		return why_set(ret_why, -ENOMEM, "no memory");
	r = copy_all(from, to, s);
	if (r < 0)
		why_set(ret_why, r, "%.200s/" LEDGER_IMA_DIR ": %s", from, strerror(-r));
	if (r <= 0)
		return r;
	r = ledger_check_part(fsio_system(), to, NULL, report, ret_why);
	/* Where the lines, or what is beside them, cannot be read the lists are all that there is. */
	if (r < 0 && r != -ENOMEM)
		return 0;
	if (r >= 0)
		r = ledger_ima_list(to, &files, &n);
	for (uint32_t i = 0; i < n && r >= 0; i++)
		r = cut_one(to, &report->imas, &files[i]);
	return r < 0 ? why_set(ret_why, r, "%.200s/" LEDGER_IMA_DIR ": %s", to, strerror(-r)) : 0;
}
