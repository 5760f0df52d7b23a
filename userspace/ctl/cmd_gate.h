/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_gate.h: plumbctl gate: may a pipeline put work on these nodes? By the verifier, or offline by a signed EAR. In: arguments. Out: an exit
 * code.
 */
#ifndef PLUMB_CMD_GATE_H
#define PLUMB_CMD_GATE_H

int cmd_gate(int argc, char **argv);

#endif
