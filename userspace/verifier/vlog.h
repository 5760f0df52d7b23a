/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vlog.h: the verifier's own ledger: verdicts, transitions, operators' actions, node heads. The same tree and directory as a node's
 * (docs/ledger.md), without anchors; its checkpoints are signed with Ed25519. In: a type and JSON members. Out: sequence number;
 * lines for /v1/events. Loop's thread.
 */
#ifndef PLUMB_VLOG_H
#define PLUMB_VLOG_H

#include <stdint.h>
#include "clock.h"
#include "fsio.h"
#include "merkle.h"
#include "plumb/terms.h"
#include "sign.h"
#include "store.h"
#include "why.h"

struct vlog;

/* io, clock and key are borrowed. Origin and key name: "<log_name>/verifier". A directory of another origin: -EXDEV. */
int vlog_open(const struct fsio *io, const struct clock *clock, const char *dir, const char *log_name,
	      const struct sign_key *key, struct vlog **ret, struct why *ret_why);
struct vlog *vlog_free(struct vlog *v);		/* does not sync */
/*
 * From here on lines belong to the store's transactions: they are durable before one is committed, and forgotten when it is rolled back. What
 * a crash or a failed commit left in the log and not in the store is named by the next line: an action "void" with "from" and "to". -EBADMSG:
 * the log is shorter than the store knows it. store is borrowed until vlog_free().
 */
int vlog_join(struct vlog *v, const struct store *store, struct why *ret_why);
/* body_members: "\"node\":\"…\",\"cause\":\"…\"", made with jsonl. -EBADMSG: would be no line; nothing was added. Types below VERDICT: -EINVAL. */
int vlog_add(struct vlog *v, enum plumb_type type, const char *body_members, uint64_t *ret_seq);
int vlog_sync(struct vlog *v);			/* lines durable, then the checkpoint signed, then followers called. Joined and in a transaction: its commit does that */
uint64_t vlog_size(const struct vlog *v);	/* lines added */
uint64_t vlog_synced_size(const struct vlog *v);
/*
 * Complete lines [from, …), each with LF, at most max bytes of them, appended; only durable ones. ret_to: where to go on (from, when there
 * are none yet). -E2BIG: the first line alone is longer than max. -ERANGE: from is beyond the end.
 */
int vlog_lines(struct vlog *v, uint64_t from, size_t max, struct buf *ret, uint64_t *ret_to);
/* The newest signed checkpoint as a signed note, and its size; appended. -ENOENT: there is no line yet. */
int vlog_note(const struct vlog *v, struct buf *ret, uint64_t *ret_size);
/* That line seq is in the tree of the first size lines. -ERANGE: it is not, or the log is not so long. */
int vlog_prove(struct vlog *v, uint64_t seq, uint64_t size, struct digest ret_proof[MERKLE_MAX_LEVELS], uint32_t *ret_n);
/* Called after each vlog_sync that added lines (event followers). fn NULL: nobody. */
void vlog_on_sync(struct vlog *v, void (*fn)(void *ctx), void *ctx);

#endif
