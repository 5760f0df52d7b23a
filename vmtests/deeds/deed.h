/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deed.h: the frame of a program of deeds: `PROGRAM NAME ARGUMENT…` does one deed of its table. Static, so that it runs in a bare guest.
 * In: the table; DEED, what the deed is called in vmtests/deeds/table, and DEED_ACTS, a file that learns when it was done.
 * Out: exit code 0 done, 1 the kernel refused (stderr says "<errno name>"), 2 no such deed.
 */
#ifndef DEED_H
#define DEED_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct deed {
	const char *name;
	int (*run)(char **argv);	/* the arguments after the name, ended by NULL; 0 or -errno */
	int n_args;
};

/* "<deed> <pid> <CLOCK_BOOTTIME ns> <CLOCK_REALTIME ns>": what a line's times are held against. */
static inline void deed_stamp(void)
{
	const char *name = getenv("DEED"), *path = getenv("DEED_ACTS");
	struct timespec boot, real;
	int fd = name && path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		return;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	dprintf(fd, "%s %d %lld%09ld %lld%09ld\n", name, (int)getpid(), (long long)boot.tv_sec, boot.tv_nsec,
		(long long)real.tv_sec, real.tv_nsec);
	close(fd);
}

/* As a 32-bit program has it: the kernel's other way in, with the number that ioctl has there. 0 or more, or -errno. */
static inline long deed_ioctl_32(int fd, unsigned int cmd, unsigned int arg)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(54L), "b"((long)fd), "c"((unsigned long)cmd), "d"((unsigned long)arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}

static inline int deed_main(const struct deed *deeds, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++) {
		int r;

		if (strcmp(deeds[i].name, argv[1]) != 0 || argc - 2 != deeds[i].n_args)
			continue;
		deed_stamp();
		r = deeds[i].run(argv + 2);
		if (r < 0)
			fprintf(stderr, "%s\n", strerrorname_np(-r));
		return r < 0;
	}
	fprintf(stderr, "no such deed\n");
	return 2;
}

#endif
