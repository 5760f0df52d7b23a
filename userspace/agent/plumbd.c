/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumbd.c: the agent of a node. In: options. Out: a ledger, and evidence of it for the verifier. Exit codes: 0 stopped in order,
 * 64 wrong usage, 65 corrupt ledger, 66 ledger of another node, 67 baseline refused, 68 no TPM, 69 nothing can be attached,
 * 71 the rest, 72 the verifier refuses this node, 73 another agent runs.
 */
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "log.h"
#include "release_door.h"
#include "settings.h"
#include "startup.h"

/* Only while the node waits to be enrolled, and has no loop that could take the signal. */
static volatile sig_atomic_t stop_wanted;

static void on_early_signal(int number)
{
	(void)number;
	stop_wanted = 1;
}

static bool is_stopped(void *ctx)
{
	(void)ctx;
	return stop_wanted;
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
}

/* Ordered: the agent stops, and starts anew with other keys. */
struct rekeying {
	const struct settings *settings;
	struct event_base *base;
	bool wanted;
};

static int on_rekey(void *ctx)
{
	struct rekeying *k = ctx;
	int r = startup_want_rekey(k->settings);

	k->wanted = r >= 0;
	if (k->wanted)
		event_base_loopbreak(k->base);
	return r;
}

static int run(const struct agent_options *o, struct rekeying *k)
{
	struct event_base *base = event_base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	struct event *interrupt = base ? evsignal_new(base, SIGINT, on_signal, base) : NULL;
	struct agent *agent = NULL;
	struct why why = {""};
	int r = term && interrupt ? 0 : -ENOMEM;

	k->base = base;
	if (r >= 0) {
		event_add(term, NULL);
		event_add(interrupt, NULL);
		r = agent_open(base, o, &agent, &why);
	}
	if (r < 0) {
		log_error("start=refused error=\"%s\"", why.text[0] ? why.text : strerror(-r));
	} else {
		/* Loading took the kernel's types and more: for as long as the node runs, that is the node's. */
		(void)malloc_trim(0);
		log_notice("start=ready ledger=%s origin=%s", o->ledger_dir, o->identity->origin);
		if (!stop_wanted)
			event_base_dispatch(base);
		r = agent_stop(agent, k->wanted ? "rekey" : "signal");
		log_notice("stop=%s", r < 0 ? strerror(-r) : "in order");
	}
	agent_free(agent);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	if (base)
		event_base_free(base);
	return startup_exit_code(r, STARTUP_REST);
}

/* It continues a stopped process all the same; blocked, and so in each thread, it can be read later that it came: self_watch.h. */
static void block_continued(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* 0, or an exit code. */
static int start(const struct settings *s, bool *ret_again)
{
	struct rekeying k = {.settings = s};
	struct startup *st = calloc(1, sizeof(*st));
	struct why why = {""};
	int code;

	if (!st)
		return STARTUP_REST;
	signal(SIGTERM, on_early_signal);
	signal(SIGINT, on_early_signal);
	code = startup_open(s, is_stopped, NULL, st, &why);
	if (code != 0)
		log_error("start=refused error=\"%s\"", why.text);
	else if (!stop_wanted || st->identity.enrolled || !s->verifier) {
		st->options.rekey = on_rekey;
		st->options.rekey_ctx = &k;
		code = run(&st->options, &k);
	}
	startup_done(st);
	free(st);
	*ret_again = code == 0 && k.wanted && !stop_wanted;
	return code;
}

/* The console's word: 0 released, 1 refused, 2 nobody took it. */
static int hand_release(const struct settings *s)
{
	char answer[RELEASE_DOOR_ANSWER];
	struct why why = {""};

	if (release_door_hand(s->release_dir, s->release, RELEASE_DOOR_WAIT_MS, answer, &why) < 0) {
		fprintf(stderr, "plumbd: %s\n", why.text);
		return 2;
	}
	printf("%s\n", answer);
	return strncmp(answer, "done", 4) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct host_view *view = NULL;
	struct settings s;
	struct why why = {""};
	bool again = false;
	int code, r = settings_load(argc, argv, &s, &why);

	if (r < 0) {
		fprintf(stderr, "plumbd: %s; plumbd --help lists the options\n", why.text);
		code = STARTUP_USAGE;
	} else if (r > 0) {
		code = 0;
	} else if (startup_enter_host(&s, &view, &why) < 0) {
		fprintf(stderr, "plumbd: %s\n", why.text);
		code = STARTUP_REST;
	} else if (s.release) {
		code = hand_release(&s);
	} else {
		log_open("plumbd", s.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, STDERR_FILENO);
		signal(SIGPIPE, SIG_IGN);
		block_continued();
		if (view)
			log_notice("host_view=%s next=\"files, mounts and cgroups are the host's\"",
				   s.host_view);
		do
			code = start(&s, &again);
		while (again);
	}
	settings_done(&s);
	host_view_free(view);
	return code;
}
