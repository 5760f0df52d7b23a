/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_incident.h: plumbctl incident: one archive of all that is known of a node in a span of time, and its proof offline. In: arguments. Out: a file,
 * or what of one is proven; an exit code.
 */
#ifndef PLUMB_CMD_INCIDENT_H
#define PLUMB_CMD_INCIDENT_H

int cmd_incident(int argc, char **argv);

#endif
