/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stir.c: a storm of file events in one directory. In: N and a directory. Makes, writes and removes files of ever new names, four events
 * for each (made, opened for writing, written, removed), until N are done, and leaves the last 100 with "N i" in them. Out: "wall_ns events left".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 4
#define LEFT 100

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int one(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644), bad;

	if (fd < 0)
		return -1;
	bad = write(fd, text, strlen(text)) < 0;
	return close(fd) < 0 || bad ? -1 : 0;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? strtol(argv[1], NULL, 10) : 0, files = n / EVENTS;
	int64_t from = now_ns();
	char name[32], text[64];

	if (argc < 3 || chdir(argv[2]) < 0)
		return 2;
	for (long i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%ld", i);
		snprintf(text, sizeof(text), "%ld %ld\n", n, i);
		if (one(name, text) < 0 || (i < files - LEFT && unlink(name) < 0))
			return 1;
	}
	printf("%lld %ld %d\n", (long long)(now_ns() - from), files * EVENTS, LEFT);
	return 0;
}
