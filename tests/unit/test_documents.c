/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and baselines: what an approver signed is in force, in versions that only grow; the rest is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "node_fixture.h"

#define RULE NODE_FIXTURE_RULE
#define A(mode) RULE("A", "{\"type\":\"exec\"}", mode, "ack", "0")
#define B(mode) RULE("B-1", "{\"type\":\"file\"}", mode, "ack", "0")
#define ENTRY "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg one\"}\n"

struct place {
	struct verifier_fixture v;
	struct why why;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static int push(struct place *p, const char *name, uint64_t version, const char *rules,
		const struct sign_key *key)
{
	struct buf b = {0};
	int r;

	verifier_fixture_policy(name, version, rules, key, &b);
	p->why.text[0] = 0;
	r = verifier_fixture_put_policy(&p->v, b.data, b.size, &p->why);
	assert_true(r >= 0 || p->why.text[0]);
	buf_done(&b);
	return r;
}

static enum policy_mode mode_of(struct place *p, const char *id)
{
	const struct policy *policy = documents_policy(p->v.documents);

	for (uint32_t i = 0; i < policy_n_rules(policy); i++)
		if (strcmp(policy_rule(policy, i)->id, id) == 0)
			return policy_rule(policy, i)->mode;
	return 0;
}

static int arm(struct place *p, const char *rules, bool on)
{
	int r;

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	p->why.text[0] = 0;
	r = documents_arm(p->v.documents, rules, on, &p->why);
	assert_true(r >= 0 || p->why.text[0]);
	if (r >= 0)
		r = p->v.ops.commit(p->v.store.ctx);
	else
		p->v.ops.rollback(p->v.store.ctx);
	return r;
}

static void restart(struct place *p)
{
	verifier_fixture_stop(&p->v);
	verifier_fixture_start(&p->v);
}

static void test_none(void **state)
{
	struct place *p = *state;
	struct policy *policy = NULL;
	struct digest d;
	uint64_t version;

	assert_null(documents_policy(p->v.documents));
	assert_int_equal(arm(p, "all", true), -ENOENT);
	assert_int_equal(documents_try_policy(p->v.documents, "", 0, &policy, &p->why), -ENOENT);
	assert_int_equal(documents_default_baseline(p->v.documents, &d, &version), -ENOENT);
}

static void test_versions(void **state)
{
	struct place *p = *state;

	assert_int_equal(push(p, "one", 3, "[" A("report") "]", p->v.approver), 0);
	assert_int_equal(push(p, "one", 3, "[" A("report") "]", p->v.approver), 0);
	assert_int_equal(push(p, "one", 3, "[" B("report") "]", p->v.approver), -ESTALE);
	assert_non_null(strstr(p->why.text, "raise its version"));
	assert_int_equal(push(p, "one", 2, "[" A("report") "]", p->v.approver), -ESTALE);
	/* Nor by way of another one. */
	assert_int_equal(push(p, "two", 1, "[" A("report") "]", p->v.approver), 0);
	assert_int_equal(push(p, "one", 2, "[" A("report") "]", p->v.approver), -ESTALE);
	restart(p);
	assert_string_equal(policy_name(documents_policy(p->v.documents)), "two");
	assert_int_equal(push(p, "one", 2, "[" A("report") "]", p->v.approver), -ESTALE);
	assert_int_equal(push(p, "one", 3, "[" A("report") "]", p->v.approver), 0);
	assert_int_equal(push(p, "one", 4, "[" B("report") "]", p->v.approver), 0);
	restart(p);
	assert_int_equal(policy_version(documents_policy(p->v.documents)), 4);
}

static void revoke(struct place *p, bool revoked)
{
	struct store_operator o;
	struct digest id;

	assert_int_equal(sign_key_id(p->v.approver, &id), 0);
	assert_int_equal(p->v.ops.operator_get(p->v.store.ctx, &id, &o), 0);
	o.revoked = revoked;
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.operator_put(p->v.store.ctx, &o), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	store_operator_done(&o);
}

/* Who was an approver is believed for what was put then, not for what comes now. */
static void test_signers(void **state)
{
	struct place *p = *state;
	struct buf b = {0};

	assert_int_equal(push(p, "one", 1, "[" A("report") "]", p->v.stranger), -EKEYREJECTED);
	assert_non_null(strstr(p->why.text, "not signed by an approver"));
	assert_int_equal(push(p, "one", 1, "[" A("report") "]", p->v.approver), 0);
	revoke(p, true);
	assert_int_equal(push(p, "one", 2, "[" A("report") "]", p->v.approver), -EKEYREJECTED);
	restart(p);
	assert_int_equal(policy_version(documents_policy(p->v.documents)), 1);
	revoke(p, false);
	/* A bundle that is none; an envelope of another type; cut and turned ones. */
	assert_int_equal(push(p, "one", 2, "[]]", p->v.approver), -EBADMSG);
	assert_int_equal(push(p, "one", 2, "[" A("report") "," A("report") "]", p->v.approver),
			 -EBADMSG);
	verifier_fixture_baseline("base", 1, "", p->v.approver, &b);
	assert_true(verifier_fixture_put_policy(&p->v, b.data, b.size, &p->why) < 0);
	buf_clear(&b);
	verifier_fixture_policy("one", 2, "[" A("report") "]", p->v.approver, &b);
	for (size_t i = 0; i < b.size; i += 7) {
		assert_true(verifier_fixture_put_policy(&p->v, b.data, i, &p->why) < 0);
		b.data[i] ^= 1;
		/* The id of the key is a hint that nobody signed. */
		if (verifier_fixture_put_policy(&p->v, b.data, b.size, &p->why) >= 0)
			assert_string_equal(policy_rule(documents_policy(p->v.documents), 0)->id,
					    "A");
		b.data[i] ^= 1;
	}
	buf_done(&b);
}

static void test_arm(void **state)
{
	struct place *p = *state;

	assert_int_equal(push(p, "one", 1, "[" A("report") "," B("armed") "]", p->v.approver), 0);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_REPORT);
	assert_int_equal(mode_of(p, "B-1"), POLICY_MODE_ARMED);
	assert_int_equal(arm(p, "A,C", true), -ENOENT);
	assert_non_null(strstr(p->why.text, "C"));
	assert_int_equal(arm(p, "", true), -EINVAL);
	assert_int_equal(arm(p, ",A", true), -EINVAL);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_REPORT);
	assert_int_equal(arm(p, "A", true), 0);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_ARMED);
	/* Also what was signed as armed can be disarmed by a person, and both outlive a start and the next version. */
	assert_int_equal(arm(p, "B-1", false), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mode_of(p, "A"), POLICY_MODE_ARMED);
		assert_int_equal(mode_of(p, "B-1"), POLICY_MODE_REPORT);
		restart(p);
	}
	assert_int_equal(push(p, "one", 2, "[" B("armed") "," A("report") "]", p->v.approver), 0);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_ARMED);
	assert_int_equal(mode_of(p, "B-1"), POLICY_MODE_REPORT);
	assert_int_equal(arm(p, "all", false), 0);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_REPORT);
	assert_int_equal(mode_of(p, "B-1"), POLICY_MODE_REPORT);
	assert_int_equal(arm(p, "all", true), 0);
	restart(p);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_ARMED);
	assert_int_equal(mode_of(p, "B-1"), POLICY_MODE_ARMED);
	assert_int_equal(arm(p, "B-1", false), 0);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_ARMED);
}

static void test_try(void **state)
{
	struct place *p = *state;
	struct policy *policy = NULL;
	struct buf b = {0};

	assert_int_equal(push(p, "one", 1, "[" A("report") "]", p->v.approver), 0);
	assert_int_equal(documents_try_policy(p->v.documents, "", 0, &policy, &p->why), 0);
	assert_int_equal(policy_rule(policy, 0)->mode, POLICY_MODE_ARMED);
	policy = policy_free(policy);
	verifier_fixture_policy("one", 2, "[" B("report") "]", p->v.stranger, &b);
	assert_int_equal(documents_try_policy(p->v.documents, b.data, b.size, &policy, &p->why),
			 -EKEYREJECTED);
	buf_clear(&b);
	verifier_fixture_policy("one", 2, "[" B("report") "]", p->v.approver, &b);
	assert_int_equal(documents_try_policy(p->v.documents, b.data, b.size, &policy, &p->why), 0);
	assert_string_equal(policy_rule(policy, 0)->id, "B-1");
	policy_free(policy);
	assert_int_equal(mode_of(p, "A"), POLICY_MODE_REPORT);
	buf_done(&b);
}

/* A policy in the store that is no longer what was signed stops the start: nobody judges without it unseen. */
static void test_broken_store(void **state)
{
	struct place *p = *state;
	struct buf b = {0};

	verifier_fixture_policy("one", 1, "[" A("report") "]", p->v.stranger, &b);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.blob_put(p->v.store.ctx, "policy", "current", b.data, b.size), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	verifier_fixture_stop(&p->v);
	assert_int_equal(verifier_fixture_try_start(&p->v), -EKEYREJECTED);
	verifier_fixture_stop(&p->v);
	buf_done(&b);
}

static int put(struct place *p, const char *name, uint64_t version, const char *entries,
	       const struct sign_key *key, struct baseline_info *ret)
{
	struct buf b = {0};
	int r;

	verifier_fixture_baseline(name, version, entries, key, &b);
	p->why.text[0] = 0;
	r = verifier_fixture_put_baseline(&p->v, &b, ret, &p->why);
	assert_true(r >= 0 || p->why.text[0]);
	buf_done(&b);
	return r;
}

static void test_baselines(void **state)
{
	struct place *p = *state;
	struct baseline_info one, two, other, bad;
	const struct baseline *b = NULL;
	struct buf file = {0}, again = {0};

	assert_int_equal(put(p, "base", 1, ENTRY, p->v.approver, &one), 0);
	assert_int_equal(one.version, 1);
	assert_int_equal(put(p, "base", 1, "", p->v.approver, &bad), -ESTALE);
	assert_int_equal(put(p, "base", 2, "", p->v.approver, &two), 0);
	assert_int_equal(put(p, "other", 1, ENTRY, p->v.approver, &other), 0);
	assert_int_equal(put(p, "base", 3, ENTRY, p->v.stranger, &bad), -EKEYREJECTED);
	assert_int_equal(put(p, "base", 3, ENTRY, NULL, &bad), -EKEYREJECTED);
	/* The newest again is no error; an older one again is a step back. */
	assert_int_equal(documents_read_baseline(p->v.documents, &one.document, &file), 0);
	assert_int_equal(verifier_fixture_put_baseline(&p->v, &file, &bad, &p->why), -ESTALE);
	assert_non_null(strstr(p->why.text, "raise its version"));
	assert_int_equal(documents_read_baseline(p->v.documents, &two.document, &again), 0);
	assert_int_equal(verifier_fixture_put_baseline(&p->v, &again, &bad, &p->why), 0);
	for (size_t i = 0; i < file.size; i += 11) {
		struct buf cut = {.data = file.data, .size = i};

		assert_true(verifier_fixture_put_baseline(&p->v, &cut, &bad, &p->why) < 0);
		assert_true(p->why.text[0]);
	}
	assert_int_equal(documents_baseline(p->v.documents, &one.document, &b, &p->why), 0);
	assert_string_equal(baseline_expected(b, "host", "file:/etc/a"), "reg one");
	bad.document.bytes[0] ^= 1;
	assert_int_equal(documents_baseline(p->v.documents, &bad.document, &b, &p->why), -ENOENT);
	buf_done(&file);
	buf_done(&again);
}

/* A file that is another document than its name says, or that was changed, is not judged by. */
static void test_changed_file(void **state)
{
	struct place *p = *state;
	struct baseline_info one, other;
	const struct baseline *b = NULL;
	char command[512], hex[DIGEST_HEX_SIZE], other_hex[DIGEST_HEX_SIZE];

	assert_int_equal(put(p, "base", 1, ENTRY, p->v.approver, &one), 0);
	assert_int_equal(put(p, "other", 1, ENTRY, p->v.approver, &other), 0);
	digest_hex(&one.document, hex);
	digest_hex(&other.document, other_hex);
	snprintf(command, sizeof(command), "cp %s/%s %s/%s", p->v.baseline_dir, other_hex,
		 p->v.baseline_dir, hex);
	assert_int_equal(system(command), 0);
	restart(p);
	assert_int_equal(documents_baseline(p->v.documents, &one.document, &b, &p->why), -EBADMSG);
	snprintf(command, sizeof(command), "sed -i '$s/one/two/' %s/%s", p->v.baseline_dir,
		 other_hex);
	assert_int_equal(system(command), 0);
	assert_int_equal(documents_baseline(p->v.documents, &other.document, &b, &p->why),
			 -EBADMSG);
}

/* More than are kept open at once: each is what its digest says, whatever was asked for between. */
static void test_many_mapped(void **state)
{
	struct place *p = *state;
	struct baseline_info info[40];
	const struct baseline *b = NULL;

	for (unsigned int i = 0; i < 40; i++)
		assert_int_equal(put(p, "base", i + 1, ENTRY, p->v.approver, &info[i]), 0);
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int at = (i * 17 + i / 7) % 40;

		assert_int_equal(
			documents_baseline(p->v.documents, &info[at].document, &b, &p->why), 0);
		assert_int_equal(baseline_info(b)->version, at + 1);
	}
}

static int count(void *ctx, const struct baseline_info *i)
{
	(void)i;
	++*(int *)ctx;
	return 0;
}

static void test_default(void **state)
{
	struct place *p = *state;
	struct baseline_info one;
	struct digest d = {{0}};
	uint64_t version = 0;
	int n = 0;

	assert_int_equal(put(p, "base", 5, ENTRY, p->v.approver, &one), 0);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(documents_set_default(p->v.documents, &one.document), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	assert_int_equal(documents_default_baseline(p->v.documents, &d, &version), 0);
	assert_int_equal(version, 5);
	assert_true(digest_equal(&d, &one.document));
	assert_int_equal(documents_each_baseline(p->v.documents, count, &n), 0);
	assert_int_equal(n, 1);
	/* An index that cannot be read is not "no baseline". */
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.blob_append(p->v.store.ctx, "baselines", "index", "{}\n", 3), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	assert_int_equal(documents_default_baseline(p->v.documents, &d, &version), -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(none),	   TEST(versions),     TEST(signers),	TEST(arm),
		TEST(try),	   TEST(broken_store), TEST(baselines), TEST(changed_file),
		TEST(many_mapped), TEST(default),
	};

	return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
