/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_node.h: plumbctl node: which nodes there are, why one is as it is, and what people do to it. In: arguments. Out: an exit code.
 */
#ifndef PLUMB_CMD_NODE_H
#define PLUMB_CMD_NODE_H

int cmd_node(int argc, char **argv);

#endif
