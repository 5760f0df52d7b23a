/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraisal.c: how many pieces of evidence with a quote one core appraises a second, each with LINES lines, from the nonce to the
 * cosigned answer, SQLite and the verifier's log on disk; beside it bare P-256 verifications. In: a count. Out: "name value" a line.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "node_fixture.h"

#define LINES 10
#define ENTRIES                                                        \
	"{\"s\":\"host\",\"k\":\"file:/etc/one\",\"x\":\"reg one\"}\n" \
	"{\"s\":\"host\",\"k\":\"file:/etc/two\",\"x\":\"reg one\"}\n"

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
	fprintf(stderr, "appraisal: %s failed\n", what);
	exit(1);
}

/* What the node does is not counted. */
static double one(struct node_fixture *n)
{
	CLEANUP(buf_done) struct buf body = {0};
	uint64_t from = n->tree.size;
	double took, t;

	for (int i = 0; i < LINES; i++)
		node_fixture_file(n, i % 2 ? "/etc/one" : "/etc/two", "reg one");
	node_fixture_extend(n);
	t = now();
	must(node_fixture_nonce(n) == 200, "nonce");
	took = now() - t;
	node_fixture_body(n, from, false, true, &body);
	t = now();
	must(node_fixture_give(n, false, &body) == 200 && n->answer.result == PLUMB_RESULT_ACCEPTED,
	     "evidence");
	return took + now() - t;
}

static double appraisals(unsigned int count)
{
	struct verifier_fixture v;
	struct node_fixture n;
	struct baseline_info info;
	struct buf file = {0};
	struct why why = {""};
	double took = 0;

	verifier_fixture_open(&v);
	node_fixture_open(&n, &v, 1);
	verifier_fixture_baseline("bench", 1, ENTRIES, v.approver, &file);
	must(verifier_fixture_put_baseline(&v, &file, &info, &why) >= 0, "baseline");
	buf_done(&file);
	node_fixture_assign(&n, &info);
	must(node_fixture_evidence(&n) == PLUMB_RESULT_ACCEPTED, "first evidence");
	for (unsigned int i = 0; i < count; i++)
		took += one(&n);
	node_fixture_done(&n);
	verifier_fixture_done(&v);
	return count / took;
}

static double verifications(unsigned int count)
{
	static const unsigned char text[32] = "thirty-two bytes to be signed..";
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char sig[128];
	size_t size = sizeof(sig);
	double t;

	must(key && c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
		     EVP_DigestSign(c, sig, &size, text, sizeof(text)) == 1,
	     "signature");
	t = now();
	for (unsigned int i = 0; i < count; i++) {
		EVP_MD_CTX_reset(c);
		must(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
			     EVP_DigestVerify(c, sig, size, text, sizeof(text)) == 1,
		     "verification");
	}
	t = now() - t;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(key);
	return count / t;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;

	if (count == 0 || count > 100000) {
		fprintf(stderr, "Usage: appraisal COUNT\n");
		return 64;
	}
	printf("appraisals_per_s %.1f\n", appraisals((unsigned int)count));
	printf("raw_p256_verifies_per_s %.1f\n", verifications((unsigned int)count * 20));
	return 0;
}
