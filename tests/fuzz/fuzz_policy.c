/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_subject s = {.type = PLUMB_TYPE_FILE,
					 .scope = "host",
					 .key = "file:/srv/shop/config/a/b.conf",
					 .found = "unknown EMFILE",
					 .exe = "/usr/bin/dpkg",
					 .cgroup = "/shop.slice",
					 .actor_known = true};
	struct policy *p = NULL;
	struct why why;

	if (policy_open(data, size, &p, &why) >= 0)
		policy_match(p, &s);
	policy_free(p);
	return 0;
}
