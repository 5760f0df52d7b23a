/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "node.h"

void remedy_fixture_open_desk(struct remedy_fixture *p)
{
	static const char *const hooks[] = {"http://127.0.0.1:9/x"};
	struct contain_options c = {.base = p->base,
				    .store = p->v.v.store,
				    .clock = p->v.v.clock,
				    .key = p->v.verdict,
				    .webhooks = hooks,
				    .n_webhooks = 1,
				    .v = &p->v.v,
				    .max_percent = 100};

	assert_int_equal(contain_open(&c, &p->contain, &p->why), 0);
	p->desk = (struct action_desk){&p->v.v, p->v.documents, p->v.intake, p->contain};
	assert_int_equal(remedy_desk_open(&p->desk, &p->remedy), 0);
}

int remedy_fixture_open(void **state)
{
	struct remedy_fixture *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	node_fixture_baseline(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	p->base = event_base_new();
	remedy_fixture_open_desk(p);
	*state = p;
	return 0;
}

int remedy_fixture_done(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_desk_free(p->remedy);
	contain_free(p->contain);
	event_base_free(p->base);
	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

void remedy_fixture_tick(struct remedy_fixture *p)
{
	assert_int_equal(contain_book_refresh(contain_book(p->contain)), 0);
	assert_int_equal(remedy_desk_tick(p->remedy), 0);
}

void remedy_fixture_pass(struct remedy_fixture *p, uint64_t ms)
{
	verifier_fixture_pass(&p->v, ms);
	remedy_fixture_tick(p);
}

void remedy_fixture_is(struct remedy_fixture *p, enum remedy_step step, enum remedy_phase phase)
{
	struct remedy_record k;
	struct why why = {""};

	assert_int_equal(remedy_book_get(p->v.v.store, p->n.record.node, &k, &why), 0);
	if (k.m.step != step || k.m.phase != phase)
		fail_msg("step %d, phase %d: %s", k.m.step, k.m.phase, k.why);
}

void remedy_fixture_is_none(struct remedy_fixture *p)
{
	struct remedy_record k;
	struct why why = {""};

	assert_int_equal(remedy_book_get(p->v.v.store, p->n.record.node, &k, &why), -ENOENT);
}

int remedy_fixture_says(struct remedy_fixture *p, const char *value, enum plumb_role role)
{
	const struct store *s = p->v.v.store;
	const struct transition t = {.v = &p->v.v, .contain = p->contain};
	const struct remedy_desk_word w = {.desk = &p->desk,
					   .t = &t,
					   .by = "alice",
					   .reason = "test",
					   .value = value,
					   .role = role,
					   .ret_text = p->text,
					   .ret_undo = p->undo,
					   .size = sizeof(p->text)};
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	int r;

	p->why.text[0] = 0;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	r = remedy_desk_do(&w, &n, &p->why);
	if (r == 0) {
		assert_int_equal(s->ops->node_put(s->ctx, &n), 0);
		assert_int_equal(s->ops->commit(s->ctx), 0);
	} else {
		s->ops->rollback(s->ctx);
	}
	store_node_done(&n);
	return r;
}

uint64_t remedy_fixture_last_order(struct remedy_fixture *p)
{
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	uint64_t order = n.last_order;

	store_node_done(&n);
	return order;
}

void remedy_fixture_take_order(struct remedy_fixture *p)
{
	char members[64];

	snprintf(members, sizeof(members), "\"number\":%llu,\"result\":\"done\"",
		 (unsigned long long)remedy_fixture_last_order(p));
	node_fixture_record(&p->n, "order", members);
}

void remedy_fixture_evidence(struct remedy_fixture *p)
{
	remedy_fixture_pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	remedy_fixture_pass(p, 1000);
}

/* As the transition does it in a verifier whose containment is one with its intake. */
void remedy_fixture_let(struct remedy_fixture *p)
{
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	const struct store *s = p->v.v.store;
	enum brakes_why why;

	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(contain_let(p->contain, &n, NODE_DEED_QUARANTINE, "exec:/x", &why), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	assert_int_equal(why, BRAKES_OPEN);
	store_node_done(&n);
}

void remedy_fixture_quarantine(struct remedy_fixture *p, const char *rules)
{
	verifier_fixture_rules(&p->v, 1, rules);
	node_fixture_exec(&p->n, "/usr/bin/new");
	remedy_fixture_pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	remedy_fixture_let(p);
	if (!p->paused)
		remedy_fixture_tick(p);
}

void remedy_fixture_pause(struct remedy_fixture *p, const char *value)
{
	const struct store *s = p->v.v.store;

	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->setting_put(s->ctx, CONTAIN_PAUSE, value), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
}
