/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_json.h"

#include <string.h>

#include "buf.h"
#include "cleanup.h"

#define NUL "\\u0000"
#define INSTEAD "\\uffff"

/* A backslash stands in texts alone, and what follows it belongs to it: \\u0000 is a backslash and five characters. */
static void replace(char *text, size_t size)
{
	char *at = text, *end = text + size;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at > 1) {
		if ((size_t)(end - at) >= strlen(NUL) && memcmp(at, NUL, strlen(NUL)) == 0)
			memcpy(at, INSTEAD, strlen(INSTEAD));
		at += 2;
	}
}

json_t *kube_json_load(const void *data, size_t size, size_t flags)
{
	CLEANUP(buf_done) struct buf own = {0};
	json_error_t error;

	if (size == 0)
		return NULL;
	if (!memmem(data, size, NUL, strlen(NUL)))
		return json_loadb(data, size, flags, &error);
	buf_put(&own, data, size);
	if (buf_status(&own) < 0)
		return NULL;
	replace((char *)own.data, own.size);
	return json_loadb((char *)own.data, own.size, flags, &error);
}
