/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_release_order.h: signs offline that a node is isolated no more. In: the node's id, the number of its isolation, an operator's private key.
 * Out: a file for the node's console. Speaks with nobody.
 */
#ifndef PLUMB_CMD_RELEASE_ORDER_H
#define PLUMB_CMD_RELEASE_ORDER_H

int cmd_release_order(int argc, char **argv);

#endif
