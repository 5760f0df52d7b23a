/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_imas.h: what IMA measured on a node, by the quotes of its ledger and the lists beside it, for people and as JSON. In: a report
 * (ledger_check.h). Out: text.
 */
#ifndef PLUMB_VIEW_IMAS_H
#define PLUMB_VIEW_IMAS_H

#include "jsonl.h"
#include "ledger_imas.h"

void view_imas_rows(const struct ledger_imas *m);			/* a row each, for ledger verify; none where IMA measured nothing */
void view_imas_members(const struct ledger_imas *m, struct jsonl *j);	/* member "ima" */
/* All that is known of each; what the worst comes to, as an exit code (print.h): none at all proves nothing. */
int view_imas(const struct ledger_imas *m, bool keys, bool json);

#endif
