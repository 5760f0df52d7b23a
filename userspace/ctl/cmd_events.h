/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_events.h: plumbctl events: the verifier's log as lines for people or as it is. plumbctl token: join tokens. In: arguments. Out: exit codes.
 */
#ifndef PLUMB_CMD_EVENTS_H
#define PLUMB_CMD_EVENTS_H

int cmd_events(int argc, char **argv);
int cmd_events_token(int argc, char **argv);

#endif
