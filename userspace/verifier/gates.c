/* SPDX-License-Identifier: Apache-2.0 */
#include "gates.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "log.h"

struct gates {
	struct bound_nodes *nodes;
	struct admission_desk *desk;
	struct admission_server *server;
	struct csr_desk *csr;
};

static int open_admission(struct gates *g, const struct gates_options *o, struct why *ret_why)
{
	struct admission_server_options s = o->admission;
	int r = admission_desk_open(g->nodes, &o->rules, &g->desk);

	s.desk = g->desk;
	if (r >= 0)
		r = admission_server_open(&s, &g->server, ret_why);
	if (r >= 0)
		log_notice("admission=ready listen=%s port=%u dry_run=%d", s.listen,
			   admission_server_port(g->server), o->rules.dry_run);
	return r;
}

int gates_open(const struct gates_options *o, struct gates **ret, struct why *ret_why)
{
	struct gates *g = calloc(1, sizeof(*g));
	struct csr_desk_options csr = o->csr;
	int r;

	if (!g)
		return -ENOMEM;
	r = bound_nodes_open(o->store, &g->nodes);
	if (r >= 0 && o->admission.listen)
		r = open_admission(g, o, ret_why);
	csr.nodes = g->nodes;
	if (r >= 0 && csr.kube.server)
		r = csr_desk_open(&csr, &g->csr, ret_why);
	if (r < 0) {
		gates_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

static void tell_counts(const struct admission_desk *d)
{
	struct admission_counts c;

	admission_desk_counts(d, &c);
	log_notice("admission=ended pods=%" PRIu64 " bindings=%" PRIu64 " nodes=%" PRIu64
		   " pod_changes=%" PRIu64 " others=%" PRIu64 " refused=%" PRIu64
		   " would_be_refused=%" PRIu64 " broken=%" PRIu64,
		   c.asked[ADMISSION_POD], c.asked[ADMISSION_BINDING], c.asked[ADMISSION_NODE],
		   c.asked[ADMISSION_POD_CHANGE], c.asked[ADMISSION_OTHER], c.refused,
		   c.would_refuse, c.broken);
}

struct gates *gates_free(struct gates *g)
{
	if (!g)
		return NULL;
	csr_desk_free(g->csr);
	if (g->server)
		tell_counts(g->desk);
	admission_server_free(g->server);
	admission_desk_free(g->desk);
	bound_nodes_free(g->nodes);
	free(g);
	return NULL;
}
