/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_ledger.h: plumbctl ledger fetch: a node's ledger as the verifier stored it, as a directory that checks offline. In: arguments, the
 * verifier's answer (hostile). Out: files; an exit code.
 */
#ifndef PLUMB_REMOTE_LEDGER_H
#define PLUMB_REMOTE_LEDGER_H

#include <stdio.h>

void remote_ledger_help(FILE *f);
int remote_ledger(int argc, char **argv);

#endif
