/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

bool isolate_fixture_own_net(void)
{
	return unshare(CLONE_NEWNET) == 0 &&
	       system("PATH=$PATH:/usr/sbin; ip link set lo up && nft list ruleset >/dev/null "
		      "2>&1") == 0;
}

void isolate_fixture_open(struct isolate_fixture *w)
{
	agent_fixture_init(&w->f);
	agent_fixture_start(&w->f);
	snprintf(w->state, sizeof(w->state), "%s/own", w->f.dir);
}

void isolate_fixture_done(struct isolate_fixture *w)
{
	isolate_fixture_stop(w);
	agent_fixture_stop(&w->f);
	agent_fixture_done(&w->f);
}

void isolate_fixture_start(struct isolate_fixture *w, const struct fsio *io, uint32_t armed,
			   struct isolate_parts parts)
{
	static const char *const peers[] = {"192.0.2.1"};
	const struct isolate_options o = {
		.io = io,
		.clock = w->clock ? w->clock : clock_system(),
		.state_dir = w->state,
		.armed = armed,
		.cut = {.peers = peers,
			.n_peers = 1,
			.verifier = w->verifier ? w->verifier : "https://192.0.2.9:8443"},
	};
	struct why why = {""};

	parts.writer = w->f.writer;
	parts.node = w->f.identity.record.node;
	if (isolate_open(&o, &w->i, &why) < 0 || isolate_go(w->i, w->f.base, &parts, &why) < 0)
		fail_msg("%s", why.text);
}

void isolate_fixture_stop(struct isolate_fixture *w)
{
	isolate_stop(w->i);
	w->i = isolate_free(w->i);
}

const char *isolate_fixture_begin(struct isolate_fixture *w, uint32_t ways)
{
	const struct isolate_cause c = {"verifier", 7, "12", "exec:/tmp/x", NULL};

	w->result[0] = 0;
	isolate_begin(w->i, &c, ways, w->result);
	return w->result;
}

const char *isolate_fixture_finish(struct isolate_fixture *w)
{
	const struct isolate_cause c = {"verifier", 8, "12", "it was a test", NULL};

	w->result[0] = 0;
	isolate_end(w->i, &c, w->result);
	return w->result;
}

uint32_t isolate_fixture_lines(struct isolate_fixture *w, const char *one, const char *two)
{
	assert_int_equal(ledger_sync(ledger_writer_ledger(w->f.writer)), 0);
	return agent_fixture_count(&w->f, one, two);
}
