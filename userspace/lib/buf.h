/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h: bytes that grow to a bound, and a bounded reader of foreign bytes.
 * In: bytes. Out: bytes, or -EBADMSG when a read would pass the end, -E2BIG when a write would pass the bound.
 */
#ifndef PLUMB_BUF_H
#define PLUMB_BUF_H

#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes. */
struct buf_view {
	const uint8_t *data;
	size_t size;
};

/* Grows by doubling up to max. The first failure sticks: check buf_status() once, after the last put. Zero-initialise or buf_init(). */
struct buf {
	uint8_t *data;		/* always followed by a NUL that size does not count, once anything was put */
	size_t size;
	size_t room;
	size_t max;		/* bytes; 0: 1 GiB. Holds for what is put from then on, also when it is set late */
	int error;		/* 0, -ENOMEM, -E2BIG, -EINVAL */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);			/* frees; b can be used again. Usable with CLEANUP(buf_done) */
void buf_clear(struct buf *b);			/* size 0, error 0, memory kept */
void buf_cut(struct buf *b, size_t size);	/* back to size bytes, when it has more: undoes what was put since */
int buf_status(const struct buf *b);
void buf_put(struct buf *b, const void *data, size_t size);
/* For who writes many small pieces: where size more bytes may be written, until the next call for b; NULL: as a put that failed. */
uint8_t *buf_more_room(struct buf *b, size_t size);	/* the same; grows it */
static inline uint8_t *buf_room(struct buf *b, size_t size)
{
	if (b->error || b->room <= b->size || b->room - b->size <= size || (b->max && b->room - 1 > b->max))
		return buf_more_room(b, size);
	return b->data + b->size;
}

static inline void buf_grew(struct buf *b, size_t size)	/* of the room asked for, so much was written */
{
	b->size += size;
	b->data[b->size] = 0;
}

void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16be(struct buf *b, uint16_t v);
void buf_put_u32be(struct buf *b, uint32_t v);
void buf_put_u64be(struct buf *b, uint64_t v);
void buf_put_sized(struct buf *b, const void *data, size_t size);	/* u32be length, then the bytes */
char *buf_take(struct buf *b);			/* caller frees; b is empty then. NULL after an error */

/* Reading. Nothing moves when a read fails. */
struct buf_reader {
	const uint8_t *data;
	size_t size;
	size_t at;
};

static inline struct buf_reader buf_reader_of(const void *data, size_t size)
{
	return (struct buf_reader){ .data = data, .size = size, .at = 0 };
}

static inline size_t buf_left(const struct buf_reader *r)
{
	return r->size - r->at;
}

int buf_read_u8(struct buf_reader *r, uint8_t *ret);
int buf_read_u16be(struct buf_reader *r, uint16_t *ret);
int buf_read_u32be(struct buf_reader *r, uint32_t *ret);
int buf_read_u64be(struct buf_reader *r, uint64_t *ret);
int buf_read_u16le(struct buf_reader *r, uint16_t *ret);
int buf_read_u32le(struct buf_reader *r, uint32_t *ret);
int buf_read_u64le(struct buf_reader *r, uint64_t *ret);
int buf_read_bytes(struct buf_reader *r, size_t size, struct buf_view *ret);	/* borrowed */
int buf_read_sized16be(struct buf_reader *r, size_t max, struct buf_view *ret);	/* TPM2B: u16be length + bytes; over max: -E2BIG */
int buf_read_sized32be(struct buf_reader *r, size_t max, struct buf_view *ret);

#endif
