/* SPDX-License-Identifier: Apache-2.0 */
/* A log's head, lines and proofs from anybody, with a NUL between each: none of it is believed without a key, and nothing is read past its end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "incident_log.h"
#include "merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sign_key *key;
	const uint8_t *a = size ? memchr(data, 0, size) : NULL;
	const uint8_t *b = a ? memchr(a + 1, 0, size - (size_t)(a + 1 - data)) : NULL;
	struct checkpoint head;
	struct why why = {""};
	uint64_t n = 0;

	if (!key && sign_key_generate(SIGN_ED25519, &key) < 0)
		abort();
	if (!b)
		return 0;
	if (incident_log_note((const char *)data, (size_t)(a - data),
			      (const struct sign_key *const *)&key, 1, &head, &why) == 0)
		abort();
	if (!why.text[0])
		abort();
	/* As though the head had been signed: a tree of one line, whose root is that line. */
	{
		const struct buf_view lines = {a + 1, (size_t)(b - a - 1)},
				      proofs = {b + 1, size - (size_t)(b + 1 - data)};

		memset(&head, 0, sizeof(head));
		head.size = 1;
		if (lines.size > 0 && merkle_leaf(lines.data, lines.size - 1, &head.root) < 0)
			abort();
		why.text[0] = 0;
		if (incident_log_check(&head, &lines, &proofs, &n, &why) < 0 && !why.text[0])
			abort();
		if (n > 1)
			abort();
	}
	return 0;
}
