/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_uevent.c: uevents as the kernel sends them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/sensor_uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sensor_uevent_event e;
	struct why why = {""};
	int r = sensor_uevent_parse(data, size, &e, &why);

	if (r != 0 && (r != -EBADMSG || why.text[0] == '\0'))
		abort();
	if (r == 0 && e.what != SENSOR_UEVENT_OTHER &&
	    (e.name[0] == '\0' || !memchr(e.name, '\0', sizeof(e.name)) || strchr(e.name, '/')))
		abort();
	return 0;
}
