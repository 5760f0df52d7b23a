/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's options: what stands when nothing is said, what is refused, and that a wrong file is named with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "verifier_settings.h"
#include "webhook.h"

static struct verifier_settings s;
static struct why why;

static int load(const char *first, const char *second)
{
	char *argv[] = {(char *)"plumb-verifier", (char *)first, (char *)second, NULL};
	int rest = 0;

	why.text[0] = 0;
	return verifier_settings_load(second ? 3 : first ? 2 : 1, argv, &s, &rest, &why);
}

static void refused(const char *option, const char *text)
{
	assert_true(load("--config=/dev/null", option) < 0);
	if (!strstr(why.text, text))
		fail_msg("%s: \"%s\"", option, why.text);
	verifier_settings_done(&s);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(load("--config=/dev/null", NULL), 0);
	assert_string_equal(s.data_dir, "/var/lib/plumb-verifier");
	assert_string_equal(s.listen, "0.0.0.0:8443");
	assert_int_equal(s.boot_pcr_mask, 0x4ff);
	assert_int_equal(s.pcr_index, 15);
	assert_int_equal(s.silent_after, 180000);
	assert_int_equal(s.max_per_address, 64);
	assert_null(s.emulated_anchors);
	assert_false(s.allow_unchecked);
	assert_false(s.image_require_digest);
	verifier_settings_done(&s);
}

static void test_refused(void **state)
{
	(void)state;
	refused("--pcr-index=16", "pcr-index");
	refused("--pcr-index=10", "pcr-index");
	refused("--silent-after=10", "silent-after");
	refused("--silent-after=0s", "silent-after");
	refused("--max-connections=1", "max-connections");
	refused("--nonsense=1", "nonsense");
	refused("--boot-pcrs=24", "boot_pcrs");
	refused("--image-keys=/k.pem", "image_registries");
	refused("--image-registries=r.example", "image_keys");
	refused("--image-unchecked=maybe", "image_unchecked");
	refused("--boot-pcrs=7-0", "boot_pcrs");
	refused("--boot-pcrs=0-", "boot_pcrs");
	refused("--boot-pcrs=a", "boot_pcrs");
	refused("--boot-pcrs=-1", "boot_pcrs");
	refused("--boot-pcrs=0,,1", "boot_pcrs");
	refused("--boot-pcrs=0,", "boot_pcrs");
	refused("--boot-pcrs= 1", "boot_pcrs");
	refused("--boot-pcrs=+1", "boot_pcrs");
	refused("--boot-pcrs=99999999999999999999", "boot_pcrs");
}

static void pcrs(const char *option, uint32_t mask)
{
	assert_int_equal(load("--config=/dev/null", option), 0);
	assert_int_equal(s.boot_pcr_mask, mask);
	verifier_settings_done(&s);
}

static void test_pcrs(void **state)
{
	(void)state;
	pcrs("--boot-pcrs=0", 1);
	pcrs("--boot-pcrs=23", 1u << 23);
	pcrs("--boot-pcrs=0-2,7,8-9", 0x387);
	pcrs("--boot-pcrs=", 0);
}

static void in_file(const char *text, const char *where, const char *what)
{
	char path[] = "/tmp/plumb-settings-XXXXXX", option[64], place[80];
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(option, sizeof(option), "--config=%s", path);
	assert_true(load(option, NULL) < 0);
	verifier_settings_done(&s);
	unlink(path);
	snprintf(place, sizeof(place), "%s:%s", path, where);
	if (!strstr(why.text, place) || !strstr(why.text, what))
		fail_msg("\"%s\", not %s and %s", why.text, place, what);
}

/* One thing of each kind that can be wrong. */
static void test_files(void **state)
{
	(void)state;
	in_file("listen: 127.0.0.1:1\nlisten_on: x\n", "2", "listen_on");
	in_file("silent_after: soon\n", "1", "silent_after");
	in_file("\n\npcr_index: 3\n", "3", "pcr_index");
	in_file("webhooks: {a: b}\n", "1", "value");
	in_file("max_connections: [1]\n", "1", "one value");
	in_file("verbose: maybe\n", "1", "verbose");
}

static void in_cluster(const char *host, const char *port, const char *url)
{
	assert_int_equal(host ? setenv("KUBERNETES_SERVICE_HOST", host, 1)
			      : unsetenv("KUBERNETES_SERVICE_HOST"),
			 0);
	assert_int_equal(port ? setenv("KUBERNETES_SERVICE_PORT", port, 1)
			      : unsetenv("KUBERNETES_SERVICE_PORT"),
			 0);
	if (!url) {
		refused("--kube-server=in-cluster", "KUBERNETES_SERVICE_HOST");
		return;
	}
	assert_int_equal(load("--config=/dev/null", "--kube-server=in-cluster"), 0);
	assert_string_equal(s.kube_server, url);
	assert_int_equal(webhook_check_url(s.kube_server, &why), 0);
	verifier_settings_done(&s);
	assert_int_equal(load("--config=/dev/null", "--kube-server=https://10.0.0.1:6443"), 0);
	assert_string_equal(s.kube_server, "https://10.0.0.1:6443");
	verifier_settings_done(&s);
	assert_int_equal(load("--config=/dev/null", NULL), 0);
	assert_null(s.kube_server);
	verifier_settings_done(&s);
}

/* Where the API is, Kubernetes tells each pod; an address of IPv6 without the brackets that a URL has. */
static void test_in_cluster(void **state)
{
	(void)state;
	in_cluster("10.96.0.1", "443", "https://10.96.0.1:443");
	in_cluster("fd00:10:96::1", "443", "https://[fd00:10:96::1]:443");
	in_cluster("api.example", "6443", "https://api.example:6443");
	in_cluster(NULL, "443", NULL);
	in_cluster("10.96.0.1", NULL, NULL);
	in_cluster("", "443", NULL);
}

/* The settings of the pod, as they are shipped: all of them are known, and nothing in them waits for the cluster's DNS. */
static void test_shipped(void **state)
{
	static const char begin[] = "  plumb-verifier.yaml: |\n", indent[] = "    ";
	char path[] = "/tmp/plumb-settings-XXXXXX", option[64], line[512];
	FILE *in = fopen("deploy/kubernetes/verifier.yaml", "r"), *out = fdopen(mkstemp(path), "w");
	bool on = false;
	int n = 0;

	(void)state;
	assert_true(in && out);
	while (fgets(line, sizeof(line), in)) {
		if (on && strncmp(line, indent, sizeof(indent) - 1) != 0)
			break;
		if (on)
			n += fputs(line + sizeof(indent) - 1, out) >= 0;
		on |= strcmp(line, begin) == 0;
	}
	fclose(in);
	fclose(out);
	assert_true(n > 5);
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	snprintf(option, sizeof(option), "--config=%s", path);
	assert_int_equal(load(option, NULL), 0);
	assert_string_equal(s.kube_server, "https://10.96.0.1:443");
	assert_string_equal(s.kube_agent_account, "plumbline:plumb-agent");
	verifier_settings_done(&s);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pcrs),	   cmocka_unit_test(test_files),
		cmocka_unit_test(test_in_cluster), cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
