/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_anchors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define WINDOW 65536u

struct window {
	const struct fsio *io;
	int fd;
	uint8_t *data;
	uint64_t at; /* of data[0] in the file */
	size_t held;
	bool end; /* nothing comes after what is held */
};

int ledger_anchors_magic(const struct fsio *io, int fd)
{
	char magic[LEDGER_ANCHORS_START];
	size_t n;
	int r = fsio_read_full(io, fd, magic, sizeof(magic), 0, &n);

	if (r < 0)
		return r;
	if (n < sizeof(magic))
		return -ENODATA;
	return memcmp(magic, LEDGER_ANCHORS_MAGIC, sizeof(magic)) == 0 ? 0 : -EBADMSG;
}

static int fill(struct window *w)
{
	size_t n;
	int r = fsio_read_full(w->io, w->fd, w->data + w->held, WINDOW - w->held, w->at + w->held,
			       &n);

	if (r < 0)
		return r;
	w->end = n < WINDOW - w->held;
	w->held += n;
	return 0;
}

static void shift(struct window *w, size_t n)
{
	memmove(w->data, w->data + n, w->held - n);
	w->held -= n;
	w->at += n;
}

/* A power cut may leave zeros at the end: no record begins so. Gives where the file ends. */
static int only_zeros(struct window *w, uint64_t *ret_size)
{
	int r = 0;

	for (;;) {
		for (size_t i = 0; i < w->held; i++)
			if (w->data[i])
				return -EBADMSG;
		*ret_size = w->at + w->held;
		if (w->end)
			return 0;
		shift(w, w->held);
		r = fill(w);
		if (r < 0)
			return r;
	}
}

/* All whole records of the window. 0, what fn returned, -ENODATA: the rest is none, or cut short by the window or the file; -EBADMSG. */
static int take_records(struct window *w,
			int (*fn)(void *ctx, const struct ledger_anchor *a, uint64_t end),
			void *ctx)
{
	struct buf_reader reader = buf_reader_of(w->data, w->held);
	struct ledger_anchor a;
	struct why why;
	int r;

	do {
		r = ledger_dir_anchor_read(&reader, &a, &why);
		if (r <= 0)
			break;
		r = fn(ctx, &a, w->at + reader.at);
	} while (r == 0);
	shift(w, reader.at);
	return r;
}

static int walk(struct window *w, int (*fn)(void *ctx, const struct ledger_anchor *a, uint64_t end),
		void *ctx, struct ledger_anchors_end *ret)
{
	int r;

	do {
		r = fill(w);
		if (r >= 0)
			r = take_records(w, fn, ctx);
		ret->at = w->at;
		ret->size = w->at + w->held;
		/* A record has less than that: what is left is none at all. */
		if (r == -ENODATA && !w->end && w->held > 4 + LEDGER_MAX_ANCHOR)
			return only_zeros(w, &ret->size);
	} while ((r == 0 || r == -ENODATA) && !w->end);
	return r == -ENODATA ? 0 : r;
}

int ledger_anchors_walk(const struct fsio *io, int fd, uint64_t at,
			int (*fn)(void *ctx, const struct ledger_anchor *a, uint64_t end),
			void *ctx, struct ledger_anchors_end *ret, struct why *ret_why)
{
	struct window w = {.io = io, .fd = fd, .at = at, .data = malloc(WINDOW)};
	int r = w.data ? walk(&w, fn, ctx, ret) : -ENOMEM;

	free(w.data);
	return r == -EBADMSG
		       ? why_set(ret_why, r,
				 "anchors: byte %" PRIu64 ": a record is malformed or was changed",
				 ret->at)
		       : r;
}
