/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steady.c: what the appraisal of steady evidence costs a verifier beside the signatures in it: 8 new lines, a quote by a P-256 AK and a
 * note of the event key. The time in OpenSSL's signatures, in SQLite and at the disk is left out, by standing before those functions here;
 * beside it, turn about, the bare verifications of the signatures that came. In: a count. Out: "name value" a line, times in microseconds.
 */
#include <dlfcn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "node_fixture.h"

#define LINES 8
#define ENTRIES                                                        \
	"{\"s\":\"host\",\"k\":\"file:/etc/one\",\"x\":\"reg one\"}\n" \
	"{\"s\":\"host\",\"k\":\"file:/etc/two\",\"x\":\"reg one\"}\n"

static double outside, entered;
static unsigned int depth, verified;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "steady: %s failed\n", what);
	exit(1);
}

static void enter(void)
{
	if (depth++ == 0)
		entered = now();
}

static void leave(void)
{
	if (--depth == 0)
		outside += now() - entered;
}

static void *the_real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	must(f != NULL, name);
	return f;
}

/* The program's own symbols come before those of the libraries that it is linked with. */
#define STAND_BEFORE(type, name, params, ...)              \
	type name params                                   \
	{                                                  \
		static type(*real) params;                 \
		type r;                                    \
                                                           \
		if (!real)                                 \
			*(void **)&real = the_real(#name); \
		enter();                                   \
		r = real(__VA_ARGS__);                     \
		leave();                                   \
		return r;                                  \
	}

STAND_BEFORE(int, sqlite3_step, (sqlite3_stmt * s), s)
STAND_BEFORE(int, sqlite3_reset, (sqlite3_stmt * s), s)
STAND_BEFORE(int, sqlite3_finalize, (sqlite3_stmt * s), s)
STAND_BEFORE(int, sqlite3_clear_bindings, (sqlite3_stmt * s), s)
STAND_BEFORE(int, sqlite3_prepare_v2,
	     (sqlite3 * d, const char *sql, int n, sqlite3_stmt **ret, const char **tail), d, sql,
	     n, ret, tail)
STAND_BEFORE(int, sqlite3_prepare_v3,
	     (sqlite3 * d, const char *sql, int n, unsigned int flags, sqlite3_stmt **ret,
	      const char **tail),
	     d, sql, n, flags, ret, tail)
STAND_BEFORE(int, sqlite3_exec,
	     (sqlite3 * d, const char *sql, int (*fn)(void *, int, char **, char **), void *ctx,
	      char **error),
	     d, sql, fn, ctx, error)
STAND_BEFORE(int, fdatasync, (int fd), fd)
STAND_BEFORE(int, fsync, (int fd), fd)
STAND_BEFORE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
STAND_BEFORE(ssize_t, pread, (int fd, void *data, size_t size, off_t at), fd, data, size, at)
STAND_BEFORE(int, EVP_DigestSignInit,
	     (EVP_MD_CTX * c, EVP_PKEY_CTX **p, const EVP_MD *md, ENGINE *e, EVP_PKEY *key), c, p,
	     md, e, key)
STAND_BEFORE(int, EVP_DigestSign,
	     (EVP_MD_CTX * c, unsigned char *sig, size_t *n, const unsigned char *data,
	      size_t size),
	     c, sig, n, data, size)
STAND_BEFORE(int, EVP_DigestVerifyInit,
	     (EVP_MD_CTX * c, EVP_PKEY_CTX **p, const EVP_MD *md, ENGINE *e, EVP_PKEY *key), c, p,
	     md, e, key)

int EVP_DigestVerify(EVP_MD_CTX *c, const unsigned char *sig, size_t n, const unsigned char *data,
		     size_t size)
{
	static int (*real)(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *,
			   size_t);
	int r;

	if (!real)
		*(void **)&real = the_real("EVP_DigestVerify");
	verified++;
	enter();
	r = real(c, sig, n, data, size);
	leave();
	return r;
}

#define MAX 100000
#define IN_BATCH 8

/* A signature that is verified again and again, as bare as it can be. */
struct bare {
	EVP_PKEY *key;
	EVP_MD_CTX *ctx;
	unsigned char sig[128];
	size_t size;
};

static const unsigned char text[32] = "thirty-two bytes to be signed..";

static void bare_open(struct bare *b)
{
	*b = (struct bare){EVP_EC_gen("P-256"), EVP_MD_CTX_new(), {0}, sizeof(b->sig)};
	must(b->key && b->ctx &&
		     EVP_DigestSignInit(b->ctx, NULL, EVP_sha256(), NULL, b->key) == 1 &&
		     EVP_DigestSign(b->ctx, b->sig, &b->size, text, sizeof(text)) == 1,
	     "signature");
}

static void bare_done(struct bare *b)
{
	EVP_MD_CTX_free(b->ctx);
	EVP_PKEY_free(b->key);
}

static void bare_verify(struct bare *b)
{
	EVP_MD_CTX_reset(b->ctx);
	must(EVP_DigestVerifyInit(b->ctx, NULL, EVP_sha256(), NULL, b->key) == 1 &&
		     EVP_DigestVerify(b->ctx, b->sig, b->size, text, sizeof(text)) == 1,
	     "verification");
}

/* Of one, the first of them left out: what comes after an evidence finds none of it in the caches. */
static double bare(struct bare *b)
{
	double t;

	bare_verify(b);
	t = now();
	for (unsigned int i = 0; i < IN_BATCH; i++)
		bare_verify(b);
	return (now() - t) / IN_BATCH;
}

struct cost {
	double all[MAX], own[MAX]; /* of each evidence */
	double raw[MAX]; /* of a bare verification, behind each */
	unsigned int n, verified;
};

static void one(struct node_fixture *n, struct bare *b, struct cost *c)
{
	CLEANUP(buf_done) struct buf body = {0};
	uint64_t from = n->tree.size;
	double t;

	for (int i = 0; i < LINES; i++)
		node_fixture_file(n, i % 2 ? "/etc/one" : "/etc/two", "reg one");
	node_fixture_extend(n);
	must(node_fixture_nonce(n) == 200, "nonce");
	node_fixture_body(n, from, false, true, &body);
	outside = 0;
	verified = 0;
	t = now();
	must(node_fixture_give(n, false, &body) == 200 && n->answer.result == PLUMB_RESULT_ACCEPTED,
	     "evidence");
	c->all[c->n] = now() - t;
	c->own[c->n] = c->all[c->n] - outside;
	c->verified += verified;
	c->raw[c->n++] = bare(b);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Other work on the machine makes some of them longer, not the one in the middle. */
static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[n / 2];
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	struct verifier_fixture v;
	struct node_fixture n;
	struct baseline_info info;
	struct buf file = {0};
	struct why why = {""};
	static struct cost c;
	struct bare b;
	double raw, own;

	if (count == 0 || count > MAX) {
		fprintf(stderr, "Usage: steady COUNT\n");
		return 64;
	}
	verifier_fixture_open(&v);
	node_fixture_open(&n, &v, 1);
	verifier_fixture_baseline("bench", 1, ENTRIES, v.approver, &file);
	must(verifier_fixture_put_baseline(&v, &file, &info, &why) >= 0, "baseline");
	buf_done(&file);
	node_fixture_assign(&n, &info);
	must(node_fixture_evidence(&n) == PLUMB_RESULT_ACCEPTED, "first evidence");
	bare_open(&b);
	for (unsigned int i = 0; i < count; i++)
		one(&n, &b, &c);
	bare_done(&b);
	raw = median(c.raw, c.n) * c.verified / c.n;
	own = median(c.own, c.n);
	printf("steady_verifies %.2f\n", (double)c.verified / c.n);
	printf("steady_all_us %.1f\n", median(c.all, c.n));
	printf("steady_own_us %.1f\n", own);
	printf("steady_raw_us %.1f\n", raw);
	printf("steady_vs_raw %.3f\n", own / raw);
	node_fixture_done(&n);
	verifier_fixture_done(&v);
	return 0;
}
