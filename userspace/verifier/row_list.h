/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_list.h: ids of nodes, or numbers of cases, that were found by reading: rows are not changed while they are being walked. In: items of one
 * size. Out: the same, in order.
 */
#ifndef PLUMB_ROW_LIST_H
#define PLUMB_ROW_LIST_H

#include <stddef.h>
#include <stdint.h>

struct row_list {
	void *items;
	size_t size;	/* of one, set by whoever begins it */
	uint32_t n, max;
};

int row_list_add(struct row_list *l, const void *item);
void *row_list_at(const struct row_list *l, uint32_t i);
void row_list_done(struct row_list *l);

#endif
