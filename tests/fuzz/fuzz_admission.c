/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server, or whoever reaches its webhook, sends: an answer that echoes the uid, or none; never both. */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admission.h"
#include "kube_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int node(void *ctx, const char *name, struct node_state *ret)
{
	(void)ctx;
	if (strcmp(name, "bad") != 0 && strcmp(name, "good") != 0)
		return -ENOENT;
	*ret = (struct node_state){
		PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_TRUSTED, PLUMB_FRESHNESS_FRESH,
		*name == 'b' ? PLUMB_CONTAIN_QUARANTINED : PLUMB_CONTAIN_FREE, false};
	return 0;
}

static void tolerant(void *ctx, const char *uid)
{
	(void)ctx;
	if (!*uid)
		abort();
}

static bool is_tolerant(void *ctx, const char *uid)
{
	(void)ctx;
	return strlen(uid) == 2;
}

static void try_rules(const uint8_t *data, size_t size, bool strict, const json_t *o)
{
	static const char *const exempt[] = {"kube-system"};
	const struct admission_rules rules = {.allow_unknown = !strict,
					      .allow_degraded = !strict,
					      .allow_silent = !strict,
					      .startup_taint = strict,
					      .exempt = exempt,
					      .n_exempt = 1};
	const struct admission_world w = {node, tolerant, is_tolerant, NULL};
	struct admission_told told;
	struct buf b = {0};
	struct why why;
	int r = admission_review(data, size, &rules, &w, &b, &told, &why);

	if (r >= 0) {
		json_t *answer = json_loadb((char *)b.data, b.size, 0, NULL);
		const json_t *response = json_object_get(answer, "response");

		if (!json_equal(json_object_get(response, "uid"),
				json_object_get(json_object_get(o, "request"), "uid")) ||
		    json_is_true(json_object_get(response, "allowed")) == told.refused ||
		    told.refused != (told.reason[0] != 0))
			abort();
		json_decref(answer);
	} else if (b.size != 0) {
		abort();
	}
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = kube_json_load(data, size, 0);

	try_rules(data, size, false, o);
	try_rules(data, size, true, o);
	json_decref(o);
	return 0;
}
