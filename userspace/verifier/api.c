/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api_ledger.h"
#include "api_view.h"
#include "cleanup.h"
#include "contain_desk.h"
#include "ek_list.h"
#include "handed_in.h"
#include "jsonl.h"
#include "jwt.h"
#include "log.h"
#include "plumb/wire.h"
#include "query.h"
#include "reply.h"
#include "statement.h"

enum may { ANYBODY, NODES, OPERATORS, BOTH };

struct call {
	struct api *a;
	const struct api_request *q;
	const char *rest; /* of the path, after a route that ends with a slash */
	struct api_reply *reply;
};

static int bad_query(struct call *c)
{
	return reply_error(&c->reply->body, 400, "see docs/wire.md", "query: a value is malformed");
}

static int do_enrol(struct call *c)
{
	return enrol_begin(c->a->enrol, c->q->body, c->q->size, &c->reply->body);
}

static int do_enrol_again(struct call *c)
{
	return enrol_begin_again(c->a->enrol, c->q->body, c->q->size, &c->reply->body);
}

static int do_activate(struct call *c)
{
	return enrol_activate(c->a->enrol, c->q->body, c->q->size, &c->reply->body);
}

static int do_nonce(struct call *c)
{
	return intake_nonce(c->a->desk.intake, c->q->who, &c->reply->body);
}

/* Whoever says that it is something else does not mean what he sends; who says nothing is an agent of before. */
static int check_type(struct call *c, const char *wanted)
{
	size_t size = strlen(wanted);
	const char *type = c->q->type;

	if (!type || (strncasecmp(type, wanted, size) == 0 && (!type[size] || type[size] == ';')))
		return 0;
	return reply_error(&c->reply->body, 415, "see docs/wire.md", "this takes %s, not %.100s",
			   wanted, type);
}

static int do_evidence(struct call *c)
{
	int r = check_type(c, WIRE_TYPE_EVIDENCE);

	if (r != 0)
		return r;
	return intake_evidence(c->a->desk.intake, c->q->who, c->q->body, c->q->size,
			       &c->reply->body);
}

static int do_drift(struct call *c)
{
	int r = check_type(c, WIRE_TYPE_EVIDENCE);

	if (r != 0)
		return r;
	return intake_drift(c->a->desk.intake, c->q->who, c->q->body, c->q->size, &c->reply->body);
}

static int do_action(struct call *c)
{
	return actions_act(c->a->actions, c->q->who, c->q->body, c->q->size, &c->reply->body);
}

static int do_baseline_in(struct call *c)
{
	char node[QUERY_VALUE_SIZE];

	if (query_value(c->q->query, "node", node) < 0)
		return bad_query(c);
	return handed_in_baseline(&c->a->desk, c->q->who, node, c->q->body, c->q->size,
				  &c->reply->body);
}

static int do_policy_in(struct call *c)
{
	return handed_in_policy(&c->a->desk, c->q->who, c->q->body, c->q->size, &c->reply->body);
}

static int do_preview(struct call *c)
{
	return handed_in_preview(&c->a->desk, c->q->who, c->q->body, c->q->size, &c->reply->body);
}

static int do_token(struct call *c)
{
	struct digest fingerprint;
	struct why why;
	int r = cert_fingerprint_pem(c->a->ca_cert_pem, strlen(c->a->ca_cert_pem), &fingerprint,
				     &why);

	return r < 0 ? r
		     : handed_in_token(&c->a->desk, c->q->who, c->q->body, c->q->size, &fingerprint,
				       &c->reply->body);
}

static int done(int r)
{
	return r < 0 ? r : 200;
}

static int do_nodes(struct call *c)
{
	return done(api_view_nodes(c->a->desk.v, &c->reply->body));
}

static int find(struct call *c, const char *name, struct store_node *ret)
{
	struct why why = {""};
	int r = action_desk_find(c->a->desk.v, name, ret, &why);

	if (r == -ENOENT || r == -ENOTUNIQ)
		return reply_error(&c->reply->body, r == -ENOENT ? 404 : 409, "plumbctl node list",
				   "%s", why.text);
	return r;
}

static int do_node(struct call *c)
{
	struct store_node n = {.incarnation = 0};
	int r = find(c, c->rest, &n);

	if (r == 0)
		r = done(api_view_node(c->a->desk.v, c->a->desk.documents, &n, &c->reply->body));
	store_node_done(&n);
	return r;
}

/* Of the present incarnation, or the one that is asked for. */
static int find_incarnation(struct call *c, struct store_node *n)
{
	uint64_t incarnation = 0;
	int r;

	if (query_number(c->q->query, "incarnation", &incarnation) < 0)
		return bad_query(c);
	r = find(c, c->rest, n);
	if (r == 0 && incarnation > 0)
		r = api_ledger_past(c->a->desk.v, n, incarnation);
	return r == -ENOENT
		       ? reply_error(&c->reply->body, 404, "plumbctl node show tells which it has",
				     "%.64s has no incarnation of that number", n->id)
		       : r;
}

static int ledger_part(struct call *c, const struct store_node *n, const char *part)
{
	uint64_t from = 0;
	int r;

	if (query_number(c->q->query, "from", &from) < 0)
		return bad_query(c);
	r = api_ledger_part(c->a->desk.v, n, part, from, &c->reply->body);
	return r == -EINVAL ? bad_query(c) : done(r);
}

/* Asked for whole, as plumbctl of before does, it may be too large: never a part that could be taken for it. */
static int ledger_whole(struct call *c, const struct store_node *n)
{
	int r = api_ledger_whole(c->a->desk.v, n, &c->reply->body);

	if (r != -E2BIG)
		return done(r);
	buf_done(&c->reply->body);
	return reply_error(&c->reply->body, 400, "take a plumbctl of the verifier's release",
			   "the ledger is larger than %u MiB: it is handed out in pieces",
			   WIRE_MAX_LEDGER >> 20);
}

static int do_ledger(struct call *c)
{
	struct store_node n = {.incarnation = 0};
	char part[QUERY_VALUE_SIZE];
	int r = query_value(c->q->query, "part", part) < 0 ? bad_query(c) : find_incarnation(c, &n);

	if (r == 0)
		r = part[0] ? ledger_part(c, &n, part) : ledger_whole(c, &n);
	store_node_done(&n);
	return r;
}

static int do_statement(struct call *c)
{
	struct store_node n = {.incarnation = 0};
	int r = find_incarnation(c, &n);

	if (r == 0)
		r = done(statement_write(c->a->desk.v, c->a->desk.documents, &n, &c->reply->body));
	store_node_done(&n);
	return r;
}

static int do_log_proofs(struct call *c)
{
	struct why why = {""};
	int r = statement_prove(c->a->desk.v, c->q->body, c->q->size, &c->reply->body, &why);

	if (r != -EBADMSG)
		return done(r);
	buf_clear(&c->reply->body);
	return reply_error(&c->reply->body, 400, "see docs/wire.md", "%s", why.text);
}

static int do_summary(struct call *c)
{
	struct store_node n = {.incarnation = 0};
	char node[QUERY_VALUE_SIZE];
	uint64_t open = 0;
	int r = query_value(c->q->query, "node", node);

	if (r >= 0)
		r = query_number(c->q->query, "open", &open);
	if (r < 0)
		return bad_query(c);
	r = node[0] ? find(c, node, &n) : 0;
	if (r == 0)
		r = done(api_view_summary(c->a->desk.v, n.id, open == 1, &c->reply->body));
	store_node_done(&n);
	return r;
}

static int do_baselines(struct call *c)
{
	return done(api_view_baselines(c->a->desk.v, c->a->desk.documents, &c->reply->body));
}

static int do_eks(struct call *c)
{
	return done(ek_list_write(c->a->desk.v->store, &c->reply->body));
}

static int do_contain(struct call *c)
{
	return done(contain_desk_view(&c->a->desk, &c->reply->body));
}

static int do_policies(struct call *c)
{
	return done(api_view_policy(c->a->desk.v, c->a->desk.documents, &c->reply->body));
}

static int do_baseline(struct call *c)
{
	struct digest d;
	int r = digest_from_hex(c->rest, &d);

	if (r >= 0)
		r = documents_read_baseline(c->a->desk.documents, &d, &c->reply->body);
	if (r == -ENOENT || r == -EBADMSG || r == -EINVAL)
		return reply_error(&c->reply->body, 404, "plumbctl baseline push",
				   "there is no such baseline");
	c->reply->type = WIRE_TYPE_BASELINE;
	return done(r);
}

static int do_events(struct call *c)
{
	uint64_t since = 0, follow = 0;
	int r = query_number(c->q->query, "since", &since);

	if (r >= 0)
		r = query_number(c->q->query, "follow", &follow);
	if (r < 0)
		return bad_query(c);
	if (since > vlog_synced_size(c->a->desk.v->vlog))
		return reply_error(&c->reply->body, 400, "begin at a line that is there",
				   "query: since is beyond the log's end");
	c->reply->since = since;
	c->reply->follow = follow == 1;
	c->reply->stream = !c->reply->follow;
	c->reply->type = "application/jsonl";
	return 200;
}

static int do_jwks(struct call *c)
{
	const struct verifier *v = c->a->desk.v;
	const struct sign_key *const keys[] = {v->verdict_key, v->old_verdict_key};

	return done(jwt_jwks(keys, v->old_verdict_key ? 2 : 1, &c->reply->body));
}

static int do_health(struct call *c)
{
	buf_puts(&c->reply->body, "{\"ok\":true,\"version\":\"" PLUMB_VERSION "\"}");
	return done(buf_status(&c->reply->body));
}

#define SMALL WIRE_MAX_JSON_BODY

/* A path that ends with a slash takes what follows it. */
static const struct route {
	const char *method, *path;
	enum may may;
	size_t max;
	int (*run)(struct call *c);
} routes[] = {
	{"POST", WIRE_ROUTE_ENROL, ANYBODY, SMALL, do_enrol},
	{"POST", WIRE_ROUTE_ENROL_AGAIN, ANYBODY, SMALL, do_enrol_again},
	{"POST", WIRE_ROUTE_ENROL_ACTIVATE, ANYBODY, SMALL, do_activate},
	{"POST", WIRE_ROUTE_NONCE, NODES, 4096, do_nonce},
	{"POST", WIRE_ROUTE_EVIDENCE, NODES, WIRE_MAX_EVIDENCE_BODY, do_evidence},
	{"POST", WIRE_ROUTE_DRIFT, NODES, WIRE_MAX_EVIDENCE_BODY, do_drift},
	{"GET", WIRE_ROUTE_BASELINE_GET, BOTH, 1, do_baseline},
	{"GET", WIRE_ROUTE_NODES, OPERATORS, 1, do_nodes},
	{"GET", WIRE_ROUTE_NODES "/", OPERATORS, 1, do_node},
	{"GET", WIRE_ROUTE_DRIFT_SUMMARY, OPERATORS, 1, do_summary},
	{"POST", WIRE_ROUTE_ACTIONS, OPERATORS, SMALL, do_action},
	{"GET", WIRE_ROUTE_EVENTS, OPERATORS, 1, do_events},
	{"POST", WIRE_ROUTE_BASELINES, OPERATORS, WIRE_MAX_BASELINE_BODY, do_baseline_in},
	{"GET", WIRE_ROUTE_BASELINES, OPERATORS, 1, do_baselines},
	{"POST", WIRE_ROUTE_POLICIES, OPERATORS, 4u << 20, do_policy_in},
	{"GET", WIRE_ROUTE_POLICIES, OPERATORS, 1, do_policies},
	{"POST", WIRE_ROUTE_POLICY_PREVIEW, OPERATORS, 4u << 20, do_preview},
	{"POST", WIRE_ROUTE_TOKENS, OPERATORS, 4096, do_token},
	{"GET", WIRE_ROUTE_EKS, OPERATORS, 1, do_eks},
	{"GET", WIRE_ROUTE_CONTAIN, OPERATORS, 1, do_contain},
	{"GET", WIRE_ROUTE_LEDGER, OPERATORS, 1, do_ledger},
	{"GET", WIRE_ROUTE_STATEMENT, OPERATORS, 1, do_statement},
	{"POST", WIRE_ROUTE_LOG_PROOFS, OPERATORS, 65536, do_log_proofs},
	{"GET", WIRE_ROUTE_JWKS, ANYBODY, 1, do_jwks},
	{"GET", WIRE_ROUTE_HEALTH, ANYBODY, 1, do_health},
};

static bool fits(const struct route *r, const char *path, const char **ret_rest)
{
	size_t size = strlen(r->path);

	if (r->path[size - 1] != '/')
		return strcmp(r->path, path) == 0;
	if (strncmp(r->path, path, size) != 0 || !path[size] ||
	    strlen(path + size) >= QUERY_VALUE_SIZE)
		return false;
	*ret_rest = path + size;
	return true;
}

static const struct route *find_route(const char *method, const char *path, const char **ret_rest,
				      bool *ret_path_known)
{
	*ret_path_known = false;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!fits(&routes[i], path, ret_rest))
			continue;
		*ret_path_known = true;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
	}
	return NULL;
}

/* Rooms look at nodes themselves, where the row says which certificate is good. */
static int check_may(struct call *c, const struct route *r)
{
	struct store_operator op = {.revoked = false};
	const struct cert_identity *who = c->q->who;
	int s;

	if (r->may == ANYBODY)
		return 0;
	if (!who)
		return reply_error(&c->reply->body, 401, "send a client certificate",
				   "this takes a client certificate");
	if (who->kind == CERT_NODE && (r->may == NODES || r->may == BOTH)) {
		struct store_node n = {.incarnation = 0};

		if (r->may == NODES)
			return 0;
		s = c->a->desk.v->store->ops->node_get(c->a->desk.v->store->ctx, who->name, &n);
		if (s >= 0 && !digest_equal(&n.client_key, &who->key_id))
			s = -ENOENT;
		store_node_done(&n);
		return s == -ENOENT ? reply_error(&c->reply->body, 403, "enrol the node",
						  "this certificate is no node's")
				    : s;
	}
	if (r->may == NODES)
		return reply_error(&c->reply->body, 403, "send a node's certificate",
				   "this takes a node's certificate");
	s = action_desk_operator(&c->a->desk, who, PLUMB_ROLE_VIEWER, &op, &c->reply->body);
	if (s == 0)
		store_operator_done(&op);
	return s;
}

bool api_may_follow(struct api *a, const struct cert_identity *who)
{
	CLEANUP(buf_done) struct buf answer = {0};
	struct store_operator op = {.revoked = false};
	int r = action_desk_operator(&a->desk, who, PLUMB_ROLE_VIEWER, &op, &answer);

	if (r == 0)
		store_operator_done(&op);
	return r == 0;
}

void api_handle(struct api *a, const struct api_request *q, struct api_reply *ret)
{
	struct call c = {.a = a, .q = q, .rest = "", .reply = ret};
	bool known;
	const struct route *route = find_route(q->method, q->path, &c.rest, &known);
	int r;

	*ret = (struct api_reply){.type = WIRE_TYPE_JSON};
	if (!route)
		r = reply_error(&ret->body, known ? 405 : 404, "see docs/wire.md",
				known ? "not with this method" : "there is no such route");
	else if (q->size > route->max)
		r = reply_error(&ret->body, 413, "send less", "body: more than %zu bytes",
				route->max);
	else
		r = check_may(&c, route);
	if (r == 0)
		r = route->run(&c);
	if (r < 0) {
		log_error("route=%s error=\"%s\" next=\"answered 500, nothing was changed\"",
			  route ? route->path : "?", strerror(-r));
		buf_clear(&ret->body);
		ret->type = WIRE_TYPE_JSON;
		r = reply_error(&ret->body, 500, "see the verifier's log",
				"the verifier failed: %s", strerror(-r));
	}
	ret->status = r > 0 ? r : 500;
}
