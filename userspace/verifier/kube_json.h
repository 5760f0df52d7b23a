/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_json.h: JSON of the Kubernetes API, of which others wrote the texts. In: foreign bytes, at most as many as the caller takes. Out: a
 * json_t without a NUL in any text or key, so that C strings compare whole. Pure.
 */
#ifndef PLUMB_KUBE_JSON_H
#define PLUMB_KUBE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

/*
 * jansson takes up to 120 bytes for a sign ({ [ , or : outside of texts), three bytes of text are a value of two of them, and whoever reaches the
 * admission port may send such a text: 32 MiB of "{}," were 2.5 GiB. What the API has is below the bound: an object of it has no more such signs
 * than etcd has bytes of it (1.5 MiB), for an empty member takes two there; a review has two of them, a page of large nodes three.
 */
#define KUBE_JSON_MAX_SIGNS (5u << 20)
bool kube_json_fits(const void *data, size_t size);

/*
 * The API takes \u0000 in annotations, messages and names of options from whoever may write them, a kubelet among them: an object with it is read
 * like any other. U+FFFF stands for it, which is in no name or key of ours; such a text equals nothing that we look for.
 * flags: jansson's. JSON_REJECT_DUPLICATES is for what no kubelet writes into: of two keys that differ in bytes (a NUL and U+FFFF, here; two that
 * are no UTF-8, in the API server, which writes U+FFFD for both) one key comes to be, and the whole would be refused. None of ours can be
 * doubled so: they are ASCII, and the API server writes each member once.
 * NULL: no JSON, one that does not fit, or no memory. The caller frees.
 */
json_t *kube_json_load(const void *data, size_t size, size_t flags);
/* Where a list goes on, percent-encoded for a query; empty: nowhere. -EBADMSG: longer than any server's. */
int kube_json_more(const json_t *list, struct buf *ret);

#endif
