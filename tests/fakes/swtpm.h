/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swtpm.h: a private software TPM with EK certificates, by tests/swtpm-start.
 * In: nothing; the test runs in the project's root. Out: a TCTI string and the CA's certificates; stopped by its pid.
 */
#ifndef PLUMB_TESTS_SWTPM_H
#define PLUMB_TESTS_SWTPM_H

#include <sys/types.h>

struct swtpm {
	char dir[64];
	char tcti[128];
	char ca[128];	/* PEM: root and issuer of its EK certificates */
	pid_t pid;
};

int swtpm_start(struct swtpm *ret);
int swtpm_power_cut(struct swtpm *s);	/* killed and started again: reset count + 1, another port */
void swtpm_stop(struct swtpm *s);	/* removes its directory too */

#endif
