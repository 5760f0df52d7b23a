/* SPDX-License-Identifier: Apache-2.0 */
#include "anchor_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ledger_anchors.h"

struct search {
	const struct evidence_nonce *base;
	struct anchor_cut here; /* the register as it is while reading */
	struct anchor_cut found; /* at 0: not found */
	uint64_t extend_at; /* where an extend without its done begins; 0: none */
};

static bool is_base(const struct evidence_nonce *base, const struct anchor_cut *p)
{
	return base->has_base && p->reset == base->base_reset && p->restart == base->base_restart &&
	       digest_equal(&p->value, &base->base_pcr);
}

static int take(void *ctx, const struct ledger_anchor *a, uint64_t end)
{
	struct search *s = ctx;
	uint64_t begin = s->here.at ? s->here.at : LEDGER_ANCHORS_START;

	s->here.at = end;
	switch (a->kind) {
	case LEDGER_ANCHOR_EXTEND:
		s->extend_at = begin;
		return 0; /* leaves the register as it was */
	case LEDGER_ANCHOR_EPOCH:
		s->here.reset = a->epoch.reset_count;
		s->here.restart = a->epoch.restart_count;
		s->here.value = a->epoch.found;
		break;
	case LEDGER_ANCHOR_DONE:
		s->here.value = a->done.pcr;
		s->extend_at = 0;
		break;
	case LEDGER_ANCHOR_FOREIGN:
		s->here.value = a->foreign.found;
		break;
	}
	if (!is_base(s->base, &s->here))
		return 0;
	s->found = s->here;
	/* A restart found the register as the base has it: the done to come is of an extend that was begun before. */
	if (s->extend_at)
		s->found.at = s->extend_at;
	return 0;
}

/* Bases only go forward, unless the verifier was put back from an older store: then all is read again. */
static int find(const struct fsio *io, int fd, struct search *s, const struct anchor_cut *from,
		struct ledger_anchors_end *ret_end)
{
	struct why why;
	uint64_t at = from->at ? from->at : LEDGER_ANCHORS_START;
	int r;

	s->here = *from;
	s->extend_at = 0;
	s->found = (struct anchor_cut){.at = 0};
	if (from->at && is_base(s->base, from))
		s->found = *from;
	r = ledger_anchors_walk(io, fd, at, take, s, ret_end, &why);
	if (r < 0 || s->found.at || !from->at)
		return r;
	return find(io, fd, s, &(struct anchor_cut){.at = 0}, ret_end);
}

static int read_from(const struct fsio *io, int fd, uint64_t at, uint64_t end, struct buf *ret)
{
	int r = 0;

	if (end - at > ANCHOR_CUT_MAX)
		return -E2BIG;
	while (at < end && r >= 0) {
		uint8_t chunk[16384];
		size_t n = end - at < sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk), got = 0;

		r = fsio_read_full(io, fd, chunk, n, at, &got);
		if (r >= 0 && got < n)
			r = -EBADMSG;
		buf_put(ret, chunk, got);
		at += got;
	}
	return r < 0 ? r : buf_status(ret);
}

int anchor_cut_read(const struct fsio *io, const char *ledger_dir,
		    const struct evidence_nonce *base, struct anchor_cut *cut, struct buf *ret)
{
	struct search s = {.base = base};
	struct ledger_anchors_end end = {.at = 0};
	char path[PATH_MAX];
	int fd, r;

	if (snprintf(path, sizeof(path), "%s/anchors", ledger_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = fsio_open(io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	r = ledger_anchors_magic(io, fd);
	if (r >= 0)
		r = find(io, fd, &s, cut, &end);
	if (r >= 0)
		r = end.size > end.at ? -EBADMSG : 0;
	if (r >= 0)
		r = read_from(io, fd, s.found.at ? s.found.at : LEDGER_ANCHORS_START, end.at, ret);
	fsio_close(io, fd);
	if (r >= 0 && s.found.at)
		*cut = s.found;
	return r == -ENODATA ? -EBADMSG : r;
}
