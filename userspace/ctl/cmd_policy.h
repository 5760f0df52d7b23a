/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_policy.h: `plumbctl policy check | test | compile | sign`, offline on files. In: arguments. Out: files, text or JSON, exit
 * code as in print.h.
 */
#ifndef PLUMB_CMD_POLICY_H
#define PLUMB_CMD_POLICY_H

int cmd_policy(int argc, char **argv);

#endif
