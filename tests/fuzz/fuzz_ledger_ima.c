/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ledger_ima.c: a kept list as foreign bytes, read through the disk's door; the first byte says how it lies there: plain, or packed. What is
 * given is what was read, entry after entry, and an `ima` line of these bytes is taken whole or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_ima.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t size;
	bool packed;
};

static int open_memory(void *ctx, const char *path, int flags, mode_t mode)
{
	static int plain = -1; /* a file for whoever looks what it is */
	const struct memory *m = ctx;
	const size_t n = strlen(path);

	if (plain < 0)
		plain = memfd_create("list", MFD_CLOEXEC);
	if (plain < 0)
		abort();
	(void)flags;
	(void)mode;
	return m->packed == (n > 4 && strcmp(path + n - 4, ".zst") == 0) ? plain : -ENOENT;
}

static ssize_t read_memory(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	const struct memory *m = ctx;
	size_t n = at >= m->size ? 0 : m->size - (size_t)at;

	(void)fd;
	n = n < size ? n : size;
	memcpy(data, m->data + (at < m->size ? at : 0), n);
	return (ssize_t)n;
}

static int close_memory(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static void read_line(const uint8_t *data, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL, *again = NULL;
	CLEANUP(buf_done) struct buf b = {0}, text = {0};
	struct ledger_ima_seal s, t;
	struct why why = {""};

	if (jsonl_parse(data, size, 65535, &o, &why) < 0 || ledger_ima_seal_read(o, &s, &why) < 0)
		return;
	if (ledger_ima_seal_write(&s, &b) < 0)
		abort();
	buf_printf(&text, "{%s}", (char *)b.data);
	if (jsonl_parse(text.data, text.size, 65535, &again, &why) < 0 ||
	    ledger_ima_seal_read(again, &t, &why) < 0 || memcmp(&s, &t, sizeof(s)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.data = NULL};
	const struct fsio_ops ops = {
		.open = open_memory, .pread = read_memory, .close = close_memory};
	const struct fsio io = {&ops, &m};
	struct ledger_ima_reader *in = NULL;
	struct imalog_entry e;
	struct digest d, is;
	struct why why = {""};
	uint64_t n = 0;
	int r;

	if (size == 0)
		return 0;
	m = (struct memory){data + 1, size - 1, data[0] & 1};
	read_line(data + 1, size - 1);
	if (ledger_ima_open(&io, "d", "l", &in) < 0)
		abort();
	while ((r = ledger_ima_next(in, &e, &why)) > 0) {
		const struct buf_view v = ledger_ima_last(in);

		if (++n != ledger_ima_count(in) || v.size < 28 || ledger_ima_bytes(in) < v.size)
			abort();
		if (!m.packed &&
		    (ledger_ima_bytes(in) > m.size ||
		     memcmp(v.data, m.data + ledger_ima_bytes(in) - v.size, v.size) != 0))
			abort();
	}
	if (r < 0 && !why.text[0])
		abort();
	if (r == 0 && !m.packed && ledger_ima_bytes(in) != m.size)
		abort();
	if (!m.packed &&
	    (ledger_ima_digest(in, &d) < 0 ||
	     digest_sha256(m.data, ledger_ima_bytes(in), &is) < 0 || !digest_equal(&d, &is)))
		abort();
	ledger_ima_free(in);
	return 0;
}
