/* SPDX-License-Identifier: Apache-2.0 */
#include "row_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int row_list_add(struct row_list *l, const void *item)
{
	void *more;

	if (l->n == l->max) {
		uint32_t max = l->max ? l->max * 2 : 16;

		more = realloc(l->items, max * l->size);
		if (!more)
			return -ENOMEM;
		l->items = more;
		l->max = max;
	}
	memcpy((char *)l->items + l->n++ * l->size, item, l->size);
	return 0;
}

void *row_list_at(const struct row_list *l, uint32_t i)
{
	return (char *)l->items + i * l->size;
}

void row_list_done(struct row_list *l)
{
	free(l->items);
	l->items = NULL;
	l->n = l->max = 0;
}
