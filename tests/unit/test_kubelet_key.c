/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's key is shown when there is one, another one when it changes, and none that others than root may have put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "fsio.h"
#include "jsonl.h"
#include "kubelet_key.h"
#include "kubelet_proof.h"
#include "line.h"

static struct agent_fixture f;
static struct kubelet_key *k;
static char root[128], pki[192];
static unsigned int n_told;

static void on_told(void *ctx)
{
	(void)ctx;
	n_told++;
}

static int setup(void **state)
{
	(void)state;
	agent_fixture_init(&f);
	agent_fixture_start(&f);
	snprintf(root, sizeof(root), "%s/root", f.dir);
	snprintf(pki, sizeof(pki), "%s/var/lib/kubelet/pki", root);
	assert_int_equal(fsio_mkdir_all(fsio_system(), pki, 0700), 0);
	n_told = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	k = kubelet_key_free(k);
	agent_fixture_stop(&f);
	agent_fixture_done(&f);
	return 0;
}

static void start(const char *file)
{
	const struct kubelet_key_options o = {.writer = f.writer,
					      .origin = f.identity.origin,
					      .file = file,
					      .root = root,
					      .look_ms = 5,
					      .told = on_told};

	assert_int_equal(kubelet_key_open(f.base, &o, &k), 0);
}

static void put(const char *name, const struct sign_key *key, const char *before)
{
	struct buf pem = {0};
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", pki, name);
	buf_puts(&pem, before);
	if (key)
		assert_int_equal(sign_key_private_pem(key, &pem), 0);
	assert_int_equal(fsio_replace_file(fsio_system(), path, pem.data, pem.size, 0600), 0);
	buf_done(&pem);
}

static unsigned int wanted;

static bool is_told(void *ctx)
{
	(void)ctx;
	return n_told >= wanted &&
	       agent_fixture_count(&f, "\"type\":\"kubelet_key\"", "") >= wanted;
}

static void told(unsigned int n)
{
	wanted = n;
	agent_fixture_until(&f, is_told, NULL, "a key that is shown");
	assert_int_equal(n_told, n);
}

static void quiet(void)
{
	const struct timeval tv = {0, 60000};
	unsigned int before = n_told;

	event_base_loopexit(f.base, &tv);
	event_base_dispatch(f.base);
	assert_int_equal(n_told, before);
}

static void test_usual_files(void **state)
{
	struct sign_key *one = NULL, *two = NULL;
	char link[256];

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &one), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &two), 0);
	start("auto");
	quiet(); /* there is none yet */
	put("kubelet-client.key.tmp", one, "");
	told(1);
	quiet();
	/* With its certificate it moves to the other file: that is no news. */
	put("kubelet-client-2026.pem", one,
	    "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
	snprintf(link, sizeof(link), "%s/kubelet-client-current.pem", pki);
	assert_int_equal(symlink("kubelet-client-2026.pem", link), 0);
	quiet();
	put("kubelet-client-2027.pem", two, "");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("kubelet-client-2027.pem", link), 0);
	told(2);
	sign_key_free(one);
	sign_key_free(two);
}

static void test_what_is_not_shown(void **state)
{
	struct sign_key *key = NULL, *ed = NULL;
	char path[256];

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &ed), 0);
	snprintf(path, sizeof(path), "%s/key", pki);
	start(path);
	put("key", NULL, "no key");
	quiet();
	put("key", NULL, "");
	quiet();
	put("key", ed, "");
	quiet();
	put("key", key, "");
	assert_int_equal(chmod(path, 0622), 0);
	quiet();
	assert_int_equal(chmod(path, 0600), 0);
	put("key", key, "");
	told(1);
	sign_key_free(key);
	sign_key_free(ed);
}

static void test_nothing_is_read_unasked(void **state)
{
	struct sign_key *key = NULL;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	put("kubelet-client.key.tmp", key, "");
	start(NULL);
	assert_null(k);
	quiet();
	sign_key_free(key);
}

/* The border: an example, and what it proves. */
static void test_proof(void **state)
{
	static const char origin[] =
		"plumbline.local/node/"
		"1111111111111111111111111111111111111111111111111111111111111111/3";
	struct buf example = {0}, pem = {0}, body = {0};
	struct digest made, read;
	struct sign_key *key = NULL;
	struct line l;
	struct why why = {""};
	char text[1200];
	json_t *o = NULL;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/line/kubelet_key.json", 4096, &example),
		0);
	assert_int_equal(line_parse(example.data, example.size - 1, &o, &l, &why), 0);
	assert_int_equal(l.type, PLUMB_TYPE_KUBELET_KEY);
	assert_int_equal(kubelet_proof_check(o, origin, &read, &why), 0);
	assert_int_equal(kubelet_proof_check(o, "plumbline.local/node/11/4", &read, &why),
			 -EBADMSG);
	json_decref(o);
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_private_pem(key, &pem), 0);
	assert_int_equal(kubelet_proof_make((char *)pem.data, pem.size, origin, &body, &made, &why),
			 0);
	snprintf(text, sizeof(text), "{%s}", (char *)body.data);
	o = json_loads(text, 0, NULL);
	assert_int_equal(kubelet_proof_check(o, origin, &read, &why), 0);
	assert_true(digest_equal(&made, &read));
	json_object_del(o, "sig");
	assert_int_equal(kubelet_proof_check(o, origin, &read, &why), -EBADMSG);
	json_decref(o);
	sign_key_free(key);
	buf_done(&example);
	buf_done(&pem);
	buf_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_usual_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_read_unasked, setup, teardown),
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
