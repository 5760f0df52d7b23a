/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h: puts sensors, scans and the ledger writer together on one loop. In: options that main read. Out: a running agent.
 * A sensor that cannot be had does not stop the others: that it is absent, and why, is a claim in the ledger.
 */
#ifndef PLUMB_AGENT_H
#define PLUMB_AGENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "baseline.h"
#include "claims_runtime.h"
#include "clock.h"
#include "fsio.h"
#include "identity.h"
#include "ima_list.h"
#include "isolate_all.h"
#include "redact.h"
#include "strict_keeper.h"
#include "why.h"

#define AGENT_MAX_WATCH (64 + CLAIMS_RUNTIME_MAX_FILES)
#define AGENT_STOP_MS 15000
#define AGENT_MAX_OWN 8

struct agent;

/* The verifier that this node was enrolled at. All borrowed. */
struct agent_verifier {
	const char *url;		/* "https://HOST:PORT" */
	const char *ca_pem, *cert_pem, *key_pem;	/* text */
	struct digest client_key;	/* SPKI of the certificate's key */
	uint64_t interval_ms;		/* between evidence when there is no news */
	const char *record_path;	/* record.json of the ledger */
	const char *cert_path;		/* where a renewed certificate is kept */
	uint64_t cert_not_after_s;	/* of cert_pem */
	const char *baseline_path;	/* where a baseline that it orders is kept */
	uint64_t max_unsent;		/* bytes; see ledger_writer.h */
};

struct agent_options {
	const struct fsio *io;		/* borrowed, as all here */
	const struct clock *clock;
	const char *ledger_dir;
	const struct identity *identity;	/* origin, and the TPM if there is one */
	const char *tpm_absent;		/* without one: why */
	const struct baseline *baseline;	/* NULL: nothing is judged */
	const char *watch[AGENT_MAX_WATCH];
	uint32_t n_watch;
	const char *const *diff;	/* of these, and of what lies below them, changed lines are told */
	uint32_t n_diff;
	const struct redact *diff_redact;	/* what is hidden of them; NULL: nothing but what looks like a secret */
	const char *kubelet_csr_key;	/* see kubelet_key.h; NULL: none */
	uint64_t batch_ms;
	uint64_t quote_ms;		/* between quotes of its own; 0: only at start and stop */
	const char *container_root;	/* below which the runtimes' state lies; NULL: "/" */
	uint32_t scan_ms, slow_scan_ms, rescan_ms;	/* between scans of claims, of slow ones, of files; 0: their own defaults */
	uint64_t keep_ms, keep_size;	/* of the ledger; see retention.h */
	bool exec_all;
	struct redact *redact;	/* lines of programs have arguments, without what this hides; NULL: they have none */
	enum ima_list_covers ima_measures;	/* UNKNOWN: by the policy, if it can be read */
	const struct strict_keeper_options *strict;	/* programs are held before their first run; NULL: they are not */
	const char *const *interpreters;	/* programs whose scripts are told, by their names up to the first digit */
	uint32_t n_interpreters;
	const char *own_paths[AGENT_MAX_OWN + 1];	/* files and directories that are the agent's, for the guard; NULL ends them */
	bool protect;			/* what is done to them and to the agent is refused, not only told */
	const char *protect_why_not;	/* it was asked for, and is not done: why; "" else */
	int (*rekey)(void *ctx);	/* ordered: be stopped soon, and enrolled anew with other keys; NULL: cannot be */
	void *rekey_ctx;
	struct isolate_all_settings isolation;
	const struct agent_verifier *verifier;	/* NULL: the node is alone, and quotes itself */
};

/* -EXDEV: the ledger of another node; -EBADMSG: a corrupt one; -ENOTSUP: nothing can be attached at all. */
int agent_open(struct event_base *base, const struct agent_options *o, struct agent **ret, struct why *ret_why);
/* Takes what waits, writes `stop`, anchors, quotes and signs it (AGENT_STOP_MS at most; the line itself is synced in any case). */
int agent_stop(struct agent *a, const char *why);
struct agent *agent_free(struct agent *a);

#endif
