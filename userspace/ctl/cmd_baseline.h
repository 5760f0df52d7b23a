/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_baseline.h: `plumbctl baseline capture | show | diff | sign | verify`. In: arguments. Out: files, text, exit code as in print.h.
 */
#ifndef PLUMB_CMD_BASELINE_H
#define PLUMB_CMD_BASELINE_H

int cmd_baseline(int argc, char **argv);

#endif
