/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_node.h: what a kubelet may do to its Node object as far as it is ours: it leaves our labels, annotations, taints and
 * conditions alone, and a new one is given the startup taint. In: the parsed request. Out: yes, or no with a sentence; a patch. Pure.
 */
#ifndef PLUMB_ADMISSION_NODE_H
#define PLUMB_ADMISSION_NODE_H

#include "buf.h"
#include "why.h"
#include <jansson.h>
#include <stdbool.h>

#define ADMISSION_NODE_DOMAIN "plumbline.io"
#define ADMISSION_NODE_STARTUP ADMISSION_NODE_DOMAIN "/unattested"

bool admission_node_is_ours(
	const char *key); /* of a label, annotation, taint; type of a condition */
/* 0 allowed, -EPERM with the sentence for whoever asked. */
int admission_node(const json_t *request, struct why *ret_why);
/*
 * 1: the JSON Patch was appended that puts the startup taint on the new Node of a kubelet that comes without; 0: none is needed. It is not refused
 * for that: kubelets before 1.32 post their Node at each start, and would never hear that there is one already.
 */
int admission_node_taint(const json_t *request, struct buf *ret);

#endif
