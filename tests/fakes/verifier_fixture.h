/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_fixture.h: a verifier without server: the real SQLite store, the real log, documents and intake in a directory of its own,
 * a clock that tests move, an approver, a policy and baselines that are really signed. In: what a test does. Out: rooms that are open.
 */
#ifndef PLUMB_VERIFIER_FIXTURE_H
#define PLUMB_VERIFIER_FIXTURE_H

#include "documents.h"
#include "fault_fsio.h"
#include "intake.h"
#include "verifier.h"

#define VERIFIER_FIXTURE_LOG "test.example"
#define VERIFIER_FIXTURE_S 1000000000ull

/* Set by a test at any time: the next calls of the store fail so. */
struct verifier_fixture_faults {
	int commit;		/* every commit fails and is rolled back; 0: none */
	int late;		/* the same, after the log's lines are on the disk */
	int node_put;
	long changes;		/* puts and appends that still work; negative: all */
};

struct verifier_fixture {
	char dir[64];
	uint64_t utc_ns, boot_ns;
	struct clock clock;
	struct fault_fsio disk;
	struct store store;
	struct store_ops ops;	/* the real ones, with faults before them */
	struct verifier_fixture_faults faults;
	struct sign_key *verdict, *witness, *approver, *stranger;
	char log_dir[96], baseline_dir[96];
	struct verifier v;
	struct documents *documents;
	struct intake *intake;
	struct contain *contain;	/* what the intake was opened with; borrowed */
};

void verifier_fixture_open(struct verifier_fixture *f);
void verifier_fixture_done(struct verifier_fixture *f);
/* Ends it without a word, as kill -9 does, and starts it again over the same directory. */
void verifier_fixture_stop(struct verifier_fixture *f);
void verifier_fixture_start(struct verifier_fixture *f);
int verifier_fixture_try_start(struct verifier_fixture *f);
/* From here on transitions are carried out by it; NULL: by nobody. */
void verifier_fixture_contain(struct verifier_fixture *f, struct contain *contain);
void verifier_fixture_pass(struct verifier_fixture *f, uint64_t ms);	/* both clocks, then a tick every second of it */
void verifier_fixture_jump(struct verifier_fixture *f, int64_t s);	/* UTC alone */

/* A bundle of rules (JSON of "rules"), signed by key; caller frees. */
void verifier_fixture_policy(const char *name, uint64_t version, const char *rules, const struct sign_key *key, struct buf *ret);
int verifier_fixture_put_policy(struct verifier_fixture *f, const void *envelope, size_t size, struct why *ret_why);	/* in a transaction */
void verifier_fixture_rules(struct verifier_fixture *f, uint64_t version, const char *rules);	/* pushed, and all cases judged anew */
/* A baseline whose entries are `entries` (JSON Lines), closed for exec: and file:. */
void verifier_fixture_baseline(const char *name, uint64_t version, const char *entries, const struct sign_key *key, struct buf *ret);
int verifier_fixture_put_baseline(struct verifier_fixture *f, const struct buf *file, struct baseline_info *ret, struct why *ret_why);

struct store_node verifier_fixture_node(struct verifier_fixture *f, const char *id);	/* caller frees */
/* Open cases of the node, and (when key is not NULL) the open or else the newest one of that key in *ret: id 0: none. */
uint32_t verifier_fixture_cases(struct verifier_fixture *f, const char *id, const char *key, struct store_case *ret);
uint32_t verifier_fixture_log(struct verifier_fixture *f, const char *text);	/* durable lines of the log that have it */

#endif
