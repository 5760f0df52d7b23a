/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bootlog.c: boot logs: replayed in all banks, and read with their claims; the first byte is what the reader lets pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/bootlog_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
