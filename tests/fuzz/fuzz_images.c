/* SPDX-License-Identifier: Apache-2.0 */
/* What runtimes keep, as foreign bytes: whatever comes out is a digest. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char id[] = "1111111111111111111111111111111111111111111111111111111111111111";
	char digest[IMAGES_DIGEST_SIZE];

	for (int kind = IMAGES_DOCKER; kind <= IMAGES_STORAGE; kind++) {
		if (images_parse((enum images_kind)kind, id, data, size, digest) < 0)
			continue;
		if (strncmp(digest, "sha256:", 7) != 0 ||
		    strspn(digest + 7, "0123456789abcdef") != 64 || digest[71] != 0)
			abort();
	}
	return 0;
}
