/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_zst.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#define LEVEL 3
#define MAX_WINDOW_LOG 23 /* 8 MiB: what a foreign file may make a reader hold */
#define CHUNK (128u * 1024)

struct ledger_zst_job {
	const struct fsio *io;
	char dir[PATH_MAX], plain[PATH_MAX], packed[PATH_MAX], temp[PATH_MAX];
	ZSTD_CCtx *z;
	int from, to;
	uint64_t from_at, to_at;
	uint8_t in[CHUNK], out[CHUNK];
};

static int name_files(struct ledger_zst_job *j, const char *dir, const char *path)
{
	if (snprintf(j->dir, PATH_MAX, "%s", dir) >= PATH_MAX ||
	    snprintf(j->plain, PATH_MAX, "%s", path) >= PATH_MAX ||
	    snprintf(j->packed, PATH_MAX, "%s.zst", path) >= PATH_MAX ||
	    snprintf(j->temp, PATH_MAX, "%s.zst.new", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

int ledger_zst_begin(const struct fsio *io, const char *dir, const char *path,
		     struct ledger_zst_job **ret)
{
	struct ledger_zst_job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	j->io = io;
	j->from = j->to = -1;
	j->z = ZSTD_createCCtx();
	r = j->z ? name_files(j, dir, path) : -ENOMEM;
	if (r >= 0 && (ZSTD_isError(ZSTD_CCtx_setParameter(j->z, ZSTD_c_compressionLevel, LEVEL)) ||
		       ZSTD_isError(ZSTD_CCtx_setParameter(j->z, ZSTD_c_checksumFlag, 1))))
		r = -EIO;
	if (r >= 0)
		r = j->from = fsio_open(io, path, O_RDONLY, 0);
	if (r >= 0) {
		/* What a crash left behind. */
		fsio_unlink(io, j->temp);
		r = j->to = fsio_open(io, j->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	}
	if (r < 0) {
		ledger_zst_free(j);
		return r;
	}
	*ret = j;
	return 0;
}

/* Packs n bytes of in; end: and closes the frame. */
static int pack(struct ledger_zst_job *j, size_t n, bool end)
{
	ZSTD_inBuffer in = {j->in, n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {j->out, sizeof(j->out), 0};
		int r;

		left = ZSTD_compressStream2(j->z, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		r = fsio_write_all(j->io, j->to, j->out, out.pos, j->to_at);
		if (r < 0)
			return r;
		j->to_at += out.pos;
	} while (end ? left > 0 : in.pos < in.size);
	return 0;
}

/* The new name is on disk before the old one goes. */
static int settle(struct ledger_zst_job *j)
{
	int r = fsio_sync(j->io, j->to), closed = fsio_close(j->io, j->to);

	j->to = -1;
	if (r >= 0)
		r = closed;
	if (r >= 0)
		r = j->io->ops->rename(j->io->ctx, j->temp, j->packed);
	if (r < 0) {
		fsio_unlink(j->io, j->temp);
		return r;
	}
	r = fsio_sync_dir(j->io, j->dir);
	if (r >= 0)
		r = fsio_unlink(j->io, j->plain);
	return r < 0 ? r : fsio_sync_dir(j->io, j->dir);
}

int ledger_zst_step(struct ledger_zst_job *j, size_t budget)
{
	size_t done = 0, n;

	do {
		int r = fsio_read_full(j->io, j->from, j->in, sizeof(j->in), j->from_at, &n);

		if (r >= 0)
			r = pack(j, n, n < sizeof(j->in));
		if (r < 0)
			return r;
		j->from_at += n;
		done += n;
		if (n < sizeof(j->in)) {
			r = settle(j);
			return r < 0 ? r : 1;
		}
	} while (done < budget);
	return 0;
}

struct ledger_zst_job *ledger_zst_free(struct ledger_zst_job *j)
{
	if (!j)
		return NULL;
	if (j->from >= 0)
		fsio_close(j->io, j->from);
	if (j->to >= 0) {
		fsio_close(j->io, j->to);
		fsio_unlink(j->io, j->temp);
	}
	ZSTD_freeCCtx(j->z);
	free(j);
	return NULL;
}

struct ledger_zst_reader {
	const struct fsio *io;
	int fd;
	ZSTD_DCtx *z;
	uint64_t at, total;
	bool end; /* of the frame */
	ZSTD_inBuffer in;
	uint8_t data[CHUNK];
};

int ledger_zst_reader_open(const struct fsio *io, int fd, struct ledger_zst_reader **ret)
{
	struct ledger_zst_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->io = io;
	r->fd = fd;
	r->in.src = r->data;
	r->z = ZSTD_createDCtx();
	if (!r->z ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(r->z, ZSTD_d_windowLogMax, MAX_WINDOW_LOG))) {
		ledger_zst_reader_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

static int refill(struct ledger_zst_reader *r)
{
	int e;

	if (r->in.pos < r->in.size)
		return 0;
	e = fsio_read_full(r->io, r->fd, r->data, sizeof(r->data), r->at, &r->in.size);
	if (e < 0)
		return e;
	r->at += r->in.size;
	r->in.pos = 0;
	return 0;
}

int ledger_zst_reader_read(struct ledger_zst_reader *r, void *data, size_t size, size_t *ret_size)
{
	ZSTD_outBuffer out = {data, size, 0};

	while (!r->end && out.pos < size) {
		size_t before = out.pos, left;
		int e = refill(r);

		if (e < 0)
			return e;
		left = ZSTD_decompressStream(r->z, &out, &r->in);
		if (ZSTD_isError(left))
			return -EBADMSG;
		r->end = left == 0;
		/* Nothing more to read, and nothing came out: it was cut short. */
		if (!r->end && r->in.size == 0 && out.pos == before)
			return -EBADMSG;
	}
	r->total += out.pos;
	if (r->total > LEDGER_ZST_MAX)
		return -EFBIG;
	if (r->end) {
		int e = refill(r);

		if (e < 0)
			return e;
		if (r->in.size > 0 && r->in.pos < r->in.size)
			return -EBADMSG;
	}
	*ret_size = out.pos;
	return 0;
}

struct ledger_zst_reader *ledger_zst_reader_free(struct ledger_zst_reader *r)
{
	if (r)
		ZSTD_freeDCtx(r->z);
	free(r);
	return NULL;
}
