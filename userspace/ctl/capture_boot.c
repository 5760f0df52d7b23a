/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_boot.h"

#include <errno.h>
#include <string.h>

#include "bootlog_reading.h"
#include "cleanup.h"

DEFINE_CLEANUP(struct bootlog_reading *, bootlog_reading_free);

const char *const capture_boot_closed[] = {"measured:app:", "measured:authority:", NULL};

static int put(void *ctx, const char *key, const char *value)
{
	/* What could not be told now cannot be expected later. */
	return strncmp(value, "unknown ", 8) == 0 ? 0 : capture_set_add_text(ctx, key, value);
}

int capture_boot(struct capture_set *set, const struct fsio *io, const char *path,
		 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf log = {0};
	CLEANUP(bootlog_reading_free_p) struct bootlog_reading *g = NULL;
	int r = fsio_read_file(io, path, BOOTLOG_MAX, &log);

	if (r < 0)
		return why_set(ret_why, r, "boot log %.150s: %s", path, strerror(-r));
	r = bootlog_reading_open(log.data, log.size, &g, ret_why);
	return r < 0 ? r : bootlog_reading_claims(g, put, set);
}
