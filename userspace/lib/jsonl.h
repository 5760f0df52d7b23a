/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonl.h: writes one JSON object with keys in the order given, and reads one strictly (jansson).
 * In: C values, or a foreign line. Out: one line without LF, or a json_t.
 * Integers only. Text that is not UTF-8 is written lossy (U+FFFD) and, with jsonl_path(), also as KEY_b64.
 */
#ifndef PLUMB_JSONL_H
#define PLUMB_JSONL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "buf.h"
#include "why.h"

/* Writing: into buf, never re-ordered. Nesting: jsonl_object/jsonl_array … jsonl_close. key NULL inside an array. */
struct jsonl {
	struct buf *buf;	/* borrowed */
	uint32_t depth;
	bool comma;
};

/*
 * The name of the next member, a literal of plain characters, when many are written: its value follows with key NULL. It is copied as
 * one piece whose size the compiler knows.
 */
#define jsonl_name(j, name)	jsonl_quoted_name(j, "\"" name "\":", sizeof("\"" name "\":") - 1)
static inline void jsonl_quoted_name(struct jsonl *j, const char *quoted, size_t size)
{
	uint8_t *from = buf_room(j->buf, size + 1), *to = from;

	if (!from)
		return;
	if (j->comma)
		*to++ = ',';
	memcpy(to, quoted, size);
	buf_grew(j->buf, (size_t)(to - from) + size);
	j->comma = false;
}

void jsonl_begin(struct jsonl *j, struct buf *b);		/* writes { */
void jsonl_end(struct jsonl *j);				/* writes } */
void jsonl_str(struct jsonl *j, const char *key, const char *value);	/* NULL value: writes null */
void jsonl_strn(struct jsonl *j, const char *key, const char *value, size_t size);
void jsonl_path(struct jsonl *j, const char *key, const char *value);	/* and key_b64 when it is not UTF-8 */
void jsonl_path_value(struct jsonl *j, const char *name, const char *value);	/* after jsonl_name(j, name) */
void jsonl_int(struct jsonl *j, const char *key, int64_t value);
void jsonl_uint(struct jsonl *j, const char *key, uint64_t value);	/* above 2^63-1: sets buf error -ERANGE */
void jsonl_bool(struct jsonl *j, const char *key, bool value);
void jsonl_null(struct jsonl *j, const char *key);
void jsonl_hex(struct jsonl *j, const char *key, const void *data, size_t size);
void jsonl_base64(struct jsonl *j, const char *key, const void *data, size_t size);
void jsonl_raw(struct jsonl *j, const char *key, const char *json, size_t size);	/* trusted JSON, verbatim */
void jsonl_object(struct jsonl *j, const char *key);
void jsonl_array(struct jsonl *j, const char *key);
void jsonl_close(struct jsonl *j);			/* the innermost object or array */

/*
 * Reading: one object; duplicate keys, floats, NUL in text, trailing bytes, more than 32 levels, and more than
 * max bytes are refused. caller frees with json_decref.
 */
int jsonl_parse(const void *data, size_t size, size_t max, json_t **ret, struct why *ret_why);

/* Getters: -ENOENT when the key is absent, -EBADMSG when it has another type or passes the bound; why names the key. Borrowed results. */
int jsonl_get_str(const json_t *o, const char *key, size_t max, const char **ret, struct why *ret_why);
/* What jsonl_path wrote: the bytes of KEY_b64 where it is there and agrees with the lossy text, which it then replaces in o. max: of the bytes. */
int jsonl_get_path(json_t *o, const char *key, size_t max, const char **ret, struct why *ret_why);
/* Copied into ret, of size bytes with its NUL. */
int jsonl_get_text(const json_t *o, const char *key, char *ret, size_t size, struct why *ret_why);
int jsonl_get_uint(const json_t *o, const char *key, uint64_t max, uint64_t *ret, struct why *ret_why);
int jsonl_get_u32(const json_t *o, const char *key, uint32_t *ret, struct why *ret_why);
int jsonl_get_version(const json_t *o, unsigned int version, struct why *ret_why);	/* the member "v" must be that */
int jsonl_get_bool(const json_t *o, const char *key, bool *ret, struct why *ret_why);
int jsonl_get_object(const json_t *o, const char *key, json_t **ret, struct why *ret_why);
int jsonl_get_array(const json_t *o, const char *key, size_t max, json_t **ret, struct why *ret_why);
int jsonl_get_base64(const json_t *o, const char *key, size_t max, struct buf *ret, struct why *ret_why);	/* appends */
int jsonl_get_hex(const json_t *o, const char *key, uint8_t *ret, size_t size, struct why *ret_why);	/* exactly size bytes */

/* CLEANUP(jsonl_decref_p) json_t *o = NULL; */
void jsonl_decref_p(json_t **o);

#endif
