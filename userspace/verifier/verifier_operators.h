/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_operators.h: who may do what at this verifier: rows of operators, their keys and certificates. In: names, roles, certificate
 * requests. Out: rows, files in DIR/operators. While a verifier serves, too: it sees the change with the next request.
 */
#ifndef PLUMB_VERIFIER_OPERATORS_H
#define PLUMB_VERIFIER_OPERATORS_H

#include "fsio.h"
#include "why.h"

/*
 * csr_file NULL: a key is made and kept in DIR/operators, or the one of before is certified anew. -EEXIST: the name has another key, or that
 * key was revoked. -ENOENT: init was not run.
 */
int verifier_operators_add(const struct fsio *io, const char *dir, const char *name, const char *role, const char *csr_file, struct why *ret_why);
int verifier_operators_put(const struct fsio *io, const char *dir, const char *name, const char *role, const char *csr_file,
			   struct why *ret_why);	/* the same for init, before there is a verifier */
int verifier_operators_revoke(const char *dir, const char *name, struct why *ret_why);	/* all keys of that name; -EINVAL: none */
int verifier_operators_list(const char *dir, struct why *ret_why);	/* to stdout */

#endif
