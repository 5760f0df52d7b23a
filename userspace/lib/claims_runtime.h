/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_runtime.h: which container runtimes and which kubelet are installed, as claims, and where their settings lie.
 * In: the package database (dpkg, apk), a piece at a time: nothing of the node is executed to ask it. Out: runtime:<name>.version to put.
 *
 * "<package> <version>" (several: comma between); "absent": neither package nor program; "unknown <why>": a program that no package database
 * that can be read here explains. What such a program is, its exec: lines say by digest when it runs.
 */
#ifndef PLUMB_CLAIMS_RUNTIME_H
#define PLUMB_CLAIMS_RUNTIME_H

#include "claims_names.h"
#include "claims_source.h"

#define CLAIMS_RUNTIME_MAX_FILES 24	/* of claims_runtime_files() */

struct claims_runtime;

int claims_runtime_open(const struct claims_source *s, struct claims_runtime **ret);	/* s: its strings are borrowed */
struct claims_runtime *claims_runtime_free(struct claims_runtime *c);
int claims_runtime_step(struct claims_runtime *c, int *ret_put);	/* 1: there is more to do; 0: done, *ret_put is the sum of what put returned */
int claims_runtime_all(const struct claims_source *s);	/* all steps at once */

/* Settings of runtimes, kubelet and CNI, and static pods: those that exist of a built-in list; absolute paths in *ret. Number of them. */
uint32_t claims_runtime_files(const struct claims_source *s, const char *ret[CLAIMS_RUNTIME_MAX_FILES]);

/* The records of a package database in pieces: "name version" of each package that is wanted and installed. Pure. */
struct claims_runtime_packages {
	bool apk;		/* else dpkg */
	char line[512];		/* the beginning of a line; the rest of a longer one is of no interest */
	size_t n;
	char name[128], version[128];
	bool installed;
	struct claims_names found;	/* cleared by the caller */
};
int claims_runtime_parse(struct claims_runtime_packages *p, const char *text, size_t size);
int claims_runtime_parse_end(struct claims_runtime_packages *p);	/* the last record may have no empty line after it, the last line no LF */

#endif
