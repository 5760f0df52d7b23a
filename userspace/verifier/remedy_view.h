/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy_view.h: a node's incident as people's tools see it (docs/wire.md). In: the store. Out: JSON. Reads only.
 */
#ifndef PLUMB_REMEDY_VIEW_H
#define PLUMB_REMEDY_VIEW_H

#include "jsonl.h"
#include "store.h"

/* Member "remedy": the incident, or null. */
int remedy_view_put(const struct store *s, const struct store_node *n, struct jsonl *j);

#endif
