/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge.h: what the tables of lies share: the verifier that is lied to, two honest nodes, its operators; a lie and what must come of it.
 * In: a verifier that runs, its directory, a TPM maker's key. Out: a line a lie, and the count.
 */
#ifndef PLUMB_FORGE_H
#define PLUMB_FORGE_H

#include "forge_node.h"
#include "forge_wire.h"

struct forge {
	struct forge_wire wire;
	pid_t verifier;
	const char *data_dir, *dir; /* the verifier's; for files of its own */
	EVP_PKEY *maker, *stranger; /* of TPMs: known, unknown */
	struct sign_key *ca; /* the verifier's own: for certificates that are not what they should be */
	struct buf ca_pem;
	struct api_fixture_person alice, rita, victor, ron; /* approver, responder, viewer, revoked */
	struct forge_node one, two; /* the one in whose name most lies are told; one that must notice nothing */
	uint32_t n_nodes; /* that were enrolled for one lie alone */
	uint32_t connections;
	bool small; /* what takes long is left out */
	bool sanitized; /* a build whose memory says nothing about the program's own */
	uint32_t n, passed, failed, skipped;
	char seen[256]; /* the last open case that was looked for and found */
};

/* One piece of evidence, on its way to become a lie. */
struct forge_at {
	struct forge *f;
	struct forge_node *n;
	struct evidence *e;
	struct quote_binding *b;
	struct buf *body;
};
typedef void (*forge_hook)(struct forge_at *at);

struct forge_lie {
	const char *name; /* what is forged */
	const char *answer; /* result, status, or "closed" */
	const char *reason; /* text that must be in it */
	const char *opens; /* key of the case that it must open: it is no refusal then */
	const char *says; /* text that must be in what the case found; NULL: any */
	bool fresh; /* told in the name of a node of its own, which it may ruin */
	bool slow; /* left out of the small suite */
	/* evidence, in this order; all may be NULL */
	bool provisional, unextended;
	uint32_t mask; /* 0: the PCRs that are asked for */
	forge_hook lines, evidence, binding, quoted, body;
	/* or all by itself */
	void (*tell)(struct forge *f, struct forge_node *n, struct forge_told *t);
};

struct forge_table {
	const char *name;
	const struct forge_lie *lies;
	uint32_t n;
};

extern const struct forge_table lies_quote, lies_register, lies_ledger, lies_early, lies_judged, lies_boot, lies_body, lies_http, lies_tls,
	lies_enrol, lies_people;

#define FORGE_TABLE(symbol, title, list) const struct forge_table symbol = {title, list, sizeof(list) / sizeof((list)[0])}

/* A node that is enrolled for one lie. false: *t says why not. */
bool forge_new_node(struct forge *f, struct forge_node *n, struct forge_told *t);
bool forge_token(struct forge *f, const char *label, uint64_t life_s, char ret[128]);
void forge_action(struct forge *f, const struct api_fixture_person *signer, const struct api_fixture_person *sender, const char *action,
		  const char *node, const char *reason, int64_t age_s, struct forge_told *t);
void forge_envelope(const struct api_fixture_person *signer, const char *action, const char *node, const char *reason, int64_t age_s,
		    struct buf *ret);
void forge_get(struct forge *f, const struct api_fixture_person *p, const char *path, struct forge_told *t);
void forge_post(struct forge *f, const struct api_fixture_person *p, const char *path, const char *type, const void *body, size_t size,
		struct forge_told *t);
void forge_replace(struct buf *b, const char *find, const char *with); /* the first one; it must be there */
long forge_memory(const struct forge *f, const char *what); /* KiB, a line of /proc/PID/status */

/* The crowds: connections that say nothing, or not enough. */
void crowd_run(struct forge *f);
void forge_result(struct forge *f, const char *what, const char *answer, const char *reason, const char *wrong); /* wrong NULL: passed */
void forge_skip(struct forge *f, const char *what, const char *why);
/* An honest piece of evidence of one is accepted. */
bool forge_is_served(struct forge *f, char *ret_wrong, size_t size);

#endif
