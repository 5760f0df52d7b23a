/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_files.h: measures all watched files again, a slice at a time on the loop: some changes have no event at all.
 * In: a file_set, a schedule. Out: file_set_check(…, "rescan").
 *
 * Two kinds of pass. A quick one, on start and when events were lost, reads what its times say was changed. One that reads all content anew,
 * on schedule and on order, gives way to a quick one, goes on where it was, and reads SCAN_FILES_BYTES_S at most: a disk has other users.
 */
#ifndef PLUMB_SCAN_FILES_H
#define PLUMB_SCAN_FILES_H

#include "file_set.h"
#include "why.h"
#include <event2/event.h>

#define SCAN_FILES_BYTES_S \
	(32u               \
	 << 20) /* a fifth of what the disk of a small machine gives; 10 GiB take five minutes */

struct scan_files;

struct scan_files_options {
	struct file_set *files; /* borrowed */
	const struct clock *clock; /* borrowed */
	uint32_t interval_ms; /* from the start of one pass to the next; 0: 3600000 */
	uint32_t slice_ms; /* longest time in one turn of the loop; 0: 20 */
	uint32_t bytes_s; /* of content that is read anew, on average; 0: SCAN_FILES_BYTES_S */
	void (*done)(
		void *ctx); /* a pass that scan_files_anew() asked for has ended; NULL: nobody asks */
	void (*measured)(void *ctx); /* the first pass has ended: each file has a value; NULL */
	void (*ask)(void *ctx, const char *path, bool anew); /* a change was found: what the kernel told of it is taken first, for then somebody did it; NULL */
	void *ctx;
	bool first_now; /* the first pass is done whole inside open (a short list, tests) */
};

int scan_files_open(struct event_base *base, const struct scan_files_options *o,
		    struct scan_files **ret, struct why *ret_why);
struct scan_files *scan_files_free(struct scan_files *s);
void scan_files_now(
	struct scan_files *s); /* starts a quick pass; one that runs is begun again when it ends */
void scan_files_anew(
	struct scan_files *
		s); /* starts one that reads all content; one that runs is begun again when it ends */
/* The same, from the disk: what the kernel keeps of them in memory is let go first, as far as nobody has it mapped or has written to it. */
void scan_files_from_disk(struct scan_files *s);
uint32_t scan_files_n_passes(const struct scan_files *s); /* completed */

#endif
