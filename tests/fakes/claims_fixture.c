/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(void *ctx, const char *key, const char *value)
{
	struct claims_fixture *f = ctx;
	uint32_t i = 0;

	while (i < f->n && strcmp(f->claims[i].key, key) != 0)
		i++;
	if (i == CLAIMS_FIXTURE_MAX)
		abort();
	if (i < f->n && strcmp(f->claims[i].value, value) == 0)
		return 0;
	snprintf(f->claims[i].key, sizeof(f->claims[i].key), "%s", key);
	snprintf(f->claims[i].value, sizeof(f->claims[i].value), "%s", value);
	f->n += i == f->n;
	return 1;
}

void claims_fixture_open(struct claims_fixture *f)
{
	memset(f, 0, sizeof(*f));
	scratch_open(f->top, "claims");
	snprintf(f->proc, sizeof(f->proc), "%s/proc", f->top);
	snprintf(f->sys, sizeof(f->sys), "%s/sys", f->top);
	snprintf(f->root, sizeof(f->root), "%s/root", f->top);
	scratch_run(f->top, "mkdir proc sys root");
	f->source = (struct claims_source){
		.proc = f->proc, .sys = f->sys, .root = f->root, .put = put, .ctx = f};
}

void claims_fixture_done(struct claims_fixture *f)
{
	scratch_done(f->top);
}

void claims_fixture_write(struct claims_fixture *f, const char *name, const void *data, size_t size)
{
	char path[512];
	FILE *file;

	scratch_run(f->top, "mkdir -p \"$(dirname '%s')\"", name);
	snprintf(path, sizeof(path), "%s/%s", f->top, name);
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		abort();
}

void claims_fixture_text(struct claims_fixture *f, const char *name, const char *text)
{
	claims_fixture_write(f, name, text, strlen(text));
}

void claims_fixture_remove(struct claims_fixture *f, const char *name)
{
	scratch_run(f->top, "rm -r '%s'", name);
}

const char *claims_fixture_found(const struct claims_fixture *f, const char *key)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (strcmp(f->claims[i].key, key) == 0)
			return f->claims[i].value;
	return "(not put)";
}
