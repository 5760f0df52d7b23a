/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ek_public.h: which node an endorsement key will be: what tools and clouds give of an EK, as the SHA-256 of its public area. In: a file's bytes:
 * TPM2B_PUBLIC or TPMT_PUBLIC (tpm2_createek, tpm2_readpublic), or a public key or certificate in PEM or DER, whose area is then that of
 * the default template. Out: 64 hex digits. Pure.
 */
#ifndef PLUMB_EK_PUBLIC_H
#define PLUMB_EK_PUBLIC_H

#include <stddef.h>
#include "why.h"

/* -EBADMSG: none of these, or no EK as this project takes it. */
int ek_public_node(const void *data, size_t size, char ret_node[65], struct why *ret_why);

#endif
