/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_drift.h: plumbctl drift: what drifted, in groups or one by one, and who settled it. In: arguments. Out: an exit code.
 */
#ifndef PLUMB_CMD_DRIFT_H
#define PLUMB_CMD_DRIFT_H

int cmd_drift(int argc, char **argv);

#endif
