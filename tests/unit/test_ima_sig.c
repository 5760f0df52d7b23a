/* SPDX-License-Identifier: Apache-2.0 */
/* test_ima_sig.c: signatures in IMA's list: good, false, of strangers; files of keys; and that what was checked once is not checked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ima_maker.h"
#include "ima_sig.h"
#include "ima_signer.h"
#include "scratch.h"

struct place {
	char dir[SCRATCH_SIZE];
	struct ima_signer rsa, ec, stranger;
	struct ima_sig *keys, *certs;
};

static void put_file(struct place *p, const char *name, const struct buf *text, char ret[256])
{
	snprintf(ret, 256, "%s/%s", p->dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), ret, text->data, text->size, 0600), 0);
}

static void open_keys(struct place *p, bool cert, const char *name, struct ima_sig **ret)
{
	struct buf text = {0};
	struct why why = {""};
	char path[256];
	const char *paths[] = {path};

	buf_puts(&text, "a line before it\n");
	ima_signer_pem(&p->rsa, cert, &text);
	ima_signer_pem(&p->ec, cert, &text);
	put_file(p, name, &text, path);
	if (ima_sig_open(fsio_system(), paths, 1, ret, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(ima_sig_n_keys(*ret), 2);
	buf_done(&text);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	scratch_open(p->dir, "ima_sig");
	ima_signer_open(&p->rsa, "RSA");
	ima_signer_open(&p->ec, "P-256");
	ima_signer_open(&p->stranger, "P-256");
	open_keys(p, false, "keys", &p->keys);
	open_keys(p, true, "certs", &p->certs);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ima_sig_free(p->keys);
	ima_sig_free(p->certs);
	ima_signer_done(&p->rsa);
	ima_signer_done(&p->ec);
	ima_signer_done(&p->stranger);
	scratch_done(p->dir);
	free(p);
	return 0;
}

static void digest_of(uint8_t n, struct digest *ret)
{
	memset(ret->bytes, n, DIGEST_SIZE);
}

/* By a number of its own for each call: nothing that was kept answers. */
static enum ima_sig_verdict judge(struct ima_sig *s, const struct imalog_entry *e)
{
	static uint64_t serial;
	enum ima_sig_verdict v = IMA_SIG_NONE;
	struct digest d;

	serial++;
	assert_int_equal(digest_sha256(&serial, sizeof(serial), &d), 0);
	assert_int_equal(ima_sig_check(s, e, &d, &v), 0);
	return v;
}

static struct imalog_entry entry_of(const struct digest *d, const struct buf *sig)
{
	struct imalog_entry e = {.signature = {sig->data, sig->size}};

	snprintf(e.file.algorithm, sizeof(e.file.algorithm), "sha256");
	e.file.bytes = (struct buf_view){d->bytes, DIGEST_SIZE};
	return e;
}

static void files_are_judged(void **state)
{
	struct place *p = *state;
	const struct ima_signer *signers[] = {&p->rsa, &p->ec};
	struct digest d, other;

	digest_of(7, &d);
	digest_of(8, &other);
	for (int i = 0; i < 2; i++) {
		for (uint8_t version = 2; version <= 3; version++) {
			struct buf sig = {0};
			struct imalog_entry e;

			ima_signer_xattr(signers[i], 3, version, &d, &sig);
			e = entry_of(&d, &sig);
			assert_int_equal(judge(p->keys, &e), IMA_SIG_GOOD);
			assert_int_equal(judge(p->certs, &e), IMA_SIG_GOOD);
			/* Of another file. */
			e = entry_of(&other, &sig);
			assert_int_equal(judge(p->keys, &e), IMA_SIG_BAD);
			/* Of the same, by another hash. */
			e = entry_of(&d, &sig);
			snprintf(e.file.algorithm, sizeof(e.file.algorithm), "sm3-256");
			assert_int_equal(judge(p->keys, &e), IMA_SIG_BAD);
			/* Any bit of it: the key's name makes a stranger of it. */
			for (size_t at = 0; at < sig.size; at++) {
				enum ima_sig_verdict want =
					at >= 3 && at < 7 ? IMA_SIG_STRANGER : IMA_SIG_BAD;

				sig.data[at] ^= 1;
				e = entry_of(&d, &sig);
				/* EVM's kind, over what is not in the list. */
				if (sig.data[0] != 5)
					assert_int_equal(judge(p->keys, &e), want);
				sig.data[at] ^= 1;
			}
			for (size_t size = 1; size < sig.size; size++) {
				struct buf cut = {.data = sig.data, .size = size};

				e = entry_of(&d, &cut);
				assert_int_equal(judge(p->keys, &e), IMA_SIG_BAD);
			}
			buf_done(&sig);
		}
	}
}

static void verity(void **state)
{
	struct place *p = *state;
	struct buf sig = {0}, old = {0};
	struct imalog_entry e;
	struct digest d;

	digest_of(7, &d);
	ima_signer_xattr(&p->rsa, 6, 3, &d, &sig);
	e = entry_of(&d, &sig);
	assert_int_equal(judge(p->keys, &e), IMA_SIG_BAD);
	e.verity = true;
	assert_int_equal(judge(p->keys, &e), IMA_SIG_GOOD);
	/* One of the file is none of the fs-verity digest, though the bytes be the same. */
	ima_signer_xattr(&p->rsa, 3, 3, &d, &old);
	e = entry_of(&d, &old);
	e.verity = true;
	assert_int_equal(judge(p->keys, &e), IMA_SIG_BAD);
	buf_done(&sig);
	buf_done(&old);
}

static void strangers(void **state)
{
	struct place *p = *state;
	struct buf sig = {0}, list = {0};
	struct imalog_entry e;
	struct buf_reader r;
	struct digest d;
	struct why why;
	uint32_t n = 0, signed_by_strangers = 0;

	digest_of(7, &d);
	ima_signer_xattr(&p->stranger, 3, 2, &d, &sig);
	e = entry_of(&d, &sig);
	assert_int_equal(judge(p->keys, &e), IMA_SIG_STRANGER);
	e.signature.size = 0;
	assert_int_equal(judge(p->keys, &e), IMA_SIG_NONE);
	/* Fedora's, on a real machine: two of a file and one of a kernel. */
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/ima/ibmtss_imatest.log", 1 << 20, &list),
		0);
	r = buf_reader_of(list.data, list.size);
	for (; imalog_next(&r, 20, &e, &why) > 0; n++) {
		enum ima_sig_verdict v = judge(p->keys, &e);

		assert_true(v == IMA_SIG_NONE || v == IMA_SIG_STRANGER);
		signed_by_strangers += v == IMA_SIG_STRANGER;
	}
	assert_int_equal(n, 17);
	assert_int_equal(signed_by_strangers, 3);
	buf_done(&sig);
	buf_done(&list);
}

static struct imalog_entry appended(const struct digest *d, const struct buf *pkcs7)
{
	struct imalog_entry e = {.modsig = {pkcs7->data, pkcs7->size}};

	snprintf(e.unsigned_file.algorithm, sizeof(e.unsigned_file.algorithm), "sha256");
	e.unsigned_file.bytes = (struct buf_view){d->bytes, DIGEST_SIZE};
	return e;
}

static void appended_ones(void **state)
{
	static const char file[] = "a module, or a kernel";
	struct place *p = *state;
	const struct ima_signer *signers[] = {&p->rsa, &p->ec};
	struct digest d, other;

	digest_of(8, &other);
	assert_int_equal(digest_sha256(file, sizeof(file), &d), 0);
	for (int i = 0; i < 4; i++) {
		struct buf sig = {0};
		struct imalog_entry e;
		uint32_t good = 0;

		ima_signer_pkcs7(signers[i % 2], i / 2, file, sizeof(file), &sig);
		e = appended(&d, &sig);
		assert_int_equal(judge(p->keys, &e), IMA_SIG_GOOD);
		assert_int_equal(judge(p->certs, &e), IMA_SIG_GOOD);
		e = appended(&other, &sig);
		assert_int_equal(judge(p->certs, &e), IMA_SIG_BAD);
		assert_true(judge(p->keys, &e) != IMA_SIG_GOOD);
		e = appended(&d, &sig);
		e.unsigned_file.bytes.size = 0;
		assert_int_equal(judge(p->certs, &e), IMA_SIG_BAD);
		/* The attribute of the file beside it does not matter when this one is good. */
		e = appended(&d, &sig);
		e.signature = (struct buf_view){(const uint8_t *)"\3\2\4", 3};
		assert_int_equal(judge(p->certs, &e), IMA_SIG_GOOD);
		/* Bits that turn leave none good, but for those that say nothing (versions, parameters). */
		for (size_t at = 0; at < sig.size; at++) {
			sig.data[at] ^= 1;
			e = appended(&d, &sig);
			good += judge(p->certs, &e) == IMA_SIG_GOOD;
			sig.data[at] ^= 1;
		}
		assert_true(good < 40);
		for (size_t size = 1; size < sig.size; size++) {
			struct buf cut = {.data = sig.data, .size = size};

			e = appended(&d, &cut);
			assert_int_equal(judge(p->certs, &e), IMA_SIG_BAD);
		}
		buf_clear(&sig);
		ima_signer_pkcs7(&p->stranger, i / 2, file, sizeof(file), &sig);
		e = appended(&d, &sig);
		assert_int_equal(judge(p->keys, &e), IMA_SIG_STRANGER);
		buf_done(&sig);
	}
}

/* The same data again is not looked at again, and room for it is made where its set is full. */
static void kept(void **state)
{
	struct place *p = *state;
	struct buf sig = {0};
	struct imalog_entry good, bad;
	enum ima_sig_verdict v;
	struct digest d, other, key;

	digest_of(7, &d);
	digest_of(8, &other);
	ima_signer_xattr(&p->rsa, 3, 2, &d, &sig);
	good = entry_of(&d, &sig);
	bad = entry_of(&other, &sig);
	digest_of(1, &key);
	assert_int_equal(ima_sig_check(p->keys, &good, &key, &v), 0);
	assert_int_equal(v, IMA_SIG_GOOD);
	/* Whoever has the same data has the same digest and signature; a test may lie. */
	assert_int_equal(ima_sig_check(p->keys, &bad, &key, &v), 0);
	assert_int_equal(v, IMA_SIG_GOOD);
	for (uint8_t i = 0; i < 5; i++) {
		key.bytes[31] = (uint8_t)(i + 10);
		assert_int_equal(ima_sig_check(p->keys, &bad, &key, &v), 0);
		assert_int_equal(v, IMA_SIG_BAD);
	}
	digest_of(1, &key);
	assert_int_equal(ima_sig_check(p->keys, &bad, &key, &v), 0);
	assert_int_equal(v, IMA_SIG_BAD);
	buf_done(&sig);
}

static void wrong_files(void **state)
{
	static const struct {
		const char *text, *why;
	} all[] = {
		{"", "no certificate and no public key in it"},
		{"nothing\n", "no certificate and no public key in it"},
		{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		 "cannot be read"},
		{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		 "neither certificate nor public key"},
		{"-----BEGIN PUBLIC KEY-----\n"
		 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
		 "-----END PUBLIC KEY-----\n",
		 "neither RSA nor EC"},
		{"0\202", "cannot be read"},
	};
	struct place *p = *state;
	struct ima_sig *s = NULL;
	const char *absent[] = {"/nonexistent/key"};
	struct why why = {""};
	struct buf many = {0};
	char path[256];
	const char *paths[] = {path};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct buf text = {0};

		buf_puts(&text, all[i].text);
		put_file(p, "wrong", &text, path);
		assert_int_equal(ima_sig_open(fsio_system(), paths, 1, &s, &why), -EINVAL);
		if (!strstr(why.text, all[i].why))
			fail_msg("%s: %s", all[i].text, why.text);
		buf_done(&text);
	}
	assert_int_equal(ima_sig_open(fsio_system(), absent, 1, &s, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/key"));
	for (uint32_t i = 0; i <= IMA_SIG_MAX_KEYS; i++)
		ima_signer_pem(&p->ec, false, &many);
	put_file(p, "many", &many, path);
	assert_int_equal(ima_sig_open(fsio_system(), paths, 1, &s, &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 64 keys"));
	buf_done(&many);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_judged), TEST(verity), TEST(strangers),
		TEST(appended_ones),	TEST(kept),   TEST(wrong_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
