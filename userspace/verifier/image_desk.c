/* SPDX-License-Identifier: Apache-2.0 */
#include "image_desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define KIND "images"

struct image_desk {
	const struct verifier *v;
	const struct store_node *row;
	struct image_seen seen;
	bool changed;
};

static void name_of(const struct store_node *n, char ret[96])
{
	snprintf(ret, 96, "%s/%" PRIu64, n->id, n->incarnation);
}

static int load(const struct verifier *v, const struct store_node *row, struct image_seen *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why;
	char name[96];
	int r;

	memset(ret, 0, sizeof(*ret));
	name_of(row, name);
	r = v->store->ops->blob_get(v->store->ctx, KIND, name, &b);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : image_seen_parse(b.data, b.size, ret, &why);
}

int image_desk_open(const struct verifier *v, const struct store_node *row, struct image_desk **ret)
{
	struct image_desk *d = malloc(sizeof(*d));
	int r = d ? load(v, row, &d->seen) : -ENOMEM;

	if (r < 0) {
		free(d);
		return r;
	}
	d->v = v;
	d->row = row;
	d->changed = false;
	*ret = d;
	return 0;
}

void image_desk_free(struct image_desk *d)
{
	free(d);
}

void image_desk_item(struct image_desk *d, const char *boot, const struct appraise_drift_item *i)
{
	if (image_seen_add(&d->seen, boot, i) > 0)
		d->changed = true;
}

int image_desk_keep(struct image_desk *d, const struct baseline *b)
{
	CLEANUP(buf_done) struct buf out = {0};
	char name[96];
	int r;

	if (image_seen_judge(&d->seen, b) == 0 && !d->changed)
		return 0;
	r = image_seen_write(&d->seen, &out);
	if (r < 0)
		return r;
	name_of(d->row, name);
	return d->v->store->ops->blob_put(d->v->store->ctx, KIND, name, out.data, out.size);
}

int image_desk_told(const struct verifier *v, const struct store_node *row, struct image_told *ret)
{
	struct image_seen *s = malloc(sizeof(*s));
	int r = s ? load(v, row, s) : -ENOMEM;

	/* What ran before the node booted anew runs no more. */
	if (r >= 0 && strcmp(s->boot, row->boot_id) != 0)
		memset(s, 0, sizeof(*s));
	if (r >= 0)
		r = image_told_make(s, v->images, ret);
	free(s);
	return r;
}

int image_desk_view(const struct verifier *v, const struct store_node *row, struct jsonl *j)
{
	struct image_told *t = malloc(sizeof(*t));
	int r = t ? image_desk_told(v, row, t) : -ENOMEM;

	if (r > 0) {
		jsonl_object(j, "images");
		image_told_put(t, j);
		jsonl_close(j);
	}
	free(t);
	return r < 0 ? r : 0;
}
