/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: makes, writes, closes and renames a file N times, and says what that took. In: N and a directory. Out: "wall_ns cpu_ns" of
 * this process.
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

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int one(const char *from, const char *to)
{
	int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, from, 100) != 100 || close(fd) < 0)
		return -1;
	return rename(from, to);
}

int main(int argc, char **argv)
{
	char from[PATH_MAX], to[PATH_MAX];
	int64_t wall = now_ns(), cpu = cpu_ns();
	long n;

	if (argc != 3 || snprintf(from, sizeof(from), "%s/new", argv[2]) >= (int)sizeof(from) ||
	    snprintf(to, sizeof(to), "%s/old", argv[2]) >= (int)sizeof(to))
		return 2;
	n = strtol(argv[1], NULL, 10);
	for (long i = 0; i < n; i++)
		if (one(from, to) < 0) {
			perror(argv[2]);
			return 1;
		}
	printf("%lld %lld\n", (long long)(now_ns() - wall), (long long)(cpu_ns() - cpu));
	return 0;
}
