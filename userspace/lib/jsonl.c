/* SPDX-License-Identifier: Apache-2.0 */
#include "jsonl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ascii.h"
#include "cleanup.h"
#include "digest.h"

#define MAX_DEPTH 32

/* Bytes of the UTF-8 character at p, 0: not one (overlong, surrogate, above U+10FFFF, cut). */
static size_t utf8_size(const uint8_t *p, size_t size)
{
	size_t n = p[0] < 0x80			 ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : (p[0] & 0xf0) == 0xe0	 ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > size)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool is_utf8(const char *text, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i < size;) {
		size_t n = utf8_size(p + i, size - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static void put_escaped(struct buf *b, const char *text, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;

	buf_put(b, "\"", 1);
	for (size_t i = 0; i < size;) {
		size_t n = utf8_size(p + i, size - i);

		if (n == 0) {
			buf_puts(b, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			buf_printf(b, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			buf_printf(b, "\\u%04x", p[i]);
		else
			buf_put(b, p + i, n);
		i += n;
	}
	buf_put(b, "\"", 1);
}

static inline uint8_t *quote_plain(uint8_t *to, const char *text, size_t size, bool *plain)
{
	*to++ = '"';
	*plain &= ascii_copy_plain(to, text, size);
	to += size;
	*to++ = '"';
	return to;
}

/* The comma before, and the name. In place, when there is room: *plain false: the name must be escaped. */
static inline uint8_t *begin_member(const struct jsonl *j, uint8_t *to, const char *key,
				    size_t size, bool *plain)
{
	if (j->comma)
		*to++ = ',';
	if (key) {
		to = quote_plain(to, key, size, plain);
		*to++ = ':';
	}
	return to;
}

static inline size_t member_room(const char *key, size_t *ret_size)
{
	*ret_size = key ? strlen(key) : 0;
	return *ret_size + 4;
}

static void put_key(struct jsonl *j, const char *key)
{
	bool plain = true;
	size_t size, room = member_room(key, &size);
	uint8_t *from = buf_room(j->buf, room), *to = from;

	if (!from)
		return;
	to = begin_member(j, to, key, size, &plain);
	if (plain) {
		buf_grew(j->buf, (size_t)(to - from));
	} else {
		if (j->comma)
			buf_put(j->buf, ",", 1);
		put_escaped(j->buf, key, size);
		buf_put(j->buf, ":", 1);
	}
	j->comma = true;
}

/* False: the value had to be escaped, so it may not even be UTF-8. */
static bool put_text(struct jsonl *j, const char *key, const char *value, size_t size)
{
	bool plain = true;
	size_t key_size, room = member_room(key, &key_size);
	uint8_t *from = buf_room(j->buf, room + size + 2), *to = from;

	if (!from)
		return true;
	to = begin_member(j, to, key, key_size, &plain);
	to = quote_plain(to, value, size, &plain);
	if (plain) {
		buf_grew(j->buf, (size_t)(to - from));
		j->comma = true;
		return true;
	}
	put_key(j, key);
	put_escaped(j->buf, value, size);
	return false;
}

/* Which closing each level needs is kept as a bit, 1: array. 32 levels are enough for every format here. */
static void open_level(struct jsonl *j, bool array)
{
	buf_put(j->buf, array ? "[" : "{", 1);
	j->depth = j->depth << 1 | (array ? 1 : 0);
	j->comma = false;
}

void jsonl_begin(struct jsonl *j, struct buf *b)
{
	*j = (struct jsonl){.buf = b};
	buf_put(b, "{", 1);
}

void jsonl_end(struct jsonl *j)
{
	buf_put(j->buf, "}", 1);
}

void jsonl_strn(struct jsonl *j, const char *key, const char *value, size_t size)
{
	put_text(j, key, value, size);
}

void jsonl_str(struct jsonl *j, const char *key, const char *value)
{
	if (value)
		jsonl_strn(j, key, value, strlen(value));
	else
		jsonl_null(j, key);
}

/* key NULL: it was written. */
static void put_path(struct jsonl *j, const char *key, const char *name, const char *value)
{
	size_t size = strlen(value);
	char second[64];

	/* Inside an array there is no name for a second value. */
	if (put_text(j, key, value, size) || !name || is_utf8(value, size))
		return;
	if (snprintf(second, sizeof(second), "%s_b64", name) >= (int)sizeof(second)) {
		if (!j->buf->error)
			j->buf->error = -E2BIG;
		return;
	}
	jsonl_base64(j, second, value, size);
}

void jsonl_path(struct jsonl *j, const char *key, const char *value)
{
	if (value)
		put_path(j, key, key, value);
	else
		jsonl_null(j, key);
}

void jsonl_path_value(struct jsonl *j, const char *name, const char *value)
{
	if (value)
		put_path(j, NULL, name, value);
	else
		jsonl_null(j, NULL);
}

static void put_uint(struct jsonl *j, const char *key, uint64_t value, bool negative)
{
	const size_t digits = ASCII_DIGITS + 1; /* and a sign */
	size_t key_size;
	uint8_t *from = buf_room(j->buf, member_room(key, &key_size) + digits), *to = from;
	bool plain = true;

	if (!from)
		return;
	to = begin_member(j, to, key, key_size, &plain);
	if (!plain) {
		put_key(j, key);
		to = from = j->buf->error ? NULL : buf_room(j->buf, digits);
		if (!from)
			return;
	}
	if (negative)
		*to++ = '-';
	to += ascii_put_uint(to, value);
	buf_grew(j->buf, (size_t)(to - from));
	j->comma = true;
}

void jsonl_int(struct jsonl *j, const char *key, int64_t value)
{
	put_uint(j, key, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void jsonl_uint(struct jsonl *j, const char *key, uint64_t value)
{
	if (value > INT64_MAX) {
		if (!j->buf->error)
			j->buf->error = -ERANGE;
		return;
	}
	put_uint(j, key, value, false);
}

void jsonl_bool(struct jsonl *j, const char *key, bool value)
{
	put_key(j, key);
	buf_puts(j->buf, value ? "true" : "false");
}

void jsonl_null(struct jsonl *j, const char *key)
{
	put_key(j, key);
	buf_puts(j->buf, "null");
}

void jsonl_hex(struct jsonl *j, const char *key, const void *data, size_t size)
{
	char *at;

	put_key(j, key);
	buf_put(j->buf, "\"", 1);
	at = (char *)buf_room(j->buf, 2 * size + 1);
	if (!at)
		return;
	digest_bytes_hex(data, size, at);
	buf_grew(j->buf, 2 * size);
	buf_put(j->buf, "\"", 1);
}

void jsonl_base64(struct jsonl *j, const char *key, const void *data, size_t size)
{
	put_key(j, key);
	buf_put(j->buf, "\"", 1);
	digest_base64(j->buf, data, size);
	buf_put(j->buf, "\"", 1);
}

void jsonl_raw(struct jsonl *j, const char *key, const char *json, size_t size)
{
	put_key(j, key);
	buf_put(j->buf, json, size);
}

void jsonl_object(struct jsonl *j, const char *key)
{
	put_key(j, key);
	open_level(j, false);
}

void jsonl_array(struct jsonl *j, const char *key)
{
	put_key(j, key);
	open_level(j, true);
}

void jsonl_close(struct jsonl *j)
{
	buf_put(j->buf, j->depth & 1 ? "]" : "}", 1);
	j->depth >>= 1;
	j->comma = true;
}

/* jansson bounds nesting at 2048 while parsing; here the tree is held to what the formats need. */
static int check_tree(const json_t *v, unsigned int depth, struct why *ret_why)
{
	const char *key;
	json_t *item;
	size_t i;
	int r = 0;

	if (depth > MAX_DEPTH)
		return why_set(ret_why, -EBADMSG, "JSON is nested deeper than %d levels",
			       MAX_DEPTH);
	if (json_is_real(v))
		return why_set(ret_why, -EBADMSG, "JSON has a number that is no integer");
	if (json_is_array(v))
		json_array_foreach ((json_t *)v, i, item)
			if ((r = check_tree(item, depth + 1, ret_why)) < 0)
				return r;
	if (json_is_object(v))
		json_object_foreach ((json_t *)v, key, item)
			if ((r = check_tree(item, depth + 1, ret_why)) < 0)
				return r;
	return r;
}

int jsonl_parse(const void *data, size_t size, size_t max, json_t **ret, struct why *ret_why)
{
	json_error_t error;
	json_t *o;
	int r;

	if (size > max)
		return why_set(ret_why, -E2BIG, "JSON of %zu bytes, at most %zu are allowed", size,
			       max);
	o = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
	if (!o)
		return why_set(ret_why, -EBADMSG, "JSON is broken at byte %d: %s", error.position,
			       error.text);
	if (!json_is_object(o)) {
		json_decref(o);
		return why_set(ret_why, -EBADMSG, "JSON is not an object");
	}
	r = check_tree(o, 1, ret_why);
	if (r < 0) {
		json_decref(o);
		return r;
	}
	*ret = o;
	return 0;
}

static int get(const json_t *o, const char *key, const char *what, bool fits, struct why *ret_why)
{
	if (!json_object_get(o, key))
		return why_set(ret_why, -ENOENT, "\"%s\" is missing", key);
	return fits ? 0 : why_set(ret_why, -EBADMSG, "\"%s\" is not %s", key, what);
}

int jsonl_get_str(const json_t *o, const char *key, size_t max, const char **ret,
		  struct why *ret_why)
{
	const json_t *v = json_object_get(o, key);
	int r = get(o, key, "text", json_is_string(v), ret_why);

	if (r < 0)
		return r;
	if (json_string_length(v) > max)
		return why_set(ret_why, -EBADMSG, "\"%s\" has more than %zu bytes", key, max);
	*ret = json_string_value(v);
	return 0;
}

/* Is lossy what put_text makes of these bytes? One that needs no second form must not have one. */
static bool is_lossy_form(const struct buf *raw, const char *lossy)
{
	bool replaced = false;

	for (size_t i = 0; i < raw->size;) {
		size_t n = utf8_size(raw->data + i, raw->size - i);
		const void *expected = n ? (const void *)(raw->data + i) : "\xef\xbf\xbd";
		size_t size = n ? n : 3;

		if (strncmp(lossy, expected, size) != 0)
			return false;
		replaced |= n == 0;
		lossy += size;
		i += n ? n : 1;
	}
	return replaced && !*lossy;
}

int jsonl_get_path(json_t *o, const char *key, size_t max, const char **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf raw = {0};
	const char *text;
	char name[64];
	json_t *v;
	int r;

	snprintf(name, sizeof(name), "%s_b64", key);
	if (!json_object_get(o, name))
		return jsonl_get_str(o, key, max, ret, ret_why);
	r = jsonl_get_str(o, key, 3 * max, &text, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, name, max, &raw, ret_why);
	if (r < 0)
		return r;
	if (raw.size == 0 || memchr(raw.data, 0, raw.size) || !is_lossy_form(&raw, text))
		return why_set(ret_why, -EBADMSG, "\"%s\" and \"%s\" disagree", key, name);
	/* In memory only: jansson would not write such text, and nobody asks it to. */
	v = json_stringn_nocheck((const char *)raw.data, raw.size);
	if (!v || json_object_set_new_nocheck(o, key, v) < 0)
		return -ENOMEM;
	json_object_del(o, name);
	*ret = json_string_value(v);
	return 0;
}

int jsonl_get_text(const json_t *o, const char *key, char *ret, size_t size, struct why *ret_why)
{
	const char *text;
	int r = jsonl_get_str(o, key, size - 1, &text, ret_why);

	if (r >= 0)
		memcpy(ret, text, strlen(text) + 1);
	return r;
}

int jsonl_get_uint(const json_t *o, const char *key, uint64_t max, uint64_t *ret,
		   struct why *ret_why)
{
	const json_t *v = json_object_get(o, key);
	int r = get(o, key, "a positive integer", json_is_integer(v) && json_integer_value(v) >= 0,
		    ret_why);

	if (r < 0)
		return r;
	if ((uint64_t)json_integer_value(v) > max)
		return why_set(ret_why, -EBADMSG, "\"%s\" is above %" PRIu64, key, max);
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int jsonl_get_u32(const json_t *o, const char *key, uint32_t *ret, struct why *ret_why)
{
	uint64_t v;
	int r = jsonl_get_uint(o, key, UINT32_MAX, &v, ret_why);

	if (r >= 0)
		*ret = (uint32_t)v;
	return r;
}

int jsonl_get_version(const json_t *o, unsigned int version, struct why *ret_why)
{
	uint64_t v;
	int r = jsonl_get_uint(o, "v", INT64_MAX, &v, ret_why);

	if (r < 0)
		return r;
	return v == version ? 0 : why_set(ret_why, -EBADMSG, "\"v\" is not %u", version);
}

int jsonl_get_bool(const json_t *o, const char *key, bool *ret, struct why *ret_why)
{
	const json_t *v = json_object_get(o, key);
	int r = get(o, key, "true or false", json_is_boolean(v), ret_why);

	if (r < 0)
		return r;
	*ret = json_is_true(v);
	return 0;
}

int jsonl_get_object(const json_t *o, const char *key, json_t **ret, struct why *ret_why)
{
	json_t *v = json_object_get(o, key);
	int r = get(o, key, "an object", json_is_object(v), ret_why);

	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

int jsonl_get_array(const json_t *o, const char *key, size_t max, json_t **ret, struct why *ret_why)
{
	json_t *v = json_object_get(o, key);
	int r = get(o, key, "an array", json_is_array(v), ret_why);

	if (r < 0)
		return r;
	if (json_array_size(v) > max)
		return why_set(ret_why, -EBADMSG, "\"%s\" has more than %zu items", key, max);
	*ret = v;
	return 0;
}

int jsonl_get_base64(const json_t *o, const char *key, size_t max, struct buf *ret,
		     struct why *ret_why)
{
	size_t start = ret->size;
	const char *text;
	int r = jsonl_get_str(o, key, max < SIZE_MAX / 4 ? (max + 2) / 3 * 4 : SIZE_MAX, &text,
			      ret_why);

	if (r < 0)
		return r;
	r = digest_from_base64(text, strlen(text), ret);
	if (r == -EBADMSG)
		return why_set(ret_why, r, "\"%s\" is not base64", key);
	if (r < 0)
		return why_set(ret_why, r, "\"%s\" cannot be taken in: %s", key, strerror(-r));
	/* Four digits hold one to three bytes: the length of the text was only the coarse bound. */
	if (ret->size - start > max) {
		buf_cut(ret, start);
		return why_set(ret_why, -EBADMSG, "\"%s\" has more than %zu bytes", key, max);
	}
	return 0;
}

int jsonl_get_hex(const json_t *o, const char *key, uint8_t *ret, size_t size, struct why *ret_why)
{
	const char *text;
	int r = jsonl_get_str(o, key, 2 * size, &text, ret_why);

	if (r < 0)
		return r;
	r = digest_bytes_from_hex(text, strlen(text), ret, size);
	return r < 0 ? why_set(ret_why, r, "\"%s\" is not %zu bytes in lower-case hex", key, size)
		     : 0;
}

void jsonl_decref_p(json_t **o)
{
	json_decref(*o);
}
