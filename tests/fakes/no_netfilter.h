/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_netfilter.h: this process from here on as in a kernel that has no packet filter, or gives it none; for a child that ends after it.
 * In: how. Out: false: it cannot be had here.
 */
#ifndef PLUMB_NO_NETFILTER_H
#define PLUMB_NO_NETFILTER_H

#include <stdbool.h>

bool no_netfilter_socket(int error); /* EPROTONOSUPPORT: there is no nfnetlink */
bool no_netfilter_answer(int error); /* to what is asked; EINVAL: nfnetlink without nf_tables */

#endif
