/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_node.h: what a kubelet may do to its Node object as far as it is ours: it comes with the startup taint, and leaves our labels,
 * annotations, taints and conditions alone. In: the parsed request. Out: yes, or no with a sentence. Pure.
 */
#ifndef PLUMB_ADMISSION_NODE_H
#define PLUMB_ADMISSION_NODE_H

#include "why.h"
#include <jansson.h>
#include <stdbool.h>

#define ADMISSION_NODE_DOMAIN "plumbline.io"
#define ADMISSION_NODE_STARTUP ADMISSION_NODE_DOMAIN "/unattested"

bool admission_node_is_ours(
	const char *key); /* of a label, annotation, taint; type of a condition */
/* 0 allowed, -EPERM with the sentence for whoever asked. */
int admission_node(const json_t *request, bool startup_taint, struct why *ret_why);

#endif
