/* SPDX-License-Identifier: Apache-2.0 */
#include "drift_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cleanup.h"

#define BLOB "drift"

/* Of an incarnation: the next one begins with nothing. */
static void name_of(const struct store_node *n, char ret[96])
{
	snprintf(ret, 96, "%s/%" PRIu64, n->id, n->incarnation);
}

int drift_state_load(const struct store *s, const struct store_node *n,
		     struct appraise_drift_state *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	char name[96];
	int r;

	name_of(n, name);
	r = s->ops->blob_get(s->ctx, BLOB, name, &b);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : appraise_drift_state_parse(b.data, b.size, ret);
}

int drift_state_save(const struct store *s, const struct store_node *n,
		     const struct appraise_drift_state *d)
{
	CLEANUP(buf_done) struct buf b = {0};
	char name[96];
	int r = appraise_drift_state_write(d, &b);

	name_of(n, name);
	return r < 0 ? r : s->ops->blob_put(s->ctx, BLOB, name, b.data, b.size);
}
