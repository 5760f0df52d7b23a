/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsm_files.h: what LSM has to do with watched files, put together: marks, their records, and the program for those who write through what
 * is older than the marks. In: the kernel programs, by way of sensor_bpf. Out: notes to changes, lines of mounts elsewhere, claims.
 */
#ifndef PLUMB_LSM_FILES_H
#define PLUMB_LSM_FILES_H

#include <event2/event.h>
#include "changes.h"
#include "scan_claims.h"
#include "sensor_bpf.h"

struct lsm_files;

struct lsm_files_options {
	struct file_set *files;		/* borrowed, as all here */
	struct changes *changes;
	struct proctab *proctab;
	const struct clock *clock;
	struct sensor_bpf *bpf;		/* NULL: there are no programs */
	struct scan_claims *claims;
	bool discover;			/* as watch_lsm's */
};

/* -ENOTSUP: opens of files are not seen by this kernel's programs. *ret is set early, as watch_lsm_open()'s, and NULL after an error. */
int lsm_files_open(struct event_base *base, const struct lsm_files_options *o, const struct measure_sink *sink, struct lsm_files **ret,
		   struct why *ret_why);
struct lsm_files *lsm_files_free(struct lsm_files *f);
void lsm_files_take(struct lsm_files *f, const union event_record *r);	/* of kind file or mount */
int lsm_files_mounter(struct lsm_files *f, const char *point, bool umount, struct line_actor *ret);	/* watch_lsm_mounter() */

#endif
