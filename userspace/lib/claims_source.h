/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_source.h: where facts about a running host are read, and to whom they are put: shared by the rooms claims_*.
 * In: trees that are /proc, /sys and / on a real host. Out: bounded text, and claims: what cannot be read is "unknown <why>", never left out.
 */
#ifndef PLUMB_CLAIMS_SOURCE_H
#define PLUMB_CLAIMS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define CLAIMS_SOURCE_TEXT_MAX (1u << 20)	/* bytes of one file in /proc or /sys */

struct claims_source {
	const char *proc, *sys;		/* NULL: /proc, /sys */
	const char *root;		/* below which /var/lib/dpkg and the like lie; NULL: "" */
	const char *const *sysctls;	/* dotted names that claims_host_is_sysctl() takes; NULL: a built-in list */
	uint32_t n_sysctls;
	int (*put)(void *ctx, const char *key, const char *value);	/* 1 new, 0 known, -errno */
	void *ctx;
};

enum claims_tree { CLAIMS_PROC, CLAIMS_SYS, CLAIMS_ROOT };

/* The path of name in one of the trees. -ENAMETOOLONG. */
int claims_source_path(const struct claims_source *s, enum claims_tree tree, const char *name, char *ret, size_t size);
/* The whole file, appended. -EFBIG: more than max bytes. */
int claims_source_read(const struct claims_source *s, enum claims_tree tree, const char *name, size_t max, struct buf *ret);
bool claims_source_has(const struct claims_source *s, enum claims_tree tree, const char *name);
/* Something is mounted, or made, there: a directory with an entry. false: none, or empty. -errno: cannot be read. */
int claims_source_is_filled(const struct claims_source *s, enum claims_tree tree, const char *name);

/* Each gives what put returned. A value from text of the kernel; error < 0: "unknown <its name>". */
int claims_source_put(const struct claims_source *s, const char *key, int error, const struct buf *text);
int claims_source_put_text(const struct claims_source *s, const char *key, const char *text);
int claims_source_put_unknown(const struct claims_source *s, const char *key, const char *why);
int claims_source_put_file(const struct claims_source *s, const char *key, enum claims_tree tree, const char *name);

/* Adds to *told what a put returned; the first error of several is kept. Returns *told or it. */
int claims_source_sum(const int *results, size_t n);

#endif
