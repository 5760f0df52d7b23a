/* SPDX-License-Identifier: Apache-2.0 */
/*
 * surface_words.h: a surface record in words: what, of which object, and which claims it may have changed; or that it is a node's daily life.
 * In: a checked record, and facts of this node. Out: texts. Pure.
 */
#ifndef PLUMB_SURFACE_WORDS_H
#define PLUMB_SURFACE_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/event.h"

#define SURFACE_WORDS_OBJECT 1200
#define SURFACE_WORDS_VALUE 160

/* Claims that may be other than before, and are read again. */
enum surface_claims {
	SURFACE_CLAIMS_NONE,
	SURFACE_CLAIMS_SYSCTL,		/* words.sysctl */
	SURFACE_CLAIMS_TRACING,		/* kernel:kprobes and the like */
	SURFACE_CLAIMS_SECURITY,	/* boot:lockdown, boot:lsm, ima:policy */
	SURFACE_CLAIMS_LIVEPATCH,	/* and taint */
};

struct surface_facts {
	uint32_t net_ns, uts_ns, ipc_ns, pid_ns;	/* the agent's own */
	uint32_t kprobe_type, uprobe_type;		/* of perf events; 0: this kernel has none */
	bool sysctl_exact;		/* writes of sysctls are told one by one: opens of their files say nothing more */
};

struct surface_words {
	char what[32];				/* "lockdown", "tracefs", "sysctl", … */
	char object[SURFACE_WORDS_OBJECT];	/* "": the caller knows better: the target's program, the device */
	bool is_fixed;				/* the object is one of a few that the kernel itself names: none of many that somebody can think of */
	char found[SURFACE_WORDS_VALUE];	/* what was done; of a sysctl: the new value */
	char before[SURFACE_WORDS_VALUE];	/* of a sysctl; "" not known */
	char sysctl[256];			/* with dots; "": none, or one of another namespace */
	uint32_t target_pid;			/* whose program is the object; 0: none, or it is in another pid namespace */
	enum surface_claims claims;
};

/* false: daily life, nothing is told. */
bool surface_words(const struct plumb_event_surface *e, const struct surface_facts *f, struct surface_words *ret);

#endif
