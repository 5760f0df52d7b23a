/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mountinfo.c: one line of /proc/PID/mountinfo; its names are chosen by whoever mounts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mountinfo_entry e;
	struct why why = {""};
	int r = mountinfo_parse((const char *)data, size, &e, &why);

	if (r == 0 && (!e.root[0] || !e.point[0] || !e.fstype[0] || !e.source[0]))
		abort();
	if (r != 0 && (r != -EBADMSG || why.text[0] == '\0'))
		abort();
	return 0;
}
