/* SPDX-License-Identifier: Apache-2.0 */
#include "first_line.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

static bool is_its(const struct record *r, json_t *o)
{
	uint8_t root[DIGEST_SIZE];
	const char *origin;
	uint64_t size;
	struct why why;

	return jsonl_get_str(o, "origin", sizeof(r->predecessor_origin), &origin, &why) >= 0 &&
	       jsonl_get_uint(o, "size", INT64_MAX, &size, &why) >= 0 &&
	       jsonl_get_hex(o, "root", root, sizeof(root), &why) >= 0 &&
	       strcmp(origin, r->predecessor_origin) == 0 && size == r->predecessor_size &&
	       memcmp(root, r->predecessor_root.bytes, sizeof(root)) == 0;
}

bool first_line_is_good(const struct record *record, const void *lines, size_t size,
			struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *lf = size > 0 ? memchr(lines, '\n', size) : NULL;
	bool has_one = record->predecessor_origin[0] != 0;
	json_t *named;
	struct why why;

	if (!lf)
		return true;
	if (jsonl_parse(lines, (size_t)(lf - (const char *)lines), size, &o, &why) < 0)
		return true;
	named = json_object_get(o, "predecessor");
	if (!named || json_is_null(named)) {
		if (!has_one)
			return true;
	} else if (has_one && json_is_object(named) && is_its(record, named)) {
		return true;
	}
	why_set(ret_why, 0,
		"line 0 does not name what was before as the enrolment record does: %.150s, "
		"%" PRIu64 " lines",
		has_one ? record->predecessor_origin : "nothing", record->predecessor_size);
	return false;
}
