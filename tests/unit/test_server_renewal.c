/* SPDX-License-Identifier: Apache-2.0 */
/* The server's certificate is issued anew while it serves: once, of the same key, whatever fails first, and good by everybody's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#include "cleanup.h"
#include "fault_fsio.h"
#include "server_renewal.h"
#include "verifier_files.h"

#define DAY 86400ll

static char dir[64];
static int64_t ahead_s; /* of the time of day */
static uint64_t boot_s;
static struct conf_list hosts = {.items = {(char *)"127.0.0.1"}, .n_items = 1};
static struct verifier_keys keys;
static struct fault_fsio disk;
static int n_shown, show_fails;
static struct buf shown;

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return (uint64_t)(time(NULL) + ahead_s) * 1000000000;
}

static uint64_t boot(void *ctx)
{
	(void)ctx;
	return boot_s * 1000000000;
}

static const struct clock fake_clock = {utc, boot, NULL};

static int on_show(void *ctx, const char *cert_pem, struct why *ret_why)
{
	(void)ctx;
	n_shown++;
	if (show_fails)
		return why_set(ret_why, show_fails, "test");
	buf_clear(&shown);
	buf_puts(&shown, cert_pem);
	return 0;
}

static struct server_renewal renewal;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	struct why why = {""};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/plumb-renewal-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	ahead_s = 0;
	boot_s = 100;
	n_shown = show_fails = 0;
	hosts.n_items = 1;
	fault_fsio_init(&disk, -1, false, -ENOSPC);
	if (verifier_setup_init(fsio_system(), dir, &hosts, "0.0.0.0:9443", "alice", &why) < 0 ||
	    verifier_setup_keys(fsio_system(), dir, &hosts, &keys, &why) < 0)
		return -1;
	renewal = (struct server_renewal){.io = &disk.io,
					  .clock = &fake_clock,
					  .dir = dir,
					  .hosts = &hosts,
					  .keys = &keys,
					  .show = on_show};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	verifier_keys_done(&keys);
	buf_done(&shown);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void after(uint64_t seconds)
{
	boot_s += seconds;
	server_renewal_tick(&renewal);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool on_disk(const struct buf *pem)
{
	CLEANUP(buf_done) struct buf b = {0};

	assert_int_equal(verifier_files_get(fsio_system(), dir, "server.crt", &b), 0);
	return same(&b, pem);
}

static X509 *read_shown(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static struct buf copy(const struct buf *b)
{
	struct buf c = {0};

	buf_put(&c, b->data, b->size);
	return c;
}

static void test_once(void **state)
{
	CLEANUP(buf_done) struct buf before = copy(&keys.server_pem);
	X509 *old = read_shown(&before), *new;

	(void)state;
	server_renewal_tick(&renewal);
	ahead_s = 334 * DAY;
	after(3600);
	assert_int_equal(n_shown, 0);
	ahead_s = 336 * DAY;
	after(3599); /* it is looked at each hour */
	assert_int_equal(n_shown, 0);
	after(1);
	assert_int_equal(n_shown, 1);
	assert_true(same(&shown, &keys.server_pem) && on_disk(&shown) && !same(&shown, &before));
	new = read_shown(&shown);
	/* Its key is the same. */
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(old), X509_get0_pubkey(new)), 1);
	/* It is good for a year from then on, and already now: the clock may be one that is ahead for a while. */
	for (int64_t s = 0; s < (336 + 364) * DAY; s += DAY) {
		time_t at = time(NULL) + s;

		assert_true(X509_cmp_time(X509_get0_notBefore(new), &at) < 0);
		assert_true(X509_cmp_time(X509_get0_notAfter(new), &at) > 0);
	}
	X509_free(old);
	X509_free(new);
	for (int i = 0; i < 50; i++)
		after(3600);
	assert_int_equal(n_shown, 1);
	/* A second year. */
	ahead_s = (336 + 336) * DAY;
	after(3600);
	assert_int_equal(n_shown, 2);
	/* One that starts then finds it good. */
	ahead_s = 0;
	boot_s = 0;
	renewal.next_ns = 0;
	server_renewal_tick(&renewal);
	assert_int_equal(n_shown, 2);
}

/* By a clock that starts in 1970 nothing is good yet: what is there will be when it is right. */
static void test_a_clock_before_all(void **state)
{
	CLEANUP(buf_done) struct buf before = copy(&keys.server_pem);

	(void)state;
	for (int64_t at = 60; at < 60 * DAY; at += 30 * DAY) {
		ahead_s = at - (int64_t)time(NULL);
		after(3600);
		assert_int_equal(n_shown, 0);
		assert_true(same(&keys.server_pem, &before) && on_disk(&before));
	}
	ahead_s = 0;
	after(3600);
	assert_int_equal(n_shown, 0);
}

/* Whatever call of the disk fails: the old one is kept, and an hour later it is tried again. */
static void test_disk_fails(void **state)
{
	CLEANUP(buf_done) struct buf before = copy(&keys.server_pem);

	(void)state;
	ahead_s = 340 * DAY;
	for (long left = 0; left < 3; left++) {
		fault_fsio_init(&disk, left, left % 2, -ENOSPC);
		after(3600);
		assert_int_equal(n_shown, 0);
		assert_true(same(&keys.server_pem, &before) && on_disk(&before));
	}
	fault_fsio_init(&disk, -1, false, 0);
	after(1800);
	assert_int_equal(n_shown, 0);
	after(1800);
	assert_int_equal(n_shown, 1);
	assert_true(on_disk(&shown));
}

/* It was issued, and cannot be shown: the same one is shown later. */
static void test_show_fails(void **state)
{
	CLEANUP(buf_done) struct buf issued = {0};

	(void)state;
	ahead_s = 340 * DAY;
	show_fails = -ENOMEM;
	after(1);
	assert_int_equal(n_shown, 1);
	assert_int_equal(shown.size, 0);
	issued = copy(&keys.server_pem);
	show_fails = 0;
	after(60);
	assert_int_equal(n_shown, 1);
	after(3600);
	assert_int_equal(n_shown, 2);
	assert_true(same(&shown, &issued) && on_disk(&issued));
	after(3600);
	assert_int_equal(n_shown, 2);
}

/* For which names, nobody says: it stays, and that is told each day. */
static void test_no_hosts(void **state)
{
	CLEANUP(buf_done) struct buf before = copy(&keys.server_pem);

	(void)state;
	hosts.n_items = 0;
	ahead_s = 340 * DAY;
	after(1);
	assert_true(renewal.next_ns == (boot_s + 86400) * 1000000000);
	for (int i = 0; i < 50; i++)
		after(3600);
	ahead_s = 366 * DAY;
	after(86400);
	assert_int_equal(n_shown, 0);
	assert_true(same(&keys.server_pem, &before) && on_disk(&before));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_once),       EACH(test_a_clock_before_all), EACH(test_disk_fails),
		EACH(test_show_fails), EACH(test_no_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
