/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_setup.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cert.h"
#include "cleanup.h"
#include "log.h"
#include "store_sqlite.h"

#define DAY 86400ull
#define MAX_PEM 65536

static void wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->size);
	buf_done(b);
}

static int path_of(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int put_file(const struct fsio *io, const char *dir, const char *name, const struct buf *b)
{
	char path[PATH_MAX];
	int r = buf_status(b);

	if (r >= 0)
		r = path_of(dir, name, path);
	return r < 0 ? r : fsio_replace_file(io, path, b->data, b->size, 0600);
}

static int get_file(const struct fsio *io, const char *dir, const char *name, struct buf *ret)
{
	char path[PATH_MAX];
	int r = path_of(dir, name, path);

	return r < 0 ? r : fsio_read_file(io, path, MAX_PEM, ret);
}

static int make_key(const struct fsio *io, const char *dir, const char *name, enum sign_kind kind,
		    struct sign_key **ret)
{
	CLEANUP(wipe) struct buf pem = {0};
	struct sign_key *key;
	int r = sign_key_generate(kind, &key);

	if (r < 0)
		return r;
	r = sign_key_private_pem(key, &pem);
	if (r >= 0)
		r = put_file(io, dir, name, &pem);
	if (r < 0) {
		sign_key_free(key);
		return r;
	}
	*ret = key;
	return 0;
}

static int read_key(const struct fsio *io, const char *dir, const char *name, struct sign_key **ret,
		    struct why *ret_why)
{
	CLEANUP(wipe) struct buf pem = {0};
	int r = get_file(io, dir, name, &pem);

	if (r < 0)
		return why_set(ret_why, r, "%.150s/%s: %s", dir, name, strerror(-r));
	return sign_key_from_pem((char *)pem.data, pem.size, ret, ret_why);
}

void verifier_keys_done(struct verifier_keys *k)
{
	k->ca = sign_key_free(k->ca);
	k->verdict = sign_key_free(k->verdict);
	k->witness = sign_key_free(k->witness);
	buf_done(&k->ca_pem);
	buf_done(&k->server_pem);
	wipe(&k->server_key_pem);
}

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static int issue_server(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			struct verifier_keys *k, struct why *ret_why)
{
	const struct cert_request q = {
		.kind = CERT_SERVER,
		.name = "plumb-verifier",
		.hosts = (const char *const *)hosts->items,
		.n_hosts = hosts->n_items,
		.not_before_s = now_s() - 3600,
		.life_s = 365 * DAY,
	};
	struct sign_key *key = NULL;
	int r;

	if (hosts->n_items == 0)
		return why_set(ret_why, -EINVAL,
			       "hosts: name at least one host name or address of this verifier");
	r = make_key(io, dir, "server.key", SIGN_P256, &key);
	buf_clear(&k->server_pem);
	if (r >= 0)
		r = cert_issue(&q, key, (char *)k->ca_pem.data, k->ca, &k->server_pem, ret_why);
	if (r >= 0)
		r = put_file(io, dir, "server.crt", &k->server_pem);
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
	int r = make_key(io, dir, "ca.key", SIGN_P256, &k->ca);

	if (r >= 0)
		r = cert_issue(&q, k->ca, NULL, NULL, &k->ca_pem, ret_why);
	return r < 0 ? r : put_file(io, dir, "ca.crt", &k->ca_pem);
}

int verifier_setup_store(const char *dir, struct store *ret, struct why *ret_why)
{
	char path[PATH_MAX];
	int r = path_of(dir, "store.db", path);

	return r < 0 ? r : store_sqlite_open(path, ret, ret_why);
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
	return put_file(io, dir, "plumbctl.yaml", &b);
}

int verifier_setup_init(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			const char *listen, const char *operator_name, struct why *ret_why)
{
	CLEANUP(verifier_keys_done) struct verifier_keys k = {.ca = NULL};
	CLEANUP(buf_done) struct buf there = {0};
	char path[PATH_MAX];
	int r = fsio_mkdir_all(io, dir, 0700);

	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s", dir, strerror(-r));
	/* The CA's certificate is written last of its keys' files, so that an init that was cut off can be repeated. */
	r = get_file(io, dir, "ready", &there);
	if (r != -ENOENT)
		return why_set(ret_why, r < 0 ? r : -EEXIST,
			       "%.150s: there is a verifier already, and its keys must not be lost",
			       dir);
	r = path_of(dir, "operators", path);
	if (r >= 0)
		r = fsio_mkdir_all(io, path, 0700);
	if (r >= 0)
		r = make_ca(io, dir, &k, ret_why);
	if (r >= 0)
		r = make_key(io, dir, "verdict.key", SIGN_P256, &k.verdict);
	if (r >= 0)
		r = make_key(io, dir, "witness.key", SIGN_ED25519, &k.witness);
	if (r >= 0)
		r = issue_server(io, dir, hosts, &k, ret_why);
	if (r >= 0)
		r = verifier_setup_operator(io, dir, operator_name, "approver", NULL, ret_why);
	if (r >= 0)
		r = put_config(io, dir, hosts->items[0], listen, operator_name);
	buf_puts(&there, "1\n");
	if (r >= 0)
		r = put_file(io, dir, "ready", &there);
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

/* It is good for a year: one that was written 335 days ago is issued anew. */
static bool is_old(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if (path_of(dir, "server.crt", path) < 0 || stat(path, &st) < 0)
		return true;
	return now_s() > (uint64_t)st.st_mtim.tv_sec + 335 * DAY;
}

int verifier_setup_keys(const struct fsio *io, const char *dir, const struct conf_list *hosts,
			struct verifier_keys *ret, struct why *ret_why)
{
	CLEANUP(verifier_keys_done) struct verifier_keys k = {.ca = NULL};
	CLEANUP(buf_done) struct buf ready = {0};
	int r = get_file(io, dir, "ready", &ready);

	if (r < 0)
		return why_set(ret_why, r,
			       "%.150s: there is no verifier; plumb-verifier init makes one", dir);
	r = read_key(io, dir, "ca.key", &k.ca, ret_why);
	if (r >= 0)
		r = read_key(io, dir, "verdict.key", &k.verdict, ret_why);
	if (r >= 0)
		r = read_key(io, dir, "witness.key", &k.witness, ret_why);
	if (r >= 0)
		r = get_file(io, dir, "ca.crt", &k.ca_pem);
	if (r >= 0 && hosts->n_items > 0 && is_old(dir)) {
		r = issue_server(io, dir, hosts, &k, ret_why);
		log_notice("server_certificate=renewed");
		buf_clear(&k.server_pem);
	}
	if (r >= 0)
		r = get_file(io, dir, "server.crt", &k.server_pem);
	if (r >= 0)
		r = get_file(io, dir, "server.key", &k.server_key_pem);
	if (r < 0)
		return ret_why->text[0] ? r : why_set(ret_why, r, "%.150s: %s", dir, strerror(-r));
	*ret = k;
	k = (struct verifier_keys){.ca = NULL};
	return 0;
}

static int key_of_operator(const struct fsio *io, const char *dir, const char *name,
			   const char *csr_file, struct sign_key **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf csr = {0};
	char file[CERT_MAX_NAME + 32];
	int r;

	if (!csr_file) {
		snprintf(file, sizeof(file), "operators/%s.key", name);
		return make_key(io, dir, file, SIGN_P256, ret);
	}
	r = fsio_read_file(io, csr_file, MAX_PEM, &csr);
	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", csr_file, strerror(-r));
	return cert_csr_key((char *)csr.data, csr.size, ret, ret_why);
}

static int put_operator(const char *dir, const struct store_operator *o, struct why *ret_why)
{
	struct store s;
	int r = verifier_setup_store(dir, &s, ret_why);

	if (r < 0)
		return r;
	r = s.ops->begin(s.ctx);
	if (r >= 0)
		r = s.ops->operator_put(s.ctx, o);
	if (r >= 0)
		r = s.ops->commit(s.ctx);
	else
		s.ops->rollback(s.ctx);
	s.ops->close(s.ctx);
	return r < 0 ? why_set(ret_why, r, "the store does not take the operator: %s", strerror(-r))
		     : 0;
}

static int certify_operator(const struct fsio *io, const char *dir, const struct cert_request *q,
			    const struct sign_key *key, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca_pem = {0}, pem = {0};
	char file[CERT_MAX_NAME + 32];
	struct sign_key *ca = NULL;
	int r = read_key(io, dir, "ca.key", &ca, ret_why);

	if (r >= 0)
		r = get_file(io, dir, "ca.crt", &ca_pem);
	if (r >= 0)
		r = cert_issue(q, key, (char *)ca_pem.data, ca, &pem, ret_why);
	sign_key_free(ca);
	snprintf(file, sizeof(file), "operators/%s.crt", q->name);
	return r < 0 ? r : put_file(io, dir, file, &pem);
}

int verifier_setup_operator(const struct fsio *io, const char *dir, const char *name,
			    const char *role, const char *csr_file, struct why *ret_why)
{
	struct store_operator o = {.role = (enum plumb_role)terms_role_from_name(role),
				   .added_ns = now_s() * 1000000000};
	const struct cert_request q = {.kind = CERT_OPERATOR,
				       .name = name,
				       .role = o.role,
				       .not_before_s = now_s() - 300,
				       .life_s = 365 * DAY};
	struct sign_key *key = NULL;
	int r;

	if (o.role == PLUMB_ROLE_NONE)
		return why_set(ret_why, -EINVAL, "\"%.40s\" is none of viewer, responder, approver",
			       role);
	if (!name[0] || strlen(name) >= sizeof(o.name) || name[0] == '.' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-") !=
		    strlen(name))
		return why_set(ret_why, -EINVAL,
			       "\"%.60s\" is no operator's name: letters, digits, . _ @ -", name);
	snprintf(o.name, sizeof(o.name), "%s", name);
	r = key_of_operator(io, dir, name, csr_file, &key, ret_why);
	if (r >= 0)
		r = sign_key_id(key, &o.key_id);
	if (r >= 0)
		r = sign_key_spki(key, &o.spki);
	if (r >= 0)
		r = certify_operator(io, dir, &q, key, ret_why);
	if (r >= 0)
		r = put_operator(dir, &o, ret_why);
	sign_key_free(key);
	store_operator_done(&o);
	return r < 0 && !ret_why->text[0]
		       ? why_set(ret_why, r, "operator %.60s: %s", name, strerror(-r))
		       : r;
}

struct revoking {
	const char *name;
	struct store *s;
	uint32_t n;
	struct store_operator found[8];
};

static int on_revoking(void *ctx, const struct store_operator *o)
{
	struct revoking *r = ctx;
	struct store_operator *copy;

	if (strcmp(o->name, r->name) != 0 || o->revoked || r->n == ARRAY_SIZE(r->found))
		return 0;
	copy = &r->found[r->n++];
	*copy = *o;
	copy->spki = (struct buf){0};
	buf_put(&copy->spki, o->spki.data, o->spki.size);
	copy->revoked = true;
	return buf_status(&copy->spki);
}

int verifier_setup_revoke(const char *dir, const char *name, struct why *ret_why)
{
	struct store s;
	struct revoking rv = {.name = name, .s = &s};
	int r = verifier_setup_store(dir, &s, ret_why);

	if (r < 0)
		return r;
	r = s.ops->begin(s.ctx);
	if (r >= 0)
		r = s.ops->operator_each(s.ctx, on_revoking, &rv);
	for (uint32_t i = 0; i < rv.n; i++) {
		if (r >= 0)
			r = s.ops->operator_put(s.ctx, &rv.found[i]);
		store_operator_done(&rv.found[i]);
	}
	if (r >= 0)
		r = s.ops->commit(s.ctx);
	else
		s.ops->rollback(s.ctx);
	s.ops->close(s.ctx);
	if (r >= 0 && rv.n == 0)
		return why_set(ret_why, -ENOENT, "there is no operator %.60s who is not revoked",
			       name);
	return r < 0 ? why_set(ret_why, r, "operator %.60s: %s", name, strerror(-r)) : 0;
}

static int on_list(void *ctx, const struct store_operator *o)
{
	char hex[DIGEST_HEX_SIZE];

	(void)ctx;
	digest_hex(&o->key_id, hex);
	printf("%-24s %-10s %.16s%s\n", o->name, terms_role_name(o->role), hex,
	       o->revoked ? "  revoked" : "");
	return 0;
}

int verifier_setup_list(const char *dir, struct why *ret_why)
{
	struct store s;
	int r = verifier_setup_store(dir, &s, ret_why);

	if (r < 0)
		return r;
	r = s.ops->operator_each(s.ctx, on_list, NULL);
	s.ops->close(s.ctx);
	return r < 0 ? why_set(ret_why, r, "operators: %s", strerror(-r)) : 0;
}
