/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_drift.h: cases, groups of them, rules, and what rules would do, as text for people. In: what the verifier says (hostile: any member
 * may be absent, of another type, or steer a terminal). Out: text of at most `columns` a line; 0: nothing is cut.
 */
#ifndef PLUMB_VIEW_DRIFT_H
#define PLUMB_VIEW_DRIFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void view_drift_groups(FILE *f, size_t columns, const json_t *groups);
/* Open ones; closed ones too with all. Returns how many were shown. */
size_t view_drift_cases(FILE *f, size_t columns, const json_t *cases, bool all);
bool view_drift_is_open(const json_t *a_case);
void view_drift_policy(FILE *f, size_t columns, const json_t *policy);
void view_drift_would(FILE *f, size_t columns, const json_t *would);

#endif
