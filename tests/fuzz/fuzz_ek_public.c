/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_public.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One file is one node, whenever it is asked. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char one[65] = "", two[65] = "";
	struct why why;

	if (ek_public_node(data, size, one, &why) < 0)
		return 0;
	if (strlen(one) != 64 || ek_public_node(data, size, two, &why) < 0 || strcmp(one, two) != 0)
		__builtin_trap();
	return 0;
}
