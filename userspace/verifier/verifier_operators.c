/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_operators.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cert.h"
#include "cleanup.h"
#include "verifier_files.h"

#define DAY 86400ull
#define MAX_CSR 65536
#define NAME_TAKEN "operator %.60s exists already, with another key; revoke that one first"

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

struct same_name {
	const char *name;
	const struct digest *key_id; /* NULL: any */
	bool there, other,
		revoked; /* this key's row, not revoked; another key of that name; this key, revoked */
};

static int on_same_name(void *ctx, const struct store_operator *o)
{
	struct same_name *s = ctx;
	bool same_key = digest_equal(&o->key_id, s->key_id);

	s->there |= same_key && !o->revoked;
	s->revoked |= same_key && o->revoked;
	s->other |= !same_key && !o->revoked && strcmp(o->name, s->name) == 0;
	return 0;
}

static int look_up(const char *dir, const char *name, const struct digest *key_id,
		   struct same_name *ret, struct why *ret_why)
{
	struct store s;
	int r = verifier_files_store(dir, &s, ret_why);

	if (r < 0)
		return r;
	*ret = (struct same_name){.name = name, .key_id = key_id};
	r = s.ops->operator_each(s.ctx, on_same_name, ret);
	s.ops->close(s.ctx);
	return r < 0 ? why_set(ret_why, r, "the store's operators: %s", strerror(-r)) : 0;
}

/* The key that lies there, when it is still good: the certificate alone is new then. -ENOENT: none, or a revoked one. */
static int key_of_before(const struct fsio *io, const char *dir, const char *file, const char *name,
			 struct sign_key **ret, struct why *ret_why)
{
	struct same_name same;
	struct digest id;
	int r = verifier_files_read_key(io, dir, file, ret, ret_why);

	if (r < 0)
		return r;
	r = sign_key_id(*ret, &id);
	if (r >= 0)
		r = look_up(dir, name, &id, &same, ret_why);
	if (r >= 0 && !same.there)
		r = -ENOENT;
	if (r < 0)
		*ret = sign_key_free(*ret);
	return r;
}

static int key_of_operator(const struct fsio *io, const char *dir, const char *name,
			   const char *csr_file, struct sign_key **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf csr = {0};
	static const struct digest none;
	char file[CERT_MAX_NAME + 32];
	struct same_name same;
	int r;

	if (csr_file) {
		r = fsio_read_file(io, csr_file, MAX_CSR, &csr);
		if (r < 0)
			return why_set(ret_why, r == -ENOENT ? -EINVAL : r, "%.200s: %s", csr_file,
				       strerror(-r));
		return cert_csr_key((char *)csr.data, csr.size, ret, ret_why);
	}
	snprintf(file, sizeof(file), "operators/%s.key", name);
	r = key_of_before(io, dir, file, name, ret, ret_why);
	if (r != -ENOENT)
		return r;
	/* Nothing is written over before it is known that it may be. */
	r = look_up(dir, name, &none, &same, ret_why);
	if (r >= 0 && same.other)
		return why_set(ret_why, -EEXIST, NAME_TAKEN, name);
	return r < 0 ? r : verifier_files_make_key(io, dir, file, SIGN_P256, ret);
}

/* A key that was taken back does not return, and a name has one key at a time. */
static int check_key(const char *dir, const char *name, const struct sign_key *key,
		     const struct digest *id, struct why *ret_why)
{
	struct same_name same;
	int r;

	if (sign_key_kind(key) == SIGN_RSA)
		return why_set(ret_why, -EINVAL,
			       "operator %.60s: the key is neither P-256 nor Ed25519", name);
	r = look_up(dir, name, id, &same, ret_why);
	if (r < 0)
		return r;
	if (same.revoked)
		return why_set(ret_why, -EEXIST,
			       "operator %.60s: that key was revoked; make another", name);
	return same.other ? why_set(ret_why, -EEXIST, NAME_TAKEN, name) : 0;
}

static int put_operator(const char *dir, const struct store_operator *o, struct why *ret_why)
{
	struct store s;
	int r = verifier_files_store(dir, &s, ret_why);

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
	int r = verifier_files_read_key(io, dir, "ca.key", &ca, ret_why);

	if (r >= 0)
		r = verifier_files_get(io, dir, "ca.crt", &ca_pem);
	if (r >= 0)
		r = cert_issue(q, key, (char *)ca_pem.data, ca, &pem, ret_why);
	sign_key_free(ca);
	snprintf(file, sizeof(file), "operators/%s.crt", q->name);
	return r < 0 ? r : verifier_files_put(io, dir, file, &pem);
}

int verifier_operators_put(const struct fsio *io, const char *dir, const char *name,
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
		r = check_key(dir, name, key, &o.key_id, ret_why);
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

int verifier_operators_add(const struct fsio *io, const char *dir, const char *name,
			   const char *role, const char *csr_file, struct why *ret_why)
{
	int r = verifier_files_ready(io, dir, ret_why);

	if (r < 0)
		return r;
	ret_why->text[0] = 0;
	r = verifier_operators_put(io, dir, name, role, csr_file, ret_why);
	if (r >= 0)
		printf("%s is %s. The certificate is %s/operators/%s.crt, good for a year; the "
		       "same "
		       "command renews it.\n",
		       name, role, dir, name);
	return r;
}

struct revoking {
	const char *name;
	struct store_operator found; /* one that is not revoked */
	bool has;
};

static int on_revoking(void *ctx, const struct store_operator *o)
{
	struct revoking *r = ctx;

	if (strcmp(o->name, r->name) != 0 || o->revoked || r->has)
		return 0;
	r->found = *o;
	r->found.spki = (struct buf){0};
	buf_put(&r->found.spki, o->spki.data, o->spki.size);
	r->found.revoked = r->has = true;
	return buf_status(&r->found.spki);
}

/* All keys of that name, in one transaction. */
static int revoke_all(const struct store *s, const char *name, uint32_t *ret_n)
{
	struct revoking rv = {.name = name};
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	*ret_n = 0;
	do {
		rv.has = false;
		r = s->ops->operator_each(s->ctx, on_revoking, &rv);
		if (r >= 0 && rv.has)
			r = s->ops->operator_put(s->ctx, &rv.found);
		store_operator_done(&rv.found);
		*ret_n += rv.has;
	} while (r >= 0 && rv.has);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

int verifier_operators_revoke(const char *dir, const char *name, struct why *ret_why)
{
	struct store s;
	uint32_t n;
	int r = verifier_files_ready(fsio_system(), dir, ret_why);

	if (r >= 0)
		r = verifier_files_store(dir, &s, ret_why);
	if (r < 0)
		return r;
	r = revoke_all(&s, name, &n);
	s.ops->close(s.ctx);
	if (r >= 0 && n == 0)
		return why_set(ret_why, -EINVAL, "there is no operator %.60s who is not revoked",
			       name);
	if (r < 0)
		return why_set(ret_why, r, "operator %.60s: %s", name, strerror(-r));
	printf("%s is revoked, from the next request on.\n", name);
	return 0;
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

int verifier_operators_list(const char *dir, struct why *ret_why)
{
	struct store s;
	int r = verifier_files_ready(fsio_system(), dir, ret_why);

	if (r >= 0)
		r = verifier_files_store(dir, &s, ret_why);

	if (r < 0)
		return r;
	r = s.ops->operator_each(s.ctx, on_list, NULL);
	s.ops->close(s.ctx);
	return r < 0 ? why_set(ret_why, r, "operators: %s", strerror(-r)) : 0;
}
