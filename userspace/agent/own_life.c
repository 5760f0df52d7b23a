/* SPDX-License-Identifier: Apache-2.0 */
#include "own_life.h"

#include <errno.h>
#include <stdlib.h>

struct own_life {
	struct self_watch *watch;
	struct guard *guard;
};

int own_life_open(struct event_base *base, const struct guard_options *o,
		  const struct measure_sink *sink, struct own_life **ret)
{
	const struct self_watch_options self = {
		.bpf = o->bpf, .claims = o->claims, .clock = o->clock};
	struct own_life *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = self_watch_open(base, &self, sink, &l->watch);
	if (r >= 0)
		r = guard_open(base, o, sink, &l->guard);
	if (r < 0) {
		own_life_free(l);
		return r;
	}
	*ret = l;
	guard_start(l->guard);
	return 0;
}

struct own_life *own_life_free(struct own_life *l)
{
	if (!l)
		return NULL;
	guard_free(l->guard);
	self_watch_free(l->watch);
	free(l);
	return NULL;
}

void own_life_take(struct own_life *l, const union event_record *r)
{
	if (!l)
		return;
	self_watch_take(l->watch, r);
	guard_take(l->guard, r);
}

void own_life_open_door(struct own_life *l, uint64_t until_ns)
{
	if (l)
		guard_open_door(l->guard, until_ns);
}
