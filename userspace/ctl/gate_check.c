/* SPDX-License-Identifier: Apache-2.0 */
#include "gate_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "jwt.h"

#define MAX_CLAIMS (1u << 20)
#define SECOND 1000000000ull
#define SKEW_S 60u /* of two clocks that are both right */
#define PROFILE "tag:ietf.org,2026:rats/ear#04"
#define MAX_TEXT 512

enum print_exit gate_check_worse(enum print_exit a, enum print_exit b)
{
	if (a == PRINT_NOT_GOOD || b == PRINT_NOT_GOOD)
		return PRINT_NOT_GOOD;
	return a == PRINT_GOOD ? b : a;
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void say(struct gate_found *f, enum print_exit result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct gate_found *f, enum print_exit result, const char *format, ...)
{
	va_list args;

	f->result = result;
	va_start(args, format);
	vsnprintf(f->why, sizeof(f->why), format, args);
	va_end(args);
}

/* What is too old, or of the future, tells nothing. */
static bool is_fresh(uint64_t at_s, const char *what, const struct gate_terms *t,
		     struct gate_found *f)
{
	uint64_t now_s = t->now_ns / SECOND;

	if (at_s > now_s + SKEW_S)
		say(f, PRINT_UNKNOWN, "%s is of the future: one of the clocks is wrong", what);
	else if (now_s > at_s && now_s - at_s > t->max_age_s)
		say(f, PRINT_UNKNOWN, "%s is %" PRIu64 " s old, more than %" PRIu64, what,
		    now_s - at_s, t->max_age_s);
	else
		return true;
	return false;
}

/* Which states are bad and which say nothing; a word that is none of ours says nothing. */
static enum print_exit result_of(const char *state)
{
	static const char *const bad[] = {"degraded", "held",	 "quarantined",
					  "revoked",  "retired", "forked"};

	if (strcmp(state, "trusted") == 0)
		return PRINT_GOOD;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strcmp(state, bad[i]) == 0)
			return PRINT_NOT_GOOD;
	return PRINT_UNKNOWN;
}

static void check_node(const json_t *n, const struct gate_terms *t, struct gate_found *f)
{
	const char *state = text_at(n, "state");
	uint64_t at;

	*f = (struct gate_found){.result = result_of(state)};
	snprintf(f->label, sizeof(f->label), "%s", text_at(n, "label"));
	snprintf(f->id, sizeof(f->id), "%s", text_at(n, "id"));
	if (f->result != PRINT_GOOD)
		say(f, f->result, "%.20s: %s", state[0] ? state : "no state", text_at(n, "cause"));
	else if (strcmp(text_at(n, "appraisal"), "trusted") != 0 ||
		 strcmp(text_at(n, "containment"), "free") != 0)
		say(f, PRINT_NOT_GOOD, "appraisal %.20s, containment %.20s",
		    text_at(n, "appraisal"), text_at(n, "containment"));
	else if (clock_from_text(text_at(n, "last_evidence"), &at) < 0)
		say(f, PRINT_UNKNOWN, "no evidence was accepted yet");
	else
		is_fresh(at / SECOND, "its last evidence", t, f);
}

enum print_exit gate_check_nodes(const json_t *nodes, const struct gate_terms *t,
				 void (*fn)(void *ctx, const struct gate_found *f), void *ctx)
{
	enum print_exit worst = PRINT_GOOD;
	struct gate_found f;
	bool any = false;
	json_t *n;
	size_t i;

	json_array_foreach (nodes, i, n) {
		const char *state = text_at(n, "state");

		if (!gate_selector_agrees(t->selector, text_at(n, "label"), text_at(n, "id"),
					  text_at(n, "kube_name"), state))
			continue;
		/* A retired one is no node any more, unless it is asked for. */
		if (strcmp(state, "retired") == 0 && !gate_selector_names_state(t->selector))
			continue;
		check_node(n, t, &f);
		fn(ctx, &f);
		worst = gate_check_worse(worst, f.result);
		any = true;
	}
	return any ? worst : PRINT_UNKNOWN;
}

static enum print_exit status_result(const char *status)
{
	if (strcmp(status, "affirming") == 0)
		return PRINT_GOOD;
	return strcmp(status, "warning") == 0 || strcmp(status, "contraindicated") == 0
		       ? PRINT_NOT_GOOD
		       : PRINT_UNKNOWN;
}

static bool is_listed(const char *parts, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = parts; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
		if (strcspn(at, ",") == size && memcmp(at, name, size) == 0)
			return true;
	return false;
}

/* What nobody spoke of is no affirmation, where it is asked for; nothing may be bad. */
static void judge(const char *what, const char *status, bool must, struct gate_found *f)
{
	enum print_exit r = status_result(status);

	if (r == PRINT_UNKNOWN && !must)
		return;
	if (gate_check_worse(f->result, r) != f->result)
		say(f, r, "%.60s is %.40s", what, status[0] ? status : "not told");
}

static void check_status(const json_t *o, const char *wanted, struct gate_found *f)
{
	json_t *parts = json_object_get(o, "submods"), *part;
	const char *name, *status;
	char one[64];

	f->result = PRINT_GOOD;
	judge("ear_status", text_at(o, "ear_status"), !wanted, f);
	/* A machine that measures no boot is no worse for it, unless the policy says so (then it is a warning), or it is asked for here. */
	json_object_foreach (parts, name, part) {
		status = text_at(part, "ear_status");
		judge(name, status,
		      wanted ? is_listed(wanted, name)
			     : strcmp(name, "boot") != 0 || strcmp(status, "none") != 0,
		      f);
	}
	if (json_object_size(parts) == 0 && f->result == PRINT_GOOD)
		say(f, PRINT_UNKNOWN, "it appraises no part");
	for (const char *at = wanted ? wanted : ""; *at;) {
		size_t size = strcspn(at, ",");

		snprintf(one, sizeof(one), "%.*s", (int)size, at);
		if (!json_object_get(parts, one) && f->result == PRINT_GOOD)
			say(f, PRINT_UNKNOWN, "it has no part %s", one);
		at += size + (at[size] == ',');
	}
}

static void check_claims(json_t *o, const struct gate_terms *t, struct gate_found *f)
{
	const char *sub, *label = "", *profile;
	uint64_t iat, exp;
	struct why why = {""};
	int r = jsonl_get_str(o, "eat_profile", MAX_TEXT, &profile, &why);

	if (r >= 0 && strcmp(profile, PROFILE) != 0)
		r = why_set(&why, -EBADMSG, "its profile is %.100s, not " PROFILE, profile);
	if (r >= 0)
		r = jsonl_get_str(o, "sub", MAX_TEXT, &sub, &why);
	if (r >= 0)
		r = jsonl_get_uint(o, "iat", UINT64_MAX / SECOND, &iat, &why);
	if (r >= 0)
		r = jsonl_get_uint(o, "exp", UINT64_MAX / SECOND, &exp, &why);
	if (r < 0) {
		say(f, PRINT_UNKNOWN, "it is no EAR: %s", why.text);
		return;
	}
	if (json_object_get(o, "plumb_label"))
		label = text_at(o, "plumb_label");
	snprintf(f->id, sizeof(f->id), "%s", sub);
	snprintf(f->label, sizeof(f->label), "%s", label);
	/* It does not say which Kubernetes node that is, nor its state in the verifier's words. */
	if (!gate_selector_agrees(t->selector, label, sub, NULL, NULL))
		say(f, PRINT_UNKNOWN, "it is of another node than was selected");
	else if (exp <= t->now_ns / SECOND)
		say(f, PRINT_UNKNOWN, "it ended %" PRIu64 " s ago",
		    (uint64_t)(t->now_ns / SECOND - exp));
	else if (is_fresh(iat, "it", t, f))
		check_status(o, t->parts, f);
}

void gate_check_ear(const void *jwt, size_t size, const void *jwks, size_t jwks_size,
		    const struct gate_terms *t, struct gate_found *ret)
{
	CLEANUP(buf_done) struct buf claims = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why = {""};
	int r;

	*ret = (struct gate_found){.result = PRINT_UNKNOWN};
	r = jwt_open_by_set(jwt, size, jwks, jwks_size, &claims, &why);
	if (r >= 0)
		r = jsonl_parse(claims.data, claims.size, MAX_CLAIMS, &o, &why);
	if (r < 0)
		say(ret, PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r));
	else
		check_claims(o, t, ret);
}
