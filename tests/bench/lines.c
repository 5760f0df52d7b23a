/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c: what a verifier does with lines of a ledger, on one core, in memory: into the tree (beside SHA-256 over the same bytes, in
 * OpenSSL alone), and read and judged against a baseline of 100,000 files; the first evidence of 50,000 lines, as one body, with its
 * store on disk; and steady evidence of 8 lines, its signatures and its store left out, beside the signatures that must be verified.
 * In: a directory. Out: "name value" a line.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appraise_drift.h"
#include "cleanup.h"
#include "node_fixture.h"

#define ENTRIES 100000u
#define LINES 50000u
#define ROUNDS 10

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "lines: %s failed\n", what);
	exit(1);
}

static void path_of(unsigned int i, char ret[64])
{
	snprintf(ret, 64, "/usr/lib/directory-%03u/file-%06u", i / 500, i);
}

/* Lines of about 300 bytes, each over a file of the baseline, all as it has them. */
static void make_lines(struct node_fixture *n)
{
	char path[64];

	while (n->tree.size < LINES) {
		path_of((unsigned int)(n->tree.size * 7919 % ENTRIES), path);
		node_fixture_file(n, path, "reg one");
	}
}

static void make_baseline(struct verifier_fixture *v, struct baseline_info *ret)
{
	struct buf entries = {0}, file = {0};
	struct why why = {""};
	char path[64], line[192];

	for (unsigned int i = 0; i < ENTRIES; i++) {
		path_of(i, path);
		snprintf(line, sizeof(line),
			 "{\"s\":\"host\",\"k\":\"file:%s\",\"x\":\"reg one\"}\n", path);
		buf_puts(&entries, line);
	}
	must(buf_status(&entries) >= 0, "entries");
	verifier_fixture_baseline("bench", 1, (char *)entries.data, v->approver, &file);
	must(verifier_fixture_put_baseline(v, &file, ret, &why) >= 0, "baseline");
	buf_done(&entries);
	buf_done(&file);
}

static double tree_lines(const struct buf *lines)
{
	const char *at = (const char *)lines->data, *end = at + lines->size, *lf;
	double t = cpu();
	unsigned int n = 0;
	struct merkle m;

	merkle_init(&m);
	for (; at < end; at = lf + 1, n++) {
		struct digest leaf;

		lf = memchr(at, '\n', (size_t)(end - at));
		must(lf && merkle_leaf(at, (size_t)(lf - at), &leaf) >= 0 &&
			     merkle_add(&m, &leaf) >= 0,
		     "tree");
	}
	return n / (cpu() - t);
}

/* The same bytes, and a node of 65 for each, in OpenSSL alone. */
static double raw_lines(const struct buf *lines)
{
	const char *at = (const char *)lines->data, *end = at + lines->size, *lf;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char d[32], node[65] = {1};
	unsigned int n = 0;
	double t = cpu();

	must(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1, "context");
	for (; at < end; at = lf + 1, n++) {
		lf = memchr(at, '\n', (size_t)(end - at));
		must(lf && EVP_DigestInit_ex(c, NULL, NULL) == 1 &&
			     EVP_DigestUpdate(c, at, (size_t)(lf - at)) == 1 &&
			     EVP_DigestFinal_ex(c, d, NULL) == 1,
		     "leaf");
		must(EVP_DigestInit_ex(c, NULL, NULL) == 1 &&
			     EVP_DigestUpdate(c, node, sizeof(node)) == 1 &&
			     EVP_DigestFinal_ex(c, d, NULL) == 1,
		     "node");
	}
	EVP_MD_CTX_free(c);
	return n / (cpu() - t);
}

static int count_drift(void *ctx, const struct appraise_drift_item *i)
{
	*(unsigned int *)ctx += i->judgement == PLUMB_JUDGE_DRIFT;
	return 0;
}

static double judged_lines(const struct node_fixture *n, const struct baseline *b)
{
	struct appraise_drift_state state = {.restart_used = 0};
	unsigned int drift = 0;
	struct why why = {""};
	const struct appraise_drift_in in = {
		.lines = {n->lines.data, n->lines.size},
		.n = n->tree.size,
		.baseline = b,
		.now_ns = n->v->utc_ns,
		.item = count_drift,
		.ctx = &drift,
	};
	double t = cpu();

	must(appraise_drift(&in, &state, &why) >= 0, why.text);
	t = cpu() - t;
	must(drift == 0, "good lines were judged drift: so judging them");
	appraise_drift_state_done(&state);
	return (double)n->tree.size / t;
}

static double first_evidence(struct node_fixture *n)
{
	struct buf body = {0};
	double t;

	node_fixture_extend(n);
	must(node_fixture_nonce(n) == 200, "nonce");
	node_fixture_body(n, 0, false, true, &body);
	t = now();
	must(node_fixture_give(n, false, &body) == 200 && n->answer.result == PLUMB_RESULT_ACCEPTED,
	     "first evidence");
	t = now() - t;
	buf_done(&body);
	return t * 1000;
}

int main(void)
{
	struct verifier_fixture v;
	struct node_fixture n;
	struct baseline_info info;
	struct baseline *b = NULL;
	struct why why = {""};
	char path[PATH_MAX], hex[DIGEST_HEX_SIZE];

	verifier_fixture_open(&v);
	node_fixture_open(&n, &v, 1);
	make_baseline(&v, &info);
	node_fixture_assign(&n, &info);
	make_lines(&n);
	printf("line_bytes %.0f\n", (double)n.lines.size / (double)n.tree.size);
	digest_hex(&info.document, hex);
	snprintf(path, sizeof(path), "%s/%s", v.baseline_dir, hex);
	must(baseline_open(fsio_system(), path, NULL, 0, 0, &b, &why) >= 0, why.text);
	for (int i = 0; i < ROUNDS; i++) {
		printf("ledger_tree_lines_per_s %.0f\n", tree_lines(&n.lines));
		printf("raw_sha256_lines_per_s %.0f\n", raw_lines(&n.lines));
		printf("ledger_judged_lines_per_s %.0f\n", judged_lines(&n, b));
	}
	baseline_free(b);
	printf("first_evidence_50k_ms %.1f\n", first_evidence(&n));
	node_fixture_done(&n);
	verifier_fixture_done(&v);
	return 0;
}
