/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_yaml.h: a YAML document as a plain tree whose every complaint says file:line. In: YAML text (libyaml). Out: nodes by number.
 * Refused: aliases, anchors' second use, tags, duplicate keys, keys that are no text, NUL, a second document, deep nesting, over 1 MiB.
 */
#ifndef PLUMB_POLICY_YAML_H
#define PLUMB_POLICY_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "why.h"

#define POLICY_YAML_MAX_SIZE (1024u * 1024)
#define POLICY_YAML_MAX_DEPTH 40u

enum policy_yaml_kind { POLICY_YAML_TEXT = 1, POLICY_YAML_LIST, POLICY_YAML_MAP };

struct policy_yaml; /* immutable once open */

/* path is only for messages; borrowed until free. The root is a map. */
int policy_yaml_open(const char *path, const void *data, size_t size, struct policy_yaml **ret, struct why *ret_why);
struct policy_yaml *policy_yaml_free(struct policy_yaml *y);

/* Nodes are numbers from 1; 0 is none. Texts are borrowed from y. */
int policy_yaml_root(const struct policy_yaml *y);
enum policy_yaml_kind policy_yaml_kind(const struct policy_yaml *y, int node);
uint32_t policy_yaml_line(const struct policy_yaml *y, int node);	/* from 1 */
uint32_t policy_yaml_n(const struct policy_yaml *y, int node);		/* items of a list, pairs of a map; 0 for text */
int policy_yaml_item(const struct policy_yaml *y, int list, uint32_t i);
int policy_yaml_pair(const struct policy_yaml *y, int map, uint32_t i, const char **ret_key);	/* the value's node */
int policy_yaml_get(const struct policy_yaml *y, int map, const char *key);	/* 0: not there */

/* "path:line: …" and -EBADMSG, always. */
int policy_yaml_fail(const struct policy_yaml *y, int node, struct why *ret_why, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A map that has no other keys than these. */
int policy_yaml_only(const struct policy_yaml *y, int node, const char *const *keys, size_t n_keys, struct why *ret_why);
int policy_yaml_text(const struct policy_yaml *y, int node, size_t max, const char **ret, struct why *ret_why);
int policy_yaml_uint(const struct policy_yaml *y, int node, uint64_t max, uint64_t *ret, struct why *ret_why);
int policy_yaml_bool(const struct policy_yaml *y, int node, bool *ret, struct why *ret_why);

#endif
