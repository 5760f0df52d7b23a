/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the verifier of a node that is cut off is: where it was proven to be, and by its name only where it was not, or is silent. Names are
 * answered by this test, in place of the C library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#include "cleanup.h"
#include "isolate_cut.h"
#include "isolate_fixture.h"
#include "isolate_verifier.h"

#define SECOND UINT64_C(1000000000)

static const char *answers[20]; /* to any name; none: it is not found */
static unsigned int n_asked; /* for a name */

/* Only such names are this test's. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo **at = ret, numeric;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!host || !strstr(host, ".example") || hints->ai_flags & AI_NUMERICHOST)
		return real(host, port, hints, ret);
	n_asked++;
	numeric = *hints;
	numeric.ai_flags = AI_NUMERICHOST;
	*ret = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(answers) && answers[i]; i++) {
		assert_int_equal(real(answers[i], port, &numeric, at), 0);
		at = &(*at)->ai_next;
	}
	return *ret ? 0 : EAI_AGAIN;
}

static int forget(void **state)
{
	(void)state;
	memset(answers, 0, sizeof(answers));
	n_asked = 0;
	return 0;
}

static struct isolate_cut *open_cut(const char *verifier)
{
	const struct isolate_cut_options o = {.verifier = verifier};
	struct isolate_cut *c = NULL;
	struct why why = {""};

	if (isolate_cut_open(&o, &c, &why) < 0)
		fail_msg("%s", why.text);
	return c;
}

static void test_verifier(void **state)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_cut *c = open_cut("https://[2001:db8::5]:8443");
	struct why why = {""};

	(void)state;
	assert_int_equal(isolate_cut_on(c, s, &why), -ENOENT);
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, 1);
	assert_string_equal(s->verifier[0], "[2001:db8::5]:8443");
	isolate_cut_free(c);
	/* What was known is let through on. */
	c = open_cut("https://192.0.2.5/v1");
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, 2);
	assert_string_equal(s->verifier[0], "[2001:db8::5]:8443");
	assert_string_equal(s->verifier[1], "192.0.2.5:443");
	assert_int_equal(n_asked, 0);
	isolate_cut_free(c);
	/* A name that nobody knows leaves what was known. */
	c = open_cut("https://verifier.example:1");
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, 2);
	s->n_verifier = 0;
	assert_int_equal(isolate_cut_find(c, s, &why), -ENOENT);
	isolate_cut_free(c);
	c = open_cut("https://[]:1");
	assert_int_equal(isolate_cut_find(c, s, &why), -EINVAL);
	isolate_cut_free(c);
	free(s);
}

/* However much a name is answered with: what was there stays, each once, and no more than there is room for. */
static void test_added(void **state)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_cut *c = open_cut("https://verifier.example:8443");
	char text[20][16];
	struct why why;

	(void)state;
	assert_true(isolate_cut_add(s, "203.0.113.5:8443"));
	assert_false(isolate_cut_add(s, "203.0.113.5:8443"));
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		snprintf(text[i], sizeof(text[i]), "203.0.113.%zu", i + 4);
		answers[i] = text[i];
	}
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, ISOLATE_STATE_MAX_VERIFIER);
	assert_string_equal(s->verifier[0], "203.0.113.5:8443");
	assert_string_equal(s->verifier[1], "203.0.113.4:8443");
	assert_string_equal(s->verifier[2], "203.0.113.6:8443");
	assert_false(isolate_cut_add(s, "203.0.113.99:8443"));
	isolate_cut_free(c);
	free(s);
}

struct world {
	struct isolate_fixture x;
	struct clock clock;
	uint64_t boot_ns;
};

static bool has_net;

static uint64_t boot(void *ctx)
{
	return ((struct world *)ctx)->boot_ns;
}

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return 1700000000 * SECOND;
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	forget(NULL);
	isolate_fixture_open(&w->x);
	w->boot_ns = 1000 * SECOND;
	w->clock = (struct clock){utc, boot, w};
	w->x.clock = &w->clock;
	w->x.verifier = "https://verifier.example:8443";
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	isolate_fixture_done(&w->x);
	free(w);
	return has_net ? system("PATH=$PATH:/usr/sbin; nft flush ruleset") : 0;
}

static void start(struct world *w)
{
	const struct isolate_parts none = {.door = NULL};

	isolate_fixture_start(&w->x, fsio_system(), ISOLATE_NETWORK, none);
}

static void need_net(void)
{
	if (has_net)
		return;
	print_message("# no network namespace with nftables here\n");
	skip();
}

/* In the kernel, and in the file that a restart finds. */
static bool is_let_through(const struct world *w, const char *address)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct why why;
	char command[256];
	bool kept = false;

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin; nft list table inet plumbline_isolation 2>/dev/null | grep "
		 "-q 'ip daddr %s tcp dport 8443 accept'",
		 address);
	if (isolate_state_load(fsio_system(), w->x.state, s, &why) >= 0)
		for (uint32_t i = 0; i < s->n_verifier; i++)
			kept = kept || strncmp(s->verifier[i], address, strlen(address)) == 0;
	free(s);
	assert_int_equal(system(command) == 0, kept);
	return kept;
}

/* Two looks of the agent's, later by so much. */
static void pass(struct world *w, uint64_t seconds)
{
	const struct timeval looks = {2, 200000};

	w->boot_ns += seconds * SECOND;
	event_base_loopexit(w->x.f.base, &looks);
	event_base_dispatch(w->x.f.base);
}

/* Names may be found again when they were not, which is just when a node is told to cut itself off. */
static void test_found_later(void **state)
{
	struct world *w = *state;

	need_net();
	start(w);
	assert_string_equal(isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS),
			    "refused: cannot: network (no address of the verifier is known)");
	assert_int_equal(n_asked, 1);
	pass(w, 59);
	assert_int_equal(n_asked, 1);
	pass(w, 1);
	assert_int_equal(n_asked, 2);
	answers[0] = "203.0.113.5";
	pass(w, 0);
	assert_false(is_let_through(w, "203.0.113.5"));
	pass(w, 60);
	assert_int_equal(n_asked, 3);
	assert_true(is_let_through(w, "203.0.113.5"));
	/* It is known now. */
	pass(w, 60);
	assert_int_equal(n_asked, 3);
	/* Or the verifier was heard. */
	isolate_fixture_finish(&w->x);
	answers[0] = NULL;
	isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS);
	assert_false(is_let_through(w, "203.0.113.5"));
	isolate_heard(w->x.i, "203.0.113.7:8443");
	pass(w, 0);
	assert_true(is_let_through(w, "203.0.113.7"));
}

/* Whoever answers for the name by then takes nothing away; he is let in beside it when nothing else answered for long. */
static void test_proven(void **state)
{
	struct world *w = *state;

	need_net();
	start(w);
	isolate_heard(w->x.i, "203.0.113.7:8443");
	isolate_heard(w->x.i, "203.0.113.5:8443");
	assert_null(isolate_where(w->x.i, true));
	answers[0] = "198.51.100.66";
	assert_string_equal(isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS), "done: network");
	assert_true(is_let_through(w, "203.0.113.5"));
	assert_true(is_let_through(w, "203.0.113.7"));
	assert_false(is_let_through(w, "198.51.100.66"));
	/* The agent goes there by itself, and by the name only when nobody is there. */
	assert_string_equal(isolate_where(w->x.i, false), "203.0.113.5:8443");
	assert_string_equal(isolate_where(w->x.i, true), "203.0.113.7:8443");
	assert_string_equal(isolate_where(w->x.i, false), "203.0.113.7:8443");
	assert_null(isolate_where(w->x.i, true));
	assert_string_equal(isolate_where(w->x.i, true), "203.0.113.5:8443");
	pass(w, 599);
	isolate_heard(w->x.i, "203.0.113.5:8443");
	pass(w, 599);
	assert_int_equal(n_asked, 0);
	pass(w, 1);
	assert_int_equal(n_asked, 1);
	assert_true(is_let_through(w, "203.0.113.5"));
	assert_true(is_let_through(w, "203.0.113.7"));
	assert_true(is_let_through(w, "198.51.100.66"));
	pass(w, 599);
	assert_int_equal(n_asked, 1);
	/* The next isolation knows nothing of who answered then, also after a restart. */
	assert_string_equal(isolate_fixture_finish(&w->x), "done: network");
	isolate_fixture_stop(&w->x);
	start(w);
	assert_string_equal(isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS), "done: network");
	assert_true(is_let_through(w, "203.0.113.5"));
	assert_true(is_let_through(w, "203.0.113.7"));
	assert_false(is_let_through(w, "198.51.100.66"));
	/* Nor does a node that boots ask anybody. */
	isolate_fixture_stop(&w->x);
	start(w);
	assert_int_equal(n_asked, 1);
	assert_true(is_let_through(w, "203.0.113.5"));
	/* Another verifier's addresses are none of this one's. */
	isolate_fixture_finish(&w->x);
	isolate_fixture_stop(&w->x);
	w->x.verifier = "https://other.example:8443";
	start(w);
	isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS);
	assert_false(is_let_through(w, "203.0.113.5"));
	assert_true(is_let_through(w, "198.51.100.66"));
}

/* Who answers, and accepts nothing, is left for the next one: also for the one that the name stands for by now. */
static void test_silent(void **state)
{
	struct world *w = *state;
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_cut *c = open_cut(w->x.verifier);
	struct isolate_verifier v = {.cut = c, .clock = &w->clock, .url = w->x.verifier};
	struct why why;

	v.proven.n = 1;
	snprintf(v.proven.address[0], sizeof(v.proven.address[0]), "203.0.113.5:8443");
	assert_int_equal(isolate_verifier_begin(&v, s, &why), 0);
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.5:8443");
	w->boot_ns += 599 * SECOND;
	assert_false(isolate_verifier_look(&v, s));
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.5:8443");
	w->boot_ns += SECOND;
	answers[0] = "203.0.113.9";
	assert_true(isolate_verifier_look(&v, s));
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.9:8443");
	assert_false(isolate_verifier_look(&v, s));
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.9:8443");
	w->boot_ns += 600 * SECOND;
	assert_false(isolate_verifier_look(&v, s));
	assert_null(isolate_verifier_at(&v, s, false));
	w->boot_ns += 600 * SECOND;
	assert_false(isolate_verifier_look(&v, s));
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.5:8443");
	/* Where nothing was sent, nothing could be accepted. */
	v.state_dir = w->x.state;
	v.io = fsio_system();
	assert_false(isolate_verifier_heard(&v, s, "203.0.113.5:8443"));
	for (int i = 0; i < 3; i++) {
		w->boot_ns += 600 * SECOND;
		assert_false(isolate_verifier_look(&v, s));
	}
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.5:8443");
	/* None was known: the first that is found is the next. */
	s->n_verifier = 0;
	v.proven.n = 0;
	answers[0] = NULL;
	assert_int_equal(isolate_verifier_begin(&v, s, &why), -ENOENT);
	assert_null(isolate_verifier_at(&v, s, false));
	w->boot_ns += 60 * SECOND;
	answers[0] = "203.0.113.9";
	assert_true(isolate_verifier_look(&v, s));
	assert_string_equal(isolate_verifier_at(&v, s, false), "203.0.113.9:8443");
	isolate_cut_free(c);
	free(s);
}

static int own_net(void **state)
{
	(void)state;
	has_net = isolate_fixture_own_net();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_verifier, forget),
		cmocka_unit_test_setup(test_added, forget),
		cmocka_unit_test_setup_teardown(test_found_later, make, end),
		cmocka_unit_test_setup_teardown(test_proven, make, end),
		cmocka_unit_test_setup_teardown(test_silent, make, end),
	};

	return cmocka_run_group_tests(tests, own_net, NULL);
}
