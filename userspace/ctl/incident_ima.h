/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_ima.h: what IMA measured, in an incident: lists that lie beside a ledger, each up to where the lines and quotes of the part reach. In: a
 * ledger's directory that has the lists, the part as it was cut out (incident_span.h). Out: plain lists in the part.
 */
#ifndef PLUMB_INCIDENT_IMA_H
#define PLUMB_INCIDENT_IMA_H

#include "incident_span.h"

/* A list that does not hold goes as it is: it is evidence. */
int incident_ima_copy(const char *from, const char *to, const struct incident_span *s, struct why *ret_why);

#endif
