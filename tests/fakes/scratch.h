/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.h: a directory of a test's own, in memory where that can be had, and commands in it. In: a name. Out: a path. Aborts on failure.
 */
#ifndef PLUMB_SCRATCH_H
#define PLUMB_SCRATCH_H

#define SCRATCH_SIZE 64

void scratch_open(char ret_dir[SCRATCH_SIZE], const char *name);
void scratch_done(char dir[SCRATCH_SIZE]);	/* removes it; "" afterwards */
/* A shell command, in dir. */
__attribute__((format(printf, 2, 3))) void scratch_run(const char *dir, const char *format, ...);

#endif
