/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_slow.h: the facts that take longer to read, a slice at a time on the loop: firmware, Secure Boot, CPU flags and mitigations, probes and
 * tracing, hidden modules, package versions of runtimes, BPF programs, other mount namespaces, and in the first pass the programs that run already. In: a schedule. Out: claims, to scan_claims.
 */
#ifndef PLUMB_SCAN_SLOW_H
#define PLUMB_SCAN_SLOW_H

#include <event2/event.h>
#include "claims_bpf.h"
#include "clock.h"
#include "file_set.h"
#include "measure.h"
#include "record_line.h"
#include "scan_claims.h"
#include "surface.h"

struct scan_slow;

struct scan_slow_options {
	struct scan_claims *claims;	/* borrowed, as all here */
	const struct file_set *files;	/* whose paths mounts in other namespaces are held against */
	struct hash_cache *hashes;	/* NULL: programs that run already are not measured */
	const struct clock *clock;
	uint32_t interval_ms;		/* from the start of one pass to the next; 0: 600000 */
	uint32_t slice_ms;		/* longest time in one turn of the loop, as long as one step takes no longer; 0: 5 */
	const struct record_line_tables *maps;	/* what is mapped executable is told, too; copied; NULL: not */
	struct surface *surface;	/* who has a disk open for writing is told to it; NULL: not looked for. With maps alone */
	void (*own)(void *ctx, struct claims_bpf_own *ret);	/* BPF programs and links that are ours; NULL: none */
	void (*done)(void *ctx);	/* a pass that scan_slow_now() asked for has ended; NULL: nobody asks */
	void *ctx;
};

int scan_slow_open(struct event_base *base, const struct scan_slow_options *o, const struct measure_sink *sink, struct scan_slow **ret);
struct scan_slow *scan_slow_free(struct scan_slow *s);
void scan_slow_now(struct scan_slow *s);	/* starts a pass; one that runs is begun anew when it ends */
uint32_t scan_slow_n_passes(const struct scan_slow *s);	/* completed */

#endif
