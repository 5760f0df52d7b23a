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

/* The object first, the list next where one is changed. */
static void check(struct buf *b, size_t n_tests)
{
	json_t *patch = b->size ? json_loadb((char *)b->data, b->size, 0, NULL) : NULL;

	if (b->size && json_array_size(patch) < 2)
		abort();
	for (size_t i = 0; patch && i < n_tests; i++)
		is_test(json_array_get(patch, i));
	json_decref(patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kube_condition condition = {"False", "Quarantined", "a word"};

	for (int want = KUBE_FREE; want <= KUBE_QUARANTINE; want++) {
		const struct kube_job j = {.node = "n1",
					   .uid = "uid-1",
					   .boot_id = "11111111-2222-3333-4444-555555555555",
					   .want = (enum kube_want)want,
					   .unattested = (enum kube_mark)(want % 3),
					   .label = want == KUBE_FREE ? "" : "held",
					   .verdict = "a.b.c",
					   .condition = &condition};
		struct kube_seen seen;
		struct kube_patches p = {.taints = {0}};
		struct why why;

		if (kube_patch_make(data, size, &j, &p, &seen, &why) < 0 &&
		    p.taints.size + p.shown.size + p.status.size > 0)
			abort();
		check(&p.taints, 2);
		check(&p.shown, 1);
		if (p.status.size) {
			json_t *o = json_loadb((char *)p.status.data, p.status.size, 0, NULL);

			if (!json_is_object(o))
				abort();
			json_decref(o);
		}
		kube_patches_done(&p);
	}
	return 0;
}
