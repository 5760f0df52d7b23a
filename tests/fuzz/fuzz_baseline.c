/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "baseline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A disk whose only file is the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

static int open_input(void *ctx, const char *path, int flags, mode_t mode)
{
	(void)ctx;
	(void)path;
	(void)flags;
	(void)mode;
	return 0;
}

static ssize_t read_input(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	const struct input *in = ctx;
	size_t n = at < in->size ? in->size - at : 0;

	(void)fd;
	n = n < size ? n : size;
	if (n)
		memcpy(data, in->data + at, n);
	return (ssize_t)n;
}

static int close_input(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static int look_up(void *ctx, const char *scope, const char *key, const char *expected)
{
	return baseline_expected(ctx, scope, key) == expected ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fsio_ops ops = {
		.open = open_input, .pread = read_input, .close = close_input};
	struct input in = {data, size};
	const struct fsio io = {&ops, &in};
	struct baseline *b = NULL;
	struct why why;

	/* Every entry that was read is found again. */
	if (baseline_open(&io, "input", NULL, 0, 0, &b, &why) >= 0 &&
	    baseline_each(b, look_up, b) != 0)
		__builtin_trap();
	baseline_free(b);
	return 0;
}
