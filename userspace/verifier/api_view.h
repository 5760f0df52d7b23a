/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_view.h: rows as people's tools see them: NODE, CASE, groups of drift, lists (docs/wire.md). In: store. Out: JSON. Reads only.
 */
#ifndef PLUMB_API_VIEW_H
#define PLUMB_API_VIEW_H

#include "documents.h"
#include "verifier.h"

int api_view_nodes(const struct verifier *v, struct buf *ret);
int api_view_node(const struct verifier *v, const struct documents *d, const struct store_node *n, struct buf *ret);	/* with cases and verdict */
int api_view_summary(const struct verifier *v, const char *node, bool open_only, struct buf *ret);	/* node "": all */
int api_view_baselines(const struct verifier *v, struct documents *d, struct buf *ret);
int api_view_policy(const struct verifier *v, const struct documents *d, struct buf *ret);

#endif
