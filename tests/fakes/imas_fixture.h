/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imas_fixture.h: a ledger's directory with lists of IMA in it, and what its lines say of them. In: lists, seals, quotes. Out: ledger_imas,
 * to be finished by the test.
 */
#ifndef PLUMB_IMAS_FIXTURE_H
#define PLUMB_IMAS_FIXTURE_H

#include "ima_maker.h"
#include "ledger_imas.h"
#include "scratch.h"

struct imas_fixture {
	char dir[SCRATCH_SIZE];
	char list[LEDGER_IMA_NAME_SIZE];	/* the name of the one at hand */
	struct ima_maker ima;			/* its entries: none at first */
	struct ledger_imas m;
	struct why why;
};

int imas_fixture_make(void **state);	/* for cmocka */
int imas_fixture_end(void **state);
void imas_fixture_put(const struct imas_fixture *p, const char *name, const void *data, size_t size);
/* Lines of the ledger, in the order of their numbers. */
void imas_fixture_seal(struct imas_fixture *p, uint64_t line, const char *boot, const struct ledger_ima_seal *s);
void imas_fixture_quote(struct imas_fixture *p, uint64_t line, const char *boot, uint32_t reset, const struct digest *pcr, uint64_t cursor);
void imas_fixture_expect(const struct ledger_imas_one *o, enum ledger_boot_result want, const char *why);	/* why: what it says among else */

#endif
