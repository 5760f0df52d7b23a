/* SPDX-License-Identifier: Apache-2.0 */
#include "node_origin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "record.h"

int node_origin_draw(const char *log_name, const struct store_node *n,
		     char ret[CHECKPOINT_MAX_ORIGIN])
{
	uint64_t drawn;
	int size;

	if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
		return -EIO;
	size = snprintf(ret, CHECKPOINT_MAX_ORIGIN, "%s/node/%s/%" PRIu64 ".%016" PRIx64, log_name,
			n->id, n->incarnation, drawn);
	return size < CHECKPOINT_MAX_ORIGIN ? 0 : -E2BIG;
}

int node_origin_of(const char *log_name, const struct store_node *n,
		   char ret[CHECKPOINT_MAX_ORIGIN])
{
	if (n->record.size > 0)
		return record_origin(n->record.data, n->record.size, ret);
	return snprintf(ret, CHECKPOINT_MAX_ORIGIN, "%s/node/%s/%" PRIu64, log_name, n->id,
			n->incarnation) < CHECKPOINT_MAX_ORIGIN
		       ? 0
		       : -E2BIG;
}
