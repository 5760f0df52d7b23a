/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates of three makers, those that only look like one, and minted ones that break one rule each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ekcert.h"

#define DATA "tests/data/ekcert/"
#define VENDORS "deploy/tpm-vendors" /* as they are shipped */
#define GOOGLE VENDORS "/clouds/google.pem"
#define NOW 1735689600u /* 2025-01-01 */

static struct ekcert_anchors *vendors, *google;
static struct why why;
static struct ekcert_info info;

static struct ekcert_anchors *open_anchors(const char *first, const char *second,
					   const char *emulated)
{
	const char *files[] = {first, second};
	struct ekcert_anchors *a = NULL;
	uint32_t n = second ? 2 : first ? 1 : 0;

	if (ekcert_anchors_open(fsio_system(), files, n, emulated, &a, &why) < 0)
		print_error("%s\n", why.text);
	return a;
}

static int setup(void **state)
{
	(void)state;
	vendors = open_anchors(VENDORS, NULL, NULL);
	google = open_anchors(GOOGLE, NULL, NULL);
	return vendors && google ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ekcert_anchors_free(vendors);
	ekcert_anchors_free(google);
	return 0;
}

/* DER of a file in DER or PEM. */
static struct buf load(const char *path)
{
	struct buf b = {0};
	unsigned char *der = NULL;
	X509 *cert;
	BIO *bio;
	int size;

	assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, &b), 0);
	if (b.data[0] == 0x30)
		return b;
	bio = BIO_new_mem_buf(b.data, (int)b.size);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	size = i2d_X509(cert, &der);
	assert_true(size > 0);
	buf_clear(&b);
	buf_put(&b, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(cert);
	BIO_free(bio);
	return b;
}

static void put_rsa(EVP_PKEY *pkey, struct buf *area)
{
	BIGNUM *n = NULL;
	uint8_t bytes[256];

	assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_bn2binpad(n, bytes, 256), 256);
	BN_free(n);
	buf_put_u16be(area, 2048);
	buf_put_u32be(area, 0);
	buf_put_u16be(area, 256);
	buf_put(area, bytes, 256);
}

static void put_ecc(EVP_PKEY *pkey, struct buf *area)
{
	uint8_t point[65];
	size_t size = 0;

	assert_int_equal(
		EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, 65, &size),
		1);
	buf_put_u16be(area, 3);
	buf_put_u16be(area, 0x10);
	buf_put_u16be(area, 32);
	buf_put(area, point + 1, 32);
	buf_put_u16be(area, 32);
	buf_put(area, point + 33, 32);
}

/* The TPM2B_PUBLIC that a TPM with this key would show. */
static struct buf public_of(EVP_PKEY *pkey)
{
	bool rsa = EVP_PKEY_is_a(pkey, "RSA");
	struct buf area = {0}, all = {0};

	buf_put_u16be(&area, rsa ? 0x0001 : 0x0023);
	buf_put_u16be(&area, 0x000b);
	buf_put_u32be(&area, 0x000300b2);
	buf_put_u16be(&area, 0);
	buf_put_u16be(&area, 0x0006);
	buf_put_u16be(&area, 128);
	buf_put_u16be(&area, 0x0043);
	buf_put_u16be(&area, 0x0010);
	if (rsa)
		put_rsa(pkey, &area);
	else
		put_ecc(pkey, &area);
	buf_put_u16be(&all, (uint16_t)area.size);
	buf_put(&all, area.data, area.size);
	buf_done(&area);
	return all;
}

static struct buf public_in(const struct buf *der)
{
	const unsigned char *p = der->data;
	X509 *cert = d2i_X509(NULL, &p, (long)der->size);
	struct buf public;

	assert_non_null(cert);
	public = public_of(X509_get0_pubkey(cert));
	X509_free(cert);
	return public;
}

static int check(const struct ekcert_anchors *a, const struct buf *der, uint64_t now)
{
	struct buf public = public_in(der);
	int r;

	why.text[0] = 0;
	r = ekcert_check(a, der->data, der->size, public.data, public.size, now, &info, &why);
	buf_done(&public);
	return r;
}

static void refused(const struct ekcert_anchors *a, const char *path, uint64_t now,
		    const char *text)
{
	struct buf der = load(path);

	memset(&info, 0xa5, sizeof(info));
	assert_int_equal(check(a, &der, now), -EKEYREJECTED);
	assert_int_equal((uint8_t)info.manufacturer[0], 0xa5);
	if (!strstr(why.text, text))
		fail_msg("%s: \"%s\" is not in \"%s\"", path, text, why.text);
	buf_done(&der);
}

static void accepted(const struct ekcert_anchors *a, const char *path, const char *maker,
		     const char *model, const char *version)
{
	struct buf der = load(path);
	struct digest d;

	if (check(a, &der, NOW) != 0)
		fail_msg("%s: %s", path, why.text);
	assert_string_equal(info.manufacturer, maker);
	assert_string_equal(info.model, model);
	assert_string_equal(info.version, version);
	assert_int_equal(digest_sha256(der.data, der.size, &d), 0);
	assert_true(digest_equal(&d, &info.fingerprint));
	buf_done(&der);
}

static void test_good(void **state)
{
	(void)state;
	accepted(vendors, DATA "infineon_rsa2048.der", "id:49465800", "SLB 9670 TPM2.0", "id:073f");
	assert_false(info.emulated);
	accepted(vendors, DATA "stm_ecc.der", "id:53544D20", "ST33HTPHAHB4", "id:00490004");
	accepted(google, DATA "google_vtpm_rsa_ek.pem", "id:474F4F47", "vTPM", "id:20160511");
}

static void test_no_ek(void **state)
{
	(void)state;
	refused(vendors, DATA "nuvoton_root_as_leaf.der", NOW, "no chain");
	refused(google, DATA "google_vtpm_ecc_ak.pem", NOW, "key usage lacks keyAgreement");
	refused(google, DATA "google_gce_ak_rsa.pem", NOW, "key usage lacks keyEncipherment");
	refused(google, DATA "infineon_rsa2048.der", NOW, "no chain");
	refused(vendors, DATA "google_vtpm_rsa_ek.pem", NOW, "no chain");
}

static void test_time(void **state)
{
	(void)state;
	refused(vendors, DATA "infineon_rsa2048.der", 1500000000, "not yet valid");
	refused(vendors, DATA "infineon_rsa2048.der", 2100000000, "expired");
}

/* A software TPM's CA counts only when somebody has allowed it by name, and then it shows. */
static void test_emulated(void **state)
{
	struct ekcert_anchors *a =
		open_anchors(VENDORS "/roots.pem", VENDORS "/intermediates.pem", GOOGLE);
	struct ekcert_anchors *none = open_anchors(NULL, NULL, NULL);

	(void)state;
	assert_non_null(a);
	accepted(a, DATA "google_vtpm_rsa_ek.pem", "id:474F4F47", "vTPM", "id:20160511");
	assert_true(info.emulated);
	accepted(a, DATA "stm_ecc.der", "id:53544D20", "ST33HTPHAHB4", "id:00490004");
	assert_false(info.emulated);
	refused(a, DATA "google_vtpm_ecc_ak.pem", NOW, "key usage");
	refused(none, DATA "stm_ecc.der", NOW, "no chain");
	ekcert_anchors_free(a);
	ekcert_anchors_free(none);
}

static int raw_check(const struct buf *der, const struct buf *public)
{
	return ekcert_check(vendors, der->data, der->size, public->data, public->size, NOW, &info,
			    &why);
}

static void test_twins(void **state)
{
	struct buf der = load(DATA "stm_ecc.der"), other = load(DATA "infineon_rsa2048.der");
	struct buf public = public_in(&der), strange = public_in(&other);
	struct digest first;
	size_t size = der.size;

	(void)state;
	assert_int_equal(raw_check(&der, &public), 0);
	first = info.fingerprint;
	assert_int_equal(raw_check(&der, &strange), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "another key"));
	for (size_t i = 0; i < size; i++) {
		der.data[i] ^= (uint8_t)(1u << i % 8);
		assert_true(raw_check(&der, &public) < 0);
		der.data[i] ^= (uint8_t)(1u << i % 8);
		der.size = i;
		assert_true(raw_check(&der, &public) < 0);
		der.size = size;
	}
	public.data[public.size - 1] ^= 1;
	assert_int_equal(raw_check(&der, &public), -EKEYREJECTED);
	public.data[public.size - 1] ^= 1;

	/* What fills up an NV index is none of the certificate. */
	for (int i = 0; i < 300; i++)
		buf_put_u8(&der, 0xff);
	assert_int_equal(raw_check(&der, &public), 0);
	assert_true(digest_equal(&first, &info.fingerprint));
	der.data[der.size - 1] = 0;
	assert_int_equal(raw_check(&der, &public), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "followed"));
	buf_cut(&der, size);
	buf_put_u8(&der, 0);
	assert_int_equal(raw_check(&der, &public), 0);
	buf_cut(&der, size);
	buf_put_u8(&der, 0x30);
	assert_int_equal(raw_check(&der, &public), -EKEYREJECTED);
	for (int i = 0; i < 8192; i++)
		buf_put_u8(&der, 0);
	assert_int_equal(raw_check(&der, &public), -EKEYREJECTED);
	buf_done(&der);
	buf_done(&other);
	buf_done(&public);
	buf_done(&strange);
}

/* A root that is among the anchors has the shortest of chains. */
static void test_root_as_leaf(void **state)
{
	struct buf der = load(DATA "nuvoton_root_as_leaf.der");
	char path[] = "/tmp/plumb-ekcert-XXXXXX";
	const unsigned char *p = der.data;
	X509 *cert = d2i_X509(NULL, &p, (long)der.size);
	FILE *f = fdopen(mkstemp(path), "w");
	struct ekcert_anchors *a;

	(void)state;
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	a = open_anchors(path, NULL, NULL);
	assert_non_null(a);
	refused(a, DATA "nuvoton_root_as_leaf.der", NOW, "itself one of the anchors");
	ekcert_anchors_free(a);
	a = open_anchors(NULL, NULL, path);
	refused(a, DATA "nuvoton_root_as_leaf.der", NOW, "itself one of the anchors");
	ekcert_anchors_free(a);
	X509_free(cert);
	buf_done(&der);
	unlink(path);
}

static void add_extension(X509 *cert, CONF *conf, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	e = X509V3_EXT_nconf_nid(conf, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void add_strange(X509 *cert)
{
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.7", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	assert_int_equal(ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05", 2), 1);
	e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
}

struct mint {
	const char *constraints, *usage, *extended, *san;
	const char *refusal; /* NULL: accepted */
	const char *names; /* a CA's name constraints */
	bool strange; /* a critical extension that nobody knows */
	bool weak; /* signed over SHA-1 */
	time_t from, until; /* 0: as usual */
};

/* OpenSSL takes what stands before the first dot for a counter. */
static const char names[] =
	"[full]\n1.2.23.133.2.1=id:4D494E54\n2.2.23.133.2.2=m\n3.2.23.133.2.3=id:1\n"
	"[other]\n1.2.23.133.2.1=id:4F544852\n"
	"[ours]\n1.2.23.133.2.1=id:4D494E54\n"
	"[no_model]\n1.2.23.133.2.1=id:4D494E54\n3.2.23.133.2.3=id:1\n"
	"[long]\n1.2.23.133.2.1=id:4D494E54\n2.2.23.133.2.2="
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	"3.2.23.133.2.3=id:1\n";

static X509 *mint(EVP_PKEY *key, const char *subject, EVP_PKEY *by, const char *issuer,
		  const struct mint *m)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_NAME_new(), *from = X509_NAME_new();
	CONF *conf = NCONF_new(NULL);
	BIO *bio = BIO_new_mem_buf(names, -1);
	long line;

	assert_int_equal(NCONF_load_bio(conf, bio, &line), 1);
	if (subject[0])
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)subject, -1,
					   -1, 0);
	X509_NAME_add_entry_by_txt(from, "CN", MBSTRING_ASC, (const uint8_t *)issuer, -1, -1, 0);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, from);
	ASN1_TIME_set(X509_getm_notBefore(cert), m->from ? m->from : 1600000000);
	ASN1_TIME_set(X509_getm_notAfter(cert), m->until ? m->until : 2000000000);
	X509_set_pubkey(cert, key);
	add_extension(cert, conf, NID_basic_constraints, m->constraints);
	add_extension(cert, conf, NID_key_usage, m->usage);
	add_extension(cert, conf, NID_ext_key_usage, m->extended);
	add_extension(cert, conf, NID_subject_alt_name, m->san);
	add_extension(cert, conf, NID_name_constraints, m->names);
	if (m->strange)
		add_strange(cert);
	assert_true(X509_sign(cert, by, m->weak ? EVP_sha1() : EVP_sha256()) > 0);
	X509_NAME_free(name);
	X509_NAME_free(from);
	NCONF_free(conf);
	BIO_free(bio);
	return cert;
}

static const struct mint minted[] = {
	{"critical,CA:FALSE", "critical,keyAgreement", "2.23.133.8.1", "dirName:full",
	 .refusal = NULL},
	/* Some old ones have no extended key usage. */
	{"critical,CA:FALSE", "critical,keyAgreement", NULL, "critical,dirName:full",
	 .refusal = NULL},
	{NULL, "critical,keyAgreement", "2.23.133.8.1,serverAuth", "dirName:full", .refusal = NULL},
	{"critical,CA:FALSE", "critical,keyAgreement", "serverAuth", "dirName:full",
	 .refusal = "extended"},
	{"critical,CA:FALSE", NULL, "2.23.133.8.1", "dirName:full", .refusal = "has no key usage"},
	{"critical,CA:FALSE", "keyEncipherment", "2.23.133.8.1", "dirName:full",
	 .refusal = "keyAgreement"},
	{"critical,CA:FALSE", "keyAgreement,digitalSignature", "2.23.133.8.1", "dirName:full",
	 .refusal = "may sign"},
	{"critical,CA:TRUE", "keyAgreement", "2.23.133.8.1", "dirName:full",
	 .refusal = "is a CA's"},
	{"critical,CA:FALSE", "keyAgreement", "2.23.133.8.1", NULL, .refusal = "does not name"},
	{"critical,CA:FALSE", "keyAgreement", "2.23.133.8.1", "DNS:example.org",
	 .refusal = "does not name"},
	{"critical,CA:FALSE", "keyAgreement", "2.23.133.8.1", "dirName:no_model",
	 .refusal = "does not name"},
	{"critical,CA:FALSE", "keyAgreement", "2.23.133.8.1", "dirName:long",
	 .refusal = "does not name"},
};

static void test_rules(void **state)
{
	static const struct mint ca = {"critical,CA:TRUE", "critical,keyCertSign", NULL, NULL,
				       .refusal = NULL};
	char path[] = "/tmp/plumb-ekcert-XXXXXX";
	EVP_PKEY *ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *ek = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *root = mint(ca_key, "maker", ca_key, "maker", &ca), *leaf;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct buf public = public_of(ek);
	struct ekcert_anchors *a;
	unsigned char *der;
	int size, r;

	(void)state;
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, root), 1);
	fclose(f);
	a = open_anchors(path, NULL, NULL);
	assert_non_null(a);
	for (size_t i = 0; i < sizeof(minted) / sizeof(minted[0]); i++) {
		leaf = mint(ek, "ek", ca_key, "maker", &minted[i]);
		der = NULL;
		size = i2d_X509(leaf, &der);
		why.text[0] = 0;
		r = ekcert_check(a, der, (size_t)size, public.data, public.size, NOW, &info, &why);
		if (r != (minted[i].refusal ? -EKEYREJECTED : 0) ||
		    (minted[i].refusal && !strstr(why.text, minted[i].refusal)))
			fail_msg("case %zu: %d, %s", i, r, why.text);
		OPENSSL_free(der);
		X509_free(leaf);
	}
	ekcert_anchors_free(a);
	buf_done(&public);
	X509_free(root);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(ek);
	unlink(path);
}

/* A CA as `ca` says, whose certificate lies in a file. */
static struct ekcert_anchors *maker_of(EVP_PKEY *key, const struct mint *ca)
{
	char path[] = "/tmp/plumb-ekcert-XXXXXX";
	X509 *root = mint(key, "maker", key, "maker", ca);
	FILE *f = fdopen(mkstemp(path), "w");
	struct ekcert_anchors *a;

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, root), 1);
	fclose(f);
	a = open_anchors(path, NULL, NULL);
	assert_non_null(a);
	X509_free(root);
	unlink(path);
	return a;
}

static int check_minted(const struct ekcert_anchors *a, EVP_PKEY *ek, EVP_PKEY *by,
			const struct mint *m)
{
	struct buf public = public_of(ek);
	X509 *leaf = mint(ek, "", by, "maker", m);
	unsigned char *der = NULL;
	int size = i2d_X509(leaf, &der), r;

	why.text[0] = 0;
	r = ekcert_check(a, der, (size_t)size, public.data, public.size, NOW, &info, &why);
	OPENSSL_free(der);
	X509_free(leaf);
	buf_done(&public);
	return r;
}

#define LEAF "critical,CA:FALSE", "critical,keyAgreement", "2.23.133.8.1", "dirName:full"
#define CA "critical,CA:TRUE", "critical,keyCertSign", NULL, NULL

/* What the chain says beyond signatures: extensions that must be known, names that a CA may vouch for, digests that hold. */
static void test_chain_rules(void **state)
{
	static const struct {
		struct mint ca, leaf;
		const char *refusal;
	} cases[] = {
		{{CA, .refusal = NULL}, {LEAF, .refusal = NULL}, NULL},
		{{CA, .refusal = NULL}, {LEAF, .strange = true}, "unhandled critical extension"},
		{{CA, .refusal = NULL}, {LEAF, .weak = true}, "too weak"},
		{{CA, .names = "critical,permitted;dirName:ours"}, {LEAF, .refusal = NULL}, NULL},
		{{CA, .names = "critical,permitted;dirName:other"},
		 {LEAF, .refusal = NULL},
		 "permitted subtree"},
		{{CA, .names = "critical,excluded;dirName:ours"},
		 {LEAF, .refusal = NULL},
		 "excluded subtree"},
	};
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *ek = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ekcert_anchors *a = maker_of(key, &cases[i].ca);
		int r = check_minted(a, ek, key, &cases[i].leaf);

		if (r != (cases[i].refusal ? -EKEYREJECTED : 0) ||
		    (cases[i].refusal && !strstr(why.text, cases[i].refusal)))
			fail_msg("case %zu: %d, %s", i, r, why.text);
		ekcert_anchors_free(a);
	}
	EVP_PKEY_free(key);
	EVP_PKEY_free(ek);
}

/* Over: refused, unless somebody says that it does not matter; what never was good then is refused all the same. */
static void test_expired(void **state)
{
	static const struct mint ca = {CA, .refusal = NULL}, ended_ca = {CA, .until = 1650000000},
				 late_ca = {CA, .from = 1660000000, .until = 1700000000};
	static const struct mint good = {LEAF, .refusal = NULL}, over = {LEAF, .until = 1700000000},
				 future = {LEAF, .from = 1900000000},
				 ever = {LEAF, .until = 253402300799};
	static const struct {
		const struct mint *ca, *leaf;
		bool good, allowed;
		const char *refusal;
	} cases[] = {
		{&ca, &good, true, true, NULL},
		{&ca, &over, false, true, "expired"},
		{&ended_ca, &good, false, true, "expired"},
		{&late_ca, &good, false, false, "expired"},
		{&ca, &future, false, false, "not yet valid"},
		{&ca, &ever, true, true, NULL},
	};
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *ek = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ekcert_anchors *a = maker_of(key, cases[i].ca);

		if ((check_minted(a, ek, key, cases[i].leaf) == 0) != cases[i].good ||
		    (cases[i].good && info.expired) ||
		    (!cases[i].good && !strstr(why.text, cases[i].refusal)))
			fail_msg("case %zu: %s", i, why.text);
		ekcert_anchors_allow_expired(a, true);
		if ((check_minted(a, ek, key, cases[i].leaf) == 0) != cases[i].allowed ||
		    (cases[i].allowed && info.expired == cases[i].good))
			fail_msg("case %zu, allowed: %s", i, why.text);
		ekcert_anchors_free(a);
	}
	EVP_PKEY_free(key);
	EVP_PKEY_free(ek);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	cmocka_unit_test(test_no_ek),
		cmocka_unit_test(test_time),	cmocka_unit_test(test_emulated),
		cmocka_unit_test(test_twins),	cmocka_unit_test(test_root_as_leaf),
		cmocka_unit_test(test_rules),	cmocka_unit_test(test_chain_rules),
		cmocka_unit_test(test_expired),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
