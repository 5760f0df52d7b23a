/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image_layout.h"
#include "registry_challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says whether a challenge, a token or an index follows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), token[REGISTRY_CHALLENGE_MAX_TOKEN];
	struct buf b = {0};
	struct why why;
	uint32_t n = 0;

	if (!text || size == 0) {
		free(text);
		return 0;
	}
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] % 3) {
	case 0:
		/* Over what we do not speak to in the clear, never in the clear; and our question is never cut off. */
		if (registry_challenge_url(text, "a/b", false, &b) >= 0 &&
		    (memcmp(b.data, "https://", 8) != 0 || strchr((char *)b.data, '#') ||
		     !strstr((char *)b.data, "&scope=repository%3Aa%2Fb%3Apull")))
			__builtin_trap();
		break;
	case 1:
		if (registry_challenge_token(text, size - 1, token, &why) >= 0 &&
		    (strpbrk(token, "\r\n ") || !token[0]))
			__builtin_trap();
		break;
	default:
		if (image_layout_manifests(text, size - 1, &b, &n, &why) >= 0 &&
		    b.size != n * (size_t)IMAGE_LAYOUT_DIGEST_SIZE)
			__builtin_trap();
		break;
	}
	buf_done(&b);
	free(text);
	return 0;
}
