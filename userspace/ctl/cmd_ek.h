/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ek.h: plumbctl ek: endorsement keys that an approver names because no maker's certificate does. In: lists, keys, hashes. Out: signed
 * actions, one a key; the list; exit codes of print.h.
 */
#ifndef PLUMB_CMD_EK_H
#define PLUMB_CMD_EK_H

int cmd_ek(int argc, char **argv);

#endif
