/* SPDX-License-Identifier: Apache-2.0 */
#include "ancestry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ancestry_open(struct ancestry **ret)
{
	struct ancestry *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->now = 1;
	*ret = a;
	return 0;
}

struct ancestry *ancestry_free(struct ancestry *a)
{
	for (uint32_t i = 0; a && i < ANCESTRY_SLOTS; i++)
		buf_done(&a->slots[i].text);
	free(a);
	return NULL;
}

void ancestry_changed(struct ancestry *a)
{
	a->now++;
}

bool ancestry_find(const struct ancestry *a, uint32_t parent, struct line_actor *ret)
{
	const struct ancestry_slot *s = &a->slots[parent & (ANCESTRY_SLOTS - 1)];

	if (s->put != a->now || s->parent != parent)
		return false;
	ret->n_ancestors = s->n;
	memcpy(ret->ancestors, s->list, s->n * sizeof(s->list[0]));
	ret->ancestors_text = (const char *)s->text.data;
	ret->ancestors_size = s->text.size;
	return true;
}

void ancestry_put(struct ancestry *a, uint32_t parent, const struct line_actor *from)
{
	struct ancestry_slot *s = &a->slots[parent & (ANCESTRY_SLOTS - 1)];

	buf_clear(&s->text);
	s->put = line_ancestors(from->ancestors, from->n_ancestors, &s->text) < 0 ? 0 : a->now;
	s->parent = parent;
	s->n = from->n_ancestors;
	memcpy(s->list, from->ancestors, s->n * sizeof(s->list[0]));
}
