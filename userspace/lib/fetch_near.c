/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_near.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"

static bool is_near4(uint32_t a)
{
	static const struct {
		uint32_t net;
		uint8_t bits;
	} near[] = {
		{0x00000000, 8}, /* this host */
		{0x7f000000, 8}, /* loopback */
		{0xa9fe0000, 16}, /* link-local; most clouds' metadata */
		{0x646464c8, 32}, /* 100.100.100.200, metadata of one cloud */
		{0xc0000000, 24}, /* 192.0.0.0/24, protocols' own; metadata of another */
		{0xe0000000, 3}, /* multicast, and what is reserved */
	};

	for (size_t i = 0; i < ARRAY_SIZE(near); i++)
		if ((a ^ near[i].net) >> (32 - near[i].bits) == 0)
			return true;
	return false;
}

static uint32_t last4(const struct in6_addr *a)
{
	uint32_t v;

	memcpy(&v, a->s6_addr + 12, sizeof(v));
	return ntohl(v);
}

static bool is_near6(const struct in6_addr *a)
{
	static const uint8_t metadata[4] = {0xfd, 0x00, 0x0e, 0xc2}; /* fd00:ec2::/32 */
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

	/* Forms of an IPv4 address. :: and ::1 are of the second kind. */
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
	    IN6_IS_ADDR_LOOPBACK(a) || memcmp(a, nat64, sizeof(nat64)) == 0)
		return is_near4(last4(a));
	return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MULTICAST(a) ||
	       memcmp(a, metadata, sizeof(metadata)) == 0;
}

bool fetch_near(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return is_near4(ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr));
	if (a->sa_family == AF_INET6)
		return is_near6(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return true;
}
