/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words of 32 bits, each as the machine has it, in hex; and a port. */
static int put_address(const char *hex, unsigned int port, char ret[64])
{
	size_t n = strlen(hex);
	char word[9] = "", text[INET6_ADDRSTRLEN];
	uint32_t address[4];

	if (n != 8 && n != 32)
		return -EBADMSG;
	for (size_t i = 0; i < n / 8; i++) {
		memcpy(word, hex + i * 8, 8);
		address[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	if (!inet_ntop(n == 8 ? AF_INET : AF_INET6, address, text, sizeof(text)))
		return -EBADMSG;
	snprintf(ret, 64, n == 8 ? "%s:%u" : "[%s]:%u", text, port & 0xffff);
	return 0;
}

int snapshot_sockets_line(const char *line, struct snapshot_socket *ret)
{
	char local[33], remote[33];
	unsigned int local_port, remote_port, state, uid;
	struct snapshot_socket s = {.inode = 0};
	int r;

	if (sscanf(line,
		   " %*u: %32[0-9A-Fa-f]:%4x %32[0-9A-Fa-f]:%4x %2x %*x:%*x %*x:%*x %*x %u %*d "
		   "%" SCNu64,
		   local, &local_port, remote, &remote_port, &state, &uid, &s.inode) != 7)
		return -EBADMSG;
	r = put_address(local, local_port, s.local);
	if (r >= 0)
		r = put_address(remote, remote_port, s.remote);
	if (r < 0)
		return r;
	s.state = state;
	s.uid = uid;
	*ret = s;
	return 0;
}
