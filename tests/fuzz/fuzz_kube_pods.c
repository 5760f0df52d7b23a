/* SPDX-License-Identifier: Apache-2.0 */
/* A list of pods and a group of the API as a server gives them: no name in a path but one that is a name, and nothing in a query that ends it. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube_patch.h"
#include "kube_pods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_pods p = {.n = 0};
	struct buf more = {0};
	struct why why;

	if (strncmp(kube_pods_policy(data, size), "policy/", 7) != 0)
		abort();
	(void)kube_pods_read(data, size, &p, &more, &why);
	for (size_t i = 0; i < more.size; i++)
		if (!isalnum(more.data[i]) && more.data[i] != '%')
			abort();
	for (uint32_t i = 0; i < p.n; i++)
		if (!kube_patch_is_name(p.all[i].name) || !kube_patch_is_name(p.all[i].namespace))
			abort();
	kube_pods_done(&p);
	buf_done(&more);
	return 0;
}
