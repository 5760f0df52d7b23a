/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_fixture.h: a node that is enrolled at a verifier_fixture: a TPM in memory, a ledger in memory, and bodies as an agent sends them.
 * In: what happens on the node. Out: evidence, the verifier's answers.
 */
#ifndef PLUMB_NODE_FIXTURE_H
#define PLUMB_NODE_FIXTURE_H

#include "cert.h"
#include "evidence.h"
#include "fake_tpm.h"
#include "merkle.h"
#include "record.h"
#include "verifier_fixture.h"

struct node_fixture {
	struct verifier_fixture *v;
	struct fake_tpm *tpm;
	struct record record;
	struct cert_identity who;
	struct buf lines;
	struct merkle tree;
	struct buf anchors;
	size_t anchors_kept;	/* of them the verifier has */
	char boot[37];
	uint64_t baseline_version, last_order, kseq;
	int64_t clock_off_s;	/* the node's clock is wrong by that much */
	uint32_t judge_version;
	bool leaving;
	struct buf_view ima;	/* entries of IMA's list that go with the next evidence; borrowed */
	uint64_t ima_from, ima_cursor, ima_end;
	bool has_ima_end;	/* of an agent that reads the list on after the quote; else ima_end is nothing */
	struct buf_view boot_log;	/* the firmware's log; borrowed. It goes with evidence when the verifier asks for it */
	bool boot_log_kept;		/* but is never sent */
	struct buf_view measure_log;	/* of what systemd measured; borrowed. It goes when the verifier asks for it */
	struct digest held_measured;
	struct digest held;		/* of the one that the verifier has, by the last nonce */
	/* of the last answer */
	int status;
	struct evidence_answer answer;
	char text[1024];	/* of the last answer */
	uint8_t nonce[WIRE_NONCE_SIZE];	/* of the last node_fixture_nonce() */
};

/* Enrolled, with its row put, a log line, an epoch and a start; nothing sent. seed tells nodes apart. */
void node_fixture_open(struct node_fixture *n, struct verifier_fixture *v, unsigned int seed);
void node_fixture_done(struct node_fixture *n);
void node_fixture_assign(struct node_fixture *n, const struct baseline_info *i);	/* in the row; the node judges by it */
/* A baseline is put and assigned that has "reg one" for the file claims /etc/a and /etc/b, and lists no program that nodes run here. */
void node_fixture_baseline(struct node_fixture *n);
/* A policy's rule, for verifier_fixture_rules(): action hold. */
#define NODE_FIXTURE_RULE(id, when, mode, release, grace)                                        \
	"{\"id\":\"" id "\",\"title\":\"t\",\"when\":" when ",\"severity\":\"high\",\"action\":"       \
	"\"hold\",\"mode\":\"" mode "\",\"release\":\"" release                                    \
	"\",\"score\":100,\"grace_ms\":" grace ",\"claim\":\"configuration\",\"value\":32}"

void node_fixture_raw(struct node_fixture *n, const char *line);	/* whatever it is, in the tree as it stands */
void node_fixture_record(struct node_fixture *n, const char *type, const char *members);
/* An exec in a container, unjudged; layer NULL: it says nothing of it. */
void node_fixture_exec_in(struct node_fixture *n, const char *key, const char *scope, const char *layer);
/* A measurement as the agent would judge it: judgement 0 for none. */
void node_fixture_measure(struct node_fixture *n, enum plumb_type type, const char *key, const char *found, int judgement,
			  const char *expected);
void node_fixture_exec(struct node_fixture *n, const char *path);	/* one that the baseline does not list */
void node_fixture_file(struct node_fixture *n, const char *path, const char *found);	/* judged against "reg one" */
void node_fixture_restart(struct node_fixture *n);	/* killed and started: start and gap lines */
void node_fixture_restart_in_order(struct node_fixture *n);	/* with a stop line before */
/* The same over another boot: the epoch line stands behind the start's two, as an agent writes it. */
void node_fixture_reboot(struct node_fixture *n);
void node_fixture_reboot_in_order(struct node_fixture *n);
void node_fixture_extend(struct node_fixture *n);
void node_fixture_junk(struct node_fixture *n);		/* somebody else extends; the agent sees it */

/* What people see: the state's word; the open case of a key, or the newest closed one (id 0: none; until the next call). */
const char *node_fixture_shown(struct node_fixture *n);
struct store_case *node_fixture_case(struct node_fixture *n, const char *key);
bool node_fixture_is_open(struct node_fixture *n, const char *key);

int node_fixture_nonce(struct node_fixture *n);		/* status */
/* A body of the lines from `from` on, with the last nonce. notes: signed by the event key. Caller frees. */
void node_fixture_body(struct node_fixture *n, uint64_t from, bool provisional, bool notes, struct buf *ret);
int node_fixture_give(struct node_fixture *n, bool provisional, const struct buf *body);	/* status; n->answer when 200 */
/* Extended, with a nonce, sent; asserts 200. */
enum plumb_result node_fixture_evidence(struct node_fixture *n);
enum plumb_result node_fixture_drift(struct node_fixture *n, bool notes);

#endif
