/* SPDX-License-Identifier: Apache-2.0 */
/* replay LOG: what a boot log comes to, a line for each register that it extends, in each bank: "sha256 0 HEX". */
#include <stdio.h>
#include <string.h>

#include "bootlog_replay.h"
#include "digest.h"

static const char *name_of(uint16_t alg)
{
	switch (alg) {
	case BOOTLOG_SHA1:
		return "sha1";
	case BOOTLOG_SHA256:
		return "sha256";
	case BOOTLOG_SHA384:
		return "sha384";
	case BOOTLOG_SHA512:
		return "sha512";
	default:
		return "unknown";
	}
}

static void print(const struct bootlog_pcrs *p)
{
	char hex[2 * BOOTLOG_MAX_DIGEST + 1];

	for (uint32_t i = 0; i < BOOTLOG_N_PCRS; i++) {
		if (!(p->mask & 1u << i))
			continue;
		digest_bytes_hex(p->values[i], p->size, hex);
		printf("%s %u %s\n", name_of(p->alg), i, hex);
	}
}

int main(int argc, char **argv)
{
	static uint8_t log[BOOTLOG_MAX + 1];
	struct bootlog_pcrs pcrs[BOOTLOG_MAX_BANKS];
	struct why why = {""};
	uint32_t n = 0;
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	size_t size = f ? fread(log, 1, sizeof(log), f) : 0;

	if (!f || ferror(f)) {
		perror("replay: cannot read LOG");
		return 2;
	}
	fclose(f);
	if (bootlog_replay_all(log, size, 0, pcrs, &n, &why) < 0) {
		fprintf(stderr, "replay: %s\n", why.text);
		return 1;
	}
	for (uint32_t i = 0; i < n; i++)
		print(&pcrs[i]);
	return 0;
}
