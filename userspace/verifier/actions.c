/* SPDX-License-Identifier: Apache-2.0 */
#include "actions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action_body.h"
#include "action_release.h"
#include "cleanup.h"
#include "contain_desk.h"
#include "dsse.h"
#include "ek_list.h"
#include "enrol_admit.h"
#include "kube_patch.h"
#include "log.h"
#include "order_desk.h"
#include "rekey_permit.h"
#include "remedy_desk.h"
#include "reply.h"

#define MAX_SEEN 4096
#define FRESH_NS (300ull * 1000000000)
#define DEFAULT_WINDOW_MS 300000ull
#define MAX_WINDOW_MS 3600000ull
#define CURE_ROLE "ask somebody with that role: plumb-verifier operator list"

struct actions {
	struct action_desk o;
	struct transition t;
	struct digest seen[MAX_SEEN]; /* payloads of the last minutes: each is good once */
	uint32_t at_seen;
};

/* One action on its way. */
struct act {
	struct actions *a;
	struct store_operator op;
	struct action_body body;
	struct digest envelope, payload;
	struct store_node n;
	char text[512], undo[512];
	struct why why;
};

int actions_open(const struct action_desk *o, struct actions **ret)
{
	struct actions *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->o = *o;
	a->t = (struct transition){.v = o->v, .contain = o->contain};
	*ret = a;
	return 0;
}

struct actions *actions_free(struct actions *a)
{
	free(a);
	return NULL;
}

static const struct store *store_of(const struct actions *a)
{
	return a->o.v->store;
}

static struct action_release_word word_of(const struct act *act)
{
	return (struct action_release_word){.desk = &act->a->o,
					    .t = &act->a->t,
					    .cases = act->body.cases,
					    .n_cases = act->body.n_cases,
					    .by = act->op.name,
					    .reason = act->body.reason};
}

static int derive(struct act *act, const char *what)
{
	char cause[200];
	int r;

	snprintf(cause, sizeof(cause), "%s by %.60s: %.100s", what, act->op.name, act->body.reason);
	r = intake_derive(act->a->o.intake, &act->n, cause, act->op.name, act->body.reason);
	return r < 0 ? r : 0;
}

static int step(struct act *act, enum node_event e, const char *what)
{
	char cause[200];
	const struct transition_cause c = {
		.text = cause, .operator_name = act->op.name, .reason = act->body.reason};

	snprintf(cause, sizeof(cause), "%s by %.60s: %.100s", what, act->op.name, act->body.reason);
	return transition_apply(&act->a->t, &act->n, e, &c);
}

/* Each: 0 done; an HTTP status with why set: refused; < 0 our own failure. */
static int acknowledge(struct act *act)
{
	const struct action_release_word w = word_of(act);
	uint32_t n = 0;
	int r = action_release_cases(&w, &act->n, false, "acknowledged", &n);

	if (r < 0)
		return r;
	if (n == 0)
		return why_set(&act->why, 404, "no open case of %.60s is among those named",
			       act->n.label);
	snprintf(act->text, sizeof(act->text), "%u case%s of %.100s acknowledged", n,
		 n == 1 ? "" : "s", act->n.label);
	snprintf(act->undo, sizeof(act->undo),
		 "none: the same drift opens a case again when it happens again");
	return derive(act, "acknowledged");
}

struct same_label {
	const struct store_node *n;
	bool taken;
};

static int on_same_label(void *ctx, const struct store_node *n)
{
	struct same_label *s = ctx;

	s->taken |= strcmp(n->label, s->n->label) == 0 && strcmp(n->id, s->n->id) != 0 &&
		    !node_is_gone(n->life) && n->life != PLUMB_LIFE_PROVISIONING;
	return 0;
}

/* One that was chosen for this very node goes before that of all new ones. */
static int give_baseline(struct act *act)
{
	static const struct digest none;
	struct order o = {.kind = ORDER_BASELINE, .reason = "the baseline of new nodes"};
	int r = 0;

	if (digest_equal(&act->n.baseline, &none))
		r = documents_default_baseline(act->a->o.documents, &act->n.baseline,
					       &act->n.baseline_version);
	if (r == -ENOENT)
		return 0;
	o.document = act->n.baseline;
	o.version = act->n.baseline_version;
	return r < 0 ? r : order_desk_give(act->a->o.v, &act->n, &o, NULL);
}

static int on_silence(void *ctx, const struct store_case *k)
{
	bool *open = ctx;

	*open |= strcmp(k->key, "finding:silent") == 0;
	return 0;
}

/* Its silence was settled while it waited: it is waited for as a new node is, or nobody would miss it. One that is open goes on until it is heard. */
static int wait_anew(struct act *act)
{
	const struct store *s = store_of(act->a);
	bool open = false;
	int r;

	if (act->n.freshness != PLUMB_FRESHNESS_SILENT)
		return 0;
	r = s->ops->case_each(s->ctx, act->n.id, true, on_silence, &open);
	if (r < 0 || open)
		return r < 0 ? r : 0;
	act->n.freshness = PLUMB_FRESHNESS_FRESH;
	act->n.findings &= ~(1u << PLUMB_FINDING_SILENT);
	return 0;
}

static int approve(struct act *act)
{
	const struct verifier *v = act->a->o.v;
	struct same_label same = {.n = &act->n};
	int r = store_of(act->a)->ops->node_each(store_of(act->a)->ctx, on_same_label, &same);

	if (r >= 0 && same.taken && act->n.life == PLUMB_LIFE_PROVISIONING)
		return why_set(&act->why, 409,
			       "label %.100s is another node's; retire that one, or enrol this "
			       "one with another label",
			       act->n.label);
	if (r >= 0)
		r = wait_anew(act);
	if (r >= 0)
		r = step(act, NODE_APPROVED, "approved");
	if (r == -EPERM)
		return why_set(&act->why, 409, "%.100s does not wait for an approval",
			       act->n.label);
	if (r < 0)
		return r;
	act->n.deadline_ns = clock_utc_ns(v->clock) + v->silent_after_ms * 1000000;
	r = enrol_admit_approved(v, &act->n);
	if (r >= 0)
		r = give_baseline(act);
	snprintf(act->text, sizeof(act->text), "%.100s is approved", act->n.label);
	snprintf(act->undo, sizeof(act->undo), "plumbctl node retire %.100s --reason=…",
		 act->n.label);
	return r;
}

static int release(struct act *act)
{
	const struct action_release_word w = word_of(act);
	uint32_t n = 0;
	int r = action_release_node(&w, &act->n, &n);

	if (r == -EPERM) {
		if (act->n.forked || node_is_gone(act->n.life))
			return why_set(&act->why, 409, "%.100s is %s: only a new enrolment helps",
				       act->n.label,
				       node_is_gone(act->n.life) ? terms_life_name(act->n.life)
								 : "forked");
		snprintf(act->undo, sizeof(act->undo), "none");
		return action_release_unheld(&w, &act->n, act->text, sizeof(act->text));
	}
	snprintf(act->text, sizeof(act->text), "%.100s is released, %u case%s settled",
		 act->n.label, n, n == 1 ? "" : "s");
	snprintf(act->undo, sizeof(act->undo), "none: what drifts again holds it again");
	return r;
}

static int retire(struct act *act)
{
	int r = step(act, NODE_RETIRED, "retired");

	if (r == -EPERM)
		return why_set(&act->why, 409, "%.100s is retired already", act->n.label);
	snprintf(act->text, sizeof(act->text),
		 "%.100s is retired; its certificate is refused from here on, its evidence stays",
		 act->n.label);
	snprintf(act->undo, sizeof(act->undo), "none: enrol the machine anew with another TPM");
	return r < 0 ? r : 0;
}

struct bound {
	const char *name, *id;
	bool taken;
};

/* Who is retired has no name any more: the next machine may have it. */
static int on_bound(void *ctx, const struct store_node *n)
{
	struct bound *b = ctx;

	b->taken |= n->life != PLUMB_LIFE_RETIRED && strcmp(n->kube_name, b->name) == 0 &&
		    strcmp(n->id, b->id) != 0;
	return 0;
}

static void tell_bound(struct act *act, const char *old_name)
{
	const char *name = act->n.kube_name;

	if (name[0])
		snprintf(act->text, sizeof(act->text),
			 "%.100s is Kubernetes node %.250s from here on", act->n.label, name);
	else
		snprintf(act->text, sizeof(act->text), "%.100s is bound to no Kubernetes node",
			 act->n.label);
	if (old_name[0] && strcmp(old_name, name) != 0)
		snprintf(act->text + strlen(act->text), sizeof(act->text) - strlen(act->text),
			 "; our taints come off %.120s", old_name);
	snprintf(act->undo, sizeof(act->undo), "plumbctl node bind %.100s \"%.253s\" --reason=…",
		 act->n.label, old_name);
}

/* The taints follow the name: off the old one, and onto the new one what the node's containment asks for. */
static int bind_name(struct act *act)
{
	const struct store *s = store_of(act->a);
	struct bound b = {.name = act->body.value, .id = act->n.id};
	char old_name[sizeof(act->n.kube_name)];
	int r = 0;

	if (node_is_gone(act->n.life))
		return why_set(&act->why, 409, "%.100s is %s", act->n.label,
			       terms_life_name(act->n.life));
	if (b.name[0] && !kube_patch_is_name(b.name))
		return why_set(&act->why, 400, "value is no Kubernetes node name");
	if (b.name[0])
		r = s->ops->node_each(s->ctx, on_bound, &b);
	if (r < 0)
		return r;
	if (b.taken)
		return why_set(&act->why, 409, "%.100s is bound to another node", b.name);
	memcpy(old_name, act->n.kube_name, sizeof(old_name));
	snprintf(act->n.kube_name, sizeof(act->n.kube_name), "%.253s", b.name);
	tell_bound(act, old_name);
	return contain_bound(act->a->o.contain, &act->n, old_name);
}

static int give_order(struct act *act, enum order_kind kind, uint64_t life_ms)
{
	struct order o = {.kind = kind, .life_ms = life_ms};
	uint64_t number;
	int r;

	if (node_is_gone(act->n.life) || act->n.life == PLUMB_LIFE_PROVISIONING)
		return why_set(&act->why, 409, "%.100s is %s: it takes no orders", act->n.label,
			       terms_life_name(act->n.life));
	snprintf(o.reason, sizeof(o.reason), "%.60s: %.190s", act->op.name, act->body.reason);
	r = order_desk_give(act->a->o.v, &act->n, &o, &number);
	if (r < 0)
		return r;
	if (kind == ORDER_RESTART)
		snprintf(act->text, sizeof(act->text),
			 "a stop of %.100s within %" PRIu64 " s raises nothing (order %" PRIu64 ")",
			 act->n.label, life_ms / 1000, number);
	else
		snprintf(act->text, sizeof(act->text), "%.100s is asked %s (order %" PRIu64 ")",
			 act->n.label,
			 kind == ORDER_SCAN ? "to look at everything again" : "for evidence",
			 number);
	snprintf(act->undo, sizeof(act->undo), "none: it ends by itself");
	return 0;
}

static int restart(struct act *act)
{
	const char *value = act->body.value;
	uint64_t ms = value[0] ? strtoull(value, NULL, 10) : DEFAULT_WINDOW_MS;

	if (strspn(value, "0123456789") != strlen(value) || ms == 0 || ms > MAX_WINDOW_MS)
		return why_set(&act->why, 400, "value is no window from 1 to %llu ms",
			       (unsigned long long)MAX_WINDOW_MS);
	return give_order(act, ORDER_RESTART, ms);
}

static int ask(struct act *act)
{
	return give_order(act, act->body.kind == ACTION_SCAN ? ORDER_SCAN : ORDER_CHALLENGE, 0);
}

static int arm(struct act *act)
{
	bool on = act->body.kind == ACTION_ARM;
	const char *word = on ? "armed" : "disarmed";
	char cause[200];
	int r = documents_arm(act->a->o.documents, act->body.value, on, &act->why);

	if (r == -ENOENT || r == -EINVAL)
		return 400;
	if (r < 0)
		return r;
	snprintf(cause, sizeof(cause), "%s by %.60s: %.100s", word, act->op.name, act->body.reason);
	snprintf(act->text, sizeof(act->text), "%s: %.300s", word, act->body.value);
	/* A list that was cut would name another rule. */
	snprintf(act->undo, sizeof(act->undo), "plumbctl policy %s %.300s --reason=…",
		 on ? "disarm" : "arm", strlen(act->body.value) > 300 ? "…" : act->body.value);
	/* They came with commas; the command takes words. */
	for (char *c = act->undo; (c = strchr(c, ',')) != NULL; c++)
		*c = ' ';
	return action_desk_rejudge(&act->a->o, cause, &act->op, act->body.reason);
}

static int change_eks(struct act *act)
{
	const struct ek_list_word w = {.store = store_of(act->a),
				       .ek = act->body.node,
				       .label = act->body.value,
				       .by = act->op.name,
				       .now_ns = clock_utc_ns(act->a->o.v->clock),
				       .ret_text = act->text,
				       .ret_undo = act->undo,
				       .size = sizeof(act->text)};

	return act->body.kind == ACTION_EK_IMPORT ? ek_list_import(&w, &act->why)
						  : ek_list_take_off(&w, &act->why);
}

static int change_containment(struct act *act)
{
	const struct contain_word w = {.desk = &act->a->o,
				       .kind = act->body.kind,
				       .by = act->op.name,
				       .reason = act->body.reason,
				       .value = act->body.value,
				       .ret_text = act->text,
				       .ret_undo = act->undo,
				       .size = sizeof(act->text)};

	return contain_desk_do(&w, &act->why);
}

static int remedy(struct act *act)
{
	const struct remedy_desk_word w = {.desk = &act->a->o,
					   .t = &act->a->t,
					   .by = act->op.name,
					   .reason = act->body.reason,
					   .value = act->body.value,
					   .role = act->op.role,
					   .ret_text = act->text,
					   .ret_undo = act->undo,
					   .size = sizeof(act->text)};

	return remedy_desk_do(&w, &act->n, &act->why);
}

/* Its taints and what it is held for stay: it is not gone, it is not to be believed. */
static int revoke_node(struct act *act)
{
	int r = step(act, NODE_REVOKED, "revoked");

	if (r == -EPERM)
		return why_set(&act->why, 409, "%.100s is %s already", act->n.label,
			       terms_life_name(act->n.life));
	snprintf(
		act->text, sizeof(act->text),
		"%.100s is revoked: its certificate and its TPM are refused from here on, it stays "
		"quarantined, its evidence stays",
		act->n.label);
	snprintf(act->undo, sizeof(act->undo),
		 "none; plumbctl node retire %.100s --reason=… takes its taints off", act->n.label);
	return r < 0 ? r : 0;
}

/* The node makes new keys and enrols with them; that it may is good once, for this EK alone, and ends by itself. */
static int rekey(struct act *act)
{
	uint64_t until = clock_utc_ns(act->a->o.v->clock) + REKEY_PERMIT_LIFE_NS;
	char at[CLOCK_TEXT_SIZE];
	int r = give_order(act, ORDER_REKEY, REKEY_PERMIT_LIFE_NS / 1000000);

	if (r == 0)
		r = rekey_permit_give(store_of(act->a), act->n.id, act->op.name, until);
	clock_text(until, at);
	snprintf(act->text, sizeof(act->text),
		 "%.100s is asked to make new keys; it may enrol with them, without a token, until "
		 "%s",
		 act->n.label, at);
	snprintf(act->undo, sizeof(act->undo), "none: it ends by itself");
	return r;
}

static const struct kind {
	enum plumb_role role;
	bool of_node;
	int (*run)(struct act *act);
} kinds[] = {
	[ACTION_ACKNOWLEDGE] = {PLUMB_ROLE_RESPONDER, true, acknowledge},
	[ACTION_APPROVE] = {PLUMB_ROLE_APPROVER, true, approve},
	[ACTION_RELEASE] = {PLUMB_ROLE_APPROVER, true, release},
	[ACTION_RETIRE] = {PLUMB_ROLE_APPROVER, true, retire},
	[ACTION_BIND] = {PLUMB_ROLE_APPROVER, true, bind_name},
	[ACTION_RESTART] = {PLUMB_ROLE_RESPONDER, true, restart},
	[ACTION_ARM] = {PLUMB_ROLE_APPROVER, false, arm},
	[ACTION_DISARM] = {PLUMB_ROLE_APPROVER, false, arm},
	[ACTION_CHALLENGE] = {PLUMB_ROLE_RESPONDER, true, ask},
	[ACTION_SCAN] = {PLUMB_ROLE_RESPONDER, true, ask},
	[ACTION_EK_IMPORT] = {PLUMB_ROLE_APPROVER, false, change_eks},
	[ACTION_REVOKE] = {PLUMB_ROLE_APPROVER, true, revoke_node},
	[ACTION_REKEY] = {PLUMB_ROLE_APPROVER, true, rekey},
	[ACTION_CONTAIN_PAUSE] = {PLUMB_ROLE_APPROVER, false, change_containment},
	[ACTION_CONTAIN_RESUME] = {PLUMB_ROLE_APPROVER, false, change_containment},
	[ACTION_CONTAIN_UNDO] = {PLUMB_ROLE_APPROVER, false, change_containment},
	[ACTION_EK_REMOVE] = {PLUMB_ROLE_APPROVER, false, change_eks},
	[ACTION_REMEDY] = {PLUMB_ROLE_RESPONDER, true, remedy},
};

/* By what was signed: the envelope around it can be written in many ways. */
static bool seen_before(const struct actions *a, const struct digest *payload)
{
	for (uint32_t i = 0; i < MAX_SEEN; i++)
		if (digest_equal(&a->seen[i], payload))
			return true;
	return false;
}

/* 0, or a status with the answer written: the signature is that of the key on this connection, and of now. */
static int open_envelope(struct act *act, const void *envelope, size_t size, struct buf *ret)
{
	CLEANUP(buf_done) struct buf payload = {0};
	struct sign_key *key = NULL;
	uint64_t now = clock_utc_ns(act->a->o.v->clock), off;
	int r = sign_key_from_spki(act->op.spki.data, act->op.spki.size, &key, &act->why);

	if (r >= 0)
		r = dsse_open(envelope, size, WIRE_MAX_JSON_BODY, WIRE_DSSE_ACTION,
			      (const struct sign_key *const *)&key, 1, &payload, NULL, &act->why);
	sign_key_free(key);
	if (r >= 0)
		r = action_body_parse(payload.data, payload.size, &act->body, &act->why);
	if (r >= 0)
		r = digest_sha256(envelope, size, &act->envelope);
	if (r >= 0)
		r = digest_sha256(payload.data, payload.size, &act->payload);
	if (r == -EBADMSG || r == -EKEYREJECTED || r == -E2BIG)
		return reply_error(ret, r == -EKEYREJECTED ? 403 : 400,
				   "sign it with the key of your certificate", "action: %s",
				   act->why.text);
	if (r < 0)
		return r;
	off = now > act->body.at_ns ? now - act->body.at_ns : act->body.at_ns - now;
	if (off > FRESH_NS)
		return reply_error(ret, 400, "set the clocks",
				   "action: signed %llu s away from the verifier's time",
				   (unsigned long long)(off / 1000000000));
	if (!act->body.reason[0])
		return reply_error(ret, 400, "--reason=…", "action: there is no reason");
	if (seen_before(act->a, &act->payload))
		return reply_error(ret, 409, "sign it anew", "action: it was sent before");
	return 0;
}

static int find(struct act *act)
{
	int r = action_desk_find(act->a->o.v, act->body.node, &act->n, &act->why);

	if (r == -ENOENT)
		return 404;
	return r == -ENOTUNIQ ? 409 : r;
}

static int run_kind(struct act *act)
{
	const struct kind *k = &kinds[act->body.kind];
	const struct store *s = store_of(act->a);
	int r = 0;

	if (act->op.role < k->role)
		r = why_set(&act->why, 403, "%s takes the role %s; %.60s is %s",
			    action_body_name(act->body.kind), terms_role_name(k->role),
			    act->op.name, terms_role_name(act->op.role));
	if (r == 0 && k->of_node)
		r = find(act);
	if (r == 0)
		r = k->run(act);
	if (r == 0 && k->of_node)
		r = s->ops->node_put(s->ctx, &act->n);
	return r;
}

static void act_done(struct act **p)
{
	if (!*p)
		return;
	store_operator_done(&(*p)->op);
	store_node_done(&(*p)->n);
	free(*p);
}

/* What was refused leaves nothing behind but its line in the log. */
static int finish(struct act *act, int r, struct buf *ret)
{
	struct actions *a = act->a;
	const struct store *s = store_of(a);
	const char *name = action_body_name(act->body.kind);
	int status = r;

	if (r > 0)
		s->ops->rollback(s->ctx);
	if (r >= 0)
		r = action_desk_log(&a->o, act->op.name, name,
				    act->n.id[0] ? act->n.id : act->body.node, act->body.reason,
				    &act->envelope, status > 0 ? act->why.text : act->text);
	if (r >= 0)
		r = vlog_sync(a->o.v->vlog);
	if (r >= 0 && status == 0)
		r = s->ops->commit(s->ctx);
	if (r < 0) {
		action_desk_undo(&a->o, act->op.name, name, &act->envelope, r);
		return r;
	}
	a->seen[a->at_seen++ % MAX_SEEN] = act->payload;
	log_notice("operator=%s action=%s node=%s result=\"%s\"", act->op.name, name,
		   act->n.id[0] ? act->n.label : act->body.node,
		   status > 0 ? act->why.text : act->text);
	if (status > 0)
		return reply_error(ret, status,
				   status == 403 ? CURE_ROLE : "plumbctl node list shows the nodes",
				   "%s", act->why.text);
	contain_kick(a->o.contain);
	return action_desk_answer(act->text, act->undo, ret);
}

int actions_act(struct actions *a, const struct cert_identity *who, const void *envelope,
		size_t size, struct buf *ret)
{
	CLEANUP(act_done) struct act *act = calloc(1, sizeof(*act));
	int r;

	if (!act)
		return -ENOMEM;
	act->a = a;
	r = action_desk_operator(&a->o, who, PLUMB_ROLE_VIEWER, &act->op, ret);
	if (r == 0)
		r = open_envelope(act, envelope, size, ret);
	if (r != 0)
		return r;
	r = store_of(a)->ops->begin(store_of(a)->ctx);
	return r < 0 ? r : finish(act, run_kind(act), ret);
}
