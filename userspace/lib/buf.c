/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX (1024u * 1024 * 1024)

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = 0;
}

void buf_cut(struct buf *b, size_t size)
{
	if (size >= b->size)
		return;
	b->size = size;
	b->data[size] = 0;
}

int buf_status(const struct buf *b)
{
	return b->error;
}

/* Room for size more bytes and a NUL. */
static int reserve(struct buf *b, size_t size)
{
	size_t max = b->max ? b->max : DEFAULT_MAX;
	size_t room = b->room ? b->room : 64;
	uint8_t *data;

	if (b->error)
		return b->error;
	/* A quarter of the address space, so that neither the NUL nor doubling can overflow. */
	if (max > SIZE_MAX / 4)
		max = SIZE_MAX / 4;
	if (size > max || b->size > max - size) {
		b->error = -E2BIG;
		return b->error;
	}
	if (b->data && b->room > b->size + size)
		return 0;
	while (room <= b->size + size)
		room *= 2;
	/* Never more than the bound, so that who finds room need not ask for the bound as well. */
	if (room > max + 1)
		room = max + 1;
	data = realloc(b->data, room);
	if (!data) {
		b->error = -ENOMEM;
		return b->error;
	}
	b->data = data;
	b->room = room;
	return 0;
}

uint8_t *buf_more_room(struct buf *b, size_t size)
{
	return reserve(b, size) < 0 ? NULL : b->data + b->size;
}

void buf_put(struct buf *b, const void *data, size_t size)
{
	uint8_t *at = buf_room(b, size);

	if (!at)
		return;
	if (size > 0)
		memcpy(at, data, size);
	buf_grew(b, size);
}

void buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0) {
		if (!b->error)
			b->error = -EINVAL;
		return;
	}
	if (reserve(b, (size_t)n) < 0)
		return;
	va_start(ap, format);
	vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, ap);
	va_end(ap);
	b->size += (size_t)n;
}

static void put_be(struct buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
	buf_put(b, bytes, size);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	put_be(b, v, 1);
}

void buf_put_u16be(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void buf_put_u32be(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void buf_put_u64be(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void buf_put_sized(struct buf *b, const void *data, size_t size)
{
	if (size > UINT32_MAX) {
		if (!b->error)
			b->error = -E2BIG;
		return;
	}
	buf_put_u32be(b, (uint32_t)size);
	buf_put(b, data, size);
}

char *buf_take(struct buf *b)
{
	char *text = NULL;

	if (!b->error && reserve(b, 0) == 0) {
		b->data[b->size] = 0;
		text = (char *)b->data;
		b->data = NULL;
	}
	buf_done(b);
	return text;
}

/* size at most 8; both byte orders. */
static int read_number(struct buf_reader *r, size_t size, int big, uint64_t *ret)
{
	uint64_t v = 0;

	if (buf_left(r) < size)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		v = v << 8 | r->data[r->at + (big ? i : size - 1 - i)];
	r->at += size;
	*ret = v;
	return 0;
}

#define DEFINE_READ(name, type, big)                           \
	int name(struct buf_reader *r, type *ret)              \
	{                                                      \
		uint64_t v;                                    \
		int e = read_number(r, sizeof(type), big, &v); \
                                                               \
		if (e < 0)                                     \
			return e;                              \
		*ret = (type)v;                                \
		return 0;                                      \
	}                                                      \
	_Static_assert(sizeof(type) <= 8, "fits read_number")

DEFINE_READ(buf_read_u8, uint8_t, 1);
DEFINE_READ(buf_read_u16be, uint16_t, 1);
DEFINE_READ(buf_read_u32be, uint32_t, 1);
DEFINE_READ(buf_read_u64be, uint64_t, 1);
DEFINE_READ(buf_read_u16le, uint16_t, 0);
DEFINE_READ(buf_read_u32le, uint32_t, 0);
DEFINE_READ(buf_read_u64le, uint64_t, 0);

int buf_read_bytes(struct buf_reader *r, size_t size, struct buf_view *ret)
{
	if (buf_left(r) < size)
		return -EBADMSG;
	*ret = (struct buf_view){r->data + r->at, size};
	r->at += size;
	return 0;
}

static int read_sized(struct buf_reader *r, size_t prefix, size_t max, struct buf_view *ret)
{
	size_t at = r->at;
	uint64_t size;
	int e = read_number(r, prefix, 1, &size);

	if (e < 0)
		return e;
	e = size > max ? -E2BIG : buf_read_bytes(r, size, ret);
	if (e < 0)
		r->at = at;
	return e;
}

int buf_read_sized16be(struct buf_reader *r, size_t max, struct buf_view *ret)
{
	return read_sized(r, 2, max, ret);
}

int buf_read_sized32be(struct buf_reader *r, size_t max, struct buf_view *ret)
{
	return read_sized(r, 4, max, ret);
}
