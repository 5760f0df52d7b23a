/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selection.h: which open cases are meant by numbers and names of groups. In: words, the verifier's groups and nodes (hostile). Out: each
 * case with its node, or what is wrong with a word: nothing that was named is left out unsaid.
 */
#ifndef PLUMB_SELECTION_H
#define PLUMB_SELECTION_H

#include <jansson.h>
#include <stddef.h>
#include "client.h"

#define SELECTION_MAX_CASES 100000

struct selection;

/* node NULL: any. An exit code; what is wrong was printed. */
int selection_open(struct client *c, const char *node, int n_words, char **words, struct selection **ret);
struct selection *selection_free(struct selection *s);
/* Node by node, at least one case each, until fn returns an exit code that is not 0, which comes back. All borrowed. */
int selection_each(const struct selection *s, int (*fn)(void *ctx, const json_t *node, const json_t *const *cases, size_t n),
		   void *ctx);

#endif
