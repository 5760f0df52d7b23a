/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_audit.c: audit records as they are read from the multicast group, and which of them are execs. */
#include <errno.h>
#include <stdlib.h>

#include "../../userspace/agent/audit_exec.h"
#include "../../userspace/agent/netlink_read.h"
#include "../../userspace/agent/sensor_audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct sensor_audit_record a;
	struct audit_exec execs = {0};
	struct why why = {""};

	while (netlink_read_message(&reader, &m, &why) > 0) {
		int r = sensor_audit_parse(m.type, m.body, &a, &why);

		if (r != 0 && (r != -EBADMSG || why.text[0] == '\0'))
			abort();
		if (r == 0 && a.text.size > m.body.size)
			abort();
		if (r == 0) {
			uint32_t pid = 0;

			if (audit_exec_take(&execs, m.type, a.serial, a.pid, &pid) && pid == 0)
				abort();
		}
	}
	return 0;
}
