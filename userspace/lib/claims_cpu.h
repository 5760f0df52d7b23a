/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_cpu.h: what the processors can do and what is done about their faults, as claims. In: /proc/cpuinfo, /sys/devices/system/cpu.
 * Out: key and value to put.
 */
#ifndef PLUMB_CLAIMS_CPU_H
#define PLUMB_CLAIMS_CPU_H

#include "claims_names.h"
#include "claims_source.h"

/* Each gives the sum of what put returned, or the first error. */
int claims_cpu_flags(const struct claims_source *s);		/* cpu:flags */
int claims_cpu_mitigations(const struct claims_source *s);	/* cpu:vulnerability:<name>, cpu:vulnerabilities, cpu:smt */

/* The different sets of flags in the text of /proc/cpuinfo: "sha256:<hex> <how many flags>", of the flags sorted and joined by commas. Pure. */
int claims_cpu_parse_flags(const char *text, size_t size, struct claims_names *ret);

#endif
