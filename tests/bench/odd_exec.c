/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odd_exec.c: execs that two sources of execs may see apart. In: "traced" and a program: a tracer stops it inside its exec for three seconds;
 * "thread" and a program: a thread that is not the first one becomes it. Out: nothing; exit 0 when it was done.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD_S 3

static int traced(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(126);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0 ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		return 1;
	if (waitpid(pid, &status, 0) != pid || status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		return 2;
	sleep(HELD_S);
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid)
		return 3;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 4;
}

static void *become(void *argv)
{
	execv(((char **)argv)[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 3)
		return 64;
	if (strcmp(argv[1], "traced") == 0)
		return traced(argv + 2);
	if (pthread_create(&thread, NULL, become, argv + 2) != 0)
		return 1;
	for (;;)
		pause();
}
