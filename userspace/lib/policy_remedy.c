/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_remedy.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

static const char *const names[] = {"",	      "isolate",   "snapshot", "files",	 "keys",
				    "reboot", "provision", "attest",   "release"};

const char *policy_remedy_name(enum policy_remedy_step v)
{
	return v >= POLICY_REMEDY_ISOLATE && v <= POLICY_REMEDY_RELEASE ? names[v] : NULL;
}

enum policy_remedy_step policy_remedy_from_name(const char *name)
{
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum policy_remedy_step)i;
	return 0;
}

static int read_steps(const json_t *o, const char *key, uint32_t *ret, struct why *ret_why)
{
	json_t *list, *item;
	size_t i;

	if (jsonl_get_array(o, key, ARRAY_SIZE(names), &list, ret_why) < 0)
		return -EBADMSG;
	*ret = 0;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(item);
		enum policy_remedy_step s = name ? policy_remedy_from_name(name) : 0;

		if (!s)
			return why_set(ret_why, -EBADMSG, "\"%s\" has a step that there is not",
				       key);
		if (*ret & 1u << s)
			return why_set(ret_why, -EBADMSG, "\"%s\" has %s twice", key, name);
		*ret |= 1u << s;
	}
	return 0;
}

int policy_remedy_read(const json_t *rule, uint32_t *ret_steps, uint32_t *ret_itself,
		       struct why *ret_why)
{
	json_t *remedy = json_object_get(rule, "remedy");
	uint32_t steps, itself;

	if (!remedy) {
		*ret_steps = *ret_itself = 0;
		return 0;
	}
	if (!json_is_object(remedy) || json_object_size(remedy) != 2)
		return why_set(ret_why, -EBADMSG, "\"remedy\" is not steps and auto");
	if (read_steps(remedy, "steps", &steps, ret_why) < 0 ||
	    read_steps(remedy, "auto", &itself, ret_why) < 0)
		return -EBADMSG;
	/* Whatever else is done: who comes back was looked at, and released. */
	steps |= POLICY_REMEDY_ALWAYS;
	if (itself & ~steps)
		return why_set(ret_why, -EBADMSG, "\"auto\" has a step that \"steps\" has not");
	*ret_steps = steps;
	*ret_itself = itself;
	return 0;
}
