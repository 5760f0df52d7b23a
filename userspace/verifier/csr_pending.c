/* SPDX-License-Identifier: Apache-2.0 */
#include "csr_pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pending {
	struct csr_check check;
	uint64_t came; /* the how manyth */
	bool listed;
};

struct csr_pending {
	struct pending all[CSR_PENDING_MAX];
	uint32_t n;
	uint64_t n_came;
};

int csr_pending_open(struct csr_pending **ret)
{
	struct csr_pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*ret = p;
	return 0;
}

struct csr_pending *csr_pending_free(struct csr_pending *p)
{
	free(p);
	return NULL;
}

static struct pending *find(struct csr_pending *p, const char *name)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (strcmp(p->all[i].check.name, name) == 0)
			return &p->all[i];
	return NULL;
}

static struct pending *oldest(struct csr_pending *p)
{
	struct pending *first = &p->all[0];

	for (uint32_t i = 1; i < p->n; i++)
		if (p->all[i].came < first->came)
			first = &p->all[i];
	return first;
}

int csr_pending_put(struct csr_pending *p, const struct csr_check *c)
{
	struct pending *e = find(p, c->name);
	bool full = !e && p->n == CSR_PENDING_MAX;

	if (e) {
		e->check = *c;
		e->listed = true;
		return 0;
	}
	e = full ? oldest(p) : &p->all[p->n++];
	*e = (struct pending){.check = *c, .came = p->n_came++, .listed = true};
	return full ? 1 : 0;
}

void csr_pending_drop(struct csr_pending *p, const char *name)
{
	struct pending *e = find(p, name);

	if (e)
		*e = p->all[--p->n];
}

void csr_pending_listed(struct csr_pending *p, bool begins)
{
	for (uint32_t i = p->n; i-- > 0;)
		if (begins)
			p->all[i].listed = false;
		else if (!p->all[i].listed)
			p->all[i] = p->all[--p->n];
}

uint32_t csr_pending_n(const struct csr_pending *p)
{
	return p->n;
}

const struct csr_check *csr_pending_at(const struct csr_pending *p, uint32_t i)
{
	return &p->all[i].check;
}
