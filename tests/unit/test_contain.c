/* SPDX-License-Identifier: Apache-2.0 */
/* From a transition to the receivers of webhooks, over a real store, through receivers that fail and a verifier that stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "cleanup.h"
#include "contain_fixture.h"

static void test_both_receivers_hear_of_it(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, false); /* nobody sees a difference */
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 2);
	assert_int_equal(w->two.n, 2);
	assert_int_equal(w->one.got[0], 1);
	assert_int_equal(w->one.got[1], 3);
	assert_int_equal(w->api.n_get, 0);
}

static void test_one_is_down(void **state)
{
	struct contain_fixture *w = *state;
	struct fake_http *gone = w->one.http;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_node(w, "bb", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 503;
	for (int i = 0; i < 5; i++)
		contain_fixture_queue(w, i % 2 ? "aa" : "bb", NODE_DEED_LOG, true);
	contain_fixture_settle(w);
	assert_int_equal(w->two.n, 5);
	assert_int_equal(w->one.n, 1);
	/* The verifier stops while the receiver is down, and starts again. */
	contain_free(w->c);
	verifier_fixture_stop(&w->f);
	verifier_fixture_start(&w->f);
	contain_fixture_open(w);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 2);
	w->one.status = 200;
	w->one.n = 0;
	contain_fixture_pass(w, 300);
	assert_int_equal(w->one.n, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(w->one.got[i], i + 1);
	assert_int_equal(w->two.n, 5);
	assert_ptr_equal(gone, w->one.http);
}

static void test_in_flight_when_it_stops(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 0;
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 1);
	contain_free(w->c);
	w->one.status = 200;
	contain_fixture_open(w);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 2); /* at least once, and known by its id */
	assert_int_equal(w->one.got[0], w->one.got[1]);
	assert_int_equal(w->two.n, 1);
}

static void test_what_is_refused(void **state)
{
	static const int statuses[] = {400, 401, 404, 410, 500, 301};
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_node(w, "bb", "", PLUMB_CONTAIN_FREE, "");
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		w->one.n = 0;
		w->one.status = statuses[i];
		contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
		contain_fixture_queue(w, "bb", NODE_DEED_LOG, true);
		contain_fixture_settle(w);
		assert_int_equal(w->one.n, 2); /* one of each: the other node does not wait */
		w->one.status = 204;
		contain_fixture_pass(w, 300);
		assert_int_equal(w->one.n, 4);
	}
}

static void test_a_long_answer_is_an_answer(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.big = true;
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_settle(w);
	contain_fixture_pass(w, 300);
	assert_int_equal(w->one.n, 1);
}

static void test_the_receiver_knows_of_those_dropped(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	w->one.status = 400;
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	for (int i = 0; i < 100; i++) {
		contain_fixture_pass(w, 300);
		w->one.n = 0;
	}
	w->one.status = 200;
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_pass(w, 300);
	assert_int_equal(w->one.n, 1);
	assert_int_equal(w->one.got[0], 2);
	assert_int_equal(w->one.dropped, 1);
	assert_int_equal(w->two.dropped, 0);
}

static void put_ca(char path[32], const struct buf *pem)
{
	int fd;

	strcpy(path, "/tmp/plumb-ca-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem->data, pem->size), pem->size);
	close(fd);
}

/* webhook_ca and nothing else: a receiver of another CA hears nothing, and the message waits. */
static void test_only_receivers_of_that_ca(void **state)
{
	const struct cert_request ca_q = {.kind = CERT_CA,
					  .name = "hook-ca",
					  .not_before_s = (uint64_t)time(NULL) - 60,
					  .life_s = 3600};
	const char *host = "127.0.0.1";
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = "hook",
				       .hosts = &host,
				       .n_hosts = 1,
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = 3600};
	CLEANUP(buf_done) struct buf ca = {0}, other = {0}, cert = {0}, pem = {0};
	struct contain_fixture *w = *state;
	char path[32], other_path[32];

	assert_int_equal(cert_issue(&ca_q, w->f.approver, NULL, NULL, &ca, NULL), 0);
	assert_int_equal(cert_issue(&ca_q, w->f.verdict, NULL, NULL, &other, NULL), 0);
	assert_int_equal(cert_issue(&q, w->f.verdict, (char *)ca.data, w->f.approver, &cert, NULL),
			 0);
	assert_int_equal(sign_key_private_pem(w->f.verdict, &pem), 0);
	put_ca(path, &ca);
	put_ca(other_path, &other);
	contain_free(w->c);
	contain_fixture_tls(w, (char *)cert.data, (char *)pem.data);
	w->ca = other_path;
	contain_fixture_open(w);
	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 0);
	assert_int_equal(w->two.n, 1);
	contain_free(w->c);
	w->ca = path;
	contain_fixture_open(w);
	contain_fixture_settle(w);
	assert_int_equal(w->one.n, 1);
	unlink(path);
	unlink(other_path);
}

static void test_settings_that_are_wrong(void **state)
{
	struct contain_fixture *w = *state;
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

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

static bool is_let(struct contain_fixture *w, const char *id)
{
	return contain_book_id(contain_book(w->c), id)->let;
}

/* Who waits is looked at every second of the loop's own clock. */
static void until_let(struct contain_fixture *w, const char *id)
{
	for (time_t end = time(NULL) + 6; time(NULL) < end && !is_let(w, id);)
		contain_fixture_settle(w);
}

static void quarantine(struct contain_fixture *w, const char *id, const char *name)
{
	contain_fixture_node(w, id, name, PLUMB_CONTAIN_QUARANTINED, "");
	contain_fixture_queue(w, id, NODE_DEED_QUARANTINE, true);
}

/* The control plane's last node may wait for ever: who waits for room behind it gets it all the same. */
static void test_nobody_waits_behind_who_may_not(void **state)
{
	static const char *const ids[] = {"aa", "bb", "cc", "dd"};
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->max_percent = 50;
	contain_fixture_open(w);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		contain_fixture_node(w, ids[i], i == 0 ? "n9" : "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_queue(w, "aa", NODE_DEED_LOG, true);
	contain_book_id(contain_book(w->c), "aa")->control_plane = true;
	quarantine(w, "aa", "n9");
	assert_int_equal(w->held_back, BRAKES_CONTROL_PLANE);
	contain_fixture_pass(w, 2);
	quarantine(w, "bb", "");
	quarantine(w, "cc", "");
	assert_true(is_let(w, "bb") && is_let(w, "cc"));
	contain_fixture_pass(w, 2);
	quarantine(w, "dd", "");
	assert_int_equal(w->held_back, BRAKES_SHARE);
	assert_false(is_let(w, "aa") || is_let(w, "dd"));
	contain_fixture_node(w, "bb", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_queue(w, "bb", NODE_DEED_LIFT, true);
	until_let(w, "dd");
	assert_true(is_let(w, "dd"));
	assert_false(is_let(w, "aa"));
	/* Nor does it get what is not its own reason: when there is another one, and room, it has its turn. */
	contain_book_id(contain_book(w->c), "aa")->control_plane = false;
	contain_fixture_node(w, "cc", "", PLUMB_CONTAIN_FREE, "");
	contain_fixture_queue(w, "cc", NODE_DEED_LIFT, true);
	until_let(w, "aa");
	assert_true(is_let(w, "aa"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_both_receivers_hear_of_it),
		T(test_one_is_down),
		T(test_in_flight_when_it_stops),
		T(test_what_is_refused),
		T(test_a_long_answer_is_an_answer),
		T(test_the_receiver_knows_of_those_dropped),
		T(test_only_receivers_of_that_ca),
		T(test_settings_that_are_wrong),
		T(test_nobody_waits_behind_who_may_not),
	};

	return cmocka_run_group_tests_name("contain", tests, NULL, NULL);
}
