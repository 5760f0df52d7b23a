/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_check.h: proves an incident's files, offline: each is tied to a signature or a quote, or it is said that it is only stated, and by whom.
 * In: an unpacked archive (hostile), keys that the reader trusts. Out: a report. Reads only.
 */
#ifndef PLUMB_INCIDENT_CHECK_H
#define PLUMB_INCIDENT_CHECK_H

#include "incident_manifest.h"
#include "ledger_check.h"

#define INCIDENT_CHECK_MAX 24	/* of each kind; the rest is counted */

struct incident_points {
	uint32_t n;
	char text[INCIDENT_CHECK_MAX][320];
};

struct incident_report {
	struct incident_points proven, stated, bad;	/* stated: nobody whom the reader trusts vouches for it */
};

struct incident_check_in {			/* all borrowed */
	const char *dir;
	const struct incident_manifest *m;
	bool signer_is_trusted;			/* the manifest was opened with a key of the reader's */
	const struct sign_key *const *keys;	/* the verifier's: P-256 for statements, verdicts and orders, Ed25519 for its log */
	uint32_t n_keys;
	const char *record;			/* a copy kept elsewhere; NULL: none */
	const char *tool;			/* who asks: timeline.* of another release is not made again */
};

/* 0: checked; < 0: could not check, with why. */
int incident_check(const struct incident_check_in *in, struct incident_report *ret, struct why *ret_why);
/* Bad when something is, unproven when something is only stated. */
enum ledger_check_result incident_check_result(const struct incident_report *r);

#endif
