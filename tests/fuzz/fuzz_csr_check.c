/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the API for a certificate request: read strictly, or not at all; what is taken has a name that a URL may have. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csr_check.h"
#include "kube_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, 0, NULL);
	struct csr_check c;
	struct csr_request q;
	struct why why;

	if (csr_check(o, &c, &why) == 0 &&
	    (!kube_patch_is_name(c.request.node) || strpbrk(c.name, "/?%#") || !c.name[0]))
		abort();
	json_decref(o);
	/* The request alone, as it is in the object's base64. */
	if (csr_request_read(data, size, &q, &why) == 0 && !kube_patch_is_name(q.node))
		abort();
	return 0;
}
