/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_read.h: goes through the segments of a ledger directory, a line at a time. Trusts nothing in it.
 * In: a directory. Out: each segment's header and each line, in order. Bounded: one line is held at a time.
 */
#ifndef PLUMB_LEDGER_READ_H
#define PLUMB_LEDGER_READ_H

#include <stdbool.h>
#include <stdint.h>
#include "checkpoint.h"
#include "fsio.h"
#include "merkle.h"
#include "why.h"

#define LEDGER_READ_MAX_SEGMENTS 100000u

struct ledger_read_segment {
	char name[64];				/* in the directory */
	bool packed;				/* .zst */
	char origin[CHECKPOINT_MAX_ORIGIN];	/* as its header says */
	uint64_t first;
	struct merkle frontier;
	uint64_t header_size;			/* bytes of the header line with its LF */
};

struct ledger_read_calls {
	void *ctx;
	/* Both return 0 to go on, else the walk ends with that. */
	int (*segment)(void *ctx, const struct ledger_read_segment *s);	/* may be NULL */
	int (*line)(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *line, size_t size);	/* without LF */
	/* Bytes after the last LF of a segment, or nothing at all (size 0). NULL: an error, -ENODATA. at: offset of the first. */
	int (*torn)(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size);
	/*
	 * What should be line seq, or the header (s->header_size 0), ends with LF and is longer than any may be, or no header. Not 0 ends the
	 * walk with that; 0, or NULL: an error, -EBADMSG.
	 */
	int (*broken)(void *ctx, const struct ledger_read_segment *s, uint64_t seq);
};

/* First numbers of all segments, sorted, each once; caller frees. */
int ledger_read_list(const char *dir, uint64_t **ret_firsts, uint32_t *ret_n, struct why *ret_why);
/* The plain file where there are both, else the .zst. */
int ledger_read_one(const struct fsio *io, const char *dir, uint64_t first, const struct ledger_read_calls *c, struct why *ret_why);
/* All segments that may hold lines from `from` on. -ENOENT: no segment at all. */
int ledger_read_all(const struct fsio *io, const char *dir, uint64_t from, const struct ledger_read_calls *c, struct why *ret_why);
/* Each line from number `from` on; one without its end is none. fn returns 0 to go on, else the walk ends with that. */
int ledger_read_each(const struct fsio *io, const char *dir, uint64_t from, int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size),
		     void *ctx, struct why *ret_why);
/* The origin that the first readable header names. -ENOENT: no segment at all. */
int ledger_read_origin(const struct fsio *io, const char *dir, char ret[CHECKPOINT_MAX_ORIGIN], struct why *ret_why);
/* For fuzzing and recovery: one header line without LF. */
int ledger_read_header(const char *line, size_t size, struct ledger_read_segment *ret, struct why *ret_why);

#endif
