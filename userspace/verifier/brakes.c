/* SPDX-License-Identifier: Apache-2.0 */
#include "brakes.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *text;
} words[BRAKES_N] = {
	[BRAKES_OPEN] = {"", ""},
	[BRAKES_DRY_RUN] = {"dry_run", "contain_dry_run is on"},
	[BRAKES_PAUSED] = {"paused", "an operator paused containment"},
	[BRAKES_SHARE] = {"share", "as many nodes as may be are contained already"},
	[BRAKES_CONTROL_PLANE] = {"control_plane",
				  "it is the last Ready node of the control plane"},
	[BRAKES_ZONE] = {"zone", "all other nodes of its zone are contained"},
};

const char *brakes_name(enum brakes_why w)
{
	return (size_t)w < BRAKES_N ? words[w].name : "";
}

const char *brakes_text(enum brakes_why w)
{
	return (size_t)w < BRAKES_N ? words[w].text : "";
}

enum brakes_why brakes_from_name(const char *name)
{
	for (int i = 1; i < BRAKES_N; i++)
		if (strcmp(words[i].name, name) == 0)
			return (enum brakes_why)i;
	return BRAKES_OPEN;
}

uint32_t brakes_limit(const struct brakes_settings *s, uint32_t n)
{
	uint64_t share = (uint64_t)n * s->max_percent / 100;

	return share > 1 ? (uint32_t)share : 1;
}

static bool is_last_control_plane(const struct brakes_node *all, uint32_t n, uint32_t at)
{
	if (!all[at].control_plane || !all[at].ready)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (i != at && all[i].control_plane && all[i].ready && !all[i].contained)
			return false;
	return true;
}

/* A zone of one is none: else a kubelet, which may set that label, escaped by moving into a zone of its own. */
static bool is_rest_of_zone(const struct brakes_node *all, uint32_t n, uint32_t at)
{
	bool others = false;

	if (!all[at].zone[0])
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (i == at || strcmp(all[i].zone, all[at].zone) != 0)
			continue;
		if (!all[i].contained)
			return false;
		others = true;
	}
	return others;
}

enum brakes_why brakes_judge(const struct brakes_settings *s, const struct brakes_node *all,
			     uint32_t n, uint32_t at)
{
	uint32_t contained = 0;

	if (s->dry_run)
		return BRAKES_DRY_RUN;
	if (s->paused)
		return BRAKES_PAUSED;
	for (uint32_t i = 0; i < n; i++)
		contained += i != at && all[i].contained;
	if (contained >= brakes_limit(s, n))
		return BRAKES_SHARE;
	if (is_last_control_plane(all, n, at))
		return BRAKES_CONTROL_PLANE;
	return is_rest_of_zone(all, n, at) ? BRAKES_ZONE : BRAKES_OPEN;
}

bool brakes_may_lift(uint64_t lifted_ns, uint64_t now_ns, uint64_t calm_ms)
{
	/* A clock that was set back keeps nobody in. */
	return lifted_ns == 0 || now_ns < lifted_ns || now_ns - lifted_ns >= calm_ms * 1000000;
}
