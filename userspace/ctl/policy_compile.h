/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_compile.h: makes the bundle of a policy that people wrote. In: a YAML document (docs/policy.md). Out: the JSON bundle
 * that policy_open reads; every complaint says file:line.
 */
#ifndef PLUMB_POLICY_COMPILE_H
#define PLUMB_POLICY_COMPILE_H

#include "buf.h"
#include "policy.h"
#include "policy_yaml.h"

/* Appends the bundle to ret_bundle and opens it, too. -EBADMSG: the policy is wrong, ret_why says where. */
int policy_compile(const struct policy_yaml *y, struct buf *ret_bundle, struct policy **ret, struct why *ret_why);

#endif
