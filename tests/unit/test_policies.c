/* SPDX-License-Identifier: Apache-2.0 */
/* Every shipped policy compiles, its own tests pass and reach every rule, it acts on nothing until it is armed, and silence never cuts off. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fsio.h"
#include "policy_compile.h"
#include "policy_join.h"
#include "policy_test.h"

static void tested(void *ctx, const struct policy_test_result *t)
{
	if (!t->good)
		print_error("%s:%u: %s: %s, expected %s\n", (const char *)ctx, t->line, t->name,
			    t->found, t->expected);
}

static void unreached(void *ctx, const struct policy_rule *rule)
{
	print_error("%s: no test reaches rule %s\n", (const char *)ctx, rule->id);
}

static void judge(char *path)
{
	const struct policy_subject silence = {.finding = PLUMB_FINDING_SILENT,
					       .key = "finding:silent"};
	const struct policy_test_calls calls = {
		.tested = tested, .unreached = unreached, .ctx = path};
	struct buf text = {0}, bundle = {0};
	struct policy_test_report report;
	const struct policy_rule *rule;
	struct policy_yaml *y = NULL;
	struct policy *p = NULL;
	struct why why = {""};

	assert_int_equal(fsio_read_file(fsio_system(), path, POLICY_YAML_MAX_SIZE, &text), 0);
	if (policy_yaml_open(path, text.data, text.size, &y, &why) < 0 ||
	    policy_compile(y, &bundle, &p, &why) < 0 ||
	    policy_test(y, p, &calls, &report, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(report.n_tests > 0);
	assert_int_equal(report.n_failed, 0);
	assert_int_equal(report.n_unreached, 0);
	for (uint32_t i = 0; i < policy_n_rules(p); i++) {
		assert_int_equal(policy_rule(p, i)->mode, POLICY_MODE_REPORT);
		assert_true(strlen(policy_rule(p, i)->title) > 10);
	}
	rule = policy_match(p, &silence);
	assert_true(!rule || rule->action < PLUMB_ACTION_QUARANTINE);
	policy_free(p);
	policy_yaml_free(y);
	buf_done(&text);
	buf_done(&bundle);
}

/* Those for one node stand together: no id twice, no name too long, and what is special comes first. */
static void test_together(void **state)
{
	static const char *const files[] = {"access", "kubelet-containerd-node", "hardened-sysctls",
					    "debian-node"};
	static const struct {
		const char *key, *rule;
	} answers[] = {{"file:/root/.ssh/known_hosts", "access-known-hosts"},
		       {"file:/root/.ssh/authorized_keys", "access-keys"},
		       {"file:/etc/kubernetes/manifests/.etcd.yaml.swp", "kubelet-editing"},
		       {"file:/etc/kubernetes/manifests/etcd.yaml~", "kubelet-static-pod"},
		       {"file:/etc/cni/net.d/calico-kubeconfig", "cni-token"},
		       {"file:/etc/pam.d/sshd", "access-pam"},
		       {"file:/etc/kubernetes/manifests/x.yaml", "kubelet-static-pod"},
		       {"sysctl:kernel.modprobe", "sysctl-helper"},
		       {"file:/etc/cron.d/x", "file-start"}};
	struct buf text = {0}, bundles[4] = {{0}}, joined = {0};
	struct policy_join_part parts[4];
	struct policy *each[4] = {NULL}, *p = NULL;
	struct policy_yaml *y;
	struct why why = {""};
	char path[96];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "policies/%s.yaml", files[i]);
		buf_clear(&text);
		assert_int_equal(fsio_read_file(fsio_system(), path, POLICY_YAML_MAX_SIZE, &text),
				 0);
		assert_int_equal(policy_yaml_open(path, text.data, text.size, &y, &why), 0);
		assert_int_equal(policy_compile(y, &bundles[i], &each[i], &why), 0);
		policy_yaml_free(y);
		parts[i] = (struct policy_join_part){&bundles[i], each[i]};
	}
	if (policy_join(parts, 4, &joined, &p, &why) < 0)
		fail_msg("%s", why.text);
	for (size_t i = 0; i < 4; i++) {
		const struct policy_subject s = {.type = PLUMB_TYPE_CLAIM, .key = answers[i].key};

		assert_string_equal(policy_match(p, &s)->id, answers[i].rule);
		policy_free(each[i]);
		buf_done(&bundles[i]);
	}
	policy_free(p);
	buf_done(&text);
	buf_done(&joined);
}

static void test_shipped(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob("policies/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++)
		judge(found.gl_pathv[i]);
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shipped),
					   cmocka_unit_test(test_together)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
