/* SPDX-License-Identifier: Apache-2.0 */
/* A Node object as an API server gives it: never a patch without a test of the list and of the object, never one that is no JSON. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "kube_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_test(const json_t *op)
{
	const char *name = json_string_value(json_object_get(op, "op"));

	if (!name || strcmp(name, "test") != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int want = KUBE_FREE; want <= KUBE_QUARANTINE; want++) {
		const struct kube_job j = {.node = "n1",
					   .boot_id = "11111111-2222-3333-4444-555555555555",
					   .want = (enum kube_want)want};
		struct kube_seen seen;
		struct buf b = {0};
		struct why why;
		int r = kube_patch_make(data, size, &j, &b, &seen, &why);

		if (r == 1) {
			json_t *patch = json_loadb((char *)b.data, b.size, 0, NULL);

			if (json_array_size(patch) != 3)
				abort();
			is_test(json_array_get(patch, 0));
			is_test(json_array_get(patch, 1));
			json_decref(patch);
		} else if (b.size != 0) {
			abort();
		}
		buf_done(&b);
	}
	return 0;
}
