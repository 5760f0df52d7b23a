/* SPDX-License-Identifier: Apache-2.0 */
/* A list of pods and a group of the API as a server gives them: no name in a path but one that is a name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube_patch.h"
#include "kube_pods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_pods p;
	struct why why;

	if (strncmp(kube_pods_policy(data, size), "policy/", 7) != 0)
		abort();
	if (kube_pods_read(data, size, &p, &why) < 0)
		return 0;
	for (uint32_t i = 0; i < p.n; i++)
		if (!kube_patch_is_name(p.all[i].name) || !kube_patch_is_name(p.all[i].namespace))
			abort();
	kube_pods_done(&p);
	return 0;
}
