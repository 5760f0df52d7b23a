/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_life.h: puts together what looks after the agent itself: self_watch, which notices, and guard, which knows who. In: records, an order that
 * announces a stop. Out: see there.
 */
#ifndef PLUMB_OWN_LIFE_H
#define PLUMB_OWN_LIFE_H

#include "guard.h"
#include "self_watch.h"

struct own_life;

/* Last of all sensors: what the agent does at its start is nobody's deed. *ret is set before the guard tries itself, as its record must be taken. */
int own_life_open(struct event_base *base, const struct guard_options *o, const struct measure_sink *sink, struct own_life **ret);
struct own_life *own_life_free(struct own_life *l);
void own_life_take(struct own_life *l, const union event_record *r);	/* NULL: nothing */
void own_life_open_door(struct own_life *l, uint64_t until_ns);	/* as guard_open_door(); NULL: nothing */

#endif
