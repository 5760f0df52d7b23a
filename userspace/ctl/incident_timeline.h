/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_timeline.h: what happened, in the order of time, from the node's lines and the verifier's. In: an incident's files, unpacked (hostile
 * until they are checked). Out: entries in words, counts of the rest. The same files give the same entries, to the byte.
 */
#ifndef PLUMB_INCIDENT_TIMELINE_H
#define PLUMB_INCIDENT_TIMELINE_H

#include <jansson.h>
#include <stdint.h>
#include "incident_manifest.h"

#define INCIDENT_MAX_ENTRIES 20000u	/* the rest is counted: it lies beside it in full */
#define INCIDENT_MAX_TYPES 64u

enum incident_tone { INCIDENT_PLAIN, INCIDENT_GOOD, INCIDENT_WARN, INCIDENT_BAD };

struct incident_entry {
	uint64_t utc_ns, seq;
	bool verifier;		/* of its log; else the node's line */
	enum incident_tone tone;
	char kind[32];
	char *text;		/* as it came: not safe to show */
};

struct incident_count {
	char type[32];
	uint64_t n;
};

struct incident_timeline {
	const struct incident_manifest *m;	/* borrowed */
	json_t *statement;			/* the verifier's; NULL: none */
	struct incident_entry *entries;
	uint32_t n, max, n_types;
	uint64_t left_out;			/* entries beyond the bound */
	struct incident_count types[INCIDENT_MAX_TYPES];	/* of all the node's lines */
	uint64_t shown_from_ns, shown_to_ns;	/* of the first and last entry */
};

/* dir: DIR/ledger, and where they are there DIR/log/lines.jsonl, DIR/statement.dsse (not verified here). */
int incident_timeline_open(const char *dir, const struct incident_manifest *m, struct incident_timeline **ret, struct why *ret_why);
struct incident_timeline *incident_timeline_free(struct incident_timeline *t);

#endif
