/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_request.h: a kubelet's request for a client certificate (PKCS#10 in PEM), taken apart strictly: nothing may be asked for but a
 * certificate of a node's name for the key that signed it. In: foreign bytes. Out: name and key. Pure.
 */
#ifndef PLUMB_CSR_REQUEST_H
#define PLUMB_CSR_REQUEST_H

#include <stddef.h>
#include "digest.h"
#include "why.h"

#define CSR_REQUEST_MAX 16384
#define CSR_REQUEST_MAX_NAME 254

struct csr_request {
	char node[CSR_REQUEST_MAX_NAME];	/* NAME of CN=system:node:NAME */
	struct digest key;			/* SHA-256 of the SPKI */
};

/* -EBADMSG: it is none, or more than one block, or its signature is false. -EPERM: it asks for something else. */
int csr_request_read(const void *pem, size_t size, struct csr_request *ret, struct why *ret_why);

#endif
