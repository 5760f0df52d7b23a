/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_setup.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "cleanup.h"
#include "log.h"
#include "verifier_files.h"
#include "verifier_operators.h"

#define DAY 86400ull
#define SERVER_LIFE_S (365 * DAY)
#define OLD_KEY "verdict.old.key"
#define RENEW_S (30 * DAY) /* before its end */

void verifier_keys_done(struct verifier_keys *k)
{
	k->ca = sign_key_free(k->ca);
	k->verdict = sign_key_free(k->verdict);
	k->old_verdict = sign_key_free(k->old_verdict);
	k->witness = sign_key_free(k->witness);
	buf_done(&k->ca_pem);
	buf_done(&k->server_pem);
	verifier_files_wipe(&k->server_key_pem);
}

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static X509 *read_cert(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

/* UINT64_MAX: it cannot be told. */
static uint64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm = {.tm_sec = 0};
	time_t s = ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : -1;

	return s < 0 ? UINT64_MAX : (uint64_t)s;
}

static uint64_t begin_of(const struct buf *pem)
{
	X509 *cert = read_cert(pem);
	uint64_t begin = cert ? seconds_of(X509_get0_notBefore(cert)) : UINT64_MAX;

	X509_free(cert);
	return begin;
}

/* What was is shown until the other one lies on the disk. */
static int issue_server(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			const struct sign_key *key, uint64_t now, struct verifier_keys *k,
			struct why *ret_why)
{
	struct cert_request q = {
		.kind = CERT_SERVER,
		.name = "plumb-verifier",
		.hosts = (const char *const *)hosts->items,
		.n_hosts = hosts->n_items,
	};
	/* Since the CA began: by a clock that is ahead, a certificate would be issued that nobody takes when it is right again. */
	uint64_t begin = begin_of(&k->ca_pem);
	struct buf pem = {0};
	int r;

	q.not_before_s = begin < now - 3600 ? begin : now - 3600;
	q.life_s = now + SERVER_LIFE_S - q.not_before_s;
	r = cert_issue(&q, key, (char *)k->ca_pem.data, k->ca, &pem, ret_why);
	if (r >= 0)
		r = verifier_files_put(io, dir, "server.crt", &pem);
	buf_done(r < 0 ? &pem : &k->server_pem);
	if (r >= 0)
		k->server_pem = pem;
	return r;
}

static int make_server(const struct fsio *io, const char *dir, const struct conf_list *hosts,
		       struct verifier_keys *k, struct why *ret_why)
{
	struct sign_key *key = NULL;
	int r = verifier_files_make_key(io, dir, "server.key", SIGN_P256, &key);

	if (r >= 0)
		r = issue_server(io, dir, hosts, key, now_s(), k, ret_why);
	sign_key_free(key);
	return r;
}

static int make_ca(const struct fsio *io, const char *dir, struct verifier_keys *k,
		   struct why *ret_why)
{
	const struct cert_request q = {.kind = CERT_CA,
				       .name = "plumb-verifier-ca",
				       .not_before_s = now_s() - 3600,
				       .life_s = 3650 * DAY};
	int r = verifier_files_make_key(io, dir, "ca.key", SIGN_P256, &k->ca);

	if (r >= 0)
		r = cert_issue(&q, k->ca, NULL, NULL, &k->ca_pem, ret_why);
	return r < 0 ? r : verifier_files_put(io, dir, "ca.crt", &k->ca_pem);
}

/* The configuration that plumbctl takes; paths in it are relative to it. */
static int put_config(const struct fsio *io, const char *dir, const char *host, const char *listen,
		      const char *name)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *port = strrchr(listen, ':');
	bool v6 = strchr(host, ':') != NULL;

	buf_printf(&b,
		   "server: https://%s%s%s:%s\nca: ca.crt\ncert: operators/%s.crt\nkey: "
		   "operators/%s.key\n",
		   v6 ? "[" : "", host, v6 ? "]" : "", port ? port + 1 : "8443", name, name);
	return verifier_files_put(io, dir, "plumbctl.yaml", &b);
}

int verifier_setup_init(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			const char *listen, const char *operator_name, struct why *ret_why)
{
	CLEANUP(verifier_keys_done) struct verifier_keys k = {.ca = NULL};
	CLEANUP(buf_done) struct buf there = {0};
	char path[PATH_MAX];
	int r;

	if (hosts->n_items == 0)
		return why_set(ret_why, -EINVAL,
			       "hosts: name at least one host name or address of this verifier");
	r = fsio_mkdir_all(io, dir, 0700);
	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s", dir, strerror(-r));
	/* Written last, so that an init that was cut off can be repeated. */
	r = verifier_files_get(io, dir, "ready", &there);
	if (r >= 0)
		return why_set(ret_why, -EEXIST,
			       "%.150s: a verifier exists already, and its keys must not be lost",
			       dir);
	if (r != -ENOENT)
		return why_set(ret_why, r, "%.150s/ready: %s", dir, strerror(-r));
	r = snprintf(path, sizeof(path), "%s/operators", dir) < (int)sizeof(path) ? 0
										  : -ENAMETOOLONG;
	if (r >= 0)
		r = fsio_mkdir_all(io, path, 0700);
	if (r >= 0)
		r = make_ca(io, dir, &k, ret_why);
	if (r >= 0)
		r = verifier_files_make_key(io, dir, "verdict.key", SIGN_P256, &k.verdict);
	if (r >= 0)
		r = verifier_files_make_key(io, dir, "witness.key", SIGN_ED25519, &k.witness);
	if (r >= 0)
		r = make_server(io, dir, hosts, &k, ret_why);
	if (r >= 0)
		r = verifier_operators_put(io, dir, operator_name, "approver", NULL, ret_why);
	if (r >= 0)
		r = put_config(io, dir, hosts->items[0], listen, operator_name);
	buf_puts(&there, "1\n");
	if (r >= 0)
		r = verifier_files_put(io, dir, "ready", &there);
	if (r < 0)
		return ret_why->text[0] ? r : why_set(ret_why, r, "%.150s: %s", dir, strerror(-r));
	printf("A verifier of its own CA lies in %s.\n\n"
	       "  serve      plumb-verifier --data-dir=%s\n"
	       "  look       export PLUMBCTL_CONFIG=%s/plumbctl.yaml; plumbctl node list\n"
	       "  a node     plumbctl token create   (a join token for plumbd's join_token_file)\n"
	       "  operators  plumb-verifier --data-dir=%s operator add NAME "
	       "viewer|responder|approver\n\n"
	       "%s may do everything; the key is %s/operators/%s.key. Keep ca.key and verdict.key "
	       "safe.\n",
	       dir, dir, dir, dir, operator_name, dir, operator_name);
	return 0;
}

/* Seconds that a certificate has left; 0: none, it is not good yet (it is of a time when this clock was ahead), or it cannot be read. */
static uint64_t left_of(const struct buf *pem, uint64_t now)
{
	X509 *cert = read_cert(pem);
	uint64_t begin = cert ? seconds_of(X509_get0_notBefore(cert)) : UINT64_MAX;
	uint64_t end = cert ? seconds_of(X509_get0_notAfter(cert)) : 0;

	X509_free(cert);
	return begin < now && end > now && end < UINT64_MAX ? end - now : 0;
}

/* Its key stays: a crash between two files leaves a pair that fits, and who pinned it finds it again. */
int verifier_setup_renew(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			 uint64_t now, struct verifier_keys *k, struct why *ret_why)
{
	uint64_t left = left_of(&k->server_pem, now), ca_begin = begin_of(&k->ca_pem);
	struct sign_key *key = NULL;
	int r;

	/* A clock from before there was a CA will be right again, and what is issued by it would be over then. */
	if (left > RENEW_S || (now < ca_begin && ca_begin < UINT64_MAX))
		return 0;
	if (hosts->n_items == 0)
		return why_set(ret_why, -ENODATA, "%.150s/server.crt has %llu days left", dir,
			       (unsigned long long)(left / DAY));
	r = sign_key_from_pem((char *)k->server_key_pem.data, k->server_key_pem.size, &key,
			      ret_why);
	if (r >= 0)
		r = issue_server(io, dir, hosts, key, now, k, ret_why);
	sign_key_free(key);
	return r < 0 ? r : 1;
}

static int renew_at_start(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			  struct verifier_keys *k, struct why *ret_why)
{
	int r = verifier_setup_renew(io, dir, hosts, now_s(), k, ret_why);

	if (r > 0)
		log_notice("server_certificate=renewed");
	if (r != -ENODATA)
		return r;
	if (left_of(&k->server_pem, now_s()) == 0)
		return why_set(ret_why, -EINVAL,
			       "%.150s/server.crt is over, or not good yet; hosts: name those of "
			       "this verifier, and "
			       "it is issued anew",
			       dir);
	/* Who serves says so, each day. */
	ret_why->text[0] = 0;
	return 0;
}

static int same_key(const struct sign_key *a, const struct sign_key *b)
{
	struct digest one, two;
	int r = sign_key_id(a, &one);

	if (r >= 0)
		r = sign_key_id(b, &two);
	return r < 0 ? r : digest_equal(&one, &two);
}

/* NULL: none. A rotation that was cut off left a copy of the key in use: that is none, either. */
static int read_old(const struct fsio *io, const char *dir, const struct sign_key *verdict,
		    struct sign_key **ret, struct why *ret_why)
{
	struct sign_key *old = NULL;
	int r = verifier_files_read_key(io, dir, OLD_KEY, &old, ret_why);

	if (r == -ENOENT) {
		ret_why->text[0] = 0;
		return 0;
	}
	if (r >= 0)
		r = same_key(old, verdict);
	if (r == 0)
		*ret = old;
	else
		sign_key_free(old);
	return r < 0 ? r : 0;
}

/* What the key before cosigned stays good by the records that name it; nothing more is asked of it, so that nobody keeps it. */
static int rotate_witness(const struct fsio *io, const char *dir)
{
	struct sign_key *key = NULL;
	int r = verifier_files_make_key(io, dir, "witness.key", SIGN_ED25519, &key);

	sign_key_free(key);
	if (r >= 0)
		puts("Another key cosigns from the next start on. Each node is ordered to take it "
		     "into its record, which keeps the old one for what it cosigned; one that was "
		     "away takes it when it is back.");
	return r;
}

static int rotate_verdict(const struct fsio *io, const char *dir, struct why *ret_why)
{
	CLEANUP(verifier_files_wipe) struct buf pem = {0};
	struct sign_key *verdict = NULL, *old = NULL, *key = NULL;
	int r = verifier_files_read_key(io, dir, "verdict.key", &verdict, ret_why);

	if (r >= 0)
		r = read_old(io, dir, verdict, &old, ret_why);
	if (r >= 0 && old)
		r = why_set(ret_why, -EEXIST,
			    "%.150s/" OLD_KEY
			    ": the key before is still in use; plumb-verifier key "
			    "finish ends that",
			    dir);
	if (r >= 0)
		r = sign_key_private_pem(verdict, &pem);
	if (r >= 0)
		r = verifier_files_put(io, dir, OLD_KEY, &pem);
	if (r >= 0)
		r = verifier_files_make_key(io, dir, "verdict.key", SIGN_P256, &key);
	if (r >= 0)
		puts("Another key signs verdicts and orders from the next start on, and the old "
		     "one signs "
		     "orders with it.\nEach node is ordered to take it; one that was away takes it "
		     "when it "
		     "is back. When all have it:\n\n  plumb-verifier key finish");
	sign_key_free(verdict);
	sign_key_free(old);
	sign_key_free(key);
	return r;
}

int verifier_setup_rotate(const struct fsio *io, const char *dir, bool witness, struct why *ret_why)
{
	int lock = -1, r = verifier_files_ready(io, dir, ret_why);

	if (r >= 0)
		r = verifier_files_lock(dir, &lock, ret_why);
	if (r >= 0)
		r = witness ? rotate_witness(io, dir) : rotate_verdict(io, dir, ret_why);
	if (lock >= 0)
		close(lock);
	return r < 0 && !ret_why->text[0] ? why_set(ret_why, r, "%.150s: %s", dir, strerror(-r))
					  : r;
}

int verifier_setup_finish(const struct fsio *io, const char *dir, struct why *ret_why)
{
	char path[PATH_MAX];
	int lock = -1, r = verifier_files_ready(io, dir, ret_why);

	if (r >= 0)
		r = verifier_files_lock(dir, &lock, ret_why);
	if (r >= 0)
		r = snprintf(path, sizeof(path), "%s/" OLD_KEY, dir) < (int)sizeof(path)
			    ? fsio_unlink(io, path)
			    : -ENAMETOOLONG;
	if (r == -ENOENT && !ret_why->text[0])
		r = why_set(ret_why, -EINVAL, "%.150s: no key is being changed", dir);
	if (r >= 0)
		r = fsio_sync_dir(io, dir);
	if (lock >= 0)
		close(lock);
	if (r < 0)
		return ret_why->text[0]
			       ? r
			       : why_set(ret_why, r, "%.150s/" OLD_KEY ": %s", dir, strerror(-r));
	puts("The old key is gone; a node that did not take the other one refuses orders until it "
	     "is "
	     "enrolled anew.");
	return 0;
}

int verifier_setup_keys(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			struct verifier_keys *ret, struct why *ret_why)
{
	CLEANUP(verifier_keys_done) struct verifier_keys k = {.ca = NULL};
	int r = verifier_files_ready(io, dir, ret_why);

	if (r < 0)
		return r;
	ret_why->text[0] = 0;
	r = verifier_files_read_key(io, dir, "ca.key", &k.ca, ret_why);
	if (r >= 0)
		r = verifier_files_read_key(io, dir, "verdict.key", &k.verdict, ret_why);
	if (r >= 0)
		r = read_old(io, dir, k.verdict, &k.old_verdict, ret_why);
	if (r >= 0)
		r = verifier_files_read_key(io, dir, "witness.key", &k.witness, ret_why);
	if (r >= 0)
		r = verifier_files_read(io, dir, "ca.crt", &k.ca_pem, ret_why);
	if (r >= 0)
		r = verifier_files_read(io, dir, "server.crt", &k.server_pem, ret_why);
	if (r >= 0)
		r = verifier_files_read(io, dir, "server.key", &k.server_key_pem, ret_why);
	if (r >= 0)
		r = renew_at_start(io, dir, hosts, &k, ret_why);
	if (r == -ENOENT)
		r = -EBADMSG; /* there is a verifier, and it lacks a part */
	if (r < 0)
		return ret_why->text[0] ? r : why_set(ret_why, r, "%.150s: %s", dir, strerror(-r));
	*ret = k;
	k = (struct verifier_keys){.ca = NULL};
	return 0;
}
