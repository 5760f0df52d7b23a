/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_boots.h: what a node booted, by the quotes of its ledger and the logs beside it, for people and as JSON. In: a report (ledger_check.h). Out: text.
 */
#ifndef PLUMB_VIEW_BOOTS_H
#define PLUMB_VIEW_BOOTS_H

#include "jsonl.h"
#include "ledger_boots.h"

void view_boots_rows(const struct ledger_boots *b);			/* a row each, for ledger verify */
void view_boots_members(const struct ledger_boots *b, struct jsonl *j);	/* member "boots" */
/* All that is known of each, with its claims; what the worst comes to, as an exit code (print.h): none at all proves nothing. */
int view_boots(const struct ledger_boots *b, const char *dir, bool json);

#endif
