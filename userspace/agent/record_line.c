/* SPDX-License-Identifier: Apache-2.0 */
#include "record_line.h"

#include <errno.h>
#include <string.h>

#include "claims.h"

#define PEERS_MAX 4u /* processes through whose root a file is looked for */

void record_line_begin(const struct record_line_tables *t, const struct plumb_event *e,
		       const struct plumb_task *task, char scope[CGROUPS_SCOPE_SIZE],
		       struct line *ret)
{
	*ret = (struct line){
		.boot_ns = e->boottime_ns,
		.src = "bpf",
		.has_kernel = true,
		.ksess = e->ksess,
		.cpu = e->cpu,
		.kseq = e->kseq,
		.has_actor = true,
	};
	proctab_seen(t->proctab, task);
	(void)proctab_actor(t->proctab, task->pid, task->start_ns, &ret->actor);
	proctab_scope(t->proctab, task->pid, task->start_ns, scope);
	if (t->images)
		images_scope(t->images, task->mnt_ns, scope);
	ret->scope = scope;
}

void record_line_digest_done(struct record_line_digest *d)
{
	buf_done(&d->found);
}

/*
 * A program in a container that is gone already (a health check lives for a millisecond) cannot be opened by its path in our own mount
 * namespace; another process of its namespace leads to the file. Which file that is, is held against what the kernel saw, as always.
 */
static int take_by_peer(const struct record_line_tables *t, const struct plumb_task *task,
			const struct hash_cache_seen *s, struct digest *ret)
{
	uint32_t pids[PEERS_MAX];
	uint32_t n = proctab_peers(t->proctab, task->mnt_ns, task->pid, pids, PEERS_MAX);
	int r = -ENOENT;

	for (uint32_t i = 0; i < n && r < 0; i++)
		r = hash_cache_peer(t->hash_cache, pids[i], s, ret);
	return r;
}

void record_line_unmeasured(struct record_line_digest *d, const char *why)
{
	buf_clear(&d->found);
	buf_printf(&d->found, "unmeasured %s", why);
	d->src = "none";
}

/* What it was then is said, and is never equal to what a baseline has. */
static int open_for_writing(const struct plumb_hash *hash, struct record_line_digest *ret)
{
	struct digest digest;

	record_line_unmeasured(ret, "open for writing");
	if (hash->src == PLUMB_HASH_IMA) {
		memcpy(digest.bytes, hash->digest, sizeof(digest.bytes));
		buf_printf(&ret->found, ": ");
		claims_exec_value(&digest, &ret->found);
	}
	return buf_status(&ret->found) == 0 && ret->found.data ? 0 : -ENOMEM;
}

int record_line_digest(const struct record_line_tables *t, const struct plumb_task *task,
		       const char *path, const struct plumb_file *file,
		       const struct plumb_hash *hash, struct record_line_digest *ret)
{
	const struct hash_cache_seen seen = {task->pid, path, file, hash->error};
	struct digest digest;
	struct why why = {""};
	int r = 0, peer;

	buf_clear(&ret->found);
	if (hash->error == -ETXTBSY)
		return open_for_writing(hash, ret);
	ret->src = hash->src == PLUMB_HASH_IMA ? "ima" : "user";
	if (hash->src == PLUMB_HASH_IMA)
		memcpy(digest.bytes, hash->digest, sizeof(digest.bytes));
	else
		r = hash_cache_exec(t->hash_cache, &seen, &digest, &why);
	if ((r == -ENOENT || r == -EXDEV || r == -EREMOTE) && path && path[0] == '/') {
		peer = take_by_peer(t, task, &seen, &digest);
		r = peer >= 0 ? peer : r;
	}
	if (r == 1)
		ret->src = "fsverity";
	if (r >= 0)
		r = claims_exec_value(&digest, &ret->found);
	else
		record_line_unmeasured(ret, why.text);
	return buf_status(&ret->found) == 0 && ret->found.data ? 0 : -ENOMEM;
}
