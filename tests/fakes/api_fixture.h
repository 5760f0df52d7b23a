/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_fixture.h: all rooms of a verifier behind its routes, on a store and a log of their own, with operators of each role, and machines
 * with a TPM in memory whose maker is known or not. In: a clock that the test sets. Out: statuses and bodies. Aborts when it cannot be made.
 */
#ifndef PLUMB_API_FIXTURE_H
#define PLUMB_API_FIXTURE_H

#include "api.h"
#include "fake_tpm.h"

struct api_fixture_person {
	struct sign_key *key;
	struct cert_identity who;
	struct buf cert_pem, key_pem;
};

struct api_fixture {
	char dir[32];
	uint64_t utc_ns, boot_ns; /* what the clock says */
	struct clock clock;
	struct sign_key *ca, *verdict, *witness;
	EVP_PKEY *maker; /* of TPMs that are known */
	struct buf ca_pem;
	char maker_file[64], baseline_dir[64], log_dir[64];
	struct event_base *base;
	struct store store;
	struct vlog *vlog;
	struct documents *documents;
	struct contain *contain; /* its loop never runs: messages stay in the outbox */
	struct intake *intake;
	struct ekcert_anchors *anchors;
	struct enrol *enrol;
	struct actions *actions;
	struct verifier v;
	struct api api;
	struct api_fixture_person viewer, responder, approver, revoked, stranger;
	struct api_reply reply; /* the last one */
};

void api_fixture_open(struct api_fixture *f);
void api_fixture_done(struct api_fixture *f);
/* A certificate of the fixture's CA for the key in p, which is made when there is none. */
void api_fixture_certify(struct api_fixture *f, struct api_fixture_person *p, const struct cert_request *q);
int api_fixture_call(struct api_fixture *f, const char *method, const char *route, const struct cert_identity *who, const void *body,
		     size_t size); /* route: with its query. The status; the body ends with a NUL */
const char *api_fixture_text(const struct api_fixture *f); /* the last body */

/* An action, signed and sent by p; at: the fixture's time. */
int api_fixture_act(struct api_fixture *f, const struct api_fixture_person *p, const char *action, const char *node, const char *reason,
		    const char *value);
/* Its envelope alone. */
void api_fixture_envelope(struct api_fixture *f, const struct api_fixture_person *p, const char *action, const char *node,
			  const char *reason, const char *value, struct buf *ret);

/* A machine that enrols. */
struct api_fixture_machine {
	struct fake_tpm *tpm;
	struct api_fixture_person person; /* client key; its certificate once it is enrolled */
	struct buf ek, ek_cert, ak, event, attest, sig, blobs, csr;
	char id[65], label[64], token[128], session[65];
	const char *kube_token; /* of its agent's pod, shown when it activates; NULL: none */
	struct buf credential, secret;
};

/* Keys, and an EK certificate by `maker`. */
void api_fixture_machine_open(struct api_fixture *f, struct api_fixture_machine *m, EVP_PKEY *maker, const char *label);
void api_fixture_machine_done(struct api_fixture_machine *m);
void api_fixture_maker_file(EVP_PKEY *maker, const char *path); /* its root certificate */
void api_fixture_certify_event(struct api_fixture_machine *m); /* TPM2_Certify again, of the keys as they are */
void api_fixture_mint(struct api_fixture_machine *m, EVP_PKEY *maker); /* the EK certificate again */
int api_fixture_begin(struct api_fixture *f, struct api_fixture_machine *m); /* status of /v1/enrol; session and credential kept */
int api_fixture_begin_at(struct api_fixture *f, struct api_fixture_machine *m, const char *route);
int api_fixture_activate(struct api_fixture *f, struct api_fixture_machine *m, bool right); /* right: what its TPM answers */
void api_fixture_token(struct api_fixture *f, const char *label, uint64_t life_s, char ret[128]);
/* With a token of its own: an enrolled node whose identity is in m->person.who. */
void api_fixture_enrol(struct api_fixture *f, struct api_fixture_machine *m, EVP_PKEY *maker, const char *label);
void api_fixture_row(struct api_fixture *f, const char *id, struct store_node *ret); /* store_node_done() */
/* A case of that node, open, as appraisal would have put it. Its id. */
uint64_t api_fixture_case(struct api_fixture *f, const char *node, const char *rule, const char *key, enum plumb_action action, bool armed);
int api_fixture_log_has(struct api_fixture *f, const char *text); /* lines of the verifier's log with that in them */

#endif
