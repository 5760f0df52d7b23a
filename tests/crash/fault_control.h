/* SPDX-License-Identifier: Apache-2.0 */
/* fault_control.h: what tests/crash/run and fault.c share: a page that says what is to go wrong, and when. world.py knows the offsets. */
#ifndef PLUMB_FAULT_CONTROL_H
#define PLUMB_FAULT_CONTROL_H

#include <stdint.h>

#define MAX_FILES 256

enum deed {
	DEED_NONE = 0,
	DEED_KILL_BEFORE,
	DEED_KILL_HALF, /* a write that got half way; elsewhere: before */
	DEED_KILL_AFTER,
	DEED_ERROR, /* `value` is the errno, or the TPM's response code */
	DEED_SHORT, /* a write of one byte less than was asked, or of half */
	DEED_LOST, /* the TPM did it, and its answer is lost */
	DEED_SLOW, /* `value` milliseconds */
};

/* Shared with tests/crash/run, which knows the offsets. */
struct control {
	uint32_t armed; /* counts up with each new order */
	uint32_t fired; /* how often the deed was done */
	uint32_t deed;
	uint32_t nth, count; /* from the nth call at the place on, so many; 0: without end */
	uint32_t value;
	uint32_t
		power; /* with a kill: 1: bytes that were not synced are gone; 2: zeros in their place; 3: of lines in place of the first */
	uint32_t
		no_bpf; /* no eBPF programs: they take most of a start, and are not what is tried here */
	int64_t clock_s; /* added to the time of day */
	int64_t boot_s; /* added to the time since the boot */
	char place[32]; /* or what it begins with */
	char boot_id[64]; /* instead of the kernel's; empty: none */
	uint32_t n_files;
	uint32_t pad;
	struct {
		char path[200];
		uint64_t durable; /* bytes that a power cut leaves; outlives the process */
	} files[MAX_FILES];
};

#endif
