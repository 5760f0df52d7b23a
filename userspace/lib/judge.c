/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int give(struct judge_result *ret, enum plumb_judgement judgement, const char *expected)
{
	ret->judgement = judgement;
	snprintf(ret->expected, sizeof(ret->expected), "%s", expected);
	return 0;
}

/* By digest, wherever the file lay: what is listed as "exec:sha256:…" may run, as "load:sha256:…" go into the kernel. */
static int judge_digest(const struct baseline *b, const char *kind, const char *scope,
			const char *found, struct judge_result *ret)
{
	char key[128];

	/* Only a digest can be listed: "unmeasured …" and anything else never is. */
	if (strncmp(found, "sha256:", 7) == 0 &&
	    snprintf(key, sizeof(key), "%s%s", kind, found) < (int)sizeof(key) &&
	    baseline_expected(b, scope, key))
		return give(ret, PLUMB_JUDGE_OK, "");
	if (baseline_is_closed(b, kind))
		return give(ret, PLUMB_JUDGE_DRIFT, "listed");
	return give(ret, PLUMB_JUDGE_UNJUDGED, "");
}

/* What may be executed may be mapped; what is listed as "code:sha256:…" only that. */
static int judge_code(const struct baseline *b, const char *scope, const char *found,
		      struct judge_result *ret)
{
	char key[128];

	if (strncmp(found, "sha256:", 7) == 0 &&
	    snprintf(key, sizeof(key), "exec:%s", found) < (int)sizeof(key) &&
	    baseline_expected(b, scope, key))
		return give(ret, PLUMB_JUDGE_OK, "");
	return judge_digest(b, "code:", scope, found, ret);
}

/* The event of a load cannot say more than "loaded"; the next scan tells which build it was. */
static bool is_expected(enum plumb_type type, const char *expected, const char *found)
{
	if (strcmp(expected, found) == 0)
		return true;
	return type == PLUMB_TYPE_MODULE && strcmp(found, "loaded") == 0 &&
	       strncmp(expected, "loaded ", 7) == 0;
}

int judge_measurement(const struct baseline *b, enum plumb_type type, const char *scope,
		      const char *key, const char *found, struct judge_result *ret)
{
	const char *expected;

	if (!b || !baseline_has_scope(b, scope))
		return give(ret, PLUMB_JUDGE_UNJUDGED, "");
	if (type == PLUMB_TYPE_EXEC)
		return judge_digest(b, "exec:", scope, found, ret);
	if (type == PLUMB_TYPE_LOAD)
		return judge_digest(b, "load:", scope, found, ret);
	if (type == PLUMB_TYPE_CODE && strncmp(key, "code:", 5) == 0)
		return judge_code(b, scope, found, ret);
	expected = baseline_expected(b, scope, key);
	if (expected)
		return is_expected(type, expected, found) ? give(ret, PLUMB_JUDGE_OK, "")
							  : give(ret, PLUMB_JUDGE_DRIFT, expected);
	if (!baseline_is_closed(b, key))
		return give(ret, PLUMB_JUDGE_UNJUDGED, "");
	return strcmp(found, "absent") == 0 ? give(ret, PLUMB_JUDGE_OK, "")
					    : give(ret, PLUMB_JUDGE_DRIFT, "absent");
}
