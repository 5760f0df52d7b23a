/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server says of a token, and its Pod: no name in a path but one that is a name, nothing from an answer that was refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube_patch.h"
#include "token_review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token_review_wants wants = {"plumb-verifier", "plumbline", "plumbd"};
	struct token_review t = {.pod = ""};
	struct why why;
	int r = token_review_read(data, size, &wants, &t, &why);

	if (r >= 0 && (!kube_patch_is_name(t.pod) || !t.pod_uid[0] ||
		       (t.node[0] && !kube_patch_is_name(t.node))))
		abort();
	if (r < 0 && t.pod[0])
		abort();
	t = (struct token_review){.pod = "plumbd-x", .pod_uid = "aa-1"};
	r = token_review_pod(data, size, &wants, &t, &why);
	if (r >= 0 ? !kube_patch_is_name(t.node) : t.node[0] != 0)
		abort();
	return 0;
}
