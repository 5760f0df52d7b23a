/* SPDX-License-Identifier: Apache-2.0 */
/* Records come out whole and in order wherever they lie, none that is being written, none that was thrown away; a moved reader ends nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <string.h>

#include "ring_read.h"

#define SIZE 4096u

struct ring {
	_Alignas(8) uint8_t data[SIZE];
	unsigned long consumer, producer;
	struct ring_read read;
	uint32_t sizes[SIZE], n;
	uint8_t next; /* what the first byte of the next one must be */
	int answer;
	uint32_t n_rounds, n_at_round; /* records that had been taken when the last one began */
};

static int on_record(void *ctx, const void *data, size_t size)
{
	struct ring *r = ctx;
	const uint8_t *p = data;

	assert_int_equal((uintptr_t)p % 8, 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(p[i], (uint8_t)(r->next + i));
	r->next++;
	r->sizes[r->n++] = (uint32_t)size;
	return r->answer;
}

static void on_round(void *ctx)
{
	struct ring *r = ctx;

	r->n_rounds++;
	r->n_at_round = r->n;
}

static struct ring *begin(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->read = (struct ring_read){.data = r->data,
				     .size = SIZE,
				     .consumer = &r->consumer,
				     .producer = &r->producer,
				     .calls = {on_record, on_round, r}};
	return r;
}

static uint32_t *head_at(struct ring *r, unsigned long at)
{
	return (void *)(r->data + at % SIZE);
}

/* As the kernel lays one down; its bytes count up from first. Where it begins. */
static unsigned long put(struct ring *r, uint32_t size, uint8_t first, uint32_t flags)
{
	unsigned long at = r->producer;

	*head_at(r, at) = size | flags;
	for (uint32_t i = 0; i < size; i++)
		r->data[(at + BPF_RINGBUF_HDR_SZ + i) % SIZE] = (uint8_t)(first + i);
	r->producer += (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
	return at;
}

static void test_around(void **state)
{
	static struct ring ring;
	struct ring *r = begin(&ring);

	(void)state;
	assert_int_equal(ring_read_all(&r->read), 0);
	assert_int_equal(r->n_rounds, 0);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t size = 1 + i * 37 % 1500;

		put(r, size, (uint8_t)(2 * i), 0);
		put(r, 8, (uint8_t)(2 * i + 1), 0);
		r->n = 0;
		assert_int_equal(ring_read_all(&r->read), 2);
		assert_int_equal(r->sizes[0], size);
		assert_int_equal(r->sizes[1], 8);
		assert_int_equal(r->consumer, r->producer);
	}
}

static void test_busy_and_discarded(void **state)
{
	static struct ring ring;
	struct ring *r = begin(&ring);
	unsigned long busy;

	(void)state;
	put(r, 10, 0, 0);
	put(r, 10, 77, BPF_RINGBUF_DISCARD_BIT);
	busy = put(r, 10, 1, BPF_RINGBUF_BUSY_BIT);
	put(r, 10, 2, 0);
	assert_int_equal(ring_read_all(&r->read), 1);
	assert_int_equal(r->consumer, busy);
	assert_int_equal(ring_read_all(&r->read), 0);
	*head_at(r, busy) &= ~BPF_RINGBUF_BUSY_BIT;
	assert_int_equal(ring_read_all(&r->read), 2);
	assert_int_equal(r->consumer, r->producer);
}

static void test_stop(void **state)
{
	static struct ring ring;
	struct ring *r = begin(&ring);

	(void)state;
	put(r, 10, 0, 0);
	put(r, 10, 1, 0);
	r->answer = -11;
	assert_int_equal(ring_read_all(&r->read), -11);
	assert_int_equal(r->n, 1);
	r->answer = 0;
	assert_int_equal(ring_read_all(&r->read), 1);
	assert_int_equal(r->n, 2);
}

static int on_record_put(void *ctx, const void *data, size_t size)
{
	struct ring *r = ctx;
	int e = on_record(ctx, data, size);

	if (r->n == 2)
		put(r, 10, (uint8_t)(r->next + 1), 0);
	return e;
}

/* What was begun since a round began is of another one. */
static void test_rounds(void **state)
{
	static struct ring ring;
	struct ring *r = begin(&ring);

	(void)state;
	r->read.calls.record = on_record_put;
	put(r, 10, 0, 0);
	put(r, 10, 1, 0);
	put(r, 10, 2, 0);
	assert_int_equal(ring_read_all(&r->read), 4);
	assert_int_equal(r->n_rounds, 2);
	assert_int_equal(r->n_at_round, 3);
}

/* Somebody else wrote the reader's position, or what stands there is no header: one record of nothing, and on with the next. */
static void test_moved(void **state)
{
	static struct ring ring;
	static const uint32_t bad[] = {RING_READ_MAX + 1, 0x3fffffff, 200};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ring *r = begin(&ring);
		unsigned long first = put(r, 100, 5, 0);

		*head_at(r, first) = bad[i];
		assert_int_equal(ring_read_all(&r->read), 1);
		assert_int_equal(r->sizes[0], 0);
		assert_int_equal(r->consumer, r->producer);
		r->next = 9;
		put(r, 20, 9, 0);
		assert_int_equal(ring_read_all(&r->read), 1);
		assert_int_equal(r->sizes[1], 20);
	}
	for (unsigned long at = 1; at < 9; at++) {
		struct ring *r = begin(&ring);

		put(r, 100, 5, 0);
		r->consumer = at;
		assert_int_equal(ring_read_all(&r->read) > 0, 1);
		assert_int_equal(r->consumer, r->producer);
		r->consumer = r->producer + 8;
		assert_int_equal(ring_read_all(&r->read), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_around), cmocka_unit_test(test_busy_and_discarded),
		cmocka_unit_test(test_stop),   cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
