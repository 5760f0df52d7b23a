/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain_fixture.h: contain over a real store, with two receivers of webhooks and a Kubernetes API that the test commands, all on one loop.
 * In: nodes and transitions. Out: what came, and taints.
 */
#ifndef PLUMB_CONTAIN_FIXTURE_H
#define PLUMB_CONTAIN_FIXTURE_H

#include "contain.h"
#include "deeds_want.h"
#include "fake_kube.h"
#include "node.h"
#include "verifier_fixture.h"

#define CONTAIN_FIXTURE_MAX 64
#define CONTAIN_FIXTURE_BOOT "11111111-2222-3333-4444-555555555555"
#define CONTAIN_FIXTURE_OTHER_BOOT "99999999-2222-3333-4444-555555555555"
#define CONTAIN_FIXTURE_HOLD "plumbline.io/quarantined:NoSchedule"
#define CONTAIN_FIXTURE_QUARANTINE CONTAIN_FIXTURE_HOLD " plumbline.io/quarantined:NoExecute"
#define CONTAIN_FIXTURE_UNATTESTED "plumbline.io/unattested:NoSchedule"

struct contain_fixture_receiver {
	struct fake_http *http;
	int status;	/* 0: silent */
	bool big;	/* a long answer */
	uint64_t got[CONTAIN_FIXTURE_MAX], dropped;	/* ids; Plumb-Dropped of the last */
	uint32_t n, bad;	/* bad: not what docs/webhook.md says */
	const struct sign_key *key;
};

struct contain_fixture {
	struct verifier_fixture f;
	struct event_base *base;
	struct contain_fixture_receiver one, two;
	struct fake_kube api;	/* nodes n1 (with a taint "a" of somebody else) and n2 */
	struct contain *c;
	char urls[2][64], server[64];
	const char *list[2], *ca;
	uint64_t seq;
	/* set before contain_fixture_open(), which the fixture has called once */
	uint32_t kinds, max_percent;
	uint64_t calm_ms;
	bool dry_run;
	const struct verifier *v;	/* for orders and the log; NULL: neither */
	const char *key;		/* of the case that causes the next transition */
	enum brakes_why held_back;	/* what came of the last one */
};

int contain_fixture_make(void **state);		/* for cmocka */
int contain_fixture_end(void **state);
void contain_fixture_open(struct contain_fixture *w);
/* The first receiver over TLS instead. */
void contain_fixture_tls(struct contain_fixture *w, const char *cert_pem, const char *key_pem);
void contain_fixture_settle(struct contain_fixture *w);		/* until nothing comes any more */
void contain_fixture_pass(struct contain_fixture *w, uint64_t s);
void contain_fixture_tick(struct contain_fixture *w, uint64_t s);	/* and a second for the loop's own timer */
/* Node i has these, of all of them. */
#define CONTAIN_FIXTURE_TAINTS(w, i, text)                                          \
	do {                                                                        \
		char taints_[512];                                                  \
		assert_string_equal(fake_kube_taints(&(w)->api, i, taints_), text); \
	} while (0)
void contain_fixture_node(struct contain_fixture *w, const char *id, const char *kube_name, enum plumb_containment containment,
			  const char *boot_id);
void contain_fixture_queue(struct contain_fixture *w, const char *id, uint32_t deeds, bool shown);
void contain_fixture_bound(struct contain_fixture *w, const char *id, const char *old_name);

#endif
