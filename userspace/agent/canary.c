/* SPDX-License-Identifier: Apache-2.0 */
#include "canary.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#define STACK 32768

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

int canary_run(int (*deed)(void *arg), void *arg, int *ret_result)
{
	_Alignas(16) char stack[STACK];
	int status = 0;
	/* We stand still until it has ended, as after vfork, so its stack can be ours. */
	int pid =
		clone(deed ? deed : nothing, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, arg);

	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret_result)
		*ret_result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return pid;
}
