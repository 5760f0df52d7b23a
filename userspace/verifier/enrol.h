/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol.h: EK certificate → credential → activation → identity. In: bodies of the two enrolment routes. Out: answers; a node row.
 * Sessions live in memory, 60 s, at most 1024; an unapproved node waits in life `provisioning` for an approver.
 */
#ifndef PLUMB_ENROL_H
#define PLUMB_ENROL_H

#include "clock.h"
#include "ekcert.h"
#include "intake.h"
#include "sign.h"
#include "store.h"
#include "vlog.h"

struct enrol;

struct enrol_options {			/* all borrowed */
	const struct store *store;
	const struct clock *clock;
	struct vlog *vlog;
	const struct ekcert_anchors *anchors;
	const char *ca_cert_pem;
	const struct sign_key *ca_key;
	const struct sign_key *verdict_key, *witness_key;
	const char *witness_name, *log_name;
	uint8_t pcr_index;		/* 15 */
	uint64_t node_cert_life_s;	/* 30 days */
};

int enrol_open(const struct enrol_options *o, struct enrol **ret);
struct enrol *enrol_free(struct enrol *e);
/* HTTP status: 200, 202 pending, 4xx with JSON {"error":…,"cure":…}. < 0: our own failure. */
int enrol_begin(struct enrol *e, const void *body, size_t size, struct buf *ret);
int enrol_activate(struct enrol *e, const void *body, size_t size, struct buf *ret);

#endif
