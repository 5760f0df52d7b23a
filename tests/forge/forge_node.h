/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_node.h: an honest node with a TPM in memory: it enrols, writes lines, extends, quotes and sends as an agent does. A liar takes it,
 * changes what he likes, and puts it back: even the registers, which no real TPM would let him.
 * In: deeds. Out: evidence, the verifier's answers.
 */
#ifndef PLUMB_FORGE_NODE_H
#define PLUMB_FORGE_NODE_H

#include "evidence.h"
#include "forge_wire.h"
#include "merkle.h"

#define FORGE_PCR 15u
#define FORGE_MASK (0xffu | 1u << 10 | 1u << FORGE_PCR)

/* What came back, in two words: a result or a status; the reason or the error. */
struct forge_told {
	char answer[32];
	char reason[1024];
};

struct forge_node {
	const struct forge_wire *wire;
	struct api_fixture_machine m;
	bool again; /* it enrols as one whose certificate is over */
	char kube_token[8192]; /* of its agent's pod; "": none */
	char origin[CHECKPOINT_MAX_ORIGIN], boot[37];
	uint64_t incarnation;
	struct buf lines;
	struct merkle tree;
	struct buf anchors;
	size_t anchors_kept; /* of them the verifier has */
	uint64_t baseline_version, last_order;
	/* of the last nonce */
	uint8_t nonce[WIRE_NONCE_SIZE];
	uint64_t stored; /* lines that the verifier has */
};

/* Keys and an EK certificate by maker; then enrolled with that token: false says why in *told. */
void forge_node_open(struct forge_node *n, const struct forge_wire *w, EVP_PKEY *maker, const char *label);
void forge_node_done(struct forge_node *n);
bool forge_node_begin(struct forge_node *n, struct forge_told *told); /* session, credential and secret in m */
bool forge_node_activate(struct forge_node *n, bool right, struct forge_told *told);
void forge_node_start(struct forge_node *n); /* an enrolled one's first lines */

/* All that a liar could spoil: copied, and put back. */
struct forge_copy {
	struct buf lines, anchors;
	struct merkle tree;
	size_t anchors_kept;
	struct quote_pcrs pcrs;
	struct tpm_clock clock;
	char boot[37];
	uint64_t baseline_version, last_order;
};
void forge_node_copy(const struct forge_node *n, struct forge_copy *ret);
void forge_node_put_back(struct forge_node *n, struct forge_copy *c); /* and frees it */

void forge_node_raw(struct forge_node *n, const void *line, size_t size); /* whatever it is, in the tree as it stands */
void forge_node_record(struct forge_node *n, const char *type, const char *members);
void forge_node_work(struct forge_node *n); /* a line like any: a file is as it should be */
void forge_node_exec(struct forge_node *n, int judgement, uint32_t judge_version); /* a program that no baseline has */
void forge_node_extend(struct forge_node *n);
void forge_node_anchor_foreign(struct forge_node *n);
void forge_node_head(const struct forge_node *n, struct checkpoint *ret);

bool forge_node_nonce(struct forge_node *n, struct forge_told *told);
void forge_node_fill(struct forge_node *n, struct evidence *e); /* lines from `stored` on, all but the quote; lines borrowed */
void forge_node_binding(const struct forge_node *n, const struct evidence *e, struct quote_binding *ret, char text[CHECKPOINT_MAX_TEXT]);
void forge_node_quote(struct forge_node *n, struct evidence *e, const struct quote_binding *b, uint32_t mask);
void forge_node_note(struct forge_node *n, struct evidence *e, const struct checkpoint *c); /* the event key's signature */
/* Takes orders and anchors as an agent does when it was accepted. */
void forge_node_send(struct forge_node *n, bool provisional, const struct buf *body, struct forge_told *told);
void forge_told_set(struct forge_told *told, const struct forge_answer *a);

/* One more line, extended, quoted, sent: what an honest node does. */
bool forge_node_evidence(struct forge_node *n, struct forge_told *told);

#endif
