/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite.h: the store in one SQLite file (WAL, synchronous=FULL). The only rooms that see SQLite are store_sqlite*.
 * In: a path; the file is made (0600) when there is none. Out: a struct store. One thread; several processes may share the file.
 */
#ifndef PLUMB_STORE_SQLITE_H
#define PLUMB_STORE_SQLITE_H

#include "store.h"
#include "why.h"

/* -EBADMSG: no database, or one of another program; -EPROTONOSUPPORT: made by another version; -EBUSY, -EACCES, … */
int store_sqlite_open(const char *path, struct store *ret, struct why *ret_why);

#endif
