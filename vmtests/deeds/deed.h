/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deed.h: the frame of a program of deeds: `PROGRAM NAME ARGUMENT…` does one deed of its table. Static, so that it runs in a bare guest.
 * In: the table. Out: exit code 0 done, 1 the kernel refused (stderr says "<errno name>"), 2 no such deed.
 */
#ifndef DEED_H
#define DEED_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct deed {
	const char *name;
	int (*run)(char **argv);	/* the arguments after the name, ended by NULL; 0 or -errno */
	int n_args;
};

static inline int deed_main(const struct deed *deeds, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++) {
		int r;

		if (strcmp(deeds[i].name, argv[1]) != 0 || argc - 2 != deeds[i].n_args)
			continue;
		r = deeds[i].run(argv + 2);
		if (r < 0)
			fprintf(stderr, "%s\n", strerrorname_np(-r));
		return r < 0;
	}
	fprintf(stderr, "no such deed\n");
	return 2;
}

#endif
