/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_fixture.h: a /proc, a /sys and a / of a test's own, and the claims that are put from them. In: files. Out: what was put last for a key.
 */
#ifndef PLUMB_CLAIMS_FIXTURE_H
#define PLUMB_CLAIMS_FIXTURE_H

#include "claims_source.h"
#include "scratch.h"

#define CLAIMS_FIXTURE_MAX 256

struct claims_fixture {
	char top[SCRATCH_SIZE], proc[SCRATCH_SIZE + 8], sys[SCRATCH_SIZE + 8], root[SCRATCH_SIZE + 8];
	struct claims_source source;
	struct {
		char key[256], value[4200];
	} claims[CLAIMS_FIXTURE_MAX];
	uint32_t n;
};

void claims_fixture_open(struct claims_fixture *f);
void claims_fixture_done(struct claims_fixture *f);
void claims_fixture_write(struct claims_fixture *f, const char *name, const void *data, size_t size);	/* "proc/…", "sys/…", "root/…" */
void claims_fixture_text(struct claims_fixture *f, const char *name, const char *text);
void claims_fixture_remove(struct claims_fixture *f, const char *name);
const char *claims_fixture_found(const struct claims_fixture *f, const char *key);	/* "(not put)" */

#endif
