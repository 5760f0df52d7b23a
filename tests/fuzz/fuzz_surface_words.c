/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_surface_words.c: surface records, checked, then put into words. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/event_check.h"
#include "../../userspace/agent/surface_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void used_up(const char *text, size_t room)
{
	if (!memchr(text, '\0', room))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct surface_facts facts = {
		.net_ns = 4026531840u, .pid_ns = 4026531836u, .kprobe_type = 8, .uprobe_type = 9};
	struct surface_words w;
	union event_record r;
	struct why why = {""};
	bool told;

	if (event_check(data, size, &r, &why) != 0 || r.event.kind != PLUMB_KIND_SURFACE)
		return 0;
	memset(&w, 0xa5, sizeof(w));
	told = surface_words(&r.surface, &facts, &w);
	used_up(w.what, sizeof(w.what));
	used_up(w.object, sizeof(w.object));
	used_up(w.found, sizeof(w.found));
	used_up(w.before, sizeof(w.before));
	used_up(w.sysctl, sizeof(w.sysctl));
	if (told && (!w.what[0] || !w.found[0]) && r.surface.what != PLUMB_SURFACE_SYSCTL)
		abort();
	return 0;
}
