/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM door over ESYS against a software TPM: what it makes must satisfy quote, makecred and ekcert, and twins must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>

#include "ekcert.h"
#include "makecred.h"
#include "swtpm.h"
#include "tpm.h"

#define MASK ((1u << 0) | (1u << 7) | (1u << 10) | (1u << 15))

static struct swtpm chip;

static struct tpm *open_chip(void)
{
	struct tpm *t = NULL;
	struct why why = {""};
	int r = tpm_open(chip.tcti, &t, &why);

	if (r < 0)
		print_error("tpm_open: %s\n", why.text);
	assert_int_equal(r, 0);
	return t;
}

static int start(void **state)
{
	(void)state;
	return swtpm_start(&chip);
}

static int stop(void **state)
{
	(void)state;
	swtpm_stop(&chip);
	return 0;
}

static struct digest digest_of(const char *text)
{
	struct digest d;

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	return d;
}

static void test_no_tpm(void **state)
{
	struct tpm *t = NULL;
	struct why why = {""};

	(void)state;
	assert_int_equal(tpm_open("swtpm:host=127.0.0.1,port=1", &t, &why), -ENODEV);
	assert_non_null(strstr(why.text, "no TPM at"));
	assert_int_equal(tpm_open("device:/dev/does-not-exist", &t, &why), -ENODEV);
	assert_null(t);
	assert_null(tpm_free(NULL));
}

static void test_extend(void **state)
{
	struct tpm *t = open_chip();
	struct quote_pcrs before, after;
	struct digest d = digest_of("batch"), want;
	struct buf_view parts[2];

	(void)state;
	assert_int_equal(t->ops->pcr_read(t->ctx, 1u << 15, &before), 0);
	assert_int_equal(before.mask, 1u << 15);
	assert_int_equal(t->ops->pcr_extend(t->ctx, 15, &d), 0);
	/* More than one command gives, so that the parts are put together. */
	assert_int_equal(t->ops->pcr_read(t->ctx, 0xffffff, &after), 0);
	assert_int_equal(after.mask, 0xffffff);
	parts[0] = (struct buf_view){before.values[15].bytes, 32};
	parts[1] = (struct buf_view){d.bytes, 32};
	assert_int_equal(digest_sha256_parts(parts, 2, &want), 0);
	assert_memory_equal(&after.values[15], &want, 32);
	assert_int_equal(after.values[17].bytes[31], 0xff);
	assert_int_equal(after.values[23].bytes[31], 0);
	assert_int_equal(t->ops->pcr_extend(t->ctx, 24, &d), -EINVAL);
	assert_int_equal(t->ops->pcr_read(t->ctx, 0, &after), -EINVAL);
	assert_int_equal(t->ops->pcr_read(t->ctx, 1u << 24, &after), -EINVAL);
	/* Only locality 4 may extend it: the chip's refusal comes through. */
	assert_true(t->ops->pcr_extend(t->ctx, 17, &d) < 0);
	tpm_free(t);
}

struct evidence {
	struct buf blobs, ak, event, attest, sig;
	struct quote_pcrs pcrs;
	struct digest qualifying;
	struct quote_info info;
};

static void open_keys(struct tpm *t, struct evidence *e)
{
	assert_int_equal(t->ops->keys_open(t->ctx, &e->blobs, &e->ak, &e->event), 0);
}

static void free_evidence(struct evidence *e)
{
	buf_done(&e->blobs);
	buf_done(&e->ak);
	buf_done(&e->event);
	buf_done(&e->attest);
	buf_done(&e->sig);
}

static int check(struct evidence *e, const char *wanted)
{
	struct why why = {""};
	int r = quote_check(e->attest.data, e->attest.size, e->sig.data, e->sig.size, e->ak.data,
			    e->ak.size, &e->qualifying, &e->pcrs, &e->info, &why);

	if (wanted && !strstr(why.text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, why.text);
	return r;
}

static void test_quote(void **state)
{
	struct tpm *t = open_chip();
	struct evidence e = {.qualifying = digest_of("nonce and more")}, other = {0};
	struct tpm_clock clock;

	(void)state;
	assert_int_equal(t->ops->quote(t->ctx, MASK, &e.qualifying, &e.attest, &e.sig, &e.pcrs),
			 -EINVAL);
	open_keys(t, &e);
	assert_int_equal(quote_check_ak(e.ak.data, e.ak.size, NULL), 0);
	assert_int_equal(quote_check_event_key(e.event.data, e.event.size, NULL), 0);
	assert_int_equal(t->ops->quote(t->ctx, MASK, &e.qualifying, &e.attest, &e.sig, &e.pcrs), 0);
	assert_int_equal(check(&e, NULL), 0);
	/* In clear: the AK is under the EK. */
	assert_int_equal(t->ops->read_clock(t->ctx, &clock), 0);
	assert_int_equal(clock.reset_count, e.info.reset_count);
	assert_int_equal(clock.restart_count, e.info.restart_count);
	assert_true(clock.clock_ms >= e.info.clock_ms);

	e.qualifying.bytes[0] ^= 1;
	assert_int_equal(check(&e, "qualifying"), -EBADMSG);
	e.qualifying.bytes[0] ^= 1;
	e.pcrs.values[15].bytes[31] ^= 1;
	assert_int_equal(check(&e, "PCR values"), -EBADMSG);
	e.pcrs.values[15].bytes[31] ^= 1;
	e.pcrs.mask |= 1u << 8;
	assert_int_equal(check(&e, "covers PCRs"), -EBADMSG);
	e.pcrs.mask = MASK & ~(1u << 7);
	assert_int_equal(check(&e, "covers PCRs"), -EBADMSG);
	e.pcrs.mask = MASK;
	/* Another AK of the same chip. */
	open_keys(t, &other);
	buf_done(&other.attest);
	buf_clear(&e.ak);
	buf_put(&e.ak, other.ak.data, other.ak.size);
	assert_int_equal(check(&e, "signature is not the AK's"), -EBADMSG);
	free_evidence(&e);
	free_evidence(&other);
	tpm_free(t);
}

static void test_certify(void **state)
{
	struct tpm *t = open_chip();
	struct evidence e = {.qualifying = digest_of("enrolment")};
	struct quote_info info;

	(void)state;
	open_keys(t, &e);
	assert_int_equal(t->ops->certify_event(t->ctx, &e.qualifying, &e.attest, &e.sig), 0);
#define CERTIFY(public)                                                                      \
	quote_check_certify(e.attest.data, e.attest.size, e.sig.data, e.sig.size, e.ak.data, \
			    e.ak.size, (public).data, (public).size, &e.qualifying, &info, NULL)
	assert_int_equal(CERTIFY(e.event), 0);
	assert_int_equal(CERTIFY(e.ak), -EBADMSG);
	e.attest.data[e.attest.size - 40] ^= 1;
	assert_int_equal(CERTIFY(e.event), -EBADMSG);
	e.attest.data[e.attest.size - 40] ^= 1;
	e.qualifying.bytes[5] ^= 1;
	assert_int_equal(CERTIFY(e.event), -EBADMSG);
	e.qualifying.bytes[5] ^= 1;
	/* A certification is no quote. */
	e.pcrs.mask = MASK;
	assert_int_equal(check(&e, "type"), -EBADMSG);
	free_evidence(&e);
	tpm_free(t);
}

static void test_sign(void **state)
{
	struct tpm *t = open_chip();
	struct evidence e = {0};
	struct digest d = digest_of("checkpoint");
	struct sign_key *k = NULL;
	struct buf der = {0};

	(void)state;
	open_keys(t, &e);
	for (int i = 0; i < 20; i++) {
		buf_clear(&e.sig);
		buf_clear(&der);
		assert_int_equal(t->ops->sign_event(t->ctx, &d, &e.sig), 0);
		assert_int_equal(quote_signature_der(e.sig.data, e.sig.size, &der, NULL), 0);
		sign_key_free(k);
		assert_int_equal(quote_public_key(e.event.data, e.event.size, &k, NULL), 0);
		assert_int_equal(sign_check(k, "checkpoint", 10, der.data, der.size), 0);
		assert_int_equal(sign_check(k, "checkpoinT", 10, der.data, der.size), -EBADMSG);
	}
	sign_key_free(k);
	buf_done(&der);
	free_evidence(&e);
	tpm_free(t);
}

/* Keys outlive the process and the power; another chip refuses their blobs; damaged ones are told from a chip's failure. */
static void test_blobs(void **state)
{
	struct tpm *t = open_chip();
	struct evidence e = {.qualifying = digest_of("x")}, again = {0}, fresh = {0};
	struct buf cut = {0}, ek = {0}, cert = {0};
	struct swtpm other;
	struct tpm_clock before, after;

	(void)state;
	assert_int_equal(t->ops->read_clock(t->ctx, &before), 0);
	open_keys(t, &e);
	tpm_free(t);
	assert_int_equal(swtpm_power_cut(&chip), 0);
	t = open_chip();
	assert_int_equal(t->ops->read_clock(t->ctx, &after), 0);
	assert_int_equal(after.reset_count, before.reset_count + 1);
	buf_put(&again.blobs, e.blobs.data, e.blobs.size);
	open_keys(t, &again);
	assert_int_equal(again.ak.size, e.ak.size);
	assert_memory_equal(again.ak.data, e.ak.data, e.ak.size);
	assert_int_equal(t->ops->quote(t->ctx, MASK, &e.qualifying, &e.attest, &e.sig, &e.pcrs), 0);
	assert_int_equal(check(&e, NULL), 0);
	for (size_t at = 0; at < e.blobs.size; at += 7) {
		buf_clear(&cut);
		buf_put(&cut, e.blobs.data, e.blobs.size);
		cut.data[at] ^= 0x10;
		assert_true(t->ops->keys_open(t->ctx, &cut, &fresh.ak, &fresh.event) < 0);
		if (at == 0)
			continue;
		buf_cut(&cut, at);
		cut.data[0] = 'P';
		assert_int_equal(t->ops->keys_open(t->ctx, &cut, &fresh.ak, &fresh.event),
				 -EKEYREJECTED);
	}
	/* After a refusal no key of before is used. */
	assert_int_equal(t->ops->sign_event(t->ctx, &e.qualifying, &e.sig), -EINVAL);
	tpm_free(t);

	assert_int_equal(swtpm_start(&other), 0);
	assert_int_equal(tpm_open(other.tcti, &t, NULL), 0);
	assert_int_equal(t->ops->keys_open(t->ctx, &again.blobs, &fresh.ak, &fresh.event),
			 -EKEYREJECTED);
	/* The same with the other chip's own EK written over the one in the blobs: the chip itself refuses. */
	assert_int_equal(t->ops->ek_public(t->ctx, &ek, &cert), 0);
	memcpy(again.blobs.data + 5 + 4, ek.data, ek.size);
	assert_int_equal(t->ops->keys_open(t->ctx, &again.blobs, &fresh.ak, &fresh.event),
			 -EKEYREJECTED);
	tpm_free(t);
	swtpm_stop(&other);
	buf_done(&cut);
	buf_done(&ek);
	buf_done(&cert);
	free_evidence(&e);
	free_evidence(&again);
	free_evidence(&fresh);
}

static void run_tool(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "export TPM2TOOLS_TCTI='%s'; (%s) >/dev/null 2>&1", chip.tcti,
		 command);
	assert_int_equal(system(line), 0);
}

/* Somebody who was killed has left objects in all three slots; they are ours to flush, since nobody else shares this chip. */
static void test_leftovers(void **state)
{
	struct evidence e = {.qualifying = digest_of("x")};
	struct tpm *t;

	(void)state;
	for (int i = 0; i < 3; i++)
		run_tool("tpm2_createprimary -C e -G ecc");
	t = open_chip();
	open_keys(t, &e);
	assert_int_equal(t->ops->quote(t->ctx, MASK, &e.qualifying, &e.attest, &e.sig, &e.pcrs), 0);
	assert_int_equal(check(&e, NULL), 0);
	free_evidence(&e);
	tpm_free(t);
}

/* noDA: keys in use through many disorderly stops are not locked out. */
static void test_power_cuts(void **state)
{
	struct evidence e = {.qualifying = digest_of("x")};
	struct tpm *t;

	(void)state;
	for (int i = 0; i < 5; i++) {
		t = open_chip();
		buf_clear(&e.ak);
		buf_clear(&e.event);
		buf_clear(&e.attest);
		buf_clear(&e.sig);
		open_keys(t, &e);
		assert_int_equal(
			t->ops->quote(t->ctx, MASK, &e.qualifying, &e.attest, &e.sig, &e.pcrs), 0);
		assert_int_equal(check(&e, NULL), 0);
		assert_int_equal(swtpm_power_cut(&chip), 0);
		/* The chip is gone for this one, and stays so. */
		assert_int_equal(t->ops->pcr_extend(t->ctx, 15, &e.qualifying), -ENODEV);
		assert_true(t->ops->pcr_extend(t->ctx, 15, &e.qualifying) < 0);
		tpm_free(t);
	}
	free_evidence(&e);
}

/* Sealed for the EK and the AK's name, opened by the chip; any bit turned, or another name, and it stays shut. */
static void activate(struct tpm *t, uint16_t want_type)
{
	uint8_t secret[32] = "thirty-two bytes of a secret...", name[34];
	struct buf ek = {0}, cert = {0}, blob = {0}, sealed = {0}, got = {0};
	struct evidence e = {0};
	struct why why = {""};

	assert_int_equal(t->ops->ek_public(t->ctx, &ek, &cert), 0);
	assert_int_equal(ek.data[2] << 8 | ek.data[3], want_type);
	assert_int_equal(quote_check_ek(ek.data, ek.size, &why), 0);
	assert_true(cert.size > 500);
	open_keys(t, &e);
	assert_int_equal(quote_public_name(e.ak.data, e.ak.size, name, NULL), 0);
	assert_int_equal(makecred_make(ek.data, ek.size, name, sizeof(name), secret, sizeof(secret),
				       &blob, &sealed, &why),
			 0);
	assert_int_equal(
		t->ops->activate(t->ctx, blob.data, blob.size, sealed.data, sealed.size, &got), 0);
	assert_int_equal(got.size, sizeof(secret));
	assert_memory_equal(got.data, secret, sizeof(secret));

	buf_clear(&got);
	for (size_t at = 2; at < blob.size; at += 13) {
		blob.data[at] ^= 1;
		assert_true(t->ops->activate(t->ctx, blob.data, blob.size, sealed.data, sealed.size,
					     &got) < 0);
		blob.data[at] ^= 1;
	}
	assert_int_equal(
		t->ops->activate(t->ctx, blob.data, blob.size - 1, sealed.data, sealed.size, &got),
		-EBADMSG);
	buf_clear(&blob);
	buf_clear(&sealed);
	name[33] ^= 1;
	assert_int_equal(makecred_make(ek.data, ek.size, name, sizeof(name), secret, sizeof(secret),
				       &blob, &sealed, &why),
			 0);
	assert_true(t->ops->activate(t->ctx, blob.data, blob.size, sealed.data, sealed.size, &got) <
		    0);
	assert_int_equal(got.size, 0);
	free_evidence(&e);
	buf_done(&ek);
	buf_done(&cert);
	buf_done(&blob);
	buf_done(&sealed);
	buf_done(&got);
}

static void check_certificate(struct tpm *t)
{
	struct ekcert_anchors *with = NULL, *without = NULL;
	const char *vendors[] = {"deploy/tpm-vendors"};
	struct buf ek = {0}, cert = {0};
	struct ekcert_info info;
	struct why why = {""};
	uint64_t now = (uint64_t)time(NULL);

	assert_int_equal(t->ops->ek_public(t->ctx, &ek, &cert), 0);
	assert_int_equal(ekcert_anchors_open(fsio_system(), vendors, 1, chip.ca, &with, &why), 0);
	assert_int_equal(ekcert_anchors_open(fsio_system(), vendors, 1, NULL, &without, &why), 0);
	if (ekcert_check(with, cert.data, cert.size, ek.data, ek.size, now, &info, &why) != 0)
		fail_msg("%s", why.text);
	assert_true(info.emulated);
	assert_string_equal(info.manufacturer, "id:00001014");
	assert_string_equal(info.model, "swtpm");
	assert_int_equal(
		ekcert_check(without, cert.data, cert.size, ek.data, ek.size, now, &info, &why),
		-EKEYREJECTED);
	assert_non_null(strstr(why.text, "no chain"));
	ekcert_anchors_free(with);
	ekcert_anchors_free(without);
	buf_done(&ek);
	buf_done(&cert);
}

static void test_rsa_ek(void **state)
{
	struct tpm *t = open_chip();

	(void)state;
	activate(t, 0x0001);
	check_certificate(t);
	tpm_free(t);
}

/* Neither the persistent key nor its certificate: the default template gives the same key, without a certificate. */
static void test_primary_ek(void **state)
{
	struct buf before = {0}, after = {0}, cert = {0};
	struct tpm *t = open_chip();

	(void)state;
	assert_int_equal(t->ops->ek_public(t->ctx, &before, &cert), 0);
	tpm_free(t);
	run_tool("tpm2_evictcontrol -C o -c 0x81010001");
	t = open_chip();
	buf_clear(&cert);
	assert_int_equal(t->ops->ek_public(t->ctx, &after, &cert), 0);
	assert_int_equal(after.size, before.size);
	assert_memory_equal(after.data, before.data, after.size);
	assert_true(cert.size > 500);
	activate(t, 0x0001);
	tpm_free(t);
	buf_done(&before);
	buf_done(&after);
	buf_done(&cert);
}

/* Only the P-384 EK has a certificate left. Runs after the RSA tests, on the same chip. */
static void test_p384_ek(void **state)
{
	struct tpm *t;

	(void)state;
	run_tool("tpm2_nvundefine -C p 0x01c00002");
	t = open_chip();
	activate(t, 0x0023);
	check_certificate(t);
	tpm_free(t);
}

/*
 * A chip whose only certificate is the P-256 EK's: that key is chosen, made from its default template. The certificate is cut to
 * its DER element; what the chip's maker filled the index up with does not leave the node.
 */
static void test_p256_ek(void **state)
{
	struct buf ek = {0}, cert = {0};
	struct tpm *t;

	(void)state;
	run_tool("tpm2_nvundefine -C p 0x01c00016");
	run_tool("tpm2_nvdefine -C p 0x01c0000a -s 1100 "
		 "-a 'ppwrite|ownerread|authread|ppread|no_da|platformcreate'");
	run_tool("printf '0\\202\\003\\000' | tpm2_nvwrite -C p -i - 0x01c0000a");
	run_tool("head -c 1000 /dev/zero | tr '\\0' x | tpm2_nvwrite -C p -i - --offset 4 "
		 "0x01c0000a");
	t = open_chip();
	assert_int_equal(t->ops->ek_public(t->ctx, &ek, &cert), 0);
	assert_int_equal(cert.size, 4 + 768);
	activate(t, 0x0023);
	tpm_free(t);
	buf_done(&ek);
	buf_done(&cert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_tpm),	  cmocka_unit_test(test_extend),
		cmocka_unit_test(test_quote),	  cmocka_unit_test(test_certify),
		cmocka_unit_test(test_sign),	  cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_leftovers), cmocka_unit_test(test_power_cuts),
		cmocka_unit_test(test_rsa_ek),	  cmocka_unit_test(test_primary_ek),
		cmocka_unit_test(test_p384_ek),	  cmocka_unit_test(test_p256_ek),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
