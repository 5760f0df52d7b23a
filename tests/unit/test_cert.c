/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: issued by our CA, verified as TLS would, and told apart; requests; and ones that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "cert.h"

#define NODE "5e930b1b2b6c65de47679df72b3a7316a54a84f4b0d1e2159f483657fba3be43"
#define NOW 1795462800u
#define DAY 86400u

struct pki {
	struct sign_key *ca_key, *key;
	struct buf ca;
};

static int setup(void **state)
{
	static struct pki p;
	const struct cert_request q = {
		.kind = CERT_CA, .name = "plumb-ca", .not_before_s = NOW, .life_s = 365 * DAY};

	p = (struct pki){.key = NULL};
	assert_int_equal(sign_key_generate(SIGN_P256, &p.ca_key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &p.key), 0);
	assert_int_equal(cert_issue(&q, p.ca_key, NULL, NULL, &p.ca, NULL), 0);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct pki *p = *state;

	sign_key_free(p->ca_key);
	sign_key_free(p->key);
	buf_done(&p->ca);
	return 0;
}

static X509 *read_cert(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *c = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(c);
	BIO_free(bio);
	return c;
}

/* The chain as TLS checks it: purpose, time, names. */
static int verify(const struct buf *ca_pem, const struct buf *pem, int purpose, time_t when,
		  const char *host)
{
	X509 *ca = read_cert(ca_pem), *c = read_cert(pem);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int good, error;

	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	assert_int_equal(X509_verify(c, X509_get0_pubkey(ca)), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, c, NULL), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, when);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	if (host && X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	good = X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
	X509_free(c);
	return good == 1 ? X509_V_OK : error;
}

static void issue(struct pki *p, struct cert_request q, struct buf *ret)
{
	struct why why = {""};
	int r;

	q.not_before_s = NOW;
	q.life_s = DAY;
	r = cert_issue(&q, p->key, (char *)p->ca.data, p->ca_key, ret, &why);
	if (r < 0)
		fail_msg("%d %s", r, why.text);
}

static void test_node(void **state)
{
	struct pki *p = *state;
	struct cert_identity id;
	struct buf pem = {0}, spki = {0};
	struct digest key_id;

	issue(p, (struct cert_request){.kind = CERT_NODE, .name = NODE}, &pem);
	assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW + 1, NULL), X509_V_OK);
	assert_int_not_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_SERVER, NOW + 1, NULL),
			     X509_V_OK);
	assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW - 1, NULL),
			 X509_V_ERR_CERT_NOT_YET_VALID);
	assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW + DAY + 1, NULL),
			 X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_equal(cert_identity_pem((char *)pem.data, pem.size, &id, NULL), 0);
	assert_int_equal(id.kind, CERT_NODE);
	assert_int_equal(id.role, PLUMB_ROLE_NONE);
	assert_string_equal(id.name, NODE);
	assert_int_equal(sign_key_id(p->key, &key_id), 0);
	assert_true(digest_equal(&id.key_id, &key_id));
	assert_int_equal(id.not_before_s, NOW);
	assert_int_equal(id.not_after_s, NOW + DAY);
	assert_int_equal(sign_key_spki(p->key, &spki), 0);
	assert_int_equal(id.spki_size, spki.size);
	assert_memory_equal(id.spki, spki.data, spki.size);
	buf_done(&spki);
	buf_done(&pem);
}

static void test_operators(void **state)
{
	struct pki *p = *state;

	for (int role = PLUMB_ROLE_VIEWER; role <= PLUMB_ROLE_APPROVER; role++) {
		struct cert_identity id;
		struct buf pem = {0};

		issue(p,
		      (struct cert_request){.kind = CERT_OPERATOR,
					    .name = "ann@example.com",
					    .role = (enum plumb_role)role},
		      &pem);
		assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW + 1, NULL),
				 X509_V_OK);
		assert_int_equal(cert_identity_pem((char *)pem.data, pem.size, &id, NULL), 0);
		assert_int_equal(id.kind, CERT_OPERATOR);
		assert_int_equal(id.role, role);
		assert_string_equal(id.name, "ann@example.com");
		buf_done(&pem);
	}
}

static void test_server(void **state)
{
	const char *const hosts[] = {"verifier.example", "127.0.0.1", "::1"};
	struct pki *p = *state;
	struct cert_identity id;
	struct buf pem = {0};

	issue(p,
	      (struct cert_request){.kind = CERT_SERVER,
				    .name = "verifier.example",
				    .hosts = hosts,
				    .n_hosts = 3},
	      &pem);
	for (int i = 0; i < 3; i++)
		assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_SERVER, NOW + 1, hosts[i]),
				 X509_V_OK);
	assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_SERVER, NOW + 1, "other.example"),
			 X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_SERVER, NOW + 1, "127.0.0.2"),
			 X509_V_ERR_IP_ADDRESS_MISMATCH);
	assert_int_not_equal(verify(&p->ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW + 1, NULL),
			     X509_V_OK);
	assert_int_equal(cert_identity_pem((char *)pem.data, pem.size, &id, NULL), 0);
	assert_int_equal(id.kind, CERT_SERVER);
	buf_done(&pem);
}

/* A foreign CA of the same name and the same kind; a leaf that plays CA; Ed25519 keys. */
static void test_chains(void **state)
{
	struct pki *p = *state, other = {.key = p->key};
	const struct cert_request ca = {
		.kind = CERT_CA, .name = "plumb-ca", .not_before_s = NOW, .life_s = DAY};
	const struct cert_request leaf = {
		.kind = CERT_NODE, .name = NODE, .not_before_s = NOW, .life_s = DAY};
	struct buf pem = {0}, again = {0};
	struct cert_identity id;
	struct digest a, b;

	assert_int_equal(sign_key_generate(SIGN_ED25519, &other.ca_key), 0);
	assert_int_equal(cert_issue(&ca, other.ca_key, NULL, NULL, &other.ca, NULL), 0);
	assert_int_equal(cert_identity_pem((char *)other.ca.data, other.ca.size, &id, NULL), 0);
	assert_int_equal(id.kind, CERT_CA);
	issue(&other, leaf, &pem);
	assert_int_equal(verify(&other.ca, &pem, X509_PURPOSE_SSL_CLIENT, NOW + 1, NULL),
			 X509_V_OK);

	assert_int_equal(cert_issue(&leaf, p->key, (char *)p->ca.data, other.ca_key, &again, NULL),
			 -EKEYREJECTED);
	buf_clear(&pem);
	issue(p, leaf, &pem);
	assert_int_equal(cert_issue(&leaf, p->key, (char *)pem.data, p->key, &again, NULL), -EPERM);
	assert_int_equal(again.size, 0);
	issue(p, leaf, &again);
	assert_int_equal(cert_fingerprint_pem((char *)pem.data, pem.size, &a, NULL), 0);
	assert_int_equal(cert_fingerprint_pem((char *)again.data, again.size, &b, NULL), 0);
	assert_false(digest_equal(&a, &b)); /* serial numbers differ */
	sign_key_free(other.ca_key);
	buf_done(&other.ca);
	buf_done(&pem);
	buf_done(&again);
}

static void test_wrong_requests(void **state)
{
	static const char long_name[] = NODE "0";
	const char *const bad_host[] = {"a.example,DNS:b.example"}, *const good_host[] = {"a"};
	const struct cert_request twins[] = {
		{.kind = CERT_NODE, .name = "a/CN=b", .life_s = 1},
		{.kind = CERT_NODE, .name = "", .life_s = 1},
		{.kind = CERT_NODE, .name = NULL, .life_s = 1},
		{.kind = CERT_NODE, .name = "a b", .life_s = 1},
		{.kind = CERT_NODE, .name = "\xc3\xa4", .life_s = 1},
		{.kind = CERT_NODE, .name = long_name, .life_s = 1},
		{.kind = CERT_NODE, .name = "a", .life_s = 0},
		{.kind = CERT_NODE, .name = "a", .life_s = UINT64_MAX, .not_before_s = 1},
		{.kind = CERT_OPERATOR, .name = "a", .life_s = 1},
		{.kind = CERT_OPERATOR, .name = "a", .life_s = 1, .role = (enum plumb_role)9},
		{.kind = (enum cert_kind)9, .name = "a", .life_s = 1},
		{.kind = CERT_SERVER, .name = "a", .life_s = 1},
		{.kind = CERT_SERVER, .name = "a", .life_s = 1, .hosts = bad_host, .n_hosts = 1},
		{.kind = CERT_SERVER, .name = "a", .life_s = 1, .hosts = good_host, .n_hosts = 33},
		{.kind = CERT_CA, .name = "a", .life_s = 1},
	};
	struct pki *p = *state;

	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct why why = {""};
		struct buf pem = {0};
		int r = cert_issue(&twins[i], p->key, (char *)p->ca.data, p->ca_key, &pem, &why);

		if (r != -EINVAL || pem.size != 0)
			fail_msg("twin %d: %d %s", (int)i, r, why.text);
		buf_done(&pem);
	}
	assert_int_equal(
		cert_issue(&(struct cert_request){.kind = CERT_NODE, .name = "a", .life_s = 1},
			   p->key, NULL, NULL, &(struct buf){0}, NULL),
		-EINVAL);
}

/* Verified by TLS against our CA is not enough: the subject must be one of ours. */
static X509 *self_made(struct pki *p, const char *o, const char *ou, const char *cn,
		       const char *cn2)
{
	X509 *c = X509_new();
	X509_NAME *name = X509_get_subject_name(c);
	const char *const parts[][2] = {{"O", o}, {"OU", ou}, {"CN", cn}, {"CN", cn2}};
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth");

	for (int i = 0; i < 4; i++)
		if (parts[i][1])
			X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_UTF8,
						   (const unsigned char *)parts[i][1], -1, -1, 0);
	X509_set_pubkey(c, sign_key_evp(p->key));
	X509_set_version(c, X509_VERSION_3);
	X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(c, sign_key_evp(p->ca_key), EVP_sha256()) > 0);
	return c;
}

static void test_wrong_identities(void **state)
{
	static const struct {
		const char *o, *ou, *cn, *cn2;
		int want;
	} twins[] = {
		{"plumb", "node", "a", NULL, 0},
		{"plumb", "operator:approver", "a", NULL, 0},
		{"other", "node", "a", NULL, -EPERM},
		{NULL, "node", "a", NULL, -EPERM},
		{"plumb", NULL, "a", NULL, -EPERM},
		{"plumb", "node", NULL, NULL, -EPERM},
		{"plumb", "node", "a", "b", -EPERM},
		{"plumb", "node", "a b", NULL, -EPERM},
		{"plumb", "operator:", "a", NULL, -EPERM},
		{"plumb", "operator:god", "a", NULL, -EPERM},
		{"plumb", "operator", "a", NULL, -EPERM},
		{"plumb", "Node", "a", NULL, -EPERM},
		{"plumb", "ca", "a", NULL, -EPERM}, /* a leaf that calls itself CA */
		{"plumb", "server", "a", NULL, -EPERM}, /* for clients only */
	};
	struct pki *p = *state;

	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		X509 *c = self_made(p, twins[i].o, twins[i].ou, twins[i].cn, twins[i].cn2);
		struct cert_identity id = {.kind = CERT_CA};
		struct why why = {""};
		int r = cert_identity(c, &id, &why);

		if (r != twins[i].want)
			fail_msg("twin %d: %d %s", (int)i, r, why.text);
		if (r < 0)
			assert_int_equal(id.kind, CERT_CA);
		X509_free(c);
	}
}

static void test_csr(void **state)
{
	struct pki *p = *state;
	struct buf pem = {0}, public = {0}, out = {0};
	struct sign_key *k = NULL, *half = NULL;
	struct digest a, b;
	struct why why = {""};

	assert_int_equal(cert_csr_make(p->key, NODE, &pem), 0);
	assert_int_equal(cert_csr_key((char *)pem.data, pem.size, &k, &why), 0);
	assert_false(sign_key_is_private(k));
	assert_int_equal(sign_key_id(k, &a), 0);
	assert_int_equal(sign_key_id(p->key, &b), 0);
	assert_true(digest_equal(&a, &b));
	sign_key_free(k);
	k = NULL;

	/* One bit anywhere in the body: unreadable, or its signature is false. */
	for (size_t n = 40; n < pem.size - 40; n++) {
		if (pem.data[n] == '\n')
			continue;
		pem.data[n] = pem.data[n] == 'A' ? 'B' : 'A';
		if (cert_csr_key((char *)pem.data, pem.size, &k, &why) == 0) {
			/* Only the unused bits of the last character may turn without a change. */
			assert_int_equal(sign_key_id(k, &a), 0);
			assert_true(digest_equal(&a, &b));
			sign_key_free(k);
			k = NULL;
		}
		buf_clear(&pem);
		assert_int_equal(cert_csr_make(p->key, NODE, &pem), 0);
	}
	assert_int_equal(cert_csr_key((char *)pem.data, pem.size / 2, &k, &why), -EBADMSG);
	assert_int_equal(cert_csr_key("", 0, &k, &why), -EBADMSG);
	assert_int_equal(cert_csr_key((char *)p->ca.data, p->ca.size, &k, &why), -EBADMSG);
	assert_int_equal(cert_csr_make(p->key, "a b", &out), -EINVAL);
	assert_int_equal(sign_key_public_pem(p->key, &public), 0);
	assert_int_equal(sign_key_from_pem((char *)public.data, public.size, &half, NULL), 0);
	assert_int_equal(cert_csr_make(half, "a", &out), -EKEYREJECTED);
	assert_null(k);
	sign_key_free(half);
	buf_done(&pem);
	buf_done(&public);
	buf_done(&out);
}

static int plain(const struct pki *p, int nid, const char *text, bool extension, struct why *why)
{
	X509_REQ *q = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long size;
	int r;

	X509_REQ_set_pubkey(q, sign_key_evp(p->key));
	X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(q), nid, MBSTRING_ASC,
				   (const uint8_t *)text, -1, -1, 0);
	if (extension) {
		STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

		sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
								 "critical,CA:TRUE"));
		assert_int_equal(X509_REQ_add_extensions(q, list), 1);
		sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	}
	assert_true(X509_REQ_sign(q, sign_key_evp(p->key), EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, q), 1);
	size = BIO_get_mem_data(bio, &data);
	r = cert_csr_is_plain(data, (size_t)size, why);
	BIO_free(bio);
	X509_REQ_free(q);
	return r;
}

static void test_csr_plain(void **state)
{
	struct pki *p = *state;
	struct why why = {""};
	struct buf pem = {0};

	assert_int_equal(cert_csr_make(p->key, NODE, &pem), 0);
	assert_int_equal(cert_csr_is_plain((char *)pem.data, pem.size, &why), 0);
	assert_int_equal(cert_csr_is_plain("", 0, &why), -EBADMSG);
	assert_int_equal(plain(p, NID_commonName, NODE, false, &why), 0);
	assert_int_equal(plain(p, NID_commonName, NODE, true, &why), -EPERM);
	assert_non_null(strstr(why.text, "extensions"));
	assert_int_equal(plain(p, NID_organizationName, "plumb", false, &why), -EPERM);
	assert_int_equal(plain(p, NID_organizationalUnitName, "operator:approver", false, &why),
			 -EPERM);
	assert_non_null(strstr(why.text, "O or OU"));
	buf_done(&pem);
}

/* Somebody else's key in a request that is signed by one's own: nobody gets a certificate for a key that is not theirs. */
static void test_csr_stolen(void **state)
{
	struct pki *p = *state;
	X509_REQ *q = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	struct sign_key *k = NULL;
	struct why why = {""};
	char *data;
	long size;

	X509_REQ_set_pubkey(q, sign_key_evp(p->ca_key));
	assert_true(X509_REQ_sign(q, sign_key_evp(p->key), EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, q), 1);
	size = BIO_get_mem_data(bio, &data);
	assert_int_equal(cert_csr_key(data, (size_t)size, &k, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "own signature"));
	assert_null(k);
	BIO_free(bio);
	X509_REQ_free(q);
}

static void test_not_pem(void **state)
{
	struct pki *p = *state;
	struct cert_identity id;
	struct digest d;

	assert_int_equal(cert_identity_pem("", 0, &id, NULL), -EBADMSG);
	assert_int_equal(cert_identity_pem("junk", 4, &id, NULL), -EBADMSG);
	assert_int_equal(cert_identity_pem((char *)p->ca.data, p->ca.size / 2, &id, NULL),
			 -EBADMSG);
	assert_int_equal(cert_fingerprint_pem("junk", 4, &d, NULL), -EBADMSG);
	assert_int_equal(cert_fingerprint_pem((char *)p->ca.data, 1u << 20, &d, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_wrong_requests),
		cmocka_unit_test(test_wrong_identities),
		cmocka_unit_test(test_csr),
		cmocka_unit_test(test_csr_stolen),
		cmocka_unit_test(test_csr_plain),
		cmocka_unit_test(test_not_pem),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
