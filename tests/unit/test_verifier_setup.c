/* SPDX-License-Identifier: Apache-2.0 */
/* A verifier is made, whatever call of the disk fails meanwhile; its keys are nobody else's; operators come, are renewed, and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "cleanup.h"
#include "fault_fsio.h"
#include "verifier_files.h"
#include "verifier_operators.h"
#include "verifier_setup.h"

static char dir[64];
static struct conf_list hosts = {.items = {(char *)"127.0.0.1"}, .n_items = 1};
static const struct conf_list no_hosts = {.n_items = 0};
static struct why why;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/plumb-setup-XXXXXX");
	why.text[0] = 0;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int init(const struct fsio *io)
{
	why.text[0] = 0;
	return verifier_setup_init(io, dir, &hosts, "0.0.0.0:9443", "alice", &why);
}

static int keys(const struct conf_list *names, struct verifier_keys *ret)
{
	why.text[0] = 0;
	*ret = (struct verifier_keys){.ca = NULL};
	return verifier_setup_keys(fsio_system(), dir, names, ret, &why);
}

static int add(const char *name, const char *role, const char *csr)
{
	why.text[0] = 0;
	return verifier_operators_add(fsio_system(), dir, name, role, csr, &why);
}

static struct buf load(const char *name)
{
	struct buf b = {0};

	assert_int_equal(verifier_files_get(fsio_system(), dir, name, &b), 0);
	return b;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static int check_mode(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (st->st_mode & 077)
		print_error("%s has mode %o\n", path, st->st_mode & 0777);
	if (type == FTW_F && (st->st_mode & 0777) != 0600)
		print_error("%s has mode %o\n", path, st->st_mode & 0777);
	return (st->st_mode & 077) != 0 || (type == FTW_F && (st->st_mode & 0777) != 0600);
}

static void test_init(void **state)
{
	const mode_t before = umask(0);
	struct verifier_keys k;
	struct buf first, again, config;

	(void)state;
	assert_int_equal(keys(&hosts, &k), -ENOENT);
	assert_non_null(strstr(why.text, "plumb-verifier init"));
	assert_int_equal(init(fsio_system()), 0);
	assert_int_equal(nftw(dir, check_mode, 16, FTW_PHYS), 0);
	umask(before);
	first = load("ca.key");
	assert_int_equal(init(fsio_system()), -EEXIST);
	again = load("ca.key");
	assert_true(same(&first, &again));
	config = load("plumbctl.yaml");
	assert_non_null(strstr((char *)config.data, "server: https://127.0.0.1:9443\n"));
	assert_int_equal(keys(&no_hosts, &k), 0);
	assert_true(sign_key_is_private(k.ca) && sign_key_is_private(k.verdict));
	assert_int_equal(sign_key_kind(k.witness), SIGN_ED25519);
	verifier_keys_done(&k);
	buf_done(&first);
	buf_done(&again);
	buf_done(&config);
}

static void test_init_without_hosts(void **state)
{
	(void)state;
	hosts.n_items = 0;
	assert_int_equal(init(fsio_system()), -EINVAL);
	hosts.n_items = 1;
	assert_non_null(strstr(why.text, "hosts"));
	/* Nothing was begun. */
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

/* Every call of the disk in turn is the last one that works: what is there then is no verifier, and init makes one of it. */
static void test_init_cut_off(void **state)
{
	struct fault_fsio f;
	struct verifier_keys k;
	long n;
	int r;

	fault_fsio_init(&f, -1, false, -EIO);
	assert_int_equal(init(&f.io), 0);
	n = f.calls;
	assert_true(n > 20);
	for (long left = 0; left < n; left++) {
		teardown(state);
		assert_int_equal(setup(state), 0);
		fault_fsio_init(&f, left, left % 2, left % 3 ? -ENOSPC : -EIO);
		r = init(&f.io);
		if (r >= 0) /* only what did not matter failed */
			continue;
		assert_true(r == -ENOSPC || r == -EIO);
		assert_true(why.text[0]);
		r = keys(&hosts, &k);
		verifier_keys_done(&k);
		/* The last one may have made it ready before its directory was synced. */
		assert_true(r == -ENOENT || left > n - 4);
		if (r == -ENOENT) {
			assert_int_equal(init(fsio_system()), 0);
			assert_int_equal(keys(&hosts, &k), 0);
			verifier_keys_done(&k);
		}
	}
}

static void test_missing_parts(void **state)
{
	static const char *const parts[] = {"ca.key",	   "ca.crt",	 "verdict.key",
					    "witness.key", "server.key", "server.crt"};
	struct verifier_keys k;
	char path[128], aside[128];

	(void)state;
	assert_int_equal(init(fsio_system()), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, parts[i]);
		snprintf(aside, sizeof(aside), "%s/aside", dir);
		assert_int_equal(rename(path, aside), 0);
		assert_int_equal(keys(&no_hosts, &k), -EBADMSG);
		assert_non_null(strstr(why.text, parts[i]));
		assert_int_equal(rename(aside, path), 0);
	}
	snprintf(path, sizeof(path), "%s/verdict.key", dir);
	assert_int_equal(truncate(path, 40), 0);
	assert_int_equal(keys(&no_hosts, &k), -EKEYREJECTED);
	assert_non_null(strstr(why.text, "verdict.key"));
}

/* A server's certificate from then on, so many seconds from now, for the key that is there. */
static void put_server_from(int64_t from_s, uint64_t life_s)
{
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = "plumb-verifier",
				       .hosts = (const char *const *)hosts.items,
				       .n_hosts = 1,
				       .not_before_s = (uint64_t)((int64_t)time(NULL) + from_s),
				       .life_s = life_s};
	struct sign_key *ca = NULL, *key = NULL;
	struct buf ca_pem = load("ca.crt"), pem = {0};

	assert_int_equal(verifier_files_read_key(fsio_system(), dir, "ca.key", &ca, &why), 0);
	assert_int_equal(verifier_files_read_key(fsio_system(), dir, "server.key", &key, &why), 0);
	assert_int_equal(cert_issue(&q, key, (char *)ca_pem.data, ca, &pem, &why), 0);
	assert_int_equal(verifier_files_put(fsio_system(), dir, "server.crt", &pem), 0);
	sign_key_free(ca);
	sign_key_free(key);
	buf_done(&ca_pem);
	buf_done(&pem);
}

static void put_server(uint64_t left_s)
{
	put_server_from(-100000, 100000 + left_s);
}

/* Issued while this clock was months ahead: it ends late enough, and nobody takes it before it begins. */
static void test_renewal_after_a_clock(void **state)
{
	struct verifier_keys k;
	struct buf before, after;

	(void)state;
	assert_int_equal(init(fsio_system()), 0);
	put_server_from(60 * 86400, 365 * 86400);
	before = load("server.crt");
	assert_int_equal(keys(&no_hosts, &k), -EINVAL);
	assert_non_null(strstr(why.text, "not good yet"));
	assert_int_equal(keys(&hosts, &k), 0);
	after = load("server.crt");
	assert_false(same(&after, &before));
	assert_true(same(&after, &k.server_pem));
	verifier_keys_done(&k);
	buf_done(&before);
	before = load("server.crt");
	assert_int_equal(keys(&hosts, &k), 0);
	assert_true(same(&k.server_pem, &before));
	verifier_keys_done(&k);
	buf_done(&before);
	buf_done(&after);
}

static void test_renewal(void **state)
{
	struct verifier_keys k;
	struct buf before, after, key, key_after;

	(void)state;
	assert_int_equal(init(fsio_system()), 0);
	put_server(31 * 86400);
	before = load("server.crt");
	key = load("server.key");
	assert_int_equal(keys(&hosts, &k), 0);
	assert_true(same(&k.server_pem, &before));
	verifier_keys_done(&k);
	put_server(29 * 86400);
	buf_done(&before);
	before = load("server.crt");
	/* Nobody says for which names: it stays while it is good. */
	assert_int_equal(keys(&no_hosts, &k), 0);
	assert_true(same(&k.server_pem, &before));
	verifier_keys_done(&k);
	assert_int_equal(keys(&hosts, &k), 0);
	after = load("server.crt");
	key_after = load("server.key");
	assert_false(same(&after, &before));
	assert_true(same(&after, &k.server_pem));
	assert_true(same(&key, &key_after) && same(&key, &k.server_key_pem));
	verifier_keys_done(&k);
	put_server(0);
	sleep(1);
	assert_int_equal(keys(&no_hosts, &k), -EINVAL);
	assert_non_null(strstr(why.text, "hosts"));
	assert_int_equal(keys(&hosts, &k), 0);
	verifier_keys_done(&k);
	buf_done(&before);
	buf_done(&after);
	buf_done(&key);
	buf_done(&key_after);
}

struct counts {
	const char *name;
	int good, revoked;
	enum plumb_role role;
};

static int on_count(void *ctx, const struct store_operator *o)
{
	struct counts *c = ctx;

	if (strcmp(o->name, c->name) != 0)
		return 0;
	c->good += !o->revoked;
	c->revoked += o->revoked;
	if (!o->revoked)
		c->role = o->role;
	return 0;
}

static struct counts count(const char *name)
{
	struct counts c = {.name = name};
	struct store s;

	assert_int_equal(verifier_files_store(dir, &s, &why), 0);
	assert_int_equal(s.ops->operator_each(s.ctx, on_count, &c), 0);
	s.ops->close(s.ctx);
	return c;
}

static void test_operators(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"a/b",
		"a b",
		"-\n",
		"a\"",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct buf key, again;
	struct counts c;

	(void)state;
	assert_int_equal(add("bob", "viewer", NULL), -ENOENT);
	assert_int_equal(verifier_operators_revoke(dir, "bob", &why), -ENOENT);
	assert_int_equal(verifier_operators_list(dir, &why), -ENOENT);
	assert_int_equal(init(fsio_system()), 0);
	assert_int_equal(count("alice").role, PLUMB_ROLE_APPROVER);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(add(bad[i], "viewer", NULL), -EINVAL);
	assert_int_equal(add("bob", "boss", NULL), -EINVAL);
	assert_int_equal(add("bob", "viewer", NULL), 0);
	key = load("operators/bob.key");
	/* Again: the certificate is new and the role another, the key stays. */
	assert_int_equal(add("bob", "responder", NULL), 0);
	again = load("operators/bob.key");
	assert_true(same(&key, &again));
	c = count("bob");
	assert_true(c.good == 1 && c.revoked == 0 && c.role == PLUMB_ROLE_RESPONDER);
	assert_int_equal(verifier_operators_revoke(dir, "bob", &why), 0);
	assert_int_equal(verifier_operators_revoke(dir, "bob", &why), -EINVAL);
	assert_int_equal(count("bob").good, 0);
	/* He comes back under another key. */
	assert_int_equal(add("bob", "viewer", NULL), 0);
	buf_done(&again);
	again = load("operators/bob.key");
	assert_false(same(&key, &again));
	c = count("bob");
	assert_true(c.good == 1 && c.revoked == 1);
	buf_done(&key);
	buf_done(&again);
}

static void put_csr(const struct sign_key *key, const char *path)
{
	struct buf pem = {0};

	assert_int_equal(cert_csr_make(key, "somebody", &pem), 0);
	assert_int_equal(fsio_replace_file(fsio_system(), path, pem.data, pem.size, 0600), 0);
	buf_done(&pem);
}

static void test_requests(void **state)
{
	struct cert_identity who;
	struct sign_key *key = NULL, *other = NULL;
	struct buf pem;
	char csr[128];

	(void)state;
	assert_int_equal(init(fsio_system()), 0);
	snprintf(csr, sizeof(csr), "%s/request.pem", dir);
	assert_int_equal(add("rita", "responder", csr), -EINVAL);
	assert_non_null(strstr(why.text, csr));
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &other), 0);
	put_csr(key, csr);
	assert_int_equal(add("rita", "responder", csr), 0);
	pem = load("operators/rita.crt");
	assert_int_equal(cert_identity_pem((char *)pem.data, pem.size, &who, &why), 0);
	assert_string_equal(who.name, "rita");
	assert_int_equal(who.role, PLUMB_ROLE_RESPONDER);
	assert_int_equal(add("rita", "approver", csr), 0); /* renewed */
	/* A second key under the name of somebody who is there, by request or made here. */
	put_csr(other, csr);
	assert_int_equal(add("rita", "responder", csr), -EEXIST);
	assert_int_equal(add("rita", "responder", NULL), -EEXIST);
	assert_int_equal(add("alice", "viewer", csr), -EEXIST);
	/* What was taken back does not return, under no name. */
	assert_int_equal(verifier_operators_revoke(dir, "rita", &why), 0);
	put_csr(key, csr);
	assert_int_equal(add("rita", "responder", csr), -EEXIST);
	assert_int_equal(add("rosa", "responder", csr), -EEXIST);
	put_csr(other, csr);
	assert_int_equal(add("rita", "responder", csr), 0);
	/* Cut short. */
	assert_int_equal(truncate(csr, 100), 0);
	assert_true(add("rolf", "responder", csr) < 0);
	sign_key_free(key);
	sign_key_free(other);
	buf_done(&pem);
}

static void test_lock(void **state)
{
	int first = -1, second = -1;

	(void)state;
	assert_int_equal(verifier_files_lock(dir, &first, &why), 0);
	assert_int_equal(verifier_files_lock(dir, &second, &why), -EBUSY);
	close(first);
	assert_int_equal(verifier_files_lock(dir, &second, &why), 0);
	close(second);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_init),	 EACH(test_init_without_hosts),
		EACH(test_init_cut_off), EACH(test_missing_parts),
		EACH(test_renewal),	 EACH(test_renewal_after_a_clock),
		EACH(test_operators),	 EACH(test_requests),
		EACH(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
