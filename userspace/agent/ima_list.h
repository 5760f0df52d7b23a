/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_list.h: the kernel's own list of what IMA measured, read on from where one was, and what it measures.
 * In: securityfs. Out: whole entries that the verifier has not got, within a bound; their number. On the loop's thread; nothing blocks.
 */
#ifndef PLUMB_IMA_LIST_H
#define PLUMB_IMA_LIST_H

#include <stdint.h>
#include "buf.h"
#include "why.h"

#define IMA_LIST_KEPT (4u << 20)	/* bytes that wait to be sent; the kernel keeps the rest */

/* What the policy measures, as far as that can be told: programs and what the kernel loads alone, other files too, or it cannot be read. */
enum ima_list_covers { IMA_LIST_UNKNOWN = 0, IMA_LIST_PROGRAMS = 1, IMA_LIST_OTHER = 2 };
const char *ima_list_covers_name(enum ima_list_covers c);	/* "unknown", "programs", "other"; static */
/* Rules as /sys/kernel/security/ima/policy shows them. Pure. */
enum ima_list_covers ima_list_policy(const char *text);

struct ima_list;

/* dir NULL: /sys/kernel/security/ima. covers UNKNOWN: by the policy, if it can be read. -ENOENT: this kernel has no such list. */
/* dir is borrowed. */
int ima_list_open(const char *dir, enum ima_list_covers covers, struct ima_list **ret, struct why *ret_why);
struct ima_list *ima_list_free(struct ima_list *l);

int ima_list_count(const struct ima_list *l, uint64_t *ret);	/* entries that are there now, taken or not */
enum ima_list_covers ima_list_covers(const struct ima_list *l);
/* Whole entries from the first that was not taken yet, max bytes at most; borrowed until the next call. 0, or -errno with nothing given. */
int ima_list_next(struct ima_list *l, size_t max, struct buf_view *ret, uint64_t *ret_from, uint64_t *ret_n, struct why *ret_why);
void ima_list_taken(struct ima_list *l, uint64_t to);	/* entries below that are not given again */
/* Entry `from` is given next, were it given before or not yet; beyond the end: the end. 0 or -errno. */
int ima_list_seek(struct ima_list *l, uint64_t from, struct why *ret_why);

#endif
