/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_pending.h: the requests that are still to be decided, as the API told them: by name, at most so many; when there are more, the one that
 * came first makes room. In: requests that were checked, the begin and the end of a whole list. Out: each of them, by index.
 */
#ifndef PLUMB_CSR_PENDING_H
#define PLUMB_CSR_PENDING_H

#include "csr_check.h"

#define CSR_PENDING_MAX 1024u

struct csr_pending;

int csr_pending_open(struct csr_pending **ret);
struct csr_pending *csr_pending_free(struct csr_pending *p);
/* Copied. In place of what has its name. 1: another one had to go for it. */
int csr_pending_put(struct csr_pending *p, const struct csr_check *c);
void csr_pending_drop(struct csr_pending *p, const char *name);
void csr_pending_listed(struct csr_pending *p, bool begins);	/* who was not put between the two is dropped */
uint32_t csr_pending_n(const struct csr_pending *p);
const struct csr_check *csr_pending_at(const struct csr_pending *p, uint32_t i);	/* borrowed until the next put or drop */

#endif
