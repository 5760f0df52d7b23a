/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: makes, writes, closes and renames a file N times, TIMES over, and says what the best of those took. In: N, a directory and TIMES.
 * Out: the CPU of this process in ns.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int one(const char *from, const char *to)
{
	int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, from, 100) != 100 || close(fd) < 0)
		return -1;
	return rename(from, to);
}

static int64_t run(long n, const char *from, const char *to)
{
	int64_t cpu = cpu_ns();

	for (long i = 0; i < n; i++)
		if (one(from, to) < 0)
			return -1;
	return cpu_ns() - cpu;
}

int main(int argc, char **argv)
{
	char from[PATH_MAX], to[PATH_MAX];
	int64_t best = INT64_MAX;
	long n, times;

	if (argc != 4 || snprintf(from, sizeof(from), "%s/new", argv[2]) >= (int)sizeof(from) ||
	    snprintf(to, sizeof(to), "%s/old", argv[2]) >= (int)sizeof(to))
		return 2;
	n = strtol(argv[1], NULL, 10);
	times = strtol(argv[3], NULL, 10);
	for (long i = 0; i < times; i++) {
		int64_t took = run(n, from, to);

		if (took < 0) {
			perror(argv[2]);
			return 1;
		}
		best = took < best ? took : best;
	}
	printf("%lld\n", (long long)best);
	return 0;
}
