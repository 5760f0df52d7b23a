/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready_line.h: the line that says that all sensors are there. In: IMA's list as it is, and whether scripts are seen. Out: a `start` line.
 */
#ifndef PLUMB_READY_LINE_H
#define PLUMB_READY_LINE_H

#include "ima_list.h"
#include "ledger_writer.h"

/* ima NULL: there is no such list. scripts: the sensor that sees them is attached. */
int ready_line_write(struct ledger_writer *writer, struct ima_list *ima, bool scripts);

#endif
