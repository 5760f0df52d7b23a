/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_policy.h: plumbctl policy push, show, preview, arm, disarm: the policy at a verifier. In: arguments. Out: an exit code.
 */
#ifndef PLUMB_REMOTE_POLICY_H
#define PLUMB_REMOTE_POLICY_H

#include <stdbool.h>
#include <stdio.h>

bool remote_policy_is(const char *word);
void remote_policy_help(FILE *f);
int remote_policy(int argc, char **argv);

#endif
