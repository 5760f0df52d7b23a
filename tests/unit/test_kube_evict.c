/* SPDX-License-Identifier: Apache-2.0 */
/* One round over the pods of a node: which version of policy asks, who is asked, what a budget keeps, what is gone, what force deletes. */
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
#include <time.h>

#include "cleanup.h"
#include "fake_http.h"
#include "kube_evict.h"
#include "kube_pods.h"

#define POD(name, more) \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"aa-1\"" more "}}"
#define LIST(pods) "{\"kind\":\"PodList\",\"items\":[" pods "]}"
#define BUDGET                                                                     \
	"{\"kind\":\"Status\",\"message\":\"Cannot evict pod as it would violate " \
	"the pod's disruption budget.\",\"reason\":\"TooManyRequests\",\"code\":429}"
#define PAGE(more, pods) \
	"{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"" more "\"},\"items\":[" pods "]}"
#define V1 "{\"kind\":\"APIGroup\",\"versions\":[{\"version\":\"v1\"},{\"version\":\"v1beta1\"}]}"
#define BETA "{\"kind\":\"APIGroup\",\"versions\":[{\"version\":\"v1beta1\"}]}"

struct world {
	struct event_base *base;
	struct fake_http *http;
	struct kube_evict *evict;
	char server[64];
	const char *group, *pods;
	int fail_group, fail_list;
	struct {
		const char *more, *pods; /* asked for by that continue; "": the first */
		unsigned int n_stale; /* so many times it is gone */
		long limit; /* it is too large for more pods than that; 0: never, -1: always */
	} pages[4]; /* pods NULL: no more; the first NULL: `pods` */
	struct {
		const char *name;
		int status;
	} answers[4]; /* to what is asked of that pod; 0: 201 */
	unsigned int n_group, n_list;
	char asked[1024], body[512], list_path[512]; /* "POST name …" in order; of the last */
	bool again; /* the next round is begun from inside done */
	unsigned int n_done;
	int r;
	struct kube_evict_round round;
	char why[256];
};

static int answer_of(const struct world *w, const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(w->answers) / sizeof(w->answers[0]); i++)
		if (w->answers[i].name && strlen(w->answers[i].name) == size &&
		    strncmp(w->answers[i].name, name, size) == 0)
			return w->answers[i].status;
	return 201;
}

static void on_pod(struct world *w, const struct fake_http_request *q, struct fake_http_answer *a)
{
	const char *name = strstr(q->path, "/namespaces/ns/pods/") + 20;
	size_t size = strcspn(name, "/?"), used = strlen(w->asked);
	int status = answer_of(w, name, size);

	/* An eviction has a resource of its own, a DELETE is of the pod. */
	assert_true((strcmp(q->method, "POST") == 0) == (strcmp(name + size, "/eviction") == 0));
	assert_true(strcmp(q->method, "POST") == 0 || strcmp(q->method, "DELETE") == 0);
	snprintf(w->asked + used, sizeof(w->asked) - used, "%s%s %.*s", used ? " " : "", q->method,
		 (int)size, name);
	snprintf(w->body, sizeof(w->body), "%s", q->body);
	fake_http_say(a, status, status == 429 ? BUDGET : "{}");
}

/* As a list in pages is: the place is its own word, and one that is too old is a 410. */
static void on_page(struct world *w, const struct fake_http_request *q, struct fake_http_answer *a)
{
	const char *more = strstr(q->path, "&continue="), *limit = strstr(q->path, "&limit=");
	CLEANUP_FREE char *large = NULL;
	size_t i = 0;

	w->n_list++;
	snprintf(w->list_path, sizeof(w->list_path), "%s", q->path);
	assert_non_null(limit);
	more = more ? more + 10 : "";
	while (strcmp(w->pages[i].more, more) != 0)
		assert_true(++i < 4 && w->pages[i].pods);
	if (w->pages[i].n_stale) {
		w->pages[i].n_stale--;
		fake_http_say(a, 410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}");
	} else if (w->pages[i].limit && strtol(limit + 7, NULL, 10) > w->pages[i].limit) {
		large = malloc(KUBE_PODS_MAX_PAGE + 2);
		memset(large, ' ', KUBE_PODS_MAX_PAGE + 1);
		large[KUBE_PODS_MAX_PAGE + 1] = 0;
		fake_http_say(a, 200, large);
	} else {
		fake_http_say(a, 200, w->pages[i].pods);
	}
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	static const char gone[] =
		"{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\",\"code\":404}";
	struct world *w = ctx;

	if (strcmp(q->path, "/apis/policy") == 0) {
		w->n_group++;
		fake_http_say(a, w->fail_group ? w->fail_group : 200, w->group);
	} else if (strncmp(q->path, "/api/v1/pods?", 13) == 0 && w->pages[0].pods) {
		on_page(w, q, a);
	} else if (strncmp(q->path, "/api/v1/pods?", 13) == 0) {
		w->n_list++;
		snprintf(w->list_path, sizeof(w->list_path), "%s", q->path);
		fake_http_say(a, w->fail_list ? w->fail_list : 200, w->pods);
	} else if (strstr(q->path, "/namespaces/ns/pods/")) {
		on_pod(w, q, a);
	} else {
		fake_http_say(a, 404, gone);
	}
}

static void on_round(void *ctx, int r, const struct kube_evict_round *round, const struct why *why)
{
	struct world *w = ctx;
	struct why own;

	w->n_done++;
	w->r = r;
	w->round = *round;
	snprintf(w->why, sizeof(w->why), "%s", why->text);
	if (!w->again)
		return;
	w->again = false;
	assert_int_equal(kube_evict_start(w->evict, "n1", false, on_round, w, &own), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct kube_options o;
	struct why why;

	signal(SIGPIPE, SIG_IGN);
	w->base = event_base_new();
	w->http = fake_http_open(w->base, NULL, NULL, on_request, w);
	snprintf(w->server, sizeof(w->server), "http://127.0.0.1:%d", fake_http_port(w->http));
	o = (struct kube_options){.base = w->base, .server = w->server};
	w->group = V1;
	w->pods = LIST("");
	assert_int_equal(kube_evict_open(&o, &w->evict, &why), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kube_evict_free(w->evict);
	fake_http_free(w->http);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void until_done(struct world *w, unsigned int n)
{
	const struct timeval tv = {0, 20000};
	time_t end = time(NULL) + 15;

	while (w->n_done < n && time(NULL) < end) {
		event_base_loopexit(w->base, &tv);
		event_base_loop(w->base, 0);
	}
	assert_int_equal(w->n_done, n);
}

static void go(struct world *w, bool force)
{
	unsigned int n = w->n_done;
	struct why why = {""};

	w->asked[0] = 0;
	assert_int_equal(kube_evict_start(w->evict, "n1", force, on_round, w, &why), 0);
	/* One at a time. */
	assert_int_equal(kube_evict_start(w->evict, "n2", force, on_round, w, &why), -EBUSY);
	until_done(w, n + 1);
}

static void test_all_are_asked(void **state)
{
	struct world *w = *state;

	w->pods = LIST(POD("one", "") "," POD("daemon",
					      ",\"ownerReferences\":[{\"kind\":\"DaemonSet\","
					      "\"controller\":true}]") "," POD("two", ""));
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_string_equal(w->asked, "POST one POST two");
	assert_int_equal(w->round.asked, 2);
	assert_int_equal(w->round.kept, 0);
	assert_string_equal(w->list_path,
			    "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=100");
	/* This very pod, and none that took its name since. */
	assert_non_null(strstr(w->body, "\"apiVersion\":\"policy/v1\""));
	assert_non_null(strstr(w->body, "\"preconditions\":{\"uid\":\"aa-1\"}"));
	/* The version is asked once. */
	go(w, false);
	assert_int_equal(w->n_group, 1);
	assert_int_equal(w->n_list, 2);
}

static void test_old_policy(void **state)
{
	struct world *w = *state;

	w->group = BETA;
	w->pods = LIST(POD("one", ""));
	go(w, false);
	assert_non_null(strstr(w->body, "\"apiVersion\":\"policy/v1beta1\""));
}

static void test_nobody_is_there(void **state)
{
	struct world *w = *state;

	go(w, false);
	assert_int_equal(w->r, 0);
	assert_int_equal(w->round.asked + w->round.kept, 0);
	assert_string_equal(w->asked, "");
}

/* What a budget keeps holds up nobody behind it, and is not asked a second time in the round. */
static void test_budget_and_gone(void **state)
{
	struct world *w = *state;

	w->pods = LIST(POD("kept", "") "," POD("gone", "") "," POD("free", ""));
	w->answers[0].name = "kept";
	w->answers[0].status = 429;
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_string_equal(w->asked, "POST kept POST gone POST free");
	assert_int_equal(w->round.asked, 2);
	assert_int_equal(w->round.kept, 1);
	assert_non_null(strstr(w->why, "disruption budget"));
	/* Gone by itself, as the API says it. */
	w->answers[0].status = 201;
	w->answers[1].name = "gone";
	w->answers[1].status = 404;
	go(w, false);
	assert_int_equal(w->round.asked + w->round.kept, 3);
	/* Another pod of that name, or our rights: kept, and told. */
	w->answers[1].status = 409;
	w->answers[2].name = "free";
	w->answers[2].status = 403;
	go(w, false);
	assert_int_equal(w->round.asked, 1);
	assert_int_equal(w->round.kept, 2);
	assert_non_null(strstr(w->why, "verb \"create\" on pods/eviction"));
}

static void test_force(void **state)
{
	struct world *w = *state;

	w->pods = LIST(POD("one", "") "," POD("two", ""));
	w->answers[0].name = "one";
	w->answers[0].status = 403;
	go(w, true);
	assert_string_equal(w->asked, "DELETE one DELETE two");
	assert_non_null(strstr(w->body, "\"kind\":\"DeleteOptions\""));
	assert_non_null(strstr(w->body, "\"preconditions\":{\"uid\":\"aa-1\"}"));
	assert_int_equal(w->round.asked, 1);
	assert_int_equal(w->round.kept, 1);
	assert_non_null(strstr(w->why, "verb \"delete\" on pods"));
}

/* A list that could not be had is no empty one. */
static void test_no_list(void **state)
{
	struct world *w = *state;

	w->fail_group = 503;
	go(w, false);
	assert_true(w->r < 0);
	assert_int_equal(w->n_list, 0);
	w->fail_group = 0;
	w->fail_list = 403;
	go(w, false);
	assert_int_equal(w->r, -EACCES);
	assert_non_null(strstr(w->why, "verb \"list\" on pods"));
	assert_int_equal(w->n_group, 2);
	w->fail_list = 0;
	w->pods = "{\"items\":7}";
	go(w, false);
	assert_int_equal(w->r, -EBADMSG);
	w->pods = "";
	go(w, false);
	assert_int_equal(w->r, -EBADMSG);
	/* And the round after it is one like any other. */
	w->pods = LIST(POD("one", ""));
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_int_equal(w->round.asked, 1);
}

/* A selector may leave nothing of a page; nobody has left before the last one says so. */
static void test_pages(void **state)
{
	struct world *w = *state;

	w->pages[0].more = "";
	w->pages[0].pods = PAGE("a/+", POD("one", ""));
	w->pages[1].more = "a%2F%2B";
	w->pages[1].pods = PAGE("b=", "");
	w->pages[2].more = "b%3D";
	w->pages[2].pods = PAGE("", POD("two", ""));
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_string_equal(w->asked, "POST one POST two");
	assert_int_equal(w->n_list, 3);
	assert_string_equal(
		w->list_path,
		"/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=100&continue=b%3D");
	/* The next round begins at the beginning. */
	go(w, false);
	assert_string_equal(w->asked, "POST one POST two");
	assert_int_equal(w->n_list, 6);
}

/* The place in the list is too old: from the beginning, and nobody is asked twice; once in a round. */
static void test_expired(void **state)
{
	struct world *w = *state;

	w->pages[0].more = "";
	w->pages[0].pods = PAGE("a", POD("one", ""));
	w->pages[1].more = "a";
	w->pages[1].pods = PAGE("", POD("two", ""));
	w->pages[1].n_stale = 1;
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_string_equal(w->asked, "POST one POST two");
	assert_int_equal(w->n_list, 4);
	w->pages[1].n_stale = 2;
	go(w, false);
	assert_int_equal(w->r, -ESTALE);
	assert_string_equal(w->asked, "");
	assert_int_equal(w->n_list, 8);
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_int_equal(w->round.asked, 2);
	/* The first page has no place. */
	w->pages[0].n_stale = 1;
	go(w, false);
	assert_int_equal(w->r, -ESTALE);
}

/* Pods may be large, and the same place has less of them then. */
static void test_large(void **state)
{
	struct world *w = *state;

	w->pages[0].more = "";
	w->pages[0].pods = PAGE("a", POD("one", ""));
	w->pages[0].limit = 10;
	w->pages[1].more = "a";
	w->pages[1].pods = PAGE("", POD("two", ""));
	w->pages[1].limit = 1;
	go(w, false);
	assert_int_equal(w->r, 0);
	assert_string_equal(w->asked, "POST one POST two");
	assert_int_equal(w->n_list, 4);
	assert_non_null(strstr(w->list_path, "&limit=1&continue=a"));
	/* One that is alone has room, or nothing is known of those behind it. */
	w->pages[1].limit = -1;
	go(w, false);
	assert_int_equal(w->r, -E2BIG);
	assert_string_equal(w->asked, "");
}

static void test_without_end(void **state)
{
	struct world *w = *state;

	w->pages[0].more = "";
	w->pages[0].pods = PAGE("a", "");
	w->pages[1].more = "a";
	w->pages[1].pods = PAGE("a", "");
	go(w, false);
	assert_int_equal(w->r, -EFBIG);
	assert_int_equal(w->n_list, 1024);
	assert_string_equal(w->why, "the list of pods of n1 does not end");
}

static void test_next_round_from_its_end(void **state)
{
	struct world *w = *state;

	w->pods = LIST(POD("one", ""));
	w->again = true;
	w->asked[0] = 0;
	assert_int_equal(kube_evict_start(w->evict, "n1", false, on_round, w, &(struct why){""}),
			 0);
	until_done(w, 2);
	assert_string_equal(w->asked, "POST one POST one");
	assert_int_equal(w->round.asked, 1);
}

static void test_freed_on_its_way(void **state)
{
	struct world *w = *state;

	assert_int_equal(kube_evict_start(w->evict, "n1", false, on_round, w, &(struct why){""}),
			 0);
	w->evict = kube_evict_free(w->evict);
	assert_int_equal(w->n_done, 1);
	assert_int_equal(w->r, -ECANCELED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_are_asked),
		T(test_old_policy),
		T(test_nobody_is_there),
		T(test_budget_and_gone),
		T(test_force),
		T(test_no_list),
		T(test_freed_on_its_way),
		T(test_pages),
		T(test_expired),
		T(test_large),
		T(test_without_end),
		T(test_next_round_from_its_end),
	};

	return cmocka_run_group_tests_name("kube_evict", tests, NULL, NULL);
}
