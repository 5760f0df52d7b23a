/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_check.h: a CertificateSigningRequest object as the API gives it: is it a kubelet's own, for a client certificate, and still to be
 * decided? In: foreign JSON, parsed. Out: what it asks for, or why it is not looked at further. Pure.
 */
#ifndef PLUMB_CSR_CHECK_H
#define PLUMB_CSR_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include "csr_request.h"
#include "why.h"

#define CSR_CHECK_SIGNER "kubernetes.io/kube-apiserver-client-kubelet"
#define CSR_CHECK_UID_SIZE 64

struct csr_check {
	char name[254], version[64];	/* of the object, for the answer to it */
	char uid[CSR_CHECK_UID_SIZE];	/* no other object ever has it, also of that name */
	bool renews;			/* asked for by the node itself, with the certificate that it has */
	struct csr_request request;
};

/*
 * 0: *ret is whole. -EALREADY: decided, or another signer's. -EBADMSG: no such object, or its request is none. -EPERM: not as a kubelet's may
 * be; why names what is not. ret->name is set where it has a good one.
 */
int csr_check(const json_t *object, struct csr_check *ret, struct why *ret_why);

#endif
