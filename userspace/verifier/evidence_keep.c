/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ledger_dir.h"

static void name_of(const struct store_node *n, char ret[96])
{
	snprintf(ret, 96, "%s/%" PRIu64, n->id, n->incarnation);
}

int evidence_keep_anchors(const struct verifier *v, const struct store_node *row,
			  const struct evidence *e, bool had_base)
{
	const struct store *s = v->store;
	char name[96];

	name_of(row, name);
	return had_base ? s->ops->blob_append(s->ctx, "anchors", name, e->anchors.data,
					      e->anchors.size)
			: s->ops->blob_put(s->ctx, "anchors", name, e->anchors.data,
					   e->anchors.size);
}

int evidence_keep_notes(const struct verifier *v, const struct store_node *row,
			const struct evidence *e)
{
	CLEANUP(buf_done) struct buf b = {0};
	char name[96];

	for (uint32_t i = 0; i < e->n_notes; i++) {
		int r = ledger_dir_note_write(e->checkpoint.size, &e->checkpoint.root, e->notes[i],
					      strlen(e->notes[i]), &b);
		if (r < 0)
			return r;
	}
	name_of(row, name);
	return b.size == 0
		       ? 0
		       : v->store->ops->blob_append(v->store->ctx, "notes", name, b.data, b.size);
}
