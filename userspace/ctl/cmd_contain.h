/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_contain.h: plumbctl contain: what is contained and what the brakes hold back; the global stop; undoing what one rule caused. In: arguments.
 * Out: text or JSON, an exit code.
 */
#ifndef PLUMB_CMD_CONTAIN_H
#define PLUMB_CMD_CONTAIN_H

int cmd_contain(int argc, char **argv);

#endif
