/* SPDX-License-Identifier: Apache-2.0 */
/* Every shipped policy compiles, its own tests pass and reach every rule, it acts on nothing until it is armed, and silence never cuts off. */
#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "claims_host.h"
#include "cleanup.h"
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

/* Those for one node, as docs/policy.md signs them. */
static const char *const together[] = {"access", "kubelet-containerd-node", "hardened-sysctls",
				       "debian-node"};

static struct policy *compiled(const char *path, struct buf *bundle, struct policy_yaml **ret_yaml)
{
	struct buf text = {0};
	struct policy *p = NULL;
	struct why why = {""};

	assert_int_equal(fsio_read_file(fsio_system(), path, POLICY_YAML_MAX_SIZE, &text), 0);
	assert_int_equal(policy_yaml_open(path, text.data, text.size, ret_yaml, &why), 0);
	assert_int_equal(policy_compile(*ret_yaml, bundle, &p, &why), 0);
	buf_done(&text);
	return p;
}

static struct policy *joined(void)
{
	struct buf bundles[ARRAY_SIZE(together)] = {{0}}, out = {0};
	struct policy_join_part parts[ARRAY_SIZE(together)];
	struct policy *each[ARRAY_SIZE(together)] = {NULL}, *p = NULL;
	struct policy_yaml *y;
	struct why why = {""};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(together); i++) {
		snprintf(path, sizeof(path), "policies/%s.yaml", together[i]);
		each[i] = compiled(path, &bundles[i], &y);
		policy_yaml_free(y);
		parts[i] = (struct policy_join_part){&bundles[i], each[i]};
	}
	if (policy_join(parts, ARRAY_SIZE(together), &out, &p, &why) < 0)
		fail_msg("%s", why.text);
	for (size_t i = 0; i < ARRAY_SIZE(together); i++) {
		policy_free(each[i]);
		buf_done(&bundles[i]);
	}
	buf_done(&out);
	return p;
}

/* No id twice, no name too long, and what is special comes first. */
static void test_together(void **state)
{
	static const char systemd[] = "/usr/lib/systemd/systemd";
	static const struct {
		const char *key, *rule, *found, *exe;
	} answers[] = {
		{"file:/root/.ssh/known_hosts", "access-known-hosts", NULL, NULL},
		{"file:/root/.ssh/authorized_keys", "access-keys", NULL, NULL},
		{"file:/etc/kubernetes/manifests/.etcd.yaml.swp", "kubelet-editing", NULL, NULL},
		{"file:/etc/kubernetes/manifests/etcd.yaml~", "kubelet-static-pod", NULL, NULL},
		{"file:/etc/cni/net.d/calico-kubeconfig", "cni-token", NULL, NULL},
		{"file:/etc/pam.d/sshd", "access-pam", NULL, NULL},
		{"file:/etc/kubernetes/manifests/x.yaml", "kubelet-static-pod", NULL, NULL},
		{"sysctl:kernel.modprobe", "sysctl-helper", "/tmp/x", NULL},
		{"sysctl:kernel.core_pattern", "sysctl-core-file", "core", NULL},
		{"sysctl:kernel.core_pattern", "sysctl-helper", "|/tmp/x", NULL},
		{"module:e1000e", "module-gone", "absent", NULL},
		{"module:e1000e", "module-unlisted", "loaded", NULL},
		{"kernel:hidden_modules", "kernel-hidden-unknown", "unknown EMFILE", NULL},
		{"kernel:hidden_modules", "kernel-hidden", "x=+sys", NULL},
		{"guard:cgroup:cgroup.freeze", "agent-thawed", NULL, systemd},
		{"guard:cgroup:cgroup.freeze", "agent-touched", NULL, "/tmp/systemd"},
		{"guard:frozen", "agent-touched", NULL, systemd},
		{"guard:cgroup:cpu.max", "agent-touched", NULL, "/tmp/runc"},
		{"file:/var/lib/kubelet/pki/a.pem", "kubelet-renewal", NULL, "/usr/bin/kubelet"},
		{"file:/var/lib/kubelet/pki/a.pem", "kubelet-pki", NULL, "/tmp/kubelet"},
		{"file:/etc/cron.d/x", "file-start", NULL, NULL},
	};
	struct policy *p = joined();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct policy_subject s = {.type = PLUMB_TYPE_CLAIM,
						 .key = answers[i].key,
						 .found = answers[i].found,
						 .exe = answers[i].exe,
						 .actor_known = answers[i].exe != NULL};

		assert_string_equal(policy_match(p, &s)->id, answers[i].rule);
	}
	policy_free(p);
}

/* What a boot sets late is not as it should be at first: no node is cut off for that, and it is over by itself. */
static void test_boot(void **state)
{
	static const struct {
		const char *key;
		uint64_t grace_ms;
	} late[] = {{"sysctl:kernel.kexec_load_disabled", 600000},
		    {"sysctl:kernel.modules_disabled", 600000},
		    {"sysctl:kernel.modprobe", 10000}};
	struct policy *p = joined();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		const struct policy_subject s = {
			.type = PLUMB_TYPE_CLAIM, .key = late[i].key, .found = "0"};

		assert_true(policy_match(p, &s)->grace_ms >= late[i].grace_ms);
		assert_int_equal(policy_match(p, &s)->release, POLICY_RELEASE_CLAIM);
	}
	policy_free(p);
}

/* A moment is enough for these: who did it undoes it and is not rid of it. */
static void test_a_moment_is_enough(void **state)
{
	static const char *const keys[] = {
		"file:/etc/kubernetes/manifests/x.yaml",
		"file:/etc/kubernetes/manifests",
		"mount:/etc/kubernetes/manifests",
		"mountns:/etc/kubernetes/manifests",
		"file:/etc/kubernetes/pki/ca.crt",
		"file:/etc/kubernetes/kubelet.conf",
		"file:/var/lib/rancher/rke2/agent/pod-manifests",
		"mount:/var/lib/rancher/k3s/agent/pod-manifests",
	};
	struct policy *p = joined();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct policy_subject s = {.type = PLUMB_TYPE_FILE, .key = keys[i]};
		const struct policy_rule *rule = policy_match(p, &s);

		assert_int_equal(rule->action, PLUMB_ACTION_QUARANTINE);
		assert_int_equal(rule->release, POLICY_RELEASE_ACK);
	}
	policy_free(p);
}

/* A key of each form of userspace/lib/claims.h, and the type of the lines that have it. NULL: no rule, for each boot has another. */
static const struct {
	enum plumb_type type;
	const char *key, *rule;
} forms[] = {
	{PLUMB_TYPE_FILE, "file:/srv/x", "file-other"},
	{PLUMB_TYPE_CLAIM, "file:/srv/x", "file-other"},
	{PLUMB_TYPE_FILE, "attr:/srv/x", "file-attributes"},
	{PLUMB_TYPE_CLAIM, "attr:/srv/x", "file-attributes"},
	{PLUMB_TYPE_EXEC, "exec:/srv/x", "exec-unlisted"},
	{PLUMB_TYPE_CODE, "code:/srv/x", "code-unlisted"},
	{PLUMB_TYPE_CODE, "memory:anonymous:/srv/x", "code-unnamed"},
	{PLUMB_TYPE_LOAD, "load:firmware:/lib/firmware/x", "kernel-load"},
	{PLUMB_TYPE_MODULE, "module:x", "module-unlisted"},
	{PLUMB_TYPE_CLAIM, "module:x", "module-unlisted"},
	{PLUMB_TYPE_MOUNT, "mount:/srv", "mount-over"},
	{PLUMB_TYPE_CLAIM, "mount:/srv", "mount-over"},
	{PLUMB_TYPE_MOUNT, "mount:/etc/pam.d", "access-mount"},
	{PLUMB_TYPE_CLAIM, "mountns:/srv", "mount-over"},
	{PLUMB_TYPE_CLAIM, "mountns:file:/srv/x", "mount-over"},
	{PLUMB_TYPE_CLAIM, "mountns:/etc/pam.d", "access-mount"},
	{PLUMB_TYPE_CLAIM, "mountns:file:/etc/pam.d/sshd", "access-mount"},
	{PLUMB_TYPE_CLAIM, "mountns:/etc/kubernetes/manifests", "kubelet-mount"},
	{PLUMB_TYPE_CLAIM, "mountns:file:/var/lib/kubelet/config.yaml", "kubelet-mount"},
	{PLUMB_TYPE_CLAIM, "sysctl:vm.swappiness", "sysctl-rest"},
	{PLUMB_TYPE_CLAIM, "boot:id", NULL},
	{PLUMB_TYPE_CLAIM, "boot:cmdline", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:release", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:lockdown", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:lsm", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:secure_boot", "secure-boot"},
	{PLUMB_TYPE_CLAIM, "boot:mok_state", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:mok_list", "boot-state"},
	{PLUMB_TYPE_CLAIM, "boot:modules", "boot-state"},
	{PLUMB_TYPE_CLAIM, "firmware:bios_version", "firmware"},
	{PLUMB_TYPE_CLAIM, "cpu:microcode", "microcode"},
	{PLUMB_TYPE_CLAIM, "cpu:flags", "cpu-vulnerability"},
	{PLUMB_TYPE_CLAIM, "cpu:vulnerability:meltdown", "cpu-vulnerability"},
	{PLUMB_TYPE_CLAIM, "cpu:vulnerabilities", "cpu-vulnerability"},
	{PLUMB_TYPE_CLAIM, "cpu:smt", "cpu-vulnerability"},
	{PLUMB_TYPE_CLAIM, "ima:policy", "ima-policy"},
	{PLUMB_TYPE_CLAIM, "kernel:taint", "kernel-taint"},
	{PLUMB_TYPE_CLAIM, "kernel:kprobe_events", "kernel-probes"},
	{PLUMB_TYPE_CLAIM, "kernel:livepatch", "kernel-other"},
	{PLUMB_TYPE_CLAIM, "kernel:hidden_modules", "kernel-hidden"},
	{PLUMB_TYPE_CLAIM, "kernel:binfmt_misc", "kernel-other"},
	{PLUMB_TYPE_CLAIM, "kernel:mount_namespaces", "kernel-other"},
	{PLUMB_TYPE_CLAIM, "kernel:chroots", "kernel-other"},
	{PLUMB_TYPE_CLAIM, "binfmt:x", "binfmt-other"},
	{PLUMB_TYPE_CODE, "binfmt:register", "code-unnamed"},
	{PLUMB_TYPE_CLAIM, "running:/srv/x", "running-unlisted"},
	{PLUMB_TYPE_CLAIM, "running:container:00:/srv/x", "running-unlisted"},
	{PLUMB_TYPE_CLAIM, "bpf:prog:kprobe:x:00", "kernel-probes"},
	{PLUMB_TYPE_BPF, "bpf:prog:kprobe:x:00", "kernel-probes"},
	{PLUMB_TYPE_CLAIM, "bpf:own", "kernel-probes"},
	{PLUMB_TYPE_CLAIM, "runtime:containerd.version", "kubelet-runtime"},
	{PLUMB_TYPE_CLAIM, "net:links", "packet-filter"},
	{PLUMB_TYPE_CLAIM, "net:nft_table:inet:filter", "packet-filter"},
	{PLUMB_TYPE_AUDIT, "audit:config", "audit-told"},
	{PLUMB_TYPE_SURFACE, "surface:clock:set by /srv/x", "surface-other"},
	{PLUMB_TYPE_CLAIM, "sensor:exec_divergence", "sensor-away"},
	{PLUMB_TYPE_CLAIM, "sensor:tier", "sensor-away"},
	{PLUMB_TYPE_GUARD, "guard:ring", "agent-touched"},
	{PLUMB_TYPE_GUARD, "guard:file:/srv/x", "agent-touched"},
	{PLUMB_TYPE_CLAIM, "measured:cmdline", "measured-boot"},
};

static bool has_form(const char *kind, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strncmp(forms[i].key, kind, size) == 0)
			return true;
	return false;
}

/* What drifts and is taken by no rule leaves the node trusted. */
static void test_every_form_has_a_rule(void **state)
{
	static const char start[] = "\n *   ";
	struct policy *p = joined();
	struct buf text = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct policy_subject s = {
			.type = forms[i].type, .scope = "host", .key = forms[i].key};
		const struct policy_rule *rule = policy_match(p, &s);

		if (!rule != !forms[i].rule || (rule && strcmp(rule->id, forms[i].rule) != 0))
			fail_msg("%s: %s", forms[i].key, rule ? rule->id : "no rule");
	}
	policy_free(p);
	/* A kind that is new in the list is to be here, too. */
	assert_int_equal(fsio_read_file(fsio_system(), "userspace/lib/claims.h", 65536, &text), 0);
	buf_put(&text, "", 1);
	for (const char *at = (char *)text.data; (at = strstr(at, start));) {
		size_t n = strspn(at += strlen(start), "abcdefghijklmnopqrstuvwxyz");

		if (at[n] == ':' && !has_form(at, n + 1))
			fail_msg("%.*s: of this kind", (int)n, at);
	}
	buf_done(&text);
}

static void is_told(const char *path, const struct policy_yaml *y, int node)
{
	const struct claims_source host = {.put = NULL};
	const char *text;
	struct why why;

	for (uint32_t i = 0;
	     policy_yaml_kind(y, node) == POLICY_YAML_LIST && i < policy_yaml_n(y, node); i++)
		is_told(path, y, policy_yaml_item(y, node, i));
	if (policy_yaml_kind(y, node) != POLICY_YAML_TEXT)
		return;
	assert_int_equal(policy_yaml_text(y, node, POLICY_MAX_PATTERN, &text, &why), 0);
	if (strncmp(text, "sysctl:", 7) == 0 && !claims_host_has_sysctl(&host, text + 7))
		fail_msg("%s: no agent tells %s", path, text);
}

/* A sysctl that a rule names is one that the agent reads. */
static void test_sysctls_are_told(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob("policies/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct policy_yaml *y = NULL;
		struct buf text = {0};
		struct why why;
		int rules;

		assert_int_equal(fsio_read_file(fsio_system(), path, POLICY_YAML_MAX_SIZE, &text),
				 0);
		assert_int_equal(policy_yaml_open(path, text.data, text.size, &y, &why), 0);
		rules = policy_yaml_get(y, policy_yaml_root(y), "rules");
		for (uint32_t k = 0; k < policy_yaml_n(y, rules); k++) {
			int when = policy_yaml_get(y, policy_yaml_item(y, rules, k), "when");
			int key = policy_yaml_get(y, when, "key");

			if (key)
				is_told(path, y, key);
		}
		policy_yaml_free(y);
		buf_done(&text);
	}
	globfree(&found);
}

/* Paths as they stand in a file of the tree. */
struct paths {
	char *all[96];
	uint32_t n;
	struct buf text;
};

static void put_paths(const char *file, const char *start, const char *end, const char *between,
		      struct paths *ret)
{
	char *at, *rest = NULL;

	ret->n = 0;
	ret->text = (struct buf){0};
	assert_int_equal(fsio_read_file(fsio_system(), file, 65536, &ret->text), 0);
	buf_put(&ret->text, "", 1);
	at = strstr((char *)ret->text.data, start);
	assert_non_null(at);
	at += strlen(start);
	*strstr(at, end) = '\0';
	for (at = strtok_r(at, between, &rest); at; at = strtok_r(NULL, between, &rest)) {
		assert_true(at[0] == '/' && ret->n < ARRAY_SIZE(ret->all));
		ret->all[ret->n++] = at;
	}
	assert_true(ret->n > 3);
}

/* What watch_runtime may find. */
static void put_runtime_paths(struct paths *ret)
{
	put_paths("userspace/lib/claims_runtime.c", "files[] = {", "};", "\n\t\", ", ret);
}

static bool is_directory(const char *path)
{
	const char *name = strrchr(path, '/') + 1, *dot = strrchr(name, '.');

	return dot ? strcmp(dot, ".d") == 0 : strcmp(name, "kubelet") != 0;
}

static void acts(const struct policy *p, const char *path, const char *below)
{
	char key[PATH_MAX];
	struct policy_subject s = {.type = PLUMB_TYPE_FILE, .scope = "host", .key = key};
	const struct policy_rule *rule;

	snprintf(key, sizeof(key), "file:%s%s", path, below);
	rule = policy_match(p, &s);
	if (!rule || rule->action == PLUMB_ACTION_REPORT)
		fail_msg("%s: %s", key, rule ? rule->id : "no rule");
}

/* What the agent watches because a kubelet or a runtime is set up by it, the policy for those speaks of. */
static void test_runtime_settings_act(void **state)
{
	struct policy_yaml *y;
	struct buf bundle = {0};
	struct policy *p = compiled("policies/kubelet-containerd-node.yaml", &bundle, &y);
	struct paths files;

	(void)state;
	put_runtime_paths(&files);
	for (uint32_t i = 0; i < files.n; i++) {
		acts(p, files.all[i], "");
		if (is_directory(files.all[i]))
			acts(p, files.all[i], "/x.conf");
	}
	policy_free(p);
	policy_yaml_free(y);
	buf_done(&bundle);
	buf_done(&files.text);
}

/* The settings that come with the agent. */
static const char *const settings[] = {"deploy/debian/plumbd.yaml", "deploy/kubernetes/agent.yaml"};

static void put_watched(const char *file, struct paths *ret)
{
	put_paths(file, "watch: [", "]", " ,\n", ret);
}

static bool ends_by_a_person(const struct policy *p, const char *path)
{
	char key[PATH_MAX];
	struct policy_subject s = {.type = PLUMB_TYPE_MOUNT, .scope = "host", .key = key};
	const struct policy_rule *rule;

	snprintf(key, sizeof(key), "mount:%s", path);
	rule = policy_match(p, &s);
	return rule && rule->action != PLUMB_ACTION_REPORT && rule->release == POLICY_RELEASE_ACK;
}

static void judge_above(const struct policy *p, const struct paths *paths)
{
	for (uint32_t i = 0; i < paths->n; i++) {
		char *above = paths->all[i], *slash;

		if (!ends_by_a_person(p, above))
			continue;
		while ((slash = strrchr(above, '/')) && slash != above) {
			*slash = '\0';
			if (!ends_by_a_person(p, above))
				fail_msg("a mount over %s closes its own case", above);
		}
	}
}

/* Whoever mounts over a directory above covers what is watched as well, and takes it away again. */
static void test_mounts_above(void **state)
{
	struct policy *p = joined();
	struct paths paths;

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(settings); i++) {
		if (i < ARRAY_SIZE(settings))
			put_watched(settings[i], &paths);
		else
			put_runtime_paths(&paths);
		judge_above(p, &paths);
		buf_done(&paths.text);
	}
	policy_free(p);
}

/* What a rule acts on and the shipped settings do not watch, each for a reason. */
static const struct {
	const char *key, *why;
} unwatched[] = {
	{"file:/lib/x86_64-linux-gnu/security/pam_evil.so", "/lib is a link to /usr/lib"},
	{"file:/usr/lib/x86_64-linux-gnu/libnss_files.so.2", "one of all libraries: --code"},
	{"file:/home/ann/.ssh/authorized_keys", "homes are too many"},
	{"file:/tmp/plumbline-demo.a1B2c3/etc/passwd", "tests/demo has settings of its own"},
};

static bool lies_in(const char *path, const struct paths *paths)
{
	for (uint32_t i = 0; i < paths->n; i++) {
		size_t n = strlen(paths->all[i]);

		if (strncmp(path, paths->all[i], n) == 0 && (!path[n] || path[n] == '/'))
			return true;
	}
	return false;
}

static bool is_unwatched(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(unwatched); i++)
		if (strcmp(unwatched[i].key, key) == 0)
			return true;
	return false;
}

static bool rule_acts(const struct policy *p, const char *id)
{
	for (uint32_t i = 0; i < policy_n_rules(p); i++)
		if (strcmp(policy_rule(p, i)->id, id) == 0)
			return policy_rule(p, i)->action != PLUMB_ACTION_REPORT;
	return false;
}

static void judge_watched(const char *path, const struct paths *watched,
			  const struct paths *runtime)
{
	struct buf bundle = {0};
	struct policy_yaml *y;
	struct policy *p = compiled(path, &bundle, &y);
	int tests = policy_yaml_get(y, policy_yaml_root(y), "tests");

	for (uint32_t i = 0; i < policy_yaml_n(y, tests); i++) {
		int test = policy_yaml_item(y, tests, i);
		int node = policy_yaml_get(y, policy_yaml_get(y, test, "given"), "key");
		const char *key = "", *id;
		struct why why;

		assert_int_equal(policy_yaml_text(y, policy_yaml_get(y, test, "expect"),
						  POLICY_MAX_ID, &id, &why),
				 0);
		if (node)
			assert_int_equal(policy_yaml_text(y, node, PATH_MAX, &key, &why), 0);
		if (strncmp(key, "file:", 5) == 0 && rule_acts(p, id) && !is_unwatched(key) &&
		    !lies_in(key + 5, watched) && !lies_in(key + 5, runtime))
			fail_msg("%s: %s acts on %s, which nobody watches", path, id, key);
	}
	policy_free(p);
	policy_yaml_free(y);
	buf_done(&bundle);
}

/* A rule on a file that is not watched never answers. */
static void test_what_acts_is_watched(void **state)
{
	struct paths watched, runtime;
	glob_t found;

	(void)state;
	put_runtime_paths(&runtime);
	assert_int_equal(glob("policies/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		put_watched(settings[i], &watched);
		for (size_t k = 0; k < found.gl_pathc; k++)
			judge_watched(found.gl_pathv[k], &watched, &runtime);
		for (size_t k = 0; k < ARRAY_SIZE(unwatched); k++)
			assert_false(lies_in(unwatched[k].key + 5, &watched));
		buf_done(&watched.text);
	}
	buf_done(&runtime.text);
	globfree(&found);
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
					   cmocka_unit_test(test_together),
					   cmocka_unit_test(test_boot),
					   cmocka_unit_test(test_a_moment_is_enough),
					   cmocka_unit_test(test_every_form_has_a_rule),
					   cmocka_unit_test(test_sysctls_are_told),
					   cmocka_unit_test(test_runtime_settings_act),
					   cmocka_unit_test(test_mounts_above),
					   cmocka_unit_test(test_what_acts_is_watched)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
