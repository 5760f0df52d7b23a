/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bootlog.c: boot logs: replayed in all banks, and read with their claims; the first byte is what the reader lets pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/bootlog_efi.h"
#include "../../userspace/lib/bootlog_reading.h"
#include "../../userspace/lib/digest.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What firmware and GRUB measure of an event's data: all, a variable's value, or a text without what stands before and behind it. */
static struct buf_view measured(const struct bootlog_event *e)
{
	const uint8_t *colon = memchr(e->data.data, ' ', e->data.size < 24 ? e->data.size : 24);
	struct bootlog_efi_variable v;
	struct buf_view all = e->data;

	if (e->type == BOOTLOG_EFI_BOOT && bootlog_efi_variable(&all, &v) >= 0)
		return v.data;
	if (e->type != BOOTLOG_IPL || !colon)
		return all;
	all.size -= (size_t)(colon + 1 - all.data);
	all.data = colon + 1;
	if (all.size > 0 && all.data[all.size - 1] == 0)
		all.size--;
	return all;
}

/* Nothing of a changed event is believed while its digest is that of another: most get theirs again. */
size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	struct mutate m = {.data = data, .size = size, .max = max, .state = size + 1};
	struct bootlog_event e;
	struct bootlog b;
	int bank;

	if (size < 2 || bootlog_open(data + 1, size - 1, data[0] & 3, &b, NULL) < 0)
		return size;
	for (size_t i = 0; i < size; i += 1 + size / 64)
		m.state = m.state * 31 + data[i];
	m.state |= 1;
	bank = bootlog_bank(&b, BOOTLOG_SHA256);
	while (bank >= 0 && bootlog_next(&b, &e, NULL) > 0) {
		struct buf_view v = measured(&e);
		struct digest d;

		if ((e.type == BOOTLOG_IPL || e.type >= 0x80000000) && mutate_below(&m, 4) &&
		    digest_sha256_parts(&v, 1, &d) >= 0)
			memcpy(data + (e.digests[bank] - data), d.bytes, DIGEST_SIZE);
	}
	return size;
}

static int put(void *ctx, const char *key, const char *value)
{
	unsigned int *n = ctx;

	/* Both go into JSON, and into the store. */
	if (strncmp(key, "measured:", 9) != 0 || strlen(key) > 200 || !value[0] ||
	    strlen(value) > 20000)
		abort();
	for (const char *p = value; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			abort();
	++*n;
	return 0;
}

static void explain(const uint8_t *data, size_t size, const struct bootlog_pcrs *k)
{
	static const uint8_t other[32] = {1};
	struct why why = {""};

	for (uint32_t pcr = 0; pcr < BOOTLOG_N_PCRS; pcr++)
		if (k->n[pcr] &&
		    (bootlog_replay_explain(data, size, 0, pcr, other, &why) < 0 || !why.text[0]))
			abort();
}

static void read_it(const uint8_t *data, size_t size)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};
	unsigned int n = 0;
	int r = bootlog_reading_open(data, size, &g, &why);

	if (r < 0) {
		if ((r != -EBADMSG && r != -E2BIG && r != -EOPNOTSUPP) || !why.text[0])
			abort();
		return;
	}
	if (bootlog_reading_claims(g, put, &n) < 0 || n < 8)
		abort();
	if (size < 2000)
		explain(data, size, bootlog_reading_pcrs(g));
	bootlog_reading_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bootlog_pcrs banks[BOOTLOG_MAX_BANKS];
	struct why why = {""};
	uint32_t n = 0;

	if (size == 0)
		return 0;
	if (bootlog_replay_all(data + 1, size - 1, data[0] & 3, banks, &n, &why) < 0
		    ? !why.text[0]
		    : n > BOOTLOG_MAX_BANKS)
		abort();
	read_it(data + 1, size - 1);
	return 0;
}
