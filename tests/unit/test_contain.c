/* SPDX-License-Identifier: Apache-2.0 */
/* From a transition to the receiver and to the Kubernetes node, over a real store, through targets that fail and a verifier that stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "cleanup.h"
#include "contain.h"
#include "dsse.h"
#include "fake_kube.h"
#include "jsonl.h"
#include "node.h"
#include "plumb/wire.h"
#include "verifier_fixture.h"

#define S VERIFIER_FIXTURE_S
#define MAX_GOT 64
#define BOOT "11111111-2222-3333-4444-555555555555"
#define OTHER_BOOT "99999999-2222-3333-4444-555555555555"
#define TAINT "plumbline.io/quarantined"
#define HOLD TAINT ":NoSchedule"
#define QUARANTINE TAINT ":NoSchedule " TAINT ":NoExecute"

struct receiver {
	struct fake_http *http;
	int status; /* 0: silent */
	uint64_t got[MAX_GOT], delivery[MAX_GOT], dropped;
	uint32_t n;
	const struct sign_key *key;
	bool big; /* a long answer */
};

struct world {
	struct verifier_fixture f;
	struct event_base *base;
	struct receiver one, two;
	struct fake_kube api;
	struct contain *c;
	char urls[2][64], server[64];
	const char *list[2];
	uint64_t seq;
	bool with_kube;
};

static void on_delivery(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	CLEANUP(buf_done) struct buf payload = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct receiver *r = ctx;
	char text[64];
	struct why why;

	assert_string_equal(q->method, "POST");
	assert_string_equal(q->path, "/hook");
	assert_int_equal(dsse_open(q->body, q->size, 65536, WIRE_DSSE_WEBHOOK, &r->key, 1, &payload,
				   NULL, &why),
			 0);
	assert_int_equal(jsonl_parse(payload.data, payload.size, 65536, &o, &why), 0);
	assert_true(r->n < MAX_GOT);
	assert_int_equal(jsonl_get_uint(o, "id", UINT32_MAX, &r->got[r->n], &why), 0);
	assert_non_null(fake_http_header(q, "Plumb-Delivery", text, sizeof(text)));
	r->delivery[r->n] = strtoull(text, NULL, 10);
	/* The header says what is signed. */
	assert_int_equal(r->delivery[r->n], r->got[r->n]);
	r->dropped = fake_http_header(q, "Plumb-Dropped", text, sizeof(text))
			     ? strtoull(text, NULL, 10)
			     : 0;
	r->n++;
	a->silent = r->status == 0;
	if (r->big)
		buf_printf(&a->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n%0200000d",
			   1);
	else
		fake_http_say(a, r->status, "");
}

static void open_contain(struct world *w)
{
	const struct contain_options o = {.base = w->base,
					  .store = &w->f.store,
					  .clock = &w->f.clock,
					  .key = w->f.verdict,
					  .webhooks = w->list,
					  .n_webhooks = 2,
					  .kube_server = w->with_kube ? w->server : NULL};
	struct why why = {""};

	assert_int_equal(contain_open(&o, &w->c, &why), 0);
}

static void receive(struct world *w, struct receiver *r, unsigned int i)
{
	*r = (struct receiver){.status = 200, .key = w->f.verdict};
	r->http = fake_http_open(w->base, NULL, NULL, on_delivery, r);
	snprintf(w->urls[i], sizeof(w->urls[i]), "http://127.0.0.1:%d/hook",
		 fake_http_port(r->http));
	w->list[i] = w->urls[i];
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	verifier_fixture_open(&w->f);
	w->base = event_base_new();
	receive(w, &w->one, 0);
	receive(w, &w->two, 1);
	fake_kube_open(&w->api, w->base, NULL, NULL);
	fake_kube_node(&w->api, 0, "n1", "uid-1", BOOT,
		       "[{\"key\":\"a\",\"effect\":\"NoExecute\"}]");
	fake_kube_node(&w->api, 1, "n2", "uid-2", BOOT, NULL);
	snprintf(w->server, sizeof(w->server), "http://127.0.0.1:%d", fake_http_port(w->api.http));
	w->with_kube = true;
	open_contain(w);
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	contain_free(w->c);
	fake_http_free(w->one.http);
	fake_http_free(w->two.http);
	fake_kube_done(&w->api);
	event_base_free(w->base);
	verifier_fixture_done(&w->f);
	free(w);
	return 0;
}

/* Until nothing came for so many rounds of the loop: all is on loopback, in this process. */
static void settle(struct world *w)
{
	for (int quiet = 0; quiet < 12;) {
		const struct timeval tv = {0, 2000};
		unsigned int before = w->one.n + w->two.n + w->api.n_get + w->api.n_patch;

		contain_kick(w->c);
		event_base_loopexit(w->base, &tv);
		event_base_loop(w->base, 0);
		quiet = before == w->one.n + w->two.n + w->api.n_get + w->api.n_patch ? quiet + 1
										      : 0;
	}
}

static void pass(struct world *w, uint64_t s)
{
	w->f.utc_ns += s * S;
	w->f.boot_ns += s * S;
	settle(w);
}

static void put_node(struct world *w, const char *id, const char *kube_name,
		     enum plumb_containment containment, const char *boot_id)
{
	struct store_node n = {.incarnation = 0};

	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	if (w->f.ops.node_get(w->f.store.ctx, id, &n) < 0)
		n = (struct store_node){.incarnation = 1, .life = PLUMB_LIFE_ACTIVE};
	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", kube_name);
	snprintf(n.boot_id, sizeof(n.boot_id), "%s", boot_id);
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.containment = containment;
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &n), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&n);
}

static void queue(struct world *w, const char *id, uint32_t deeds, bool shown)
{
	struct store_node n;
	struct contain_transition t = {.node = &n,
				       .from = "trusted",
				       .to = shown ? "quarantined" : "trusted",
				       .cause = "drift",
				       .rule = "",
				       .key = "",
				       .expected = "",
				       .found = "",
				       .who = "",
				       .log_seq = ++w->seq,
				       .verdict_jwt = "",
				       .deeds = deeds};

	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, id, &n), 0);
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(contain_queue(w->c, &t), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&n);
}

static void bound(struct world *w, const char *id, const char *old_name)
{
	struct store_node n;

	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, id, &n), 0);
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(contain_bound(w->c, &n, old_name), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&n);
	settle(w);
}

#define TAINTS(i, text)                                                           \
	do {                                                                      \
		char taints_[512];                                                \
		assert_string_equal(fake_kube_taints(&w->api, i, taints_), text); \
	} while (0)

static void test_both_receivers_hear_of_it(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	queue(w, "aa", NODE_DEED_LOG, true);
	queue(w, "aa", NODE_DEED_LOG, false); /* nobody sees a difference */
	queue(w, "aa", NODE_DEED_LOG, true);
	settle(w);
	assert_int_equal(w->one.n, 2);
	assert_int_equal(w->two.n, 2);
	assert_int_equal(w->one.got[0], 1);
	assert_int_equal(w->one.got[1], 3);
	assert_int_equal(w->api.n_get, 0);
}

static void test_one_is_down(void **state)
{
	struct world *w = *state;
	struct fake_http *gone = w->one.http;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	put_node(w, "bb", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 503;
	for (int i = 0; i < 5; i++)
		queue(w, i % 2 ? "aa" : "bb", NODE_DEED_LOG, true);
	settle(w);
	assert_int_equal(w->two.n, 5);
	assert_int_equal(w->one.n, 1);
	/* The verifier stops while the receiver is down, and starts again. */
	contain_free(w->c);
	verifier_fixture_stop(&w->f);
	verifier_fixture_start(&w->f);
	open_contain(w);
	settle(w);
	assert_int_equal(w->one.n, 2);
	w->one.status = 200;
	w->one.n = 0;
	pass(w, 300);
	assert_int_equal(w->one.n, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(w->one.got[i], i + 1);
	assert_int_equal(w->two.n, 5);
	assert_ptr_equal(gone, w->one.http);
}

static void test_in_flight_when_it_stops(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 0;
	queue(w, "aa", NODE_DEED_LOG, true);
	settle(w);
	assert_int_equal(w->one.n, 1);
	contain_free(w->c);
	w->one.status = 200;
	open_contain(w);
	settle(w);
	assert_int_equal(w->one.n, 2); /* at least once, and known by its id */
	assert_int_equal(w->one.got[0], w->one.got[1]);
	assert_int_equal(w->two.n, 1);
}

static void test_what_is_refused(void **state)
{
	static const int statuses[] = {400, 401, 404, 410, 500, 301};
	struct world *w = *state;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	put_node(w, "bb", "", PLUMB_CONTAIN_FREE, "");
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		w->one.n = 0;
		w->one.status = statuses[i];
		queue(w, "aa", NODE_DEED_LOG, true);
		queue(w, "bb", NODE_DEED_LOG, true);
		settle(w);
		assert_int_equal(w->one.n, 2); /* one of each: the other node does not wait */
		w->one.status = 204;
		pass(w, 300);
		assert_int_equal(w->one.n, 4);
	}
}

static void test_a_long_answer_is_an_answer(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.big = true;
	queue(w, "aa", NODE_DEED_LOG, true);
	settle(w);
	pass(w, 300);
	assert_int_equal(w->one.n, 1);
}

static void test_the_receiver_knows_of_those_dropped(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 400;
	queue(w, "aa", NODE_DEED_LOG, true);
	for (int i = 0; i < 100; i++) {
		pass(w, 300);
		w->one.n = 0;
	}
	w->one.status = 200;
	queue(w, "aa", NODE_DEED_LOG, true);
	pass(w, 300);
	assert_int_equal(w->one.n, 1);
	assert_int_equal(w->one.got[0], 2);
	assert_int_equal(w->one.dropped, 1);
	assert_int_equal(w->two.dropped, 0);
}

static void test_settings_that_are_wrong(void **state)
{
	struct world *w = *state;
	const char *one = "http://hooks.example/",
		   *twice[] = {"https://a.example/", "https://a.example/"};
	struct contain_options o = {.base = w->base,
				    .store = &w->f.store,
				    .clock = &w->f.clock,
				    .key = w->f.verdict,
				    .webhooks = &one,
				    .n_webhooks = 1};
	struct contain *c;
	struct why why;

	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	assert_memory_equal(why.text, "webhooks: ", 10);
	o.webhooks = twice;
	o.n_webhooks = 2;
	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	o.n_webhooks = 17;
	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	o.n_webhooks = 1;
	o.webhook_ca = "/dev/null"; /* empty: trusts nobody, not everybody */
	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	assert_memory_equal(why.text, "webhook_ca: ", 12);
	o.webhook_ca = "/nonexistent";
	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	o.webhook_ca = NULL;
	o.kube_server = "http://10.96.0.1:443"; /* a token would go there in the clear */
	assert_int_equal(contain_open(&o, &c, &why), -EINVAL);
	assert_memory_equal(why.text, "kube_server: ", 13);
	o.kube_server = NULL;
	assert_int_equal(contain_open(&o, &c, &why), 0);
	contain_free(c);
}

static void test_taints_follow_containment(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, BOOT);
	put_node(w, "bb", "", PLUMB_CONTAIN_QUARANTINED, BOOT); /* bound to none */
	queue(w, "aa", NODE_DEED_HOLD, true);
	queue(w, "bb", NODE_DEED_QUARANTINE, true);
	settle(w);
	TAINTS(0, "a:NoExecute " HOLD);
	TAINTS(1, "");
	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	queue(w, "aa", NODE_DEED_QUARANTINE, true);
	settle(w);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	put_node(w, "aa", "n1", PLUMB_CONTAIN_REMEDIATING, BOOT);
	queue(w, "aa", NODE_DEED_LIFT | NODE_DEED_HOLD, true);
	settle(w);
	TAINTS(0, "a:NoExecute " HOLD);
	put_node(w, "aa", "n1", PLUMB_CONTAIN_REPORT, BOOT);
	queue(w, "aa", NODE_DEED_LIFT, true);
	settle(w);
	TAINTS(0, "a:NoExecute");
}

/* Ten words while the API is away are one in the end, and the last. */
static void test_the_last_word_counts(void **state)
{
	struct world *w = *state;

	w->api.fail_get = 503;
	for (int i = 0; i < 10; i++) {
		put_node(w, "aa", "n1", i % 2 ? PLUMB_CONTAIN_FREE : PLUMB_CONTAIN_QUARANTINED,
			 BOOT);
		queue(w, "aa", i % 2 ? NODE_DEED_LIFT : NODE_DEED_QUARANTINE, true);
		settle(w);
	}
	put_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, BOOT);
	queue(w, "aa", NODE_DEED_HOLD, true);
	w->api.fail_get = 0;
	w->api.n_get = 0;
	pass(w, 300);
	TAINTS(0, "a:NoExecute " HOLD);
	assert_true(w->api.n_get <= 2); /* it, and the look at all that are contained */
}

static void test_taints_that_others_took_off_come_back(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	queue(w, "aa", NODE_DEED_QUARANTINE, true);
	settle(w);
	fake_kube_node(&w->api, 0, "n1", "uid-1", OTHER_BOOT, NULL); /* and its kubelet lies */
	pass(w, 59);
	pass(w, 1);
	TAINTS(0, QUARANTINE);
	/* Deleted: told, and looked at again, for it may come back, without taints. */
	fake_kube_node(&w->api, 0, "", "", "", NULL);
	pass(w, 60);
	fake_kube_node(&w->api, 0, "n1", "uid-7", BOOT, NULL);
	pass(w, 60);
	TAINTS(0, QUARANTINE);
	/* Another machine got the name. */
	fake_kube_node(&w->api, 0, "n1", "uid-8", OTHER_BOOT, NULL);
	pass(w, 60);
	TAINTS(0, "");
	/* Released while the API was away, and the verifier stopped: its message is still there. */
	fake_kube_node(&w->api, 0, "n1", "uid-7", BOOT, NULL);
	pass(w, 60);
	TAINTS(0, QUARANTINE);
	w->api.fail_patch = 500;
	put_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, BOOT);
	queue(w, "aa", NODE_DEED_LIFT, true);
	settle(w);
	contain_free(w->c);
	w->api.fail_patch = 0;
	open_contain(w);
	settle(w);
	TAINTS(0, "");
}

static void test_contained_ones_are_looked_at_at_the_start(void **state)
{
	struct world *w = *state;

	contain_free(w->c);
	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	put_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, BOOT);
	open_contain(w);
	settle(w);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	TAINTS(1, HOLD);
	w->api.n_get = 0;
	pass(w, 30);
	assert_int_equal(w->api.n_get, 0);
	pass(w, 30);
	assert_int_equal(w->api.n_get, 2);
}

/* At the start the API is away: that is no reason to look a minute later. */
static void test_a_look_is_tried_again(void **state)
{
	struct world *w = *state;

	contain_free(w->c);
	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	w->api.fail_get = 503;
	open_contain(w);
	settle(w);
	assert_int_equal(w->api.n_get, 1);
	pass(w, 1);
	assert_int_equal(w->api.n_get, 2);
	w->api.fail_get = 0;
	pass(w, 2);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	assert_int_equal(w->api.n_get, 3);
}

static void test_bound_anew(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	bound(w, "aa", "");
	TAINTS(0, "a:NoExecute " QUARANTINE);
	put_node(w, "aa", "n2", PLUMB_CONTAIN_QUARANTINED, BOOT);
	bound(w, "aa", "n1");
	TAINTS(0, "a:NoExecute");
	TAINTS(1, QUARANTINE);
	put_node(w, "aa", "", PLUMB_CONTAIN_QUARANTINED, BOOT);
	bound(w, "aa", "n2");
	TAINTS(1, "");
	/* Its name went to another row, which is held: the old row's word is not the last. */
	put_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, BOOT);
	bound(w, "aa", "n2");
	TAINTS(1, HOLD);
}

/* A retired node's name may be another's by now; while it is nobody's, our taints go. */
static void test_retired(void **state)
{
	struct world *w = *state;
	struct store_node n;

	put_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, BOOT);
	queue(w, "aa", NODE_DEED_QUARANTINE, true);
	settle(w);
	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, "aa", &n), 0);
	n.life = PLUMB_LIFE_RETIRED;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &n), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&n);
	queue(w, "aa", NODE_DEED_LIFT, true);
	settle(w);
	TAINTS(0, "a:NoExecute");
	pass(w, 60);
	TAINTS(0, "a:NoExecute");
}

/* No rights, a deleted node, a stranger's machine: none of them holds up the next one, or is asked without end. */
static void test_one_node_delays_no_other(void **state)
{
	struct world *w = *state;

	put_node(w, "aa", "n3", PLUMB_CONTAIN_QUARANTINED, BOOT); /* there is none */
	put_node(w, "bb", "n1", PLUMB_CONTAIN_QUARANTINED, OTHER_BOOT);
	put_node(w, "cc", "n2", PLUMB_CONTAIN_HELD, BOOT);
	queue(w, "aa", NODE_DEED_QUARANTINE, true);
	queue(w, "bb", NODE_DEED_QUARANTINE, true);
	queue(w, "cc", NODE_DEED_HOLD, true);
	settle(w);
	TAINTS(0, "a:NoExecute");
	TAINTS(1, HOLD);
	w->api.n_get = 0;
	pass(w, 20);
	assert_int_equal(w->api.n_get, 0);
}

static void test_without_rights_it_is_tried_again(void **state)
{
	struct world *w = *state;

	w->api.fail_patch = 403;
	put_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, BOOT);
	queue(w, "aa", NODE_DEED_HOLD, true);
	settle(w);
	assert_int_equal(w->api.n_get, 1);
	pass(w, 1);
	assert_int_equal(w->api.n_get, 2);
	w->api.fail_patch = 0;
	pass(w, 2);
	TAINTS(0, "a:NoExecute " HOLD);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_both_receivers_hear_of_it),
		T(test_one_is_down),
		T(test_in_flight_when_it_stops),
		T(test_what_is_refused),
		T(test_a_long_answer_is_an_answer),
		T(test_the_receiver_knows_of_those_dropped),
		T(test_settings_that_are_wrong),
		T(test_taints_follow_containment),
		T(test_the_last_word_counts),
		T(test_taints_that_others_took_off_come_back),
		T(test_contained_ones_are_looked_at_at_the_start),
		T(test_a_look_is_tried_again),
		T(test_bound_anew),
		T(test_retired),
		T(test_one_node_delays_no_other),
		T(test_without_rights_it_is_tried_again),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("contain", tests, NULL, NULL);
}
