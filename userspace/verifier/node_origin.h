/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_origin.h: under which name a node's present history is signed and extended. The incarnation's number alone would not do: a store that was put
 * back from before an enrolment gives a number again. So each enrolment draws sixty-four bits beside it, and what it drew is read from the record
 * that it made, never made anew. In: a row. Out: an origin.
 */
#ifndef PLUMB_NODE_ORIGIN_H
#define PLUMB_NODE_ORIGIN_H

#include "checkpoint.h"
#include "store.h"

/* Of another history each time. -E2BIG: the log's name is too long. */
int node_origin_draw(const char *log_name, const struct store_node *n, char ret[CHECKPOINT_MAX_ORIGIN]);
/* As its record says; -EBADMSG: that says none. A row without a record has the origin of before there were draws: no evidence is taken for it. */
int node_origin_of(const char *log_name, const struct store_node *n, char ret[CHECKPOINT_MAX_ORIGIN]);

#endif
