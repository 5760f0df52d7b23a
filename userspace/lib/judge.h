/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h: does a baseline allow what was found? The same code in the agent and, again, in the verifier. Pure.
 * In: baseline (NULL: none yet, everything is unjudged), and (type, scope, key, found) of a line. Out: ok, drift with what was expected, unjudged.
 *
 * exec: ok when the scope lists "exec:<found>"; else drift where "exec:" is closed, expected: the digest listed for that path, or "listed".
 *       found "unmeasured …" is drift where "exec:" is closed.
 * load: the same with "load:".
 * code: "code:<path>" the same with "code:", and ok when the scope lists "exec:<found>"; its other keys as the rest.
 * rest: listed: ok when the text is equal, else drift; not listed: drift with expected "absent" where closed (ok if found is "absent"), else unjudged.
 *       module: the event "loaded" also agrees with "loaded srcversion=…".
 * A scope that the baseline does not have: unjudged.
 */
#ifndef PLUMB_JUDGE_H
#define PLUMB_JUDGE_H

#include "plumb/terms.h"
#include "baseline.h"
#include "line.h"

struct judge_result {
	enum plumb_judgement judgement;
	char expected[LINE_MAX_VALUE];	/* "" unless drift */
};

int judge_measurement(const struct baseline *b, enum plumb_type type, const char *scope, const char *key, const char *found,
		      struct judge_result *ret);

#endif
