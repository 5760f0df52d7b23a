/* SPDX-License-Identifier: Apache-2.0 */
#include "pulse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000u

static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* What took at least half of the time is the reason. */
static const char *reason(const struct pulse_reading *now, uint64_t held, uint64_t cpu,
			  uint64_t wait)
{
	if (now->continued)
		return "stopped by a signal";
	if (cpu >= held / 2)
		return "busy";
	return wait >= held / 2 ? "without a CPU" : "stopped or frozen";
}

bool pulse_beat(struct pulse *p, const struct pulse_reading *now, struct pulse_hold *ret)
{
	struct pulse_reading last = p->last;
	uint64_t boot = since(now->boot_ns, last.boot_ns), slept, held, cpu, wait;
	bool any = p->any;

	p->last = *now;
	p->any = true;
	slept = since(boot, since(now->mono_ns, last.mono_ns));
	held = since(boot, slept + p->tick_ns);
	if (!any || held <= p->limit_ns)
		return false;
	cpu = since(now->cpu_ns, last.cpu_ns);
	wait = since(now->wait_ns, last.wait_ns);
	*ret = (struct pulse_hold){reason(now, held, cpu, wait), held / MS, cpu / MS, wait / MS};
	/* A node whose owner gave it more work than it has CPUs is no news yet. */
	return (strcmp(ret->how, "busy") != 0 && strcmp(ret->how, "without a CPU") != 0) ||
	       held > p->busy_ns;
}

int pulse_schedstat(const char *text, uint64_t *ret_cpu_ns, uint64_t *ret_wait_ns)
{
	char *end, *last;
	uint64_t cpu = strtoull(text, &end, 10), wait;

	if (end == text || *end != ' ')
		return -EBADMSG;
	wait = strtoull(end + 1, &last, 10);
	if (last == end + 1 || *last != ' ')
		return -EBADMSG;
	*ret_cpu_ns = cpu;
	*ret_wait_ns = wait;
	return 0;
}
