/* SPDX-License-Identifier: Apache-2.0 */
#include "rekey_permit.h"

#include <errno.h>

#include "cleanup.h"
#include "jsonl.h"

#define KIND "rekey"
#define MAX_PERMIT 1024

int rekey_permit_give(const struct store *s, const char *node, const char *by, uint64_t until_ns)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "by", by);
	jsonl_uint(&j, "until", until_ns);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : s->ops->blob_put(s->ctx, KIND, node, b.data, b.size);
}

int rekey_permit_take(const struct store *s, const char *node, uint64_t now_ns, char ret_by[128])
{
	CLEANUP(buf_done) struct buf b = {.max = MAX_PERMIT};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	uint64_t until = 0;
	struct why why;
	int r = s->ops->blob_get(s->ctx, KIND, node, &b);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = jsonl_parse(b.data, b.size, MAX_PERMIT, &o, &why);
	if (r >= 0)
		r = jsonl_get_text(o, "by", ret_by, 128, &why);
	if (r >= 0)
		r = jsonl_get_uint(o, "until", INT64_MAX, &until, &why);
	/* Our own text: that it cannot be read is no refusal. */
	if (r < 0)
		return r == -ENOMEM ? r : -EIO;
	r = s->ops->blob_remove(s->ctx, KIND, node);
	return r < 0 ? r : now_ns < until;
}
