/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c: runs a program N times, one after the other, and says what that took. In: N and a program. Out: "wall_ns cpu_ns" of this
 * process and its children. With N 0 it does nothing, so that it is a program to be run itself.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int64_t cpu_ns(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ll +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ll;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	int64_t from = now_ns();

	for (long i = 0; i < n; i++) {
		pid_t pid;
		int status;

		if (posix_spawn(&pid, argv[2], NULL, NULL, &argv[2], environ) != 0 ||
		    waitpid(pid, &status, 0) < 0)
			return 1;
	}
	if (n > 0)
		printf("%lld %lld\n", (long long)(now_ns() - from),
		       (long long)(cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN)));
	return 0;
}
