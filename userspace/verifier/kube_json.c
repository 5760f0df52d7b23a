/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_json.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

#define MAX_CONTINUE 1024

#define NUL "\\u0000"
#define INSTEAD "\\uffff"

bool kube_json_fits(const void *data, size_t size)
{
	const char *text = data;
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; size > KUBE_JSON_MAX_SIGNS && i < size; i++)
		switch (text[i]) {
		case '\\':
			i += quoted;
			break;
		case '"':
			quoted = !quoted;
			break;
		case '{':
		case '[':
		case ',':
		case ':':
			n += !quoted;
		}
	return n <= KUBE_JSON_MAX_SIGNS;
}

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

	if (size == 0 || !kube_json_fits(data, size))
		return NULL;
	if (!memmem(data, size, NUL, strlen(NUL)))
		return json_loadb(data, size, flags, &error);
	buf_put(&own, data, size);
	if (buf_status(&own) < 0)
		return NULL;
	replace((char *)own.data, own.size);
	return json_loadb((char *)own.data, own.size, flags, &error);
}

int kube_json_more(const json_t *list, struct buf *ret)
{
	const char *more =
		json_string_value(json_object_get(json_object_get(list, "metadata"), "continue"));

	if (more && strlen(more) > MAX_CONTINUE)
		return -EBADMSG;
	buf_clear(ret);
	for (const char *p = more ? more : ""; *p; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z'))
			buf_put(ret, p, 1);
		else
			buf_printf(ret, "%%%02X", (unsigned char)*p);
	return buf_status(ret);
}
