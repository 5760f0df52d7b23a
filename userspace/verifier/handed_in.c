/* SPDX-License-Identifier: Apache-2.0 */
#include "handed_in.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"
#include "jsonl.h"
#include "order_desk.h"
#include "reply.h"

#define MAX_TOKEN_BODY 4096
#define MAX_TOKEN_LIFE_S (30 * 86400)
#define TOKEN_SIZE (7 + 64 + 1 + 32 + 1)

static const struct store *store_of(const struct action_desk *a)
{
	return a->v->store;
}

/* Documents: their own signatures count; whoever hands them in must be an approver all the same. */
static int refused(struct buf *ret, int r, const char *cure, const struct why *why)
{
	if (r == -EKEYREJECTED)
		return reply_error(ret, 403, "sign it with an approver's key", "%s", why->text);
	if (r == -EBADMSG || r == -E2BIG || r == -EFBIG)
		return reply_error(ret, 400, cure, "%s", why->text);
	if (r == -ESTALE)
		return reply_error(ret, 409, cure, "%s", why->text);
	return r;
}

static bool is_refusal(int r)
{
	return r == -EKEYREJECTED || r == -EBADMSG || r == -E2BIG || r == -EFBIG || r == -ESTALE ||
	       r == -ENOENT || r == -ENOTUNIQ;
}

/* What was refused is rolled back and nothing more; what failed on the way is taken back in the log too. */
static int finish(const struct action_desk *a, const struct store_operator *op, const char *what,
		  const struct digest *envelope, int r)
{
	const struct store *s = store_of(a);

	if (is_refusal(r)) {
		s->ops->rollback(s->ctx);
		return r;
	}
	if (r >= 0)
		r = vlog_sync(a->v->vlog);
	if (r >= 0)
		r = s->ops->commit(s->ctx);
	if (r < 0)
		action_desk_undo(a, op->name, what, envelope, r);
	return r;
}

static int assign(const struct action_desk *a, const char *id, const struct baseline_info *i,
		  struct why *ret_why)
{
	struct order o = {.kind = ORDER_BASELINE,
			  .reason = "a new baseline",
			  .document = i->document,
			  .version = i->version};
	const struct store *s = store_of(a);
	struct store_node n = {.incarnation = 0};
	int r = s->ops->node_get(s->ctx, id, &n);

	if (r >= 0 && node_is_gone(n.life))
		r = why_set(ret_why, -ESTALE, "%.100s is retired: it takes no baseline", n.label);
	if (r >= 0) {
		n.baseline = i->document;
		n.baseline_version = i->version;
		r = order_desk_give(a->v, &n, &o, NULL);
	}
	if (r >= 0)
		r = s->ops->node_put(s->ctx, &n);
	store_node_done(&n);
	return r;
}

static int assign_all(const struct action_desk *a, const char *node, const struct baseline_info *i,
		      uint32_t *ret_n, struct why *ret_why)
{
	struct store_node n = {.incarnation = 0};
	struct action_desk_nodes all = {.n = 0};
	int r;

	if (node[0]) {
		r = action_desk_find(a->v, node, &n, ret_why);
		if (r >= 0)
			r = assign(a, n.id, i, ret_why);
		store_node_done(&n);
		*ret_n = 1;
		return r;
	}
	r = documents_set_default(a->documents, &i->document);
	if (r >= 0)
		r = action_desk_nodes(a, &all);
	for (uint32_t k = 0; r >= 0 && k < all.n; k++)
		r = assign(a, all.ids[k], i, ret_why);
	*ret_n = all.n;
	free(all.ids);
	return r < 0 ? r : 0;
}

int handed_in_baseline(const struct action_desk *a, const struct cert_identity *who,
		       const char *node, const void *body, size_t size, struct buf *ret)
{
	const struct store *s = store_of(a);
	struct store_operator op = {.revoked = false};
	struct baseline_info info = {.version = 0};
	char text[256], hex[DIGEST_HEX_SIZE];
	struct why why = {""};
	uint32_t n = 0;
	int r = action_desk_operator(a, who, PLUMB_ROLE_APPROVER, &op, ret);

	if (r != 0)
		return r;
	r = s->ops->begin(s->ctx);
	if (r >= 0)
		r = documents_put_baseline(a->documents, body, size, &info, &why);
	if (r >= 0)
		r = assign_all(a, node, &info, &n, &why);
	digest_hex(&info.document, hex);
	snprintf(text, sizeof(text), "baseline %.60s version %" PRIu64 " for %u node%s", info.name,
		 info.version, n, n == 1 ? "" : "s");
	if (r >= 0)
		r = action_desk_log(a, op.name, "baseline", node, text, &info.document, "done");
	r = finish(a, &op, "baseline", &info.document, r);
	store_operator_done(&op);
	if (r == -ENOENT || r == -ENOTUNIQ)
		return reply_error(ret, 404, "plumbctl node list", "%s", why.text);
	if (r < 0)
		return refused(ret, r, "plumbctl baseline verify says what is wrong with it", &why);
	return action_desk_answer(
		text, "plumbctl baseline push of the version before, signed as a newer one", ret);
}

int handed_in_policy(const struct action_desk *a, const struct cert_identity *who, const void *body,
		     size_t size, struct buf *ret)
{
	const struct store *s = store_of(a);
	struct store_operator op = {.revoked = false};
	char text[256];
	struct why why = {""};
	struct digest envelope;
	int r = action_desk_operator(a, who, PLUMB_ROLE_APPROVER, &op, ret);

	if (r != 0)
		return r;
	r = s->ops->begin(s->ctx);
	if (r >= 0)
		r = digest_sha256(body, size, &envelope);
	if (r >= 0)
		r = documents_put_policy(a->documents, body, size, &why);
	if (r >= 0) {
		snprintf(text, sizeof(text), "policy %.60s version %" PRIu64 " is in force",
			 policy_name(documents_policy(a->documents)),
			 policy_version(documents_policy(a->documents)));
		r = action_desk_rejudge(a, text, &op, "another policy");
		if (is_refusal(r))
			r = -EIO; /* not the policy's fault */
	}
	if (r >= 0)
		r = action_desk_log(a, op.name, "policy", "", text, &envelope, "done");
	r = finish(a, &op, "policy", &envelope, r);
	store_operator_done(&op);
	if (r < 0)
		return refused(ret, r, "plumbctl policy check says what is wrong with it", &why);
	contain_kick(a->contain);
	return action_desk_answer(
		text, "plumbctl policy push of the version before, signed as a newer one", ret);
}

/* What it would have done: each open case that a rule of it would act on. */
struct preview {
	const struct action_desk *a;
	const struct policy *p;
	struct jsonl j;
	char label[254], id[65];
	uint32_t n_nodes, n_here;
};

static int on_preview_case(void *ctx, const struct store_case *k)
{
	struct preview *v = ctx;
	const struct policy_subject s = {.type = k->finding ? PLUMB_TYPE_UNKNOWN : k->type,
					 .finding = k->finding,
					 .scope = k->scope,
					 .key = k->key,
					 .expected = k->expected,
					 .found = k->found};
	const struct policy_rule *rule = policy_match(v->p, &s);

	for (uint32_t i = 0; k->rule[0] && i < policy_n_rules(v->p); i++)
		if (strcmp(policy_rule(v->p, i)->id, k->rule) == 0)
			rule = policy_rule(v->p, i);
	if (!rule || rule->action < PLUMB_ACTION_HOLD)
		return 0;
	v->n_nodes += v->n_here++ == 0;
	jsonl_object(&v->j, NULL);
	jsonl_str(&v->j, "node", v->id);
	jsonl_str(&v->j, "label", v->label);
	jsonl_str(&v->j, "rule", rule->id);
	jsonl_str(&v->j, "action", terms_action_name(verdict_at_most(k->finding, rule->action)));
	jsonl_uint(&v->j, "cases", k->count);
	jsonl_str(&v->j, "key", k->key);
	jsonl_close(&v->j);
	return 0;
}

static int on_preview_node(void *ctx, const struct store_node *n)
{
	struct preview *v = ctx;
	const struct store *s = store_of(v->a);

	memcpy(v->id, n->id, sizeof(v->id));
	memcpy(v->label, n->label, sizeof(v->label));
	v->n_here = 0;
	return s->ops->case_each(s->ctx, n->id, true, on_preview_case, v);
}

int handed_in_preview(const struct action_desk *a, const struct cert_identity *who,
		      const void *body, size_t size, struct buf *ret)
{
	struct store_operator op = {.revoked = false};
	struct policy *p = NULL;
	struct preview v = {.a = a};
	struct why why = {""};
	int r = action_desk_operator(a, who, PLUMB_ROLE_VIEWER, &op, ret);

	if (r != 0)
		return r;
	store_operator_done(&op);
	r = documents_try_policy(a->documents, body, size, &p, &why);
	if (r == -ENOENT)
		return reply_error(ret, 404, "plumbctl policy push", "%s", why.text);
	if (r < 0)
		return refused(ret, r, "plumbctl policy check says what is wrong with it", &why);
	v.p = p;
	jsonl_begin(&v.j, ret);
	jsonl_array(&v.j, "would");
	r = store_of(a)->ops->node_each(store_of(a)->ctx, on_preview_node, &v);
	jsonl_close(&v.j);
	jsonl_uint(&v.j, "nodes", v.n_nodes);
	jsonl_end(&v.j);
	policy_free(p);
	if (r >= 0)
		r = buf_status(ret);
	return r < 0 ? r : 200;
}

/* As enrolment takes it: one that no node can have would make a token that is good for nobody. */
static bool is_label(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
	       strlen(text);
}

static int parse_token(const void *body, size_t size, char ret_label[254], uint64_t *ret_life_s,
		       struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = jsonl_parse(body, size, MAX_TOKEN_BODY, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "label", ret_label, 254, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "life_s", MAX_TOKEN_LIFE_S, ret_life_s, ret_why);
	if (r >= 0 && !is_label(ret_label))
		r = why_set(ret_why, -EBADMSG, "\"label\" is not made of letters, digits, . _ -");
	if (r >= 0 && *ret_life_s == 0)
		r = why_set(ret_why, -EBADMSG, "\"life_s\": it would be over at once");
	return r;
}

static int make_token(const struct digest *ca_fingerprint, char ret[TOKEN_SIZE],
		      struct digest *ret_digest)
{
	char hex[DIGEST_HEX_SIZE], secret_hex[33];
	uint8_t secret[16];

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	digest_hex(ca_fingerprint, hex);
	digest_bytes_hex(secret, sizeof(secret), secret_hex);
	snprintf(ret, TOKEN_SIZE, "plumb1.%s.%s", hex, secret_hex);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(secret_hex, sizeof(secret_hex));
	return digest_sha256(ret, strlen(ret), ret_digest);
}

static int put_token(const struct action_desk *a, const struct store_operator *op,
		     const struct digest *token, const char *label, uint64_t until_ns)
{
	const struct store *s = store_of(a);
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	r = s->ops->token_put(s->ctx, token, label, until_ns);
	if (r >= 0)
		r = action_desk_log(a, op->name, "token", label, "a join token was made", token,
				    "done");
	return finish(a, op, "token", token, r);
}

int handed_in_token(const struct action_desk *a, const struct cert_identity *who, const void *body,
		    size_t size, const struct digest *ca_fingerprint, struct buf *ret)
{
	struct store_operator op = {.revoked = false};
	char label[254] = "", token[TOKEN_SIZE], expires[CLOCK_TEXT_SIZE];
	uint64_t life_s, until;
	struct digest d;
	struct why why = {""};
	struct jsonl j;
	int r = action_desk_operator(a, who, PLUMB_ROLE_APPROVER, &op, ret);

	if (r != 0)
		return r;
	r = parse_token(body, size, label, &life_s, &why);
	if (r < 0) {
		store_operator_done(&op);
		return r == -ENOMEM ? r
				    : reply_error(ret, 400, "plumbctl token create --help",
						  "token: %s", why.text);
	}
	until = clock_utc_ns(a->v->clock) + life_s * 1000000000;
	r = make_token(ca_fingerprint, token, &d);
	if (r >= 0)
		r = put_token(a, &op, &d, label, until);
	store_operator_done(&op);
	if (r >= 0) {
		clock_text(until, expires);
		jsonl_begin(&j, ret);
		jsonl_str(&j, "token", token);
		jsonl_str(&j, "expires", expires);
		jsonl_end(&j);
		r = buf_status(ret);
	}
	OPENSSL_cleanse(token, sizeof(token));
	return r < 0 ? r : 200;
}
