/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlogs.c: how many boot logs of 41 KB (a real machine's, Secure Boot on) one core reads a second: each event parsed, replayed, its digest made anew,
 * checked, and all of it told as claims. Beside it, in turns, SHA-256 alone in OpenSSL over the same bytes: each event's data once, and each register's step.
 * In: a count. Out: "name value" a line.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bootlog_reading.h"
#include "fsio.h"

#define LOG "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"
#define TURNS 10

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
	fprintf(stderr, "bootlogs: %s failed\n", what);
	exit(1);
}

static int put(void *ctx, const char *key, const char *value)
{
	unsigned long *n = ctx;

	*n += key[0] != 0 && value[0] != 0;
	return 0;
}

static void read_one(const struct buf *log)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};
	unsigned long n = 0;

	must(bootlog_reading_open(log->data, log->size, &g, &why) == 0 &&
		     !bootlog_reading_odd(g)[0],
	     "reading");
	must(bootlog_reading_claims(g, put, &n) == 0 && n > 20, "claims");
	bootlog_reading_free(g);
}

static void hash_one(const struct buf *log, EVP_MD_CTX *c)
{
	unsigned char d[EVP_MAX_MD_SIZE] = {0};
	struct bootlog_event e;
	struct bootlog b;
	struct why why = {""};

	must(bootlog_open(log->data, log->size, 0, &b, &why) == 0, "log");
	while (bootlog_next(&b, &e, &why) > 0)
		must(EVP_DigestInit_ex(c, NULL, NULL) == 1 &&
			     EVP_DigestUpdate(c, e.data.data, e.data.size) == 1 &&
			     EVP_DigestFinal_ex(c, d, NULL) == 1 &&
			     EVP_DigestInit_ex(c, NULL, NULL) == 1 &&
			     EVP_DigestUpdate(c, d, 32) == 1 &&
			     EVP_DigestUpdate(c, e.digests[0], 32) == 1 &&
			     EVP_DigestFinal_ex(c, d, NULL) == 1,
		     "hashing");
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	double t, ours = 0, raw = 0;
	struct buf log = {0};
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (count == 0 || count > 1000000) {
		fprintf(stderr, "Usage: bootlogs COUNT\n");
		return 64;
	}
	must(fsio_read_file(fsio_system(), LOG, BOOTLOG_MAX, &log) == 0, LOG);
	must(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1, "OpenSSL");
	for (int i = 0; i < TURNS; i++) {
		t = cpu();
		for (unsigned long k = 0; k < count; k++)
			read_one(&log);
		ours += cpu() - t;
		t = cpu();
		for (unsigned long k = 0; k < count; k++)
			hash_one(&log, c);
		raw += cpu() - t;
	}
	printf("bootlogs_per_s %.1f\n", (double)count * TURNS / ours);
	printf("bootlog_raw_hashing_per_s %.1f\n", (double)count * TURNS / raw);
	EVP_MD_CTX_free(c);
	buf_done(&log);
	return 0;
}
