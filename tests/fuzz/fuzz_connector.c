/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_connector.c: payloads of the kernel's process connector. */
#include <errno.h>
#include <stdlib.h>

#include "../../userspace/agent/sensor_netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sensor_netlink_event e;
	struct why why = {""};
	int r = sensor_netlink_parse(data, size, &e, &why);

	if (r == 0 && e.what == SENSOR_NETLINK_EXEC && e.pid == 0)
		abort();
	if (r != 0 && (r != -EBADMSG || why.text[0] == '\0'))
		abort();
	return 0;
}
