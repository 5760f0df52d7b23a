/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of pipelines: who is selected, what is good, what is bad, and what tells nothing, which is never good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "cleanup.h"
#include "clock.h"
#include "gate_check.h"
#include "jsonl.h"
#include "jwt.h"
#include "sign.h"

#define NOW_S 1795462800u

static struct gate_found last;
static unsigned int n_found;

static void on_found(void *ctx, const struct gate_found *f)
{
	(void)ctx;
	last = *f;
	n_found++;
}

static void test_selectors(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool agrees; /* with label worker-1, id ab12, kube n7, state trusted */
	} cases[] = {
		{"", 0, true},
		{"worker-1", 0, true},
		{"worker-*", 0, true},
		{"worker-2", 0, false},
		{"label=worker-?", 0, true},
		{"label!=worker-?", 0, false},
		{"id=ab*,kube=n7", 0, true},
		{"id=ab*,kube!=n7", 0, false},
		{"state=trusted,state!=held", 0, true},
		{"state=held", 0, false},
		{"label=", -EINVAL, false},
		{"zone=a", -EINVAL, false},
		{"=a", -EINVAL, false},
		{"!=a", -EINVAL, false},
		{"a,", -EINVAL, false},
		{",a", -EINVAL, false},
		{"a,,b", -EINVAL, false},
	};
	char many[64] = "a";
	struct gate_selector s;
	struct why why = {""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (gate_selector_parse(cases[i].text, &s, &why) != cases[i].r)
			fail_msg("\"%s\" was read otherwise", cases[i].text);
		if (cases[i].r == 0 && gate_selector_agrees(&s, "worker-1", "ab12", "n7",
							    "trusted") != cases[i].agrees)
			fail_msg("\"%s\" agrees otherwise", cases[i].text);
	}
	for (int i = 1; i < GATE_SELECTOR_MAX; i++)
		strcat(many, ",a");
	assert_int_equal(gate_selector_parse(many, &s, &why), 0);
	strcat(many, ",a");
	assert_int_equal(gate_selector_parse(many, &s, &why), -E2BIG);
	/* What is not known is not what was asked for, in either direction. */
	assert_int_equal(gate_selector_parse("state!=held", &s, &why), 0);
	assert_false(gate_selector_agrees(&s, "a", "b", "c", NULL));
	assert_true(gate_selector_names_state(&s));
}

static enum print_exit check(const char *nodes, const char *selector, uint64_t max_age_s)
{
	struct gate_selector s;
	const struct gate_terms t = {
		.selector = &s, .max_age_s = max_age_s, .now_ns = NOW_S * 1000000000ull};
	json_t *o = json_loads(nodes, 0, NULL);
	enum print_exit r;

	n_found = 0;
	assert_int_equal(gate_selector_parse(selector, &s, NULL), 0);
	r = gate_check_nodes(o, &t, on_found, NULL);
	json_decref(o);
	return r;
}

static void put_node(char *to, size_t room, const char *label, const char *node_state,
		     const char *appraisal, const char *containment, int64_t age_s)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text((uint64_t)((int64_t)NOW_S - age_s) * 1000000000ull, at);
	snprintf(to, room,
		 "{\"label\":\"%s\",\"id\":\"ab\",\"kube_name\":\"k-%s\",\"state\":\"%s\","
		 "\"appraisal\":\"%s\",\"containment\":\"%s\",\"last_evidence\":\"%s\",\"cause\":"
		 "\"why so\"}",
		 label, label, node_state, appraisal, containment, at);
}

static void test_nodes(void **state)
{
	static const struct {
		const char *state, *appraisal, *containment;
		int64_t age_s;
		enum print_exit result;
	} cases[] = {
		{"trusted", "trusted", "free", 10, PRINT_GOOD},
		{"trusted", "trusted", "free", 300, PRINT_GOOD},
		{"trusted", "trusted", "free", 301, PRINT_UNKNOWN},
		{"trusted", "trusted", "free", -60, PRINT_GOOD},
		{"trusted", "trusted", "free", -61, PRINT_UNKNOWN},
		/* The word alone is not taken when the fields under it say otherwise. */
		{"trusted", "degraded", "free", 10, PRINT_NOT_GOOD},
		{"trusted", "trusted", "held", 10, PRINT_NOT_GOOD},
		{"degraded", "degraded", "report", 10, PRINT_NOT_GOOD},
		{"held", "trusted", "held", 10, PRINT_NOT_GOOD},
		{"quarantined", "untrusted", "quarantined", 10, PRINT_NOT_GOOD},
		{"revoked", "trusted", "free", 10, PRINT_NOT_GOOD},
		{"forked", "trusted", "free", 10, PRINT_NOT_GOOD},
		{"silent", "trusted", "free", 10, PRINT_UNKNOWN},
		{"leaving", "trusted", "free", 10, PRINT_UNKNOWN},
		{"enrolled", "none", "free", 10, PRINT_UNKNOWN},
		{"provisioning", "none", "free", 10, PRINT_UNKNOWN},
		{"splendid", "trusted", "free", 10, PRINT_UNKNOWN},
	};
	char one[512], text[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum print_exit r;

		put_node(one, sizeof(one), "w", cases[i].state, cases[i].appraisal,
			 cases[i].containment, cases[i].age_s);
		snprintf(text, sizeof(text), "[%s]", one);
		r = check(text, "", 300);
		if (r != cases[i].result || last.result != r || (r == PRINT_GOOD) != !last.why[0])
			fail_msg("case %zu: %d %s", i, r, last.why);
	}
	assert_int_equal(check("[{\"state\":\"trusted\",\"appraisal\":\"trusted\",\"containment\":"
			       "\"free\"}]",
			       "", 300),
			 PRINT_UNKNOWN);
	assert_int_equal(check("[7,null,{}]", "", 300), PRINT_UNKNOWN);
}

static void test_of_many(void **state)
{
	char good[512], bad[512], silent[512], gone[512], text[2200];

	(void)state;
	put_node(good, sizeof(good), "a-good", "trusted", "trusted", "free", 1);
	put_node(bad, sizeof(bad), "a-bad", "held", "trusted", "held", 1);
	put_node(silent, sizeof(silent), "a-silent", "silent", "trusted", "free", 1);
	put_node(gone, sizeof(gone), "a-gone", "retired", "trusted", "free", 1);
	snprintf(text, sizeof(text), "[%s,%s,%s,%s]", good, bad, silent, gone);
	assert_int_equal(check(text, "", 300), PRINT_NOT_GOOD); /* bad is worse than unknown */
	assert_int_equal(n_found, 3);
	assert_int_equal(check(text, "a-good", 300), PRINT_GOOD);
	assert_int_equal(check(text, "kube=k-a-bad", 300), PRINT_NOT_GOOD);
	assert_int_equal(check(text, "label!=a-bad", 300), PRINT_UNKNOWN);
	assert_int_equal(check(text, "nobody", 300), PRINT_UNKNOWN); /* none is not all */
	assert_int_equal(check(text, "a-gone", 300), PRINT_UNKNOWN);
	assert_int_equal(check(text, "a-gone,state=*", 300), PRINT_NOT_GOOD);
	assert_int_equal(check("[]", "", 300), PRINT_UNKNOWN);
}

/* Offline. */
static struct sign_key *key, *other;

static int keys(void **state)
{
	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	return 0;
}

static int keys_done(void **state)
{
	(void)state;
	sign_key_free(key);
	sign_key_free(other);
	return 0;
}

static void ear(const char *status, const char *part, int64_t age_s, const char *more,
		struct buf *ret)
{
	struct buf claims = {0};

	buf_printf(&claims,
		   "{\"eat_profile\":\"tag:ietf.org,2026:rats/ear#04\",\"iat\":%lld,\"exp\":%lld,"
		   "\"ear_status\":\"%s\",\"sub\":\"ab12\",\"plumb_label\":\"worker-1\","
		   "\"submods\":{\"runtime\":{\"ear_status\":\"affirming\"},\"config\":{\"ear_"
		   "status\":\"%s\"}}%s}",
		   (long long)NOW_S - age_s, (long long)NOW_S - age_s + 600, status, part, more);
	assert_int_equal(jwt_sign((char *)claims.data, claims.size, key, ret), 0);
	buf_done(&claims);
}

static const char *wanted;

static enum print_exit offline_by(const struct buf *jwt, const char *set, size_t size,
				  const char *selector)
{
	struct gate_selector s;
	const struct gate_terms t = {
		.selector = &s, .max_age_s = 300, .now_ns = NOW_S * 1000000000ull, .parts = wanted};

	assert_int_equal(gate_selector_parse(selector, &s, NULL), 0);
	gate_check_ear(jwt->data, jwt->size, set, size, &t, &last);
	return last.result;
}

static enum print_exit offline(const struct buf *jwt, const char *selector)
{
	const struct sign_key *const set[] = {other, key};
	struct buf jwks = {0};
	enum print_exit r;

	assert_int_equal(jwt_jwks(set, 2, &jwks), 0);
	r = offline_by(jwt, (char *)jwks.data, jwks.size, selector);
	buf_done(&jwks);
	return r;
}

/* A machine whose boot nobody could check is no worse for it; one whose boot is warned of is. */
static void test_ear_boot(void **state)
{
	static const struct {
		const char *boot;
		enum print_exit result;
	} cases[] = {
		{"affirming", PRINT_GOOD},
		{"none", PRINT_GOOD},
		{"warning", PRINT_NOT_GOOD},
		{"", PRINT_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf claims = {0}, jwt = {0};

		buf_printf(&claims,
			   "{\"eat_profile\":\"tag:ietf.org,2026:rats/"
			   "ear#04\",\"iat\":%lld,\"exp\":%lld,"
			   "\"ear_status\":\"affirming\",\"sub\":\"ab12\",\"submods\":{\"boot\":{"
			   "\"ear_status\":\"%s\"},"
			   "\"runtime\":{\"ear_status\":\"affirming\"}}}",
			   (long long)NOW_S - 10, (long long)NOW_S + 590, cases[i].boot);
		assert_int_equal(jwt_sign((char *)claims.data, claims.size, key, &jwt), 0);
		assert_int_equal(offline(&jwt, ""), cases[i].result);
		buf_done(&claims);
		buf_done(&jwt);
	}
}

static void test_ear(void **state)
{
	static const struct {
		const char *status, *part;
		int64_t age_s;
		const char *selector;
		enum print_exit result;
	} cases[] = {
		{"affirming", "affirming", 10, "", PRINT_GOOD},
		{"affirming", "affirming", 300, "worker-1", PRINT_GOOD},
		{"affirming", "affirming", 301, "", PRINT_UNKNOWN},
		{"affirming", "affirming", 601, "", PRINT_UNKNOWN},
		{"affirming", "affirming", -61, "", PRINT_UNKNOWN},
		{"affirming", "affirming", 10, "id=ab*", PRINT_GOOD},
		{"affirming", "affirming", 10, "worker-2", PRINT_UNKNOWN},
		{"affirming", "affirming", 10, "kube=n1", PRINT_UNKNOWN},
		{"affirming", "affirming", 10, "state=trusted", PRINT_UNKNOWN},
		{"warning", "affirming", 10, "", PRINT_NOT_GOOD},
		{"contraindicated", "affirming", 10, "", PRINT_NOT_GOOD},
		{"affirming", "warning", 10, "", PRINT_NOT_GOOD},
		{"none", "warning", 10, "", PRINT_NOT_GOOD},
		{"affirming", "none", 10, "", PRINT_UNKNOWN},
		{"none", "affirming", 10, "", PRINT_UNKNOWN},
		{"Affirming", "affirming", 10, "", PRINT_UNKNOWN},
	};
	struct buf jwt = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum print_exit r;

		buf_clear(&jwt);
		ear(cases[i].status, cases[i].part, cases[i].age_s, "", &jwt);
		r = offline(&jwt, cases[i].selector);
		if (r != cases[i].result)
			fail_msg("case %zu: %d %s", i, r, last.why);
	}
	buf_done(&jwt);
}

static void test_parts(void **state)
{
	static const struct {
		const char *status, *part, *parts;
		enum print_exit result;
	} cases[] = {
		{"none", "none", "runtime", PRINT_GOOD},
		{"none", "none", "runtime,config", PRINT_UNKNOWN},
		{"none", "none", "config", PRINT_UNKNOWN},
		{"affirming", "affirming", "runtime,config", PRINT_GOOD},
		{"affirming", "affirming", "runtime,boot", PRINT_UNKNOWN},
		{"affirming", "affirming", "run", PRINT_UNKNOWN},
		{"affirming", "warning", "runtime", PRINT_NOT_GOOD},
		{"contraindicated", "affirming", "runtime", PRINT_NOT_GOOD},
	};
	struct buf jwt = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum print_exit r;

		buf_clear(&jwt);
		ear(cases[i].status, cases[i].part, 10, "", &jwt);
		wanted = cases[i].parts;
		r = offline(&jwt, "");
		wanted = NULL;
		if (r != cases[i].result)
			fail_msg("case %zu: %d %s", i, r, last.why);
	}
	buf_done(&jwt);
}

static void test_false_ears(void **state)
{
	static const char *const claims[] = {
		"{}",
		"[]",
		"{\"eat_profile\":\"other\",\"sub\":\"a\",\"iat\":1795462800,\"exp\":1795462900,"
		"\"ear_status\":\"affirming\"}",
		/* No part was appraised. */
		"{\"eat_profile\":\"tag:ietf.org,2026:rats/"
		"ear#04\",\"sub\":\"a\",\"iat\":1795462800,"
		"\"exp\":1795462900,\"ear_status\":\"affirming\"}",
		"{\"eat_profile\":\"tag:ietf.org,2026:rats/"
		"ear#04\",\"sub\":\"a\",\"iat\":1795462800,"
		"\"exp\":1795462900,\"ear_status\":\"affirming\",\"submods\":{}}",
		"{\"eat_profile\":\"tag:ietf.org,2026:rats/"
		"ear#04\",\"sub\":\"a\",\"iat\":1795462800,"
		"\"exp\":1795462900,\"ear_status\":\"affirming\",\"submods\":{\"runtime\":7}}",
		"{\"eat_profile\":\"tag:ietf.org,2026:rats/ear#04\",\"sub\":\"a\",\"iat\":-1,"
		"\"exp\":1795462900,\"ear_status\":\"affirming\"}",
	};
	struct buf jwt = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		buf_clear(&jwt);
		assert_int_equal(jwt_sign(claims[i], strlen(claims[i]), key, &jwt), 0);
		assert_int_equal(offline(&jwt, ""), PRINT_UNKNOWN);
		assert_true(last.why[0] != 0);
	}
	/* Each byte of a good one turned: never good. */
	buf_clear(&jwt);
	ear("affirming", "affirming", 10, "", &jwt);
	assert_int_equal(offline(&jwt, ""), PRINT_GOOD);
	for (size_t i = 0; i < jwt.size; i += 7) {
		jwt.data[i] ^= 1;
		assert_int_equal(offline(&jwt, ""), PRINT_UNKNOWN);
		jwt.data[i] ^= 1;
	}
	for (size_t size = 0; size < jwt.size; size += 13) {
		const struct buf cut = {.data = jwt.data, .size = size};

		assert_int_equal(offline(&cut, ""), PRINT_UNKNOWN);
	}
	buf_done(&jwt);
}

static void test_whose_keys(void **state)
{
	static const char *const sets[] = {
		"",
		"{}",
		"[]",
		"{\"keys\":7}",
		"{\"keys\":[]}",
		"{\"keys\":[7,null,{}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"alg\":\"HS256\"}]}",
	};
	const struct sign_key *const strangers[] = {other};
	struct buf jwt = {0}, jwks = {0};

	(void)state;
	ear("affirming", "affirming", 10, "", &jwt);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		assert_int_equal(offline_by(&jwt, sets[i], strlen(sets[i]), ""), PRINT_UNKNOWN);
	assert_int_equal(jwt_jwks(strangers, 1, &jwks), 0);
	assert_int_equal(offline_by(&jwt, (char *)jwks.data, jwks.size, ""), PRINT_UNKNOWN);
	buf_done(&jwt);
	buf_done(&jwks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_of_many),
		cmocka_unit_test_setup_teardown(test_ear, keys, keys_done),
		cmocka_unit_test_setup_teardown(test_ear_boot, keys, keys_done),
		cmocka_unit_test_setup_teardown(test_parts, keys, keys_done),
		cmocka_unit_test_setup_teardown(test_false_ears, keys, keys_done),
		cmocka_unit_test_setup_teardown(test_whose_keys, keys, keys_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
