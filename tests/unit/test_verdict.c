/* SPDX-License-Identifier: Apache-2.0 */
/* What drift means by a policy, when a case closes, what the open ones come to, and how that is said as an EAR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "jsonl.h"
#include "jwt.h"
#include "verdict_ear.h"

#define SECOND 1000000000ull

#define RULE(id, when, severity, action, mode, release, score, grace, claim, value)       \
	"{\"id\":\"" id "\",\"title\":\"t\",\"when\":{" when "},\"severity\":\"" severity \
	"\",\"action\":\"" action "\",\"mode\":\"" mode "\",\"release\":\"" release       \
	"\",\"score\":" #score ",\"grace_ms\":" #grace ",\"claim\":\"" claim              \
	"\",\"value\":" #value "}"

static const char bundle[] = "{\"v\":1,\"name\":\"test\",\"version\":7,\"rules\":[" RULE(
	"exec-root", "\"type\":\"exec\",\"uid\":0", "critical", "quarantine", "armed", "ack", 900,
	0, "executables", 96) "," //
	RULE("exec", "\"type\":\"exec\"", "high", "quarantine", "report", "ack", 100, 0,
	     "executables",
	     33) "," //
	RULE("file", "\"key\":{\"prefix\":\"file:\"}", "medium", "hold", "armed", "claim", 50, 5000,
	     "configuration", 32) "," //
	RULE("boot", "\"finding\":\"unanchored\"", "low", "hold", "armed", "reboot", 10, 0,
	     "instance-identity", 32) "," //
	RULE("quiet", "\"finding\":\"silent\"", "low", "report", "armed", "claim", 1, 0, "hardware",
	     2) "]}";

struct place {
	struct policy *p;
	struct verdict_facts f;
	struct appraise_drift_item i;
	struct line_actor root;
	struct store_case c;
	struct verdict v;
	struct verdict_ear_boot boot;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct why why = {""};

	assert_non_null(p);
	if (policy_open(bundle, strlen(bundle), &p->p, &why) < 0)
		fail_msg("%s", why.text);
	p->f = (struct verdict_facts){"aa", 2, false, 1000 * SECOND, 5};
	p->root = (struct line_actor){.known = true, .pid = 12, .comm = "sh", .exe = "/bin/bash"};
	p->i = (struct appraise_drift_item){.seq = 40,
					    .type = PLUMB_TYPE_FILE,
					    .judgement = PLUMB_JUDGE_DRIFT,
					    .scope = "host",
					    .key = "file:/etc/x",
					    .expected = "absent",
					    .found = "there",
					    .actor = &p->root};
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	policy_free(p->p);
	free(p);
	return 0;
}

static void open_case(struct place *p)
{
	assert_int_equal(verdict_open(p->p, &p->i, &p->f, &p->c), 0);
}

static void open_finding(struct place *p, enum plumb_finding f, const char *key)
{
	p->i.type = PLUMB_TYPE_GAP;
	p->i.finding = f;
	p->i.key = key;
	open_case(p);
}

/* What the one case at hand comes to. */
static enum plumb_action weigh(struct place *p)
{
	verdict_begin(&p->v, p->p, p->f.now_ns, true, false);
	p->c.id = 9;
	verdict_add(&p->v, &p->c);
	verdict_end(&p->v);
	return p->v.action;
}

static void test_open(void **state)
{
	struct place *p = *state;

	open_case(p);
	assert_int_equal(p->c.id, 0);
	assert_string_equal(p->c.node, "aa");
	assert_int_equal(p->c.incarnation, 2);
	assert_string_equal(p->c.rule, "file");
	assert_string_equal(p->c.who, "uid 0, /bin/bash (sh/12)");
	assert_string_equal(p->c.found, "there");
	assert_int_equal(p->c.severity, PLUMB_SEVERITY_MEDIUM);
	assert_int_equal(p->c.action, PLUMB_ACTION_HOLD);
	assert_true(p->c.armed);
	assert_int_equal(p->c.release, POLICY_RELEASE_CLAIM);
	assert_int_equal(p->c.grace_ms, 5000);
	assert_int_equal(p->c.opened_reset, 5);
	p->i.type = PLUMB_TYPE_EXEC;
	p->i.key = "exec:/x";
	open_case(p);
	assert_string_equal(p->c.rule, "exec-root");
	assert_string_equal(p->c.who, "uid 0, /bin/bash (sh/12)");
	/* By whom is who started it: what ran is in the key. */
	p->root.n_ancestors = 1;
	p->root.ancestors[0] = (struct line_ancestor){.pid = 7, .comm = "cron"};
	open_case(p);
	assert_string_equal(p->c.who, "uid 0, unknown program (cron/7)");
	p->root.ancestors[0].exe = "/usr/sbin/cron";
	open_case(p);
	assert_string_equal(p->c.who, "uid 0, /usr/sbin/cron (cron/7)");
	/* In a container: which, of which pod, and whether it was in the image. */
	p->root.container = "0123";
	p->i.layer = "upper";
	open_case(p);
	assert_string_equal(p->c.who,
			    "uid 0, /usr/sbin/cron (cron/7), layer upper, container 0123");
	p->root.pod = "8dbc";
	p->i.layer = NULL;
	open_case(p);
	assert_string_equal(p->c.who, "uid 0, /usr/sbin/cron (cron/7), container 0123, pod 8dbc");
	p->root.container = p->root.pod = NULL;
	p->i.type = PLUMB_TYPE_FILE;
	open_case(p);
	assert_string_equal(p->c.who, "uid 0, /bin/bash (sh/12)");
	p->i.type = PLUMB_TYPE_EXEC;
	p->root.known = false;
	open_case(p);
	assert_string_equal(p->c.rule, "exec");
	assert_string_equal(p->c.who, "unknown");
	assert_false(p->c.armed);
	p->i.type = PLUMB_TYPE_MOUNT;
	p->i.key = "mount:/x";
	p->i.actor = NULL;
	open_case(p);
	assert_string_equal(p->c.rule, "");
	assert_int_equal(p->c.severity, PLUMB_SEVERITY_INFO);
	assert_string_equal(p->c.who, "unknown");
	/* A finding on an exec's line is no exec. */
	p->i.type = PLUMB_TYPE_EXEC;
	p->i.finding = PLUMB_FINDING_JUDGE_LIE;
	p->i.key = "finding:judge_lie";
	p->i.actor = &p->root;
	p->root.known = true;
	open_case(p);
	assert_string_equal(p->c.rule, "");
	assert_int_equal(p->c.severity, PLUMB_SEVERITY_HIGH);
}

/* Two keys that are both too long for a row do not become one case. */
static void test_long_texts(void **state)
{
	struct place *p = *state;
	static char a[9000], b[9000];
	struct store_case first;

	memset(a, 'a', sizeof(a) - 1);
	memcpy(a, "file:", 5);
	memcpy(b, a, sizeof(b));
	b[8000] = 'b';
	p->i.key = p->i.found = a;
	open_case(p);
	first = p->c;
	assert_int_equal(strlen(first.key), sizeof(first.key) - 1);
	assert_string_equal(first.rule, "file");
	p->i.key = b;
	open_case(p);
	assert_string_not_equal(first.key, p->c.key);
	assert_memory_equal(first.key, p->c.key, 4000);
	p->i.judgement = PLUMB_JUDGE_OK;
	p->i.seq++;
	assert_true(verdict_settled_by(&p->c, &p->i));
	assert_false(verdict_settled_by(&first, &p->i));
}

static void test_merge_and_confirm(void **state)
{
	struct place *p = *state;
	struct store_case first;

	p->f.provisional = true;
	open_case(p);
	first = p->c;
	p->f.now_ns += SECOND;
	open_case(p);
	verdict_merge(&first, &p->c);
	assert_int_equal(first.count, 1);
	assert_true(first.provisional);
	p->i.seq = 41;
	p->i.found = "other";
	p->f.provisional = false;
	open_case(p);
	verdict_merge(&first, &p->c);
	assert_int_equal(first.count, 2);
	assert_int_equal(first.first_seq, 40);
	assert_int_equal(first.last_seq, 41);
	assert_string_equal(first.found, "other");
	assert_int_equal(first.opened_ns, 1000 * SECOND);
	assert_int_equal(first.last_ns, 1001 * SECOND);
	assert_false(first.provisional);
	first.provisional = true;
	assert_false(verdict_confirm(&first, 40));
	assert_true(verdict_confirm(&first, 41));
	assert_false(verdict_confirm(&first, 42));
}

static void test_what_closes(void **state)
{
	struct place *p = *state;
	struct appraise_drift_item good;

	open_case(p);
	good = p->i;
	good.judgement = PLUMB_JUDGE_OK;
	assert_false(verdict_settled_by(&p->c, &good)); /* no later than the drift */
	good.seq = 41;
	assert_true(verdict_settled_by(&p->c, &good));
	good.judgement = PLUMB_JUDGE_UNJUDGED;
	assert_false(verdict_settled_by(&p->c, &good));
	good.judgement = PLUMB_JUDGE_OK;
	good.scope = "image:x";
	assert_false(verdict_settled_by(&p->c, &good));
	good.scope = "host";
	p->c.release = POLICY_RELEASE_ACK;
	assert_false(verdict_settled_by(&p->c, &good));
	p->c.release = POLICY_RELEASE_CLAIM;
	p->c.type = PLUMB_TYPE_EXEC;
	assert_false(verdict_settled_by(&p->c, &good));
	p->c.type = PLUMB_TYPE_FILE;
	verdict_close(&p->c, 0, "it is good again");
	assert_true(p->c.closed_ns != 0);
	assert_false(verdict_settled_by(&p->c, &good));

	open_finding(p, PLUMB_FINDING_SILENT, "finding:silent");
	assert_false(verdict_settled_without(&p->c, 1u << PLUMB_FINDING_SILENT));
	assert_true(verdict_settled_without(&p->c, 1u << PLUMB_FINDING_GAP));
	p->c.finding = PLUMB_FINDING_GAP;
	assert_false(verdict_settled_without(&p->c, 0));
	p->c.finding = PLUMB_FINDING_SILENT;
	p->c.release = POLICY_RELEASE_ACK;
	assert_false(verdict_settled_without(&p->c, 0));

	open_finding(p, PLUMB_FINDING_UNANCHORED, "finding:unanchored");
	assert_string_equal(p->c.rule, "boot");
	assert_false(verdict_settled_by_reboot(&p->c, 5, true));
	assert_false(verdict_settled_by_reboot(&p->c, 6, false));
	assert_true(verdict_settled_by_reboot(&p->c, 6, true));
	p->c.release = POLICY_RELEASE_ACK;
	assert_false(verdict_settled_by_reboot(&p->c, 6, true));
}

static void test_actions(void **state)
{
	struct place *p = *state;

	/* Grace: the case must be so old before it acts. */
	open_case(p);
	assert_int_equal(weigh(p), PLUMB_ACTION_REPORT);
	assert_true(p->v.next_ns == 1005 * SECOND);
	p->f.now_ns = 1005 * SECOND;
	assert_int_equal(weigh(p), PLUMB_ACTION_HOLD);
	assert_int_equal(p->v.cause, 9);
	assert_int_equal(p->v.next_ns, 0);
	assert_int_equal(p->v.score, 50);
	p->c.closed_ns = 1;
	assert_int_equal(weigh(p), 0);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_TRUSTED);
	assert_int_equal(p->v.n_open, 0);
	/* What no quote covers holds at most; a rule that nobody armed reports. */
	p->i.type = PLUMB_TYPE_EXEC;
	p->i.key = "exec:/x";
	p->f.provisional = true;
	open_case(p);
	assert_int_equal(weigh(p), PLUMB_ACTION_HOLD);
	p->c.provisional = false;
	assert_int_equal(weigh(p), PLUMB_ACTION_QUARANTINE);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_UNTRUSTED);
	/* Whoever sets the clock back takes nothing back with it. */
	p->f.now_ns = 900 * SECOND;
	assert_int_equal(weigh(p), PLUMB_ACTION_QUARANTINE);
	assert_int_equal(p->v.next_ns, 0);
	p->root.known = false;
	open_case(p);
	assert_int_equal(weigh(p), PLUMB_ACTION_REPORT);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_DEGRADED);
}

static void test_worst_of_all(void **state)
{
	struct place *p = *state;
	struct store_case file;

	open_case(p);
	file = p->c;
	file.id = 3;
	p->i.type = PLUMB_TYPE_EXEC;
	p->i.key = "exec:/x";
	open_case(p);
	p->c.id = 4;
	for (int order = 0; order < 2; order++) {
		verdict_begin(&p->v, p->p, 2000 * SECOND, true, false);
		verdict_add(&p->v, order ? &file : &p->c);
		verdict_add(&p->v, order ? &p->c : &file);
		verdict_end(&p->v);
		assert_int_equal(p->v.action, PLUMB_ACTION_QUARANTINE);
		assert_int_equal(p->v.cause, 4);
		assert_int_equal(p->v.claims[VERDICT_EXECUTABLES], 96);
		assert_int_equal(p->v.claims[VERDICT_CONFIGURATION], 32);
		assert_int_equal(p->v.claims[VERDICT_INSTANCE_IDENTITY], 2);
		assert_int_equal(p->v.score, 950);
		assert_int_equal(p->v.n_open, 2);
	}
}

/* Whatever its rule says: a cable that was pulled cuts off nobody. What is known of the node besides does. */
static void test_unknown_is_no_proof(void **state)
{
	static const enum plumb_finding unknown[] = {PLUMB_FINDING_SILENT,
						     PLUMB_FINDING_UNCONFIRMED};
	struct place *p = *state;

	for (size_t i = 0; i < 2; i++) {
		p->c = (struct store_case){.id = 1,
					   .finding = unknown[i],
					   .armed = true,
					   .action = PLUMB_ACTION_QUARANTINE};
		verdict_begin(&p->v, p->p, 1000 * SECOND, true, false);
		verdict_add(&p->v, &p->c);
		assert_int_equal(p->v.action, PLUMB_ACTION_HOLD);
		p->c.id = 2;
		p->c.finding = PLUMB_FINDING_GAP;
		verdict_add(&p->v, &p->c);
		assert_int_equal(p->v.action, PLUMB_ACTION_QUARANTINE);
		assert_int_equal(p->v.cause, 2);
	}
	assert_int_equal(verdict_at_most(PLUMB_FINDING_SILENT, PLUMB_ACTION_REPORT),
			 PLUMB_ACTION_REPORT);
}

/* Nothing becomes good because nobody looked, or because no rule speaks of it. */
static void test_never_good_by_default(void **state)
{
	struct place *p = *state;

	verdict_begin(&p->v, p->p, 1, false, false);
	verdict_end(&p->v);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_DEGRADED);
	verdict_begin(&p->v, NULL, 1, true, true);
	verdict_end(&p->v);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_UNTRUSTED);
	for (int f = PLUMB_FINDING_UNANCHORED; f <= PLUMB_FINDING_BASELINE + 1; f++) {
		bool info = f == PLUMB_FINDING_JUDGE_SKEW || f == PLUMB_FINDING_CLOCK ||
			    f == PLUMB_FINDING_BASELINE;

		p->c = (struct store_case){.finding = (enum plumb_finding)f, .severity = 1};
		verdict_begin(&p->v, NULL, 1, true, false);
		verdict_add(&p->v, &p->c);
		verdict_end(&p->v);
		assert_int_equal(p->v.appraisal, f == PLUMB_FINDING_FORK ? PLUMB_APPRAISAL_UNTRUSTED
						 : info			 ? PLUMB_APPRAISAL_TRUSTED
							: PLUMB_APPRAISAL_DEGRADED);
	}
	/* The rule that opened it is gone from the policy. */
	p->i.finding = 0;
	open_case(p);
	snprintf(p->c.rule, sizeof(p->c.rule), "gone");
	weigh(p);
	assert_int_equal(p->v.appraisal, PLUMB_APPRAISAL_DEGRADED);
	/* A rule cannot make a claim good that nobody made. */
	open_finding(p, PLUMB_FINDING_SILENT, "finding:silent");
	weigh(p);
	assert_int_equal(p->v.claims[VERDICT_HARDWARE], 0);
}

static json_t *claims_of(struct place *p, uint32_t n_lines)
{
	static uint64_t lines[200];
	static const uint8_t nonce[32] = {0xfb, 0xff};
	const struct verdict_ear_in in = {.verdict = &p->v,
					  .node = "aa",
					  .label = "worker-7",
					  .developer = "https://plumb.example",
					  .origin = "test.example/node/aa/2",
					  .size = 41,
					  .root = {{1}},
					  .nonce = nonce,
					  .baseline = {{0xab}},
					  .life_s = 600,
					  .lines = lines,
					  .n_lines = n_lines,
					  .boot = p->boot};
	struct buf jwt = {0}, claims = {0};
	struct sign_key *key, *other;
	struct why why;
	json_t *o;

	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(verdict_ear_sign(&in, key, &jwt), 0);
	assert_true(jwt_open((char *)jwt.data, jwt.size, other, &claims, &why) < 0);
	assert_int_equal(jwt_open((char *)jwt.data, jwt.size, key, &claims, &why), 0);
	assert_int_equal(jsonl_parse(claims.data, claims.size, 65536, &o, &why), 0);
	sign_key_free(key);
	sign_key_free(other);
	buf_done(&jwt);
	buf_done(&claims);
	return o;
}

static const char *at(json_t *o, const char *a, const char *b, const char *c)
{
	static char number[32];

	o = json_object_get(o, a);
	o = b ? json_object_get(o, b) : o;
	o = c ? json_object_get(o, c) : o;
	if (!json_is_integer(o))
		return o ? json_string_value(o) : "none";
	snprintf(number, sizeof(number), "%d", (int)json_integer_value(o));
	return number;
}

static void test_ear(void **state)
{
	struct place *p = *state;
	const char *v = "ear_trustworthiness_vector";
	json_t *o, *runtime, *log;
	char text[256], hex[65];

	p->i.type = PLUMB_TYPE_EXEC;
	p->i.key = "exec:/x";
	open_case(p);
	weigh(p);
	o = claims_of(p, 70);
	assert_string_equal(at(o, "eat_profile", NULL, NULL), "tag:ietf.org,2026:rats/ear#04");
	assert_string_equal(at(o, "iat", NULL, NULL), "1000");
	assert_string_equal(at(o, "exp", NULL, NULL), "1600");
	assert_string_equal(at(o, "ear_verifier_id", "developer", NULL), "https://plumb.example");
	assert_string_equal(at(o, "ear_status", NULL, NULL), "contraindicated");
	assert_string_equal(at(o, "eat_nonce", NULL, NULL),
			    "-_8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_string_equal(at(o, "submods", "runtime", "ear_status"), "contraindicated");
	assert_string_equal(at(o, "submods", "config", "ear_status"), "affirming");
	runtime = json_object_get(json_object_get(o, "submods"), "runtime");
	assert_string_equal(at(runtime, v, "executables", NULL), "96");
	assert_string_equal(at(runtime, v, "instance-identity", NULL), "2");
	assert_string_equal(at(runtime, v, "hardware", NULL), "none");
	digest_hex(policy_digest(p->p), hex);
	snprintf(text, sizeof(text), "plumb:policy/test@sha256:%s", hex);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(runtime, "ear_appraisal_policy_ids"), 0)),
			    text);
	log = json_object_get(runtime, "ear_verifier_claims");
	assert_string_equal(at(log, "plumb_log_size", NULL, NULL), "41");
	assert_int_equal(json_array_size(json_object_get(log, "plumb_findings")),
			 VERDICT_EAR_MAX_LINES);
	assert_memory_equal(at(log, "plumb_refset", NULL, NULL), "sha256:ab00", 11);
	json_decref(o);
}

/* A status is never better than the worst claim, and none at all is no affirmation. */
static void test_ear_status(void **state)
{
	static const struct {
		int claims[VERDICT_N_CLAIMS];
		const char *top, *runtime, *config;
	} rows[] = {
		{{2, 2, 2, 2}, "affirming", "affirming", "affirming"},
		{{2, 0, 0, 0}, "none", "none", "none"},
		{{2, 2, 0, 2}, "none", "none", "affirming"},
		{{2, 2, 33, 2}, "warning", "warning", "affirming"},
		{{2, 0, 2, 32}, "warning", "affirming", "warning"},
		{{96, 2, 2, 2}, "contraindicated", "contraindicated", "affirming"},
		{{2, 2, 2, 99}, "contraindicated", "affirming", "contraindicated"},
		{{2, 2, 2, 2, 97}, "contraindicated", "contraindicated", "affirming"},
		{{2, 2, 2, 2, 1}, "none", "none", "affirming"},
		{{0}, "none", "none", "none"},
	};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o;

		p->v = (struct verdict){.now_ns = 1};
		p->boot.proven = true;
		memcpy(p->v.claims, rows[i].claims, sizeof(p->v.claims));
		o = claims_of(p, 0);
		assert_string_equal(at(o, "ear_status", NULL, NULL), rows[i].top);
		assert_string_equal(at(o, "submods", "runtime", "ear_status"), rows[i].runtime);
		assert_string_equal(at(o, "submods", "config", "ear_status"), rows[i].config);
		json_decref(o);
	}
}

/* How it booted: affirmed only where all of it was proven, and what open cases say counts, also where nothing was. */
static void test_ear_boot(void **state)
{
	static const struct {
		bool proven;
		int boot[VERDICT_N_CLAIMS];
		const char *top, *status, *executables, *configuration;
	} rows[] = {
		{true, {0}, "affirming", "affirming", "3", "2"},
		{false, {0}, "affirming", "none", "none", "none"},
		{true, {0, 32}, "warning", "warning", "3", "32"},
		{true, {0, 0, 96}, "contraindicated", "contraindicated", "96", "2"},
		{false, {0, 32}, "warning", "warning", "none", "32"},
		{false, {0, 0, 33}, "warning", "warning", "33", "none"},
	};
	const char *vector = "ear_trustworthiness_vector";
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o, *boot;

		p->v = (struct verdict){.now_ns = 1, .claims = {2, 2, 2, 2}};
		memcpy(p->v.boot, rows[i].boot, sizeof(p->v.boot));
		p->boot = (struct verdict_ear_boot){.proven = rows[i].proven};
		o = claims_of(p, 0);
		boot = json_object_get(json_object_get(o, "submods"), "boot");
		assert_string_equal(at(o, "ear_status", NULL, NULL), rows[i].top);
		assert_string_equal(at(boot, "ear_status", NULL, NULL), rows[i].status);
		assert_string_equal(at(boot, vector, "executables", NULL), rows[i].executables);
		assert_string_equal(at(boot, vector, "configuration", NULL), rows[i].configuration);
		assert_string_equal(at(o, "submods", "runtime", "ear_status"), "affirming");
		json_decref(o);
	}
}

/* Only what a boot log told counts there, and only what warns. */
static void test_cases_of_the_boot(void **state)
{
	struct place *p = *state;

	open_finding(p, PLUMB_FINDING_BOOT_MISMATCH, "finding:boot_mismatch");
	weigh(p);
	assert_int_equal(p->v.boot[VERDICT_EXECUTABLES], 33);
	open_finding(p, PLUMB_FINDING_GAP, "finding:gap");
	weigh(p);
	assert_int_equal(p->v.boot[VERDICT_EXECUTABLES], 0);
	open_finding(p, PLUMB_FINDING_BOOT_LOG, "finding:boot_log");
	weigh(p);
	assert_int_equal(p->v.boot[VERDICT_EXECUTABLES], 0);
	/* By no policy it could be called harmless. */
	p->c = (struct store_case){
		.type = PLUMB_TYPE_CLAIM, .key = "measured:cmdline", .severity = 1};
	verdict_begin(&p->v, NULL, 1, true, false);
	verdict_add(&p->v, &p->c);
	assert_int_equal(p->v.boot[VERDICT_CONFIGURATION], 32);
	snprintf(p->c.key, sizeof(p->c.key), "boot:secure_boot");
	verdict_begin(&p->v, NULL, 1, true, false);
	verdict_add(&p->v, &p->c);
	assert_int_equal(p->v.boot[VERDICT_CONFIGURATION], 0);
	assert_int_equal(p->v.claims[VERDICT_CONFIGURATION], 32);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_long_texts),
		TEST(test_merge_and_confirm),
		TEST(test_what_closes),
		TEST(test_actions),
		TEST(test_worst_of_all),
		TEST(test_unknown_is_no_proof),
		TEST(test_never_good_by_default),
		TEST(test_ear),
		TEST(test_ear_status),
		TEST(test_ear_boot),
		TEST(test_cases_of_the_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
