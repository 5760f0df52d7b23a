/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_make.h: makes an incident's archive: the span of the ledger, the pages, the signed manifest, one file. In: a ledger directory, and what
 * came from the verifier. Out: the archive, or the old file untouched.
 */
#ifndef PLUMB_INCIDENT_MAKE_H
#define PLUMB_INCIDENT_MAKE_H

#include "incident_manifest.h"

#define INCIDENT_TOOL "plumbctl " PLUMB_VERSION

struct incident_make_in {		/* all borrowed */
	const char *dir;		/* of its files: statement.dsse and log/ are there, if any */
	const char *ledger;		/* all of it */
	const char *ima;		/* a ledger's directory that has IMA's lists; NULL: that one */
	const char *output;
	const struct sign_key *key;
	const char *by;			/* the operator's name, or "" */
	uint64_t from_ns, to_ns, made_ns;
	bool verifier;
};

/* ret: what was signed; incident_manifest_done(). -ENOENT: no line. */
int incident_make(const struct incident_make_in *in, struct incident_manifest *ret, struct why *ret_why);

#endif
