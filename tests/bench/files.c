/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: makes, writes, closes and renames a file over the one before. In, a line for each run: how many files, in how many parts, and the directory.
 * Out, a line for each run: the CPU of this process for a file in ns, the median of the parts. One process for all runs, since where a process lies in memory
 * makes more of a difference than what is measured.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_PARTS 1000

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int one(const char *from, const char *to)
{
	int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, from, 100) != 100 || close(fd) < 0)
		return -1;
	return rename(from, to);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int run(long n, long parts, const char *dir)
{
	char from[PATH_MAX + 8], to[PATH_MAX + 8];
	double took[MAX_PARTS];

	snprintf(from, sizeof(from), "%s/new", dir);
	snprintf(to, sizeof(to), "%s/old", dir);
	for (long part = 0; part < parts; part++) {
		double before = cpu_ns();

		for (long i = 0; i < n / parts; i++)
			if (one(from, to) < 0)
				return -1;
		took[part] = (cpu_ns() - before) / (double)(n / parts);
	}
	qsort(took, (size_t)parts, sizeof(took[0]), by_value);
	printf("%.1f\n", took[parts / 2]);
	return fflush(stdout);
}

int main(void)
{
	char dir[PATH_MAX];
	long n, parts;

	while (scanf("%ld %ld %4095s", &n, &parts, dir) == 3) {
		if (parts < 1 || parts > MAX_PARTS || n < parts)
			return 2;
		if (run(n, parts, dir) < 0) {
			perror(dir);
			return 1;
		}
	}
	return 0;
}
