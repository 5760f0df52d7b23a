/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many_boots.h: a ledger of more boots than a checker tells apart, each with a log of what was booted (the last one's is another than those before) and a
 * list of what IMA measured. As an agent leaves it: the newest lists are there. In: a directory, how many (2 to 255). Out: files. Aborts on failure.
 */
#ifndef PLUMB_TESTS_MANY_BOOTS_H
#define PLUMB_TESTS_MANY_BOOTS_H

void many_boots_make(const char *dir, int n);

#endif
