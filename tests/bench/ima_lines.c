/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_lines.c: how many entries of IMA's list one core replays to PCR 10 a second, without signatures and with RSA-2048 ones that were checked before;
 * beside it the same digests by OpenSSL alone, and one signature's check. And how long the first 10,000 entries take from the bodies of evidence on,
 * without the quote's signature and the store. In: rounds. Out: "name value" a line.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appraise_ima.h"
#include "appraise_pcr10.h"
#include "evidence.h"
#include "ima_maker.h"
#include "ima_signer.h"
#include "scratch.h"

#define N 10000u
#define SIGNATURES 500u /* files that are signed; each has many names */
#define BOOT "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "ima_lines: %s failed\n", what);
	exit(1);
}

static int on_found(void *ctx, enum plumb_finding f, const char *text)
{
	(void)ctx;
	fprintf(stderr, "ima_lines: finding %d: %s\n", (int)f, text);
	exit(1);
}

static void name_of(uint32_t i, char ret[64])
{
	snprintf(ret, 64, "/usr/lib/x86_64-linux-gnu/programs/number-%u", i);
}

static uint32_t piece_end(const struct ima_maker *m, uint32_t from)
{
	uint32_t to = from;

	while (to < m->n && m->at[to + 1] - m->at[from] <= WIRE_MAX_IMA)
		to++;
	return to;
}

/* All of it, as evidence brings it. */
static void replay(const struct ima_maker *m, struct ima_sig *sig, const struct quote_pcrs *pcrs)
{
	struct appraise_pcr10_state s = {.n = 0};
	struct why why = {""};

	for (uint32_t from = 0, to; from < m->n; from = to) {
		struct appraise_pcr10_in in = {.sig = sig,
					       .boot = BOOT,
					       .pcrs = pcrs,
					       .from = from,
					       .after_quote = true,
					       .found = on_found};

		to = piece_end(m, from);
		in.end = to;
		in.entries = ima_maker_from(m, from, to);
		must(appraise_pcr10(&in, &s, &why) == 0, "replay");
	}
	must(s.confirmed == m->n, "the register's value");
}

static double lines_per_s(const struct ima_maker *m, struct ima_sig *sig,
			  const struct quote_pcrs *pcrs, unsigned int rounds)
{
	double t;

	replay(m, sig, pcrs); /* what is kept is kept from here on */
	t = now();
	for (unsigned int i = 0; i < rounds; i++)
		replay(m, sig, pcrs);
	t = now() - t;
	return rounds * (double)m->n / t;
}

/* SHA-1 and SHA-256 of each entry's data, and the extend. */
static double raw_per_s(const struct ima_maker *m, unsigned int rounds)
{
	EVP_MD_CTX *sha1 = EVP_MD_CTX_new(), *sha256 = EVP_MD_CTX_new();
	unsigned char out[64], pcr[64] = {0};
	double t;

	must(sha1 && sha256 && EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1 &&
		     EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) == 1,
	     "OpenSSL");
	t = now();
	for (unsigned int r = 0; r < rounds; r++)
		for (uint32_t i = 0; i < m->n; i++) {
			const struct buf_view e = ima_maker_from(m, i, i + 1);

			EVP_DigestInit_ex(sha1, NULL, NULL);
			EVP_DigestUpdate(sha1, e.data + 38, e.size - 38);
			EVP_DigestFinal_ex(sha1, out, NULL);
			EVP_DigestInit_ex(sha256, NULL, NULL);
			EVP_DigestUpdate(sha256, e.data + 38, e.size - 38);
			EVP_DigestFinal_ex(sha256, pcr + 32, NULL);
			EVP_DigestInit_ex(sha256, NULL, NULL);
			EVP_DigestUpdate(sha256, pcr, 64);
			EVP_DigestFinal_ex(sha256, pcr, NULL);
		}
	t = now() - t;
	EVP_MD_CTX_free(sha1);
	EVP_MD_CTX_free(sha256);
	return rounds * (double)m->n / t;
}

static double raw_verifies_per_s(const struct ima_signer *s, unsigned int rounds)
{
	const struct digest d = {{7}};
	struct buf sig = {0};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(s->key, NULL);
	double t;

	ima_signer_xattr(s, 3, 2, &d, &sig);
	must(ctx && EVP_PKEY_verify_init(ctx) == 1 &&
		     EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1,
	     "OpenSSL");
	t = now();
	for (unsigned int i = 0; i < rounds * 100; i++)
		must(EVP_PKEY_verify(ctx, sig.data + 9, sig.size - 9, d.bytes, DIGEST_SIZE) == 1,
		     "verification");
	t = now() - t;
	EVP_PKEY_CTX_free(ctx);
	buf_done(&sig);
	return rounds * 100.0 / t;
}

static void open_keys(const struct ima_signer *s, struct ima_sig **ret)
{
	char dir[SCRATCH_SIZE], path[128];
	const char *paths[] = {path};
	struct buf pem = {0};
	struct why why = {""};

	scratch_open(dir, "ima_lines");
	snprintf(path, sizeof(path), "%s/key", dir);
	ima_signer_pem(s, false, &pem);
	must(fsio_replace_file(fsio_system(), path, pem.data, pem.size, 0600) >= 0 &&
		     ima_sig_open(fsio_system(), paths, 1, ret, &why) >= 0,
	     "key");
	scratch_done(dir);
	buf_done(&pem);
}

static void sign_all(struct ima_maker *m, const struct ima_signer *s)
{
	struct buf sigs[SIGNATURES] = {{0}};
	struct digest digests[SIGNATURES];
	char name[64];

	for (uint32_t i = 0; i < SIGNATURES; i++) {
		must(digest_sha256(&i, sizeof(i), &digests[i]) >= 0, "digest");
		ima_signer_xattr(s, 3, 2, &digests[i], &sigs[i]);
	}
	for (uint32_t i = 0; i < N; i++) {
		name_of(i, name);
		ima_maker_digest(m, name, &digests[i % SIGNATURES], &sigs[i % SIGNATURES]);
	}
	for (uint32_t i = 0; i < SIGNATURES; i++)
		buf_done(&sigs[i]);
}

#define START(seq, more)                                                      \
	"{\"v\":1,\"seq\":" seq                                               \
	",\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":\"" BOOT \
	"\",\"type\":\"start\",\"src\":\"agent\"," more "}"

static const char *const starts[] = {
	START("0", "\"agent\":\"0.1.0\""),
	START("1", "\"phase\":\"ready\",\"ima\":10000,\"ima_measures\":\"programs\""),
};
#define N_STARTS (sizeof(starts) / sizeof(starts[0]))

static int each_line(void *ctx, uint64_t from, uint64_t to, appraise_ima_line_fn fn, void *fn_ctx)
{
	int r = 0;

	(void)ctx;
	for (uint64_t seq = from; r == 0 && seq < to && seq < N_STARTS; seq++)
		r = fn(fn_ctx, seq, starts[seq], strlen(starts[seq]));
	return r;
}

static int on_ima(void *ctx, const char *text)
{
	return on_found(ctx, PLUMB_FINDING_IMA, text);
}

static void write_bodies(const struct ima_maker *m, const struct quote_pcrs *pcrs,
			 struct buf bodies[], uint32_t *ret_n)
{
	struct evidence *e = calloc(1, sizeof(*e));

	*ret_n = 0;
	for (uint32_t from = 0, to; from < m->n; from = to) {
		const struct buf_view v = ima_maker_from(m, from, to = piece_end(m, from));

		must(e != NULL, "memory");
		*e = (struct evidence){.incarnation = 1,
				       .pcr_index = 15,
				       .pcrs = *pcrs,
				       .ima_cursor = to,
				       .ima_from = from,
				       .ima_end = to,
				       .has_ima_end = true,
				       .from = 1,
				       .checkpoint = {.size = 1}};
		memset(e->node, 'a', 64);
		snprintf(e->checkpoint.origin, sizeof(e->checkpoint.origin), "bench.example");
		snprintf(e->agent_version, sizeof(e->agent_version), "0.1.0");
		e->sent_ns = 1790000000ull * 1000000000;
		buf_put(&e->ima, v.data, v.size);
		must(evidence_write(e, &bodies[(*ret_n)++]) >= 0, "evidence");
		buf_done(&e->ima);
	}
	free(e);
}

static void appraise(const struct evidence *e, struct appraise_pcr10_state *s,
		     struct appraise_ima_state *with)
{
	struct why why = {""};
	const struct appraise_pcr10_in in = {.boot = BOOT,
					     .pcrs = &e->pcrs,
					     .from = e->ima_from,
					     .end = e->ima_end,
					     .after_quote = e->has_ima_end,
					     .entries = {e->ima.data, e->ima.size},
					     .found = on_found};
	const struct appraise_ima_in lines = {.head = N_STARTS,
					      .from = e->ima_from,
					      .cursor = e->ima_end,
					      .entries = {e->ima.data, e->ima.size},
					      .lines = each_line,
					      .found = on_ima};

	must(appraise_pcr10(&in, s, &why) == 0, "replay");
	must(appraise_ima(&lines, with, &why) == 0, "comparison");
}

static double first_ms(const struct ima_maker *m, const struct quote_pcrs *pcrs)
{
	struct buf bodies[32] = {{0}};
	struct evidence *e = calloc(1, sizeof(*e));
	struct appraise_pcr10_state s = {.n = 0};
	struct appraise_ima_state with = {.cursor = 0};
	struct why why = {""};
	uint32_t n;
	double t;

	write_bodies(m, pcrs, bodies, &n);
	must(e != NULL, "memory");
	t = now();
	for (uint32_t i = 0; i < n; i++) {
		if (evidence_parse(bodies[i].data, bodies[i].size, e, &why) < 0)
			must(false, why.text);
		appraise(e, &s, &with);
		evidence_done(e);
	}
	t = now() - t;
	must(s.confirmed == m->n && with.cursor == m->n, "the register's value");
	for (uint32_t i = 0; i < n; i++)
		buf_done(&bodies[i]);
	appraise_ima_state_done(&with);
	free(e);
	return t * 1000;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 50;
	struct ima_maker *m = calloc(1, sizeof(*m));
	struct quote_pcrs pcrs = {.mask = 0x47ff | 1u << 15};
	struct ima_signer signer;
	struct ima_sig *keys = NULL;
	char name[64];

	if (rounds == 0 || rounds > 100000 || !m) {
		fprintf(stderr, "Usage: ima_lines ROUNDS\n");
		return 64;
	}
	ima_maker_aggregate(m, &pcrs);
	for (uint32_t i = 1; i < N; i++) {
		struct digest d;

		name_of(i, name);
		must(digest_sha256(name, strlen(name), &d) >= 0, "digest");
		ima_maker_digest(m, name, &d, NULL);
	}
	pcrs.values[10] = m->pcr[m->n];
	printf("ima_lines_per_s %.0f\n", lines_per_s(m, NULL, &pcrs, (unsigned int)rounds));
	printf("raw_ima_digests_per_s %.0f\n", raw_per_s(m, (unsigned int)rounds));
	printf("first_ima_10k_ms %.3f\n", first_ms(m, &pcrs));
	ima_maker_done(m);
	ima_maker_open(m);
	ima_signer_open(&signer, "RSA");
	open_keys(&signer, &keys);
	ima_maker_aggregate(m, &pcrs);
	sign_all(m, &signer);
	pcrs.values[10] = m->pcr[m->n];
	printf("ima_signed_lines_per_s %.0f\n", lines_per_s(m, keys, &pcrs, (unsigned int)rounds));
	printf("raw_ima_signed_digests_per_s %.0f\n", raw_per_s(m, (unsigned int)rounds));
	printf("raw_rsa2048_verifies_per_s %.0f\n",
	       raw_verifies_per_s(&signer, (unsigned int)rounds));
	ima_sig_free(keys);
	ima_signer_done(&signer);
	ima_maker_done(m);
	free(m);
	return 0;
}
