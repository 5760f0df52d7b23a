/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_vouch.h: what the verifier vouches for in an incident: its statement, the lines of its log, verdicts, orders. In: files (hostile), its
 * keys. Out: what holds, what is only stated, what is false.
 */
#ifndef PLUMB_INCIDENT_VOUCH_H
#define PLUMB_INCIDENT_VOUCH_H

#include "incident_manifest.h"
#include "record.h"

#define INCIDENT_VOUCH_MAX 8

struct incident_vouch_in {			/* all borrowed */
	const char *dir;
	const struct incident_manifest *m;
	const struct record *record;
	struct buf_view record_bytes;		/* without LF */
	const struct sign_key *const *keys;	/* that the reader trusts; none: those of the record are taken, and nobody vouches for them */
	uint32_t n_keys;
};

struct incident_vouch_report {
	int statement;				/* 1: signed by a key that the reader gave */
	bool record_is_vouched;			/* by such a statement */
	uint32_t n_proven, n_stated, n_bad;
	char proven[INCIDENT_VOUCH_MAX][256], stated[INCIDENT_VOUCH_MAX][256], bad[INCIDENT_VOUCH_MAX][256];
};

/* 0: checked; < 0: could not check. */
int incident_vouch(const struct incident_vouch_in *in, struct incident_vouch_report *ret, struct why *ret_why);

#endif
