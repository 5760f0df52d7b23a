/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "ledger_check.h"

#define PATIENCE_NS 20000000000ull
#define UNKNOWN "sha256:00000000000000000000000000000000000000000000000000000000000000aa"

void agent_fixture_init(struct agent_fixture *f)
{
	struct why why = {""};
	struct transport_options o;

	signal(SIGPIPE, SIG_IGN); /* as the programs do */
	*f = (struct agent_fixture){.identity = {.lock_fd = -1}};
	strcpy(f->dir, "/tmp/plumb-test-agent-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->ledger, sizeof(f->ledger), "%s/ledger", f->dir);
	snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	f->base = event_base_new();
	assert_int_equal(fake_tpm_open(&f->tpm), 0);
	fake_verifier_open(&f->verifier, f->base);
	assert_int_equal(sign_key_generate(SIGN_P256, &f->client_key), 0);
	assert_int_equal(sign_key_id(f->client_key, &f->client_id), 0);
	assert_int_equal(sign_key_private_pem(f->client_key, &f->client_pem), 0);
	fake_verifier_issue(&f->verifier, "node", f->client_key, 3600, &f->client_cert);
	o = (struct transport_options){f->verifier.url, (char *)f->verifier.ca.data,
				       (char *)f->client_cert.data, (char *)f->client_pem.data};
	if (transport_open(f->base, &o, &f->transport, &why) < 0)
		fail_msg("%s", why.text);
	f->verifier.client_key = f->client_id;
	assert_int_equal(baseline_open(fsio_system(), "tests/data/baseline/baseline.jsonl", NULL, 0,
				       0, &f->baseline, &why),
			 0);
}

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	struct agent_fixture *f = ctx;

	(void)head;
	if (f->anchored)
		f->anchored(f->ctx);
}

static void on_drift(void *ctx, const struct line *l)
{
	struct agent_fixture *f = ctx;

	(void)l;

	f->n_drift++;
	if (f->drift)
		f->drift(f->ctx);
}

static void on_again(void *ctx)
{
	((struct agent_fixture *)ctx)->n_again++;
}

void agent_fixture_start(struct agent_fixture *f)
{
	const struct identity_options io = {.io = fsio_system(),
					    .clock = clock_system(),
					    .ledger_dir = f->ledger,
					    .state_dir = f->state,
					    .log_name = "test.example",
					    .pcr_index = 15};
	struct ledger_writer_options o = {.io = fsio_system(),
					  .clock = clock_system(),
					  .dir = f->ledger,
					  .origin = f->identity.origin,
					  .baseline = f->baseline,
					  .batch_ms = 20,
					  .now = &f->identity.now,
					  .anchored = on_anchored,
					  .drift = on_drift,
					  .again = on_again,
					  .ctx = f,
					  .record = &f->identity.record,
					  .max_unsent = f->max_unsent};
	struct why why = {""};

	if (identity_open(&io, fake_tpm_door(f->tpm), &f->identity, &why) < 0)
		fail_msg("%s", why.text);
	f->verifier.record = &f->identity.record;
	assert_int_equal(tpm_queue_open(f->base, fake_tpm_door(f->tpm), &f->queue), 0);
	o.queue = f->queue;
	o.event_key = f->identity.event_key;
	if (ledger_writer_open(f->base, &o, &f->writer, &why) < 0)
		fail_msg("%s", why.text);
}

void agent_fixture_stop(struct agent_fixture *f)
{
	f->queue = tpm_queue_free(f->queue);
	f->transport = transport_free(f->transport);
	f->writer = ledger_writer_free(f->writer);
	identity_done(&f->identity);
}

void agent_fixture_done(struct agent_fixture *f)
{
	char command[128];

	agent_fixture_stop(f);
	fake_verifier_done(&f->verifier);
	fake_tpm_free(f->tpm);
	sign_key_free(f->client_key);
	buf_done(&f->client_pem);
	buf_done(&f->client_cert);
	baseline_free(f->baseline);
	event_base_free(f->base);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
}

void agent_fixture_measure(struct agent_fixture *f, enum plumb_type type, const char *key,
			   const char *found)
{
	const struct measure_sink *sink = ledger_writer_sink(f->writer);
	const struct line l = {.type = type,
			       .src = "scan",
			       .scope = "host",
			       .key = key,
			       .found = found,
			       .op = type == PLUMB_TYPE_FILE ? "write" : NULL,
			       .has_actor = true};

	sink->measurement(sink->ctx, &l);
}

void agent_fixture_drift(struct agent_fixture *f, const char *path)
{
	char key[256];

	snprintf(key, sizeof(key), "exec:%s", path);
	agent_fixture_measure(f, PLUMB_TYPE_EXEC, key, UNKNOWN);
}

void agent_fixture_until(struct agent_fixture *f, bool (*fn)(void *ctx), void *ctx,
			 const char *what)
{
	const struct timeval tick = {0, 5000};
	uint64_t until = clock_boot_ns(clock_system()) + PATIENCE_NS;

	while (!fn(ctx)) {
		if (clock_boot_ns(clock_system()) > until)
			fail_msg("it never was so: %s", what);
		event_base_loopexit(f->base, &tick);
		event_base_loop(f->base, EVLOOP_ONCE);
	}
}

struct counting {
	const char *one, *two;
	uint32_t n;
};

static int count_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct counting *c = ctx;

	(void)seq;
	c->n += memmem(line, size, c->one, strlen(c->one)) &&
		memmem(line, size, c->two, strlen(c->two));
	return 0;
}

uint32_t agent_fixture_count(const struct agent_fixture *f, const char *one, const char *two)
{
	struct counting c = {one, two, 0};
	struct why why = {""};

	assert_true(ledger_check_each(fsio_system(), f->ledger, 0, count_line, &c, &why) >= 0);
	return c.n;
}
