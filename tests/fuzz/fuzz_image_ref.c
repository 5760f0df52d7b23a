/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out goes into a URL as it is: nothing in it may mean something there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct image_ref r;
	struct why why;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	if (image_ref_parse(text, &r, &why) >= 0 &&
	    (strpbrk(r.registry, "/?#@%\\ ") || !r.registry[0] ||
	     strpbrk(r.repository, "?#@%\\: ") || !r.repository[0] || strstr(r.repository, "//") ||
	     strstr(r.repository, "/../") || strncmp(r.repository, "../", 3) == 0 ||
	     (r.digest[0] && !image_layout_is_digest(r.digest)) || strpbrk(r.tag, "/?#@%\\: ")))
		__builtin_trap();
	free(text);
	return 0;
}
