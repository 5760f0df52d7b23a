/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_exec.h"

#include <linux/audit.h>
#include <string.h>

#define HAS_SYSCALL 1u
#define HAS_EXECVE 2u
#define TOLD 4u

bool audit_exec_take(struct audit_exec *a, uint16_t type, uint32_t serial, uint32_t pid,
		     uint32_t *ret_pid)
{
	uint32_t at = serial % AUDIT_EXEC_OPEN;

	if (type != AUDIT_SYSCALL && type != AUDIT_EXECVE)
		return false;
	if (a->events[at].serial != serial) {
		memset(&a->events[at], 0, sizeof(a->events[at]));
		a->events[at].serial = serial;
	}
	if (type == AUDIT_EXECVE)
		a->events[at].has |= HAS_EXECVE;
	if (type == AUDIT_SYSCALL && pid != 0) {
		a->events[at].has |= HAS_SYSCALL;
		a->events[at].pid = pid;
	}
	if (a->events[at].has != (HAS_SYSCALL | HAS_EXECVE))
		return false;
	a->events[at].has |= TOLD;
	*ret_pid = a->events[at].pid;
	return true;
}
