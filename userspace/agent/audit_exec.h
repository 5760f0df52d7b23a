/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_exec.h: which audit events are execs, and whose. Pure.
 * In: the kind, number and pid of each record. Out: one exec for each event that has a SYSCALL record, which names the process, and an EXECVE
 * record, which the kernel writes where it calls its own tracepoint: when the new program is in place. A program that is only asked about
 * (AT_EXECVE_CHECK) has none, nor has an execve that failed.
 *
 * Records of several events come mixed, and a long command line makes several EXECVE records.
 */
#ifndef PLUMB_AUDIT_EXEC_H
#define PLUMB_AUDIT_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_EXEC_OPEN 256	/* events whose records may come mixed; an older one is left out */

struct audit_exec {		/* zeros to begin with */
	struct {
		uint32_t serial, pid;
		uint8_t has;
	} events[AUDIT_EXEC_OPEN];	/* by number modulo their number */
};

/* type: AUDIT_…; pid: 0 if the record names none. True: with this record it is known that *ret_pid executed a program. */
bool audit_exec_take(struct audit_exec *a, uint16_t type, uint32_t serial, uint32_t pid, uint32_t *ret_pid);

#endif
