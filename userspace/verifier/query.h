/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h: values out of a URL's query ("a=1&b=%2f"). In: foreign text. Out: bounded, decoded values. Pure.
 */
#ifndef PLUMB_QUERY_H
#define PLUMB_QUERY_H

#include <stdint.h>

#define QUERY_VALUE_SIZE 254

/* "" when the name is not there. -EBADMSG: too long, badly encoded, a NUL in it, or there twice. */
int query_value(const char *query, const char *name, char ret[QUERY_VALUE_SIZE]);
/* *ret stays when the name is not there or has no value. -EBADMSG too for what is no number of at most 18 digits. */
int query_number(const char *query, const char *name, uint64_t *ret);

#endif
