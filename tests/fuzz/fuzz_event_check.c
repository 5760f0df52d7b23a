/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_event_check.c: records of the kernel programs, as the agent checks them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/event_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union event_record r;
	struct why why = {""};
	int result;

	memset(&r, 0xa5, sizeof(r));
	result = event_check(data, size, &r, &why);
	if (result == 0) {
		/* What is accepted can be used as text without a further look. */
		if (r.event.size != size || r.event.version != PLUMB_EVENT_VERSION)
			abort();
		if (r.event.kind == PLUMB_KIND_EXEC && r.event.flags & PLUMB_EVENT_ARGS &&
		    r.exec_args.args.kept > sizeof(r.exec_args.args.text))
			abort();
		if (r.event.kind == PLUMB_KIND_EXEC &&
		    (strlen(r.exec.path) >= sizeof(r.exec.path) ||
		     strlen(r.exec.name) >= sizeof(r.exec.name) ||
		     strlen(r.exec.task.comm) >= PLUMB_COMM_SIZE))
			abort();
	} else if ((result != -EBADMSG && result != -ENOTSUP) || why.text[0] == '\0') {
		abort();
	}
	return 0;
}
