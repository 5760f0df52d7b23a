/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startup.h: from settings to what the agent takes: TPM, identity, enrolment, baseline. In: settings. Out: options, and an exit code when
 * something is refused. Blocks; before the loop.
 */
#ifndef PLUMB_STARTUP_H
#define PLUMB_STARTUP_H

#include "agent.h"
#include "conf.h"
#include "host_view.h"
#include "isolate.h"
#include "redact.h"
#include "settings.h"

#define STARTUP_BASELINE_FILE "baseline.jsonl"	/* in the state directory: the last one that the verifier ordered */

#define STARTUP_REKEY_FILE "rekey"	/* in the state directory: other keys were ordered, and are not made yet */

#define STARTUP_BREAK_GLASS "plumbline.protect=observe"	/* on the kernel's command line: protect=enforce is not done */

/* Documented in plumbd(8). */
enum startup_exit {
	STARTUP_USAGE = 64, STARTUP_CORRUPT = 65, STARTUP_OTHER_NODE = 66, STARTUP_BASELINE = 67, STARTUP_NO_TPM = 68, STARTUP_NO_SENSOR = 69,
	STARTUP_REST = 71, STARTUP_REFUSED = 72, STARTUP_RUNNING = 73
};

struct startup {
	struct tpm *tpm;
	struct identity identity;
	struct baseline *baseline;
	struct buf ca, cert, key;	/* PEM; the key is wiped */
	struct agent_verifier verifier;
	char baseline_path[4096], cert_path[4096], record_path[4096], absent[128];
	struct strict_keeper_options strict;
	struct redact *redact;
	struct isolate *isolate;
	struct sign_key *operators[CONF_MAX_LIST];
	uint32_t n_operators;
	struct agent_options options;
};

/*
 * Once, before anything else is opened: settings.host_view. Keys, tokens and baselines that the settings name are found in the container all the
 * same; what the agent keeps and looks at is the host's. *ret NULL: nothing is asked for.
 */
int startup_enter_host(struct settings *s, struct host_view **ret, struct why *ret_why);
/* 0, or an exit code with ret_why. stopped: asked while it waits for the verifier. Call startup_done() in any case. */
int startup_open(const struct settings *s, bool (*stopped)(void *ctx), void *ctx, struct startup *ret, struct why *ret_why);
void startup_done(struct startup *s);
/* From the next start on; kept on the disk before it is promised. */
int startup_want_rekey(const struct settings *s);
int startup_exit_code(int r, int rest);		/* of an error while running */

#endif
