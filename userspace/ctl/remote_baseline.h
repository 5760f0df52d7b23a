/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_baseline.h: plumbctl baseline push and accept: a baseline handed to a verifier, and the next version made of drift that is all
 * right. In: arguments, the verifier's cases (hostile). Out: a file to be signed; an exit code.
 */
#ifndef PLUMB_REMOTE_BASELINE_H
#define PLUMB_REMOTE_BASELINE_H

#include <stdbool.h>
#include <stdio.h>

bool remote_baseline_is(const char *word);
void remote_baseline_help(FILE *f);
int remote_baseline(int argc, char **argv);

#endif
