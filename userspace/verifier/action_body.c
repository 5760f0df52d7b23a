/* SPDX-License-Identifier: Apache-2.0 */
#include "action_body.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"

static const char *const names[] = {
	[ACTION_ACKNOWLEDGE] = "acknowledge",
	[ACTION_APPROVE] = "approve",
	[ACTION_RELEASE] = "release",
	[ACTION_RETIRE] = "retire",
	[ACTION_BIND] = "bind",
	[ACTION_RESTART] = "restart",
	[ACTION_ARM] = "arm",
	[ACTION_DISARM] = "disarm",
	[ACTION_CHALLENGE] = "challenge",
	[ACTION_SCAN] = "scan",
	[ACTION_EK_IMPORT] = "ek_import",
	[ACTION_EK_REMOVE] = "ek_remove",
	[ACTION_REVOKE] = "revoke",
	[ACTION_REKEY] = "rekey",
	[ACTION_CONTAIN_PAUSE] = "contain_pause",
	[ACTION_CONTAIN_RESUME] = "contain_resume",
	[ACTION_CONTAIN_UNDO] = "contain_undo",
	[ACTION_REMEDY] = "remedy",
};

const char *action_body_name(enum action_kind k)
{
	return (size_t)k < ARRAY_SIZE(names) ? names[k] : NULL;
}

static int parse_kind(const json_t *o, struct action_body *ret, struct why *ret_why)
{
	const char *name;
	int r = jsonl_get_str(o, "action", 32, &name, ret_why);

	if (r < 0)
		return r;
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0) {
			ret->kind = (enum action_kind)i;
			return 0;
		}
	return why_set(ret_why, -EBADMSG, "\"action\": there is no %s", name);
}

static int parse_cases(const json_t *o, struct action_body *ret, struct why *ret_why)
{
	json_t *list;
	int r = jsonl_get_array(o, "cases", ACTION_BODY_MAX_CASES, &list, ret_why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *n = json_array_get(list, i);

		if (!json_is_integer(n) || json_integer_value(n) <= 0)
			return why_set(ret_why, -EBADMSG, "\"cases\" is not made of case numbers");
		ret->cases[ret->n_cases++] = (uint64_t)json_integer_value(n);
	}
	return 0;
}

int action_body_parse(const void *data, size_t size, struct action_body *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	char at[CLOCK_TEXT_SIZE];
	int r = jsonl_parse(data, size, WIRE_MAX_JSON_BODY, &o, ret_why);

	memset(ret, 0, sizeof(*ret));
	if (r >= 0)
		r = jsonl_get_version(o, WIRE_VERSION, ret_why);
	if (r >= 0)
		r = parse_kind(o, ret, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "node", ret->node, sizeof(ret->node), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "reason", ret->reason, sizeof(ret->reason), ret_why);
	if (r >= 0)
		r = parse_cases(o, ret, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "value", ret->value, sizeof(ret->value), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "at", at, sizeof(at), ret_why);
	if (r >= 0 && clock_from_text(at, &ret->at_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"at\" is not a UTC time");
	return r == -ENOENT ? -EBADMSG : r;
}
