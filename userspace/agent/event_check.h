/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_check.h: is a record of the ring what it says it is? Pure.
 * In: bytes that kernel programs, or whoever got at the ring, have written. Out: a copy whose size, version, kind and texts hold.
 */
#ifndef PLUMB_EVENT_CHECK_H
#define PLUMB_EVENT_CHECK_H

#include <stddef.h>
#include "plumb/event.h"
#include "why.h"

union event_record {
	struct plumb_event event;
	struct plumb_event_exec exec;
	struct plumb_event_exec_args exec_args;	/* exec with PLUMB_EVENT_ARGS */
	struct plumb_event_fork fork;
	struct plumb_event_exit exit;
	struct plumb_event_script script;
	struct plumb_event_module module;
	struct plumb_event_code code;
	struct plumb_event_load load;
	struct plumb_event_file file;
	struct plumb_event_mount mount;
	struct plumb_event_bpf bpf;
	struct plumb_event_surface surface;
	struct plumb_event_guard guard;
};

/*
 * 0; -EBADMSG with why, and *ret means nothing; -ENOTSUP: sound, but a kind or version that is not known (its header is in *ret).
 * *ret is a copy, checked after it was taken. Behind the end of an exec's path and name it holds what was there before.
 */
int event_check(const void *data, size_t size, union event_record *ret, struct why *ret_why);

#endif
