/* SPDX-License-Identifier: Apache-2.0 */
/* Whose pods are asked to leave, how often, until when; one node at a time; what is left after that, and that a round which failed is no empty node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include "deeds_drain.h"
#include "fake_http.h"
#include "verifier_fixture.h"

#define S VERIFIER_FIXTURE_S
#define POD(name) "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"aa-1\"}}"

struct world {
	struct verifier_fixture f;
	struct event_base *base;
	struct fake_http *http;
	struct contain_book *book;
	struct deeds_drain *drain;
	char server[64];
	bool force;
	const char *pods[3]; /* of n1, n2 and n3: what the API lists */
	int fail_list, status; /* status: to what is asked of a pod */
	unsigned int n_lists[3], n_evicted, n_deleted, n_requests;
	uint32_t n_over;
	char over[65];
};

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct world *w = ctx;
	unsigned int node = strstr(q->path, "nodeName%3Dn2")   ? 1
			    : strstr(q->path, "nodeName%3Dn3") ? 2
							       : 0;
	char body[512];

	w->n_requests++;
	if (strcmp(q->path, "/apis/policy") == 0) {
		fake_http_say(a, 200, "{\"versions\":[{\"version\":\"v1\"}]}");
		return;
	}
	if (strcmp(q->method, "GET") == 0) {
		w->n_lists[node]++;
		snprintf(body, sizeof(body), "{\"items\":[%s]}", w->pods[node]);
		fake_http_say(a, w->fail_list ? w->fail_list : 200, body);
		return;
	}
	w->n_evicted += strcmp(q->method, "POST") == 0;
	w->n_deleted += strcmp(q->method, "DELETE") == 0;
	fake_http_say(a, w->status, "{}");
}

static void on_over(void *ctx, struct contain_entry *e)
{
	struct world *w = ctx;

	w->n_over++;
	memcpy(w->over, e->id, sizeof(w->over));
}

static void open_drain(struct world *w)
{
	const struct kube_options kube = {.base = w->base, .server = w->server};
	const struct deeds_drain_options o = {.kube = &kube,
					      .clock = &w->f.clock,
					      .book = w->book,
					      .force = w->force,
					      .over = on_over,
					      .ctx = w};
	struct why why;

	w->drain = deeds_drain_free(w->drain);
	assert_int_equal(deeds_drain_open(&o, &w->drain, &why), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	signal(SIGPIPE, SIG_IGN);
	verifier_fixture_open(&w->f);
	w->base = event_base_new();
	w->http = fake_http_open(w->base, NULL, NULL, on_request, w);
	snprintf(w->server, sizeof(w->server), "http://127.0.0.1:%d", fake_http_port(w->http));
	w->pods[0] = w->pods[1] = w->pods[2] = POD("one");
	w->status = 201;
	assert_int_equal(contain_book_open(&w->f.store, &w->book), 0);
	open_drain(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	deeds_drain_free(w->drain);
	contain_book_free(w->book);
	fake_http_free(w->http);
	event_base_free(w->base);
	verifier_fixture_done(&w->f);
	free(w);
	return 0;
}

/* Quarantined, with the brakes' leave, and ten seconds for its pods. */
static struct contain_entry *draining(struct world *w, const char *id, const char *name)
{
	struct store_node n = {.incarnation = 1, .life = PLUMB_LIFE_ACTIVE};
	struct contain_entry *e;

	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.label, sizeof(n.label), "label-%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", name);
	n.containment = PLUMB_CONTAIN_QUARANTINED;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &n), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	e = contain_book_of(w->book, &n);
	assert_non_null(e);
	e->let = e->is_own = true;
	snprintf(e->uid, sizeof(e->uid), "uid-%s", id);
	memcpy(e->facts.uid, e->uid, sizeof(e->facts.uid));
	e->drain_until_ns = w->f.utc_ns + 10 * S;
	return e;
}

static void until_quiet(struct world *w)
{
	const struct timeval tv = {0, 15000};
	unsigned int before;

	do {
		before = w->n_requests;
		event_base_loopexit(w->base, &tv);
		event_base_loop(w->base, 0);
	} while (w->n_requests != before);
}

/* Ticks and lets come what comes, until nothing more does. */
static void tick(struct world *w)
{
	deeds_drain_tick(w->drain);
	until_quiet(w);
}

static void pass(struct world *w, uint32_t s)
{
	for (uint32_t i = 0; i < s; i++) {
		w->f.utc_ns += S;
		w->f.boot_ns += S;
		tick(w);
	}
}

static void test_rounds(void **state)
{
	struct world *w = *state;
	struct contain_entry *e = draining(w, "aa", "n1");

	w->status = 429;
	tick(w);
	assert_int_equal(w->n_lists[0], 1);
	assert_int_equal(w->n_evicted, 1);
	pass(w, 4);
	assert_int_equal(w->n_lists[0], 1);
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 2);
	assert_int_equal(w->n_over, 0);
	/* Its time is over: told once, and nobody is asked any more. */
	pass(w, 5);
	assert_int_equal(w->n_over, 1);
	assert_string_equal(w->over, "aa");
	pass(w, 20);
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->n_lists[0], 2);
	assert_int_equal(w->n_deleted, 0);
	/* Let down and quarantined anew: from the beginning. */
	e->containment = PLUMB_CONTAIN_FREE;
	pass(w, 1);
	e->containment = PLUMB_CONTAIN_QUARANTINED;
	e->drain_until_ns = w->f.utc_ns + 10 * S;
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 3);
	pass(w, 9);
	assert_int_equal(w->n_over, 2);
}

static void test_all_have_left(void **state)
{
	struct world *w = *state;
	struct contain_book *again = NULL;
	struct contain_entry *e = draining(w, "aa", "n1");

	tick(w);
	w->pods[0] = "";
	pass(w, 5);
	assert_int_equal(w->n_lists[0], 2);
	assert_true(w->n_over >= 1);
	assert_int_equal(e->drain_until_ns, w->f.utc_ns);
	/* Kept: a verifier that starts anew does not wait again. */
	assert_int_equal(contain_book_open(&w->f.store, &again), 0);
	assert_int_equal(contain_book_id(again, "aa")->drain_until_ns, w->f.utc_ns);
	contain_book_free(again);
}

/* "Could not look" is not "all have left". */
static void test_a_list_that_fails(void **state)
{
	struct world *w = *state;

	draining(w, "aa", "n1");
	w->pods[0] = "";
	w->fail_list = 403;
	tick(w);
	pass(w, 9);
	assert_int_equal(w->n_lists[0], 2);
	assert_int_equal(w->n_over, 0);
	pass(w, 1);
	assert_int_equal(w->n_over, 1);
}

static void test_who_is_not_asked(void **state)
{
	struct world *w = *state;
	struct contain_entry *e = draining(w, "aa", "n1");

	e->let = false; /* the brakes hold it back */
	pass(w, 6);
	e->let = true;
	e->unsure = true; /* nothing is known of it: unknown is not bad */
	pass(w, 6);
	e->unsure = false;
	e->containment = PLUMB_CONTAIN_HELD;
	pass(w, 6);
	e->containment = PLUMB_CONTAIN_QUARANTINED;
	e->life = PLUMB_LIFE_RETIRED;
	pass(w, 6);
	e->life = PLUMB_LIFE_ACTIVE;
	e->kube_name[0] = 0; /* bound to nothing */
	pass(w, 6);
	e->kube_name[0] = 'n';
	e->drain_until_ns = 0; /* it has no time: nobody wants it evicted */
	pass(w, 6);
	assert_int_equal(w->n_requests, 0);
	assert_int_equal(w->n_over, 0);
}

/* The name is another machine's: its pods are asked nothing, and what is left there is not deleted. */
static void test_another_machines_object(void **state)
{
	struct world *w = *state;
	struct contain_entry *e;

	w->force = true;
	open_drain(w);
	e = draining(w, "aa", "n1");
	snprintf(e->facts.uid, sizeof(e->facts.uid), "u2");
	pass(w, 6);
	/* Nobody told of it yet, and the last look found another's; or there was no look since the start. */
	e->facts.uid[0] = 0;
	e->is_own = false;
	pass(w, 6);
	assert_int_equal(w->n_over, 1); /* NoExecute's turn does not wait for that */
	e->is_own = true;
	e->uid[0] = 0; /* it is not known for certain */
	pass(w, 6);
	assert_int_equal(w->n_requests, 0);
	/* Its own again. */
	snprintf(e->uid, sizeof(e->uid), "u1");
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 1);
	assert_int_equal(w->n_deleted, 1);
}

/* It became another's while its pods were listed: that there were none says nothing. */
static void test_another_machines_meanwhile(void **state)
{
	struct world *w = *state;
	struct contain_entry *e = draining(w, "aa", "n1");
	uint64_t until = e->drain_until_ns;

	w->pods[0] = "";
	deeds_drain_tick(w->drain);
	snprintf(e->facts.uid, sizeof(e->facts.uid), "u2");
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 1);
	assert_int_equal(e->drain_until_ns, until);
}

static void test_one_node_at_a_time(void **state)
{
	struct world *w = *state;

	draining(w, "aa", "n1");
	draining(w, "bb", "n2");
	w->status = 429;
	tick(w);
	assert_int_equal(w->n_lists[0], 1);
	assert_int_equal(w->n_lists[1], 0);
	pass(w, 1);
	assert_int_equal(w->n_lists[1], 1);
	assert_int_equal(w->n_lists[0], 1);
	pass(w, 5);
	assert_int_equal(w->n_lists[0], 2);
	assert_int_equal(w->n_lists[1], 2);
}

/* A round that takes longer than the time between two: its node is not asked again while others wait, nor as soon as it is over. */
static void test_long_rounds(void **state)
{
	struct world *w = *state;

	draining(w, "aa", "n1")->drain_until_ns = w->f.utc_ns + 600 * S;
	draining(w, "bb", "n2")->drain_until_ns = w->f.utc_ns + 600 * S;
	draining(w, "cc", "n3")->drain_until_ns = w->f.utc_ns + 600 * S;
	w->status = 429;
	for (unsigned int i = 1; i <= 9; i++) {
		/* It begins, and is over six seconds later. */
		deeds_drain_tick(w->drain);
		w->f.utc_ns += 6 * S;
		w->f.boot_ns += 6 * S;
		until_quiet(w);
		assert_int_equal(w->n_lists[0], (i + 2) / 3);
		assert_int_equal(w->n_lists[1], (i + 1) / 3);
		assert_int_equal(w->n_lists[2], i / 3);
	}
	/* Alone, it has five seconds from the end on. */
	contain_book_id(w->book, "bb")->let = contain_book_id(w->book, "cc")->let = false;
	deeds_drain_tick(w->drain);
	w->f.boot_ns += 6 * S;
	until_quiet(w);
	assert_int_equal(w->n_lists[0], 4);
	pass(w, 4);
	assert_int_equal(w->n_lists[0], 4);
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 5);
}

static void test_force(void **state)
{
	struct world *w = *state;
	struct contain_book *again = NULL;
	struct contain_entry *e;

	w->force = true;
	open_drain(w);
	e = draining(w, "aa", "n1");
	w->status = 429;
	tick(w);
	pass(w, 9);
	assert_int_equal(w->n_deleted, 0);
	/* Not while one is refused, nor while the API is away. */
	w->status = 500;
	pass(w, 1);
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->n_deleted, 1);
	w->fail_list = 503;
	pass(w, 5);
	assert_int_equal(w->n_deleted, 1);
	w->fail_list = 0;
	w->status = 200;
	pass(w, 5);
	assert_int_equal(w->n_deleted, 2);
	/* All of it was: once, a start of the verifier or not. */
	pass(w, 20);
	assert_int_equal(w->n_deleted, 2);
	assert_int_equal(w->n_over, 1);
	assert_int_equal(contain_book_open(&w->f.store, &again), 0);
	assert_int_equal(contain_book_id(again, "aa")->cleared_ns, e->drain_until_ns);
	contain_book_free(again);
	/* Let down and quarantined anew: its pods are others. */
	e->containment = PLUMB_CONTAIN_FREE;
	pass(w, 1);
	e->containment = PLUMB_CONTAIN_QUARANTINED;
	e->drain_until_ns = w->f.utc_ns + 2 * S;
	pass(w, 2);
	assert_int_equal(w->n_deleted, 3);
}

/* Its answer comes when it is quarantined no more: nothing follows from it. */
static void test_let_down_meanwhile(void **state)
{
	struct world *w = *state;
	struct contain_entry *e = draining(w, "aa", "n1");
	uint64_t until = e->drain_until_ns;

	w->pods[0] = "";
	deeds_drain_tick(w->drain);
	e->containment = PLUMB_CONTAIN_FREE;
	pass(w, 1);
	assert_int_equal(w->n_lists[0], 1);
	assert_int_equal(w->n_over, 0);
	assert_int_equal(e->drain_until_ns, until);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rounds),
		T(test_all_have_left),
		T(test_a_list_that_fails),
		T(test_who_is_not_asked),
		T(test_another_machines_object),
		T(test_another_machines_meanwhile),
		T(test_one_node_at_a_time),
		T(test_long_rounds),
		T(test_force),
		T(test_let_down_meanwhile),
	};

	return cmocka_run_group_tests_name("deeds_drain", tests, NULL, NULL);
}
