/* SPDX-License-Identifier: Apache-2.0 */
#include "baseline_index.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"

int baseline_index_each(const struct verifier *v,
			int (*fn)(void *ctx, const struct baseline_info *i), void *ctx)
{
	CLEANUP(buf_done) struct buf index = {0};
	const struct store *s = v->store;
	int r = s->ops->blob_get(s->ctx, "baselines", "index", &index);
	const char *at = (char *)index.data, *lf;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (; r == 0 && at && (lf = strchr(at, '\n')) != NULL; at = lf + 1) {
		CLEANUP(jsonl_decref_p) json_t *o = NULL;
		struct baseline_info i = {.version = 0};
		const char *created;
		struct why why;

		r = jsonl_parse(at, (size_t)(lf - at), 65536, &o, &why);
		if (r >= 0)
			r = jsonl_get_text(o, "name", i.name, sizeof(i.name), &why);
		if (r >= 0)
			r = jsonl_get_uint(o, "version", INT64_MAX, &i.version, &why);
		if (r >= 0)
			r = jsonl_get_uint(o, "count", INT64_MAX, &i.count, &why);
		if (r >= 0)
			r = jsonl_get_hex(o, "sha256", i.document.bytes, DIGEST_SIZE, &why);
		if (r >= 0)
			r = jsonl_get_text(o, "signer", i.signer, sizeof(i.signer), &why);
		if (r >= 0)
			r = jsonl_get_str(o, "created", 64, &created, &why);
		if (r >= 0)
			r = clock_from_text(created, &i.created_ns);
		/* "There is none" must not come of an index that cannot be read. */
		if (r < 0)
			return -EBADMSG;
		r = fn(ctx, &i);
	}
	return r;
}

int baseline_index_add(const struct verifier *v, const struct baseline_info *i)
{
	CLEANUP(buf_done) struct buf line = {0};
	const struct store *s = v->store;
	char created[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(i->created_ns, created);
	jsonl_begin(&j, &line);
	jsonl_str(&j, "name", i->name);
	jsonl_uint(&j, "version", i->version);
	jsonl_uint(&j, "count", i->count);
	jsonl_hex(&j, "sha256", i->document.bytes, DIGEST_SIZE);
	jsonl_str(&j, "signer", i->signer);
	jsonl_str(&j, "created", created);
	jsonl_end(&j);
	buf_puts(&line, "\n");
	return buf_status(&line) < 0
		       ? buf_status(&line)
		       : s->ops->blob_append(s->ctx, "baselines", "index", line.data, line.size);
}
