/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_json.h: JSON of the Kubernetes API, of which others wrote the texts. In: foreign bytes, at most as many as the caller takes. Out: a
 * json_t without a NUL in any text or key, so that C strings compare whole. Pure.
 */
#ifndef PLUMB_KUBE_JSON_H
#define PLUMB_KUBE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include "buf.h"

/*
 * The API takes \u0000 in annotations, messages and names of options from whoever may write them, a kubelet among them: an object with it is read
 * like any other. U+FFFF stands for it, which is in no name or key of ours; such a text equals nothing that we look for.
 * flags: jansson's. JSON_REJECT_DUPLICATES is for what no kubelet writes into: of two keys that differ in bytes (a NUL and U+FFFF, here; two that
 * are no UTF-8, in the API server, which writes U+FFFD for both) one key comes to be, and the whole would be refused. None of ours can be
 * doubled so: they are ASCII, and the API server writes each member once.
 * NULL: no JSON, or no memory. The caller frees.
 */
json_t *kube_json_load(const void *data, size_t size, size_t flags);
/* Where a list goes on, percent-encoded for a query; empty: nowhere. -EBADMSG: longer than any server's. */
int kube_json_more(const json_t *list, struct buf *ret);

#endif
