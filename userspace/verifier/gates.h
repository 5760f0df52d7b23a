/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gates.h: all that stands between work and a node, opened in order: what is known of bound nodes, the webhook's desk and server, the desk
 * of certificate requests.
 * In: options. Out: rooms that run. Main opens and frees it.
 */
#ifndef PLUMB_GATES_H
#define PLUMB_GATES_H

#include "admission_server.h"
#include "csr_desk.h"

struct gates;

struct gates_options { /* borrowed */
	const struct store *store;
	struct admission_rules rules;
	struct admission_server_options
		admission; /* listen NULL: no webhook is served; desk is filled in */
	struct csr_desk_options csr; /* kube.server NULL: no request is looked at; nodes is filled in */
};

int gates_open(const struct gates_options *o, struct gates **ret, struct why *ret_why);
struct gates *gates_free(struct gates *g);

#endif
