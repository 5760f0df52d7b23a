/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renewal.h: takes the certificate that an answer to accepted evidence may carry: checked to be for this node's key, kept, and used from
 * the next connection on. In: PEM (foreign). Out: the certificate's file, transport. When it is refused the old one goes on.
 */
#ifndef PLUMB_RENEWAL_H
#define PLUMB_RENEWAL_H

#include "digest.h"
#include "fsio.h"
#include "transport.h"
#include "why.h"

struct renewal {			/* plain; all borrowed */
	const struct fsio *io;
	const char *path;		/* of the certificate's file */
	const char *node;
	struct digest client_key;
	struct transport *transport;
	uint64_t not_after_s;		/* of the one in use; moved on. 0: any may follow it */
};

/* -EKEYREJECTED: not this node's, not this key's, or it ends no later than the one in use. Otherwise of the disk. Logs what came of it. */
int renewal_take(struct renewal *n, const struct buf *pem, struct why *ret_why);

#endif
