/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ek_list.h: endorsement keys that an approver named himself, for platforms whose TPMs have no certificate: by the SHA-256 of the public
 * area, which is the node's id. In: the store (a blob each), inside the caller's transaction where it writes. Out: who named which, for what label.
 */
#ifndef PLUMB_EK_LIST_H
#define PLUMB_EK_LIST_H

#include <stdint.h>
#include "store.h"
#include "why.h"

struct ek_list_entry {
	char ek[65];			/* lower-case hex */
	char label[254];		/* "": any */
	char by[128];			/* the operator */
	uint64_t at_ns;			/* UTC */
};

/* -ENOENT: nobody named it. -EBADMSG: the store's text is none of ours. */
int ek_list_get(const struct store *s, const char *ek, struct ek_list_entry *ret);
int ek_list_put(const struct store *s, const struct ek_list_entry *e);	/* replaces */
int ek_list_remove(const struct store *s, const char *ek);		/* -ENOENT */
/* {"eks":[{"ek","label","by","at"}…]}, and "more":true when it was cut at STORE_MAX_LIST. */
int ek_list_write(const struct store *s, struct buf *ret);

/* What an approver says of one, and what is answered; both 0 or an HTTP status with why, < 0 our own failure. */
struct ek_list_word {			/* all borrowed */
	const struct store *store;
	const char *ek, *label, *by;
	uint64_t now_ns;
	char *ret_text, *ret_undo;	/* of size bytes each */
	size_t size;
};
int ek_list_import(const struct ek_list_word *w, struct why *ret_why);
int ek_list_take_off(const struct ek_list_word *w, struct why *ret_why);

#endif
