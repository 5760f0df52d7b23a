/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: the verifier's memory as a table of functions; store_sqlite fills it. Rows are plain data.
 * In: rows. Out: rows. Errors: -ENOENT no such row, -EEXIST, -ESTALE the row changed since it was read, -EPROTO a change outside begin
 * and commit, -EBUSY another process writes, -ERANGE a number above 2^63-1, -ENOSPC, -EIO. Strings in rows are fixed arrays or owned
 * bufs (store_*_done). commit is durable (synchronous=FULL). After rollback, rows put since begin must be read again.
 */
#ifndef PLUMB_STORE_H
#define PLUMB_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "merkle.h"
#include "plumb/terms.h"
#include "why.h"

#define STORE_MAX_LIST 10000u

/* A node: identity, state, and head, provisional, quote base, finding and fork latch in ONE versioned row. */
struct store_node {
	char id[65];
	uint64_t incarnation;
	uint64_t version;		/* row version; node_put fails with -ESTALE when it is another by now, and sets version + 1 */
	char label[254];
	char kube_name[254];		/* "" unless bound */
	struct buf record;		/* record.json */
	struct digest client_key;	/* SPKI digest of the client certificate */
	uint64_t enrolled_ns;
	/* state */
	enum plumb_life life;
	enum plumb_appraisal appraisal;
	enum plumb_freshness freshness;
	enum plumb_containment containment;
	uint64_t state_since_ns;	/* UTC, of the derived state */
	char cause[256];		/* of the last transition, for people */
	uint64_t deadline_ns;		/* boot time of the verifier's clock is not kept: UTC by which evidence is due */
	uint64_t leaving_until_ns;	/* an announced absence ends here; 0: none */
	uint64_t last_order;		/* highest order number given */
	uint64_t last_evidence_ns;	/* accepted */
	/* head row */
	uint64_t head_size;		/* cosigned */
	struct digest head_root;
	struct merkle frontier;		/* at max(head, provisional): of all lines stored */
	uint64_t prov_size;		/* 0: none */
	struct digest prov_root;
	uint64_t prov_since_ns;
	bool prov_binding;		/* the event key signed it; one that is not binding is never stored here */
	bool has_base;			/* a quote was accepted */
	uint64_t base_size;		/* confirmed size */
	struct merkle base_frontier;
	struct digest base_pcr;
	uint32_t base_reset, base_restart;	/* before the first quote: as the enrolment's TPM2_Certify had them */
	uint64_t base_clock_ms;
	bool forked;
	uint32_t findings;		/* bit 1 << enum plumb_finding, of the last appraisal; bit 0: it judged by no baseline */
	uint64_t baseline_version;	/* assigned */
	struct digest baseline;		/* document; zero: none */
	struct digest evidence_digest;	/* of the last accepted body, for the verdict */
	uint8_t last_nonce[32];
	char boot_id[37];
};
void store_node_done(struct store_node *n);

/* A drift or finding of a node: one open case per (node, rule or "", scope, key). */
struct store_case {
	uint64_t id;			/* 0: assigned by case_put */
	char node[65];
	uint64_t incarnation;
	char rule[65];			/* "" when no rule matched */
	char key[4400];
	char scope[160];
	char expected[4096], found[4096];
	char who[512];			/* "uid 0, /usr/bin/bash (bash/123)" or "unknown" */
	enum plumb_type type;
	enum plumb_finding finding;
	enum plumb_severity severity;
	enum plumb_action action;	/* asked for by the rule */
	bool armed;
	bool provisional;		/* not covered by an accepted quote yet */
	uint64_t first_seq, last_seq, count;	/* ledger lines */
	uint64_t opened_ns, last_ns;
	uint64_t closed_ns;		/* 0: open */
	char closed_why[256];
	uint8_t release;		/* enum policy_release */
	uint32_t score;
	uint64_t grace_ms;
	uint32_t opened_reset;		/* counts at opening, for release: reboot */
	char ack_by[128];		/* "" or operator */
};

struct store_operator {
	char name[128];
	struct digest key_id;
	enum plumb_role role;
	struct buf spki;
	uint64_t added_ns;
	bool revoked;
};
void store_operator_done(struct store_operator *o);

struct store_message {			/* webhook outbox */
	uint64_t id;
	char target[64];		/* "webhook:<of its URL>" or "kube" */
	char node[65];			/* whose messages never overtake one another */
	struct buf body;
	uint32_t tries;
	uint64_t next_ns;
};
void store_message_done(struct store_message *m);

struct store_follower {			/* what goes with each transaction: the log's lines */
	void (*began)(void *ctx);
	int (*commit)(void *ctx);	/* inside it, the last thing before its end; < 0: it is rolled back */
	void (*ended)(void *ctx, bool committed);
	void *ctx;
};

struct store_watcher {			/* hears of rows of nodes; one at most */
	void (*put)(void *ctx, const struct store_node *n);	/* inside the transaction: it may not stand */
	void (*ended)(void *ctx, bool committed);
	void *ctx;
};

struct store_ops {
	void (*watch)(void *ctx, const struct store_watcher *w);	/* copied; NULL: nobody */
	void (*follow)(void *ctx, const struct store_follower *f);	/* copied; one at most; NULL: nobody */
	int (*begin)(void *ctx);			/* takes the write lock: what is read after it holds until commit */
	int (*commit)(void *ctx);
	void (*rollback)(void *ctx);

	int (*node_get)(void *ctx, const char *id, struct store_node *ret);
	int (*node_put)(void *ctx, struct store_node *n);		/* version 0: insert */
	int (*node_each)(void *ctx, int (*fn)(void *fn_ctx, const struct store_node *n), void *fn_ctx);

	/* from must be the end of those stored (any number when there are none): -EEXIST before it, -ENOENT beyond it. */
	int (*lines_put)(void *ctx, const char *node, uint64_t incarnation, uint64_t from, const void *lines, size_t size, uint64_t n);	/* each ends with LF */
	/* [from, to), without LF. -ENOENT when one of them is not there. fn, here and below, returns 0 to go on. */
	int (*lines_each)(void *ctx, const char *node, uint64_t incarnation, uint64_t from, uint64_t to,
			  int (*fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size), void *fn_ctx);
	int (*blob_put)(void *ctx, const char *kind, const char *name, const void *data, size_t size);	/* baselines, policies, anchors, notes; replaces */
	int (*blob_get)(void *ctx, const char *kind, const char *name, struct buf *ret);
	int (*blob_append)(void *ctx, const char *kind, const char *name, const void *data, size_t size);
	/* The row of pieces that a blob was put and appended in: their number (0: there is no such blob), and each from the one of that number on. */
	int (*blob_parts)(void *ctx, const char *kind, const char *name, uint64_t *ret_n);
	int (*blob_parts_each)(void *ctx, const char *kind, const char *name, uint64_t from,
			       int (*fn)(void *fn_ctx, uint64_t part, const void *data, size_t size), void *fn_ctx);
	int (*blob_remove)(void *ctx, const char *kind, const char *name);	/* -ENOENT */
	/* Of those that were put and not appended to, in order of their names. */
	int (*blob_each)(void *ctx, const char *kind, int (*fn)(void *fn_ctx, const char *name, const void *data, size_t size), void *fn_ctx);

	int (*case_put)(void *ctx, struct store_case *c);
	int (*case_find)(void *ctx, const char *node, const char *rule, const char *scope, const char *key,
			 struct store_case *ret);	/* an open one */
	int (*case_get)(void *ctx, uint64_t id, struct store_case *ret);
	int (*case_count)(void *ctx, const char *node, uint64_t *ret);	/* open ones */
	int (*case_each)(void *ctx, const char *node, bool open_only, int (*fn)(void *fn_ctx, const struct store_case *c), void *fn_ctx);	/* node NULL: all */

	int (*order_put)(void *ctx, const char *node, uint64_t number, const void *envelope, size_t size);
	int (*order_each)(void *ctx, const char *node, uint64_t above, int (*fn)(void *fn_ctx, uint64_t number, const void *envelope, size_t size), void *fn_ctx);

	int (*token_put)(void *ctx, const struct digest *token, const char *label, uint64_t expires_ns);
	int (*token_use)(void *ctx, const struct digest *token, uint64_t now_ns, char ret_label[254]);	/* once; -ENOENT, -EKEYEXPIRED */
	int (*operator_put)(void *ctx, const struct store_operator *o);
	int (*operator_get)(void *ctx, const struct digest *key_id, struct store_operator *ret);
	int (*operator_each)(void *ctx, int (*fn)(void *fn_ctx, const struct store_operator *o), void *fn_ctx);
	int (*message_put)(void *ctx, const struct store_message *m);
	/* Oldest first, ordered per node. One that is put off by more than ten minutes was so by a clock that jumped: it is due. */
	int (*message_next)(void *ctx, const char *target, uint64_t now_ns, struct store_message *ret);
	int (*message_done)(void *ctx, uint64_t id);
	int (*message_retry)(void *ctx, uint64_t id, uint64_t next_ns);	/* a try more was in vain */
	int (*message_put_off)(void *ctx, uint64_t id, uint64_t next_ns);	/* no try of it counts */
	int (*message_forget)(void *ctx, const char *target, const char *node);	/* node NULL: all. How many there were */
	int (*message_trim)(void *ctx, const char *target, uint32_t keep);	/* the oldest go. How many */
	int (*message_targets)(void *ctx, int (*fn)(void *fn_ctx, const char *target, uint64_t n), void *fn_ctx);
	int (*setting_put)(void *ctx, const char *name, const char *value);
	int (*setting_get)(void *ctx, const char *name, struct buf *ret);
	void (*close)(void *ctx);
};

struct store {
	const struct store_ops *ops;
	void *ctx;
};

#endif
