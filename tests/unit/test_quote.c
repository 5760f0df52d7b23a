/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes that other tools recorded, and their broken twins; the border of the qualifying data, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fake_tpm.h"
#include "fsio.h"
#include "quote.h"

#define P256 "tests/data/quote/p256/"
#define KEYLIME "tests/data/quote/keylime/"
#define RECORDED_MASK ((1u << 0) | (1u << 7) | (1u << 10) | (1u << 15))

struct sample {
	struct buf attest, sig, ak;
	struct digest qualifying;
	struct quote_pcrs pcrs;
};

static struct buf load(const char *path)
{
	struct buf b = {0};

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &b), 0);
	return b;
}

static struct sample recorded(void)
{
	struct sample s = {
		load(P256 "quote.attest"), load(P256 "quote.sig"), load(P256 "ak.pub"), {{0}}, {0}};
	struct buf values = load(P256 "quote.pcrs");
	size_t n = 0;

	for (unsigned int i = 0; i < 32; i++)
		s.qualifying.bytes[i] = (uint8_t)i;
	s.pcrs.mask = RECORDED_MASK;
	assert_int_equal(values.size, 4 * 32);
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++)
		if (RECORDED_MASK & (1u << i))
			memcpy(s.pcrs.values[i].bytes, values.data + 32 * n++, 32);
	buf_done(&values);
	return s;
}

static void done(struct sample *s)
{
	buf_done(&s->attest);
	buf_done(&s->sig);
	buf_done(&s->ak);
}

static struct why why;
static struct quote_info info;

static int check(const struct sample *s)
{
	why.text[0] = 0;
	return quote_check(s->attest.data, s->attest.size, s->sig.data, s->sig.size, s->ak.data,
			   s->ak.size, &s->qualifying, &s->pcrs, &info, &why);
}

static void refused(const struct sample *s, int r, const char *text)
{
	const struct quote_info untouched = {.clock_ms = 4711};

	info = untouched;
	assert_int_equal(check(s), r);
	assert_memory_equal(&info, &untouched, sizeof(info));
	if (!strstr(why.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, why.text);
}

static void test_recorded(void **state)
{
	struct sample s = recorded();

	(void)state;
	assert_int_equal(check(&s), 0);
	assert_int_equal(info.reset_count, 2);
	assert_int_equal(info.restart_count, 0);
	assert_int_equal(info.clock_ms, 0x345);
	assert_true(info.safe);
	assert_true(info.firmware == 0x2019102300163636);
	done(&s);
}

static void test_other_claims(void **state)
{
	struct sample s = recorded();

	(void)state;
	s.qualifying.bytes[31] ^= 1;
	refused(&s, -EBADMSG, "other qualifying data");
	s.qualifying.bytes[31] ^= 1;
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++) {
		s.pcrs.mask ^= 1u << i;
		refused(&s, -EBADMSG, "covers PCRs");
		s.pcrs.mask ^= 1u << i;
		if (!(s.pcrs.mask & (1u << i)))
			continue;
		s.pcrs.values[i].bytes[i] ^= 1;
		refused(&s, -EBADMSG, "PCR values are not those quoted");
		s.pcrs.values[i].bytes[i] ^= 1;
	}
	/* The same values under other numbers. */
	s.pcrs.values[0] = s.pcrs.values[7];
	memset(s.pcrs.values[7].bytes, 0, 32);
	refused(&s, -EBADMSG, "PCR values");
	s.pcrs.mask = 0;
	refused(&s, -EINVAL, "mask");
	s.pcrs.mask = 1u << 24;
	refused(&s, -EINVAL, "mask");
	done(&s);
}

/* Nothing that was signed can be changed: each bit is tried. */
static void test_turned_bits(void **state)
{
	struct sample s = recorded();

	(void)state;
	for (size_t bit = 0; bit < s.attest.size * 8; bit++) {
		s.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check(&s), -EBADMSG);
		s.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* What no TPM made is not even looked at further. */
	s.attest.data[0] ^= 1;
	refused(&s, -EBADMSG, "magic");
	s.attest.data[0] ^= 1;
	for (size_t bit = 0; bit < s.sig.size * 8; bit++) {
		s.sig.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check(&s), -EBADMSG);
		s.sig.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < s.ak.size * 8; bit++) {
		s.ak.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* Attributes that do not matter to the signature are enrolment's to refuse. */
		if (bit / 8 < 6 || bit / 8 > 9)
			assert_true(check(&s) < 0);
		s.ak.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(check(&s), 0);
	done(&s);
}

static void test_lengths(void **state)
{
	struct sample s = recorded();
	size_t n;

	(void)state;
	struct buf *const parts[] = {&s.attest, &s.sig, &s.ak};
	for (unsigned int i = 0; i < 3; i++) {
		n = parts[i]->size;
		for (size_t cut = 0; cut < n; cut++) {
			parts[i]->size = cut;
			assert_true(check(&s) < 0);
		}
		parts[i]->size = n;
		buf_put_u8(parts[i], 0);
		assert_true(check(&s) < 0);
		parts[i]->size = n;
	}
	/* One byte more inside the public area than its fields take. */
	buf_put_u8(&s.ak, 0);
	s.ak.data[1]++;
	refused(&s, -EBADMSG, "1 bytes too many");
	for (unsigned int i = 0; i < 8192; i++)
		buf_put_u8(&s.attest, 0);
	refused(&s, -E2BIG, "too large");
	done(&s);
}

static void test_keylime(void **state)
{
	struct sample s = {load(KEYLIME "quote.out"),
			   load(KEYLIME "quotesig.out"),
			   load(KEYLIME "ak.pub"),
			   {{0}},
			   {.mask = 1u << 15}};
	struct buf want = load(KEYLIME "ak.name");
	struct sign_key *k = NULL, *pem = NULL;
	struct buf text = load(KEYLIME "akpub.pem");
	struct digest a, b;
	uint8_t name[34];

	(void)state;
	/* Its RSA signature holds; then its 20 bytes of extra data are no qualifying data of ours. */
	refused(&s, -EBADMSG, "other qualifying data");
	s.attest.data[100] ^= 1;
	refused(&s, -EBADMSG, "signature is not the AK's");
	s.attest.data[100] ^= 1;
	s.sig.data[1] = 0x16; /* RSAPSS */
	refused(&s, -EBADMSG, "algorithm");
	assert_int_equal(quote_public_name(s.ak.data, s.ak.size, name, NULL), 0);
	assert_memory_equal(name, want.data, 34);
	assert_int_equal(quote_public_key(s.ak.data, s.ak.size, &k, NULL), 0);
	assert_int_equal(sign_key_from_pem((char *)text.data, text.size, &pem, NULL), 0);
	assert_int_equal(sign_key_id(k, &a), 0);
	assert_int_equal(sign_key_id(pem, &b), 0);
	assert_true(digest_equal(&a, &b));
	/* Good enough to sign, but not an AK as this project makes them. */
	assert_int_equal(quote_check_ak(s.ak.data, s.ak.size, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "noDA"));
	buf_done(&s.ak);
	s.ak = load(KEYLIME "ek.pub");
	assert_int_equal(quote_check_ek(s.ak.data, s.ak.size, &why), 0);
	refused(&s, -EKEYREJECTED, "AK: attribute sign is not set");
	sign_key_free(k);
	sign_key_free(pem);
	buf_done(&want);
	buf_done(&text);
	done(&s);
}

static void test_two_banks(void **state)
{
	struct sample s = recorded();

	(void)state;
	done(&s);
	s.attest = load(P256 "two-banks.attest");
	s.sig = load(P256 "two-banks.sig");
	s.ak = load(P256 "ak.pub");
	s.pcrs.mask = 1;
	refused(&s, -EBADMSG, "covers 2 banks");
	done(&s);
}

/* Attributes of an area, at their place after two lengths and two algorithms. */
static void set_attribute(struct buf *public, uint32_t bit, bool on)
{
	uint8_t *p = public->data + 6 + (3 - bit / 8);

	*p = (uint8_t)(on ? *p | 1u << bit % 8 : *p & ~(1u << bit % 8));
}

static void test_attributes(void **state)
{
	static const struct {
		uint32_t bit;
		bool right;
		const char *name;
	} all[] = {
		{16, true, "restricted"}, {18, true, "sign"},
		{17, false, "decrypt"},	  {1, true, "fixedTPM"},
		{4, true, "fixedParent"}, {5, true, "sensitiveDataOrigin"},
		{10, true, "noDA"},
	};
	struct fake_tpm *f = NULL;
	struct buf blobs = {0}, ak = {0}, event = {0}, ek = {0}, cert = {0};
	struct tpm *t;

	(void)state;
	assert_int_equal(fake_tpm_open(&f), 0);
	t = fake_tpm_door(f);
	assert_int_equal(t->ops->keys_open(t->ctx, &blobs, &ak, &event), 0);
	assert_int_equal(t->ops->ek_public(t->ctx, &ek, &cert), 0);
	assert_int_equal(quote_check_ak(ak.data, ak.size, &why), 0);
	assert_int_equal(quote_check_event_key(event.data, event.size, &why), 0);
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), 0);
	/* None can stand for another. */
	assert_int_equal(quote_check_ak(event.data, event.size, &why), -EKEYREJECTED);
	assert_int_equal(quote_check_event_key(ak.data, ak.size, &why), -EKEYREJECTED);
	assert_int_equal(quote_check_ek(ak.data, ak.size, &why), -EKEYREJECTED);
	assert_int_equal(quote_check_ak(ek.data, ek.size, &why), -EKEYREJECTED);
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		set_attribute(&ak, all[i].bit, !all[i].right);
		assert_int_equal(quote_check_ak(ak.data, ak.size, &why), -EKEYREJECTED);
		assert_non_null(strstr(why.text, all[i].name));
		set_attribute(&ak, all[i].bit, all[i].right);
	}
	assert_int_equal(quote_check_ak(ak.data, ak.size, &why), 0);
	/* Other policies would let others use the EK. */
	ek.data[12] ^= 1;
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "policy"));
	ek.data[12] ^= 1;
	/* Nor can any attribute be otherwise, those without a meaning of today among them: the same EK would have another id. */
	for (uint32_t bit = 0; bit < 32; bit++) {
		set_attribute(&ek, bit, !(0x000300b2u & 1u << bit));
		assert_int_equal(quote_check_ek(ek.data, ek.size, &why), -EKEYREJECTED);
		assert_non_null(strstr(why.text, "are not the template's, 0x300b2"));
		set_attribute(&ek, bit, 0x000300b2u & 1u << bit);
	}
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), 0);
	/* A point that is on no curve. */
	ak.data[ak.size - 1] ^= 1;
	assert_int_equal(quote_check_ak(ak.data, ak.size, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "not on its curve"));
	buf_done(&blobs);
	buf_done(&ak);
	buf_done(&event);
	buf_done(&ek);
	fake_tpm_free(f);
}

/* 0 is how a TPM writes 65537, and 65537 is another way to write the same key. */
static void test_exponent(void **state)
{
	struct buf ek = load(KEYLIME "ek.pub");
	uint8_t *exponent;

	(void)state;
	/* A modulus of 256 bytes with its size is last, the exponent stands before it. */
	exponent = ek.data + ek.size - 258 - 4;
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), 0);
	exponent[1] = exponent[3] = 1;
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "exponent 65537"));
	exponent[1] = 0;
	exponent[3] = 3;
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), -EKEYREJECTED);
	buf_done(&ek);
}

/* An attest signed by a key that signs anything proves nothing. */
static void test_unrestricted_signer(void **state)
{
	struct fake_tpm *f = NULL;
	struct sample s = {.qualifying = {{1}}};
	struct buf blobs = {0}, event = {0};
	struct digest d;
	struct tpm *t;

	(void)state;
	assert_int_equal(fake_tpm_open(&f), 0);
	t = fake_tpm_door(f);
	assert_int_equal(t->ops->keys_open(t->ctx, &blobs, &s.ak, &event), 0);
	assert_int_equal(t->ops->quote(t->ctx, 1, &s.qualifying, &s.attest, &s.sig, &s.pcrs), 0);
	assert_int_equal(check(&s), 0);
	assert_int_equal(digest_sha256(s.attest.data, s.attest.size, &d), 0);
	buf_clear(&s.sig);
	assert_int_equal(t->ops->sign_event(t->ctx, &d, &s.sig), 0);
	refused(&s, -EBADMSG, "signature is not the AK's");
	buf_done(&s.ak);
	s.ak = event;
	refused(&s, -EKEYREJECTED, "restricted");
	buf_done(&blobs);
	done(&s);
	fake_tpm_free(f);
}

static void test_signature_der(void **state)
{
	struct buf sig = load(P256 "quote.sig"), attest = load(P256 "quote.attest"),
		   ak = load(P256 "ak.pub");
	struct buf der = {0}, rsa = load(KEYLIME "quotesig.out");
	struct sign_key *k = NULL;

	(void)state;
	assert_int_equal(quote_public_key(ak.data, ak.size, &k, NULL), 0);
	assert_int_equal(quote_signature_der(sig.data, sig.size, &der, &why), 0);
	assert_int_equal(sign_check(k, attest.data, attest.size, der.data, der.size), 0);
	for (size_t cut = 0; cut < sig.size; cut++)
		assert_int_equal(quote_signature_der(sig.data, cut, &der, &why), -EBADMSG);
	assert_int_equal(quote_signature_der(rsa.data, rsa.size, &der, &why), -EBADMSG);
	sign_key_free(k);
	buf_done(&sig);
	buf_done(&attest);
	buf_done(&ak);
	buf_done(&der);
	buf_done(&rsa);
}

/* BORDER: computed apart from this code, by Python's hashlib. */
static void test_qualifying_data(void **state)
{
	static const uint8_t nonce[32] = {1, 2, 3};
	struct quote_binding b = {
		.nonce = {nonce, 32},
		.node = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		.incarnation = 3,
		.checkpoint = "example.org/node/0011/"
			      "3\n17\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		.boot_log = {{0xb0}},
		.ima_cursor = 362,
		.baseline_version = 12,
		.last_order = 5,
		.client_key = {{0xc1}},
	};
	struct digest d, first;
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	assert_int_equal(quote_qualifying_data(&b, &first), 0);
	digest_hex(&first, hex);
	assert_string_equal(hex,
			    "945e4e18f5dd4be0abea5746cd1f1d628ea7c135ecafaba0d8e40bef3b884319");
#define CHANGED(change, back)                                       \
	do {                                                        \
		change;                                             \
		assert_int_equal(quote_qualifying_data(&b, &d), 0); \
		assert_false(digest_equal(&d, &first));             \
		back;                                               \
	} while (0)
	CHANGED(b.incarnation++, b.incarnation--);
	CHANGED(b.ima_cursor++, b.ima_cursor--);
	CHANGED(b.baseline_version++, b.baseline_version--);
	CHANGED(b.last_order++, b.last_order--);
	CHANGED(b.boot_log.bytes[31]++, b.boot_log.bytes[31]--);
	CHANGED(b.client_key.bytes[31]++, b.client_key.bytes[31]--);
	/* Two counters swapped are not the same. */
	CHANGED((b.baseline_version = 5, b.last_order = 12),
		(b.baseline_version = 12, b.last_order = 5));
	b.nonce.size = 31;
	assert_int_equal(quote_qualifying_data(&b, &d), -EINVAL);
	b.nonce.size = 32;
	b.node = "0011";
	assert_int_equal(quote_qualifying_data(&b, &d), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_other_claims),
		cmocka_unit_test(test_turned_bits),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_keylime),
		cmocka_unit_test(test_two_banks),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_exponent),
		cmocka_unit_test(test_unrestricted_signer),
		cmocka_unit_test(test_signature_der),
		cmocka_unit_test(test_qualifying_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
