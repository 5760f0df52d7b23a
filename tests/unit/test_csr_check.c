/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of kubelets as they are, and with one thing about them other than it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "cleanup.h"
#include "csr_check.h"
#include "kubelet_csr.h"

#define BOOT "system:bootstrap:abc123"
#define BOOT_GROUPS "[\"system:bootstrappers\",\"system:authenticated\"]"
#define NODE_GROUPS "[\"system:nodes\",\"system:authenticated\"]"
#define USAGES "[\"digital signature\",\"key encipherment\",\"client auth\"]"

static struct sign_key *key;
static struct csr_check found;
static struct why why;

static int keys(void **state)
{
	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	return 0;
}

static int keys_done(void **state)
{
	(void)state;
	sign_key_free(key);
	return 0;
}

static int check_text(const char *text, size_t size)
{
	json_t *o = json_loadb(text, size, 0, NULL);
	int r;

	assert_non_null(o);
	why.text[0] = 0;
	r = csr_check(o, &found, &why);
	json_decref(o);
	return r;
}

static int check(const struct buf *pem, const char *name, const char *user, const char *groups,
		 const char *usages, const char *members)
{
	struct buf text = {0};
	int r;

	kubelet_csr_object(name, pem, user, groups, usages, members, &text);
	r = check_text((char *)text.data, text.size);
	buf_done(&text);
	return r;
}

static int check_pem(const struct buf *pem)
{
	return check(pem, "node-csr-x", BOOT, BOOT_GROUPS, USAGES, "");
}

static void test_as_kubelets_ask(void **state)
{
	struct buf pem = {0};
	struct digest id;

	(void)state;
	kubelet_csr_of("n1.example", key, &pem);
	assert_int_equal(sign_key_id(key, &id), 0);
	assert_int_equal(check(&pem, "node-csr-Ab_9-z", BOOT, BOOT_GROUPS, USAGES, ""), 0);
	assert_string_equal(found.name, "node-csr-Ab_9-z");
	assert_string_equal(found.version, "7");
	assert_int_equal(strlen(found.uid), 36);
	assert_string_equal(found.request.node, "n1.example");
	assert_true(digest_equal(&found.request.key, &id));
	assert_false(found.renews);
	/* Since 1.27, for EC keys. */
	assert_int_equal(check(&pem, "csr-x", "system:node:n1.example", NODE_GROUPS,
			       "[\"client auth\",\"digital signature\"]", ",\"status\":{}"),
			 0);
	assert_true(found.renews);
	buf_done(&pem);
}

static void test_who_asks(void **state)
{
	static const struct {
		const char *user, *groups;
	} bad[] = {
		{"eve", BOOT_GROUPS},
		{"system:bootstrap:", BOOT_GROUPS},
		{"system:bootstrap:abc1234", BOOT_GROUPS},
		{"system:bootstrap:ABC123", BOOT_GROUPS},
		{BOOT, "[]"},
		{BOOT, NODE_GROUPS},
		{BOOT, "\"system:bootstrappers\""},
		{"system:node:n2", NODE_GROUPS}, /* another node's name */
		{"system:node:n1", BOOT_GROUPS},
		{"system:node:", NODE_GROUPS},
		{"system:serviceaccount:kube-system:x", NODE_GROUPS},
	};
	struct buf pem = {0};

	(void)state;
	kubelet_csr_of("n1", key, &pem);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(check(&pem, "x", bad[i].user, bad[i].groups, USAGES, ""), -EPERM);
		assert_true(why.text[0] != 0);
	}
	buf_done(&pem);
}

static void test_usages(void **state)
{
	static const char *const bad[] = {
		"[]",
		"[\"client auth\"]",
		"[\"digital signature\"]",
		"[\"digital signature\",\"client auth\",\"server auth\"]",
		"[\"digital signature\",\"client auth\",7]",
		"\"client auth\"",
	};
	struct buf pem = {0};

	(void)state;
	kubelet_csr_of("n1", key, &pem);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(check(&pem, "x", BOOT, BOOT_GROUPS, bad[i], ""), -EPERM);
	buf_done(&pem);
}

static void test_subjects(void **state)
{
	static const struct kubelet_csr bad[] = {
		{.organisation = "system:masters", .common = "system:node:n1"},
		{.organisation = "system:nodes", .common = "n1"},
		{.organisation = "system:nodes", .common = "system:node:"},
		{.organisation = "system:nodes", .common = "system:node:N1"},
		{.organisation = "system:nodes", .common = "system:node:n1/../n2"},
		{.organisation = "system:nodes",
		 .common = "system:node:n1",
		 .more = "system:node:n2"},
		{.organisation = "system:nodes", .common = "system:node:n1", .san = true},
		{.common = "system:node:n1"},
		{.organisation = "system:nodes"},
		{.organisation = NULL},
	};
	struct buf pem = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		buf_clear(&pem);
		kubelet_csr_pem(&bad[i], key, &pem);
		if (check_pem(&pem) != -EPERM)
			fail_msg("subject %zu was taken", i);
	}
	buf_done(&pem);
}

static void test_one_block(void **state)
{
	struct buf pem = {0}, other = {0}, two = {0};
	size_t begin = strlen("-----BEGIN CERTIFICATE REQUEST-----\n");

	(void)state;
	kubelet_csr_of("n1", key, &pem);
	kubelet_csr_of("n2", key, &other);
	assert_int_equal(check_pem(&pem), 0);
	/* Blocks that an API server signs past. */
	buf_printf(&two, "%s%s", (char *)pem.data, (char *)other.data);
	assert_int_equal(check_pem(&two), -EBADMSG);
	buf_clear(&two);
	buf_printf(&two,
		   "%s-----BEGIN ATTESTATION DATA-----\nAA==\n-----END ATTESTATION DATA-----\n",
		   (char *)pem.data);
	assert_int_equal(check_pem(&two), -EBADMSG);
	buf_clear(&two);
	buf_printf(&two, "%sx", (char *)pem.data);
	assert_int_equal(check_pem(&two), -EBADMSG);
	buf_clear(&two);
	buf_printf(&two, "x%s", (char *)pem.data);
	assert_int_equal(check_pem(&two), -EBADMSG);
	buf_clear(&two);
	buf_printf(&two, "%.*sA: b\n\n%s", (int)begin, (char *)pem.data, (char *)pem.data + begin);
	assert_int_equal(check_pem(&two), -EBADMSG);
	/* Blanks between characters: one reader passes over them, the other not. */
	buf_clear(&two);
	buf_printf(&two, "%.*s %s", (int)begin, (char *)pem.data, (char *)pem.data + begin);
	assert_int_equal(check_pem(&two), -EBADMSG);
	/* Each byte turned, and each end: it is none any more, or its signature is false. */
	for (size_t i = 0; i < pem.size - 1; i += 5) {
		pem.data[i] ^= 4;
		assert_true(check_pem(&pem) < 0);
		pem.data[i] ^= 4;
	}
	for (size_t size = 0; size < pem.size - 1; size += 11) {
		const struct buf cut = {.data = pem.data, .size = size};

		assert_true(check_pem(&cut) < 0);
	}
	buf_done(&pem);
	buf_done(&other);
	buf_done(&two);
}

static void test_keys_and_objects(void **state)
{
	static const char *const none[] = {
		"{}",
		"{\"metadata\":{\"name\":\"a\"}}",
		"{\"metadata\":{\"name\":\"a/b\"},\"spec\":{}}",
		"{\"metadata\":{\"name\":\"..\"},\"spec\":{}}",
		"{\"metadata\":{\"name\":\"\"},\"spec\":{}}",
		"{\"metadata\":{\"name\":\"a?b\"},\"spec\":{}}",
	};
	static const char others[] = "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"signerName\":"
				     "\"kubernetes.io/kubelet-serving\"}}";
	static const char *const decided[] = {
		",\"status\":{\"conditions\":[{\"type\":\"Approved\"}]}",
		",\"status\":{\"conditions\":[{\"type\":\"Denied\"}]}",
		",\"status\":{\"certificate\":\"x\"}",
	};
	const struct kubelet_csr c = {.organisation = "system:nodes", .common = "system:node:n1"};
	struct sign_key *rsa = NULL;
	struct buf pem = {0};
	EVP_PKEY *k = EVP_RSA_gen(2048);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(check_text(none[i], strlen(none[i])), -EBADMSG);
	assert_int_equal(check_text(others, strlen(others)), -EALREADY);
	kubelet_csr_of("n1", key, &pem);
	for (size_t i = 0; i < ARRAY_SIZE(decided); i++)
		assert_int_equal(check(&pem, "x", BOOT, BOOT_GROUPS, USAGES, decided[i]),
				 -EALREADY);
	/* Kubelets make EC keys, and no line shows another. */
	assert_int_equal(sign_key_from_evp(k, &rsa), 0);
	buf_clear(&pem);
	kubelet_csr_pem(&c, rsa, &pem);
	assert_int_equal(check_pem(&pem), -EPERM);
	sign_key_free(rsa);
	EVP_PKEY_free(k);
	buf_done(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_kubelets_ask), cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_usages),		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_one_block),	cmocka_unit_test(test_keys_and_objects),
	};

	return cmocka_run_group_tests(tests, keys, keys_done);
}
