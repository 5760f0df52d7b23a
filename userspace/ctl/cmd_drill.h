/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_drill.h: plumbctl drill: harmless tampering with this machine, and how long each step takes until the node is trusted again. In: arguments. Out: a table;
 * an exit code.
 */
#ifndef PLUMB_CMD_DRILL_H
#define PLUMB_CMD_DRILL_H

int cmd_drill(int argc, char **argv);

#endif
