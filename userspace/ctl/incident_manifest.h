/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_manifest.h: what is in an incident's archive, signed by who made it (docs/incident.md): node, span, each file with its size and SHA-256.
 * In: struct, or a foreign envelope. Out: a DSSE envelope, and back. Pure.
 */
#ifndef PLUMB_INCIDENT_MANIFEST_H
#define PLUMB_INCIDENT_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "sign.h"
#include "why.h"

#define INCIDENT_MANIFEST_NAME "manifest.dsse"	/* the first entry; no other is named so */
#define INCIDENT_MANIFEST_MAX (4u << 20)	/* bytes of the envelope */
#define INCIDENT_MAX_FILES 4096u
#define INCIDENT_MAX_PATH 160			/* of a file in it, with NUL */
#define INCIDENT_MAX_BYTES (2ull << 30)		/* of all files */

struct incident_file {
	char name[INCIDENT_MAX_PATH];
	uint64_t size;
	struct digest sha256;
};

struct incident_manifest {
	char tool[64];			/* who wrote timeline.* */
	char node[65], label[254];
	uint64_t incarnation;
	uint64_t from_ns, to_ns;	/* what was asked for, by the node's clock; from 0: its beginning */
	uint64_t made_ns;
	char by[128];			/* the operator's name, as he says */
	bool verifier;			/* made of what a verifier has; else of a ledger directory alone */
	uint64_t first, end, last;	/* lines: [first, end) are of the span, those up to `last` prove them */
	struct buf key;			/* SPKI of who signed: only a hint until somebody vouches for it */
	struct incident_file *files;	/* by name; allocated */
	uint32_t n_files;
};
void incident_manifest_done(struct incident_manifest *m);

/* [a-z0-9._-] in at most four parts, none of which begins with a dot: it can lead nowhere else. */
bool incident_manifest_name_is_good(const char *name);
/* m->files in any order; m->key is set from key. */
int incident_manifest_sign(struct incident_manifest *m, const struct sign_key *key, struct buf *ret);
/*
 * keys: those that the reader trusts; n_keys 0: the one that stands in it, which proves nothing about who that is. -EKEYREJECTED: none of
 * them signed it; -EBADMSG: it is no manifest. Names are good, in order and each once, sizes within the bounds.
 */
int incident_manifest_open(const void *envelope, size_t size, const struct sign_key *const *keys, uint32_t n_keys,
			   struct incident_manifest *ret, struct why *ret_why);

#endif
