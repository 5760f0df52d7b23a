/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static int put(struct claims_names *l, char *copy)
{
	if (l->n == l->room) {
		uint32_t room = l->room ? l->room * 2 : 32;
		char **grown = reallocarray(l->names, room, sizeof(*grown));

		if (!grown) {
			free(copy);
			return -ENOMEM;
		}
		l->names = grown;
		l->room = room;
	}
	l->names[l->n++] = copy;
	return 0;
}

int claims_names_add(struct claims_names *l, const char *name, size_t size)
{
	char *copy;
	size_t n = 0;

	if (l->n == CLAIMS_NAMES_MAX)
		return -E2BIG;
	copy = malloc(size + 1);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		if (!is_blank(name[i]))
			copy[n++] = name[i];
		else if (n > 0 && copy[n - 1] != ' ')
			copy[n++] = ' ';
	}
	if (n > 0 && copy[n - 1] == ' ')
		n--;
	copy[n] = '\0';
	if (n == 0) {
		free(copy);
		return 0;
	}
	return put(l, copy);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void claims_names_sort(struct claims_names *l)
{
	uint32_t n = 0;

	if (l->n > 1)
		qsort(l->names, l->n, sizeof(l->names[0]), compare);
	for (uint32_t i = 0; i < l->n; i++) {
		if (n > 0 && strcmp(l->names[n - 1], l->names[i]) == 0)
			free(l->names[i]);
		else
			l->names[n++] = l->names[i];
	}
	l->n = n;
}

bool claims_names_has(const struct claims_names *l, const char *name)
{
	return l->n > 0 && bsearch(&name, l->names, l->n, sizeof(l->names[0]), compare);
}

int claims_names_text(const struct claims_names *l, struct buf *ret)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_puts(ret, ",");
		buf_puts(ret, l->names[i]);
	}
	if (l->n == 0)
		buf_puts(ret, "none");
	return buf_status(ret);
}

void claims_names_clear(struct claims_names *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct claims_names){.n = 0};
}

int claims_names_lines(struct claims_names *l, const char *text, size_t size, uint32_t skip)
{
	const char *at = text, *end = text ? text + size : text;
	int r = 0;

	while (at < end && r == 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf ? lf : end, *next = lf ? lf + 1 : end;

		for (uint32_t i = 0; i < skip; i++) {
			while (at < stop && is_blank(*at))
				at++;
			while (at < stop && !is_blank(*at))
				at++;
		}
		if (at < stop && *at != '#')
			r = claims_names_add(l, at, (size_t)(stop - at));
		at = next;
	}
	return r;
}
