/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void scratch_open(char ret_dir[SCRATCH_SIZE], const char *name)
{
	const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	snprintf(ret_dir, SCRATCH_SIZE, "%s/plumb-test-%s-XXXXXX", top, name);
	if (!mkdtemp(ret_dir))
		abort();
}

void scratch_run(const char *dir, const char *format, ...)
{
	char command[4096];
	va_list ap;
	int n = snprintf(command, sizeof(command), "cd %s && ", dir);

	va_start(ap, format);
	vsnprintf(command + n, sizeof(command) - (size_t)n, format, ap);
	va_end(ap);
	if (system(command) != 0) {
		fprintf(stderr, "scratch: %s\n", command);
		abort();
	}
}

void scratch_done(char dir[SCRATCH_SIZE])
{
	if (dir[0])
		scratch_run("/", "rm -rf %s", dir);
	dir[0] = '\0';
}
