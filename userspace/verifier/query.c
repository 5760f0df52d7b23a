/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

/* Hex digits of both cases, as URLs have them. */
static int decode_byte(const char *hex, char *ret)
{
	char lower[2];
	uint8_t byte;

	for (int i = 0; i < 2; i++)
		lower[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + 'a' - 'A') : hex[i];
	if (digest_bytes_from_hex(lower, 2, &byte, 1) < 0 || byte == 0)
		return -EBADMSG;
	*ret = (char)byte;
	return 0;
}

static int decode(const char *v, size_t size, char ret[QUERY_VALUE_SIZE])
{
	char text[QUERY_VALUE_SIZE];
	size_t at = 0;

	for (size_t i = 0; i < size; i++) {
		if (at + 1 == sizeof(text))
			return -EBADMSG;
		if (v[i] != '%') {
			text[at++] = v[i];
			continue;
		}
		if (size - i < 3 || decode_byte(v + i + 1, &text[at++]) < 0)
			return -EBADMSG;
		i += 2;
	}
	text[at] = 0;
	memcpy(ret, text, at + 1);
	return 0;
}

int query_value(const char *query, const char *name, char ret[QUERY_VALUE_SIZE])
{
	size_t name_size = strlen(name);
	bool found = false;

	ret[0] = 0;
	while (*query) {
		size_t item = strcspn(query, "&");

		if (item > name_size && query[name_size] == '=' &&
		    memcmp(query, name, name_size) == 0) {
			if (found || decode(query + name_size + 1, item - name_size - 1, ret) < 0) {
				ret[0] = 0;
				return -EBADMSG;
			}
			found = true;
		}
		query += item + (query[item] == '&');
	}
	return 0;
}

int query_number(const char *query, const char *name, uint64_t *ret)
{
	char text[QUERY_VALUE_SIZE];
	int r = query_value(query, name, text);

	if (r < 0 || !text[0])
		return r;
	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 18)
		return -EBADMSG;
	*ret = strtoull(text, NULL, 10);
	return 0;
}
