/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_records.h: enrolment records as they were parsed: the same one comes with each piece of a node's evidence, and to parse it takes a
 * sixth of what else is done with that. In: a record's JSON. Out: the record. One is kept for each slot; whoever comes to it takes it.
 */
#ifndef PLUMB_NODE_RECORDS_H
#define PLUMB_NODE_RECORDS_H

#include "record.h"

struct node_records;

int node_records_open(struct node_records **ret);
struct node_records *node_records_free(struct node_records *n);
/* *ret is borrowed until the next call. Errors of record_parse(); then nothing is kept. */
int node_records_get(struct node_records *n, const void *json, size_t size, const struct record **ret, struct why *ret_why);

#endif
