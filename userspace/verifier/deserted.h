/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deserted.h: nodes whose object in Kubernetes was deleted, and who are not heard of: after a while they are retired without a person. In: the clock,
 * the watch of the cluster, rows. Out: rows and transitions, in transactions of its own; evidence and cases stay.
 */
#ifndef PLUMB_DESERTED_H
#define PLUMB_DESERTED_H

#include "action_desk.h"

/* Every second. watches: the cluster is known as it is now. after_ms 0: never. 0, or < 0: our own failure, it is tried again. */
int deserted_tick(const struct action_desk *d, bool watches, uint64_t after_ms);

#endif
