/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_files.h: measures all watched files anew, a slice at a time on the loop: some changes have no event at all.
 * In: a file_set, a schedule. Out: file_set_check(…, "rescan").
 */
#ifndef PLUMB_SCAN_FILES_H
#define PLUMB_SCAN_FILES_H

#include <event2/event.h>
#include "file_set.h"
#include "why.h"

struct scan_files;

struct scan_files_options {
	struct file_set *files;		/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint32_t interval_ms;		/* from the start of one pass to the next; 0: 3600000 */
	uint32_t slice_ms;		/* longest time in one turn of the loop; 0: 20 */
	bool first_now;			/* the first pass is done whole inside open (a short list, tests) */
};

int scan_files_open(struct event_base *base, const struct scan_files_options *o, struct scan_files **ret, struct why *ret_why);
struct scan_files *scan_files_free(struct scan_files *s);
void scan_files_now(struct scan_files *s);	/* starts a pass; one that runs is begun anew when it ends */
uint32_t scan_files_n_passes(const struct scan_files *s);	/* completed */

#endif
