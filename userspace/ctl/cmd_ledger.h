/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ledger.h: `plumbctl ledger show | verify`, offline on a directory. In: arguments. Out: text or JSON, exit code as in print.h.
 */
#ifndef PLUMB_CMD_LEDGER_H
#define PLUMB_CMD_LEDGER_H

int cmd_ledger(int argc, char **argv);

#endif
