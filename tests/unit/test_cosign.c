/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of images in both of cosign's forms, made by openssl's own program, and their twins that must not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cosign.h"
#include "dsse.h"
#include "fsio.h"
#include "jsonl.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define IMAGE "sha256:" A
#define OTHER "sha256:" B
#define KIND "cosign container image signature"
#define PAYLOAD(image, kind)                                                             \
	"{\"critical\":{\"identity\":{\"docker-reference\":\"r.example/a\"},\"image\":{" \
	"\"docker-manifest-digest\":\"" image "\"},\"type\":\"" kind "\"},\"optional\":null}"
#define STATEMENT(hex, predicate)                                                              \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":" \
	"\"" hex "\"},\"annotations\":{}}],\"predicateType\":\"" predicate "\",\"predicate\":{}}"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define TYPE "application/vnd.in-toto+json"

static char dir[] = "/tmp/test-cosign-XXXXXX";

struct keys {
	struct sign_key *all[4]; /* P-256, RSA, Ed25519, and one that signs nothing */
};

static void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *format, ...)
{
	char command[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_in_range(n, 1, sizeof(command) - 1);
	assert_int_equal(system(command), 0);
}

static struct sign_key *public_key(const char *name)
{
	struct buf pem = {0};
	struct sign_key *k = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.pub", dir, name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &k, NULL), 0);
	buf_done(&pem);
	return k;
}

static int setup(void **state)
{
	static struct keys k;
	static const char *const names[] = {"p256", "rsa", "ed"};

	assert_non_null(mkdtemp(dir));
	sh("cd %s && { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256 && "
	   "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa && "
	   "openssl genpkey -algorithm ED25519 -out ed; } 2>/dev/null",
	   dir);
	for (int i = 0; i < 3; i++) {
		sh("cd %s && openssl pkey -in %s -pubout -out %s.pub", dir, names[i], names[i]);
		k.all[i] = public_key(names[i]);
	}
	assert_int_equal(sign_key_generate(SIGN_P256, &k.all[3]), 0);
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	struct keys *k = *state;

	for (int i = 0; i < 4; i++)
		sign_key_free(k->all[i]);
	sh("rm -rf %s", dir);
	return 0;
}

/* By the program, as cosign's own output can be checked with it. */
static void sign(const char *key, const void *data, size_t size, struct buf *ret)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/in", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	if (strcmp(key, "ed") == 0)
		sh("cd %s && openssl pkeyutl -sign -rawin -inkey ed -in in -out sig", dir);
	else
		sh("cd %s && openssl dgst -sha256 -sign %s -out sig in", dir, key);
	snprintf(path, sizeof(path), "%s/sig", dir);
	assert_int_equal(fsio_read_file(fsio_system(), path, 4096, ret), 0);
}

static void item_of(const char *key, const char *payload, struct cosign_item *ret)
{
	struct buf sig = {0};

	memset(ret, 0, sizeof(*ret));
	sign(key, payload, strlen(payload), &sig);
	memcpy(ret->sig, sig.data, sig.size);
	ret->sig_size = (uint32_t)sig.size;
	buf_done(&sig);
}

static int check(const struct keys *k, const char *payload, const struct cosign_item *item,
		 uint32_t *ret_key)
{
	struct why why = {""};
	uint32_t key = 99;
	int r = cosign_check_payload(payload, strlen(payload), item, IMAGE,
				     (const struct sign_key *const *)k->all, 4, &key, &why);

	assert_true(r == 0 || (key == 99 && why.text[0]));
	*ret_key = key;
	return r;
}

static void test_payload(void **state)
{
	static const char good[] = PAYLOAD(IMAGE, KIND), other[] = PAYLOAD(OTHER, KIND),
			  kind[] = PAYLOAD(IMAGE, "cosign something else");
	static const char *const names[] = {"p256", "rsa", "ed"};
	const struct keys *k = *state;
	struct cosign_item item, copy;
	struct why why = {""};
	uint32_t key;

	for (uint32_t i = 0; i < 3; i++) {
		item_of(names[i], good, &item);
		assert_int_equal(check(k, good, &item, &key), 0);
		assert_int_equal(key, i);
		/* Another image's signature, put beside this one. */
		assert_int_equal(check(k, other, &item, &key), -EKEYREJECTED);
		/* The key that made it is not among those that are known. */
		assert_int_equal(cosign_check_payload(good, strlen(good), &item, IMAGE,
						      (const struct sign_key *const *)k->all + 3, 1,
						      &key, &why),
				 -EKEYREJECTED);
		for (uint32_t at = 0; at < item.sig_size; at += 7) {
			copy = item;
			copy.sig[at] ^= 1;
			assert_int_equal(check(k, good, &copy, &key), -EKEYREJECTED);
		}
		copy = item;
		copy.sig_size = 0;
		assert_int_equal(check(k, good, &copy, &key), -EKEYREJECTED);
	}
	item_of("p256", other, &item);
	assert_int_equal(check(k, other, &item, &key), -EKEYREJECTED);
	item_of("p256", kind, &item);
	assert_int_equal(check(k, kind, &item, &key), -EKEYREJECTED);
	item_of("p256", "[]", &item);
	assert_int_equal(check(k, "[]", &item, &key), -EBADMSG);
	item_of("p256", "{\"critical\":7}", &item);
	assert_int_equal(check(k, "{\"critical\":7}", &item, &key), -EKEYREJECTED);
}

static void test_no_keys(void **state)
{
	static const char good[] = PAYLOAD(IMAGE, KIND);
	struct cosign_item item;
	struct why why = {""};
	uint32_t key;

	(void)state;
	item_of("p256", good, &item);
	assert_int_equal(
		cosign_check_payload(good, strlen(good), &item, IMAGE, NULL, 0, &key, &why),
		-EKEYREJECTED);
	assert_int_equal(
		cosign_check_payload(good, strlen(good), &item, "sha256:1", NULL, 0, &key, &why),
		-EINVAL);
}

/* A bundle over a statement, its signature made over DSSE's encoding. */
static void bundle_of(const char *key, const char *statement, const char *payload_type,
		      struct buf *ret)
{
	struct buf pae = {0}, sig = {0};
	struct jsonl j;

	buf_clear(ret);
	assert_int_equal(dsse_pae(payload_type, statement, strlen(statement), &pae), 0);
	sign(key, pae.data, pae.size, &sig);
	jsonl_begin(&j, ret);
	jsonl_str(&j, "mediaType", COSIGN_BUNDLE_TYPE);
	jsonl_object(&j, "verificationMaterial");
	jsonl_object(&j, "publicKey");
	jsonl_str(&j, "hint", "x");
	jsonl_close(&j);
	jsonl_array(&j, "tlogEntries");
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_object(&j, "dsseEnvelope");
	jsonl_base64(&j, "payload", statement, strlen(statement));
	jsonl_str(&j, "payloadType", payload_type);
	jsonl_array(&j, "signatures");
	jsonl_object(&j, NULL);
	jsonl_base64(&j, "sig", sig.data, sig.size);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_end(&j);
	assert_int_equal(buf_status(ret), 0);
	buf_done(&pae);
	buf_done(&sig);
}

static int check_bundle(const struct keys *k, uint32_t first, const struct buf *b,
			const char *image)
{
	struct why why = {""};
	uint32_t key = 99;
	int r = cosign_check_bundle(b->data, b->size, image,
				    (const struct sign_key *const *)k->all + first, 4 - first, &key,
				    &why);

	assert_true(r == 0 ? key == 0 : key == 99);
	return r;
}

static void test_bundle(void **state)
{
	static const char *const names[] = {"p256", "rsa", "ed"};
	const struct keys *k = *state;
	struct buf b = {0};
	char *at;

	for (uint32_t i = 0; i < 3; i++) {
		bundle_of(names[i], STATEMENT(A, SIGN), TYPE, &b);
		assert_int_equal(check_bundle(k, i, &b, IMAGE), 0);
		assert_int_equal(check_bundle(k, i + 1, &b, IMAGE), -EKEYREJECTED);
		assert_int_equal(check_bundle(k, i, &b, OTHER), -EKEYREJECTED);
		for (size_t cut = 1; cut < b.size; cut += 61) {
			struct buf part = {.data = b.data, .size = b.size - cut};

			assert_int_equal(check_bundle(k, i, &part, IMAGE), -EBADMSG);
		}
	}
	/* The same key's word on what is in the image is no approval of it. */
	bundle_of("p256", STATEMENT(A, "https://cyclonedx.org/bom"), TYPE, &b);
	assert_int_equal(check_bundle(k, 0, &b, IMAGE), -EKEYREJECTED);
	bundle_of("p256", STATEMENT(A, SIGN), "text/plain", &b);
	assert_int_equal(check_bundle(k, 0, &b, IMAGE), -EBADMSG);
	bundle_of("p256", "{\"_type\":\"x\",\"subject\":[]}", TYPE, &b);
	assert_int_equal(check_bundle(k, 0, &b, IMAGE), -EBADMSG);
	bundle_of("p256", STATEMENT(A, SIGN), TYPE, &b);
	at = memmem(b.data, b.size, "v0.3", 4);
	assert_non_null(at);
	at[3] = '4';
	assert_int_equal(check_bundle(k, 0, &b, IMAGE), -EBADMSG);
	buf_done(&b);
}

#define LAYER(type, digest, sig)                                                             \
	"{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":9,\"annotations\":{" \
	"\"dev.cosignproject.cosign/signature\":\"" sig "\"}}"
#define SIMPLE "application/vnd.dev.cosign.simplesigning.v1+json"

static int of_tag(const char *text, struct cosign_list *l)
{
	struct why why = {""};

	memset(l, 0, sizeof(*l));
	return cosign_of_tag(text, strlen(text), l, &why);
}

static void test_tag(void **state)
{
	struct cosign_list *l = malloc(sizeof(*l));
	char tag[COSIGN_TAG_SIZE];
	struct buf many = {0};

	(void)state;
	assert_int_equal(cosign_tag(IMAGE, ".sig", tag), 0);
	assert_string_equal(tag, "sha256-" A ".sig");
	assert_int_equal(cosign_tag("sha256:../x", ".sig", tag), -EINVAL);
	assert_int_equal(of_tag("{\"layers\":[" LAYER("text/plain", OTHER,
						      "") "," LAYER(SIMPLE, IMAGE, "AQID") "]}",
				l),
			 0);
	assert_int_equal(l->n, 1);
	assert_string_equal(l->items[0].digest, IMAGE);
	assert_int_equal(l->items[0].sig_size, 3);
	assert_memory_equal(l->items[0].sig, "\1\2\3", 3);
	assert_int_equal(of_tag("{\"layers\":[]}", l), 0);
	assert_int_equal(l->n, 0);
	assert_int_equal(of_tag("{\"layers\":[" LAYER(SIMPLE, "sha256:x", "AQID") "]}", l),
			 -EBADMSG);
	assert_int_equal(of_tag("{\"layers\":[" LAYER(SIMPLE, IMAGE, "A!") "]}", l), -EBADMSG);
	assert_int_equal(of_tag("{\"layers\":[" LAYER(SIMPLE, IMAGE, "") "]}", l), -EBADMSG);
	assert_int_equal(of_tag("{\"layers\":[7]}", l), -EBADMSG);
	assert_int_equal(of_tag("{}", l), -EBADMSG);
	buf_puts(&many, "{\"layers\":[");
	for (uint32_t i = 0; i <= COSIGN_MAX_ITEMS; i++)
		buf_printf(&many, "%s%s", i ? "," : "", LAYER(SIMPLE, IMAGE, "AQID"));
	buf_puts(&many, "]}");
	assert_int_equal(buf_status(&many), 0);
	assert_int_equal(of_tag((char *)many.data, l), -E2BIG);
	buf_done(&many);
	free(l);
}

#define REFERRER(digest, type, rest)                                                         \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" digest \
	"\",\"size\":9,\"artifactType\":\"" type "\"" rest "}"

static void test_referrers(void **state)
{
	static const char index[] =
		"{\"manifests\":[" REFERRER(OTHER, "application/spdx+json", "") "," REFERRER(
			OTHER, COSIGN_BUNDLE_TYPE,
			",\"annotations\":{\"dev.sigstore.bundle.predicateType\":\"https://"
			"slsa.dev/x\"}") "," REFERRER(IMAGE, COSIGN_BUNDLE_TYPE, "") "]}";
	static const char manifest[] = "{\"layers\":[{\"mediaType\":\"" COSIGN_BUNDLE_TYPE
				       "\",\"digest\":\"" OTHER "\",\"size\":9}]}";
	struct cosign_list *l = calloc(1, sizeof(*l));
	struct why why = {""};

	(void)state;
	assert_int_equal(cosign_of_referrers(index, strlen(index), l, &why), 0);
	assert_int_equal(l->n, 1);
	assert_string_equal(l->items[0].digest, IMAGE);
	assert_int_equal(l->items[0].sig_size, 0);
	assert_int_equal(cosign_of_bundle_manifest(manifest, strlen(manifest), l, &why), 0);
	assert_int_equal(l->n, 2);
	assert_string_equal(l->items[1].digest, OTHER);
	assert_int_equal(cosign_of_referrers(manifest, strlen(manifest), l, &why), -EBADMSG);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),	  cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_bundle),	  cmocka_unit_test(test_tag),
		cmocka_unit_test(test_referrers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
