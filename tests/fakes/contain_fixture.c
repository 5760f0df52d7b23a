/* SPDX-License-Identifier: Apache-2.0 */
#include "contain_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MUST(x)                                                                    \
	do {                                                                       \
		if (!(x)) {                                                        \
			fprintf(stderr, "contain_fixture:%d: %s\n", __LINE__, #x); \
			abort();                                                   \
		}                                                                  \
	} while (0)

/* What a receiver sees of a delivery; -1: not what was promised. */
static int read_delivery(const struct contain_fixture_receiver *r,
			 const struct fake_http_request *q, uint64_t *ret_id)
{
	CLEANUP(buf_done) struct buf payload = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	char text[64];
	struct why why;

	if (strcmp(q->method, "POST") != 0 || strcmp(q->path, "/hook") != 0 ||
	    dsse_open(q->body, q->size, 65536, WIRE_DSSE_WEBHOOK, &r->key, 1, &payload, NULL,
		      &why) < 0 ||
	    jsonl_parse(payload.data, payload.size, 65536, &o, &why) < 0 ||
	    jsonl_get_uint(o, "id", UINT32_MAX, ret_id, &why) < 0)
		return -1;
	/* The header says what is signed. */
	if (!fake_http_header(q, "Plumb-Delivery", text, sizeof(text)) ||
	    strtoull(text, NULL, 10) != *ret_id)
		return -1;
	return 0;
}

static void on_delivery(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct contain_fixture_receiver *r = ctx;
	char text[64];

	MUST(r->n < CONTAIN_FIXTURE_MAX);
	r->bad += read_delivery(r, q, &r->got[r->n++]) < 0;
	r->dropped = fake_http_header(q, "Plumb-Dropped", text, sizeof(text))
			     ? strtoull(text, NULL, 10)
			     : 0;
	a->silent = r->status == 0;
	if (r->big)
		buf_printf(&a->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n%0200000d",
			   1);
	else
		fake_http_say(a, r->status, "");
}

void contain_fixture_open(struct contain_fixture *w)
{
	const struct contain_options o = {.base = w->base,
					  .store = &w->f.store,
					  .clock = &w->f.clock,
					  .key = w->f.verdict,
					  .webhooks = w->list,
					  .n_webhooks = 2,
					  .webhook_ca = w->ca,
					  .kube_server = w->server,
					  .kinds = w->kinds,
					  .max_percent = w->max_percent,
					  .calm_ms = w->calm_ms,
					  .evict_ms = 600000,
					  .dry_run = w->dry_run,
					  .v = w->v};
	struct why why = {""};

	MUST(contain_open(&o, &w->c, &why) == 0);
}

static void receive(struct contain_fixture *w, struct contain_fixture_receiver *r, unsigned int i)
{
	*r = (struct contain_fixture_receiver){.status = 200, .key = w->f.verdict};
	r->http = fake_http_open(w->base, NULL, NULL, on_delivery, r);
	snprintf(w->urls[i], sizeof(w->urls[i]), "http://127.0.0.1:%d/hook",
		 fake_http_port(r->http));
	w->list[i] = w->urls[i];
}

void contain_fixture_tls(struct contain_fixture *w, const char *cert_pem, const char *key_pem)
{
	fake_http_free(w->one.http);
	w->one.http = fake_http_open(w->base, cert_pem, key_pem, on_delivery, &w->one);
	snprintf(w->urls[0], sizeof(w->urls[0]), "https://127.0.0.1:%d/hook",
		 fake_http_port(w->one.http));
}

int contain_fixture_make(void **state)
{
	struct contain_fixture *w = calloc(1, sizeof(*w));

	MUST(w);
	w->key = "";
	signal(SIGPIPE, SIG_IGN);
	verifier_fixture_open(&w->f);
	w->base = event_base_new();
	receive(w, &w->one, 0);
	receive(w, &w->two, 1);
	fake_kube_open(&w->api, w->base, NULL, NULL);
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT,
		       "[{\"key\":\"a\",\"effect\":\"NoExecute\"}]");
	fake_kube_node(&w->api, 1, "n2", "uid-2", CONTAIN_FIXTURE_BOOT, NULL);
	snprintf(w->server, sizeof(w->server), "http://127.0.0.1:%d", fake_http_port(w->api.http));
	w->kinds = DEEDS_TAINT | DEEDS_UNATTESTED;
	w->max_percent = 100;
	contain_fixture_open(w);
	*state = w;
	return 0;
}

int contain_fixture_end(void **state)
{
	struct contain_fixture *w = *state;

	MUST(w->one.bad == 0 && w->two.bad == 0);
	contain_free(w->c);
	fake_http_free(w->one.http);
	fake_http_free(w->two.http);
	fake_kube_done(&w->api);
	event_base_free(w->base);
	verifier_fixture_done(&w->f);
	free(w);
	return 0;
}

/* What the loop found ready at once: a large answer is on its way for longer than nothing has to come to be at rest. */
static bool turn(struct event_base *base)
{
	event_base_get_max_events(base, EVENT_BASE_COUNT_ACTIVE, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return event_base_get_max_events(base, EVENT_BASE_COUNT_ACTIVE, 1) > 0;
}

/* Until nothing came for so many rounds of the loop: all is on loopback, in this process. */
void contain_fixture_settle(struct contain_fixture *w)
{
	for (int quiet = 0; quiet < 12; quiet++) {
		contain_kick(w->c);
		if (turn(w->base))
			quiet = -1;
		else
			usleep(2000);
	}
}

void contain_fixture_pass(struct contain_fixture *w, uint64_t s)
{
	w->f.utc_ns += s * VERIFIER_FIXTURE_S;
	w->f.boot_ns += s * VERIFIER_FIXTURE_S;
	contain_fixture_settle(w);
}

void contain_fixture_tick(struct contain_fixture *w, uint64_t s)
{
	contain_fixture_pass(w, s);
	event_base_loopexit(w->base, &(struct timeval){1, 100000});
	event_base_loop(w->base, 0);
	contain_fixture_settle(w);
}

void contain_fixture_node(struct contain_fixture *w, const char *id, const char *kube_name,
			  enum plumb_containment containment, const char *boot_id)
{
	struct store_node n = {.incarnation = 0};

	MUST(w->f.ops.begin(w->f.store.ctx) == 0);
	if (w->f.ops.node_get(w->f.store.ctx, id, &n) < 0)
		n = (struct store_node){.incarnation = 1, .life = PLUMB_LIFE_ACTIVE};
	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", kube_name);
	snprintf(n.boot_id, sizeof(n.boot_id), "%s", boot_id);
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.containment = containment;
	MUST(w->f.ops.node_put(w->f.store.ctx, &n) == 0);
	MUST(w->f.ops.commit(w->f.store.ctx) == 0);
	store_node_done(&n);
}

void contain_fixture_queue(struct contain_fixture *w, const char *id, uint32_t deeds, bool shown)
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

	MUST(w->f.ops.node_get(w->f.store.ctx, id, &n) == 0);
	MUST(w->f.ops.begin(w->f.store.ctx) == 0);
	MUST(contain_let(w->c, &n, deeds, w->key, &w->held_back) == 0);
	t.held_back = w->held_back ? brakes_text(w->held_back) : NULL;
	MUST(contain_queue(w->c, &t) == 0);
	MUST(w->f.ops.commit(w->f.store.ctx) == 0);
	store_node_done(&n);
}

void contain_fixture_bound(struct contain_fixture *w, const char *id, const char *old_name)
{
	struct store_node n;

	MUST(w->f.ops.node_get(w->f.store.ctx, id, &n) == 0);
	MUST(w->f.ops.begin(w->f.store.ctx) == 0);
	MUST(contain_bound(w->c, &n, old_name) == 0);
	MUST(w->f.ops.commit(w->f.store.ctx) == 0);
	store_node_done(&n);
	contain_fixture_settle(w);
}
