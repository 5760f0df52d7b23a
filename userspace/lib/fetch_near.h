/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_near.h: is an address of this machine, of its link, or of a cloud's metadata service? Nobody else may send us there: such places
 * answer to whoever can reach them. Pure. In: an address. Out: yes or no.
 */
#ifndef PLUMB_FETCH_NEAR_H
#define PLUMB_FETCH_NEAR_H

#include <stdbool.h>
#include <sys/socket.h>

bool fetch_near(const struct sockaddr *a);	/* of a family that is neither IPv4 nor IPv6: yes */

#endif
