/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ledger_zst.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t size;
};

static ssize_t read_memory(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	const struct memory *m = ctx;
	size_t n = at >= m->size ? 0 : m->size - (size_t)at;

	(void)fd;
	n = n < size ? n : size;
	memcpy(data, m->data + (at < m->size ? at : 0), n);
	return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {data, size};
	const struct fsio_ops ops = {.pread = read_memory};
	const struct fsio io = {&ops, &m};
	struct ledger_zst_reader *z = NULL;
	char chunk[4096];
	size_t n = 1, total = 0;

	if (ledger_zst_reader_open(&io, -1, &z) < 0)
		return 0;
	while (n > 0 && total < 1u << 20 &&
	       ledger_zst_reader_read(z, chunk, sizeof(chunk), &n) >= 0)
		total += n;
	ledger_zst_reader_free(z);
	return 0;
}
