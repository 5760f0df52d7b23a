/* SPDX-License-Identifier: Apache-2.0 */
/* The watch of nodes: a list, what changes after it, again from the last word; a list again when that is too old; what is no event ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "fake_kube.h"
#include "kube_json.h"
#include "kube_watch.h"

#define EVENT(type, name, version, taints)                                                         \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" version "\"},\"spec\":{\"taints\":[" taints "]}}}\n"
#define OURS "{\"key\":\"plumbline.io/quarantined\",\"effect\":\"NoExecute\"}"

struct world {
	struct event_base *base;
	struct fake_kube api;
	struct kube_watch *watch;
	char server[64];
	uint32_t n_nodes, n_deleted, n_begins, n_ends;
	struct kube_facts last;
};

static void on_node(void *ctx, const struct kube_facts *facts, bool deleted)
{
	struct world *w = ctx;

	w->n_nodes += !deleted;
	w->n_deleted += deleted;
	w->last = *facts;
}

static void on_listed(void *ctx, bool begins)
{
	struct world *w = ctx;

	w->n_begins += begins;
	w->n_ends += !begins;
}

static void open_watch(struct world *w, uint32_t turn_s)
{
	struct kube_options kube = {.base = w->base, .server = w->server};
	const struct kube_watch_options o = {
		.kube = &kube, .node = on_node, .listed = on_listed, .ctx = w, .turn_s = turn_s};
	struct why why;

	assert_int_equal(kube_watch_open(&o, &w->watch, &why), 0);
	memset(&kube, 0xa5, sizeof(kube)); /* whoever opens it keeps them no longer */
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	signal(SIGPIPE, SIG_IGN);
	w->base = event_base_new();
	fake_kube_open(&w->api, w->base, NULL, NULL);
	fake_kube_node(&w->api, 0, "n1", "uid-1", "b", NULL);
	fake_kube_node(&w->api, 1, "n2", "uid-2", "b", "[" OURS "]");
	snprintf(w->server, sizeof(w->server), "http://127.0.0.1:%d", fake_http_port(w->api.http));
	open_watch(w, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kube_watch_free(w->watch);
	fake_kube_done(&w->api);
	event_base_free(w->base);
	free(w);
	return 0;
}

/* Until the counter has that value; 15 seconds at most. */
static void until(struct world *w, const unsigned int *counter, unsigned int value)
{
	const struct timeval tv = {0, 20000};
	time_t end = time(NULL) + 15;

	while (*counter < value && time(NULL) < end) {
		event_base_loopexit(w->base, &tv);
		event_base_loop(w->base, 0);
	}
	assert_true(*counter >= value);
}

static void test_list_then_watch(void **state)
{
	struct world *w = *state;
	struct kube_watch_state s;

	until(w, &w->api.n_watch, 1);
	assert_int_equal(w->n_nodes, 2);
	assert_int_equal(w->n_begins, 1);
	assert_int_equal(w->n_ends, 1);
	assert_string_equal(w->last.uid, "uid-2");
	assert_int_equal(w->last.taints, KUBE_TAINT_EXECUTE);
	assert_non_null(strstr(w->api.watch_path, "watch=1"));
	assert_non_null(strstr(w->api.watch_path, "resourceVersion=307"));
	assert_non_null(strstr(w->api.watch_path, "allowWatchBookmarks=true"));
	kube_watch_state(w->watch, &s);
	assert_int_equal(s.lists, 1);
}

/* It goes on from what was told last, be it a bookmark, and needs no other list. */
static void test_events(void **state)
{
	struct world *w = *state;

	w->api.watched = EVENT("MODIFIED", "n1", "308", OURS) EVENT("DELETED", "n2", "309", "")
		EVENT("BOOKMARK", "", "400", "");
	until(w, &w->api.n_watch, 2);
	assert_int_equal(w->n_nodes, 3);
	assert_int_equal(w->n_deleted, 1);
	assert_string_equal(w->last.name, "n2");
	assert_non_null(strstr(w->api.watch_path, "resourceVersion=400"));
	assert_int_equal(w->api.n_list, 1);
}

static void test_too_old(void **state)
{
	struct world *w = *state;

	w->api.watched = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too "
			 "old\",\"code\":410}}\n";
	until(w, &w->api.n_list, 2);
	until(w, &w->api.n_watch, 2);
	assert_int_equal(w->n_begins, 2);
	assert_non_null(strstr(w->api.watch_path, "resourceVersion=307"));
	/* The status itself may say so. */
	w->api.fail_watch = 410;
	until(w, &w->api.n_list, 3);
}

static bool is_watching(const struct world *w)
{
	struct kube_watch_state s;

	kube_watch_state(w->watch, &s);
	return s.watching;
}

/* Until it was read to its end nobody is missing in it, be it slow, or failing. */
static void test_no_watch_while_it_lists(void **state)
{
	struct world *w = *state;

	w->api.mute_watch = true;
	until(w, &w->api.n_watch, 1);
	assert_true(is_watching(w));
	kube_watch_free(w->watch);
	open_watch(w, 0);
	w->api.mute_watch = false;
	w->api.watched = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too "
			 "old\",\"code\":410}}\n";
	w->api.mute_list = 3;
	until(w, &w->api.n_list, 3);
	assert_int_equal(w->n_begins, 3);
	assert_int_equal(w->n_ends, 2);
	assert_false(is_watching(w));
}

static void test_no_events(void **state)
{
	static const char *const bad[] = {"nonsense\n", "{}\n", "{\"type\":\"ADDED\"}\n",
					  "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n",
					  "{\"type\":\"ADDED\",\"object\":{\"metadata\":{"
					  "\"resourceVersion\":\"1&watch=0\"}}}\n"};
	struct world *w = *state;
	struct kube_watch_state s;

	for (size_t i = 0; i < 2; i++) {
		w->api.watched = bad[i];
		until(w, &w->api.n_list, (unsigned int)i + 2);
	}
	for (size_t i = 2; i < sizeof(bad) / sizeof(bad[0]); i++) {
		teardown(state);
		setup(state);
		w = *state;
		w->api.watched = bad[i];
		until(w, &w->api.n_list, 2);
		assert_int_equal(w->n_nodes, i == 0 ? 2 : 4);
	}
	kube_watch_state(w->watch, &s);
	assert_int_equal(s.lists, 2);
}

/* A node in it that is none is left out, and nothing else. */
static void test_odd_nodes(void **state)
{
	struct world *w = *state;

	w->api.watched = "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"n1\","
			 "\"resourceVersion\":\"5\"},\"spec\":7}}\n" EVENT("MODIFIED", "n1", "6",
									   "7,null,{}");
	until(w, &w->api.n_watch, 2);
	assert_int_equal(w->n_nodes, 3);
	assert_int_equal(w->last.taints, 0);
}

/* Any kubelet can have it in its Node: this one is told as it is, and the others with it. */
static void test_a_nul_in_a_text(void **state)
{
#define NOTE                                                                                   \
	"\"metadata\":{\"annotations\":{\"x\":\"\\u0000\"},\"name\":\"n1\",\"uid\":\"uid-1\"," \
	"\"resourceVersion\":\"9\"}"
	struct world *w = *state;

	w->api.raw_list = "{\"metadata\":{\"resourceVersion\":\"307\"},\"items\":[{" NOTE
			  ",\"spec\":{}},{\"metadata\":{"
			  "\"name\":\"n2\",\"uid\":\"uid-2\"},\"spec\":{}}]}";
	w->api.watched = "{\"type\":\"MODIFIED\",\"object\":{" NOTE ",\"spec\":{\"taints\":[" OURS
			 "]}}}\n" EVENT("DELETED", "n2", "10", "");
	until(w, &w->api.n_watch, 2);
	assert_int_equal(w->api.n_list, 1);
	assert_int_equal(w->n_nodes, 3);
	assert_int_equal(w->n_deleted, 1);
	assert_non_null(strstr(w->api.watch_path, "resourceVersion=10"));
}

/* A hundred large ones are no page: fewer at once are. */
static void test_large_objects(void **state)
{
	struct world *w = *state;
	size_t size = (64u << 20) + 1;
	char *large = malloc(size + 1);

	assert_non_null(large);
	memset(large, ' ', size);
	large[size] = 0;
	w->api.raw_list = large;
	until(w, &w->api.n_watch, 1);
	assert_int_equal(w->api.n_list, 2);
	assert_non_null(strstr(w->api.list_path, "limit=3"));
	assert_int_equal(w->n_nodes, 2);
	assert_int_equal(w->n_ends, 1);
	free(large);
}

/* Nor are a hundred that have too many values in them. */
static void test_many_values(void **state)
{
	struct world *w = *state;
	size_t n = KUBE_JSON_MAX_SIGNS / 2 + 1;
	char *large = malloc(n * 3 + 64), *at = large;

	assert_non_null(large);
	at += sprintf(at, "{\"items\":[");
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "{},");
	sprintf(at, "{}],\"metadata\":{\"resourceVersion\":\"1\"}}");
	w->api.raw_list = large;
	until(w, &w->api.n_watch, 1);
	assert_int_equal(w->api.n_list, 2);
	assert_non_null(strstr(w->api.list_path, "limit=3"));
	assert_int_equal(w->n_ends, 1);
	free(large);
}

static void test_no_rights(void **state)
{
	struct world *w = *state;
	struct kube_watch_state s;

	w->api.fail_list = 403;
	until(w, &w->api.n_list, 2);
	kube_watch_state(w->watch, &s);
	assert_false(s.watching);
	assert_non_null(strstr(s.why.text, "verb \"list\" on nodes"));
	assert_int_equal(w->n_nodes, 0);
	assert_int_equal(w->n_ends, 0); /* of a list that was not read nobody is missing */
	w->api.fail_list = 0;
	until(w, &w->api.n_watch, 1);
	kube_watch_state(w->watch, &s);
	assert_true(s.lists == 1);
}

/* The other end is lost without a word: another connection, long after whoever opened the watch has gone on. */
static void test_dead(void **state)
{
	struct world *w = *state;

	kube_watch_free(w->watch);
	open_watch(w, 1);
	w->api.mute_watch = true;
	until(w, &w->api.n_watch, 1);
	w->api.mute_watch = false;
	w->api.watched = EVENT("MODIFIED", "n1", "308", OURS);
	until(w, &w->api.n_watch, 2);
	until(w, &w->n_nodes, 3);
	assert_int_equal(w->api.n_list, 1);
}

static void test_it_is_freed_on_its_way(void **state)
{
	struct world *w = *state;
	struct kube_watch *watch = w->watch;

	event_base_loop(w->base, EVLOOP_ONCE);
	w->watch = kube_watch_free(watch);
	assert_null(w->watch);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_list_then_watch),
		T(test_events),
		T(test_too_old),
		T(test_no_watch_while_it_lists),
		T(test_no_events),
		T(test_odd_nodes),
		T(test_a_nul_in_a_text),
		T(test_large_objects),
		T(test_many_values),
		T(test_no_rights),
		T(test_dead),
		T(test_it_is_freed_on_its_way),
	};

	return cmocka_run_group_tests_name("kube_watch", tests, NULL, NULL);
}
