/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_texts.h"

#include <stdlib.h>
#include <string.h>

static struct shared_text *text_new(const char *text, size_t size)
{
	struct shared_text *t;

	if (size >= UINT32_MAX)
		return NULL;
	t = malloc(sizeof(*t) + size + 1);
	if (!t)
		return NULL;
	t->refs = 1;
	t->size = (uint32_t)size;
	t->container = (struct container_path){.id = ""};
	memcpy(t->text, text, size + 1);
	return t;
}

struct shared_text *shared_text_share(struct shared_text *t)
{
	if (t)
		t->refs++;
	return t;
}

void shared_text_drop(struct shared_text *t)
{
	if (t && --t->refs == 0)
		free(t);
}

struct shared_text *shared_text_cgroup(const char *path)
{
	struct shared_text *t = text_new(path, strlen(path));

	if (t)
		container_path_parse(path, &t->container);
	return t;
}

/* By size and end: programs of one directory differ there. Whoever makes all of them meet in one place only gains what it was without. */
static struct shared_text **place_of(struct shared_texts *s, const char *text, size_t size)
{
	uint64_t end = 0;

	memcpy(&end, size < sizeof(end) ? text : text + size - sizeof(end),
	       size < sizeof(end) ? size : sizeof(end));
	end = (end ^ size) * 0x9e3779b97f4a7c15ull;
	return &s->recent[end >> 32 & (SHARED_TEXTS_RECENT - 1)];
}

struct shared_text *shared_texts_get(struct shared_texts *s, const char *text)
{
	size_t size = text ? strlen(text) : 0;
	struct shared_text **place, *t;

	if (!text)
		return NULL;
	place = place_of(s, text, size);
	t = *place;
	if (t && t->size == size && memcmp(t->text, text, size) == 0)
		return shared_text_share(t);
	t = text_new(text, size);
	if (!t)
		return NULL;
	shared_text_drop(*place);
	*place = shared_text_share(t);
	return t;
}

void shared_texts_done(struct shared_texts *s)
{
	for (uint32_t i = 0; i < SHARED_TEXTS_RECENT; i++) {
		shared_text_drop(s->recent[i]);
		s->recent[i] = NULL;
	}
}
