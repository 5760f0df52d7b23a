/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_join.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

/* Of a bundle: `…,"rules":[RULES]}`. A name has no quotes, so the first `"rules":[` is the list. */
static const char rules_key[] = "\"rules\":[";

static int check_ids(const struct policy_join_part *parts, uint32_t n, struct why *ret_why)
{
	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t k = 0; k < policy_n_rules(parts[i].policy); k++) {
			const char *id = policy_rule(parts[i].policy, k)->id;

			for (uint32_t other = 0; other < i; other++)
				for (uint32_t m = 0; m < policy_n_rules(parts[other].policy); m++)
					if (strcmp(policy_rule(parts[other].policy, m)->id, id) ==
					    0)
						return why_set(ret_why, -EBADMSG,
							       "rule \"%s\" is in %s and in %s", id,
							       policy_name(parts[other].policy),
							       policy_name(parts[i].policy));
		}
	}
	return 0;
}

static int put_rules(const struct buf *bundle, struct buf *ret)
{
	const uint8_t *at = memmem(bundle->data, bundle->size, rules_key, sizeof(rules_key) - 1);
	const uint8_t *end = bundle->data + bundle->size - 2; /* of "]}" */

	if (!at || bundle->size < 2 || memcmp(end, "]}", 2) != 0)
		return -EBADMSG;
	at += sizeof(rules_key) - 1;
	buf_put(ret, at, (size_t)(end - at));
	return 0;
}

int policy_join(const struct policy_join_part *parts, uint32_t n, struct buf *ret_bundle,
		struct policy **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf name = {0};
	uint64_t version = 0;
	int r = check_ids(parts, n, ret_why);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++) {
		buf_printf(&name, "%s%s", i ? "." : "", policy_name(parts[i].policy));
		version += policy_version(parts[i].policy);
	}
	if (name.size > POLICY_MAX_ID)
		return why_set(ret_why, -EBADMSG, "the names together are longer than %u bytes",
			       POLICY_MAX_ID);
	if (n == 1)
		buf_put(ret_bundle, parts[0].bundle->data, parts[0].bundle->size);
	else
		buf_printf(ret_bundle, "{\"v\":1,\"name\":\"%s\",\"version\":%llu,%s",
			   (const char *)name.data, (unsigned long long)version, rules_key);
	for (uint32_t i = 0; i < n && n > 1; i++) {
		if (i)
			buf_puts(ret_bundle, ",");
		r = put_rules(parts[i].bundle, ret_bundle);
		if (r < 0)
			return why_set(ret_why, r, "%s: is no bundle of this compiler",
				       policy_name(parts[i].policy));
	}
	if (n > 1)
		buf_puts(ret_bundle, "]}");
	r = buf_status(&name) < 0 ? buf_status(&name) : buf_status(ret_bundle);
	return r < 0 ? r : policy_open(ret_bundle->data, ret_bundle->size, ret, ret_why);
}
